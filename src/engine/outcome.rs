//! The ledger of outcomes: what became of a verb's work, from facts recorded here and nowhere else.
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
use super::{ResultState, Session, TransactionStatus};
use crate::error::{Details, Error, Fault, Outcome, ServerError, SqlState, UsageError};
use crate::limits;
use crate::transport::Lent;
use crate::wire::backend::{CommandKind, tag};
use crate::wire::{WireError, frontend};

/// Commands that were acknowledged.
const ROLLBACK: u8 = 1;
const BEGIN: u8 = 2;

/// What is known of a verb's work.
pub(crate) struct Ledger {
    /// The server's view of the transaction at the last ReadyForQuery.
    status: TransactionStatus,
    /// Each transaction that has ended since the last guard's began was rolled back.
    rolled_back: bool,
    /// What was acknowledged in this verb: [`ROLLBACK`], [`BEGIN`].
    seen: u8,
    /// Something of this verb was committed for good.
    committed: bool,
    /// How something that was sent may end the open transaction, or commit.
    ending: Ending,
    /// The server aborted a batch of this verb, as it was made to.
    aborted: bool,
    /// The server's error was followed by ReadyForQuery.
    confirmed: bool,
    /// What the verb's answer ended with, and what became of its work.
    ended: Option<Fault>,
    outcome: Outcome,
    /// Transactions that have ended: which one is open.
    transactions: u32,
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            status: TransactionStatus::Idle,
            rolled_back: false,
            seen: 0,
            committed: false,
            ending: Ending::No,
            aborted: false,
            confirmed: false,
            ended: None,
            outcome: Outcome::NotSent,
            transactions: 0,
        }
    }

    /// A verb begins.
    #[inline]
    pub(super) const fn begin(&mut self) {
        self.seen = 0;
        self.committed = false;
        self.ending = Ending::No;
        self.aborted = false;
        self.confirmed = false;
        self.ended = None;
    }

    /// A statement is about to be sent, that may end the open transaction in this way.
    #[inline]
    pub(crate) fn sending(&mut self, ending: Ending) {
        if ending != Ending::No {
            self.sending_end(ending);
        }
    }

    /// How what was sent in this verb may end the open transaction.
    pub(crate) const fn ending(&self) -> Ending {
        self.ending
    }

    #[cold]
    fn sending_end(&mut self, ending: Ending) {
        self.ending = self.ending.max(ending);
    }

    /// CommandComplete without a count of rows.
    #[cold]
    pub(super) fn command(&mut self, kind: CommandKind) {
        let open = self.status != TransactionStatus::Idle;
        match kind {
            // Within the transaction that was open when the verb began.
            CommandKind::MayCommit if open && !self.committed && !self.is_rolled_back() => {}
            CommandKind::Commits | CommandKind::MayCommit => {
                self.committed = true;
                self.transaction_ends(false);
            }
            CommandKind::Rollback => {
                self.seen |= ROLLBACK;
                // AND CHAIN has no tag of its own.
                if self.ending == Ending::Chained {
                    self.transaction_ends(true);
                }
            }
            CommandKind::Begin => {
                self.seen |= BEGIN;
                // ROLLBACK alone may have been one to a savepoint.
                if self.is_rolled_back() {
                    self.transaction_ends(true);
                }
            }
            CommandKind::Other => {}
        }
    }

    /// ReadyForQuery. `false`: nothing from here has begun that transaction.
    #[inline]
    pub(super) fn ready(&mut self, status: TransactionStatus) -> bool {
        status == self.status || self.change(status)
    }

    fn change(&mut self, status: TransactionStatus) -> bool {
        if self.status == TransactionStatus::Idle && self.seen & BEGIN == 0 {
            // What is in a transaction that has failed is undone, whoever began it.
            self.confirmed = status == TransactionStatus::Failed;
            return false;
        }
        if status == TransactionStatus::Idle && !self.committed {
            self.transaction_ends(true);
        }
        self.status = status;
        true
    }

    fn transaction_ends(&mut self, rolled_back: bool) {
        self.transactions = self.transactions.wrapping_add(1);
        self.rolled_back &= rolled_back;
    }

    /// The guard of a transaction begins: what became of others before does not count.
    pub(crate) const fn guard_begins(&mut self) {
        self.rolled_back = true;
    }

    pub(crate) const fn status(&self) -> TransactionStatus {
        self.status
    }

    /// Which transaction is open, to be compared.
    pub(crate) const fn transaction(&self) -> u32 {
        self.transactions
    }

    /// The transaction ended by COMMIT within this verb.
    pub(crate) fn is_committed(&self) -> bool {
        self.committed && self.status == TransactionStatus::Idle
    }

    /// ROLLBACK was acknowledged in this verb.
    pub(crate) const fn is_rolled_back(&self) -> bool {
        self.seen & ROLLBACK != 0
    }

    /// The server was made to abort the batch, and did.
    pub(crate) const fn batch_aborted(&mut self) {
        self.aborted = true;
    }

    /// The error that ended the verb's answer, if one did.
    pub(crate) const fn ended(&self) -> Option<(Fault, Outcome)> {
        match self.ended {
            Some(fault) => Some((fault, self.outcome)),
            None => None,
        }
    }

    fn end(&mut self, fault: Fault, outcome: Outcome) {
        (self.ended, self.outcome) = (Some(fault), outcome);
    }

    /// Of work that was taken back: what was committed within it before stays.
    const fn undone(&self) -> Outcome {
        if self.committed { Outcome::Unknown } else { Outcome::Refused }
    }

    /// What is left once the link is lost.
    fn lost(&self) -> Outcome {
        let open = self.status != TransactionStatus::Idle;
        if open && self.ending == Ending::No && !self.committed {
            Outcome::Refused
        } else {
            Outcome::Unknown
        }
    }
}

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
    #[inline(never)]
    pub(crate) fn refused(&mut self, io: &mut Lent<'_>) -> Fault {
        match self.take_error(io) {
            Ok(()) => {
                let ready = self.synchronize(io).and_then(|()| self.until_ready(io));
                match ready {
                    Ok(()) => self.ledger.confirmed = true,
                    // The error is what the user wants to see; the link is lost all the same.
                    Err(_) => self.exchange.die(),
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
            Fault::SERVER if ledger.confirmed => {
                let open = ledger.committed || self.sqlstate.leaves_outcome_open();
                (if open { Outcome::Unknown } else { Outcome::Refused }, true)
            }
            fault if fault == UsageError::RolledBack.into() => (Outcome::Refused, true),
            fault if fault.is_unsent() && ledger.aborted => (ledger.undone(), true),
            fault if fault.is_local_usage() => (Outcome::Local, true),
            // The server does nothing with a part of a message.
            Fault::TRUNCATED if ledger.ending == Ending::No => (ledger.undone(), false),
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
    pub(crate) const fn fate(&self) -> Outcome {
        if self.ledger.rolled_back { Outcome::Refused } else { Outcome::Unknown }
    }
}
