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

use super::{AuthError, ConfigError, DialError, ErrorKind, ProtocolError, UsageError};
#[cfg(feature = "tls")]
use super::{CertificateError, TlsError};
use crate::wire::WireError;
use embedded_io::ErrorKind as IoKind;

/// The number of what went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fault(NonZeroU32);

// Numbers below 256 fit the short instructions. The classes of 16 are distinguished by the digit in
// front, those of 256 by the digits in front. Their order makes one comparison of what `into_error`
// and others ask: what could not be written comes first, what is the configuration's fault after it.
const WIRE: u32 = 0x00;
const USAGE: u32 = 0x10;
const CAPACITY: u32 = 0x20;
const TRUNCATED: u32 = 0x21;
const CONFIG: u32 = 0x30;
const PLAIN: u32 = 0x40;
const PROTOCOL: u32 = 0x50;
const AUTH: u32 = 0x60;
const DIAL: u32 = 0x70;
const TRANSPORT: u32 = 0x100;
const DIAL_FAILED: u32 = 0x200;
#[cfg(feature = "tls")]
const TLS: u32 = 0x300;
#[cfg(feature = "tls")]
const ALERT: u32 = 0x400;
#[cfg(feature = "tls")]
const CERTIFICATE: u32 = 0x500;

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
    const fn number(number: u32) -> Self {
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

    /// What the user sees of it, as far as the number says.
    pub(crate) fn kind(self) -> ErrorKind {
        let number = self.0.get();
        let payload = number & 0xff;
        let kind = match number & !0xff {
            0 => near(number),
            TRANSPORT => transport(payload).map(ErrorKind::Transport),
            DIAL_FAILED => transport(payload).map(|kind| ErrorKind::Dial(DialError::Failed(kind))),
            #[cfg(feature = "tls")]
            TLS => tls(payload).map(ErrorKind::Tls),
            #[cfg(feature = "tls")]
            ALERT => Some(ErrorKind::Tls(TlsError::Alert(payload.to_le_bytes()[0]))),
            #[cfg(feature = "tls")]
            CERTIFICATE => certificate(payload).map(|e| ErrorKind::Tls(TlsError::Certificate(e))),
            _ => None,
        };
        kind.unwrap_or(ErrorKind::Broken)
    }
}

/// The classes of 16.
fn near(number: u32) -> Option<ErrorKind> {
    let payload = number & 0xf;
    match number & !0xf {
        WIRE => wire(payload).map(ErrorKind::Encode),
        USAGE => usage(payload).map(ErrorKind::Usage),
        PROTOCOL => protocol(payload).map(ErrorKind::Protocol),
        AUTH => auth(payload).map(ErrorKind::Auth),
        CONFIG => config(payload).map(ErrorKind::Config),
        DIAL => dial(payload).map(ErrorKind::Dial),
        PLAIN => match payload {
            1 => Some(ErrorKind::NoSuitableHost),
            2 => Some(ErrorKind::Closed),
            3 => Some(ErrorKind::HungUp),
            4 => Some(ErrorKind::TimedOut),
            7 => Some(ErrorKind::ClockStopped),
            _ => None,
        },
        _ => None,
    }
}

impl core::fmt::Debug for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kind().fmt(f)
    }
}

/// Both ways between the values of an enum and their numbers, which are counted here. Too many
/// for the class do not compile.
macro_rules! numbered {
    ($decode:ident $base:ident $size:literal $error:ty:
        $($(#[$cfg:meta])? $variant:ident)* $(; else $other:ident)?) => {
        /// The numbers, from 0 on.
        #[allow(non_upper_case_globals, clippy::as_conversions, reason = "names and numbers of an enum")]
        mod $decode {
            enum Number { $($(#[$cfg])? $variant,)* Count }
            const _: () = assert!(Number::Count as u32 <= $size, "the class is full");
            $($(#[$cfg])? pub(super) const $variant: u32 = Number::$variant as u32;)*
        }

        impl From<$error> for Fault {
            #[inline]
            fn from(error: $error) -> Self {
                Self::number($base | match error {
                    $($(#[$cfg])? <$error>::$variant => $decode::$variant,)*
                    $(_ => $decode::$other,)?
                })
            }
        }

        fn $decode(payload: u32) -> Option<$error> {
            match payload {
                $($(#[$cfg])? $decode::$variant => Some(<$error>::$variant),)*
                _ => None,
            }
        }
    };
}

impl From<WireError> for Fault {
    #[inline]
    fn from(error: WireError) -> Self {
        match error {
            // What the peer sent.
            WireError::Malformed => Self::from(ProtocolError::Malformed),
            // Its own number, from 2 on.
            error => Self::number(error.number()),
        }
    }
}

fn wire(payload: u32) -> Option<WireError> {
    match payload {
        2 => Some(WireError::Full),
        3 => Some(WireError::Nul),
        4 => Some(WireError::TooLong),
        5 => Some(WireError::Value),
        6 => Some(WireError::Source),
        7 => Some(WireError::Drain),
        8 => Some(WireError::Empty),
        _ => None,
    }
}

numbered!(usage USAGE 16 UsageError:
    StaleStatement ParameterCount ParameterType NoRows TooManyRows Copy NotCopy
    CopyFormat PipelineFull InTransaction RolledBack NotInTransaction NoColumn ColumnCount);
numbered!(protocol PROTOCOL 16 ProtocolError:
    UnexpectedMessage BadLength Malformed Unsolicited BadTlsAnswer BadVersion Encoding NotPostgres);
numbered!(auth AUTH 16 AuthError:
    MethodNotAllowed UnknownMethod NoEntropy Iterations ServerSignature Nonce
    Malformed Dialect GaussMd5Sha256 StaleKeys ChannelBinding Rejected HashHardware);
numbered!(config CONFIG 16 ConfigError:
    NoUser NoPassword TlsUnavailable NoRootCertificate RootCertificate NoHost
    ClientCertificate DirectTls BufferTooSmall Nul BadKey Hosts ConnectionString PasswordForm
    #[cfg(feature = "std")] RevocationList
    #[cfg(feature = "tls-client-cert")] ClientKey);
numbered!(transport TRANSPORT 256 IoKind:
    Other NotFound PermissionDenied ConnectionRefused ConnectionReset
    ConnectionAborted NotConnected AddrInUse AddrNotAvailable BrokenPipe
    AlreadyExists InvalidInput InvalidData TimedOut Interrupted Unsupported
    OutOfMemory WriteZero; else Other);
#[cfg(feature = "tls")]
numbered!(certificate CERTIFICATE 256 CertificateError:
    Malformed Missing UnknownIssuer BadSignature BadKey UnsupportedAlgorithm
    Expired NotYetValid ClockNotSet NotCa KeyUsage ExtendedKeyUsage PathLength
    NameConstraints CriticalExtension HostName TooMuchWork);

impl From<DialError> for Fault {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NoMoreAddresses => Self::number(DIAL),
            DialError::UnknownHost => Self::number(DIAL | 1),
            DialError::TimedOut => Self::number(DIAL | 2),
            DialError::PasswordTooLong => Self::number(DIAL | 3),
            DialError::NotAnAddress => Self::number(DIAL | 4),
            DialError::Failed(kind) => Self::number(DIAL_FAILED | Self::from(kind).0.get() & 0xff),
        }
    }
}

fn dial(payload: u32) -> Option<DialError> {
    match payload {
        0 => Some(DialError::NoMoreAddresses),
        1 => Some(DialError::UnknownHost),
        2 => Some(DialError::TimedOut),
        3 => Some(DialError::PasswordTooLong),
        4 => Some(DialError::NotAnAddress),
        _ => None,
    }
}

#[cfg(feature = "tls")]
impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::NotOffered => Self::number(TLS),
            TlsError::NotTls => Self::number(TLS | 1),
            TlsError::NoTls13 => Self::number(TLS | 2),
            TlsError::Unauthenticated => Self::number(TLS | 3),
            TlsError::Handshake => Self::number(TLS | 4),
            TlsError::Record => Self::number(TLS | 5),
            TlsError::ClientCertificate => Self::number(TLS | 6),
            TlsError::ClientKey => Self::number(TLS | 7),
            TlsError::NoGroup => Self::number(TLS | 8),
            TlsError::NoAlpn => Self::number(TLS | 9),
            TlsError::Alert(description) => Self::number(ALERT | u32::from(description)),
            TlsError::Certificate(error) => Self::from(error),
        }
    }
}

#[cfg(feature = "tls")]
fn tls(payload: u32) -> Option<TlsError> {
    match payload {
        0 => Some(TlsError::NotOffered),
        1 => Some(TlsError::NotTls),
        2 => Some(TlsError::NoTls13),
        3 => Some(TlsError::Unauthenticated),
        4 => Some(TlsError::Handshake),
        5 => Some(TlsError::Record),
        6 => Some(TlsError::ClientCertificate),
        7 => Some(TlsError::ClientKey),
        8 => Some(TlsError::NoGroup),
        9 => Some(TlsError::NoAlpn),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
