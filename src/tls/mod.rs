//! TLS: `sslmode` policy, certificate verification with libpq's rules, and the record layer.
//!
//! Pure parts (bytes in, verdict out): [`der`], [`x509`], [`time`], [`name`], [`signature`],
//! [`rsa`], [`chain`].

#![allow(dead_code)] // until the handshake is connected

mod chain;
mod der;
mod drbg;
mod error;
#[cfg(feature = "_fuzzing")]
mod fuzzing;
mod key;
mod name;
pub mod pem;
mod rsa;
mod signature;
mod time;
mod x509;

#[cfg(test)]
mod tests;

pub use error::CertificateError;
#[cfg(feature = "_fuzzing")]
pub use fuzzing::fuzz;
