//! What belongs to an error beside its number, and the error as the user sees it.

use core::num::NonZeroU32;

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

/// Errors that are kept or sent, to be printed elsewhere.
impl Error {
    /// The error as 16 bytes: for a log in flash, a backup register, a message over a slow link. Words are
    /// some 6 KB of flash, 7 with TLS; a program that never prints an error does not hold them.
    ///
    /// [`from_bytes`](Self::from_bytes) makes the error of them again where there is room, and
    /// `cargo run --features std,tls,outbox --example error` prints it. A server's message
    /// ([`server_error`](crate::Connection::server_error)) is not among them; its SQLSTATE is.
    ///
    /// ```
    /// use barepg::{DialError, Error};
    /// let kept = Error::from(DialError::TimedOut).to_bytes();
    /// let error = Error::from_bytes(kept).unwrap();
    /// assert_eq!(error.to_string(), "no link: timed out; not sent, connection dead");
    /// ```
    pub const fn to_bytes(&self) -> [u8; 16] {
        let Self { fault, words: [first, second], index, outcome, usable } = *self;
        let [a, b, c, d] = fault.0.get().to_le_bytes();
        let [e, f, g, h] = first.to_le_bytes();
        let [i, j, k, l] = second.to_le_bytes();
        let [m, n] = index.to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, outcome, usable]
    }

    /// The error that [`to_bytes`](Self::to_bytes) gave. `None` where no error of this build is so: the bytes are
    /// those of the same version of this crate, and a build without TLS or without the outbox does not know
    /// their errors.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, outcome, usable] = bytes;
        let fault = Fault(NonZeroU32::new(u32::from_le_bytes([a, b, c, d]))?);
        let words = [u32::from_le_bytes([e, f, g, h]), u32::from_le_bytes([i, j, k, l])];
        let details = Details { words, index: u16::from_le_bytes([m, n]) };
        let error = Self { fault, words, index: details.index, outcome, usable };
        let is_state = fault.is(Fault::SERVER) || fault.is(Fault::EARLIER);
        let is_said = match error.kind() {
            _ if is_state => Details::state(SqlState::from_field(&[e, f, g, h, i])) == details,
            ErrorKind::Capacity { buffer, .. } => buffer.number() == details.index,
            ErrorKind::Broken => fault.is(Fault::BROKEN),
            _ => true,
        };
        let same = Self::new(fault, details, error.outcome(), error.is_usable());
        (is_said && same == error).then_some(error)
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

    /// Every error comes back from its bytes, and nothing else is one.
    #[test]
    fn errors_come_back_from_their_bytes() {
        let column = Details::column(3, 23, 701);
        let mut known = 0;
        for number in 0..0x600 {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&u32::to_le_bytes(number));
            let Some(error) = Error::from_bytes(bytes) else { continue };
            known += 1;
            assert_eq!(error.to_bytes(), bytes);
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, false));
            assert_eq!(error.kind() == ErrorKind::Broken, error.fault == Fault::BROKEN);
        }
        // 255 alerts, 18 errors of transports twice, and the rest.
        assert!(known > if cfg!(feature = "tls") { 380 } else { 100 }, "{known}");
        for (fault, details) in [
            (Fault::SERVER, Details::state(SqlState::UNIQUE_VIOLATION)),
            (Fault::EARLIER, Details::state(SqlState::UNKNOWN)),
            (Fault::CAPACITY, Details::capacity(Buffer::Outbox, 64, u32::MAX)),
            (Fault::of_column(TypeError::Null), column),
        ] {
            for outcome in [Outcome::NotSent, Outcome::Refused, Outcome::Unknown, Outcome::Local] {
                let error = Error::new(fault, details, outcome, outcome == Outcome::Refused);
                let bytes = error.to_bytes();
                assert_eq!(Error::from_bytes(bytes), Some(error));
                let with = |at: usize, byte: u8| {
                    let mut bytes = bytes;
                    bytes[at] = byte;
                    Error::from_bytes(bytes)
                };
                assert_eq!(with(14, 4), None);
                assert_eq!(with(15, 2), None);
                assert_eq!(with(3, 1), None);
                let is_state = fault == Fault::SERVER || fault == Fault::EARLIER;
                assert_eq!(with(8, b'a').is_none(), is_state);
                assert_eq!(with(12, 9).is_none(), is_state || fault == Fault::CAPACITY);
            }
        }
        assert_eq!(Error::from_bytes([0xff; 16]), None);
    }
}
