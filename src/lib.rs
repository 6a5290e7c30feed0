#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_debug_implementations, missing_docs, unused_must_use)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::as_conversions,
        clippy::arithmetic_side_effects
    )
)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("lib.md")]

#[cfg(any(test, feature = "std"))]
extern crate std;

// The layers, from the bottom up: each names only those before it in this list. `cargo xtask layers`
// checks it; `docs/architecture.md` has the picture.

// Log macros, and every capacity of the driver with its reason.
#[macro_use]
mod log;
pub mod limits;

// The protocol's messages as bytes, and back. Pure; each message is encoded and decoded in one place.
pub mod wire;

// Rust values in PostgreSQL's formats, and back. Pure.
pub mod types;

// What went wrong, what became of the work, what to do next. Inside the driver an error is a number.
mod error;

// User, password or keys, and the methods allowed: what `config` fills in and `auth` uses.
mod credentials;

// What the driver asks of the machine (clock, entropy, idling) and of a link.
mod platform;
pub mod transport;

// Connection parameters, and the methods of logging in. Pure; neither names the other.
mod auth;
mod config;

// The flash that outbox and parameters are kept in: words written and read again, checksums.
#[cfg(any(feature = "outbox", feature = "provision"))]
mod flash;

// TLS 1.3: a transport over a transport, with its own verification of certificates.
#[cfg(feature = "tls")]
pub mod tls;

// One link: its two buffers, the exchange (what is owed), the answer (reading it), the outcome (what
// became of the work), the names of prepared statements. Every failure becomes an error here.
mod engine;

// One session over one transport, and its verbs: each says what it sends and what it expects.
mod connection;
mod verbs;

// From an address to a session: diallers, the search over hosts, start-up, cancel requests.
mod connect;

// Rows that wait in flash until the server has them.
#[cfg(feature = "outbox")]
pub mod outbox;

// A device's connection parameters, given to it over a serial line or in an image of its own.
#[cfg(feature = "provision")]
pub mod provision;

// What the firmware holds; and the same for machines with an operating system.
mod client;
#[cfg(all(feature = "std", unix))]
pub mod host;
#[cfg(all(feature = "std", not(unix)))]
compile_error!(
    "feature `std` needs UNIX sockets and the owners and modes of files (Linux, macOS, BSD). On other \
     systems leave it out, and give the client a transport and a Platform of your own"
);
mod supervise;

pub use auth::{
    HashFailed, HashHardware, HashStart, KeyCache, Pbkdf2Hardware, Pbkdf2Job, ScramKeys,
    Sha256Hardware,
};
#[cfg(feature = "derive")]
pub use barepg_derive::FromRow;
pub use client::{Buffers, Client, Storage};
pub use config::{
    ChannelBinding, Config, DEFAULT_PORT, Dialect, HostSpec, Hosts, Keepalives, LoadBalanceHosts,
    ParseError, ParseReason, ProtocolVersion, SslMode, SslNegotiation, TargetSessionAttrs,
};
pub use connect::{CancelToken, Channel, Dial, Target};
pub use connection::Connection;
pub use credentials::AuthMethods;
#[cfg(feature = "opengauss")]
pub use credentials::{GaussKeys, GaussMethod};
pub use engine::{Event, NotificationQueue, StaticStatements, Stats, TransactionStatus};
#[cfg(feature = "outbox")]
pub use error::OutboxError;
pub use error::{
    AuthError, Buffer, ConfigError, DialError, Error, ErrorKind, Outcome, ProtocolError, Remedy,
    Result, ServerError, SqlState, UsageError,
};
#[cfg(any(feature = "outbox", feature = "provision"))]
pub use flash::FlashError;
pub use platform::{NoEntropy, Platform};
pub use supervise::{Backoff, Health, Pause, Policy, Supervisor};
pub use transport::{NoReadReady, Transport};
pub use types::{FromSql, Oid, ToSql};
pub use verbs::{
    Column, ColumnIndex, Columns, CopyFields, CopyIn, CopyOut, CopyRow, EncodedParams, FromRow,
    IsolationLevel, Notification, Parameter, Params, PerDialect, Pipeline, Portal, Row, Rows,
    Savepoint, Sql, Statement, StaticStatement, Streamed, StreamedColumn, StreamedRow, Transaction,
    TransactionBuilder, Values,
};
