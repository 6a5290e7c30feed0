//! Rows whose columns are looked at once: what was found of one description is not believed of another.

use barepg::types::{Oid, RawValue, TypeError, oid};
use barepg::{Buffers, Client, Connection, ErrorKind, FromRow, FromSql, Result, Row, UsageError};
use barepg_testkit::pg;

use crate::common::{Host, role, tcp};
use crate::on_each;

/// The rows of a query, each read as `T` as often as asked.
fn read<T>(conn: &mut Connection, sql: &str, times: usize) -> Vec<Result<T>>
where
    T: for<'r> FromRow<'r>,
{
    let mut rows = conn.query(sql, ()).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        found.extend((0..times).map(|_| row.decode()));
    }
    found
}

fn reason<T>(result: Result<T>) -> (u16, TypeError) {
    match result.map(|_| ()).unwrap_err().kind() {
        ErrorKind::Column { column, reason, .. } => (column, reason),
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn columns_of_other_types_are_not_read_as_those_before() {
    on_each(|server| {
        let conn = &mut *server.first;
        // Each is four bytes.
        let others = ["1::float4", "'1234'::text", "'abcd'::bytea", "1::oid", "date '2000-01-02'"];
        for other in others {
            let (integers, other) =
                ("select 7 from generate_series(1, 3)", format!("select {other}"));
            assert_eq!(read(conn, integers, 2), [Ok((7,)); 6]);
            let found = read::<(i32,)>(conn, &other, 2);
            assert!(
                found.into_iter().all(|found| reason(found) == (0, TypeError::Mismatch)),
                "{other}"
            );
            assert_eq!(read(conn, integers, 1), [Ok((7,)); 3]);
        }
        // More columns of the type, and fewer.
        assert_eq!(read(conn, "select 7, 8", 2), [Ok((7, 8)); 2]);
        for (sql, count) in [("select 7", 1), ("select 7, 8, 9", 3)] {
            let error = read::<(i32, i32)>(conn, sql, 1).remove(0).unwrap_err();
            let expected = if count < 2 { UsageError::NoColumn } else { UsageError::ColumnCount };
            assert_eq!(error.kind(), ErrorKind::Usage(expected), "{sql}");
        }
        assert_eq!(read(conn, "select 7", 2), [Ok((7,)); 2]);
    });
}

#[test]
fn descriptions_that_are_kept_are_each_their_own() {
    on_each(|server| {
        let conn = &mut *server.first;
        let integer = conn.prepare("select 7", &[]).unwrap();
        let text = conn.prepare("select '1234'::text", &[]).unwrap();
        for _ in 0..3 {
            for _ in 0..2 {
                assert_eq!(conn.query_one(&integer, ()).unwrap().decode(), Ok((7,)));
            }
            for _ in 0..2 {
                let row = conn.query_one(&text, ()).unwrap();
                assert_eq!(reason(row.decode::<(i32,)>()), (0, TypeError::Mismatch));
                assert_eq!(row.decode(), Ok(("1234",)));
            }
        }
    });
}

#[test]
fn text_format_is_not_read_as_binary() {
    on_each(|server| {
        let conn = &mut *server.first;
        conn.batch_execute(
            "begin; declare c binary cursor with hold for select 7 from generate_series(1, 2); commit",
        )
        .unwrap();
        for _ in 0..2 {
            for (sql, expected) in [("fetch 1 from c", 7), ("select 1234", 1234), ("select 7", 7)] {
                let mut rows = conn.simple_query(sql).unwrap();
                assert_eq!(rows.next().unwrap().unwrap().decode(), Ok((expected,)), "{sql}");
                rows.finish().unwrap();
            }
            assert_eq!(read(conn, "select 1234", 2), [Ok((1234,)); 2]);
        }
        conn.batch_execute("close c").unwrap();
    });
}

#[test]
fn every_kind_of_text_is_text_and_nothing_else_is() {
    on_each(|server| {
        let conn = &mut *server.first;
        for kind in ["text", "varchar", "name", "char(1)", "json", "text", "varchar(9)"] {
            let sql = format!("select '1'::{kind}, 2 union all select '3', 4");
            let mut rows = conn.query(sql.as_str(), ()).unwrap();
            for expected in [("1", 2), ("3", 4)] {
                let row = rows.next().unwrap().unwrap();
                assert_eq!(row.decode(), Ok(expected), "{kind}");
                assert_eq!(row.decode(), Ok((Some(expected.0), Some(expected.1))), "{kind}");
            }
            rows.finish().unwrap();
        }
        for other in ["'1'::bytea", "1", "'{}'::text[]"] {
            let row = conn.query_one(format!("select {other}, 2").as_str(), ()).unwrap();
            assert_eq!(reason(row.decode::<(&str, i32)>()), (0, TypeError::Mismatch), "{other}");
        }
    });
}

/// A type of a user's that is named after `integer`, and takes none.
#[derive(Debug, PartialEq)]
struct Picky;

impl FromSql<'_> for Picky {
    const OID: Oid = oid::INT4;

    fn accepts(_: Oid) -> bool {
        false
    }

    fn from_sql(_: RawValue<'_>) -> Result<Self, TypeError> {
        Ok(Self)
    }
}

/// One that looks at the column's type itself.
#[derive(Debug, PartialEq)]
struct Seen(Oid);

impl FromSql<'_> for Seen {
    const OID: Oid = oid::TEXT;

    fn accepts(_: Oid) -> bool {
        true
    }

    fn from_sql(value: RawValue<'_>) -> Result<Self, TypeError> {
        Ok(Self(value.oid))
    }
}

#[test]
fn types_of_users_are_asked() {
    on_each(|server| {
        let conn = &mut *server.first;
        let found = read::<(Picky,)>(conn, "select 7 from generate_series(1, 2)", 2);
        assert!(found.into_iter().all(|found| reason(found) == (0, TypeError::Mismatch)));
        for (sql, oid) in
            [("'a'::text", oid::TEXT), ("'a'::varchar", oid::VARCHAR), ("7", oid::INT4)]
        {
            assert_eq!(
                read(conn, &format!("select {sql}"), 2),
                [Ok((Seen(oid),)), Ok((Seen(oid),))]
            );
        }
    });
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    on_each(|server| {
        let conn = &mut *server.first;
        let mut rows = conn
            .query("select 1, 2 union all select null, 3 union all select 4, null", ())
            .unwrap();
        let as_integers = |row: &Row<'_>| row.decode::<(i32, i32)>();
        assert_eq!(as_integers(&rows.next().unwrap().unwrap()), Ok((1, 2)));
        let row = rows.next().unwrap().unwrap();
        assert_eq!(reason(as_integers(&row)), (0, TypeError::Null));
        assert_eq!(row.decode(), Ok((None::<i32>, 3)));
        let row = rows.next().unwrap().unwrap();
        assert_eq!(reason(as_integers(&row)), (1, TypeError::Null));
        assert_eq!(row.decode(), Ok((4, None::<i32>)));
        rows.finish().unwrap();
    });
}

/// Descriptions of more than 64 KB, in a buffer with room for them: without names, but the rows are read.
#[test]
fn as_long_names_as_there_may_be() {
    let columns: Vec<String> =
        (1..=1600).map(|i| format!("{i} as {}{i:04}", "n".repeat(59))).collect();
    let sql = format!("select {}", columns.join(","));
    let (config, port) = (role("trust_user"), pg::shared(15).port());
    let mut memory = vec![0; 1 << 20];
    let mut client = Client::new(Buffers::split(&mut memory, 1 << 19), &config, &Host);
    let mut conn = client.connect(tcp(port)).unwrap();
    let statement = conn.prepare(&sql, &[]).unwrap();
    for _ in 0..2 {
        let row = conn.query_one(&statement, ()).unwrap();
        assert_eq!((row.get(0), row.get(1599)), (Ok(1), Ok(1600)));
    }
    let row = conn.query_one(&*sql, ()).unwrap();
    assert_eq!((row.get(1599), row.columns().count()), (Ok(1600), 1600));
    let mut rows = conn.simple_query(&sql).unwrap();
    let row = rows.next().unwrap().unwrap();
    assert_eq!((row.get(1599), row.columns().count()), (Ok(1600), 1600));
    rows.finish().unwrap();
    // Of fewer columns all names are there.
    let sql = format!("select {}", columns[..700].join(","));
    let row = conn.query_one(&*sql, ()).unwrap();
    assert_eq!(row.get(&*format!("{}0700", "n".repeat(59))), Ok(700));
}

/// What the error says that it takes is enough: for the descriptions, and then for the row.
#[test]
fn as_many_columns_as_there_may_be() {
    let columns: Vec<String> = (1..=1600).map(|i| format!("{i} as c{i}")).collect();
    let sql = format!("select {}", columns.join(","));
    let (config, port) = (role("trust_user"), pg::shared(15).port());
    let mut size = 512;
    for _ in 0..3 {
        let mut memory = vec![0; size + 16_384];
        let mut client = Client::new(Buffers::split(&mut memory, size), &config, &Host);
        let mut conn = client.connect(tcp(port)).unwrap();
        match conn.query_one(&*sql, ()) {
            Ok(row) => {
                assert_eq!((row.get(0), row.get(1599)), (Ok(1), Ok(1600)));
                return;
            }
            Err(error) => match error.kind() {
                ErrorKind::Capacity { needed, .. } => size = needed as usize,
                _ => panic!("{size} bytes: {error}"),
            },
        }
    }
    panic!("{size} bytes are said to be enough");
}
