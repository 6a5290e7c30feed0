//! Savepoints: parts of a transaction that can be taken back.

use core::ops::{Deref, DerefMut};

use crate::connection::Connection;
use crate::engine::{Session, TransactionStatus};
use crate::error::{Fault, Result, SqlState};
use crate::transport::{Lent, lent};
use crate::verbs::transaction::Transaction;
use crate::wire::digits::{self, DECIMAL};

/// A part of a [`Transaction`]: used like the connection.
///
/// Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback). A guard that is dropped
/// before sends nothing then: the next verb on the connection rolls back to the savepoint first.
///
/// At the server its name is `_barepg` and a number: statements of yours must not set such ones.
#[must_use = "without the guard there is nothing to roll back to"]
pub struct Savepoint<'s, 'c, 'b> {
    connection: &'s mut Connection<'c, 'b>,
    depth: u16,
    /// Which of the session's transactions it is in.
    number: u32,
    open: bool,
}

impl<'c, 'b> Transaction<'_, 'c, 'b> {
    /// Sets a savepoint.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut tx = conn.transaction()?;
    /// let mut savepoint = tx.savepoint()?;
    /// match savepoint.execute("insert into event values (1, 'on')", ()) {
    ///     Ok(_) => savepoint.commit()?,
    ///     Err(_) => savepoint.rollback()?, // what came before it stays
    /// }
    /// tx.commit()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn savepoint(&mut self) -> Result<Savepoint<'_, 'c, 'b>> {
        Savepoint::set(self.connection)
    }
}

impl<'s, 'c, 'b> Savepoint<'s, 'c, 'b> {
    fn set(connection: &'s mut Connection<'c, 'b>) -> Result<Self> {
        let result = connection.session.savepoint(&mut lent(&mut connection.io));
        let depth = result.map_err(|fault| connection.session.into_error(fault))?;
        let number = connection.session.ledger.transaction();
        Ok(Self { connection, depth, number, open: true })
    }

    /// Sets a savepoint within this one.
    ///
    /// # Errors
    /// As [`Connection::query`].
    pub fn savepoint(&mut self) -> Result<Savepoint<'_, 'c, 'b>> {
        Savepoint::set(self.connection)
    }

    /// Keeps the work as part of the transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server): a statement had failed. The work is rolled
    /// back to the savepoint by the next verb, and the transaction goes on.
    /// [`UsageError::NotInTransaction`](crate::UsageError::NotInTransaction): the text of a statement
    /// has ended the transaction, as for [`Transaction::commit`].
    pub fn commit(mut self) -> Result<()> {
        let mut digits = [0; DECIMAL];
        self.end(&["RELEASE _barepg", decimal(self.depth, &mut digits)])
    }

    /// Takes the work back; the transaction goes on.
    ///
    /// # Errors
    /// When the link fails; the server rolls back the whole transaction then.
    /// [`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement): rows that were dropped
    /// had failed; the next verb takes the work back, and the transaction goes on, as after
    /// [`ErrorKind::Server`](crate::ErrorKind::Server), which is a cancel request that came late.
    /// [`UsageError::NotInTransaction`](crate::UsageError::NotInTransaction), as
    /// [`commit`](Self::commit).
    pub fn rollback(mut self) -> Result<()> {
        let mut digits = [0; DECIMAL];
        let number = decimal(self.depth, &mut digits);
        self.end(&rollback_sql(number))
    }

    /// Where the command fails, or was not sent, the next verb rolls back.
    fn end(&mut self, sql: &[&str]) -> Result<()> {
        let connection = &mut *self.connection;
        let (io, session) = (&mut lent(&mut connection.io), &mut *connection.session);
        session.begin_end(io, self.number)?;
        session.command(io, sql, false).map_err(|fault| session.into_error(fault))?;
        session.savepoints = self.depth.saturating_sub(1);
        self.open = false;
        Ok(())
    }
}

impl<'c, 'b> Deref for Savepoint<'_, 'c, 'b> {
    type Target = Connection<'c, 'b>;

    fn deref(&self) -> &Self::Target {
        self.connection
    }
}

impl DerefMut for Savepoint<'_, '_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection
    }
}

impl Drop for Savepoint<'_, '_, '_> {
    fn drop(&mut self) {
        let session = &mut *self.connection.session;
        if self.open && session.ledger.transaction() == self.number {
            session.undo_to(self.depth);
        }
    }
}

impl core::fmt::Debug for Savepoint<'_, '_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Savepoint").field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl Session<'_> {
    /// Sets a savepoint; returns its number.
    fn savepoint(&mut self, io: &mut Lent<'_>) -> Result<u16, Fault> {
        self.begin(io)?;
        let depth = self.savepoints.saturating_add(1);
        let mut digits = [0; DECIMAL];
        self.command(io, &["SAVEPOINT _barepg", decimal(depth, &mut digits)], false)?;
        self.savepoints = depth;
        Ok(depth)
    }

    /// Lets the next verb roll back to a savepoint. Guards within others are dropped before them,
    /// so the last one asked for is the outermost.
    fn undo_to(&mut self, depth: u16) {
        self.savepoints = depth.saturating_sub(1);
        if self.exchange.is_alive() {
            self.exchange.set_undo(roll_back_to);
        }
    }
}

/// Rolls back to the savepoint above those that are open, and removes it, unless a statement ended the
/// transaction, one whose answer was not read before among them. Once more where it was cancelled; where the
/// savepoint is gone it never succeeds.
fn roll_back_to(
    session: &mut Session<'_>,
    io: &mut Lent<'_>,
    number: u32,
    before: Result<(), Fault>,
) -> Result<(), Fault> {
    let ledger = &session.ledger;
    if ledger.status() == TransactionStatus::Idle || ledger.transaction() != number {
        return before;
    }
    let mut digits = [0; DECIMAL];
    let number = decimal(session.savepoints.saturating_add(1), &mut digits);
    let undone = session.send_query(io, &rollback_sql(number)).and_then(|()| session.discard(io));
    if undone.is_err() && session.sqlstate() == SqlState::QUERY_CANCELED {
        session.exchange.set_undo(roll_back_to);
    }
    undone
}

/// Rolls back to a savepoint and removes it.
const fn rollback_sql(number: &str) -> [&str; 4] {
    ["ROLLBACK TO _barepg", number, ";RELEASE _barepg", number]
}

/// The number of a savepoint as text.
fn decimal(number: u16, room: &mut [u8; DECIMAL]) -> &str {
    core::str::from_utf8(digits::decimal(number.into(), room)).unwrap_or("")
}
