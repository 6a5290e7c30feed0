//! The numbers of faults: which class an enum has, and both ways between its values and numbers.

#[cfg(feature = "outbox")]
use super::OutboxError;
use super::{AuthError, ConfigError, DialError, ErrorKind, Fault, ProtocolError, UsageError};
#[cfg(feature = "tls")]
use super::{CertificateError, TlsError};
use crate::types::TypeError;
use crate::wire::WireError;
use embedded_io::ErrorKind as IoKind;

// Numbers below 256 fit the short instructions. The classes of 16 are distinguished by the digit in
// front, those of 256 by the digits in front. Their order makes one comparison of what `into_error`
// and others ask: what could not be written comes first, what is the configuration's fault after it.
pub(super) const WIRE: u32 = 0x00;
pub(super) const USAGE: u32 = 0x10;
pub(super) const CAPACITY: u32 = 0x20;
pub(super) const TRUNCATED: u32 = 0x21;
pub(super) const CONFIG: u32 = 0x30;
pub(super) const PLAIN: u32 = 0x40;
const PROTOCOL: u32 = 0x50;
pub(super) const AUTH: u32 = 0x60;
const DIAL: u32 = 0x70;
/// Of a column, or of a part of a value; the column is in the error's details.
const COLUMN: u32 = 0x80;
const VALUE: u32 = 0x90;
#[cfg(feature = "outbox")]
const OUTBOX: u32 = 0xa0;
pub(super) const TRANSPORT: u32 = 0x100;
const DIAL_FAILED: u32 = 0x200;
#[cfg(feature = "tls")]
pub(super) const TLS: u32 = 0x300;
#[cfg(feature = "tls")]
const ALERT: u32 = 0x400;
#[cfg(feature = "tls")]
const CERTIFICATE: u32 = 0x500;

/// What a number stands for, as the user sees it.
macro_rules! named {
    ($found:expr, $error:ident => $kind:expr) => {
        match $found {
            Some($error) => $kind,
            None => ErrorKind::Broken,
        }
    };
}

impl Fault {
    /// What the user sees of it, as far as the number says.
    pub(crate) const fn kind(self) -> ErrorKind {
        let number = self.0.get();
        let payload = number & 0xff;
        match number & !0xff {
            0 => near(number),
            TRANSPORT => named!(transport(payload), kind => ErrorKind::Transport(kind)),
            DIAL_FAILED => {
                named!(transport(payload), kind => ErrorKind::Dial(DialError::Failed(kind)))
            }
            #[cfg(feature = "tls")]
            TLS => named!(tls(payload), error => ErrorKind::Tls(error)),
            #[cfg(feature = "tls")]
            ALERT => ErrorKind::Tls(TlsError::Alert(payload.to_le_bytes()[0])),
            #[cfg(feature = "tls")]
            CERTIFICATE => {
                named!(certificate(payload), error => ErrorKind::Tls(TlsError::Certificate(error)))
            }
            _ => ErrorKind::Broken,
        }
    }

    /// Whether a person must act, as far as the number says: [`Error::remedy`](super::Error::remedy) is
    /// of those that are not the server's. By number, so that who asks does not hold the kinds.
    pub(super) const fn is_for_operator(self) -> bool {
        let number = self.0.get();
        // The numbers of a class, a bit each.
        let those = match number & !0xf {
            USAGE | CONFIG | COLUMN | VALUE => !0,
            // The password is too long, `hostaddr` is no address.
            DIAL => 1 << 3 | 1 << 4,
            PROTOCOL => {
                1 << protocol::NotPostgres | 1 << protocol::BadVersion | 1 << protocol::Encoding
            }
            // A source of random bytes may be slow to start, a peripheral in use elsewhere.
            AUTH => !(1 << auth::NoEntropy | 1 << auth::HashHardware),
            #[cfg(feature = "outbox")]
            OUTBOX => !(1 << outbox::Full | 1 << outbox::NoEntropy | 1 << outbox::Worn),
            #[cfg(feature = "tls")]
            TLS.. => return self.is_trust(),
            _ => 0,
        };
        those >> (number & 0xf) & 1 == 1_u32
    }

    /// Whether it is one of TLS that a repetition does not help against.
    #[cfg(feature = "tls")]
    const fn is_trust(self) -> bool {
        let number = self.0.get();
        let alert = number & 0xff;
        match number & !0xff {
            // The handshake, a record.
            TLS => !matches!(alert, 4 | 5),
            // unexpected_message, bad_record_mac, record_overflow, decode_error, internal_error,
            // user_canceled: no question of configuration.
            ALERT => !matches!(alert, 10 | 20 | 22 | 50 | 80 | 90),
            // A board that learns the time from the network does so after its start.
            CERTIFICATE => alert != certificate::ClockNotSet,
            _ => true,
        }
    }

    /// Why a column could not be read, if that is what it is.
    pub(super) const fn column(self) -> Option<TypeError> {
        match self.0.get() & !0xf {
            COLUMN => value(self.0.get() & 0xf),
            _ => None,
        }
    }

    /// That a column could not be read.
    #[inline]
    pub(crate) fn of_column(reason: TypeError) -> Self {
        Self::number(Self::from(reason).0.get() ^ VALUE ^ COLUMN)
    }

    /// What could not be sent. (`From` takes what is malformed for the peer's.)
    pub(super) const fn encode(error: WireError) -> Self {
        Self::number(error.number())
    }
}

/// The classes of 16.
const fn near(number: u32) -> ErrorKind {
    let payload = number & 0xf;
    match number & !0xf {
        WIRE => named!(wire(payload), error => ErrorKind::Encode(error)),
        USAGE => named!(usage(payload), error => ErrorKind::Usage(error)),
        PROTOCOL => named!(protocol(payload), error => ErrorKind::Protocol(error)),
        AUTH => named!(auth(payload), error => ErrorKind::Auth(error)),
        CONFIG => named!(config(payload), error => ErrorKind::Config(error)),
        DIAL => named!(dial(payload), error => ErrorKind::Dial(error)),
        VALUE => named!(value(payload), error => ErrorKind::Value(error)),
        #[cfg(feature = "outbox")]
        OUTBOX => named!(outbox(payload), error => ErrorKind::Outbox(error)),
        PLAIN => match payload {
            1 => ErrorKind::NoSuitableHost,
            2 => ErrorKind::Closed,
            3 => ErrorKind::HungUp,
            4 => ErrorKind::TimedOut,
            7 => ErrorKind::ClockStopped,
            _ => ErrorKind::Broken,
        },
        _ => ErrorKind::Broken,
    }
}

/// Both ways between the values of an enum and their numbers, which are counted here. Too many
/// for the class do not compile.
macro_rules! numbered {
    ($decode:ident $base:ident $size:literal $error:ty:
        $($(#[$cfg:meta])? $variant:ident)* $(; else $other:ident)?) => {
        /// The numbers, from 0 on: the same in every build, for devices send them to others.
        #[allow(dead_code, non_upper_case_globals, clippy::as_conversions, reason = "names and numbers of an enum")]
        mod $decode {
            enum Number { $($variant,)* Count }
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

        const fn $decode(payload: u32) -> Option<$error> {
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

const fn wire(payload: u32) -> Option<WireError> {
    match payload {
        1 => Some(WireError::Malformed),
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
    CopyFormat PipelineFull InTransaction RolledBack NotInTransaction NoColumn ColumnCount
    PartlyRead);
numbered!(protocol PROTOCOL 16 ProtocolError:
    UnexpectedMessage BadLength Malformed Unsolicited BadTlsAnswer BadVersion Encoding NotPostgres
    UnsolicitedTransaction);
numbered!(auth AUTH 16 AuthError:
    MethodNotAllowed UnknownMethod NoEntropy Iterations ServerSignature Nonce
    Malformed Dialect GaussMd5Sha256 StaleKeys ChannelBinding Rejected HashHardware);
numbered!(config CONFIG 16 ConfigError:
    NoUser NoPassword TlsUnavailable NoRootCertificate RootCertificate NoHost
    ClientCertificate WeakSslMode BufferTooSmall Nul BadKey Hosts ConnectionString PasswordForm
    #[cfg(feature = "std")] RevocationList
    #[cfg(feature = "tls-client-cert")] ClientKey);
numbered!(transport TRANSPORT 256 IoKind:
    Other NotFound PermissionDenied ConnectionRefused ConnectionReset
    ConnectionAborted NotConnected AddrInUse AddrNotAvailable BrokenPipe
    AlreadyExists InvalidInput InvalidData TimedOut Interrupted Unsupported
    OutOfMemory WriteZero; else Other);
numbered!(value VALUE 16 TypeError:
    Mismatch Null Malformed Range Utf8 Format Capacity);
#[cfg(feature = "outbox")]
numbered!(outbox OUTBOX 16 OutboxError:
    Full AsideFull UnknownStatement SameStatement Foreign Region NoEntropy Worn
    Flash FlashAlignment FlashBounds);
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

const fn dial(payload: u32) -> Option<DialError> {
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
const fn tls(payload: u32) -> Option<TlsError> {
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
