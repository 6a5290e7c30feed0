//! Transactions.

use core::ops::{Deref, DerefMut};

use crate::connection::Connection;
use crate::error::{Fault, Result, UsageError};
use crate::session::{Session, TransactionStatus};
use crate::transport::{Lent, lent};
use crate::wire::frontend;
use embedded_io::{Read, Write};

/// An open transaction: used like the [`Connection`] it was opened on.
///
/// Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback). A guard that is dropped
/// before sends nothing then (drop never blocks): the next verb on the connection rolls back
/// first, and a closed connection is rolled back by the server.
pub struct Transaction<'t, 'c, 'b, T: Read + Write> {
    pub(crate) connection: &'t mut Connection<'c, 'b, T>,
    open: bool,
}

impl<'t, 'c, 'b, T: Read + Write> Transaction<'t, 'c, 'b, T> {
    pub(crate) fn begin(connection: &'t mut Connection<'c, 'b, T>) -> Result<Self> {
        let result =
            connection.session.start_transaction(&mut lent(&mut connection.transport), &["BEGIN"]);
        result.map_err(|fault| connection.session.verdict(fault))?;
        Ok(Self { connection, open: true })
    }

    /// Makes the work permanent.
    ///
    /// # Errors
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) (a deferred constraint, for example) and
    /// [`UsageError::RolledBack`] (a statement of the transaction had failed): nothing of it was
    /// kept; the connection is usable. When the link fails, [`Outcome::Unknown`](crate::Outcome::Unknown): the server may
    /// have committed.
    pub fn commit(mut self) -> Result<()> {
        self.open = false;
        let connection = &mut *self.connection;
        let result = connection.session.commit(&mut lent(&mut connection.transport));
        result.map_err(|fault| connection.session.verdict(fault))
    }

    /// Takes the work back.
    ///
    /// # Errors
    /// When the link fails; the server rolls back then too.
    pub fn rollback(mut self) -> Result<()> {
        self.open = false;
        self.connection.batch_execute("ROLLBACK")
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
pub struct TransactionBuilder<'t, 'c, 'b, T: Read + Write> {
    connection: &'t mut Connection<'c, 'b, T>,
    isolation: &'static str,
    access: &'static str,
    deferrable: &'static str,
}

impl<'t, 'c, 'b, T: Read + Write> TransactionBuilder<'t, 'c, 'b, T> {
    pub(crate) const fn new(connection: &'t mut Connection<'c, 'b, T>) -> Self {
        Self { connection, isolation: "", access: "", deferrable: "" }
    }

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
    pub fn start(self) -> Result<Transaction<'t, 'c, 'b, T>> {
        let sql = ["BEGIN", self.isolation, self.access, self.deferrable];
        let connection = self.connection;
        let result =
            connection.session.start_transaction(&mut lent(&mut connection.transport), &sql);
        result.map_err(|fault| connection.session.verdict(fault))?;
        Ok(Transaction { connection, open: true })
    }
}

impl<'c, 'b, T: Read + Write> Deref for Transaction<'_, 'c, 'b, T> {
    type Target = Connection<'c, 'b, T>;

    fn deref(&self) -> &Self::Target {
        self.connection
    }
}

impl<T: Read + Write> DerefMut for Transaction<'_, '_, '_, T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.connection
    }
}

impl<T: Read + Write> Drop for Transaction<'_, '_, '_, T> {
    fn drop(&mut self) {
        if self.open {
            self.connection.session.undo = Some(roll_back);
        }
    }
}

fn roll_back(session: &mut Session<'_>, io: &mut Lent<'_>) -> Result<(), Fault> {
    session.extended = false;
    session.stage(io, &|w| frontend::query(w, "ROLLBACK"))?;
    session.send(io)
}

impl Session<'_> {
    fn start_transaction(&mut self, io: &mut Lent<'_>, sql: &[&str]) -> Result<(), Fault> {
        self.begin(io)?;
        if self.transaction != TransactionStatus::Idle {
            return Err(UsageError::InTransaction.into());
        }
        self.savepoints = 0;
        self.command_of(io, sql)
    }

    /// As [`command`](Self::command), of several pieces of text.
    pub(crate) fn command_of(&mut self, io: &mut Lent<'_>, sql: &[&str]) -> Result<(), Fault> {
        self.begin(io)?;
        self.extended = false;
        self.stage(io, &|w| frontend::query_of(w, sql))?;
        self.send(io)?;
        self.read_answer(io)
    }

    /// See [`Connection::reset`].
    pub(crate) fn discard(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.begin(io)?;
        if self.transaction != TransactionStatus::Idle {
            self.command(io, "ROLLBACK")?;
        }
        let gauss = "CLOSE ALL; DEALLOCATE ALL; RESET ALL; SELECT pg_advisory_unlock_all()";
        self.command(io, if self.server.is_opengauss() { gauss } else { "DISCARD ALL" })?;
        self.forget_statements();
        Ok(())
    }

    fn commit(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.command(io, "COMMIT")?;
        if self.rolled_back {
            return Err(UsageError::RolledBack.into());
        }
        Ok(())
    }
}
