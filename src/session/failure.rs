//! Failing: what the user is told, and whether the link lives on.

use super::{Life, Session};
use crate::error::{Error, ErrorKind, Outcome, ProtocolError, ServerError, SqlState};
use crate::limits;
use crate::transport::Io;
use crate::wire::backend::tag;
use crate::wire::frontend;

impl Session<'_> {
    /// Takes ErrorResponse and pins it; what does not fit is cut. Returns its SQLSTATE and
    /// whether the server ends the session.
    pub(crate) fn take_error(&mut self, io: &mut dyn Io) -> Result<(SqlState, bool), ErrorKind> {
        self.link.unpin(0);
        let room = self.link.room().saturating_sub(limits::RX_RESERVE);
        let left = self.link.left();
        let span = self.link.take(io, left.min(room))?;
        self.link.pin(span);
        self.error = Some(left > room);
        self.link.skip(io)?;
        let (state, fatal) = self
            .server_error()
            .map_or((SqlState::UNKNOWN, false), |error| (error.sqlstate(), error.is_fatal()));
        warning!("server error {}", state);
        Ok((state, fatal))
    }

    /// The pinned error.
    pub(crate) fn server_error(&self) -> Option<ServerError<'_>> {
        let cut = self.error?;
        Some(ServerError::new(self.link.get((0, self.link.pinned())), cut))
    }

    /// After ErrorResponse in the answer to a verb: takes it, reads on to ReadyForQuery.
    pub(crate) fn refused(&mut self, io: &mut dyn Io) -> Error {
        let (state, fatal) = match self.take_error(io) {
            Ok(error) => error,
            Err(kind) => return self.fail(kind),
        };
        let kind = ErrorKind::Server(state);
        let ready = self.synchronize(io).and_then(|()| self.until_ready(io));
        if fatal || ready.is_err() {
            self.life = Life::Broken;
            return Error::fatal(kind, Outcome::Refused);
        }
        Error::new(kind, Outcome::Refused, true)
    }

    /// Sends the Sync that is owed: only then the server goes on after an error.
    pub(super) fn synchronize(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        if core::mem::take(&mut self.unsynced) {
            self.link.write(io, &frontend::sync)?;
            self.link.flush(io)?;
        }
        Ok(())
    }

    /// Behind an error nothing but ReadyForQuery comes.
    fn until_ready(&mut self, io: &mut dyn Io) -> Result<(), ErrorKind> {
        match self.next(io)? {
            tag::READY_FOR_QUERY => self.ready(io),
            _ => Err(ErrorKind::Protocol(ProtocolError::UnexpectedMessage)),
        }
    }

    /// Turns a failure into the error the user sees, and ends the link where it cannot go on.
    #[inline(never)]
    pub(crate) fn fail(&mut self, kind: ErrorKind) -> Error {
        let outcome = if self.link.has_sent() { Outcome::Unknown } else { Outcome::NotSent };
        match kind {
            ErrorKind::Encode(_) | ErrorKind::Usage(_) | ErrorKind::Config(_)
                if outcome == Outcome::NotSent =>
            {
                self.link.discard_staged();
                Error::unsent(kind)
            }
            ErrorKind::Capacity { .. } if outcome == Outcome::Unknown => Error::local(kind),
            ErrorKind::Capacity { .. } => {
                self.link.discard_staged();
                Error::unsent(kind)
            }
            ErrorKind::Closed | ErrorKind::Transport(_) if self.farewell.is_some() => {
                self.life = Life::Broken;
                Error::fatal(self.farewell.map_or(kind, ErrorKind::Server), outcome)
            }
            _ => {
                self.life = Life::Broken;
                Error::fatal(kind, outcome)
            }
        }
    }

    /// As [`fail`](Self::fail) for a failure while sending: a FATAL error that the server sent
    /// before it closed the link is what the user wants to see.
    pub(crate) fn fail_sending(&mut self, io: &mut dyn Io, kind: ErrorKind) -> Error {
        let error = self.fail(kind);
        if matches!(kind, ErrorKind::Closed | ErrorKind::Transport(_)) {
            self.link.begin(limits::SALVAGE_MS);
            while let Ok(tag) = self.next(io) {
                if tag == tag::ERROR_RESPONSE {
                    if let Ok((state, _)) = self.take_error(io) {
                        return Error::fatal(ErrorKind::Server(state), error.outcome());
                    }
                    break;
                }
            }
        }
        error
    }
}
