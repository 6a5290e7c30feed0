//! openGauss's own types, its empty strings, and one meaning of a value on every path: a statement
//! as text, prepared with and without types, in flash, many times, in a batch bind, in a pipeline, a
//! portal and a COPY.

use barepg::types::{
    AnyFormat, AnyText, Blob, ExactText, Int1, Numeric, Raw, RawValue, Scaled, Timestamp, Xid,
    Xid32, oid,
};
use barepg::{
    Client, Connection, EncodedParams, ErrorKind, FromSql, Oid, Parameter, StaticStatement,
    StaticStatements, Storage, Streamed, ToSql, UsageError,
};
use barepg_testkit::gauss::Front;

use crate::common::{Host, tcp, with_session};
use crate::{front, front_with, user};

/// A session of a user who logs in quickly.
fn with<R>(front: &Front, f: impl FnOnce(&mut Connection) -> R) -> R {
    with_session(front.port(), user("sha256_2048_user"), f)
}

const MAKE: &str = "create temp table t (b blob, r raw, y bytea, c clob, n nvarchar2(9), i tinyint,
    s smalldatetime, v varchar(9), x text)";

/// Sends `value` into a column of `t` in every way there is. Each must take it, and all must have
/// stored the same.
fn every_way<T: ToSql + Copy>(c: &mut Connection, column: &str, value: T, wanted: &str) {
    c.batch_execute("delete from t").unwrap();
    let insert = format!("insert into t ({column}) values ($1)");
    let insert = insert.as_str();
    let failed = |way: &str| format!("{way}: {insert}");
    assert_eq!(c.execute(insert, (value,)), Ok(1), "{}", failed("text"));
    let open = c.prepare(insert, &[]).unwrap();
    assert_eq!(c.execute(&open, (value,)), Ok(1), "{}", failed("prepared"));
    let dynamic: &[&dyn Parameter] = &[&value];
    assert_eq!(c.execute(&open, dynamic), Ok(1), "{}", failed("dynamic"));
    assert_eq!(c.execute_many(insert, [(value,), (value,)]), Ok(2), "{}", failed("many"));
    assert_eq!(c.execute_many(&open, [(value,)]), Ok(1), "{}", failed("prepared, many"));
    let mut pipeline = c.pipeline().unwrap();
    pipeline.execute(&open, (value,)).unwrap();
    assert_eq!(pipeline.finish(), Ok(1), "{}", failed("pipeline"));
    let mut tx = c.transaction().unwrap();
    let portal = tx.portal(insert, (value,)).unwrap();
    assert_eq!(tx.fetch(&portal, 0).unwrap().finish(), Ok(1), "{}", failed("portal"));
    tx.commit().unwrap();
    let found = format!("select count(*) from t where {wanted}");
    let row = c.query_one(found.as_str(), ()).unwrap();
    assert_eq!(row.get::<i64>(0), Ok(8), "{wanted}");
}

#[test]
fn bytes_are_blob_raw_or_bytea_as_the_statement_wants_them() {
    with(&front(), |c| {
        c.batch_execute(MAKE).unwrap();
        let bytes = &[0_u8, 0xFF][..];
        every_way(c, "b", bytes, "b::text = '\\x00ff'");
        every_way(c, "r", bytes, "r::text = '\\x00ff'");
        every_way(c, "y", bytes, "y = '\\x00ff'");
        every_way(c, "b", *b"\0\xFF", "b::text = '\\x00ff'");
        every_way(c, "b", Blob(bytes), "b::text = '\\x00ff'");
        every_way(c, "r", Raw(bytes), "r::text = '\\x00ff'");
        let row = c.query_one("select b, r from t where r is not null limit 1", ()).unwrap();
        assert_eq!(row.decode(), Ok((None::<&[u8]>, Raw(bytes))));

        // Where the statement wants no bytes, it is as at PostgreSQL: never taken for another type.
        c.batch_execute("create temp table k (i int4, f float8, x text)").unwrap();
        for column in ["i", "f"] {
            let insert = format!("insert into k ({column}) values ($1)");
            let value = &[0_u8; 8][..if column == "i" { 4 } else { 8 }];
            let error = c.execute(insert.as_str(), (value,)).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "42804", "{column}");
            let error = c.execute_many(insert.as_str(), [(value,)]).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "42804", "{column}");
            let open = c.prepare(&insert, &[]).unwrap();
            let error = c.execute(&open, (value,)).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "42804", "{column}");
        }
        // A streamed value, several of them, and the 17th parameter.
        let insert = "insert into t (x, b, r) values ($1, $2, $3)";
        let streamed = Streamed::new(3, &b"abc"[..]);
        assert_eq!(c.execute(insert, ("streamed", streamed, bytes)), Ok(1));
        let row = c.query_one("select b, r from t where x = $1", ("streamed",)).unwrap();
        assert_eq!(row.decode(), Ok((&b"abc"[..], bytes)));
        // In a COPY no type is named; in a pipeline the type is bytea, or the one that is.
        let mut copy = c.copy_in("copy t (b, r) from stdin with (format binary)").unwrap();
        copy.send_row((bytes, bytes)).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        let mut pipeline = c.pipeline().unwrap();
        pipeline
            .execute(
                "insert into t (b, r, y) values ($1, $2, $3)",
                (Blob(b"1"), Raw(b"2"), &b"3"[..]),
            )
            .unwrap();
        assert_eq!(pipeline.finish(), Ok(1));
        // The server refuses what is bytea by name.
        let error = c.execute("select $1::blob", (&b"1"[..],)).map(|_| ());
        assert_eq!(error, Ok(()), "a cast says what it is");
        let named = c.prepare("insert into t (b) values ($1)", &[oid::BYTEA]).unwrap_err();
        assert_eq!(named.sqlstate().unwrap().as_str(), "42804");
        // A transaction goes on after the question.
        let mut tx = c.transaction().unwrap();
        tx.execute("insert into t (b, x) values ($1, $2)", (bytes, "tx")).unwrap();
        tx.commit().unwrap();
    });
}

#[test]
fn what_execute_accepts_prepare_accepts() {
    with(&front(), |c| {
        c.batch_execute(MAKE).unwrap();
        every_way(c, "n", "x", "n::text = 'x'");
        every_way(c, "c", "x", "c::text = 'x'");
        every_way(c, "i", 200_i16, "i::int4 = 200");
        every_way(c, "i", Int1(200), "i::int4 = 200");
        every_way(c, "i", 200_i32, "i::int4 = 200");
        let time: Timestamp = "2024-02-29 01:02:33".parse().unwrap();
        every_way(c, "s", time, "s::timestamp = '2024-02-29 01:03:00'");
        every_way(c, "x", "text", "x = 'text'");
        let row = c.query_one("select i, s, n, c from t limit 1", ()).unwrap();
        type Columns<'a> = (Option<Int1>, Option<Timestamp>, Option<&'a str>, Option<&'a str>);
        assert_eq!(row.decode::<Columns<'_>>(), Ok((None, None, None, None)));
        // Of types that were given, the caller is held to them.
        let given = c.prepare("insert into t (i) values ($1)", &[oid::INT1]).unwrap();
        let error = c.execute(&given, (1_i16,)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterType));
        assert_eq!(c.execute(&given, (Int1(1),)), Ok(1));
    });
}

static OPEN: StaticStatement =
    StaticStatement::new("insert into t (b, n, i) values ($1, $2, $3)", &[]);
static GIVEN: StaticStatement = StaticStatement::new(
    "insert into t (b, n, i) values ($1, $2, $3)",
    &[oid::BLOB, oid::NVARCHAR2, oid::INT1],
);

#[test]
fn statements_in_flash_accept_it_too() {
    let front = front();
    let config = user("sha256_2048_user");
    let (mut storage, mut known) = (Storage::<512, 512>::new(), StaticStatements::new());
    let mut client = Client::new(storage.buffers(), &config, &Host);
    client.set_static_statements(&mut known);
    let mut c = client.connect(tcp(front.port())).unwrap();
    c.batch_execute(MAKE).unwrap();
    for _ in 0..2 {
        assert_eq!(c.execute(&OPEN, (&b"\0"[..], "x", 200_i16)), Ok(1));
        assert_eq!(c.execute(&GIVEN, (&b"\0"[..], "x", Int1(200))), Ok(1));
        let items = [(&b"\0"[..], "x", 200_i16); 2];
        assert_eq!(c.execute_many(&OPEN, items), Ok(2));
    }
    let row = c
        .query_one(
            "select count(*) from t where b::text = '\\x00' and n::text = 'x' and i::int4 = 200",
            (),
        )
        .unwrap();
    assert_eq!(row.get::<i64>(0), Ok(8));
}

/// Items of a batch are of the types of the first, or refused: never read as them.
#[test]
fn items_of_other_types_than_the_first_are_refused() {
    for batch_bind in [true, false] {
        with_session(front().port(), user("sha256_2048_user").batch_bind(batch_bind), |c| {
            c.batch_execute("create temp table k (f float8)").unwrap();
            let (first, other): (&[&dyn Parameter], &[&dyn Parameter]) = (&[&1.5_f64], &[&7_i64]);
            let error = c.execute_many("insert into k values ($1)", [first, other]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterType));
            let error = c.execute_many("insert into k values ($1)", [first, &[]]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount));
            assert_eq!(c.execute_many("insert into k values ($1)", [first, first]), Ok(2));
        });
    }
}

/// `""` is NULL where `''` is, on every path, and nowhere else; there is a way to send the other.
#[test]
fn a_string_without_characters_has_one_meaning() {
    let front = front();
    with(&front, |c| {
        c.batch_execute(MAKE).unwrap();
        let null = "v is null and x is null and n is null and c is null";
        for column in ["v", "x", "n", "c"] {
            every_way(c, column, "", null);
            every_way(c, column, Some(""), null);
        }
        every_way(c, "x", AnyText(""), null);
        // In a binary COPY, as a streamed value, an array's element, an encoded parameter.
        c.batch_execute("delete from t").unwrap();
        let mut copy = c.copy_in("copy t (v, x) from stdin with (format binary)").unwrap();
        copy.send_row(("", "")).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        let empty = Streamed::text(0, &b""[..]);
        assert_eq!(c.execute("insert into t (x) values ($1)", (empty,)), Ok(1));
        let mut block = [0; 64];
        let length = EncodedParams::encode(&("", ""), &mut block).unwrap();
        let kept = EncodedParams::new(&[oid::TEXT, oid::VARCHAR], &block[..length]).unwrap();
        assert_eq!(c.execute("insert into t (x, v) values ($1, $2)", kept), Ok(1));
        let row = c.query_one(format!("select count(*) from t where {null}").as_str(), ()).unwrap();
        assert_eq!(row.get::<i64>(0), Ok(3));
        let row = c
            .query_one("select $1 is not distinct from array['a', null]", (&["a", ""][..],))
            .unwrap();
        assert_eq!(row.get(0), Ok(true));
        // The other.
        let other = "x is not null and length(x) = 0";
        every_way(c, "x", ExactText(""), other);
        let mut copy = c.copy_in("copy t (x) from stdin with (format binary)").unwrap();
        copy.send_row((ExactText(""),)).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        let length = EncodedParams::encode(&(ExactText(""),), &mut block).unwrap();
        let kept = EncodedParams::new(&[oid::TEXT], &block[..length]).unwrap();
        assert_eq!(c.execute("insert into t (x) values ($1)", kept), Ok(1));
        let row =
            c.query_one(format!("select count(*) from t where {other}").as_str(), ()).unwrap();
        assert_eq!(row.get::<i64>(0), Ok(10));
        // Of a varchar without characters the server makes NULL, whatever the driver sent it as; text
        // goes into such a column as it is.
        let insert = "insert into t (v) values ($1)";
        for (types, stored) in [(&[][..], 0), (&[oid::VARCHAR], 0), (&[oid::TEXT], 1)] {
            c.batch_execute("delete from t").unwrap();
            let statement = c.prepare(insert, types).unwrap();
            assert_eq!(c.execute(&statement, (ExactText(""),)), Ok(1));
            let row = c.query_one("select count(v) from t", ()).unwrap();
            assert_eq!(row.get::<i64>(0), Ok(stored), "{types:?}");
        }
        // Elements and fields that are kept stay as they were.
        let length = EncodedParams::encode(&(&["a", ""][..],), &mut block).unwrap();
        let kept = EncodedParams::new(&[oid::TEXT_ARRAY], &block[..length]).unwrap();
        let row = c.query_one("select $1::text", kept).unwrap();
        assert_eq!(row.get::<&str>(0), Ok("{a,\"\"}"));
    });
    // Where '' is an empty string, so is "".
    with(&front_with(|options| options.empty_is_null = false), |c| {
        c.batch_execute(MAKE).unwrap();
        for column in ["v", "x"] {
            every_way(c, column, "", &format!("length({column}) = 0"));
        }
    });
}

/// The question is asked once in a client's life, and only of an openGauss.
#[test]
fn what_is_known_of_the_database_stays_known() {
    let front = front();
    let config = user("sha256_2048_user");
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    for session in 0..3 {
        let mut c = client.connect(tcp(front.port())).unwrap();
        let start = c.stats().round_trips;
        c.execute("select $1", ("text",)).unwrap();
        assert_eq!(c.stats().round_trips - start, 1, "a string with characters asks nothing");
        c.execute("select $1", ("",)).unwrap();
        c.execute("select $1", ("",)).unwrap();
        let asked = if session == 0 { 1 } else { 0 };
        assert_eq!(c.stats().round_trips - start, 3 + asked, "session {session}");
    }
}

#[test]
fn transaction_ids_go_both_ways() {
    with(&front(), |c| {
        let value = Xid(0x1_0000_0005);
        let row = c.query_one("select $1, $2", (value, None::<Xid>)).unwrap();
        assert_eq!(row.decode(), Ok((value, None::<Xid>)));
        let row = c.query_one("select $1::text", (value,)).unwrap();
        assert_eq!(row.get::<&str>(0), Ok("4294967301"));
        let open = c.prepare("select $1::text", &[oid::XID8]).unwrap();
        assert_eq!(c.query_one(&open, (value,)).unwrap().get::<&str>(0), Ok("4294967301"));
        let open = c.prepare("select 1 where $1 = $2", &[oid::XID8]).unwrap();
        assert_eq!(open.parameter_type(0), Some(oid::XID));
        assert_eq!(c.execute(&open, (value, value)), Ok(1));
        assert_eq!(c.execute_many("select $1", [(value,), (value,)]), Ok(2));
        let kept = value.0.to_be_bytes();
        let block = [&8_u32.to_be_bytes()[..], &kept].concat();
        let kept = EncodedParams::new(&[oid::XID8], &block).unwrap();
        assert_eq!(c.query_one("select $1", kept).unwrap().get(0), Ok(value));
        let row = c.query_one("select $1, '7'::xid", (Xid32(5),)).unwrap();
        assert_eq!(row.get(0), Ok(Xid32(5)));
        assert_eq!((row.get(0), row.get(0), row.get(1)), (Ok(5_u32), Ok(Xid(5)), Ok(Xid(7))));
        let open = c.prepare("select $1", &[oid::XID32]).unwrap();
        assert_eq!(c.query_one(&open, (Xid32(6),)).unwrap().get(0), Ok(Xid32(6)));
    });
}

#[test]
fn numbers_under_one_are_read_as_they_are_printed() {
    with(&front(), |c| {
        let sql = "select .05::numeric, -.05::numeric, 0.5::numeric(3,2), 10.05::numeric";
        let mut rows = c.simple_query(sql).unwrap();
        let row = rows.next().unwrap().unwrap();
        assert_eq!(row.get(0), Ok(AnyText(".05")));
        type Cents = AnyFormat<Scaled<i64, 2>>;
        assert_eq!(
            (row.get::<Cents>(0), row.get::<Cents>(1)),
            (Ok(AnyFormat(Scaled(5))), Ok(AnyFormat(Scaled(-5))))
        );
        assert_eq!(
            (row.get::<Cents>(2), row.get::<Cents>(3)),
            (Ok(AnyFormat(Scaled(50))), Ok(AnyFormat(Scaled(1005))))
        );
        let number = row.get::<AnyFormat<Numeric>>(1).unwrap();
        assert_eq!(number.0.to_string(), "-0.05");
    });
}

#[test]
fn text_is_parsed_by_the_server_as_what_it_turns_out_to_be() {
    with(&front(), |c| {
        c.batch_execute("create temp table k (b bool, i int4, d numeric, t timestamp, x text)")
            .unwrap();
        let values =
            (AnyText("f"), AnyText("1234"), AnyText("1.5"), AnyText("2024-02-29 01:02:03"), "x");
        let insert = "insert into k values ($1, $2, $3, $4, $5)";
        assert_eq!(c.execute(insert, values), Ok(1));
        let open = c.prepare(insert, &[]).unwrap();
        assert_eq!(c.execute(&open, values), Ok(1));
        assert_eq!(c.execute_many(insert, [values, values]), Ok(2));
        assert_eq!(c.execute_many(&open, [values]), Ok(1));
        let mut pipeline = c.pipeline().unwrap();
        pipeline.execute(insert, values).unwrap();
        pipeline.execute(&open, values).unwrap();
        assert_eq!(pipeline.finish(), Ok(2));
        let mut tx = c.transaction().unwrap();
        let portal = tx.portal(insert, values).unwrap();
        tx.fetch(&portal, 0).unwrap().finish().unwrap();
        tx.commit().unwrap();
        let sql = "select count(*) from k
            where not b and i = 1234 and d = 1.5 and t = '2024-02-29 01:02:03' and x = 'x'";
        assert_eq!(c.query_one(sql, ()).unwrap().get::<i64>(0), Ok(8));
        let error = c.execute("insert into k (i) values ($1)", (AnyText("x"),)).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "22P02");
        // A binary COPY and parameters that are encoded for later have no place for it.
        let mut copy = c.copy_in("copy k (i) from stdin with (format binary)").unwrap();
        let error = copy.send_row((AnyText("1234"),)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage(UsageError::CopyFormat));
        copy.send_row((1234,)).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        assert!(EncodedParams::encode(&(AnyText("1"),), &mut [0; 16]).is_err());
    });
}

/// A value of a type that the driver does not know goes back as it came.
#[test]
fn raw_values_go_both_ways() {
    fn echo(c: &mut Connection, expression: &str, oid: Oid) {
        let sql = format!("select {expression}");
        let row = c.query_one(sql.as_str(), ()).unwrap();
        let value = RawValue::from_sql(row.get::<RawValue<'_>>(0).unwrap()).unwrap();
        assert_eq!(value.oid, oid, "{expression}");
        let bytes = value.bytes.to_vec();
        let sent = RawValue { bytes: &bytes, ..value };
        let parameters: &[&dyn Parameter] = &[&sent];
        let row = c.query_one("select $1", parameters).unwrap();
        assert_eq!(row.get::<RawValue<'_>>(0), Ok(sent), "{expression}");
    }
    with(&front(), |c| {
        echo(c, "'00FF'::blob", oid::BLOB);
        echo(c, "'00FF'::raw(10)", oid::RAW);
        echo(c, "7::tinyint", oid::INT1);
        echo(c, "5::int16", oid::INT16);
        echo(c, "'2024-02-29 01:02:03'::timestamp::smalldatetime", oid::SMALLDATETIME);
        echo(c, "point '(1,2)'", oid::POINT);
        assert_eq!(c.query_one("select $1", (5_i128,)).unwrap().get(0), Ok(5_i128));
    });
}
