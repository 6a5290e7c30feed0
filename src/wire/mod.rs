//! The frontend/backend protocol as bytes. Pure: no I/O, no clock, no state.
//!
//! Used by everything above; may use nothing but [`limits`](crate::limits).
//!
//! Contract: a [`Reader`] never panics and never reads past its slice, whatever the peer sent. A
//! [`Writer`] never writes past its buffer; what does not fit is an error before the first byte
//! leaves the machine, or goes out in pieces where the writer was given a drain. NUL inside a
//! string is refused in one place, [`Writer::cstr`].

pub(crate) mod backend;
pub(crate) mod base64;
pub(crate) mod digits;
mod encode;
pub(crate) mod frontend;
mod nul_byte;
mod reader;
mod rules;
mod writer;

pub use reader::Reader;

pub use encode::Body;
pub(crate) use encode::{Drain, Encode, Part};
pub(crate) use nul_byte::{first_nul, has_byte, has_nul};
#[cfg(feature = "opengauss")]
pub(crate) use rules::EXACTLY_EMPTY;
#[cfg(feature = "opengauss")]
pub(crate) use rules::Empty;
pub(crate) use rules::Rules;
pub(crate) use writer::Beyond;
pub use writer::Writer;

/// What went wrong while reading or writing bytes. A word that is never 0: every small function of
/// the codec returns it, and a result without a value is then one word too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u32)]
#[non_exhaustive]
pub enum WireError {
    /// The message ended before its content did, or went on after it.
    Malformed = 1,
    /// The send buffer is full and may not be drained at this point.
    Full,
    /// A string holds a NUL byte, which the protocol cannot carry.
    Nul,
    /// A length or count does not fit the protocol's field (2^31 − 1 bytes, 65,535 parameters).
    TooLong,
    /// The value cannot be encoded as the type it claims.
    Value,
    /// The reader of a streamed value failed or ended early.
    Source,
    /// The drain refused the bytes: the link failed in the middle.
    Drain,
    /// openGauss: a string without characters, and it is not known what that is to the database.
    /// Inside the driver only: it asks the server then.
    Empty,
}

impl WireError {
    /// Its number, from 1 on.
    #[allow(
        clippy::as_conversions,
        reason = "the enum is a number: no match gets at it as cheaply"
    )]
    pub(crate) const fn number(self) -> u32 {
        self as u32
    }
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Full => "the buffer is full",
            Self::Nul => "text with a NUL byte",
            Self::TooLong => "too long for the protocol",
            Self::Value => "the value has no encoding",
            Self::Source => "the source of a streamed value failed or ended early",
            Self::Drain => "the link failed",
            Self::Empty => "a string without characters",
        })
    }
}

impl core::error::Error for WireError {}
