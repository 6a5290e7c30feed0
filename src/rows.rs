//! Results: rows one at a time, lent from the receive buffer.

use crate::error::{Fault, ProtocolError, Result, UsageError};
use crate::framed::{Span, move_down};
use crate::limits;
use crate::row::{COLUMN_HEAD, Columns, Row};
use crate::session::Session;
use crate::transport::Lent;
use crate::wire::backend::{check_row, tag};
use crate::wire::{Reader, WireError};

/// The rows of a statement. Dropping it early is fine: the next verb reads over the rest.
pub struct Rows<'r, 'b> {
    pub(crate) session: &'r mut Session<'b>,
    pub(crate) io: Lent<'r>,
    state: State,
    pub(crate) columns: u16,
    /// Bytes that must stay free behind a row.
    reserve: usize,
    affected: u64,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// DataRow or the end comes next.
    Rows,
    /// A simple query's result ended; another may follow.
    Between,
    /// The portal has more rows.
    Suspended,
    Done,
}

impl<'r, 'b> Rows<'r, 'b> {
    /// `columns`: from RowDescription, which is pinned already.
    pub(crate) fn new(session: &'r mut Session<'b>, io: Lent<'r>, columns: u16) -> Self {
        let state = if session.extended { State::Rows } else { State::Between };
        Self { session, io, state, columns, reserve: 0, affected: 0, part: PartOf::Statement }
    }

    /// The next row, or `None` at the end of the result.
    ///
    /// # Errors
    /// A row larger than the receive buffer gives
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity): it was skipped, and the next call goes
    /// on behind it. [`ErrorKind::Server`](crate::ErrorKind::Server): the statement failed and had
    /// no effect. After any other error the connection is dead.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator cannot be an Iterator")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self.step() {
            Ok(Some(span)) => Ok(Some(self.session.row(span, self.columns))),
            Ok(None) => Ok(None),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// Descriptions of the columns.
    pub fn columns(&self) -> Columns<'_> {
        Columns::new(self.session.link.get((0, self.session.link.pinned())), self.columns)
    }

    /// Rows that the finished statement touched or returned, as CommandComplete counted them.
    pub const fn affected(&self) -> u64 {
        self.affected
    }

    /// Whether the slice of a [`Portal`](crate::Portal) has ended and more rows can be fetched.
    pub fn is_suspended(&self) -> bool {
        self.state == State::Suspended
    }

    /// Reads to the end of the statement, dropping the rows that are left. Returns the number of
    /// rows touched.
    ///
    /// # Errors
    /// As [`next`](Self::next); rows that are too large are no error here.
    pub fn finish(mut self) -> Result<u64> {
        while self.next_result()? {}
        Ok(self.affected)
    }

    /// Goes on to the next result of a simple query with several statements. `false` when there
    /// is none. Rows of the current result that were not read are dropped.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_result(&mut self) -> Result<bool> {
        self.advance().map_err(|fault| self.session.verdict(fault))
    }

    pub(crate) fn advance(&mut self) -> Result<bool, Fault> {
        self.session.alive()?;
        while self.state == State::Rows {
            match self.step() {
                Ok(_) | Err(Fault::Capacity) => {}
                Err(fault) => return Err(fault),
            }
        }
        if self.state != State::Between {
            return Ok(false);
        }
        // If anything fails the rest is read over by the next verb.
        self.state = State::Done;
        self.columns = 0;
        let (session, io) = (&mut *self.session, &mut self.io);
        session.link.unpin(0);
        loop {
            match session.next(io)? {
                tag::ROW_DESCRIPTION => {
                    self.columns = session.describe(io)?;
                    self.state = State::Rows;
                    return Ok(true);
                }
                tag::COMMAND_COMPLETE => {
                    self.affected = session.command_complete(io)?.rows;
                    self.state = State::Between;
                    return Ok(true);
                }
                tag::EMPTY_QUERY_RESPONSE => (self.affected, session.completed) = (0, true),
                tag::READY_FOR_QUERY if session.completed => {
                    return session.ready(io).map(|()| false);
                }
                other => return Err(session.no_result(io, other)),
            }
        }
    }

    /// The next row's place, checked, or `None` at the end.
    fn step(&mut self) -> Result<Option<Span>, Fault> {
        if !self.head()? {
            return Ok(None);
        }
        let link = &mut self.session.link;
        let needed = link.left().saturating_add(self.reserve);
        if needed > link.room() {
            return Err(link.too_small(needed));
        }
        let span = link.body(&mut self.io)?;
        check_row(link.get(span), self.columns)?;
        Ok(Some(span))
    }

    /// Takes the header of the next row; `false` at the end.
    pub(crate) fn head(&mut self) -> Result<bool, Fault> {
        self.session.alive()?;
        if self.state != State::Rows {
            return Ok(false);
        }
        let (session, io) = (&mut *self.session, &mut self.io);
        match session.next(io)? {
            tag::DATA_ROW if !session.no_rows => return Ok(true),
            tag::COMMAND_COMPLETE => {
                self.affected = session.command_complete(io)?.rows;
                if !session.extended {
                    self.state = State::Between;
                    return Ok(false);
                }
                self.state = State::Done;
                if self.part != PartOf::Pipeline {
                    session.expect_ready(io)?;
                }
            }
            tag::EMPTY_QUERY_RESPONSE if session.extended => {
                self.state = State::Done;
                session.completed = true;
                if self.part != PartOf::Pipeline {
                    session.expect_ready(io)?;
                }
            }
            tag::PORTAL_SUSPENDED if self.part == PartOf::Portal => {
                self.state = State::Suspended;
                session.expect_ready(io)?;
            }
            other => {
                // The error takes the place of the descriptions.
                (self.state, self.columns) = (State::Done, 0);
                return Err(if session.extended {
                    session.no_result(io, other)
                } else {
                    session.unexpected(io, other)
                });
            }
        }
        Ok(false)
    }

    /// The only row, pinned, with the statement finished. `None` when there is none.
    pub(crate) fn only(mut self) -> Result<Option<Row<'r>>> {
        match self.find_only() {
            Ok(Some(span)) => {
                let (session, columns) = (self.session, self.columns);
                Ok(Some(session.row(span, columns)))
            }
            Ok(None) => Ok(None),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    fn find_only(&mut self) -> Result<Option<Span>, Fault> {
        self.reserve = limits::RX_RESERVE;
        let Some(span) = self.step()? else { return Ok(None) };
        // Behind its column descriptions.
        let span = self.session.link.pin(span);
        match self.step() {
            Ok(None) => Ok(Some(span)),
            Ok(Some(_)) | Err(Fault::Capacity) => Err(UsageError::TooManyRows.into()),
            Err(fault) => Err(fault),
        }
    }
}

impl Session<'_> {
    fn row(&self, span: Span, count: u16) -> Row<'_> {
        let values = self.link.get(span).get(2..).unwrap_or(&[]);
        Row { columns: self.link.get((0, self.link.pinned())), values, count }
    }

    /// Takes RowDescription and pins it, packed: 6 bytes a column and its name. Where names take
    /// more than half of the receive buffer they are dropped. Works for descriptions larger than
    /// the buffer.
    pub(crate) fn describe(&mut self, io: &mut Lent<'_>) -> Result<u16, Fault> {
        self.link.unpin(0);
        self.no_rows = false;
        let (size, _) = self.link.sizes();
        let mut names = true;
        let count = self.link.take(io, 2)?;
        let count = Reader::new(self.link.get(count)).u16()?;
        for _ in 0..count {
            let length = self.link.cstr_len(io)?;
            let span = self.link.take(io, length.saturating_add(19))?;
            let mut reader = Reader::new(self.link.get(span));
            reader.bytes(length.saturating_add(7))?;
            let oid = reader.u32()?;
            reader.bytes(6)?;
            let format = reader.u16()?;
            if format > 1 {
                return Err(WireError::Malformed.into());
            }
            let wanted = self.link.pinned().saturating_add(COLUMN_HEAD).saturating_add(length);
            if names && (wanted > size / 2 || length > 255) {
                names = false;
                self.link.repin(drop_names);
            }
            let length = if names { length } else { 0 };
            let [a, b, c, d] = oid.to_be_bytes();
            let head = [a, b, c, d, format.to_be_bytes()[1], u8::try_from(length).unwrap_or(0)];
            if self.link.room() < limits::RX_RESERVE.saturating_add(head.len()) {
                let missing = limits::RX_RESERVE.saturating_add(head.len());
                return Err(self.link.too_small(missing));
            }
            self.link.pin_entry(&head, (span.0, length))?;
        }
        if self.link.left() == 0 { Ok(count) } else { Err(WireError::Malformed.into()) }
    }

    /// A message that is not the one awaited: an error or a violation.
    #[inline(never)]
    pub(crate) fn unexpected(&mut self, io: &mut Lent<'_>, tag: u8) -> Fault {
        match tag {
            tag::ERROR_RESPONSE => self.refused(io),
            _ => ProtocolError::UnexpectedMessage.into(),
        }
    }

    /// A message that is no part of a result: an error, COPY (which has its own verbs), or a
    /// violation.
    #[inline(never)]
    pub(crate) fn no_result(&mut self, io: &mut Lent<'_>, tag: u8) -> Fault {
        match tag {
            // The server answers with an error, which the next verb reads over.
            tag::COPY_IN_RESPONSE => self.refuse_copy(io).err().unwrap_or(UsageError::Copy.into()),
            tag::COPY_OUT_RESPONSE => UsageError::Copy.into(),
            other => self.unexpected(io, other),
        }
    }
}

/// Rewrites packed columns without their names; returns the new length.
fn drop_names(packed: &mut [u8]) -> usize {
    let (mut from, mut to) = (0_usize, 0_usize);
    while let Some(&length) = packed.get(from.saturating_add(5)) {
        move_down(packed, from, 5, to);
        if let Some(place) = packed.get_mut(to.saturating_add(5)) {
            *place = 0;
        }
        from = from.saturating_add(COLUMN_HEAD).saturating_add(usize::from(length));
        to = to.saturating_add(COLUMN_HEAD);
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dropped_in_place() {
        let mut packed = *b"\0\0\0\x17\x01\x02id\0\0\0\x19\x01\0\0\0\0\x14\x01\x04name";
        let n = drop_names(&mut packed);
        assert_eq!(&packed[..n], b"\0\0\0\x17\x01\0\0\0\0\x19\x01\0\0\0\0\x14\x01\0");
    }
}
