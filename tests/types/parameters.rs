//! A value means the same whichever way its statement goes: as text, or prepared, with and without types.

use barepg::types::{AnyText, Char, Date, Json, Numeric, Scaled, Timestamp, TimestampTz, oid};
use barepg::{Connection, ErrorKind, Parameter, Result};

use crate::on_majors;

const COLUMNS: [&str; 12] = [
    "int4",
    "float4",
    "numeric(6,2)",
    "varchar(3)",
    "char(4)",
    "name",
    "\"char\"",
    "bytea",
    "timestamp(0)",
    "timestamptz",
    "jsonb",
    "mood",
];

const STATEMENTS: [&str; 4] = [
    "insert into target values ($1) returning coalesce(v::text, 'NULL')",
    "select count(*)::text from target where v = $1",
    "select coalesce($1, v)::text from target where v is not null limit 1",
    "select count(*)::text from target where v in ($1, null) or $1 is null",
];

/// What a statement says, or why it does not.
fn outcome(result: Result<String>) -> String {
    result.unwrap_or_else(|error| match error.kind() {
        ErrorKind::Server(state) => state.as_str().to_owned(),
        kind => format!("{kind:?}"),
    })
}

/// Runs something and takes it back.
fn run(
    conn: &mut Connection<'_, '_>,
    f: impl FnOnce(&mut Connection<'_, '_>) -> Result<String>,
) -> String {
    conn.batch_execute("begin").unwrap();
    let outcome = outcome(f(conn));
    conn.batch_execute("rollback").unwrap();
    outcome
}

#[test]
fn values_mean_the_same_whichever_way_they_go() {
    let numeric: Numeric = "12.345".parse().unwrap();
    let at: Timestamp = "2024-02-29 12:34:56.789".parse().unwrap();
    let zoned: TimestampTz = "2024-02-29 12:34:56.789+00".parse().unwrap();
    let long = "x".repeat(70);
    let values: [&dyn Parameter; 24] = [
        &7_i16,
        &-70_000_i32,
        &7_i64,
        &3_000_000_000_u32,
        &0.1_f32,
        &-2.5e10_f64,
        &f64::NAN,
        &numeric,
        &Scaled::<i64, 2>(1234),
        &"",
        &"ab",
        &"ab  ",
        &"abcde",
        &"ok",
        &&*long,
        &AnyText("7"),
        &AnyText("ab  "),
        &Char(b'a'),
        &b"ab".as_slice(),
        &Date::EPOCH,
        &at,
        &zoned,
        &Json("{\"a\": 1}"),
        &None::<i32>,
    ];
    on_majors(&[15], |server| {
        let conn = &mut *server.first;
        for column in COLUMNS {
            let sql = format!("drop table if exists target; create temp table target (v {column})");
            conn.batch_execute(&sql).unwrap();
            let mut rows = 0;
            for row in ["'ab'", "'a'", "'7'", "'2024-02-29'", "'ok'", "'{\"a\": 1}'", "null"] {
                // Those that the column takes: NULL, and another one.
                let insert = format!("insert into target values ({row})");
                rows += u32::from(conn.batch_execute(&insert).is_ok());
            }
            assert!(rows > 1, "{column}");
            for (index, value) in values.iter().enumerate() {
                for sql in STATEMENTS {
                    let params = [*value];
                    let text = |conn: &mut Connection<'_, '_>| {
                        Ok(conn.query_one(sql, &params[..])?.get::<&str>(0)?.to_owned())
                    };
                    let prepared = |conn: &mut Connection<'_, '_>, types: &[u32]| {
                        let statement = conn.prepare(sql, types)?;
                        Ok(conn.query_one(&statement, &params[..])?.get::<&str>(0)?.to_owned())
                    };
                    let expected = run(conn, text);
                    let found = run(conn, |conn| prepared(conn, &[]));
                    assert_eq!(found, expected, "{column}: value {index}: {sql}");
                    if value.oid() != oid::AS_TEXT {
                        let found = run(conn, |conn| prepared(conn, &[value.oid()]));
                        assert_eq!(found, expected, "{column}: value {index}, typed: {sql}");
                    }
                }
            }
        }
    });
}

/// To the operators of `citext` a `text` is no `citext`, and none is made of it.
#[test]
fn a_text_is_compared_with_a_citext_as_a_text() {
    on_majors(&[10, 18], |server| {
        if server.gauss {
            return;
        }
        let conn = &mut *server.first;
        let sql = "create temp table people (name citext); insert into people values ('Ada')";
        conn.batch_execute(sql).unwrap();
        let values: [(&str, &dyn Parameter, i64); 3] = [
            ("select count(*) from people where name = $1", &"ada", 0),
            ("select count(*) from people where name = $1::citext", &"ada", 1),
            ("select count(*) from people where name = $1", &AnyText("ada"), 1),
        ];
        for (sql, value, found) in values {
            let params = [value];
            assert_eq!(conn.query_one(sql, &params[..]).unwrap().get(0), Ok(found), "{sql}");
            let statement = conn.prepare(sql, &[]).unwrap();
            assert_eq!(conn.query_one(&statement, &params[..]).unwrap().get(0), Ok(found), "{sql}");
        }
    });
}
