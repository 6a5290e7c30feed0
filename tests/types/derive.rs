//! Structs made of rows.

#[path = "../common/mod.rs"]
mod common;

use barepg::types::{Date, TypeError};
use barepg::{ErrorKind, FromRow, FromSql, UsageError};
use barepg_testkit::pg;

use common::{role, with_session};

#[derive(Debug, PartialEq, FromRow)]
struct Reading<'a> {
    id: i32,
    #[barepg(rename = "Sensor Name")]
    name: &'a str,
    r#type: Option<i16>,
    taken: Date,
}

#[derive(Debug, PartialEq, FromRow)]
struct Pair<T, const N: usize>(T, [u8; N]);

#[derive(Debug, PartialEq, FromRow)]
struct Named<T>
where
    T: Copy,
{
    value: T,
}

/// The crate by another name.
mod renamed {
    use barepg as database;

    #[derive(Debug, PartialEq, database::FromRow)]
    #[barepg(crate = "database")]
    pub struct ByName<'a, T> {
        pub id: T,
        pub name: &'a str,
    }

    #[derive(Debug, PartialEq, database::FromRow)]
    #[barepg(crate = "self::database")]
    pub struct ByPosition(pub i32, pub i32);
}

/// Names that hide those of the prelude, and constants named like the variables of expanded code.
#[allow(non_upper_case_globals, dead_code)]
mod hidden {
    type Result = u8;
    enum Option {
        None,
        Some,
    }
    struct Ok;
    mod core {}
    pub const row: i32 = 1;
    pub const value: i32 = 2;
    pub static values: i32 = 3;

    #[derive(Debug, PartialEq, barepg::FromRow)]
    pub struct ByName<'a> {
        pub größe: i32,
        #[barepg(rename = "a \"b\"")]
        pub text: ::core::option::Option<&'a str>,
    }

    #[derive(Debug, PartialEq, barepg::FromRow)]
    pub struct ByPosition(pub i32, pub i32);
}

fn with<R>(f: impl FnOnce(&mut barepg::Connection<'_, '_>) -> R) -> R {
    with_session(pg::shared(15).port(), role("trust_user"), f)
}

#[test]
fn by_name_in_any_order_with_columns_to_spare() {
    with(|c| {
        let sql =
            "select null::text as more, date '2024-02-29' as taken, 'boiler' as \"Sensor Name\",
                   3::int2 as type, 'again' as \"Sensor Name\", 7 as id, null::int8 as id";
        let row = c.query_one(sql, ()).unwrap();
        let reading: Reading<'_> = row.decode().unwrap();
        let taken = Date::new(2024, 2, 29).unwrap();
        assert_eq!(reading, Reading { id: 7, name: "boiler", r#type: Some(3), taken });
    });
}

#[test]
fn nulls_missing_columns_and_other_types() {
    with(|c| {
        let columns = "date 'infinity' as taken, '' as \"Sensor Name\"";
        let row = format!("select 1 as id, null::int2 as type, {columns}");
        let row = c.query_one(row.as_str(), ()).unwrap();
        assert_eq!(row.decode::<Reading<'_>>().unwrap().r#type, None);
        let row = format!("select null::int4 as id, null::int2 as type, {columns}");
        let error = c.query_one(row.as_str(), ()).unwrap().decode::<Reading<'_>>().unwrap_err();
        let ErrorKind::Column { column: 0, reason: TypeError::Null, .. } = error.kind() else {
            panic!("{error}")
        };
        let row = format!("select {columns}, null::int2 as type, 1::int8 as id");
        let error = c.query_one(row.as_str(), ()).unwrap().decode::<Reading<'_>>().unwrap_err();
        let ErrorKind::Column { column: 3, reason: TypeError::Mismatch, wanted: 23, found: 20 } =
            error.kind()
        else {
            panic!("{error}")
        };
        let row = format!("select {columns}, 1 as id, 2 as \"Type\"");
        let error = c.query_one(row.as_str(), ()).unwrap().decode::<Reading<'_>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage(UsageError::NoColumn));
        c.ping().expect("the connection stays usable");
    });
}

#[test]
fn by_position_and_generic() {
    with(|c| {
        let row = c.query_one("select 1.5::float8, '\\x0102'::bytea", ()).unwrap();
        assert_eq!(row.decode(), Ok(Pair(1.5, [1, 2])));
        let row = c.query_one("select 1, '\\x0102'::bytea, 2", ()).unwrap();
        let error = row.decode::<Pair<i32, 2>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ColumnCount));
        let row = c.query_one("select 'x' as value", ()).unwrap();
        assert_eq!(row.decode(), Ok(Named { value: "x" }));
        fn generic<'r, T: FromSql<'r> + Copy>(row: &barepg::Row<'r>) -> T {
            row.decode::<Named<T>>().unwrap().value
        }
        assert_eq!(generic::<&str>(&row), "x");
    });
}

#[test]
fn rows_of_structs() {
    with(|c| {
        let mut rows = c.query("select x as value from generate_series(1, 3) x", ()).unwrap();
        let mut sum = 0;
        while let Some(row) = rows.next().unwrap() {
            let Named { value } = row.decode::<Named<i32>>().unwrap();
            sum += value;
        }
        assert_eq!(sum, 6);
    });
}

#[test]
fn names_of_the_module_are_not_taken_for_those_of_the_derive() {
    with(|c| {
        let sql = "select 'x' as \"a \"\"b\"\"\", 7 as größe";
        let row = c.query_one(sql, ()).unwrap();
        assert_eq!(row.decode(), Ok(hidden::ByName { größe: 7, text: Some("x") }));
        let row = c.query_one("select 1, 2", ()).unwrap();
        assert_eq!(row.decode(), Ok(hidden::ByPosition(1, 2)));
        assert_eq!(row.decode(), Ok(renamed::ByPosition(1, 2)));
        let row = c.query_one("select 'x' as name, 7 as id", ()).unwrap();
        assert_eq!(row.decode(), Ok(renamed::ByName { id: 7, name: "x" }));
    });
}
