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
    /// Takes ErrorResponse and pins it; what does not fit is cut. Keeps its SQLSTATE, returns
    /// whether the server ends the session.
    pub(crate) fn take_error(&mut self, io: &mut Lent<'_>) -> Result<bool, Fault> {
        self.link.unpin(0);
        let room = self.link.room().saturating_sub(limits::RX_RESERVE);
        let left = self.link.left();
        let span = self.link.take(io, left.min(room))?;
        self.link.pin(span);
        self.error = Some(left > room);
        self.link.skip(io)?;
        let Some(error) = self.server_error() else { return Ok(false) };
        let (state, fatal) = (error.sqlstate(), error.is_fatal());
        // What is complete may be committed, and a server that panics may have written the commit.
        let unsure = fatal && (self.completed || error.severity() == "PANIC");
        self.unsure = unsure;
        warning!("server error {}", state);
        self.sqlstate = state;
        Ok(fatal)
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
            Ok(fatal) => {
                let ready = self.synchronize(io).and_then(|()| self.until_ready(io));
                if fatal || ready.is_err() {
                    self.life = Life::Broken;
                }
                Fault::Server
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
        match self.next(io)? {
            tag::READY_FOR_QUERY => self.ready(io),
            _ => Err(ProtocolError::UnexpectedMessage.into()),
        }
    }

    /// A failure while sending: a FATAL error that the server sent before it closed the link is
    /// what the user wants to see.
    #[cold]
    pub(crate) fn last_words(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        if matches!(fault, Fault::Closed | Fault::Transport(_)) {
            self.life = Life::Broken;
            self.link.limit(limits::SALVAGE_MS);
            loop {
                match self.next(io) {
                    Ok(tag::ERROR_RESPONSE) => {
                        return self.take_error(io).map_or(fault, |_| Fault::Server);
                    }
                    Ok(_) => {}
                    // TLS knows more than the transport: the server's alert.
                    #[cfg(feature = "tls")]
                    Err(told @ Fault::Tls(_)) => return told,
                    Err(_) => break,
                }
            }
        }
        fault
    }

    /// The error for a part that was left out before any of it was sent, while the verb goes on.
    pub(crate) fn left_out(&self, fault: Fault) -> Error {
        let kind = match fault {
            Fault::Usage(problem) => ErrorKind::Usage(problem),
            Fault::Wire(problem) => ErrorKind::Encode(problem),
            _ => ErrorKind::Broken,
        };
        Error::new(kind, Outcome::NotSent, self.life == Life::Alive)
    }

    /// Turns the fault that ended a verb into the error the user sees, and ends the link where it
    /// cannot go on.
    #[inline(never)]
    pub(crate) fn verdict(&mut self, fault: Fault) -> Error {
        let sent = self.link.has_sent();
        let kind = match fault {
            Fault::Config(problem) => ErrorKind::Config(problem),
            Fault::Auth(problem) => ErrorKind::Auth(problem),
            Fault::Server => ErrorKind::Server(self.sqlstate),
            Fault::Protocol(problem) => ErrorKind::Protocol(problem),
            Fault::Dial(reason) => ErrorKind::Dial(reason),
            Fault::NoSuitableHost => ErrorKind::NoSuitableHost,
            Fault::Transport(kind) => {
                self.farewell.map_or(ErrorKind::Transport(kind), ErrorKind::Server)
            }
            Fault::Closed => self.farewell.map_or(ErrorKind::Closed, ErrorKind::Server),
            Fault::HungUp => ErrorKind::HungUp,
            Fault::TimedOut => ErrorKind::TimedOut,
            Fault::Broken => ErrorKind::Broken,
            Fault::Capacity => self.link.capacity(),
            Fault::Wire(WireError::Malformed) => ErrorKind::Protocol(ProtocolError::Malformed),
            Fault::Wire(problem) => ErrorKind::Encode(problem),
            Fault::Torn => ErrorKind::Encode(WireError::Source),
            Fault::Usage(problem) => ErrorKind::Usage(problem),
            #[cfg(feature = "tls")]
            Fault::Tls(problem) => ErrorKind::Tls(problem),
            #[cfg(feature = "tls")]
            Fault::TlsRecord => self.link.record_capacity(),
        };
        let (outcome, recoverable) = match fault {
            Fault::Broken => (Outcome::NotSent, false),
            Fault::Server if sent && !self.unsure => (Outcome::Refused, true),
            Fault::Usage(UsageError::RolledBack) => (Outcome::Refused, true),
            Fault::Wire(WireError::Malformed) if sent => (Outcome::Unknown, false),
            Fault::Wire(_) | Fault::Usage(_) if core::mem::take(&mut self.taken_back) => {
                (Outcome::Refused, true)
            }
            Fault::Usage(_) | Fault::Capacity if sent => (Outcome::Local, true),
            Fault::Wire(_) | Fault::Torn | Fault::Usage(_) | Fault::Capacity | Fault::Config(_)
                if !sent =>
            {
                self.link.discard_staged();
                (Outcome::NotSent, true)
            }
            // The server does nothing with half a message.
            Fault::Torn => (Outcome::Refused, false),
            _ if sent => (Outcome::Unknown, false),
            _ => (Outcome::NotSent, false),
        };
        if !recoverable && self.life == Life::Alive {
            self.life = Life::Broken;
        }
        Error::new(kind, outcome, self.life == Life::Alive)
    }
}
