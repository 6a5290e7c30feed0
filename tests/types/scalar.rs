//! One value at a time.

use std::net::IpAddr;

use barepg::types::{
    AnyFormat, AnyText, Bits, Char, Cidr, Date, Inet, Interval, Json, JsonPath, Jsonb, MacAddr,
    MacAddr8, Money, Numeric, PgLsn, RawValue, Scaled, Tid, Time, TimeTz, Timestamp, TimestampTz,
    TypeError, Uuid, Xid, bytes_from_text,
};
use barepg::{ErrorKind, FromSql, ToSql};

use crate::{Server, echo, echo_array, on_each};

const NUMERICS: &[&str] = &[
    "0",
    "0.00",
    "-0.0001",
    "1",
    "-1",
    "9999",
    "10000",
    "100000000",
    "0.1",
    "12345678901234567890.123456789",
    "99999999999999999999999999999999999999",
    "1e-30",
    "-1e30",
    "3.1415926535897932384626433832795028841971",
    "NaN",
    "Infinity",
    "-Infinity",
];

const DATES: &[&str] = &[
    "2000-01-01",
    "1999-12-31",
    "2024-02-29",
    "1900-03-01",
    "0001-01-01",
    "0001-12-31 BC",
    "0004-02-29",
    "4714-11-24 BC",
    "5874897-12-31",
    "10000-01-01",
    "infinity",
    "-infinity",
];

const TIMESTAMPS: &[&str] = &[
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "2024-02-29 12:34:56.7",
    "2024-12-31 24:00:00",
    "0001-12-31 23:59:59.5 BC",
    "4714-11-24 00:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
];

#[test]
fn numbers() {
    on_each(|server| {
        server.printed::<i16>("int2", &["0", "-32768", "32767"]);
        server.printed::<i32>("int4", &["0", "-2147483648", "2147483647"]);
        server.printed::<i64>("int8", &["0", "-9223372036854775808", "9223372036854775807"]);
        server.printed::<u32>("oid", &["0", "4294967295"]);
        server.printed::<Numeric<20>>("numeric", NUMERICS);
        echo_array!(server, "numeric", Numeric<20>, NUMERICS);
        server.printed::<Scaled<i64, 2>>(
            "numeric(20,2)",
            &[
                "0",
                "0.01",
                "-0.01",
                "1",
                "1000000",
                "92233720368547758.07",
                "-92233720368547758.08",
            ],
        );
        server.printed::<Scaled<i128, 0>>(
            "numeric",
            &[
                "170141183460469231731687303715884105727",
                "-170141183460469231731687303715884105728",
            ],
        );
        // What sum(bigint) returns.
        let row = server.first.query_one("select sum(x) from generate_series(1, 4::int8) x", ());
        assert_eq!(row.unwrap().get::<Scaled<i64, 0>>(0), Ok(Scaled(10)));
        let row = server.first.query_one("select 0.125, 1e20, 'NaN'::numeric", ()).unwrap();
        for column in 0..3 {
            let error = row.get::<Scaled<i64, 2>>(column).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Range, .. }));
        }
        let row = server.first.query_one("select repeat('1', 100)::numeric", ()).unwrap();
        let error = row.get::<Numeric<20>>(0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Capacity, .. }));
    });
}

#[test]
fn floats() {
    on_each(|server| {
        let floats: &[(&str, f64)] = &[
            ("0", 0.0),
            ("-0", -0.0),
            ("1.5", 1.5),
            ("0.1", 0.1),
            ("1e-307", 1e-307),
            ("1.7976931348623157e308", f64::MAX),
            ("5e-324", 5e-324),
            ("Infinity", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("NaN", f64::NAN),
        ];
        for (literal, value) in floats {
            let row = server.first.query_one(format!("select '{literal}'::float8").as_str(), ());
            assert_eq!(row.unwrap().get::<f64>(0).unwrap().to_bits(), value.to_bits());
            let text = server.text(&format!("'{literal}'::float8"));
            assert_eq!(server.print(value, "$1"), text);
            let mut rows =
                server.first.simple_query(&format!("select '{literal}'::float8")).unwrap();
            let row = rows.next().unwrap().unwrap();
            let error = row.get::<f64>(0).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Format, .. }));
            assert_eq!(row.get::<AnyFormat<f64>>(0).unwrap().0.to_bits(), value.to_bits());
            rows.finish().unwrap();
        }
        let floats = ["0", "3.4028235e38", "1e-45", "Infinity", "-Infinity", "NaN", "0.1"];
        echo!(server, "float4", f32, &floats);
        echo_array!(server, "float4", f32, &floats);
        echo_array!(server, "float8", f64, &["0", "NaN", "-Infinity"]);
    });
}

#[test]
fn dates_and_times() {
    on_each(|server| {
        server.printed::<Date>("date", DATES);
        echo_array!(server, "date", Date, DATES);
        server.printed::<Timestamp>("timestamp", TIMESTAMPS);
        echo_array!(server, "timestamp", Timestamp, TIMESTAMPS);
        server.printed::<TimestampTz>("timestamptz", TIMESTAMPS);
        server.printed::<TimestampTz>(
            "timestamptz",
            &["2024-02-29 12:00:00+05:30", "1883-11-18 00:00:00-04:56:02"],
        );
        echo_array!(server, "timestamptz", TimestampTz, TIMESTAMPS);
        let times = ["00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.7", "00:00:00.000001"];
        server.printed::<Time>("time", &times);
        echo_array!(server, "time", Time, &times);
        let times = ["00:00:00+00", "24:00:00-15:59:59", "23:59:59.999999+15:59:59", "12:00+05:30"];
        server.printed::<TimeTz>("timetz", &times);
        echo_array!(server, "timetz", TimeTz, &times);
        // Printed in another zone, it is the same point in time.
        for (zone, shown) in [
            ("Asia/Kolkata", "2024-02-29 17:30:00+05:30"),
            ("America/New_York", "2024-02-29 07:00:00-05"),
        ] {
            let sql = format!("set timezone = '{zone}'; select '2024-02-29 12:00+00'::timestamptz");
            let mut rows = server.first.simple_query(&sql).unwrap();
            while rows.next().unwrap().is_none() {
                assert!(rows.next_result().unwrap());
            }
            rows.finish().unwrap();
            let mut rows =
                server.first.simple_query("select '2024-02-29 12:00+00'::timestamptz").unwrap();
            let row = rows.next().unwrap().unwrap();
            assert_eq!(row.get::<AnyText<'_>>(0), Ok(AnyText(shown)));
            let at: AnyFormat<TimestampTz> = row.get(0).unwrap();
            assert_eq!(at.0.to_string(), "2024-02-29 12:00:00+00");
            rows.finish().unwrap();
        }
        server.first.batch_execute("set timezone = 'UTC'").unwrap();
    });
}

#[test]
fn intervals() {
    on_each(|server| {
        let mut literals = vec![
            "0",
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 year -2 mons +3 days -04:05:06.789",
            "1 year -1 mon",
            "1 mon -1 day",
            "-1 day 01:00",
            "-1 day -01:00",
            "-00:00:00.000001",
            "1 mon",
            "-11 mons",
            "100:00:00",
            "-2562047788:00:54.775807",
            "178956970 years 7 mons 2147483647 days 2562047788:00:54.775806",
            "-178956970 years -8 mons -2147483648 days",
        ];
        if server.major >= 17 {
            literals.extend(["infinity", "-infinity"]);
        }
        for literal in &literals {
            let sql = format!("'{literal}'::interval");
            let text = server.text(&sql);
            let row = server.first.query_one(format!("select {sql}").as_str(), ()).unwrap();
            let value: Interval = row.get(0).unwrap();
            assert_eq!(value.to_string(), text);
            assert_eq!(server.print(&value, "$1"), text);
        }
        echo_array!(server, "interval", Interval, &literals);
    });
}

#[test]
fn texts() {
    on_each(|server| {
        let texts = ["", "a", "with ''quotes'' and \\ and \n", "Grüße, 世界 🚀", "{null,\"\"}"];
        for sql_type in ["text", "varchar", "name", "xml", "json"] {
            let texts = match sql_type {
                "xml" => &["<a>1</a>", "text"][..],
                "json" => &["{\"a\": [1, null]}", "\"\""],
                _ => &texts,
            };
            echo!(server, sql_type, &str, texts);
            if sql_type != "name" {
                echo_array!(server, sql_type, &str, texts);
            }
        }
        // The blanks of char(n) are part of the value, and lost in text.
        let row = server.first.query_one("select 'ab'::char(4), 'x'::unknown", ()).unwrap();
        assert_eq!(row.decode(), Ok(("ab  ", "x")));
        let percent = server.first.query_one("select 7::percent", ()).unwrap();
        assert_eq!(percent.get(0), Ok(7_i32), "a domain comes as what it is made of");
        let row = server.first.query_one("select 'a'::\"char\", ''::\"char\"", ()).unwrap();
        assert_eq!(row.decode(), Ok((Char(b'a'), Char(0))));
        for byte in [0, b'a', 127, 128, 255] {
            let text = server.print(&Char(byte), "$1");
            let mut rows = server
                .first
                .simple_query(&format!("select e'{}'::\"char\"", text.replace('\\', "\\\\")))
                .unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(Char(byte)));
            rows.finish().unwrap();
        }
    });
}

#[test]
fn enums_and_what_has_no_type_here() {
    on_each(|server| {
        echo!(server, "mood", AnyText<'_>, &["sad", "ok", "happy"], "$1::mood");
        let row = server.first.query_one("select array['ok', null]::mood[]", ()).unwrap();
        let moods: barepg::types::Array<'_, Option<AnyText<'_>>> = row.get(0).unwrap();
        assert!(moods.iter().eq([Ok(Some(AnyText("ok"))), Ok(None)]));
        server.first.batch_execute("create temp table moods (m mood)").unwrap();
        let insert = "insert into moods values ($1)";
        assert_eq!(server.first.execute(insert, (AnyText("happy"),)), Ok(1));
        let error = server.first.execute(insert, (AnyText("bored"),)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Server(_)), "{error}");
        // An array goes by way of text.
        let text = server.print(&["sad", "ok"].as_slice(), "$1::mood[]");
        assert_eq!(text, "{sad,ok}");
        let row = server.first.query_one("select 'a & b'::tsquery, 1", ()).unwrap();
        let raw: RawValue<'_> = row.get(0).unwrap();
        assert_eq!(raw.oid, 3615);
        let error = row.get::<AnyText<'_>>(0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Column { reason: TypeError::Mismatch, .. }));
        let mut rows = server.first.simple_query("select 'a & b'::tsquery").unwrap();
        assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(AnyText("'a' & 'b'")));
        rows.finish().unwrap();
        let row = server.first.query_one("select pg_sleep(0)", ()).unwrap();
        assert_eq!(row.get::<()>(0), Ok(()));
    });
}

#[test]
fn bytes() {
    on_each(|server| {
        let values = ["", "\\x00", "\\x00ff7f80", "\\x5c78"];
        echo!(server, "bytea", &[u8], &values);
        echo_array!(server, "bytea", &[u8], &values);
        let row = server.first.query_one("select '\\x0102'::bytea", ()).unwrap();
        assert_eq!(row.get(0), Ok([1_u8, 2]));
        let mut rows = server.first.simple_query("select '\\x0102ff'::bytea").unwrap();
        let row = rows.next().unwrap().unwrap();
        let mut out = [0; 4];
        let text = row.raw(0).unwrap().unwrap().bytes;
        assert_eq!(bytes_from_text(text, &mut out), Ok(&[1, 2, 255][..]));
        rows.finish().unwrap();
        for literal in ["", "0", "1", "10101010", "101010101", &"10".repeat(100)] {
            let sql = format!("select '{literal}'::varbit, b'{literal}'");
            let row = server.first.query_one(sql.as_str(), ()).unwrap();
            let (varbit, bit): (Bits<'_>, Bits<'_>) = row.decode().unwrap();
            assert_eq!((varbit.to_string().as_str(), bit), (literal, varbit));
            let row = server.second.query_one("select format('%s', $1)", (varbit,)).unwrap();
            assert_eq!(row.get::<&str>(0).unwrap(), literal);
        }
        echo_array!(server, "varbit", Bits<'_>, &["", "1", "0101010101"]);
        echo_array!(server, "bit(3)", Bits<'_>, &["101", "000"]);
        server.first.batch_execute("create temp table switches (s bit(3))").unwrap();
        let three = Bits::new(&[0b1010_0000], 3).unwrap();
        assert_eq!(server.first.execute("insert into switches values ($1)", (three,)), Ok(1));
    });
}

#[test]
fn addresses_and_identifiers() {
    on_each(|server| {
        let inets = [
            "1.2.3.4",
            "0.0.0.0/0",
            "10.1.2.3/8",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "1::",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "::ffff:0:0/96",
            "2001:db8::1/32",
            "1:0:2:0:3:0:4:0",
            "1:0:0:2:0:0:0:3",
            "1:0:0:2:2:0:0:3",
            "fe80::1:2:3:4/64",
            "::1:0:0",
            "0:0:1::",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "1:2:3:4:5:6:7:0",
            "0:2:3:4:5:6:7:8",
        ];
        server.printed::<Inet>("inet", &inets);
        echo_array!(server, "inet", Inet, &inets);
        let cidrs = ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "2001:db8::/32", "::/0", "::1/128"];
        server.printed::<Cidr>("cidr", &cidrs);
        echo_array!(server, "cidr", Cidr, &cidrs);
        let row = server.first.query_one("select '1.2.3.4'::inet", ()).unwrap();
        assert_eq!(row.get(0), Ok(IpAddr::from([1, 2, 3, 4])));
        let macs = ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"];
        server.printed::<MacAddr>("macaddr", &macs);
        echo_array!(server, "macaddr", MacAddr, &macs);
        let macs = ["08:00:2b:01:02:03:04:05", "08:00:2b:01:02:03"];
        server.printed::<MacAddr8>("macaddr8", &macs);
        echo_array!(server, "macaddr8", MacAddr8, &macs);
        let uuids =
            ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"];
        server.printed::<Uuid>("uuid", &uuids);
        echo_array!(server, "uuid", Uuid, &uuids);
    });
}

#[test]
fn json() {
    on_each(|server| {
        let documents = ["{}", "[1, 2.5, null]", "{\"a\": \"Grüße\"}", "\"\"", "null"];
        echo!(server, "json", Json<'_>, &documents);
        echo!(server, "jsonb", Jsonb<'_>, &documents);
        echo!(server, "jsonb", Json<'_>, &documents);
        echo_array!(server, "json", Json<'_>, &documents);
        echo_array!(server, "jsonb", Jsonb<'_>, &documents);
        echo!(server, "jsonpath", JsonPath<'_>, &["$", "$.a[*]"]);
        echo_array!(server, "jsonpath", JsonPath<'_>, &["$", "$.a[*]"]);
        server.first.batch_execute("create temp table documents (d jsonb)").unwrap();
        let insert = "insert into documents values ($1)";
        assert_eq!(server.first.execute(insert, (Json("{\"a\":1}"),)), Ok(1), "json as jsonb");
        let found = "select d from documents where d @> $1";
        let row = server.first.query_one(found, (Jsonb("{\"a\":1}"),)).unwrap();
        assert_eq!(row.get(0), Ok(Jsonb("{\"a\": 1}")));
    });
}

#[test]
fn counters_and_money() {
    on_each(|server| {
        fn both<T>(server: &mut Server<'_, '_, '_>, sql_type: &str, literal: &str, value: T)
        where
            T: for<'a> FromSql<'a> + ToSql + PartialEq + std::fmt::Debug,
        {
            let sql = format!("'{literal}'::{sql_type}");
            let row = server.first.query_one(format!("select {sql}").as_str(), ()).unwrap();
            assert_eq!(row.get::<T>(0).as_ref(), Ok(&value));
            let text = server.text(&sql);
            assert_eq!(server.print(&value, "$1"), text);
        }
        for (literal, value) in
            [("0/0", 0), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", u64::MAX)]
        {
            both(server, "pg_lsn", literal, PgLsn(value));
            assert_eq!(PgLsn(value).to_string(), literal);
        }
        both(server, "xid8", "18446744073709551615", Xid(u64::MAX));
        let row = server.first.query_one("select '7'::xid, '8'::cid, 'pg_class'::regclass", ());
        assert_eq!(row.unwrap().decode(), Ok((Xid(7), 8_u32, 1259_u32)));
        both(server, "tid", "(4294967295,65535)", Tid { block: u32::MAX, offset: u16::MAX });
        both(server, "money", "-92233720368547758.08", Money(i64::MIN));
        both(server, "bool", "true", true);
        both(server, "bool", "false", false);
        echo_array!(server, "pg_lsn", PgLsn, &["0/0", "16/B374D848"]);
        echo_array!(server, "xid8", Xid, &["0", "1"]);
        echo_array!(server, "tid", Tid, &["(0,1)"]);
        echo_array!(server, "money", Money, &["1", "-1"]);
        echo_array!(server, "bool", bool, &["t", "f"]);
        echo_array!(server, "int2", i16, &["-32768", "32767"]);
        echo_array!(server, "int4", i32, &["-2147483648", "2147483647"]);
        echo_array!(server, "int8", i64, &["-9223372036854775808", "9223372036854775807"]);
        echo_array!(server, "oid", u32, &["0", "4294967295"]);
        echo_array!(server, "\"char\"", Char, &["a", "b"]);
        let row = server.first.query_one("select '1 2 3'::int2vector, '4 5'::oidvector", ());
        let (small, oids): (barepg::types::Array<'_, i16>, barepg::types::Array<'_, u32>) =
            row.unwrap().decode().unwrap();
        assert!(small.iter().eq([Ok(1), Ok(2), Ok(3)]) && oids.iter().eq([Ok(4), Ok(5)]));
    });
}
