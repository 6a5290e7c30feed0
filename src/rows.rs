//! Results: rows one at a time, lent from the receive buffer.

use crate::error::{Error, ErrorKind, ProtocolError, Result, UsageError};
use crate::framed::Span;
use crate::limits;
use crate::row::{COLUMN_HEAD, Columns, Row};
use crate::session::Session;
use crate::transport::Io;
use crate::wire::backend::{check_row, tag};
use crate::wire::{Reader, WireError};

/// The rows of a statement. Dropping it early is fine: the next verb reads over the rest.
pub struct Rows<'r, 'b> {
    session: &'r mut Session<'b>,
    io: &'r mut (dyn Io + 'r),
    state: State,
    columns: u16,
    affected: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// DataRow or the end comes next.
    Rows,
    /// A simple query's result ended; another may follow.
    Between,
    Done,
}

impl<'r, 'b> Rows<'r, 'b> {
    /// `columns`: from RowDescription, which is pinned already.
    pub(crate) fn new(
        session: &'r mut Session<'b>,
        io: &'r mut (dyn Io + 'r),
        columns: u16,
    ) -> Self {
        let state = if session.extended { State::Rows } else { State::Between };
        Self { session, io, state, columns, affected: 0 }
    }

    /// The next row, or `None` at the end of the result.
    ///
    /// # Errors
    /// A row larger than the receive buffer gives [`ErrorKind::Capacity`]: it was skipped, and
    /// the next call goes on behind it. [`ErrorKind::Server`]: the statement failed and had no
    /// effect. After any other error the connection is dead.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator cannot be an Iterator")]
    pub fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self.step()? {
            Some(span) => self.lend(span).map(Some),
            None => Ok(None),
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

    /// Reads to the end of the statement, dropping the rows that are left. Returns the number of
    /// rows touched.
    ///
    /// # Errors
    /// As [`next`](Self::next); rows that are too large are no error here.
    pub fn finish(mut self) -> Result<u64> {
        loop {
            match self.step() {
                Ok(Some(_)) => {}
                Ok(None) if self.state == State::Between => {
                    self.next_result()?;
                }
                Ok(None) => return Ok(self.affected),
                Err(error) if matches!(error.kind(), ErrorKind::Capacity { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes on to the next result of a simple query with several statements. `false` when there
    /// is none. Rows of the current result that were not read are dropped.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_result(&mut self) -> Result<bool> {
        while self.state == State::Rows {
            match self.step() {
                Err(error) if !matches!(error.kind(), ErrorKind::Capacity { .. }) => {
                    return Err(error);
                }
                _ => {}
            }
        }
        if self.state == State::Done {
            return Ok(false);
        }
        self.session.link.unpin(0);
        self.columns = 0;
        let (session, io) = (&mut *self.session, &mut *self.io);
        loop {
            match session.next(io).map_err(|kind| session.fail(kind))? {
                tag::ROW_DESCRIPTION => {
                    // If this fails the rest is read over by the next verb.
                    self.state = State::Done;
                    self.columns = session.describe(io).map_err(|kind| session.fail(kind))?;
                    self.state = State::Rows;
                    return Ok(true);
                }
                tag::COMMAND_COMPLETE => {
                    let tag = session.command_complete(io).map_err(|kind| session.fail(kind))?;
                    self.affected = tag.rows;
                    return Ok(true);
                }
                tag::EMPTY_QUERY_RESPONSE => self.affected = 0,
                tag::READY_FOR_QUERY => {
                    self.state = State::Done;
                    session.ready(io).map_err(|kind| session.fail(kind))?;
                    return Ok(false);
                }
                tag::ERROR_RESPONSE => {
                    self.state = State::Done;
                    return Err(session.refused(io));
                }
                other => return Err(session.unexpected(io, other)),
            }
        }
    }

    /// The next row's place, with its count, or `None` at the end.
    fn step(&mut self) -> Result<Option<Span>> {
        if self.state != State::Rows {
            return Ok(None);
        }
        let (session, io) = (&mut *self.session, &mut *self.io);
        match session.next(io).map_err(|kind| session.fail(kind))? {
            tag::DATA_ROW => {
                let needed = session.link.left();
                if needed > session.link.room() {
                    return Err(Error::local(session.link.too_small(needed)));
                }
                session.link.body(io).map(Some).map_err(|kind| session.fail(kind))
            }
            tag::COMMAND_COMPLETE => {
                let tag = session.command_complete(io).map_err(|kind| session.fail(kind))?;
                self.affected = tag.rows;
                self.state = State::Between;
                if session.extended {
                    self.state = State::Done;
                    session.expect_ready(io)?;
                }
                Ok(None)
            }
            tag::EMPTY_QUERY_RESPONSE => {
                self.state = State::Done;
                session.expect_ready(io)?;
                Ok(None)
            }
            tag::ERROR_RESPONSE => {
                self.state = State::Done;
                Err(session.refused(io))
            }
            other => {
                self.state = State::Done;
                Err(session.unexpected(io, other))
            }
        }
    }

    /// The row at a span that was just taken.
    fn lend(&mut self, span: Span) -> Result<Row<'_>> {
        // Checked here, once: a malformed row ends the connection.
        if check_row(self.session.link.get(span), self.columns).is_err() {
            self.state = State::Done;
            return Err(self.session.fail(ErrorKind::Protocol(ProtocolError::Malformed)));
        }
        Ok(self.session.row(span, self.columns))
    }

    /// The only row, pinned, with the statement finished. `None` when there is none.
    pub(crate) fn only(mut self) -> Result<Option<Row<'r>>> {
        let Some(span) = self.step()? else { return Ok(None) };
        self.lend(span)?;
        let needed = span.1.saturating_add(limits::RX_RESERVE);
        if needed > self.session.link.room() {
            return Err(Error::local(self.session.link.too_small(needed)));
        }
        let span = self.session.link.pin(span);
        if self.step()?.is_some() {
            return Err(Error::local(ErrorKind::Usage(UsageError::TooManyRows)));
        }
        let (session, columns) = (self.session, self.columns);
        Ok(Some(session.row(span, columns)))
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
    pub(crate) fn describe(&mut self, io: &mut dyn Io) -> core::result::Result<u16, ErrorKind> {
        self.link.unpin(0);
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

    /// A message that has no place in the answer: COPY, which has its own verbs, or a violation.
    pub(crate) fn unexpected(&mut self, io: &mut dyn Io, tag: u8) -> Error {
        let copy = Error::local(ErrorKind::Usage(UsageError::Copy));
        match tag {
            // The server answers with an error, which the next verb reads over.
            tag::COPY_IN_RESPONSE => {
                self.refuse_copy(io).map_or_else(|kind| self.fail(kind), |()| copy)
            }
            tag::COPY_OUT_RESPONSE => copy,
            _ => self.fail(ErrorKind::Protocol(ProtocolError::UnexpectedMessage)),
        }
    }
}

/// Rewrites packed columns without their names; returns the new length.
fn drop_names(packed: &mut [u8]) -> usize {
    let (mut from, mut to) = (0_usize, 0_usize);
    while let Some(&length) = packed.get(from.saturating_add(5)) {
        let head = from..from.saturating_add(5);
        if head.end >= packed.len() || to > from {
            break;
        }
        packed.copy_within(head, to);
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
