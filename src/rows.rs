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
    /// A row comes next, or was found.
    found: bool,
    /// Bytes that must stay free behind a row.
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
    /// RowDescription, if there is one, is pinned already.
    pub(crate) fn new(session: &'r mut Session<'b>, io: Lent<'r>) -> Self {
        let state = if session.extended { State::Rows } else { State::Between };
        session.rows = 0;
        Self { session, io, state, found: false, reserve: 0, part: PartOf::Statement }
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
            Ok(()) if self.found => Ok(Some(self.session.row())),
            Ok(()) => Ok(None),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    /// Descriptions of the columns.
    pub fn columns(&self) -> Columns<'_> {
        let link = &self.session.link;
        Columns::new(link.get((0, link.pinned())), self.session.columns)
    }

    /// Rows that the finished statement touched or returned, as CommandComplete counted them.
    pub const fn affected(&self) -> u64 {
        self.session.rows
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
        Ok(self.session.rows)
    }

    /// Goes on to the next result of a simple query with several statements. `false` when there
    /// is none. Rows of the current result that were not read are dropped.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn next_result(&mut self) -> Result<bool> {
        match self.advance() {
            Ok(()) => Ok(self.found),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    fn advance(&mut self) -> Result<(), Fault> {
        self.session.alive()?;
        while self.state == State::Rows {
            match self.step() {
                Ok(()) | Err(Fault::CAPACITY) => {}
                Err(fault) => return Err(fault),
            }
        }
        self.found = false;
        if self.state != State::Between {
            return Ok(());
        }
        // If anything fails the rest is read over by the next verb.
        self.state = State::Done;
        let (session, io) = (&mut *self.session, &mut self.io);
        session.columns = 0;
        session.link.unpin(0);
        loop {
            session.next(io)?;
            match session.link.tag {
                tag::ROW_DESCRIPTION => {
                    session.describe(io)?;
                    self.state = State::Rows;
                    break;
                }
                tag::COMMAND_COMPLETE => {
                    session.command_complete(io)?;
                    self.state = State::Between;
                    break;
                }
                tag::EMPTY_QUERY_RESPONSE => (session.rows, session.completed) = (0, true),
                tag::READY_FOR_QUERY if session.completed => return session.ready(io),
                _ => return Err(session.no_result(io)),
            }
        }
        self.found = true;
        Ok(())
    }

    /// Takes the next row, checked, if there is one.
    fn step(&mut self) -> Result<(), Fault> {
        self.head()?;
        if !self.found {
            return Ok(());
        }
        let link = &mut self.session.link;
        let needed = link.left().saturating_add(self.reserve);
        if needed > link.room() {
            return Err(link.too_small(needed));
        }
        link.body(&mut self.io)?;
        check_row(link.taken(), self.session.columns)?;
        Ok(())
    }

    /// Takes the header of the next row, if there is one.
    pub(crate) fn head(&mut self) -> Result<(), Fault> {
        self.session.alive()?;
        self.found = false;
        if self.state != State::Rows {
            return Ok(());
        }
        let (session, io) = (&mut *self.session, &mut self.io);
        session.next(io)?;
        self.state = match session.link.tag {
            tag::DATA_ROW if !session.no_rows => {
                self.found = true;
                return Ok(());
            }
            tag::COMMAND_COMPLETE => {
                session.command_complete(io)?;
                if session.extended { State::Done } else { State::Between }
            }
            tag::EMPTY_QUERY_RESPONSE if session.extended => {
                session.completed = true;
                State::Done
            }
            tag::PORTAL_SUSPENDED if self.part == PartOf::Portal => State::Suspended,
            _ => {
                // The error takes the place of the descriptions.
                self.state = State::Done;
                session.columns = 0;
                return Err(match session.extended {
                    true => session.no_result(io),
                    false => session.unexpected(io),
                });
            }
        };
        if self.state == State::Between || self.part == PartOf::Pipeline {
            return Ok(());
        }
        session.expect_ready(io)
    }

    /// Whether the last step found a row.
    pub(crate) const fn found(&self) -> bool {
        self.found
    }

    /// The only row, pinned, with the statement finished. `None` when there is none.
    pub(crate) fn only(mut self) -> Result<Option<Row<'r>>> {
        match self.find_only() {
            Ok(Some(span)) => {
                let session = self.session;
                session.link.show(span);
                Ok(Some(session.row()))
            }
            Ok(None) => Ok(None),
            Err(fault) => Err(self.session.verdict(fault)),
        }
    }

    fn find_only(&mut self) -> Result<Option<Span>, Fault> {
        self.reserve = limits::RX_RESERVE;
        self.step()?;
        if !self.found {
            return Ok(None);
        }
        // Behind its column descriptions.
        self.session.link.pin();
        let span = self.session.link.span();
        match self.step() {
            Ok(()) if !self.found => Ok(Some(span)),
            Ok(()) | Err(Fault::CAPACITY) => Err(UsageError::TooManyRows.into()),
            Err(fault) => Err(fault),
        }
    }
}

impl Session<'_> {
    /// The row that was taken last.
    fn row(&self) -> Row<'_> {
        let values = self.link.taken().get(2..).unwrap_or(&[]);
        Row { columns: self.link.get((0, self.link.pinned())), values, count: self.columns }
    }

    /// Takes RowDescription and pins it, packed: 6 bytes a column and its name. Where names take
    /// more than half of the receive buffer they are dropped. Works for descriptions larger than
    /// the buffer.
    pub(crate) fn describe(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.unpin(0);
        self.no_rows = false;
        let (size, _) = self.link.sizes();
        let mut names = true;
        self.columns = self.link.count(io)?;
        for _ in 0..self.columns {
            let length = self.link.cstr_len(io)?;
            self.link.take(io, length.saturating_add(19))?;
            let mut reader = Reader::new(self.link.taken());
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
            let reserve = limits::RX_RESERVE.saturating_add(head.len());
            if self.link.room() < reserve {
                return Err(self.link.too_small(reserve));
            }
            self.link.pin_entry(&head, length)?;
        }
        if self.link.left() == 0 { Ok(()) } else { Err(WireError::Malformed.into()) }
    }

    /// A message that is not the one awaited: an error or a violation.
    #[inline(never)]
    pub(crate) fn unexpected(&mut self, io: &mut Lent<'_>) -> Fault {
        match self.link.tag {
            tag::ERROR_RESPONSE => self.refused(io),
            _ => ProtocolError::UnexpectedMessage.into(),
        }
    }

    /// A message that is no part of a result: an error, COPY (which has its own verbs), or a
    /// violation.
    #[inline(never)]
    pub(crate) fn no_result(&mut self, io: &mut Lent<'_>) -> Fault {
        match self.link.tag {
            // The server answers with an error, which the next verb reads over.
            tag::COPY_IN_RESPONSE => self.refuse_copy(io).err().unwrap_or(UsageError::Copy.into()),
            tag::COPY_OUT_RESPONSE => UsageError::Copy.into(),
            _ => self.unexpected(io),
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
