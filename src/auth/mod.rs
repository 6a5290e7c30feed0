//! The login's answers, as bytes. Pure: no I/O, no clock, randomness is passed in.

#[cfg(feature = "opengauss")]
pub(crate) mod gauss;
#[cfg(feature = "opengauss")]
mod gauss_pbkdf2;
