//! Text, bytes, addresses and other single values.

use std::net::IpAddr;

use barepg::types::{
    AnyText, Bits, Char, Cidr, Inet, Json, JsonPath, Jsonb, MacAddr, MacAddr8, Money, PgLsn,
    RawValue, Tid, TypeError, Uuid, Xid, bytes_from_text,
};
use barepg::{ErrorKind, FromSql, ToSql};

use crate::{Server, echo, echo_array, on_each};

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
        let text = server.print(&[AnyText("sad"), AnyText("ok")], "$1::mood[]");
        assert_eq!(text, "{sad,ok}");
        // Types of a user that begin with a version or with flags are no text.
        if !server.gauss {
            let sql = "select 'Top.Science'::ltree, 'empty'::float4_range, '(,)'::float4_range";
            let row = server.first.query_one(sql, ()).unwrap();
            for column in 0..3 {
                let error = row.get::<AnyText<'_>>(column).unwrap_err();
                assert!(
                    matches!(error.kind(), ErrorKind::Column { reason: TypeError::Mismatch, .. }),
                    "{column}: {error}"
                );
            }
        }
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
        let text = row.raw(0).unwrap().unwrap();
        assert_eq!(bytes_from_text(text, &mut out), Ok(&[1, 2, 255][..]));
        rows.finish().unwrap();
        // The other way to print bytes: `abcd` is four of them, and no two.
        server.first.batch_execute("set bytea_output = escape").unwrap();
        for printed in ["abcd", "1234", "\\x5c78", ""] {
            let sql = format!("select '{printed}'::bytea");
            let mut rows = server.first.simple_query(&sql).unwrap();
            let row = rows.next().unwrap().unwrap();
            let text = row.raw(0).unwrap().unwrap();
            assert_eq!(bytes_from_text(text, &mut out), Err(TypeError::Malformed), "{printed}");
            rows.finish().unwrap();
        }
        server.first.batch_execute("reset bytea_output").unwrap();
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
        // openGauss has a type of its own for it: `tests/opengauss`.
        if !server.gauss {
            both(server, "xid8", "18446744073709551615", Xid(u64::MAX));
            echo_array!(server, "xid8", Xid, &["0", "1"]);
            let row = server.first.query_one("select '7'::xid, '8'::cid, 'pg_class'::regclass", ());
            assert_eq!(row.unwrap().decode(), Ok((Xid(7), 8_u32, 1259_u32)));
        }
        both(server, "tid", "(4294967295,65535)", Tid { block: u32::MAX, offset: u16::MAX });
        both(server, "money", "-92233720368547758.08", Money(i64::MIN));
        both(server, "bool", "true", true);
        both(server, "bool", "false", false);
        echo_array!(server, "pg_lsn", PgLsn, &["0/0", "16/B374D848"]);
        echo_array!(server, "tid", Tid, &["(0,1)"]);
        echo_array!(server, "money", Money, &["1", "-1"]);
        echo_array!(server, "bool", bool, &["t", "f"]);
        echo_array!(server, "int2", i16, &["-32768", "32767"]);
        echo_array!(server, "int4", i32, &["-2147483648", "2147483647"]);
        echo_array!(server, "int8", i64, &["-9223372036854775808", "9223372036854775807"]);
        echo_array!(server, "oid", u32, &["0", "4294967295"]);
        echo_array!(server, "\"char\"", Char, &["a", "b"]);
        if !server.gauss {
            for object in [
                "'pg_class'::regclass",
                "'int4'::regtype",
                "'int4in'::regproc",
                "'int4in(cstring)'::regprocedure",
                "'||/'::regoper",
                "'+(int4,int4)'::regoperator",
                "'pg_catalog'::regnamespace",
                "'trust_user'::regrole",
                "'7'::xid",
                "'7'::cid",
            ] {
                let sql = format!("select {object}, array[{object}]");
                let row = server.first.query_one(&*sql, ()).unwrap();
                let (one, all): (u32, barepg::types::Array<'_, u32>) = row.decode().unwrap();
                assert!(one != 0 && all.iter().eq([Ok(one)]), "{object}");
            }
            let sql = "select array['a'::refcursor], array['b'::cstring]";
            let row = server.first.query_one(sql, ()).unwrap();
            let (a, b): (barepg::types::Array<'_, &str>, barepg::types::Array<'_, &str>) =
                row.decode().unwrap();
            assert!(a.iter().eq([Ok("a")]) && b.iter().eq([Ok("b")]));
        }
        let row = server.first.query_one("select '1 2 3'::int2vector, '4 5'::oidvector", ());
        let (small, oids): (barepg::types::Array<'_, i16>, barepg::types::Array<'_, u32>) =
            row.unwrap().decode().unwrap();
        assert!(small.iter().eq([Ok(1), Ok(2), Ok(3)]) && oids.iter().eq([Ok(4), Ok(5)]));
    });
}
