//! Reading answers: the next message, the one that is expected, the end.

use super::{Count, Fact, ResultState, Session};
use crate::error::{Fault, ProtocolError, UsageError};
use crate::transport::Lent;
use crate::wire::backend::{CommandKind, CommandTag, TransactionStatus, legal, tag};
use crate::wire::{Reader, frontend};

impl Session<'_> {
    /// Goes to the next message that is not asynchronous. Its body is still to be taken.
    pub(crate) fn next(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            self.checked_header(io)?;
            self.take_async(io)?;
            if self.link.tag != 0 {
                return Ok(());
            }
        }
    }

    /// Takes the next message's header. An error when the message is not legal now.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn checked_header(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.header(io)?;
        let phase = self.exchange.phase();
        match legal(phase, self.link.tag, self.link.left()) {
            Some(true) => Ok(()),
            refused => self.illegal(phase, refused),
        }
    }

    #[cold]
    fn illegal(
        &mut self,
        phase: crate::wire::backend::Phase,
        refused: Option<bool>,
    ) -> Result<(), Fault> {
        use crate::wire::backend::Phase;
        Err(match (refused, phase) {
            // openGauss has more message types than the manual; they are skipped by length.
            (None, Phase::Normal) if self.server.is_opengauss() => {
                self.link.tag = 0;
                return Ok(());
            }
            // A postmaster that cannot start a process answers as in protocol 2: E and text, no length.
            (Some(_), _) => ProtocolError::BadLength,
            (None, Phase::Authentication) => ProtocolError::NotPostgres,
            (None, _) => ProtocolError::UnexpectedMessage,
        }
        .into())
    }

    /// Takes the next message, whole: it must be of this type.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn expect(&mut self, io: &mut Lent<'_>, expected: u8) -> Result<(), Fault> {
        if self.link.try_take(expected) {
            return Ok(());
        }
        // Nothing has arrived: the usual case for the first message of an answer.
        if !cfg!(target_os = "none") && self.link.is_drained() {
            self.link.read_more(io)?;
            if self.link.try_take(expected) {
                return Ok(());
            }
        }
        self.expect_slowly(io, expected)
    }

    #[cold]
    #[inline(never)]
    fn expect_slowly(&mut self, io: &mut Lent<'_>, expected: u8) -> Result<(), Fault> {
        self.next(io)?;
        if self.link.tag == expected { self.link.body(io) } else { Err(self.unexpected(io)) }
    }

    /// A message that has no body.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn expect_empty(&mut self, io: &mut Lent<'_>, expected: u8) -> Result<(), Fault> {
        self.expect(io, expected)?;
        if self.link.taken_len() == 0 { Ok(()) } else { Err(ProtocolError::BadLength.into()) }
    }

    /// The end of an answer: ReadyForQuery, or an error before it.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn expect_ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.expect(io, tag::READY_FOR_QUERY)?;
        self.take_ready(io)
    }

    /// Takes ReadyForQuery, whose header was taken.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.body(io)?;
        self.take_ready(io)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn take_ready(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let status = TransactionStatus::decode(self.link.taken())?;
        self.exchange.ready();
        let read = self.ledger.ready(status);
        if read != Err(ProtocolError::UnsolicitedTransaction.into()) {
            return read;
        }
        // What opened a transaction by itself can put its session in order for the next one. By
        // `terminate`, which then is not in line in `close`, it would take 70 bytes more.
        let _ = self.stage(io, &frontend::terminate).and_then(|()| self.send(io));
        read
    }

    /// Takes CommandComplete, whose header was taken.
    pub(crate) fn command_complete(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.body(io)?;
        self.take_command()
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn take_command(&mut self) -> Result<(), Fault> {
        let tag = CommandTag::decode(self.link.taken())?;
        self.rows = Count(tag.rows);
        if let Some(kind) = tag.kind(self.exchange.is_simple()) {
            self.ledger.command(kind);
            if matches!(kind, CommandKind::Forgets | CommandKind::ForgetsAndMayCommit) {
                self.server.set(Fact::Forgot, true);
            }
        }
        Ok(())
    }

    /// Reads to the end of one Execute, rows discarded.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn executed(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if !cfg!(target_os = "none") && self.link.try_take(tag::COMMAND_COMPLETE) {
            return self.take_command();
        }
        self.executed_slowly(io)
    }

    fn executed_slowly(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.set_rows(0);
        loop {
            self.next(io)?;
            match self.link.tag {
                tag::DATA_ROW => {}
                tag::COMMAND_COMPLETE => return self.command_complete(io),
                tag::EMPTY_QUERY_RESPONSE => return Ok(()),
                _ => return Err(self.no_result(io)),
            }
        }
    }

    /// Reads the answer to a Query to its end. `empty`: there was no statement in it, and nothing
    /// need come before ReadyForQuery. The rows are those of the first command that comes.
    pub(crate) fn read_answer(&mut self, io: &mut Lent<'_>, empty: bool) -> Result<(), Fault> {
        self.set_rows(0);
        let mut completed = empty;
        // The message that began the result which is discarded: `T`, `H`, or none.
        let mut open = 0;
        loop {
            self.next(io)?;
            match (self.link.tag, open) {
                (tag::READY_FOR_QUERY, 0) if completed => return self.ready(io),
                (tag::COMMAND_COMPLETE, _) => {
                    let before = self.rows();
                    self.command_complete(io)?;
                    if completed {
                        self.set_rows(before);
                    }
                    (completed, open) = (true, 0);
                }
                (tag::EMPTY_QUERY_RESPONSE, 0) => completed = true,
                (tag::COPY_IN_RESPONSE, 0) => self.refuse_copy(io)?,
                (tag @ (tag::ROW_DESCRIPTION | tag::COPY_OUT_RESPONSE), 0) => open = tag,
                // A rule of a table adds results to those of the statement.
                (tag::DATA_ROW | tag::ROW_DESCRIPTION, tag::ROW_DESCRIPTION)
                | (tag::COPY_DATA | tag::COPY_DONE, tag::COPY_OUT_RESPONSE) => {}
                _ => return Err(self.unexpected(io)),
            }
        }
    }

    /// Reads and discards what is left of an answer. [`Fault::EARLIER`], with the error pinned: the
    /// statement that it belongs to failed, and not because this side made it; or it was a COMMIT of a
    /// transaction that had failed, with that error's SQLSTATE.
    #[inline(never)]
    pub(crate) fn discard(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if !self.exchange.owes() {
            return Ok(());
        }
        if let Some(finish) = self.exchange.take_unfinished() {
            self.exchange.abort();
            finish(self, io)?;
        }
        self.synchronize(io)?;
        let mut failed = false;
        while self.exchange.owes() {
            self.next(io)?;
            match self.link.tag {
                tag::READY_FOR_QUERY => match self.ready(io) {
                    Err(fault) if fault == UsageError::RolledBack.into() => failed = true,
                    ready => ready?,
                },
                tag::ERROR_RESPONSE => {
                    let expected = self.exchange.is_aborted();
                    self.take_error(io)?;
                    if expected {
                        self.forget_error();
                    } else {
                        failed = true;
                    }
                }
                tag::COPY_IN_RESPONSE => self.refuse_copy(io)?,
                tag::COMMAND_COMPLETE => self.command_complete(io)?,
                _ => {}
            }
        }
        if failed { Err(Fault::EARLIER) } else { Ok(()) }
    }

    #[inline(never)]
    pub(super) fn forget_error(&mut self) {
        self.error = None;
        self.link.unpin(0);
    }

    /// Answers CopyInResponse that no verb asked for: the server then reports an error. In a batch the
    /// link ends instead: a server that copies takes what comes next for data, and of a statement it
    /// makes the end of the session (PostgreSQL 14 and later) or an answer too many.
    pub(crate) fn refuse_copy(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.ledger.batch_aborted();
        if self.exchange.is_batch() {
            self.exchange.die();
            return Err(UsageError::Copy.into());
        }
        let simple = self.exchange.is_simple();
        if !simple {
            self.exchange.sync_sent();
        }
        self.stage(io, &|w| {
            frontend::copy_fail(w, "no COPY verb")?;
            // While it copied, the server swallowed the Sync of the extended protocol.
            if simple { Ok(()) } else { frontend::sync(w) }
        })?;
        self.link.flush(io)
    }

    /// Makes the server abort what was sent of a batch and not synchronized. `Ok`: it did.
    #[cold]
    pub(crate) fn abort_batch(&mut self, io: &mut Lent<'_>, fault: Fault) -> Fault {
        if !self.link.has_sent() {
            self.exchange.ready();
            return fault;
        }
        self.exchange.abort();
        let aborted = self
            .stage(io, &frontend::execute_nothing)
            .and_then(|()| self.send_sync(io))
            .and_then(|()| self.discard(io));
        match aborted {
            Ok(()) => {
                self.ledger.batch_aborted();
                fault
            }
            Err(worse) => worse,
        }
    }

    /// Whether the answer to a question is `yes`.
    pub(crate) fn ask(
        &mut self,
        io: &mut Lent<'_>,
        question: &str,
        yes: &[u8],
    ) -> Result<bool, Fault> {
        self.send_query(io, &[question])?;
        let mut answer = false;
        loop {
            self.next(io)?;
            match self.link.tag {
                tag::ROW_DESCRIPTION | tag::COMMAND_COMPLETE => {}
                tag::DATA_ROW => {
                    // Number of columns, then length and bytes of the only one.
                    self.link.body(io)?;
                    let mut reader = Reader::new(self.link.taken());
                    reader.bytes(6)?;
                    answer = reader.rest() == yes;
                }
                tag::READY_FOR_QUERY => return self.ready(io).map(|()| answer),
                _ => return Err(self.unexpected(io)),
            }
        }
    }

    /// A message that is not the one awaited: an error or a violation.
    #[cold]
    #[inline(never)]
    pub(crate) fn unexpected(&mut self, io: &mut Lent<'_>) -> Fault {
        self.result = ResultState::Done;
        match self.link.tag {
            tag::ERROR_RESPONSE => self.refused(io),
            _ => ProtocolError::UnexpectedMessage.into(),
        }
    }

    /// A message that is no part of a result: an error, COPY (which has its own verbs), or a
    /// violation.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_result(&mut self, io: &mut Lent<'_>) -> Fault {
        self.result = ResultState::Done;
        match self.link.tag {
            // The server answers with an error, which the next verb discards: nothing stays of the
            // batch, or of the text.
            tag::COPY_IN_RESPONSE => {
                self.exchange.abort();
                self.refuse_copy(io).err().unwrap_or(UsageError::Copy.into())
            }
            tag::COPY_OUT_RESPONSE => UsageError::Copy.into(),
            _ => self.unexpected(io),
        }
    }
}
