//! What is written otherwise for openGauss than for PostgreSQL, chosen by what the session is with.

use crate::connection::Connection;

/// Something for each family of servers: SQL text, a [`StaticStatement`](crate::StaticStatement).
/// [`Connection::pick`] takes the one of the session's server.
///
/// ```
/// use barepg::{Connection, PerDialect};
///
/// static FIRST: PerDialect<&str> = PerDialect {
///     postgresql: "select name from job order by id limit 1 for update skip locked",
///     opengauss: "select name from job order by id limit 1 for update nowait",
/// };
/// # fn f(conn: &mut Connection) -> barepg::Result<()> {
/// let job = conn.query_opt(*conn.pick(&FIRST), ())?;
/// # let _ = job; Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerDialect<T> {
    /// For PostgreSQL, and what speaks its protocol.
    pub postgresql: T,
    /// For openGauss.
    pub opengauss: T,
}

impl Connection<'_, '_> {
    /// What is meant for the server of this session: see [`is_opengauss`](Self::is_opengauss).
    pub const fn pick<'p, T>(&self, each: &'p PerDialect<T>) -> &'p T {
        if self.is_opengauss() { &each.opengauss } else { &each.postgresql }
    }
}

/// An INSERT that leaves a row out whose key is there already, so that sending it twice is safe:
/// `on conflict do nothing` at PostgreSQL, `on duplicate key update nothing` at openGauss, which has
/// no ON CONFLICT. A [`PerDialect`] of [`StaticStatement`](crate::StaticStatement)s, made of the
/// INSERT up to its values and the types of its parameters:
///
/// ```
/// use barepg::{Connection, PerDialect, StaticStatement, insert_once, types::oid};
///
/// static INSERT: PerDialect<StaticStatement> =
///     insert_once!("insert into log (id, what) values ($1, $2)", &[oid::INT4, oid::TEXT]);
/// # fn f(conn: &mut Connection) -> barepg::Result<()> {
/// let stored = conn.execute(conn.pick(&INSERT), (7_i32, "on"))?; // 1, or 0 if it was there
/// # let _ = stored; Ok(()) }
/// ```
#[macro_export]
macro_rules! insert_once {
    ($insert:literal, $types:expr $(,)?) => {
        $crate::PerDialect {
            postgresql: $crate::StaticStatement::new(
                ::core::concat!($insert, " on conflict do nothing"),
                $types,
            ),
            opengauss: $crate::StaticStatement::new(
                ::core::concat!($insert, " on duplicate key update nothing"),
                $types,
            ),
        }
    };
}
