//! Failing: what the user is told, and whether the link lives on.

use super::{Life, Session};
use crate::error::{
    Error, ErrorKind, Fault, Outcome, ProtocolError, ServerError, SqlState, UsageError,
};
use crate::limits;
use crate::transport::Lent;
use crate::wire::backend::tag;
use crate::wire::{WireError, frontend};

impl Session<'_> {
    /// Takes ErrorResponse and pins it; what does not fit is cut. Keeps its SQLSTATE, and whether
    /// the server ends the session.
    pub(crate) fn take_error(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.unpin(0);
        let room = self.link.room().saturating_sub(limits::RX_RESERVE);
        let left = self.link.left();
        self.link.take(io, left.min(room))?;
        self.link.pin();
        self.error = Some(left > room);
        self.link.skip(io)?;
        let Some(error) = self.server_error() else { return Ok(()) };
        let (state, (fatal, panic)) = (error.sqlstate(), error.ends());
        // What is complete may be committed, and a server that panics may have written the commit.
        let unsure = fatal && (self.completed || panic);
        self.unsure = unsure;
        warning!("server error {}", state);
        (self.sqlstate, self.fatal) = (state, fatal);
        Ok(())
    }

    pub(crate) const fn sqlstate(&self) -> SqlState {
        self.sqlstate
    }

    /// The pinned error.
    pub(crate) fn server_error(&self) -> Option<ServerError<'_>> {
        let cut = self.error?;
        Some(ServerError::new(self.link.get((0, self.link.pinned())), cut))
    }

    /// After ErrorResponse in the answer to a verb: takes it, reads on to ReadyForQuery.
    #[inline(never)]
    pub(crate) fn refused(&mut self, io: &mut Lent<'_>) -> Fault {
        match self.take_error(io) {
            Ok(()) => {
                let ready = self.synchronize(io).and_then(|()| self.until_ready(io));
                if self.fatal || ready.is_err() {
                    self.life = Life::Broken;
                }
                Fault::SERVER
            }
            Err(fault) => fault,
        }
    }

    /// Sends the Sync that is owed: only then the server goes on after an error.
    pub(super) fn synchronize(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if core::mem::take(&mut self.unsynced) {
            self.link.write(io, &frontend::sync)?;
            self.link.flush(io)?;
        }
        Ok(())
    }

    /// Behind an error nothing but ReadyForQuery comes.
    fn until_ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.next(io)?;
        match self.link.tag {
            tag::READY_FOR_QUERY => self.ready(io),
            _ => Err(ProtocolError::UnexpectedMessage.into()),
        }
    }

    /// A failure while sending: a FATAL error that the server sent before it closed the link is
    /// what the user wants to see.
    #[cold]
    pub(crate) fn last_words(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        if fault.is_lost() {
            self.life = Life::Broken;
            self.link.limit(limits::SALVAGE_MS);
            loop {
                match self.next(io) {
                    Ok(()) if self.link.tag == tag::ERROR_RESPONSE => {
                        return self.take_error(io).map_or(fault, |()| Fault::SERVER);
                    }
                    Ok(()) => {}
                    // TLS knows more than the transport: the server's alert.
                    #[cfg(feature = "tls")]
                    Err(told) if told.is_tls() => return told,
                    Err(_) => break,
                }
            }
        }
        fault
    }

    /// The error for a part that was left out before any of it was sent, while the verb goes on.
    pub(crate) fn left_out(&self, fault: Fault) -> Error {
        let kind = if fault == Fault::CAPACITY { self.link.capacity() } else { fault.kind() };
        Error::new(kind, Outcome::NotSent, self.life == Life::Alive)
    }

    /// Turns the fault that ended a verb into the error the user sees, and ends the link where it
    /// cannot go on.
    #[inline(never)]
    pub(crate) fn verdict(&mut self, fault: Fault) -> Error {
        let sent = self.link.has_sent();
        let kind = match (fault, self.farewell) {
            (Fault::SERVER, _) => ErrorKind::Server(self.sqlstate),
            (Fault::CAPACITY, _) => self.link.capacity(),
            #[cfg(feature = "tls")]
            (Fault::TLS_RECORD, _) => self.link.record_capacity(),
            (Fault::TORN, _) => ErrorKind::Encode(WireError::Source),
            (fault, Some(farewell)) if fault.is_lost() => {
                ErrorKind::Server(SqlState::ending_session(farewell))
            }
            (fault, _) => fault.kind(),
        };
        let (outcome, recoverable) = match fault {
            Fault::BROKEN => (Outcome::NotSent, false),
            Fault::SERVER if sent && !self.unsure => (Outcome::Refused, true),
            fault if fault == UsageError::RolledBack.into() => (Outcome::Refused, true),
            fault if fault.is_unsent() && core::mem::take(&mut self.taken_back) => {
                (Outcome::Refused, true)
            }
            fault if sent && fault.is_misfit() => (Outcome::Local, true),
            fault if !sent && fault.is_harmless() => {
                self.link.discard_staged();
                (Outcome::NotSent, true)
            }
            // The server does nothing with half a message.
            Fault::TORN => (Outcome::Refused, false),
            _ if sent => (Outcome::Unknown, false),
            _ => (Outcome::NotSent, false),
        };
        if !recoverable && self.life == Life::Alive {
            self.life = Life::Broken;
        }
        Error::new(kind, outcome, self.life == Life::Alive)
    }
}
