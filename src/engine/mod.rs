//! One link: its buffers, what is owed on it, and what became of the work sent over it.
//!
//! Used by `verbs` and `connect`, which only say what they send and what they expect. Everything
//! here works on [`Lent`], so it is compiled once.
//!
//! | file | what |
//! |---|---|
//! | `framed`, `receive`, `send`, `pieces`, `pin` | messages over a transport, in two buffers of the caller |
//! | `stage` | messages on their way into the send buffer, and what does not fit it |
//! | `exchange` | where the link stands, and what dropped guards left to do |
//! | `answer` | reading answers: next message, expected message, end, discarding |
//! | `quick` | answers that have arrived whole |
//! | `description` | RowDescription, packed and pinned |
//! | `ledger`, `outcome` | the facts about a verb's work; what became of it, and its error |
//! | `ending` | what a statement may do to the open transaction, by its text |
//! | `asynchronous`, `notifications` | messages that may arrive at any time, and those that are kept |
//! | `names` | prepared statements: whose they are, which are known |
//! | `server` | what is known of the server |
//!
//! The rules: a verb starts with [`Session::begin`]; any failure goes through
//! [`Session::into_error`], which decides what became of the work and whether the link lives; a
//! link that failed is never touched again; the answer of one verb is never taken for that of
//! another.

mod answer;
mod asynchronous;
mod description;
mod ending;
mod exchange;
mod framed;
mod ledger;
mod names;
mod notifications;
mod outcome;
mod pieces;
mod pin;
mod quick;
mod receive;
mod send;
mod server;
mod stage;

use description::HASH;
pub(crate) use description::{COLUMN_HEAD, ResultState};
pub(crate) use ending::{Ending, may_commit_and_fail};
pub use framed::Stats;
pub(crate) use framed::{Framed, Span};
pub use names::StaticStatements;
pub(crate) use names::{Known, Name, NameHash};
pub use notifications::{Event, NotificationQueue};
pub(crate) use server::{Fact, Place, ServerInfo};
pub(crate) use stage::Way;

pub use crate::wire::backend::TransactionStatus;

use crate::auth::KeyStore;
use crate::error::{Fault, SqlState};
use crate::limits;
use crate::transport::Lent;
use crate::wire::frontend;
use exchange::Exchange;
use ledger::Ledger;
use notifications::Events;

/// A session with a server, over whichever link it has at the moment.
// In this order: what is used everywhere is reached by the short instructions, and there are no gaps.
#[repr(C)]
pub(crate) struct Session<'b> {
    /// First, for its address is then the session's.
    pub(crate) link: Framed<'b>,
    pub(crate) exchange: Exchange,
    pub(crate) ledger: Ledger,
    /// The result that is being read.
    pub(crate) result: ResultState,
    /// A notice announced that the server ends the session: last character of its SQLSTATE,
    /// 57P01 or 57P02.
    shutdown: Option<core::num::NonZeroU8>,
    /// An error is pinned in the receive buffer; `Some(true)` when its end was cut.
    error: Option<bool>,
    /// SQLSTATE of the last error.
    sqlstate: SqlState,
    /// Savepoints that are open, as far as their guards know.
    pub(crate) savepoints: u16,
    kept: bool,
    /// Portals of all sessions of this client.
    pub(crate) portals: u32,
    /// This session, to be compared.
    identity: u32,
    /// Deadline of one operation, in milliseconds.
    pub(crate) timeout_ms: u32,
    /// Statements in flash that are prepared, where a place was lent for them.
    pub(crate) statics: Option<&'b mut StaticStatements>,
    rows: Count,
    /// Items of the last batch that the server answered.
    pub(crate) batch_done: u32,
    /// Who wants to see notices, parameter changes and notifications.
    pub(crate) events: Events<'b>,
    pub(crate) server: ServerInfo,
    /// Where the keys of a login stay for the next one.
    pub(crate) keys: Option<&'b mut (dyn KeyStore + 'static)>,
    /// Where the link goes, if a dialler opened it.
    pub(crate) place: Place,
}

/// Aligned as a word is: a session is no larger for it.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
pub(super) struct Count(pub(super) u64);

impl<'b> Session<'b> {
    /// Rows that the last command touched.
    #[inline]
    pub(crate) const fn rows(&self) -> u64 {
        self.rows.0
    }

    #[inline]
    pub(crate) const fn set_rows(&mut self, rows: u64) {
        self.rows = Count(rows);
    }

    pub(crate) fn new(link: Framed<'b>) -> Self {
        Self {
            exchange: Exchange::new(),
            ledger: Ledger::new(),
            result: ResultState::Done,
            shutdown: None,
            error: None,
            sqlstate: SqlState::UNKNOWN,
            portals: 0,
            identity: 0,
            savepoints: 0,
            kept: false,
            timeout_ms: limits::DEFAULT_TIMEOUT_MS,
            batch_done: 0,
            rows: Count(0),
            link,
            events: Events::default(),
            statics: None,
            server: ServerInfo::new(),
            keys: None,
            place: Place::default(),
        }
    }

    /// Forgets the last link and gets ready for a new one.
    pub(crate) fn reset(&mut self) {
        self.link.reset();
        self.link.malformed.set(false);
        self.exchange.open();
        self.ledger = Ledger::new();
        (self.error, self.shutdown) = (None, None);
        self.forget_description();
        self.forget_statements();
        self.server.forget();
    }

    /// What it takes to [say](Self::say_again) the pinned error again, while nothing new is received.
    pub(crate) const fn said(&self) -> (Option<bool>, usize) {
        (self.error, self.link.pinned())
    }

    /// The error that was pinned when this was taken is the server's message again.
    pub(crate) const fn say_again(&mut self, said: (Option<bool>, usize)) {
        (self.error, self.link.pinned) = said;
    }

    /// The next session may be with another database.
    pub(crate) fn forget_database(&mut self) {
        self.server.forget_guess();
        #[cfg(feature = "opengauss")]
        self.link.rules.forget_database();
    }

    /// Starts a verb: checks that the link lives, starts the deadline, looks at what has arrived,
    /// finishes what an earlier verb left to do.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.start_verb()?;
        self.forget_description();
        self.look_around(io)
    }

    /// As [`begin`](Self::begin); the description of this statement stays, if it is there.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn begin_with(&mut self, io: &mut Lent<'_>, named: NameHash) -> Result<(), Fault> {
        self.start_verb()?;
        if self.is_kept_for(named) {
            self.link.unpin(usize::from(self.link.described).wrapping_add(HASH));
        } else {
            self.forget_description();
        }
        self.look_around(io)
    }

    /// Nothing was left to do and nothing has arrived, mostly.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn look_around(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.exchange.is_quiet() && !self.link.has_unread() && !io.ready() {
            self.ledger.begin();
            return Ok(());
        }
        // What is left of an earlier verb's answer belongs to what is known of that verb.
        self.settle(io)
    }

    /// The first steps of every verb.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn start_verb(&mut self) -> Result<(), Fault> {
        self.link.start(self.timeout_ms);
        if self.link.malformed.get() {
            self.give_up();
        }
        self.exchange.check()?;
        self.error = None;
        self.set_rows(0);
        Ok(())
    }

    /// A row of the last verb was found to be malformed: what follows cannot be trusted.
    #[cold]
    fn give_up(&mut self) {
        self.exchange.die();
    }

    /// Whether the session can be used.
    pub(crate) const fn is_usable(&self) -> bool {
        self.exchange.is_alive() && !self.link.malformed.get()
    }

    /// The verb is run once more: the server refused, and did nothing.
    pub(crate) fn begin_again(&mut self) {
        self.ledger.begin();
        self.link.forget_sent();
        self.error = None;
        self.forget_description();
    }

    /// As [`begin`](Self::begin), but leaves what has arrived.
    pub(crate) fn begin_listening(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.start_verb()?;
        self.forget_description();
        let finished = self.finish(io);
        self.settled(finished)
    }

    /// Finishes what earlier verbs left to do and takes what has arrived.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let settled = self.finish(io).and_then(|()| self.take_unsolicited(io));
        self.settled(settled)
    }

    /// What was sent so far concerned earlier verbs; of this one nothing was sent.
    fn settled(&mut self, settled: Result<(), Fault>) -> Result<(), Fault> {
        self.link.forget_sent();
        self.ledger.begin();
        if let Err(fault) = settled
            && fault != Fault::EARLIER
        {
            self.exchange.die();
        }
        settled
    }

    /// What a dropped statement left, and what a dropped transaction did.
    fn finish(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let number = self.ledger.transaction();
        let discarded = self.discard(io);
        if !matches!(discarded, Ok(()) | Err(Fault::EARLIER)) {
            return discarded;
        }
        if let Some(undo) = self.exchange.take_undo() {
            // An answer that belongs to another client must not be taken for that of the rollback.
            self.take_unsolicited(io)?;
            self.ledger.forget_ending();
            return undo(self, io, number, discarded);
        }
        discarded
    }

    /// Sends a Query.
    pub(crate) fn send_query(&mut self, io: &mut Lent<'_>, sql: &[&str]) -> Result<(), Fault> {
        self.stage(io, &|w| frontend::query_of(w, sql))?;
        self.exchange.query_sent();
        self.send(io)
    }

    /// Sends what is staged with a Sync after it.
    #[inline]
    pub(crate) fn send_sync(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.stage(io, &frontend::sync)?;
        self.exchange.batch_sent();
        self.send(io)
    }

    /// A Query of the driver's own whose rows are discarded. `may_end`: it may end a transaction.
    pub(crate) fn command(
        &mut self,
        io: &mut Lent<'_>,
        sql: &[&str],
        may_end: bool,
    ) -> Result<(), Fault> {
        self.ledger.sending(Ending::NO.or_possible(may_end));
        self.send_query(io, sql)?;
        self.read_answer(io, sql == [""])
    }

    /// Terminate.
    pub(crate) fn terminate(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.exchange.check()?;
        self.link.start(self.timeout_ms);
        self.stage(io, &frontend::terminate)?;
        self.link.flush_last(io)?;
        self.exchange.close();
        Ok(())
    }
}
