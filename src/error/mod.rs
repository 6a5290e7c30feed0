//! Errors: whose fault, what became of the work, whether the connection lives, what to do next.
//!
//! An [`Error`] is 16 bytes and `Copy`: the number of what went wrong, and what belongs to it. The server's message (with detail, hint, position)
//! stays in the receive buffer until the next call: see [`ServerError`].

mod details;
mod display;
mod fault;
mod numbers;
#[cfg(feature = "outbox")]
mod outbox;
mod reasons;
mod remedy;
mod server;
mod sqlstate;
#[cfg(feature = "tls")]
mod tls;

pub(crate) use details::Details;
pub use fault::Fault;
#[cfg(feature = "outbox")]
pub use outbox::OutboxError;
pub use reasons::{AuthError, ConfigError, DialError, ProtocolError, UsageError};
pub use remedy::Remedy;
pub use server::ServerError;
pub use sqlstate::SqlState;
#[cfg(feature = "tls")]
pub use tls::{CertificateError, TlsError};

use crate::types::{Oid, TypeError};
use crate::wire::WireError;

/// Result of the driver's verbs.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What went wrong, what became of the work, and whether the connection can be used further.
///
/// ```no_run
/// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
/// use barepg::{Outcome, SqlState};
/// match conn.execute("insert into event values ($1, $2)", (1, "on")) {
///     Ok(_) => {}
///     // It was there already.
///     Err(error) if error.sqlstate() == Some(SqlState::UNIQUE_VIOLATION) => {}
///     // It may be there: only what is safe twice is sent again.
///     Err(error) if error.outcome() == Outcome::Unknown => { /* connect again */ }
///     Err(error) => return Err(error),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// What [`kind`](Self::kind) makes its answer of: a program that does not ask does not hold how.
    fault: Fault,
    /// What belongs to it: see [`Details`].
    words: [u32; 2],
    index: u16,
    /// By its number: so that the number that no fault has marks `Ok` in a [`Result`], and not one
    /// that none of these have.
    outcome: u8,
    usable: u8,
}

const _: () = assert!(size_of::<Error>() <= 16);

impl Error {
    #[allow(clippy::as_conversions, reason = "an enum and a boolean are numbers")]
    pub(crate) const fn new(
        fault: Fault,
        details: Details,
        outcome: Outcome,
        usable: bool,
    ) -> Self {
        let Details { words, index } = details;
        Self { fault, words, index, outcome: outcome as u8, usable: usable as u8 }
    }

    /// An error that its number says all of.
    pub(crate) const fn of(fault: Fault, outcome: Outcome, usable: bool) -> Self {
        Self::new(fault, Details::NONE, outcome, usable)
    }

    /// An error about reading a result on this side.
    pub(crate) const fn local(fault: Fault) -> Self {
        Self::of(fault, Outcome::Local, true)
    }

    /// A column that cannot be read as what was asked for.
    pub(crate) fn of_column(column: u16, reason: TypeError, wanted: Oid, found: Oid) -> Self {
        let details = Details::column(column, wanted, found);
        Self::new(Fault::of_column(reason), details, Outcome::Local, true)
    }

    /// The same with another outcome, of a connection that is dead.
    pub(crate) const fn of_dead(self, outcome: Outcome) -> Self {
        let Self { fault, words, index, .. } = self;
        Self::new(fault, Details { words, index }, outcome, false)
    }

    /// What became of the statement.
    pub const fn outcome(&self) -> Outcome {
        match self.outcome {
            0 => Outcome::NotSent,
            1 => Outcome::Refused,
            2 => Outcome::Unknown,
            _ => Outcome::Local,
        }
    }

    /// Whether the connection can be used further. When false: drop it and connect again.
    pub const fn is_usable(&self) -> bool {
        self.usable != 0
    }

    /// Whether the server said it, of this call or of an earlier one.
    pub(crate) const fn is_said(&self) -> bool {
        self.fault.is(Fault::SERVER) || self.fault.is(Fault::EARLIER)
    }

    /// The server's SQLSTATE, when it refused this call. That of
    /// [`ErrorKind::EarlierStatement`], which is about another call, is in the kind alone.
    pub const fn sqlstate(&self) -> Option<SqlState> {
        match self.fault.is(Fault::SERVER) {
            true => Some(self.state()),
            false => None,
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
    /// The server reported an error with this SQLSTATE. `Connection::server_error` has its message.
    Server(SqlState),
    /// A statement whose rows were dropped before they were all read failed afterwards, with this
    /// SQLSTATE: nothing of it stays, but for what a COMMIT in its own text kept. The call that returns
    /// this was not carried out; the connection is usable, so call again. `Connection::server_error` has
    /// the message.
    EarlierStatement(SqlState),
    /// The peer broke the protocol. The connection is dead: connect again, and if it recurs,
    /// look at what stands between this machine and the server.
    Protocol(ProtocolError),
    /// No link to the last of the hosts could be opened. Try again after a pause.
    Dial(DialError),
    /// Sessions were available, and none was what `target_session_attrs` asks for: try again when
    /// the standby has been promoted.
    NoSuitableHost,
    /// The transport failed. The connection is dead: connect again.
    Transport(embedded_io::ErrorKind),
    /// The peer closed the link. The connection is dead: connect again. A transport whose `read` returns
    /// `Ok(0)` for "nothing yet" looks so too.
    Closed,
    /// The peer closed the link before it sent anything. openGauss does so when the client's address
    /// is in no line of `pg_hba.conf`, and while it starts; so does a proxy that has no server. Or,
    /// with `dialect=auto`, the driver gave the link up, to ask an openGauss that had failed once for
    /// its own protocol version again. Connect again. A transport as that of [`Closed`](Self::Closed) ends each
    /// login so.
    HungUp,
    /// The deadline passed. The connection is dead, for the answer may still come.
    TimedOut,
    /// The clock of the [`Platform`](crate::Platform) stood still while the driver waited, so that
    /// no deadline could pass. The connection is dead: mend the clock.
    ClockStopped,
    /// The connection died in an earlier call; the transport was not touched. Connect again.
    Broken,
    /// A buffer is too small: give it `needed` bytes, or make the value smaller. The connection stays
    /// usable, but in a login, and where it is a record buffer of TLS. A row of a result was skipped, and the statement
    /// goes on ([`Outcome::Local`]); a row of an outbox was not sent.
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
        /// Type OID of the column; 0 in a row of a binary COPY, which does not say.
        found: Oid,
    },
    /// A part of a value (an element of an array, a field) is not what was asked for. Made by `?`
    /// of a [`TypeError`]. The connection stays usable.
    Value(TypeError),
    /// A parameter or text could not be sent: see the reason. Nothing was sent and the connection is
    /// usable, unless the error says otherwise: a streamed value's source failed after a part of the
    /// message had left.
    Encode(WireError),
    /// There is no TLS, or no longer: see the reason. The connection is dead.
    #[cfg(feature = "tls")]
    Tls(TlsError),
    /// The call does not fit the connection's state or the statement: see the reason.
    Usage(UsageError),
    /// The outbox, or the flash that it is in: see the reason. The connection is as it was.
    #[cfg(feature = "outbox")]
    Outbox(OutboxError),
}

/// What became of the work of the call that failed. The rules are in
/// `docs/outcomes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// No byte of it left this machine. It is safe to do it again. In a transaction whose connection is dead
    /// nothing of the whole stays, unless an earlier call in it was `Unknown`: begin it again.
    NotSent,
    /// Nothing of it stays: the server refused and went on, or the link was lost in an open
    /// transaction before anything was sent that could end it, or the server never got all of it.
    /// A transaction that was open has failed: nothing of it stays, but where it goes on from a savepoint.
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
    /// The buffer of an outbox.
    Outbox,
}

impl core::error::Error for Error {}

/// For programs that open the link themselves and hand it to
/// [`Client::connect`](crate::Client::connect): one `?` for both.
impl From<DialError> for Error {
    fn from(error: DialError) -> Self {
        Self::of(error.into(), Outcome::NotSent, false)
    }
}

/// For elements of arrays, fields of records, and the like.
impl From<TypeError> for Error {
    fn from(error: TypeError) -> Self {
        Self::local(error.into())
    }
}

#[cfg(feature = "outbox")]
impl From<OutboxError> for Error {
    fn from(error: OutboxError) -> Self {
        Self::of(error.into(), Outcome::NotSent, true)
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::of(Fault::encode(error), Outcome::NotSent, true)
    }
}

/// For the values and COPY streams that are read and written through `embedded_io`.
impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        match Self::kind(self) {
            ErrorKind::Transport(kind) => kind,
            ErrorKind::TimedOut => embedded_io::ErrorKind::TimedOut,
            ErrorKind::Closed => embedded_io::ErrorKind::ConnectionReset,
            ErrorKind::Broken => embedded_io::ErrorKind::NotConnected,
            ErrorKind::Usage(_) | ErrorKind::Encode(_) => embedded_io::ErrorKind::InvalidInput,
            _ => embedded_io::ErrorKind::Other,
        }
    }
}
