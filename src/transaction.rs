//! Transactions.

use core::ops::{Deref, DerefMut};

use crate::connection::Connection;
use crate::error::{Fault, Result, UsageError};
use crate::session::{Session, TransactionStatus};
use crate::transport::Io;
use crate::wire::frontend;
use embedded_io::{Read, Write};

/// An open transaction: used like the [`Connection`] it was opened on.
///
/// Ends with [`commit`](Self::commit) or [`rollback`](Self::rollback). A guard that is dropped
/// before sends nothing then (drop never blocks): the next verb on the connection rolls back
/// first, and a closed connection is rolled back by the server.
pub struct Transaction<'t, 'c, 'b, T: Read + Write> {
    connection: &'t mut Connection<'c, 'b, T>,
    open: bool,
}

impl<'t, 'c, 'b, T: Read + Write> Transaction<'t, 'c, 'b, T> {
    pub(crate) fn begin(connection: &'t mut Connection<'c, 'b, T>) -> Result<Self> {
        let result = connection.session.start_transaction(&mut connection.transport);
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
        let result = connection.session.commit(&mut connection.transport);
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

fn roll_back(session: &mut Session<'_>, io: &mut dyn Io) -> Result<(), Fault> {
    session.extended = false;
    session.stage(io, &|w| frontend::query(w, "ROLLBACK"))?;
    session.send(io)
}

impl Session<'_> {
    fn start_transaction(&mut self, io: &mut dyn Io) -> Result<(), Fault> {
        self.begin(io)?;
        if self.transaction != TransactionStatus::Idle {
            return Err(UsageError::InTransaction.into());
        }
        self.command(io, "BEGIN").map(|_| ())
    }

    fn commit(&mut self, io: &mut dyn Io) -> Result<(), Fault> {
        if self.command(io, "COMMIT")?.rollback {
            return Err(UsageError::RolledBack.into());
        }
        Ok(())
    }
}
