//! What a link is in the middle of, and what is still to be done about it.

use super::Session;
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::backend::Phase;

/// What a dropped guard left to do. A pointer, so that only what is used is linked.
pub(crate) type Leftover = fn(&mut Session<'_>, &mut Lent<'_>) -> Result<(), Fault>;

/// What a dropped guard of a transaction left; the number of the transaction that was open then, and what
/// became of a statement whose answer was not read. The transaction is given up, if it is still open: so is
/// what failed in it.
pub(crate) type Undo =
    fn(&mut Session<'_>, &mut Lent<'_>, u32, Result<(), Fault>) -> Result<(), Fault>;

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none.
    Closed,
    /// It failed: the transport is not touched any more.
    Dead,
    /// The same, while an answer was owed: the server may still be at work on it.
    Interrupted,
    /// From StartupMessage to AuthenticationOk.
    Authenticating,
    /// From AuthenticationOk to the first ReadyForQuery.
    Settling,
    /// Nothing is owed.
    Idle,
    /// The answer to a Query is owed.
    Simple,
    /// The answer to messages with a Sync is owed.
    Extended,
    /// Messages of the extended protocol left without a Sync: their answers are owed, and
    /// ReadyForQuery is not.
    Unsynced,
    /// The answer to messages with a Sync is owed, and other statements may come after the one that is answered.
    Batch,
}

/// The exchange of messages on one link. Its transitions are the methods with `&mut self`.
pub(crate) struct Exchange {
    state: State,
    /// The rest of the answer is an error that this side caused.
    aborted: bool,
    /// To be sent before the rest of an answer is discarded: the end of what was not finished.
    unfinished: Option<Leftover>,
    /// The guard of a transaction was dropped: to be rolled back before anything else.
    undo: Option<Undo>,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        Self { state: State::Closed, aborted: false, unfinished: None, undo: None }
    }

    /// Whether there is a link that may be touched.
    pub(crate) const fn is_alive(&self) -> bool {
        !matches!(self.state, State::Closed | State::Dead | State::Interrupted)
    }

    /// As [`is_alive`](Self::is_alive).
    pub(crate) const fn check(&self) -> Result<(), Fault> {
        if self.is_alive() { Ok(()) } else { Err(Fault::BROKEN) }
    }

    /// Whether a verb can begin without anything to be done before.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.state == State::Idle && self.undo.is_none()
    }

    /// Whether ReadyForQuery is still to come, or a Sync to be sent.
    pub(crate) const fn owes(&self) -> bool {
        matches!(self.state, State::Unsynced | State::Simple | State::Extended | State::Batch)
    }

    /// Whether a Sync is still to be sent.
    pub(super) fn is_unsynced(&self) -> bool {
        self.state == State::Unsynced
    }

    /// Whether the answer awaited is that to a Query.
    pub(crate) fn is_simple(&self) -> bool {
        self.state == State::Simple
    }

    /// Whether other statements may come after the one that is answered.
    pub(super) const fn is_batch(&self) -> bool {
        matches!(self.state, State::Unsynced | State::Batch)
    }

    pub(super) const fn phase(&self) -> Phase {
        match self.state {
            State::Authenticating => Phase::Authentication,
            State::Settling => Phase::Settling,
            _ => Phase::Normal,
        }
    }

    /// A new link.
    pub(super) const fn open(&mut self) {
        *self = Self::new();
        self.state = State::Authenticating;
    }

    /// AuthenticationOk.
    pub(crate) const fn authenticated(&mut self) {
        self.state = State::Settling;
    }

    /// The link failed.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn die(&mut self) {
        self.state = match self.state {
            State::Closed => State::Closed,
            State::Interrupted => State::Interrupted,
            _ if self.owes() => State::Interrupted,
            _ => State::Dead,
        };
    }

    /// Whether the link was lost, or given up, while an answer was owed.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.state == State::Interrupted || self.owes()
    }

    /// The link is given up in order, or was never opened.
    pub(crate) const fn close(&mut self) {
        self.state = State::Closed;
    }

    /// A Query leaves.
    #[inline]
    pub(crate) const fn query_sent(&mut self) {
        self.state = State::Simple;
    }

    /// A Sync leaves.
    #[inline]
    pub(crate) const fn sync_sent(&mut self) {
        self.state = State::Extended;
    }

    /// A Sync leaves after several statements.
    #[inline]
    pub(crate) const fn batch_sent(&mut self) {
        self.state = State::Batch;
    }

    /// Messages of the extended protocol leave, and no Sync after them.
    #[inline]
    pub(crate) const fn part_sent(&mut self) {
        self.state = State::Unsynced;
    }

    /// ReadyForQuery came.
    #[inline]
    pub(super) const fn ready(&mut self) {
        self.state = State::Idle;
        self.aborted = false;
        self.unfinished = None;
    }

    /// The rest of the answer is an error that this side causes.
    pub(crate) const fn abort(&mut self) {
        self.aborted = true;
    }

    pub(super) const fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// What is to be sent if the verb is not brought to its end; `None`: nothing more.
    pub(crate) const fn set_unfinished(&mut self, leftover: Option<Leftover>) {
        self.unfinished = leftover;
    }

    pub(super) const fn take_unfinished(&mut self) -> Option<Leftover> {
        self.unfinished.take()
    }

    /// Before anything else, the next verb is to do this.
    pub(crate) const fn set_undo(&mut self, leftover: Undo) {
        self.undo = Some(leftover);
    }

    pub(super) const fn take_undo(&mut self) -> Option<Undo> {
        self.undo.take()
    }
}
