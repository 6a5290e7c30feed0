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

#[macro_use]
mod log;
pub mod limits;

pub mod wire;

mod auth;
pub mod types;

#[cfg(feature = "tls")]
pub mod tls;

mod config;
mod dial;
mod error;
#[cfg(feature = "std")]
pub mod host;
mod platform;

mod framed;
mod link;
pub mod transport;

#[cfg(feature = "opengauss")]
mod batch_bind;
mod cancel;
mod copy;
mod notify;
mod open;
mod params;
mod pipeline;
mod portal;
mod query;
mod row;
mod rows;
mod savepoint;
mod server;
mod session;
mod startup;
mod statement;
mod stream;
mod transaction;

mod client;
mod connection;
mod search;

#[cfg(feature = "opengauss")]
pub use auth::gauss::{GaussKeys, GaussMethod};
pub use auth::{KeyCache, ScramKeys};
#[cfg(feature = "derive")]
pub use barepg_derive::FromRow;
pub use cancel::CancelToken;
pub use client::{Buffers, Client, LeanClient, Storage};
pub use config::{
    AuthMethods, ChannelBinding, Config, DEFAULT_PORT, Dialect, HostSpec, Hosts, Keepalives,
    LoadBalanceHosts, ParseError, ParseReason, ProtocolVersion, SslMode, SslNegotiation,
    TargetSessionAttrs,
};
pub use connection::Connection;
pub use copy::{CopyFields, CopyIn, CopyOut, CopyRow};
pub use dial::{Dial, DialError, Target};
pub use error::{
    AuthError, Buffer, ConfigError, Error, ErrorKind, Outcome, ProtocolError, Result, ServerError,
    SqlState, UsageError,
};
pub use framed::Stats;
pub use notify::{Event, Notification, NotificationQueue};
pub use params::{Parameter, Params};
pub use pipeline::Pipeline;
pub use platform::{NoEntropy, Platform};
pub use portal::Portal;
pub use row::{Column, Columns, FromRow, Row, Values};
pub use rows::Rows;
pub use savepoint::Savepoint;
pub use session::TransactionStatus;
pub use statement::{Sql, Statement, StaticStatement, StaticStatements};
pub use stream::{Streamed, StreamedColumn, StreamedRow};
pub use transaction::{IsolationLevel, Transaction, TransactionBuilder};
pub use types::{FromSql, Oid, ToSql};
