//! What became of a verb's work, from the facts in its [`ledger`](super::ledger), and the error that says
//! so.
//!
//! The rules:
//! * **`NotSent`**: no byte of the verb left. Never from a guard whose statement was sent.
//! * **`Refused`**: an ERROR and then ReadyForQuery, unless something was committed within the verb
//!   before, or the SQLSTATE says that the outcome is open (40003, class 08). Or the link was lost
//!   in an open transaction, before anything was sent that could end it: the server rolls back.
//!   Or the server got a message in part, or was made to abort a batch before its Sync.
//! * **`Unknown`**: everything else once sent. A FATAL or PANIC says nothing about work that was
//!   sent, whoever wrote it: a pooler that lost its server writes one of its own.
//! * **`Local`**: only reading on this side failed; the statement goes on.
//!
//! A verb's first error that ends its answer is kept, and repeated by every further call of its
//! guard.

use super::ending::Ending;
use super::{ResultState, Session};
use crate::error::{Details, Error, Fault, Outcome, ServerError, SqlState, UsageError};
use crate::limits;
use crate::transport::Lent;
use crate::wire::backend::tag;
use crate::wire::{WireError, frontend};

impl Session<'_> {
    /// Takes ErrorResponse and pins it; what does not fit is cut. Keeps its SQLSTATE.
    /// [`Fault::SERVER`]: the server ends the session with it.
    pub(crate) fn take_error(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.forget_description();
        let room = self.link.room().saturating_sub(limits::RX_RESERVE);
        let left = self.link.left();
        self.link.take(io, left.min(room))?;
        self.link.pin();
        self.error = Some(left > room);
        // What was cut may never come, where the server has ended.
        let skipped = self.link.skip(io);
        let error = ServerError::new(self.link.taken(), left > room);
        let (state, fatal) = (error.sqlstate(), error.is_fatal());
        warning!("server error {}", state);
        self.sqlstate = state;
        if fatal {
            self.exchange.die();
            return Err(Fault::SERVER);
        }
        skipped
    }

    /// Takes ErrorResponse where it is the last that comes; the fault that this is.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn take_last_error(&mut self, io: &mut Lent<'_>) -> Fault {
        self.take_error(io).err().unwrap_or(Fault::SERVER)
    }

    pub(crate) const fn sqlstate(&self) -> SqlState {
        self.sqlstate
    }

    /// The pinned error.
    pub(crate) fn server_error(&self) -> Option<ServerError<'_>> {
        let cut = self.error?;
        Some(ServerError::new(self.link.get((0, self.link.pinned())), cut))
    }

    /// After ErrorResponse in the answer to a verb: takes it, and what is left up to ReadyForQuery.
    pub(crate) fn refused(&mut self, io: &mut Lent<'_>) -> Fault {
        match self.take_error(io) {
            Ok(()) => {
                let ready = self.synchronize(io).and_then(|()| self.until_ready(io));
                match ready {
                    // A COMMIT before it in the text may have ended a transaction that had failed.
                    Err(fault) if fault != UsageError::RolledBack.into() => self.exchange.die(),
                    _ => self.ledger.confirm(),
                }
                Fault::SERVER
            }
            Err(fault) => fault,
        }
    }

    /// Sends the Sync that is owed: only then the server goes on after an error.
    pub(super) fn synchronize(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.exchange.is_unsynced() {
            self.exchange.batch_sent();
            self.stage(io, &frontend::sync)?;
            self.link.flush(io)?;
        }
        Ok(())
    }

    /// After an error comes ReadyForQuery. Of further errors the last is what the user sees, as in
    /// libpq.
    fn until_ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            self.next(io)?;
            match self.link.tag {
                tag::READY_FOR_QUERY => return self.ready(io),
                tag::ERROR_RESPONSE => {
                    self.forget_error();
                    self.take_error(io)?;
                }
                _ => return Err(crate::error::ProtocolError::UnexpectedMessage.into()),
            }
        }
    }

    /// A failure while sending: a FATAL error that the server sent before it closed the link is
    /// what the user wants to see.
    #[cold]
    #[inline(never)]
    pub(crate) fn salvage(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        if fault.is_lost() && self.exchange.is_alive() {
            self.exchange.die();
            // A transport that took more than it was given took something.
            if io.moved > 0 {
                self.link.sent = true;
            }
            self.link.limit(limits::SALVAGE_MS);
            loop {
                match self.next(io) {
                    Ok(()) if self.link.tag == tag::ERROR_RESPONSE => {
                        return match self.take_last_error(io) {
                            Fault::SERVER => Fault::SERVER,
                            _ => fault,
                        };
                    }
                    Ok(()) => {}
                    // TLS knows more than the transport: the server's alert.
                    #[cfg(feature = "tls")]
                    Err(reason) if reason.is_tls() => return reason,
                    Err(_) => break,
                }
            }
        }
        fault
    }

    /// The error for a part that was left out before any of it was sent, while the verb goes on.
    pub(crate) fn left_out(&self, fault: Fault) -> Error {
        self.repeat(fault, Outcome::NotSent)
    }

    /// The error that the user sees of a fault.
    #[inline(never)]
    fn repeat(&self, fault: Fault, outcome: Outcome) -> Error {
        let (fault, details) = match (fault, self.shutdown) {
            (Fault::SERVER | Fault::EARLIER, _) => (fault, Details::state(self.sqlstate)),
            (Fault::CAPACITY, _) => (fault, self.link.capacity()),
            #[cfg(feature = "tls")]
            (Fault::TLS_RECORD, _) => (Fault::CAPACITY, self.link.record_capacity()),
            (Fault::TRUNCATED, _) => (WireError::Source.into(), Details::NONE),
            (_, Some(notice)) if fault.is_lost() => {
                (Fault::SERVER, Details::state(SqlState::ending_session(notice)))
            }
            _ => (fault, Details::NONE),
        };
        Error::new(fault, details, outcome, self.exchange.is_alive())
    }

    /// Turns the fault that ended a verb into the error the user sees, and ends the link where it
    /// cannot go on.
    #[inline(never)]
    #[allow(clippy::wrong_self_convention, reason = "it is the fault that becomes an error")]
    pub(crate) fn into_error(&mut self, fault: Fault) -> Error {
        let (sent, ledger) = (self.link.has_sent(), &self.ledger);
        let (outcome, recoverable) = match fault {
            Fault::BROKEN => (Outcome::NotSent, false),
            _ if !sent => {
                self.link.discard_staged();
                let harmless = fault.is_harmless() || fault == Fault::EARLIER;
                (Outcome::NotSent, harmless || fault == Fault::SERVER)
            }
            Fault::SERVER if ledger.is_confirmed() => {
                let open = ledger.has_committed() || self.sqlstate.leaves_outcome_open();
                (if open { Outcome::Unknown } else { Outcome::Refused }, true)
            }
            fault if fault == UsageError::RolledBack.into() => {
                let open = ledger.ending().is_of_many();
                (if open { Outcome::Unknown } else { Outcome::Refused }, true)
            }
            fault if fault.is_unsent() && ledger.is_aborted() => (ledger.undone(), true),
            fault if fault.is_local_usage() => (Outcome::Local, true),
            // The server does nothing with a part of a message.
            Fault::TRUNCATED if ledger.ending() == Ending::NO => (ledger.undone(), false),
            _ => (ledger.lost(), false),
        };
        if !recoverable {
            self.exchange.die();
            self.link.drop_unread();
        }
        if outcome != Outcome::Local || self.result == ResultState::Done {
            self.ledger.end(fault, outcome);
        }
        self.repeat(fault, outcome)
    }

    /// What ended the answer that a guard reads, if anything did: every further call repeats it.
    #[inline]
    pub(crate) fn check_ended(&self) -> Result<(), Error> {
        match self.ledger.ended() {
            None => Ok(()),
            Some((fault, outcome)) => Err(self.repeat(fault, outcome)),
        }
    }

    /// As [`into_error`](Self::into_error), with an outcome that the caller knows better.
    #[allow(clippy::wrong_self_convention, reason = "it is the fault that becomes an error")]
    pub(crate) fn into_error_as(&mut self, fault: Fault, known: Outcome) -> Error {
        let error = self.into_error(fault);
        if error.outcome() != Outcome::Unknown {
            return error;
        }
        self.ledger.end(fault, known);
        self.repeat(fault, known)
    }

    /// What became of the guard's transaction, which has ended: it was rolled back, as all those that
    /// text has opened in its place were, or that is not known.
    pub(crate) const fn fate(&self, transaction: u32) -> Outcome {
        if self.ledger.was_rolled_back(transaction) { Outcome::Refused } else { Outcome::Unknown }
    }
}
