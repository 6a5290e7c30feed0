#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
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
#![doc = include_str!("../README.md")]

#[cfg(any(test, feature = "std"))]
extern crate std;

// The map of the house, from the bottom up. Each layer uses only those above it in this list
// (`cargo xtask test` sees to it).

#[macro_use]
mod log;
pub mod limits;

// Bytes and messages: pure, one decoder a message.
pub mod wire;

// Rust values and PostgreSQL's formats: pure.
pub mod types;

// What goes wrong, and what it means.
mod error;

// What the machine and the link owe the driver.
mod platform;
pub mod transport;

// Connection parameters, and the methods of logging in: pure, and apart. What both know of are the
// credentials.
mod auth;
mod config;
mod credentials;

// TLS: certificates, records, keys.
#[cfg(feature = "tls")]
pub mod tls;

// One link: buffers, what is owed, what became of the work.
mod engine;

// A session, and its verbs: what they send and what they expect.
mod connection;
mod verbs;

// From an address to a session.
mod connect;

// What the firmware holds.
mod client;
#[cfg(feature = "std")]
pub mod host;

pub use auth::{KeyCache, ScramKeys};
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
pub use error::{
    AuthError, Buffer, ConfigError, DialError, Error, ErrorKind, Outcome, ProtocolError, Result,
    ServerError, SqlState, UsageError,
};
pub use platform::{NoEntropy, Platform};
pub use transport::{NoReadReady, Transport};
pub use types::{FromSql, Oid, ToSql};
pub use verbs::{
    Column, ColumnIndex, Columns, CopyFields, CopyIn, CopyOut, CopyRow, EncodedParams, FromRow,
    IsolationLevel, Notification, Parameter, Params, Pipeline, Portal, Row, Rows, Savepoint, Sql,
    Statement, StaticStatement, Streamed, StreamedColumn, StreamedRow, Transaction,
    TransactionBuilder, Values,
};
