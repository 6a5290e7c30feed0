//! Transactions.

use core::ops::{Deref, DerefMut};

use crate::connection::Connection;
use crate::engine::{Session, TransactionStatus};
use crate::error::{Error, Fault, Outcome, ProtocolError, Result, UsageError};
use crate::transport::{Lent, lent};

/// An open transaction: used like the [`Connection`] it was opened on.
///
/// Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback). A guard that is dropped
/// before sends nothing then (drop never blocks): the next verb on the connection rolls back
/// first, and a closed connection is rolled back by the server.
///
/// While it is open a lost link, a missed deadline or a FATAL error is
/// [`Outcome::Refused`], for the server rolls back; but for
/// [`commit`](Self::commit) itself, and for statements that could have ended the transaction. What is noticed
/// before anything of a call has left (a link that was closed meanwhile, a session that was idle for too long: 25P03) is
/// [`Outcome::NotSent`], of a commit too: nothing of the transaction stays either, unless an earlier call in it was
/// [`Outcome::Unknown`].
#[must_use = "without the guard every statement commits itself"]
pub struct Transaction<'t, 'c, 'b> {
    pub(crate) connection: &'t mut Connection<'c, 'b>,
    /// Which of the session's transactions it is.
    number: u32,
}

impl<'c, 'b> Connection<'c, 'b> {
    /// Opens a transaction. The guard it returns is used like the connection, and rolls back
    /// unless it is committed.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let mut tx = conn.transaction()?;
    /// tx.execute("update tank set level = level - $1 where id = 1", (5_i64,))?;
    /// tx.execute("update tank set level = level + $1 where id = 2", (5_i64,))?;
    /// tx.commit()?; // dropped before: rolled back
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query). [`UsageError::InTransaction`]: one is open already.
    pub fn transaction(&mut self) -> Result<Transaction<'_, 'c, 'b>> {
        Transaction::begin(self, &["BEGIN"])
    }

    /// As [`transaction`](Self::transaction), with an isolation level and other properties:
    /// `conn.build_transaction().isolation_level(IsolationLevel::Serializable).start()`.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// use barepg::IsolationLevel;
    /// let mut tx = conn
    ///     .build_transaction()
    ///     .isolation_level(IsolationLevel::RepeatableRead)
    ///     .read_only(true)
    ///     .start()?;
    /// let level: i64 = tx.query_one("select sum(level) from tank", ())?.get(0)?;
    /// tx.commit()?;
    /// # let _ = level;
    /// # Ok(())
    /// # }
    /// ```
    pub const fn build_transaction(&mut self) -> TransactionBuilder<'_, 'c, 'b> {
        TransactionBuilder { connection: self, isolation: "", access: "", deferrable: "" }
    }

    /// Brings the session back to how it was after the login: rolls back an open transaction,
    /// forgets prepared statements, parameters set, `listen`, temporary tables, advisory locks
    /// (`DISCARD ALL`). openGauss has no `DISCARD`: there it is cursors, statements, parameters
    /// and advisory locks, and temporary tables stay.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub fn reset(&mut self) -> Result<()> {
        let result = self.session.discard_all(&mut lent(&mut self.io));
        result.map_err(|fault| self.session.into_error(fault))
    }
}

impl<'t, 'c, 'b> Transaction<'t, 'c, 'b> {
    fn begin(connection: &'t mut Connection<'c, 'b>, sql: &[&str]) -> Result<Self> {
        let session = &mut *connection.session;
        match session.start_transaction(&mut lent(&mut connection.io), sql) {
            Ok(()) => {
                let number = session.ledger.transaction();
                Ok(Self { connection, number })
            }
            Err(fault) => Err(session.into_error(fault)),
        }
    }

    /// Makes the work permanent.
    ///
    /// # Errors
    /// [`Outcome::Refused`], by the server (a deferred constraint, for example) or as
    /// [`UsageError::RolledBack`] (a statement of the transaction had failed): nothing of it was
    /// kept; the connection is usable. [`UsageError::NotInTransaction`]: the transaction was ended
    /// by the text of a statement; what became of it says the outcome, which is about all of it.
    /// When the link fails, or with a FATAL error, [`Outcome::Unknown`]: the server may have committed. Where that was
    /// noticed before anything had left, [`Outcome::NotSent`]: it has rolled back.
    pub fn commit(self) -> Result<()> {
        let connection = &mut *self.connection;
        let (io, session) = (&mut lent(&mut connection.io), &mut *connection.session);
        session.begin_end(io, self.number)?;
        session.commit(io).map_err(|fault| session.into_error(fault))?;
        core::mem::forget(self);
        Ok(())
    }

    /// Takes the work back.
    ///
    /// # Errors
    /// When the link fails; the server rolls back then too.
    /// [`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement): rows that were dropped had
    /// failed; the next verb rolls back, as after [`ErrorKind::Server`](crate::ErrorKind::Server), which is
    /// a cancel request that came late. [`UsageError::NotInTransaction`]: the text of a statement has
    /// ended the transaction, and the work may be kept.
    pub fn rollback(self) -> Result<()> {
        let connection = &mut *self.connection;
        let (io, session) = (&mut lent(&mut connection.io), &mut *connection.session);
        match session.begin_end(io, self.number) {
            Err(error) if error.outcome() != Outcome::Refused => return Err(error),
            _ => {}
        }
        session.command(io, &["ROLLBACK"], false).map_err(|fault| session.into_error(fault))?;
        core::mem::forget(self);
        Ok(())
    }
}

/// How much of other transactions' work a transaction sees. Source: manual, "Transaction
/// Isolation". openGauss takes `Serializable` for `RepeatableRead`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IsolationLevel {
    /// PostgreSQL takes it for `ReadCommitted`.
    ReadUncommitted,
    /// Each statement sees what was committed before it began. The server's default.
    ReadCommitted,
    /// All statements see what was committed before the first of them began.
    RepeatableRead,
    /// As if transactions ran one after the other; be ready to repeat on
    /// [`SqlState::SERIALIZATION_FAILURE`](crate::SqlState::SERIALIZATION_FAILURE).
    Serializable,
}

/// A transaction with properties, not begun yet. Those not named are the session's defaults.
#[must_use = "nothing happens before start()"]
pub struct TransactionBuilder<'t, 'c, 'b> {
    connection: &'t mut Connection<'c, 'b>,
    isolation: &'static str,
    access: &'static str,
    deferrable: &'static str,
}

impl<'t, 'c, 'b> TransactionBuilder<'t, 'c, 'b> {
    /// Sets the isolation level.
    pub const fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.isolation = match level {
            IsolationLevel::ReadUncommitted => " ISOLATION LEVEL READ UNCOMMITTED",
            IsolationLevel::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
            IsolationLevel::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
            IsolationLevel::Serializable => " ISOLATION LEVEL SERIALIZABLE",
        };
        self
    }

    /// Whether it may only read.
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.access = if read_only { " READ ONLY" } else { " READ WRITE" };
        self
    }

    /// Whether a serializable, read-only transaction waits for a moment in which it cannot fail.
    /// PostgreSQL only.
    pub const fn deferrable(mut self, deferrable: bool) -> Self {
        self.deferrable = if deferrable { " DEFERRABLE" } else { " NOT DEFERRABLE" };
        self
    }

    /// Begins it.
    ///
    /// # Errors
    /// As [`Connection::transaction`].
    pub fn start(self) -> Result<Transaction<'t, 'c, 'b>> {
        let sql = ["BEGIN", self.isolation, self.access, self.deferrable];
        Transaction::begin(self.connection, &sql)
    }
}

impl<'c, 'b> Deref for Transaction<'_, 'c, 'b> {
    type Target = Connection<'c, 'b>;

    fn deref(&self) -> &Self::Target {
        self.connection
    }
}

impl DerefMut for Transaction<'_, '_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection
    }
}

impl Drop for Transaction<'_, '_, '_> {
    fn drop(&mut self) {
        let session = &mut *self.connection.session;
        if session.exchange.is_alive() {
            session.exchange.set_undo(roll_back);
        }
    }
}

impl core::fmt::Debug for Transaction<'_, '_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Transaction").field("number", &self.number).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for TransactionBuilder<'_, '_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BEGIN{}{}{}", self.isolation, self.access, self.deferrable)
    }
}

/// What the guard of a transaction left, unless a statement ended the transaction. A ROLLBACK that was
/// cancelled is sent again.
fn roll_back(
    session: &mut Session<'_>,
    io: &mut Lent<'_>,
    _: u32,
    before: Result<(), Fault>,
) -> Result<(), Fault> {
    if session.ledger.status() == TransactionStatus::Idle {
        return before;
    }
    let undone = session.send_query(io, &["ROLLBACK"]).and_then(|()| session.discard(io));
    if undone.is_err() {
        session.exchange.set_undo(roll_back);
    }
    undone
}

impl Session<'_> {
    /// Starts a verb that ends a transaction, or a part of it. An error also where the text of a
    /// statement has ended the transaction: one that was opened in its place is rolled back by the next
    /// verb.
    pub(crate) fn begin_end(&mut self, io: &mut Lent<'_>, number: u32) -> Result<()> {
        let begun = self.begin(io).map_err(|fault| self.into_error(fault));
        let fate = self.fate(number);
        let kept = fate == Outcome::Unknown;
        if self.ledger.transaction() != number && (begun.is_ok() || kept) {
            let fault = UsageError::NotInTransaction.into();
            return Err(Error::of(fault, fate, self.is_usable()));
        }
        begun
    }

    fn start_transaction(&mut self, io: &mut Lent<'_>, sql: &[&str]) -> Result<(), Fault> {
        self.begin(io)?;
        if self.ledger.status() != TransactionStatus::Idle {
            return Err(UsageError::InTransaction.into());
        }
        self.savepoints = 0;
        self.command(io, sql, false)?;
        match self.ledger.status() {
            TransactionStatus::InTransaction => Ok(()),
            _ => Err(ProtocolError::UnexpectedMessage.into()),
        }
    }

    fn commit(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.command(io, &["COMMIT"], true)?;
        if self.ledger.is_committed() {
            return Ok(());
        }
        Err(match self.ledger.is_rolled_back() {
            true => UsageError::RolledBack.into(),
            // Neither: whoever answers does not know what COMMIT is.
            false => ProtocolError::UnexpectedMessage.into(),
        })
    }

    /// See [`Connection::reset`].
    fn discard_all(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.begin(io)?;
        if self.ledger.status() != TransactionStatus::Idle {
            self.command(io, &["ROLLBACK"], false)?;
        }
        let gauss = "CLOSE ALL; DEALLOCATE ALL; RESET ALL; SELECT pg_advisory_unlock_all()";
        let sql = if self.server.is_opengauss() { gauss } else { "DISCARD ALL" };
        self.command(io, &[sql], false)?;
        self.forget_statements();
        Ok(())
    }
}
