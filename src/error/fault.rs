//! Failures inside the driver: one word, returned in a register.
//!
//! Every function below a verb returns a [`Fault`]; the verb turns it once into the [`Error`] the
//! user sees (`Session::into_error`). Numbers and SQLSTATEs that do not fit are kept by the session.
//! A `Result<(), Fault>` is one word too, 0 for `Ok`: a call and its `?` are six bytes of Thumb-2.
//! Measured on thumbv7m: with the 16-byte error on the way up the driver was twice as large, with
//! an enum of two bytes a twentieth larger.
//!
//! [`Error`]: super::Error

use core::num::NonZeroU32;

#[cfg(feature = "tls")]
use super::numbers::TLS;
use super::numbers::{AUTH, CAPACITY, PLAIN, TRANSPORT, TRUNCATED, USAGE, WIRE};
use super::{DialError, ErrorKind};
use embedded_io::ErrorKind as IoKind;

/// The number of what went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fault(pub(super) NonZeroU32);

impl Fault {
    /// The send buffer is full.
    pub(crate) const FULL: Self = Self::number(WIRE + 2);
    /// The server's; the SQLSTATE is in the session.
    pub(crate) const SERVER: Self = Self::number(PLAIN);
    pub(crate) const NO_SUITABLE_HOST: Self = Self::number(PLAIN + 1);
    pub(crate) const CLOSED: Self = Self::number(PLAIN + 2);
    pub(crate) const HUNG_UP: Self = Self::number(PLAIN + 3);
    pub(crate) const TIMED_OUT: Self = Self::number(PLAIN + 4);
    pub(crate) const BROKEN: Self = Self::number(PLAIN + 5);
    /// A statement whose rows were dropped failed; the SQLSTATE is in the session.
    pub(crate) const EARLIER: Self = Self::number(PLAIN + 6);
    pub(crate) const CLOCK_STOPPED: Self = Self::number(PLAIN + 7);
    /// The numbers are in the link.
    pub(crate) const CAPACITY: Self = Self::number(CAPACITY);
    /// A message was sent in part and cannot be completed.
    pub(crate) const TRUNCATED: Self = Self::number(TRUNCATED);
    /// A record buffer of TLS is too small; the numbers are in the link.
    #[cfg(feature = "tls")]
    pub(crate) const TLS_RECORD: Self = Self::number(PLAIN + 8);

    #[inline]
    pub(super) const fn number(number: u32) -> Self {
        match NonZeroU32::new(number) {
            Some(number) => Self(number),
            // No class has it: the numbers of the first begin with 1.
            None => Self(NonZeroU32::MIN),
        }
    }

    /// Whether a message could not be written, so that none of it was sent.
    pub(crate) const fn is_unsendable(self) -> bool {
        self.0.get() <= CAPACITY
    }

    /// As [`is_unsendable`](Self::is_unsendable), or sent in part.
    pub(crate) const fn is_unsent(self) -> bool {
        self.0.get() <= TRUNCATED
    }

    /// Whether the call did not fit the moment, or the buffer.
    pub(crate) const fn is_local_usage(self) -> bool {
        matches!(self.0.get(), USAGE..=CAPACITY)
    }

    /// Whether nothing is wrong with the link, as long as nothing was sent.
    pub(crate) const fn is_harmless(self) -> bool {
        self.0.get() < PLAIN
    }

    /// Whether the login was refused on this side.
    pub(crate) const fn is_auth(self) -> bool {
        self.0.get() & !0xf == AUTH
    }

    /// Whether the link is lost: the peer closed it, or the transport failed.
    pub(crate) fn is_lost(self) -> bool {
        self == Self::CLOSED || self.0.get() & !0xff == TRANSPORT
    }

    /// Whether the peer ended the link, in order or by a reset.
    pub(crate) fn is_end(self) -> bool {
        self == Self::CLOSED || self == IoKind::ConnectionReset.into()
    }

    /// Whether TLS says so.
    #[cfg(feature = "tls")]
    pub(crate) const fn is_tls(self) -> bool {
        self.0.get() >= TLS
    }

    /// Why no link could be opened, if that is what it is.
    pub(crate) fn dial(self) -> Option<DialError> {
        match self.kind() {
            ErrorKind::Dial(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a value or statement could not be encoded, or does not fit a buffer.
    pub(super) const fn is_unfit(self) -> bool {
        self.0.get() < USAGE || self.0.get() == CAPACITY
    }

    /// Whether it is this one.
    pub(super) const fn is(self, other: Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl core::fmt::Debug for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kind().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{AuthError, ConfigError, ProtocolError, UsageError};
    #[cfg(feature = "tls")]
    use crate::error::{CertificateError, TlsError};
    use crate::wire::WireError;

    #[test]
    fn a_result_is_one_word() {
        assert_eq!(size_of::<Result<(), Fault>>(), 4);
    }

    #[test]
    fn kinds_come_back() {
        let faults = [
            (Fault::from(ConfigError::Hosts), ErrorKind::Config(ConfigError::Hosts)),
            (Fault::from(AuthError::Rejected), ErrorKind::Auth(AuthError::Rejected)),
            (
                Fault::from(ProtocolError::NotPostgres),
                ErrorKind::Protocol(ProtocolError::NotPostgres),
            ),
            (Fault::from(UsageError::ColumnCount), ErrorKind::Usage(UsageError::ColumnCount)),
            (Fault::from(WireError::Malformed), ErrorKind::Protocol(ProtocolError::Malformed)),
            (Fault::from(WireError::Full), ErrorKind::Encode(WireError::Full)),
            (Fault::from(WireError::Drain), ErrorKind::Encode(WireError::Drain)),
            (Fault::from(DialError::TimedOut), ErrorKind::Dial(DialError::TimedOut)),
            (
                Fault::from(DialError::Failed(IoKind::WriteZero)),
                ErrorKind::Dial(DialError::Failed(IoKind::WriteZero)),
            ),
            (Fault::from(IoKind::Other), ErrorKind::Transport(IoKind::Other)),
            (Fault::from(IoKind::WriteZero), ErrorKind::Transport(IoKind::WriteZero)),
            (Fault::NO_SUITABLE_HOST, ErrorKind::NoSuitableHost),
            (Fault::CLOSED, ErrorKind::Closed),
            (Fault::HUNG_UP, ErrorKind::HungUp),
            (Fault::TIMED_OUT, ErrorKind::TimedOut),
            (Fault::BROKEN, ErrorKind::Broken),
        ];
        for (fault, kind) in faults {
            assert_eq!(fault.kind(), kind);
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn kinds_of_tls_come_back() {
        for error in [
            TlsError::NotOffered,
            TlsError::ClientKey,
            TlsError::NoGroup,
            TlsError::NoAlpn,
            TlsError::Alert(0),
            TlsError::Alert(255),
            TlsError::Certificate(CertificateError::Malformed),
            TlsError::Certificate(CertificateError::TooMuchWork),
        ] {
            assert_eq!(Fault::from(error).kind(), ErrorKind::Tls(error));
        }
    }

    /// Every number below has one meaning, and no class reaches into the next.
    #[test]
    fn no_two_numbers_mean_the_same() {
        let mut seen = std::vec::Vec::new();
        for n in 1..0x700 {
            let kind = Fault::number(n).kind();
            if kind != ErrorKind::Broken {
                assert!(!seen.contains(&kind), "{kind:?}");
                seen.push(kind);
            }
        }
    }
}
