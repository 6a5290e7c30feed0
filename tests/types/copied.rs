//! Every type through a binary COPY, in both directions, alone and in an array with a NULL: a stream that
//! names no types.

use barepg::types::geo::{Box as GeoBox, Circle, Line, Lseg, Path, Point, Polygon};
use barepg::types::{
    Bits, Char, Cidr, Date, Hstore, Inet, Interval, Json, JsonPath, Jsonb, MacAddr, MacAddr8,
    Money, Multirange, Numeric, PgLsn, Range, Scaled, Tid, Time, TimeTz, Timestamp, TimestampTz,
    Uuid, Xid,
};

use crate::{Server, on_majors};

impl Server<'_, '_, '_> {
    /// Makes a table of one column, which holds the value of an expression. `None`: the server has no such
    /// type.
    fn column(&mut self, sql_type: &str, expression: &str) -> Option<String> {
        let sql = format!(
            "drop table if exists copied; create temp table copied (v {sql_type}); \
             insert into copied values ({expression})"
        );
        self.first.batch_execute(&sql).ok()?;
        self.second.batch_execute(&sql).unwrap();
        self.second.batch_execute("delete from copied").unwrap();
        Some(self.text(&format!("({expression})::{sql_type}")))
    }

    /// What the server prints for what was copied to it.
    fn arrived(&mut self, sql_type: &str, text: &str) {
        let row = self.second.query_one("select format('%s', v) from copied", ()).unwrap();
        assert_eq!(row.get::<&str>(0).unwrap(), text, "{sql_type}: what arrived there");
    }
}

/// What comes by COPY goes by COPY, and is what it was.
macro_rules! through {
    ($server:expr, $sql_type:expr, $rust:ty, $expression:expr) => {{
        let (sql_type, expression): (&str, &str) = (&$sql_type, &$expression);
        if let Some(text) = $server.column(sql_type, expression) {
            let Server { first, second, .. } = &mut *$server;
            let mut out = first.copy_out("copy copied to stdout with (format binary)").unwrap();
            let (value,): ($rust,) = match out.next_row() {
                Ok(row) => row.unwrap(),
                Err(error) => panic!("{sql_type} {expression}: {error}"),
            };
            let mut copy = second.copy_in("copy copied from stdin with (format binary)").unwrap();
            copy.send_row((value,)).unwrap();
            match copy.finish() {
                Ok(rows) => assert_eq!(rows, 1),
                Err(error) => {
                    panic!("{sql_type} {expression}: {error} {:?}", second.server_error())
                }
            }
            $server.arrived(sql_type, &text);
        } else {
            println!("not here: {sql_type} {expression}");
        }
    }};
}

macro_rules! all {
    ($server:ident: $($sql_type:literal $rust:ty: $($literal:literal)*;)*) => {$(
        $(through!($server, $sql_type, $rust, concat!("'", $literal, "'"));)*
        through!($server, $sql_type, Option<$rust>, "null");
    )*};
}

macro_rules! arrays {
    ($server:ident: $($sql_type:literal $rust:ty: $($literal:literal)*;)*) => {$({
        let expression = concat!("array[null" $(, ", '", $literal, "'")*, "]::", $sql_type, "[]");
        let sql_type = concat!($sql_type, "[]");
        if let Some(text) = $server.column(sql_type, expression) {
            let Server { first, second, .. } = &mut *$server;
            let mut out = first.copy_out("copy copied to stdout with (format binary)").unwrap();
            let (value,): (barepg::types::Array<'_, Option<$rust>>,) = match out.next_row() {
                Ok(row) => row.unwrap(),
                Err(error) => panic!("{sql_type} {expression}: {error}"),
            };
            let values: Vec<Option<$rust>> = value.iter().collect::<Result<_, _>>().unwrap();
            let mut copy = second.copy_in("copy copied from stdin with (format binary)").unwrap();
            copy.send_row((&values[..],)).unwrap();
            match copy.finish() {
                Ok(rows) => assert_eq!(rows, 1),
                Err(error) => panic!("{sql_type} {expression}: {error} {:?}", second.server_error()),
            }
            $server.arrived(sql_type, &text);
        } else {
            println!("not here: {sql_type} {expression}");
        }
    })*};
}

#[test]
fn numbers_and_texts() {
    on_majors(&[10, 18], |server| {
        macro_rules! these {
            ($each:ident) => {
                $each! { server:
                    "bool" bool: "t" "f";
                    "int2" i16: "-32768" "32767";
                    "int4" i32: "-2147483648" "2147483647";
                    "int8" i64: "-9223372036854775808" "9223372036854775807";
                    "float4" f32: "-0" "1e-45" "NaN" "-Infinity" "3.4028235e38";
                    "float8" f64: "-0" "5e-324" "NaN" "Infinity" "0.1";
                    "numeric" Numeric<40>: "0" "-0.00" "NaN" "Infinity" "-Infinity" "1e60" "1e-60" "12345.678";
                    "numeric(20,2)" Scaled<i64, 2>: "0" "-92233720368547758.08" "1000000";
                    "numeric(3,-5)" Scaled<i128, 0>: "-99900000" "100000";
                    "text" &str: "" "a" "Grüße, 世界 🚀\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}";
                    "\"char\"" Char: "" "a";
                    "bytea" &[u8]: "" "\\x00" "\\x00ff7f80";
                    "varbit" Bits<'_>: "" "1" "101010101";
                    "json" Json<'_>: "{}" " [1, 2.50] " "null";
                    "jsonb" Jsonb<'_>: "{}" "[1, 2.50]" "null" "\"\"";
                    "jsonpath" JsonPath<'_>: "$.a[*]";
                    "uuid" Uuid: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
                    "pg_lsn" PgLsn: "0/0" "FFFFFFFF/FFFFFFFF";
                    "tid" Tid: "(4294967295,65535)";
                    "money" Money: "-92233720368547758.08" "92233720368547758.07";
                }
            };
        }
        these!(all);
        these!(arrays);
        // An array says what its elements are, and those that are sent of these are `text` and `varbit`.
        all! { server:
            "name" &str: "" "abc";
            "varchar(3)" &str: "" "a  ";
            "char(3)" &str: "" "a";
            "xml" &str: "<a/>";
            "bit(3)" Bits<'_>: "101";
        }
    });
}

#[test]
fn times_addresses_and_shapes() {
    on_majors(&[10, 18], |server| {
        macro_rules! these {
            ($each:ident) => {
                $each! { server:
                    "date" Date: "infinity" "-infinity" "4714-11-24 BC" "5874897-12-31" "2000-01-01";
                    "time" Time: "00:00" "24:00" "23:59:59.999999";
                    "time(0)" Time: "12:00:00.6";
                    "timetz" TimeTz: "24:00:00-15:59:59" "00:00+15:59:59";
                    "timestamp" Timestamp: "infinity" "-infinity" "4714-11-24 BC" "294276-12-31 23:59:59.999999";
                    "timestamptz" TimestampTz: "infinity" "4714-11-24 00:00 BC" "294276-12-31 23:59:59.999999+00";
                    "interval" Interval: "0" "-178956970 years" "1 mon -1 day 00:00:00.000001" "-0.1 s";
                    "interval" Interval: "infinity" "-infinity";
                    "inet" Inet: "0.0.0.0/0" "::ffff:1.2.3.4" "10.1.2.3/8" "fe80::1/64";
                    "cidr" Cidr: "0.0.0.0/0" "::/0" "10.0.0.0/8" "::1/128";
                    "macaddr" MacAddr: "08:00:2b:01:02:03";
                    "macaddr8" MacAddr8: "08:00:2b:01:02:03:04:05";
                    "point" Point: "(1.5,-2e300)" "(Infinity,NaN)";
                    "line" Line: "{0,-1,0.5}";
                    "lseg" Lseg: "[(1,2),(3,4)]";
                    "circle" Circle: "<(1,2),0>";
                    "path" Path<'_>: "((1,2),(3,4))" "[(1,2)]";
                    "polygon" Polygon<'_>: "((1,2),(3,4),(5,6))";
                    "int4range" Range<i32>: "empty" "(,)" "[1,5)" "[-2147483648,2147483647)";
                    "int8range" Range<i64>: "empty" "(,5)";
                    "numrange" Range<Numeric>: "(1.5,2.50]" "(,NaN]" "[0,0]";
                    "daterange" Range<Date>: "[-infinity,infinity)" "(,2000-01-01)";
                    "tsrange" Range<Timestamp>: "(2000-01-01,2024-02-29 12:00]" "[-infinity,infinity]";
                    "tstzrange" Range<TimestampTz>: "(,)" "[2000-01-01 00:00+00,)";
                    "int4multirange" Multirange<'_, i32>: "{}" "{[1,3),[5,8)}" "{(,)}";
                    "nummultirange" Multirange<'_, Numeric>: "{(1.5,2.5],[3,3]}";
                }
            };
        }
        these!(all);
        these!(arrays);
        all! { server: "box" GeoBox: "(1,2),(3,4)"; }
        if !server.gauss {
            all! { server: "hstore" Hstore<'_>: "" "a=>1, b=>NULL"; }
        }
    });
}

/// What goes by the column's type where rows are described is known by its bytes, and by the server.
#[test]
fn values_of_two_layouts() {
    on_majors(&[10, 18], |server| {
        if !server.gauss {
            through!(server, "xid8", Xid, "'4294967301'");
            through!(server, "xid8", Xid, "'18446744073709551615'");
        }
        let conn = &mut *server.first;
        let mut out = conn
            .copy_out("copy (select jsonb '{\"a\": 1}', json ' {}') to stdout with (format binary)")
            .unwrap();
        assert_eq!(out.next_row(), Ok(Some((Json("{\"a\": 1}"), Json(" {}")))));
        let error = out.next_row::<(Jsonb<'_>,)>();
        assert_eq!(error, Ok(None));
        drop(out);
        // A binary COPY goes through the front as it is: this is what its `xid` would be.
        let (value, number) =
            (Xid(0x1_0000_0005), if server.gauss { 0x5_0000_0001_i64 } else { 0x1_0000_0005 });
        conn.batch_execute("create temp table numbers (n int8)").unwrap();
        let mut copy = conn.copy_in("copy numbers from stdin with (format binary)").unwrap();
        copy.send_row((value,)).unwrap();
        assert_eq!(copy.finish(), Ok(1));
        let row = conn.query_one("select n from numbers", ()).unwrap();
        assert_eq!(row.get(0), Ok(number));
        let mut out = conn.copy_out("copy numbers to stdout with (format binary)").unwrap();
        assert_eq!(out.next_row(), Ok(Some((value,))));
    });
}
