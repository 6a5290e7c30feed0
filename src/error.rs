//! Errors: whose fault, what became of the work, whether the connection lives, what to do next.
//!
//! An [`Error`] is 16 bytes and `Copy`. What the server said (message, detail, hint, position)
//! stays in the receive buffer until the next call: see [`ServerError`].

mod fault;
mod server;
mod sqlstate;

pub(crate) use fault::Fault;
pub use server::ServerError;
pub use sqlstate::SqlState;

use crate::dial::DialError;
use crate::types::{Oid, TypeError};
use crate::wire::WireError;

/// Result of the driver's verbs.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What went wrong, what became of the work, and whether the connection can be used further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Error {
    kind: ErrorKind,
    outcome: Outcome,
    usable: bool,
}

const _: () = assert!(size_of::<Error>() <= 16);

impl Error {
    pub(crate) const fn new(kind: ErrorKind, outcome: Outcome, usable: bool) -> Self {
        Self { kind, outcome, usable }
    }

    /// An error about reading a result on this side.
    pub(crate) const fn local(kind: ErrorKind) -> Self {
        Self::new(kind, Outcome::Local, true)
    }

    /// Whose fault it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What became of the statement.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the connection can be used further. When false: drop it and connect again.
    pub const fn is_usable(&self) -> bool {
        self.usable
    }

    /// The server's SQLSTATE, when the server sent the error.
    pub const fn sqlstate(&self) -> Option<SqlState> {
        match self.kind {
            ErrorKind::Server(state) => Some(state),
            _ => None,
        }
    }
}

/// Whose fault an error is, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration cannot work. Nothing was sent. Correct it.
    Config(ConfigError),
    /// The login was refused on this side. The connection is dead.
    Auth(AuthError),
    /// The server refused, with this SQLSTATE. `Connection::server_error` has its words.
    Server(SqlState),
    /// The peer broke the protocol. The connection is dead: connect again, and if it recurs,
    /// look at what stands between this machine and the server.
    Protocol(ProtocolError),
    /// No link to the last of the hosts could be opened. Try again after a pause.
    Dial(DialError),
    /// Sessions could be had, and none was what `target_session_attrs` asks for: try again when
    /// the standby has been promoted.
    NoSuitableHost,
    /// The transport failed. The connection is dead: connect again.
    Transport(embedded_io::ErrorKind),
    /// The peer closed the link. The connection is dead: connect again.
    Closed,
    /// The peer closed the link before it said a word. openGauss does so when the client's address
    /// is in no line of `pg_hba.conf`, when no connection slot is free, and while it starts; so
    /// does a proxy with no server behind it.
    HungUp,
    /// The deadline passed. The connection is dead, for the answer may still come.
    TimedOut,
    /// The connection died in an earlier call; the transport was not touched. Connect again.
    Broken,
    /// A buffer is too small: give it `needed` bytes, or make the value smaller.
    Capacity {
        /// Which buffer.
        buffer: Buffer,
        /// Bytes it has for this purpose.
        have: u32,
        /// Bytes that would have been enough.
        needed: u32,
    },
    /// A value of the row is not what was asked for. The connection stays usable.
    Column {
        /// Index of the column, from 0.
        column: u16,
        /// Why.
        reason: TypeError,
        /// Type OID that the Rust type stands for.
        wanted: Oid,
        /// Type OID of the column (0 where there is no such column).
        found: Oid,
    },
    /// A parameter or text could not be sent: see the reason. Nothing was sent.
    Encode(WireError),
    /// There is no TLS, or no longer: see the reason. The connection is dead.
    #[cfg(feature = "tls")]
    Tls(crate::tls::TlsError),
    /// The call does not fit the connection's state or the statement: see the reason.
    Usage(UsageError),
}

/// What became of the work of the call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// Nothing reached the server. It is safe to do it again.
    NotSent,
    /// The server refused, or never got all of it: the statement had no effect, and an open
    /// transaction is now failed.
    Refused,
    /// The server may or may not have done it. Repeat only what is safe to do twice (a key made
    /// by the client and `ON CONFLICT DO NOTHING`), or ask the server first.
    Unknown,
    /// The error is about reading the result on this side; the statement itself goes on. Its
    /// fate is known when the rows are finished.
    Local,
}

/// Buffers and capacities that can be too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Buffer {
    /// The receive buffer.
    Rx,
    /// The send buffer.
    Tx,
    /// The scratch bytes given to the connection string's parser.
    Config,
    /// A TLS record buffer.
    TlsRecord,
}

/// What is wrong with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// No `user`.
    NoUser,
    /// The server asks for a password and there is none.
    NoPassword,
    /// `sslmode` asks for TLS, and this build or this client cannot do it.
    TlsUnavailable,
    /// There is nothing to verify the server with: `sslmode` is `verify-ca` or `verify-full` and
    /// there is no `sslrootcert`, or the one named is not among the files.
    NoRootCertificate,
    /// `sslrootcert` names something that is not one or more certificates in DER.
    RootCertificate,
    /// `sslmode=verify-full` without a `host` to verify.
    NoHost,
    /// `sslcert` or `sslkey` names something that is not there or cannot be used: the
    /// certificate must be DER, the key P-256 in PKCS#8 or SEC1 and not encrypted, and the build
    /// must have feature `tls-client-cert`.
    ClientCertificate,
    /// `sslnegotiation=direct` needs an `sslmode` of `require` or stronger.
    DirectTls,
    /// The receive or send buffer is below [`limits::MIN_RX`](crate::limits::MIN_RX) or
    /// [`limits::MIN_TX`](crate::limits::MIN_TX).
    BufferTooSmall,
    /// A parameter holds a NUL byte.
    Nul,
    /// `scram_client_key` or `scram_server_key` is not 32 bytes in base64.
    BadKey,
    /// The lists of `host`, `hostaddr` and `port` do not match, or a port is no port.
    Hosts,
}

/// Why the login was refused on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthError {
    /// The server asks for a method that the policy (`require_auth`) does not allow.
    MethodNotAllowed,
    /// The server asks for a method this driver does not know.
    UnknownMethod,
    /// The platform has no entropy for the nonce.
    NoEntropy,
    /// The iteration count is below the minimum or above the maximum.
    Iterations,
    /// The server could not prove that it knows the password: do not trust it.
    ServerSignature,
    /// The server's nonce does not begin with ours.
    Nonce,
    /// A message of the exchange is malformed, or came when it should not.
    Malformed,
    /// The server is not of the family that `dialect` names, or behaved as a PostgreSQL first and
    /// as an openGauss then. Nothing was sent but what came before.
    Dialect,
    /// openGauss asks for MD5_SHA256, which no client can answer: a line of `pg_hba.conf` says
    /// `md5` for a user whose password is stored as SHA256. Change the line to `sha256`.
    GaussMd5Sha256,
    /// The keys in the configuration were derived with another salt or iteration count than the
    /// server has: the password was set again. Nothing was sent. Derive the keys again.
    StaleKeys,
    /// `channel_binding=require`, and the login cannot be tied to TLS: there is no TLS, the server
    /// does not offer it or asks for another method, or its certificate has no hash for it.
    ChannelBinding,
    /// The server ended the SCRAM exchange with an error (`e=…`).
    Rejected,
}

/// How the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProtocolError {
    /// A message type that is not legal now.
    UnexpectedMessage,
    /// A length outside what the message type allows.
    BadLength,
    /// The content of a message is malformed.
    Malformed,
    /// Bytes arrived that nothing asked for.
    Unasked,
    /// The answer to the TLS request is neither yes nor no.
    BadTlsAnswer,
    /// The server negotiated a protocol version that was not offered.
    BadVersion,
    /// The server changed `client_encoding` away from UTF8.
    Encoding,
    /// Too many notices, notifications and parameter changes in a row.
    Flood,
    /// The peer is not a PostgreSQL server of protocol 3.
    NotPostgres,
}

/// A call that does not fit the moment. Nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UsageError {
    /// The prepared statement belongs to another session.
    StaleStatement,
    /// The number of parameters is not what the statement has.
    ParameterCount,
    /// A parameter's type is not what the statement was prepared with.
    ParameterType,
    /// No rows where one was asked for.
    NoRows,
    /// More than one row where one was asked for.
    TooManyRows,
    /// The statement asks for COPY; use the COPY verbs.
    Copy,
    /// The statement, which was run, is not a COPY in the direction of the verb.
    NotCopy,
    /// Rows of a COPY need `with (format binary)`.
    CopyFormat,
    /// The pipeline has as many statements as it can, or its results were asked for.
    PipelineFull,
    /// A transaction is open already.
    InTransaction,
    /// COMMIT was answered with ROLLBACK: the transaction had failed before.
    RolledBack,
    /// The result has no such column, or the receive buffer had no room for its name.
    NoColumn,
    /// The row has more columns than the type it should become.
    ColumnCount,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.kind {
            ErrorKind::Server(state) => write!(f, "server error {state}")?,
            ErrorKind::Capacity { buffer, have, needed } => {
                write!(f, "{buffer:?} buffer has {have} bytes, needs {needed}")?;
            }
            ErrorKind::Column { column, reason, wanted, found } => {
                write!(f, "column {column}: {reason:?} (wanted type {wanted}, found {found})")?;
            }
            kind => write!(f, "{kind:?}")?,
        }
        write!(
            f,
            "; outcome {:?}, connection {}",
            self.outcome,
            if self.usable { "usable" } else { "dead" }
        )
    }
}

impl core::error::Error for Error {}

/// For the values and COPY streams that are read and written through `embedded_io`.
impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self.kind {
            ErrorKind::Transport(kind) => kind,
            ErrorKind::TimedOut => embedded_io::ErrorKind::TimedOut,
            ErrorKind::Closed => embedded_io::ErrorKind::ConnectionReset,
            ErrorKind::Broken => embedded_io::ErrorKind::NotConnected,
            ErrorKind::Usage(_) | ErrorKind::Encode(_) => embedded_io::ErrorKind::InvalidInput,
            _ => embedded_io::ErrorKind::Other,
        }
    }
}
