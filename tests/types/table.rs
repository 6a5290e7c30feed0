//! How one type is compared.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use barepg::types::{AnyFormat, ArrayElement, TypeError};
use barepg::{FromSql, ToSql};

use crate::Server;

impl Server<'_, '_, '_> {
    /// What the server prints for a parameter.
    pub fn print<T: ToSql>(&mut self, value: &T, expression: &str) -> String {
        let sql = format!("select format('%s', {expression})");
        let row = self.second.query_one(sql.as_str(), (value,));
        match row {
            Ok(row) => row.get::<&str>(0).unwrap().to_owned(),
            Err(error) => panic!("{sql}: {error}; {:?}", self.second.server_error()),
        }
    }

    /// What the server prints for the value of an expression.
    pub fn text(&mut self, expression: &str) -> String {
        let sql = format!("select format('%s', {expression})");
        let row = self.second.query_one(sql.as_str(), ());
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get::<&str>(0).unwrap().to_owned()
    }

    /// Values whose text `T` prints and parses itself.
    pub fn printed<T>(&mut self, sql_type: &str, literals: &[&str])
    where
        T: for<'a> FromSql<'a>
            + ToSql
            + ArrayElement
            + Display
            + FromStr<Err: Into<TypeError>>
            + PartialEq
            + Debug,
    {
        for literal in literals {
            let sql = format!("select '{literal}'::{sql_type}");
            let text = self.text(&sql[7..]);
            let row = self.first.query_one(sql.as_str(), ());
            let value: T = match row {
                Ok(row) => row.get(0).unwrap_or_else(|error| panic!("{sql}: {error}")),
                Err(error) => panic!("{sql}: {error}; {:?}", self.first.server_error()),
            };
            assert_eq!(value.to_string(), text, "{sql}: what is printed here");
            assert_eq!(self.print(&value, "$1"), text, "{sql}: what is printed there");
            let mut rows = self.first.simple_query(&sql).unwrap();
            let row = rows.next().unwrap().expect("a row");
            let parsed: AnyFormat<T> =
                row.get(0).unwrap_or_else(|error| panic!("{sql} as text: {error}"));
            assert_eq!(parsed.0, value, "{sql}: text of a simple query");
            rows.finish().unwrap();
        }
    }
}

/// Values of any type: read from `first`, sent by `second`; printed by the server the same as the
/// literal. Then all of them with a NULL as an array, read and sent in the same way.
///
/// The parameter is `$1`, or another expression where its type cannot be inferred.
#[macro_export]
macro_rules! echo {
    ($server:expr, $sql_type:expr, $rust:ty, $literals:expr) => {
        $crate::echo!($server, $sql_type, $rust, $literals, "$1")
    };
    ($server:expr, $sql_type:expr, $rust:ty, $literals:expr, $parameter:expr) => {{
        let literals: &[&str] = $literals;
        for literal in literals {
            let expression = format!("'{literal}'::{}", $sql_type);
            let text = $server.text(&expression);
            let sql = format!("select {expression}");
            let $crate::Server { first, second, .. } = &mut *$server;
            let row = first.query_one(sql.as_str(), ()).unwrap();
            let value: $rust = row.get(0).unwrap_or_else(|error| panic!("{sql}: {error}"));
            let print = format!("select format('%s', {})", $parameter);
            let row = second
                .query_one(print.as_str(), (value,))
                .unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!(row.get::<&str>(0).unwrap(), text, "{sql}: what is printed there");
        }
    }};
}

/// All values of a table with a NULL between them as an array: what it prints when it is read,
/// and sent from a slice.
#[macro_export]
macro_rules! echo_array {
    ($server:expr, $sql_type:expr, $rust:ty, $literals:expr) => {{
        let literals: &[&str] = $literals;
        let quoted: Vec<String> = literals.iter().map(|literal| format!("'{literal}'")).collect();
        let expression = format!("array[null, {}]::{}[]", quoted.join(", "), $sql_type);
        let text = $server.text(&expression);
        let sql = format!("select {expression}");
        let $crate::Server { first, second, .. } = &mut *$server;
        let row = first.query_one(sql.as_str(), ()).unwrap();
        let array: barepg::types::Array<'_, Option<$rust>> =
            row.get(0).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let elements: Vec<Option<$rust>> = array.iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(elements.len(), literals.len() + 1);
        assert!(elements[0].is_none());
        let row = second.query_one("select format('%s', $1)", (elements.as_slice(),)).unwrap();
        assert_eq!(row.get::<&str>(0).unwrap(), text, "{sql}: what is printed there");
    }};
}
