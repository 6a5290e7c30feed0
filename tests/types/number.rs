//! Numbers.

use barepg::ErrorKind;
use barepg::types::{AnyFormat, Numeric, Scaled, TypeError};

use crate::{echo, echo_array, on_each, on_majors};

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

/// A `u32` keeps its value in every column that takes it, or is refused.
#[test]
fn unsigned_numbers() {
    on_each(|server| {
        let conn = &mut server.first;
        let table = "create temp table u (a int4, b int8, c float8, d numeric, e oid)";
        conn.batch_execute(table).unwrap();
        for value in [0, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            conn.execute("insert into u (b, c, d, e) values ($1, $1, $1, $1)", (value,)).unwrap();
            let found = conn.query_one("select b, c, d, e from u", ()).unwrap();
            let found = found.decode::<(i64, f64, Scaled<i64, 0>, u32)>().unwrap();
            let same = i64::from(value);
            assert_eq!(found, (same, f64::from(value), Scaled(same), value));
            let sql = "select count(*) from u where e = $1 and e = any($2)";
            let found = conn.query_one(sql, (value, &[value][..])).unwrap();
            assert_eq!(found.get::<i64>(0), Ok(1));
            let small = conn.execute("insert into u (a) values ($1)", (value,));
            match i32::try_from(value) {
                Ok(_) => assert_eq!(small, Ok(1)),
                Err(_) => assert_eq!(small.unwrap_err().sqlstate().unwrap().as_str(), "22003"),
            }
            conn.execute("delete from u", ()).unwrap();
        }
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

/// The text of a float is all that a simple query has, and the server may round it.
#[test]
fn floats_as_text_are_as_the_server_prints_them() {
    on_majors(&[10, 18], |server| {
        let is_rounded = server.major == 10;
        let sql = "select 0.1::float8 + 0.2::float8";
        let exact = server.first.query_one(sql, ()).unwrap().get::<f64>(0);
        assert_eq!(exact, Ok(0.1 + 0.2));
        for (digits, expected) in [("3", 0.1 + 0.2), ("0", 0.3), ("-15", 0.3)] {
            if digits == "3" && is_rounded {
                let mut rows = server.first.simple_query(sql).unwrap();
                assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(AnyFormat(0.3)));
                rows.finish().unwrap();
            }
            server.first.batch_execute(&format!("set extra_float_digits = {digits}")).unwrap();
            let mut rows = server.first.simple_query(sql).unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get(0), Ok(AnyFormat(expected)), "{digits}");
            rows.finish().unwrap();
            assert_eq!(server.first.query_one(sql, ()).unwrap().get(0), exact);
        }
        server.first.batch_execute("reset extra_float_digits").unwrap();
    });
}
