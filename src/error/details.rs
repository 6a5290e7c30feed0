//! What belongs to an error beside its number, and the error as the user sees it.

use super::{Buffer, Error, ErrorKind, Fault, SqlState};
use crate::types::Oid;

/// A SQLSTATE, the sizes of a buffer, or a column and its types, by the error's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Details {
    pub(super) words: [u32; 2],
    /// Index of the column, or which buffer.
    pub(super) index: u16,
}

impl Details {
    pub(crate) const NONE: Self = Self { words: [0; 2], index: 0 };

    /// Of [`Fault::SERVER`] and [`Fault::EARLIER`].
    #[inline]
    pub(crate) const fn state(state: SqlState) -> Self {
        let [a, b, c, d, e] = state.to_bytes();
        let words = [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, 0, 0, 0])];
        Self { words, index: 0 }
    }

    /// Of [`Fault::CAPACITY`]: bytes that the buffer has, and that would have been enough.
    #[inline]
    pub(crate) const fn capacity(buffer: Buffer, have: u32, needed: u32) -> Self {
        Self { words: [have, needed], index: buffer.number() }
    }

    /// Of [`Fault::of_column`].
    #[inline]
    pub(crate) const fn column(index: u16, wanted: Oid, found: Oid) -> Self {
        Self { words: [wanted, found], index }
    }
}

impl Buffer {
    #[allow(clippy::as_conversions, reason = "the enum is a number")]
    const fn number(self) -> u16 {
        self as u16
    }
}

impl Error {
    /// Whose fault it is.
    pub const fn kind(&self) -> ErrorKind {
        let Self { fault, words: [a, b], index, .. } = *self;
        if fault.is(Fault::SERVER) {
            return ErrorKind::Server(self.state());
        }
        if fault.is(Fault::EARLIER) {
            return ErrorKind::EarlierStatement(self.state());
        }
        if fault.is(Fault::CAPACITY) {
            let buffer = match index {
                1 => Buffer::Tx,
                2 => Buffer::Config,
                3 => Buffer::TlsRecord,
                4 => Buffer::Outbox,
                _ => Buffer::Rx,
            };
            return ErrorKind::Capacity { buffer, have: a, needed: b };
        }
        match fault.column() {
            Some(reason) => ErrorKind::Column { column: index, reason, wanted: a, found: b },
            None => fault.kind(),
        }
    }

    /// The server's SQLSTATE as two words, or that of an error that the server did not send.
    #[cfg(feature = "outbox")]
    pub(crate) const fn state_words(&self) -> [u32; 2] {
        match self.fault.is(Fault::SERVER) {
            true => self.words,
            false => Details::state(SqlState::UNKNOWN).words,
        }
    }

    /// The SQLSTATE in the details.
    pub(super) const fn state(&self) -> SqlState {
        let [a, b] = self.words;
        let ([a, b, c, d], [e, ..]) = (a.to_le_bytes(), b.to_le_bytes());
        SqlState::of([a, b, c, d, e])
    }
}

impl core::fmt::Debug for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.kind()).field("outcome", &self.outcome());
        out.field("usable", &self.is_usable()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Error {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (kind, outcome, usable) = (self.kind(), self.outcome(), self.is_usable());
        defmt::write!(
            f,
            "Error {{ kind: {}, outcome: {}, usable: {=bool} }}",
            kind,
            outcome,
            usable
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Outcome;
    use crate::types::TypeError;

    /// What an error was made of comes back.
    #[test]
    fn details_come_back() {
        let kind = |fault, details| Error::new(fault, details, Outcome::Local, true).kind();
        let state = SqlState::UNIQUE_VIOLATION;
        assert_eq!(kind(Fault::SERVER, Details::state(state)), ErrorKind::Server(state));
        let earlier = kind(Fault::EARLIER, Details::state(state));
        assert_eq!(earlier, ErrorKind::EarlierStatement(state));
        for buffer in [Buffer::Rx, Buffer::Tx, Buffer::Config, Buffer::TlsRecord, Buffer::Outbox] {
            let (have, needed) = (7, u32::MAX);
            let details = Details::capacity(buffer, have, needed);
            assert_eq!(
                kind(Fault::CAPACITY, details),
                ErrorKind::Capacity { buffer, have, needed }
            );
        }
        for reason in [TypeError::Mismatch, TypeError::Null, TypeError::Capacity] {
            let (column, wanted, found) = (u16::MAX, 23, u32::MAX);
            let details = Details::column(column, wanted, found);
            let said = ErrorKind::Column { column, reason, wanted, found };
            assert_eq!(kind(Fault::of_column(reason), details), said);
            assert_eq!(kind(reason.into(), Details::NONE), ErrorKind::Value(reason));
        }
    }
}
