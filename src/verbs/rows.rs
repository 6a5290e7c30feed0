//! Results: rows one at a time, lent from the receive buffer.

use crate::engine::{ResultState, Session};
use crate::error::{Fault, Result, UsageError};
use crate::limits;
use crate::transport::Lent;
use crate::verbs::row::{Columns, Row};
use crate::wire::WireError;
use crate::wire::backend::tag;

/// The rows of a statement.
///
/// Dropping it early is fine: the next verb discards the rest, and when the statement turns out to
/// have failed says so ([`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement)). An
/// error that ended the result is repeated by every further call.
///
/// The statement's deadline ([`set_timeout_ms`](crate::Connection::set_timeout_ms)) holds for all of its rows, and the
/// time that the caller takes for each counts. Many rows that are worked on slowly are read by a
/// [`Portal`](crate::Portal), each slice with a deadline of its own.
#[must_use = "whether the statement succeeded is known at the end of its rows: call finish()"]
pub struct Rows<'r, 'b> {
    pub(crate) session: &'r mut Session<'b>,
    pub(crate) io: Lent<'r>,
    /// Bytes that must stay free after a row.
    reserve: usize,
    pub(crate) part: PartOf,
}

/// What the rows are a part of: what follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartOf {
    /// A statement of its own, which ends with ReadyForQuery.
    Statement,
    /// A portal, which may be suspended before.
    Portal,
    /// A pipeline: the next statement's answer.
    Pipeline,
}

impl<'r, 'b> Rows<'r, 'b> {
    /// RowDescription, if there is one, is pinned already.
    #[inline]
    pub(crate) fn new(session: &'r mut Session<'b>, io: Lent<'r>) -> Self {
        Self { session, io, reserve: 0, part: PartOf::Statement }
    }

    /// The next row, or `None` at the end of the result.
    ///
    /// # Errors
    /// A row larger than the receive buffer gives
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity): it was skipped, and the next call goes
    /// on after it. [`ErrorKind::Server`](crate::ErrorKind::Server): the statement failed; what
    /// became of it says [`Error::outcome`](crate::Error::outcome). After any other error the
    /// connection is dead.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator cannot be an Iterator")]
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        if cfg!(target_os = "none") {
            return self.next_row();
        }
        if self.has_arrived() {
            return Ok(Some(Row::new(&self.session.link)));
        }
        self.next_row_slowly()
    }

    /// For bare targets: one place checks the row and makes it.
    #[inline]
    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        if !self.has_row() && !self.next_slowly()? {
            return Ok(None);
        }
        Row::checked(&self.session.link).map(Some)
    }

    /// Takes the next row, if all of it is there; it may be malformed.
    #[inline(always)]
    fn has_row(&mut self) -> bool {
        self.session.result == ResultState::Rows
            && !self.session.link.malformed.get()
            && self.session.link.try_take(tag::DATA_ROW)
    }

    /// For hosts: the common path makes its row itself, and so does the one that receives.
    #[cold]
    #[inline(never)]
    fn next_row_slowly(&mut self) -> Result<Option<Row<'_>>> {
        if self.session.awaits_row() {
            if self.has_ended() {
                return Ok(None);
            }
            if let Err(fault) = self.session.link.receive_whole(&mut self.io, tag::DATA_ROW) {
                return Err(self.session.into_error(fault));
            }
            if self.has_arrived() {
                return Ok(Some(Row::new(&self.session.link)));
            }
        }
        let found = self.next_slowly()?;
        Ok(if found { Some(Row::new(&self.session.link)) } else { None })
    }

    /// Takes the next row, if all of it is there.
    #[inline(always)]
    fn has_arrived(&mut self) -> bool {
        let quick = self.has_row();
        if quick && !self.session.link.is_row_as_described() {
            self.session.link.malformed.set(true);
            return false;
        }
        quick
    }

    /// Takes the end of the statement, if that comes next and all of it is there.
    fn has_ended(&mut self) -> bool {
        self.session.link.comes_next(tag::COMMAND_COMPLETE)
            && self.part != PartOf::Pipeline
            && self.session.ended_at_once()
    }

    fn next_slowly(&mut self) -> Result<bool> {
        self.session.check_ended()?;
        self.step().map_err(|fault| self.session.into_error(fault))
    }

    /// Descriptions of the columns.
    pub fn columns(&self) -> Columns<'_> {
        Columns::new(self.session.link.description())
    }

    /// Whether the slice of a [`Portal`](crate::Portal) has ended and more rows can be fetched.
    pub fn is_suspended(&self) -> bool {
        self.session.result == ResultState::Suspended
    }

    /// Reads to the end of the statement, dropping the rows that are left. Returns the number of
    /// rows touched or returned, as CommandComplete counted them; of a simple query with several
    /// statements, by the last.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// let rows = conn.query("insert into event values (1, 'on') returning id", ())?;
    /// let inserted = rows.finish()?; // Ok only if all of it went well
    /// # let _ = inserted;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`next`](Self::next); rows that are too large are no error here.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn finish(self) -> Result<u64> {
        if !cfg!(target_os = "none") && self.session.has_finished() {
            return Ok(self.session.rows());
        }
        self.finish_slowly()
    }

    fn finish_slowly(mut self) -> Result<u64> {
        while self.next_result()? {}
        Ok(self.session.rows())
    }

    /// Reads to the end of the current result, dropping the rows that are left. Returns the number
    /// of rows touched or returned; call [`next_result`](Self::next_result) then.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_result(&mut self) -> Result<u64> {
        self.session.check_ended()?;
        match self.skip_rows() {
            Ok(()) => Ok(self.session.rows()),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// Goes on to the next result of a simple query with several statements, or of a table's rules. `false` when
    /// there is none. Rows of the current result that were not read are dropped.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_result(&mut self) -> Result<bool> {
        self.session.check_ended()?;
        match self.advance() {
            Ok(found) => Ok(found),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    fn skip_rows(&mut self) -> Result<(), Fault> {
        if !cfg!(target_os = "none") && self.session.awaits_row() && self.has_ended() {
            return Ok(());
        }
        while matches!(self.session.result, ResultState::Rows | ResultState::NoRows) {
            match self.step() {
                Ok(_) | Err(Fault::CAPACITY) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, Fault> {
        self.skip_rows()?;
        let (session, io) = (&mut *self.session, &mut self.io);
        // Its header was taken.
        let is_added = session.result == ResultState::Added;
        let mut seen = session.result != ResultState::Start;
        if !session.result.is_between() {
            return Ok(false);
        }
        // If anything fails the next verb discards the rest.
        session.result = ResultState::Done;
        session.forget_description();
        if is_added {
            session.describe(io, crate::engine::NameHash::NONE)?;
            return Ok(true);
        }
        if !cfg!(target_os = "none") {
            if seen && session.link.try_take(tag::READY_FOR_QUERY) {
                session.take_ready(io)?;
                return Ok(false);
            }
            if session.describe_at_once(crate::engine::NameHash::NONE)? {
                return Ok(true);
            }
        }
        loop {
            session.next(io)?;
            match session.link.tag {
                tag::ROW_DESCRIPTION => {
                    session.describe(io, crate::engine::NameHash::NONE)?;
                    return Ok(true);
                }
                tag::COMMAND_COMPLETE => {
                    session.command_complete(io)?;
                    session.result = ResultState::Between;
                    return Ok(true);
                }
                tag::EMPTY_QUERY_RESPONSE => {
                    session.set_rows(0);
                    seen = true;
                }
                tag::READY_FOR_QUERY if seen => {
                    session.ready(io)?;
                    return Ok(false);
                }
                _ => return Err(session.no_result(io)),
            }
        }
    }

    /// Takes the next row, if there is one.
    fn step(&mut self) -> Result<bool, Fault> {
        if !self.head()? {
            return Ok(false);
        }
        let link = &mut self.session.link;
        let needed = link.left().saturating_add(self.reserve);
        if needed > link.room() {
            let named = if link.has_dropped_names() { needed } else { 0 };
            return Err(link.too_small(needed.saturating_add(named)));
        }
        link.body(&mut self.io)?;
        self.session.check_columns().map(|()| true)
    }

    /// Takes the header of the next row, if there is one.
    pub(crate) fn head(&mut self) -> Result<bool, Fault> {
        let (session, io) = (&mut *self.session, &mut self.io);
        session.exchange.check()?;
        if session.link.malformed.replace(false) {
            return Err(WireError::Malformed.into());
        }
        if !matches!(session.result, ResultState::Rows | ResultState::NoRows) {
            return Ok(false);
        }
        let simple = session.exchange.is_simple();
        if !cfg!(target_os = "none") && session.link.try_take(tag::COMMAND_COMPLETE) {
            session.take_command()?;
            session.result = if simple { ResultState::Between } else { ResultState::Done };
            return self.after_result(simple);
        }
        session.next(io)?;
        session.result = match session.link.tag {
            tag::DATA_ROW if session.result == ResultState::Rows => return Ok(true),
            tag::COMMAND_COMPLETE => {
                session.command_complete(io)?;
                if simple { ResultState::Between } else { ResultState::Done }
            }
            tag::EMPTY_QUERY_RESPONSE if !simple => ResultState::Done,
            tag::PORTAL_SUSPENDED if self.part == PartOf::Portal => ResultState::Suspended,
            tag::ROW_DESCRIPTION if simple => {
                session.set_rows(0);
                ResultState::Added
            }
            _ if simple => return Err(session.unexpected(io)),
            _ => return Err(session.no_result(io)),
        };
        self.after_result(simple)
    }

    /// What follows the end of a result: of a statement of its own, the end of the answer.
    fn after_result(&mut self, simple: bool) -> Result<bool, Fault> {
        if !simple && self.part != PartOf::Pipeline {
            self.session.expect_ready(&mut self.io)?;
        }
        Ok(false)
    }
}

impl Session<'_> {
    /// The only row, with the statement finished: it is then what was taken last.
    /// [`UsageError::NoRows`]: there is none.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn find_only(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let quick = self.result == ResultState::Rows && self.link.try_take(tag::DATA_ROW);
        if quick {
            self.check_columns()?;
        } else if !self.step_with_room(io)? {
            return Err(UsageError::NoRows.into());
        }
        // One row, and its end is here already: the usual case.
        if self.link.left() == 0 && self.ended_at_once() {
            return Ok(());
        }
        self.find_end(io)
    }

    /// The end after the only row, which stays readable.
    #[cold]
    #[inline(never)]
    fn find_end(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.pin();
        let row = self.link.span();
        self.next(io)?;
        match self.link.tag {
            tag::COMMAND_COMPLETE => self.command_complete(io)?,
            tag::DATA_ROW => return Err(UsageError::TooManyRows.into()),
            _ => return Err(self.no_result(io)),
        }
        self.result = ResultState::Done;
        self.expect_ready(io)?;
        self.link.show(row);
        Ok(())
    }

    /// The next row of a statement of its own, with room for what must be seen whole after it.
    #[inline(never)]
    fn step_with_room(&mut self, io: &mut Lent<'_>) -> Result<bool, Fault> {
        let mut rows = Rows::new(self, io.again());
        rows.reserve = limits::RX_RESERVE;
        rows.step()
    }
}

impl Session<'_> {
    /// Whether all of the answer was read, and it was no failure.
    #[inline]
    fn has_finished(&self) -> bool {
        self.result == ResultState::Done && self.ledger.ended().is_none()
    }

    /// Whether a row may come next, and nothing is known to be wrong.
    fn awaits_row(&self) -> bool {
        self.result == ResultState::Rows
            && self.exchange.is_alive()
            && self.ledger.ended().is_none()
            && !self.link.malformed.get()
            && self.link.left() == 0
    }

    /// A row with another number of columns than were described is malformed.
    #[inline]
    fn check_columns(&self) -> Result<(), Fault> {
        if self.link.is_row_as_described() { Ok(()) } else { Err(WireError::Malformed.into()) }
    }
}

impl core::fmt::Debug for Rows<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns()).finish_non_exhaustive()
    }
}
