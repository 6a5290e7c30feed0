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

pub mod types;

mod auth;
#[cfg(feature = "tls")]
pub mod tls;

mod config;
mod dial;
mod error;
#[cfg(feature = "std")]
pub mod host;
mod platform;

#[cfg(feature = "opengauss")]
pub use auth::gauss::{GaussKeys, GaussMethod};
pub use config::{
    AuthMethods, ChannelBinding, Config, DEFAULT_PORT, Dialect, HostSpec, Hosts, Keepalives,
    LoadBalanceHosts, ParseError, ParseReason, ProtocolVersion, SslMode, SslNegotiation,
    TargetSessionAttrs,
};
pub use dial::{Dial, DialError, Target};
pub use error::{
    AuthError, Buffer, ConfigError, Error, ErrorKind, Outcome, ProtocolError, Result, ServerError,
    SqlState, UsageError,
};
pub use platform::{NoEntropy, Platform};
pub use types::{FromSql, Oid, ToSql};
