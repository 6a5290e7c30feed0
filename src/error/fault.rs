//! Failures inside the driver: two bytes, returned in a register.
//!
//! Every function below a verb returns a [`Fault`]; the verb turns it once into the [`Error`] the
//! user sees (`Session::verdict`). Numbers and SQLSTATEs that do not fit are kept by the session.
//! Measured on thumbv7m: with the 16-byte error on the way up the driver was twice as large.
//!
//! [`Error`]: super::Error

use super::{AuthError, ConfigError, ProtocolError, UsageError};
use crate::dial::DialError;
use crate::wire::WireError;

/// What went wrong; see [`ErrorKind`](super::ErrorKind), whose short form it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Config(ConfigError),
    Auth(AuthError),
    /// The SQLSTATE is in the session.
    Server,
    Protocol(ProtocolError),
    Dial(DialError),
    NoSuitableHost,
    Transport(embedded_io::ErrorKind),
    Closed,
    HungUp,
    TimedOut,
    Broken,
    /// The numbers are in the link.
    Capacity,
    /// Reading (`Malformed`) or writing bytes.
    Wire(WireError),
    /// A message was sent in part and cannot be completed.
    Torn,
    Usage(UsageError),
    #[cfg(feature = "tls")]
    Tls(crate::tls::TlsError),
    /// A record buffer of TLS is too small; the numbers are in the link.
    #[cfg(feature = "tls")]
    TlsRecord,
}

const _: () = assert!(size_of::<Fault>() == 2);

impl From<WireError> for Fault {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        Self::Auth(error)
    }
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<UsageError> for Fault {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}
