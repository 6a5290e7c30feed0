//! What a link is in the middle of, and the rules that hold for every verb.
//!
//! Used by `startup`, `query`, `rows` and the objects the user holds. Everything here works on
//! [`Lent`], so it is compiled once.
//!
//! The rules: a verb starts with [`Session::begin`]; any failure goes through
//! `Session::fail`, which decides what became of the work and whether the link lives; a link
//! that failed is never touched again; the answer of one verb is never taken for that of
//! another.

mod asynchronous;
mod failure;

use crate::auth::KeyStore;
use crate::dial::Place;
use crate::error::{Fault, ProtocolError, SqlState};
use crate::framed::Framed;
use crate::limits;
use crate::notify::Events;
use crate::server::ServerInfo;
use crate::statement::StaticStatements;
use crate::transport::Lent;
use crate::wire::backend::{CommandTag, Phase, legal, tag};
use crate::wire::{Body, Part, WireError, frontend};

/// The server's view of the transaction, from ReadyForQuery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransactionStatus {
    /// No transaction is open.
    #[default]
    Idle,
    /// A transaction is open.
    InTransaction,
    /// The open transaction has failed: only ROLLBACK is accepted.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// No link.
    None,
    Alive,
    /// Failed: the transport is not to be touched any more.
    Broken,
}

/// What a dropped guard left to do. A pointer, so that only what is used is linked.
pub(crate) type Leftover = fn(&mut Session<'_>, &mut Lent<'_>) -> Result<(), Fault>;

// In this order: what is used everywhere is reached by the short instructions, and there are no gaps.
#[repr(C)]
pub(crate) struct Session<'b> {
    pub(crate) phase: Phase,
    pub(crate) life: Life,
    pub(crate) transaction: TransactionStatus,
    /// ReadyForQuery is still to come.
    pub(crate) busy: bool,
    /// The answer awaited is one of the extended protocol.
    pub(crate) extended: bool,
    /// The statement was described as one without rows.
    pub(crate) no_rows: bool,
    /// The server said of a command of this verb that it is complete.
    pub(crate) completed: bool,
    /// CommandComplete said ROLLBACK: what COMMIT of a failed transaction is answered with.
    pub(crate) rolled_back: bool,
    /// The last error ended the session.
    pub(crate) fatal: bool,
    /// The session ended where the work may have been done.
    unsure: bool,
    /// Messages of the extended protocol were sent without a Sync behind them.
    pub(crate) unsynced: bool,
    /// The server was made to forget what was sent of a batch.
    pub(crate) taken_back: bool,
    /// A notice announced that the server ends the session: last character of its SQLSTATE,
    /// 57P01 or 57P02.
    farewell: Option<core::num::NonZeroU8>,
    /// An error is pinned in the receive buffer; `Some(true)` when its end was cut.
    error: Option<bool>,
    /// SQLSTATE of the last error.
    sqlstate: SqlState,
    /// The configuration allows batch binds at openGauss.
    #[cfg(feature = "opengauss")]
    pub(crate) batch_binds: bool,
    /// Asynchronous messages since the last other one.
    in_a_row: u16,
    /// Number of the session, and of the last prepared statement in it.
    pub(crate) epoch: u16,
    pub(crate) statements: u16,
    /// Columns of the current result.
    pub(crate) columns: u16,
    /// Savepoints that are open, as far as their guards know.
    pub(crate) savepoints: u16,
    /// To be sent before the rest of an answer is read over: the end of what was not finished.
    pub(crate) unfinished: Option<Leftover>,
    /// A transaction's guard was dropped: to be rolled back before anything else.
    pub(crate) undo: Option<Leftover>,
    /// Deadline of one operation, in milliseconds.
    pub(crate) timeout_ms: u32,
    /// Items of the last batch that the server answered.
    pub(crate) batch_done: u32,
    /// Rows that the last command touched.
    pub(crate) rows: u64,
    pub(crate) link: Framed<'b>,
    /// Who wants to see notices, parameter changes and notifications.
    pub(crate) events: Events<'b>,
    /// Statements in flash that are prepared, where somebody lent a place for them.
    pub(crate) statics: Option<&'b mut StaticStatements>,
    pub(crate) server: ServerInfo,
    /// Where the keys of a login stay for the next one.
    pub(crate) keys: Option<&'b mut (dyn KeyStore + 'static)>,
    /// Where the link goes, if a dialler opened it.
    pub(crate) place: Place,
}

impl<'b> Session<'b> {
    pub(crate) fn new(link: Framed<'b>) -> Self {
        Self {
            link,
            phase: Phase::Authentication,
            life: Life::None,
            transaction: TransactionStatus::Idle,
            busy: false,
            extended: false,
            no_rows: false,
            completed: false,
            rolled_back: false,
            fatal: false,
            columns: 0,
            rows: 0,
            unsure: false,
            unsynced: false,
            batch_done: 0,
            unfinished: None,
            undo: None,
            error: None,
            sqlstate: SqlState::UNKNOWN,
            taken_back: false,
            farewell: None,
            events: Events::default(),
            in_a_row: 0,
            epoch: 0,
            statements: 0,
            statics: None,
            savepoints: 0,
            timeout_ms: limits::DEFAULT_TIMEOUT_MS,
            server: ServerInfo::new(),
            #[cfg(feature = "opengauss")]
            batch_binds: true,
            keys: None,
            place: Place::default(),
        }
    }

    /// Forgets the last link and gets ready for a new one.
    pub(crate) fn reset(&mut self) {
        self.link.reset();
        self.phase = Phase::Authentication;
        self.life = Life::Alive;
        self.transaction = TransactionStatus::Idle;
        (self.busy, self.unsynced, self.completed, self.unsure) = (false, false, false, false);
        (self.unfinished, self.undo) = (None, None);
        (self.error, self.farewell, self.in_a_row) = (None, None, 0);
        self.forget_statements();
        self.server.forget();
    }

    /// Prepared statements from before belong to no session any more.
    pub(crate) fn forget_statements(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.statements = 0;
        if let Some(statics) = &mut self.statics {
            statics.clear();
        }
    }

    /// Whether there is a link that may be touched.
    pub(crate) fn alive(&self) -> Result<(), Fault> {
        if self.life == Life::Alive { Ok(()) } else { Err(Fault::BROKEN) }
    }

    /// Starts a verb: checks that the link lives, starts the deadline, finishes what an earlier
    /// verb left behind.
    pub(crate) fn begin(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.alive()?;
        self.link.begin(self.timeout_ms);
        self.error = None;
        self.link.unpin(0);
        if self.busy || self.undo.is_some() || self.link.has_unread() {
            let settled = self.settle(io);
            // What was sent so far concerned earlier verbs; of this one nothing was sent.
            self.link.forget_sent();
            if settled.is_err() {
                self.life = Life::Broken;
            }
            return settled;
        }
        Ok(())
    }

    /// As [`begin`](Self::begin), but leaves what has arrived unasked.
    pub(crate) fn begin_listening(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.alive()?;
        self.link.begin(self.timeout_ms);
        self.error = None;
        self.link.unpin(0);
        self.finish_answer(io)?;
        self.roll_back(io)?;
        self.link.forget_sent();
        Ok(())
    }

    #[inline(never)]
    fn settle(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.finish_answer(io)?;
        self.take_unasked(io)?;
        self.roll_back(io)?;
        self.link.limit(self.timeout_ms);
        Ok(())
    }

    /// Rolls back what a dropped guard left open.
    fn roll_back(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let Some(undo) = self.undo.take() else { return Ok(()) };
        undo(self, io)?;
        self.finish_answer(io)
    }

    /// Reads and drops the rest of an answer. An error in it was the earlier verb's, unless it
    /// ends the session.
    pub(crate) fn finish_answer(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.busy {
            if let Some(finish) = self.unfinished.take() {
                finish(self, io)?;
            }
            self.synchronize(io)?;
        }
        while self.busy {
            self.next(io)?;
            match self.link.tag {
                tag::READY_FOR_QUERY => self.ready(io)?,
                tag::ERROR_RESPONSE => {
                    self.take_error(io)?;
                    if self.fatal {
                        return Err(Fault::SERVER);
                    }
                    self.error = None;
                    self.link.unpin(0);
                }
                tag::COPY_IN_RESPONSE => self.refuse_copy(io)?,
                _ => self.link.skip(io)?,
            }
        }
        Ok(())
    }

    /// Goes to the next message that is not asynchronous. Its body is still to be taken.
    pub(crate) fn next(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            self.checked_header(io)?;
            self.take_async(io)?;
            if self.link.tag != 0 {
                self.in_a_row = 0;
                return Ok(());
            }
            self.in_a_row = self.in_a_row.wrapping_add(1);
            if self.in_a_row > limits::MAX_ASYNC_MESSAGES {
                return Err(Fault::from(ProtocolError::Flood));
            }
        }
    }

    /// Takes the next message's header. An error when the message is not legal now.
    pub(crate) fn checked_header(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.header(io)?;
        match (legal(self.phase, self.link.tag, self.link.left()), self.phase) {
            (Some(true), _) => Ok(()),
            // openGauss has more message types than the manual; they are skipped by length.
            (None, Phase::Normal) if self.server.is_opengauss() => {
                self.link.tag = 0;
                Ok(())
            }
            (_, Phase::Authentication) => Err(Fault::from(ProtocolError::NotPostgres)),
            (Some(false), _) => Err(Fault::from(ProtocolError::BadLength)),
            (None, _) => Err(Fault::from(ProtocolError::UnexpectedMessage)),
        }
    }

    /// Takes ReadyForQuery.
    pub(crate) fn ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.body(io)?;
        self.transaction = match self.link.taken() {
            // openGauss may send a second byte.
            [b'I'] | [b'I', _] => TransactionStatus::Idle,
            [b'T'] | [b'T', _] => TransactionStatus::InTransaction,
            [b'E'] | [b'E', _] => TransactionStatus::Failed,
            _ => return Err(WireError::Malformed.into()),
        };
        self.busy = false;
        Ok(())
    }

    /// Stages messages of a verb.
    pub(crate) fn stage<F: Body>(&mut self, io: &mut Lent<'_>, part: &F) -> Result<(), Fault> {
        self.stage_part(io, part)
    }

    #[inline(never)]
    fn stage_part(&mut self, io: &mut Lent<'_>, part: Part<'_>) -> Result<(), Fault> {
        self.link.write_part(io, part).map_err(|fault| self.last_words(io, fault))
    }

    /// Sends what is staged, with more to come.
    #[cfg(feature = "opengauss")]
    pub(crate) fn send_on(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.send_staged(io).map_err(|fault| self.last_words(io, fault))
    }

    /// Sends what is staged; from here on an answer is due.
    pub(crate) fn send(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.busy = true;
        (self.completed, self.unsure) = (false, false);
        self.link.flush(io).map_err(|fault| self.last_words(io, fault))
    }

    /// A simple query whose rows nobody wants.
    pub(crate) fn command(&mut self, io: &mut Lent<'_>, sql: &str) -> Result<(), Fault> {
        self.simple_query(io, sql)?;
        self.read_answer(io)
    }

    /// Reads an answer to its end.
    pub(crate) fn read_answer(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.rows = 0;
        // The message that began the result which is read over: `T`, `H`, or none.
        let mut open = 0;
        loop {
            self.next(io)?;
            match (self.link.tag, open) {
                (tag::READY_FOR_QUERY, 0) if self.completed => return self.ready(io),
                (tag::COMMAND_COMPLETE, _) => {
                    self.command_complete(io)?;
                    open = 0;
                }
                (tag::EMPTY_QUERY_RESPONSE, 0) => self.completed = true,
                (tag::COPY_IN_RESPONSE, 0) => self.refuse_copy(io)?,
                (tag @ (tag::ROW_DESCRIPTION | tag::COPY_OUT_RESPONSE), 0) => open = tag,
                (tag::DATA_ROW, tag::ROW_DESCRIPTION)
                | (tag::COPY_DATA | tag::COPY_DONE, tag::COPY_OUT_RESPONSE) => {}
                _ => return Err(self.unexpected(io)),
            }
            self.link.skip(io)?;
        }
    }

    pub(crate) fn command_complete(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.body(io)?;
        self.completed = true;
        let tag = CommandTag::decode(self.link.taken())?;
        (self.rows, self.rolled_back) = (tag.rows, tag.rollback);
        Ok(())
    }

    /// Answers CopyInResponse nobody asked for: the server then reports an error.
    pub(crate) fn refuse_copy(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.skip(io)?;
        let extended = self.extended;
        self.unsynced = false;
        self.link.write(io, &|w| {
            frontend::copy_fail(w, "no COPY verb")?;
            // While it copied, the server swallowed the Sync of the extended protocol.
            if extended { frontend::sync(w) } else { Ok(()) }
        })?;
        self.link.flush(io)
    }
}
