//! The ledger: facts about what became of a verb's work, recorded here and nowhere else. What they mean
//! is said in [`outcome`](super::outcome).

use super::TransactionStatus;
use super::ending::Ending;
use crate::error::{Fault, Outcome, ProtocolError, UsageError};
use crate::wire::backend::CommandKind;

/// Commands that were acknowledged in this verb.
const ROLLBACK: u8 = 1;
const BEGIN: u8 = 2;
/// Something of this verb was committed for good.
const COMMITTED: u8 = 4;
/// The server aborted a batch of this verb, as it was made to.
const ABORTED: u8 = 8;
/// The server's error was followed by ReadyForQuery.
const CONFIRMED: u8 = 16;

/// What is known of a verb's work. The order of the fields is our own: with the compiler's a new client
/// is copied from an image in part, 100 bytes of flash.
#[repr(C)]
pub(crate) struct Ledger {
    /// Transactions that have ended: which one is open.
    transactions: u32,
    /// What the verb's answer ended with.
    ended: Option<Fault>,
    /// The server's view of the transaction at the last ReadyForQuery.
    status: TransactionStatus,
    /// What became of its work then.
    outcome: Outcome,
    /// [`ROLLBACK`] and the others.
    seen: u8,
    /// How something that was sent may end the open transaction, or commit.
    ending: Ending,
    /// `transactions` when the last one ended that was not rolled back.
    kept: u32,
}

impl Ledger {
    pub(super) const fn new() -> Self {
        Self {
            status: TransactionStatus::Idle,
            seen: 0,
            ending: Ending::NO,
            ended: None,
            outcome: Outcome::NotSent,
            transactions: 0,
            kept: 0,
        }
    }

    /// A verb begins.
    #[inline]
    pub(super) const fn begin(&mut self) {
        self.seen = 0;
        self.ending = Ending::NO;
        self.ended = None;
    }

    /// A statement is about to be sent, that may end the open transaction in this way.
    #[inline]
    pub(crate) fn sending(&mut self, ending: Ending) {
        if ending != Ending::NO {
            self.sending_end(ending);
        }
    }

    /// What is sent now is the driver's own.
    pub(super) const fn forget_ending(&mut self) {
        self.ending = Ending::NO;
    }

    /// How what was sent in this verb may end the open transaction.
    pub(crate) const fn ending(&self) -> Ending {
        self.ending
    }

    #[cold]
    fn sending_end(&mut self, ending: Ending) {
        self.ending = self.ending.then(ending);
    }

    /// CommandComplete without a count of rows.
    #[cold]
    pub(super) fn command(&mut self, kind: CommandKind) {
        let open = self.status != TransactionStatus::Idle;
        match kind {
            // Within the transaction that was open when the verb began.
            CommandKind::MayCommit | CommandKind::ForgetsAndMayCommit
                if open && !self.has_committed() && !self.is_rolled_back() => {}
            CommandKind::Commits | CommandKind::MayCommit | CommandKind::ForgetsAndMayCommit => {
                self.seen |= COMMITTED;
                self.transaction_ends(false);
            }
            CommandKind::Rollback => {
                self.seen |= ROLLBACK;
                // AND CHAIN has no tag of its own.
                if self.ending.may_chain() {
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
            CommandKind::Forgets | CommandKind::Other => {}
        }
    }

    /// What is sent may commit what comes before it, and then fail without a sign of that.
    pub(crate) fn may_commit(&mut self) {
        if self.status == TransactionStatus::Idle {
            self.seen |= COMMITTED;
        }
    }

    /// ReadyForQuery.
    ///
    /// # Errors
    /// [`ProtocolError::UnsolicitedTransaction`]: nothing from here has begun that transaction.
    /// [`UsageError::RolledBack`]: a COMMIT has ended the one that had failed.
    #[inline]
    pub(super) fn ready(&mut self, status: TransactionStatus) -> Result<(), Fault> {
        if status == self.status { Ok(()) } else { self.change(status) }
    }

    fn change(&mut self, status: TransactionStatus) -> Result<(), Fault> {
        if self.status == TransactionStatus::Idle && self.seen & BEGIN == 0 {
            // What is in a transaction that has failed is undone, whoever began it.
            if status == TransactionStatus::Failed {
                self.confirm();
            }
            return Err(ProtocolError::UnsolicitedTransaction.into());
        }
        let before = core::mem::replace(&mut self.status, status);
        if status == TransactionStatus::Idle && !self.has_committed() {
            self.transaction_ends(true);
        }
        // It was the first that the server did, whatever came after it.
        if before == TransactionStatus::Failed && self.ending.is_commit() {
            return Err(UsageError::RolledBack.into());
        }
        Ok(())
    }

    fn transaction_ends(&mut self, rolled_back: bool) {
        self.transactions = self.transactions.wrapping_add(1);
        if !rolled_back {
            self.kept = self.transactions;
        }
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
        self.has_committed() && self.status == TransactionStatus::Idle
    }

    /// ROLLBACK was acknowledged in this verb.
    pub(crate) const fn is_rolled_back(&self) -> bool {
        self.seen & ROLLBACK != 0
    }

    /// ReadyForQuery came after the server's error.
    pub(super) const fn confirm(&mut self) {
        self.seen |= CONFIRMED;
    }

    pub(super) const fn is_confirmed(&self) -> bool {
        self.seen & CONFIRMED != 0
    }

    /// Something of this verb was committed for good.
    pub(super) const fn has_committed(&self) -> bool {
        self.seen & COMMITTED != 0
    }

    /// This transaction was rolled back, and each that has ended since. The numbers may wrap.
    pub(super) const fn was_rolled_back(&self, transaction: u32) -> bool {
        self.kept.wrapping_sub(transaction).wrapping_sub(1) > u32::MAX / 2
    }

    pub(super) const fn is_aborted(&self) -> bool {
        self.seen & ABORTED != 0
    }

    /// The server was made to abort the batch, and did.
    pub(crate) const fn batch_aborted(&mut self) {
        self.seen |= ABORTED;
    }

    /// The error that ended the verb's answer, if one did.
    pub(crate) const fn ended(&self) -> Option<(Fault, Outcome)> {
        match self.ended {
            Some(fault) => Some((fault, self.outcome)),
            None => None,
        }
    }

    pub(super) fn end(&mut self, fault: Fault, outcome: Outcome) {
        (self.ended, self.outcome) = (Some(fault), outcome);
    }

    /// Of work that was taken back: what was committed within it before stays.
    pub(super) const fn undone(&self) -> Outcome {
        if self.has_committed() { Outcome::Unknown } else { Outcome::Refused }
    }

    /// What is left once the link is lost.
    pub(super) fn lost(&self) -> Outcome {
        let open = self.status != TransactionStatus::Idle;
        if open && self.ending == Ending::NO && !self.has_committed() {
            Outcome::Refused
        } else {
            Outcome::Unknown
        }
    }
}
