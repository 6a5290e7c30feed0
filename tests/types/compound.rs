//! Values made of values.

use std::ops::Bound::{Excluded, Included, Unbounded};

use barepg::types::geo::{Box as GeoBox, Circle, Line, Lseg, Path, Point, Polygon};
use barepg::types::{
    Array, Composite, Date, Dimension, Dimensioned, Hstore, Json, Multirange, Numeric, Range,
    Record, Scaled, Timestamp, TimestampTz, TypeError,
};
use barepg::{ErrorKind, FromSql, ToSql};

use barepg_testkit::pg;

use crate::common::{role, with_session};
use crate::{Server, echo, echo_array, on_each};

#[test]
fn arrays_of_every_shape() {
    on_each(|server| {
        for literal in [
            "{}",
            "{1}",
            "{NULL}",
            "{1,NULL,3}",
            "[0:1]={1,2}",
            "[-5:-4][7:7]={{1},{NULL}}",
            "{{1,2,3},{4,5,6}}",
            "{{{1},{2}},{{3},{4}}}",
            "{{{{1,2}}}}",
            "{{{{{1},{2}}}}}",
            "{{{{{{1,2},{3,4}}}}},{{{{{5,6},{7,NULL}}}}}}",
            "[2147483646:2147483646]={1}",
        ] {
            let sql = format!("select '{literal}'::int4[]");
            let row = server.first.query_one(sql.as_str(), ()).unwrap();
            let array: Array<'_, Option<i32>> = row.get(0).unwrap();
            let elements: Vec<_> = array.iter().collect::<Result<_, _>>().unwrap();
            let dimensions: Vec<Dimension> = array.dimensions().collect();
            let sent = Dimensioned { dimensions: &dimensions, elements: &elements };
            let row = server.second.query_one("select format('%s', $1)", (sent,)).unwrap();
            assert_eq!(row.get::<&str>(0).unwrap(), literal);
            if dimensions.iter().all(|dimension| dimension.lower == 1) && dimensions.len() < 2 {
                let row =
                    server.second.query_one("select format('%s', $1)", (&elements[..],)).unwrap();
                assert_eq!(row.get::<&str>(0).unwrap(), literal);
            }
        }
        let sql = "select * from unnest($1::int4[], $2::text[]) t(a, b)";
        let mut rows = server.first.query(sql, ([1, 2], ["x", "y"])).unwrap();
        assert_eq!(rows.next().unwrap().unwrap().decode(), Ok((1, "x")));
        assert_eq!(rows.next().unwrap().unwrap().decode(), Ok((2, "y")));
        assert!(rows.next().unwrap().is_none());
        let row = server.first.query_one("select array[1, 2, 3]", ()).unwrap();
        assert_eq!(row.get(0), Ok([Some(1), Some(2), Some(3)]));
        let error = row.get::<[Option<i32>; 2]>(0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Range, .. }));
        let error = row.get::<Array<'_, i64>>(0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Mismatch, .. }));
    });
}

#[test]
fn geometry() {
    on_each(|server| {
        echo!(server, "point", Point, &["(0,0)", "(1.5,-2e300)", "(Infinity,NaN)"]);
        echo!(server, "line", Line, &["{1,2,3}", "{0,-1,0.5}"]);
        echo!(server, "lseg", Lseg, &["[(1,2),(3,4)]"]);
        echo!(server, "box", GeoBox, &["(1,2),(3,4)", "(3,4),(1,2)"]);
        echo!(server, "circle", Circle, &["<(1,2),3>", "<(0,0),0>"]);
        echo!(server, "path", Path<'_>, &["((1,2),(3,4))", "[(1,2),(3,4)]", "[(1,2)]"]);
        echo!(server, "polygon", Polygon<'_>, &["((1,2),(3,4),(5,6))", "((1,2))"]);
        echo_array!(server, "point", Point, &["(0,0)", "(1.5,-2)"]);
        echo_array!(server, "line", Line, &["{1,2,3}"]);
        echo_array!(server, "lseg", Lseg, &["[(1,2),(3,4)]"]);
        echo_array!(server, "circle", Circle, &["<(1,2),3>"]);
        echo_array!(server, "path", Path<'_>, &["((1,2),(3,4))", "[(1,2),(3,4)]"]);
        echo_array!(server, "polygon", Polygon<'_>, &["((1,2),(3,4))"]);
        let corners = [Point { x: 0.0, y: 0.0 }, Point { x: 1.0, y: 2.0 }];
        let path = Path { closed: false, points: (&corners[..]).into() };
        assert_eq!(server.print(&path, "$1"), "[(0,0),(1,2)]");
        let row = server.first.query_one("select box '(1,2),(3,4)'", ()).unwrap();
        let [low, high] = [Point { x: 1.0, y: 2.0 }, Point { x: 3.0, y: 4.0 }];
        assert_eq!(row.get(0), Ok(GeoBox(high, low)), "the upper right corner comes first");
        let row = server.first.query_one("select array[box '(1,2),(3,4)']", ()).unwrap();
        let boxes: Array<'_, GeoBox> = row.get(0).unwrap();
        assert!(boxes.iter().eq([Ok(GeoBox(high, low))]));
    });
}

#[test]
fn ranges() {
    on_each(|server| {
        let integers = ["empty", "[1,5)", "(,)", "(,5)", "[1,)", "[-2147483648,2147483647)"];
        echo!(server, "int4range", Range<i32>, &integers);
        echo_array!(server, "int4range", Range<i32>, &integers);
        echo!(server, "int8range", Range<i64>, &integers);
        echo_array!(server, "int8range", Range<i64>, &integers);
        let numbers = ["empty", "(1.5,2.50]", "[0,0]", "(,Infinity)", "[NaN,)"];
        echo!(server, "numrange", Range<Numeric>, &numbers);
        echo_array!(server, "numrange", Range<Numeric>, &numbers);
        echo!(server, "numrange", Range<Scaled<i64, 2>>, &["(1.50,2.50]", "[0.00,1.00)"]);
        let days = ["[2000-01-01,2024-02-29)", "[-infinity,infinity)", "empty"];
        echo!(server, "daterange", Range<Date>, &days);
        echo_array!(server, "daterange", Range<Date>, &days);
        let times = ["(2000-01-01,2024-02-29 12:00]", "[-infinity,infinity]", "(,)"];
        echo!(server, "tsrange", Range<Timestamp>, &times);
        echo_array!(server, "tsrange", Range<Timestamp>, &times);
        echo!(server, "tstzrange", Range<TimestampTz>, &times);
        echo_array!(server, "tstzrange", Range<TimestampTz>, &times);
        let row = server.first.query_one("select int4range(1, 4, '[]')", ()).unwrap();
        assert_eq!(row.get(0), Ok(Range::Between(Included(1), Excluded(5))));
        let range = Range::Between(Excluded(1), Unbounded);
        assert_eq!(server.print(&range, "$1"), "[2,)", "the server brings it into its form");
    });
}

#[test]
fn multiranges() {
    on_each(|server| {
        let integers = ["{}", "{[1,3),[5,8)}", "{(,)}"];
        echo!(server, "int4multirange", Multirange<'_, i32>, &integers);
        echo_array!(server, "int4multirange", Multirange<'_, i32>, &integers);
        echo!(server, "int8multirange", Multirange<'_, i64>, &integers);
        echo!(server, "nummultirange", Multirange<'_, Numeric>, &["{(1.5,2.5],[3,3]}"]);
        echo!(server, "datemultirange", Multirange<'_, Date>, &["{[2000-01-01,2000-02-01)}"]);
        echo!(server, "tsmultirange", Multirange<'_, Timestamp>, &["{[2000-01-01,infinity]}"]);
        echo!(server, "tstzmultirange", Multirange<'_, TimestampTz>, &["{[2000-01-01,)}"]);
        let ranges = [(5, 8), (1, 5)].map(|(a, b)| Range::Between(Included(a), Excluded(b)));
        let sent = Multirange::from(&ranges[..]);
        assert_eq!(server.print(&sent, "$1"), "{[1,8)}");
        let row = server.first.query_one("select '{[1,3),[5,8)}'::int4multirange", ()).unwrap();
        let read: Multirange<'_, i32> = row.get(0).unwrap();
        assert!(read.iter().nth(1).unwrap() == Ok(Range::Between(Included(5), Excluded(8))));
    });
}

#[test]
fn composites() {
    on_each(|server| {
        let row = server.first.query_one("select row(1, 'ab'::text, null::int8, 2.5)", ()).unwrap();
        let record: Record<'_> = row.get(0).unwrap();
        assert_eq!(record.decode(), Ok((1, "ab", None::<i64>, Scaled::<i64, 1>(25))));
        let sql = "select ('2024-02-29 12:00+00', 21.50, null)::reading";
        let row = server.first.query_one(sql, ()).unwrap();
        let record: Record<'_> = row.get(0).unwrap();
        let (at, value, note): (TimestampTz, Numeric, Option<&str>) = record.decode().unwrap();
        assert_eq!((value.to_string().as_str(), note), ("21.50", None));
        let sent = Composite((at, value, note));
        let row = server.second.query_one("select $1::reading::text", (sent,)).unwrap();
        assert_eq!(row.get(0), Ok("(\"2024-02-29 12:00:00+00\",21.50,)"));
        let wrong = server.first.query_one("select $1::reading", (Composite((1, 2)),)).map(|_| ());
        assert!(matches!(wrong.unwrap_err().kind(), ErrorKind::Server(_)));
        server.first.batch_execute("create temp table readings (r reading)").unwrap();
        let sent = Composite((at, value, "calibrated"));
        assert_eq!(server.first.execute("insert into readings values ($1)", (sent,)), Ok(1));
        let row = server.first.query_one("select r, array[r, null] from readings", ()).unwrap();
        let (one, all): (Record<'_>, Array<'_, Option<Record<'_>>>) = row.decode().unwrap();
        assert_eq!(one.decode(), Ok((at, value, "calibrated")));
        let all: Vec<_> = all.iter().map(|record| record.unwrap().is_some()).collect();
        assert_eq!(all, [true, false]);
    });
}

#[test]
fn hstores() {
    on_each(|server| {
        let literals = ["", "a=>1, b=>NULL", "\"Grüße\"=>\"\", \"\"=>x"];
        echo!(server, "hstore", Hstore<'_>, &literals, "$1::hstore");
        let pairs = [("unit", Some("°C")), ("limit", None)];
        let sent = Hstore::from(&pairs[..]);
        assert_eq!(server.print(&sent, "$1::hstore"), "\"unit\"=>\"°C\", \"limit\"=>NULL");
        let row = server.first.query_one("select 'a=>1, b=>NULL'::hstore", ()).unwrap();
        let read: Hstore<'_> = row.get(0).unwrap();
        assert_eq!(
            (read.get("a"), read.get("b"), read.get("c")),
            (Some(Some("1")), Some(None), None)
        );
    });
}

/// The server counts the bytes of a text of an hstore before it converts them: more than ASCII is no value then, and
/// never another one. Sent it is right, and read as JSON.
#[test]
fn hstores_of_a_database_that_is_not_utf8() {
    let cluster = pg::shared(15);
    cluster.psql("postgres", "create database hstore_latin1 encoding 'LATIN1' template template0");
    cluster.psql("hstore_latin1", "create extension hstore");
    let config = role("trust_user").dbname("hstore_latin1");
    with_session(cluster.port(), config, |c| {
        let texts = ["", "a", "é", "éa", "aé", "ééé", "\u{1}é", "é\u{1}"];
        for (key, value) in texts.iter().flat_map(|key| texts.map(|value| (*key, value))) {
            let pairs = [(key, Some(value)), ("zzzzzz", None)];
            let sql = "select $1::hstore, ($1::hstore)::json";
            let row = c.query_one(sql, (Hstore::from(&pairs[..]),)).unwrap();
            let json = format!("{key:?}: {value:?}").replace("\\u{1}", "\\u0001");
            assert_eq!(row.get(1), Ok(Json(&format!("{{{json}, \"zzzzzz\": null}}"))));
            match row.get::<Hstore<'_>>(0) {
                Ok(read) => {
                    assert!((key.is_ascii() && value.is_ascii()), "{key:?} {value:?}");
                    assert!(read.iter().eq(pairs.map(Ok)));
                }
                Err(error) => {
                    assert!(!(key.is_ascii() && value.is_ascii()), "{key:?} {value:?}: {error}");
                    assert!(matches!(error.kind(), ErrorKind::Column { .. }), "{error}");
                }
            }
        }
    });
}

/// A column is never read as a type it is not: every pair of a column and a Rust type that does
/// not accept it is an error that names both, and the connection goes on.
#[test]
fn mismatches() {
    on_each(|server| {
        fn refused<T>(server: &mut Server<'_, '_, '_>, sql: &str, found: u32)
        where
            T: for<'a> FromSql<'a> + ToSql,
        {
            let row = server.first.query_one(sql, ()).unwrap();
            let Err(error) = row.get::<T>(0) else { panic!("{sql} was read") };
            let ErrorKind::Column { column, reason, wanted, found: is } = error.kind() else {
                panic!("{error}")
            };
            assert_eq!((column, reason, is), (0, TypeError::Mismatch, found));
            assert_eq!(wanted, <T as ToSql>::OID);
        }
        refused::<i32>(server, "select 1::int8", 20);
        refused::<i64>(server, "select 1::int4", 23);
        refused::<f64>(server, "select 1.5", 1700);
        refused::<Numeric>(server, "select 1.5::float8", 701);
        refused::<Date>(server, "select now()", 1184);
        refused::<Timestamp>(server, "select now()", 1184);
        refused::<TimestampTz>(server, "select now()::timestamp", 1114);
        refused::<Range<i32>>(server, "select int8range(1, 2)", 3926);
        server.first.ping().unwrap();
    });
}
