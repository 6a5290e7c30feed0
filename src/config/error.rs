//! Why a connection string was refused: a keyword, a position, a reason, and never a value.

use core::fmt;

/// Why a connection string or a set of connection parameters was refused.
///
/// Holds no piece of the text: a misplaced blank may turn half a password into a "keyword".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ParseError {
    keyword: Option<&'static str>,
    position: u32,
    reason: ParseReason,
}

/// What is wrong with a connection string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseReason {
    /// A word without `=`.
    MissingEquals,
    /// A second `=` in one query parameter of a URI; write `%3D`.
    ExtraEquals,
    /// A value that begins with a quote and does not end with one.
    UnterminatedQuote,
    /// `[` without `]`, nothing between them, or something other than `:`, `/`, `?` or `,`
    /// after them.
    Brackets,
    /// `%` without two hexadecimal digits after it.
    PercentEncoding,
    /// A blank inside a part of a URI; write `%20`.
    Blank,
    /// A NUL byte, which the protocol cannot carry.
    Nul,
    /// The unescaped value is not UTF-8.
    NotUtf8,
    /// No connection parameter has this name.
    UnknownKeyword,
    /// libpq knows this parameter and this driver does not serve it (or not this value of it).
    NotServed(&'static str),
    /// The value is not one of those the parameter takes.
    InvalidValue(&'static str),
    /// The value contradicts another parameter.
    Conflict(&'static str),
    /// The lists of hosts, addresses and ports have different lengths.
    HostCount {
        /// Hosts or addresses given.
        hosts: u16,
        /// Entries of the list named by the keyword.
        entries: u16,
    },
    /// The scratch bytes do not suffice.
    Capacity {
        /// Bytes given.
        have: u32,
        /// Bytes that would have been enough for the whole text.
        needed: u32,
    },
}

impl ParseError {
    pub(crate) const fn new(
        keyword: Option<&'static str>,
        position: usize,
        reason: ParseReason,
    ) -> Self {
        Self { keyword, position: saturated(position), reason }
    }

    /// The parameter at fault, in its official spelling. `None` where the text does not get as
    /// far as naming one.
    pub const fn keyword(&self) -> Option<&'static str> {
        self.keyword
    }

    /// Byte offset into the text of the keyword or part at fault. 0 where the error is about
    /// the parameters as a whole.
    pub const fn position(&self) -> usize {
        widened(self.position)
    }

    /// What is wrong.
    pub const fn reason(&self) -> ParseReason {
        self.reason
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keyword {
            Some(keyword) => write!(f, "connection parameter {keyword}: ")?,
            None => write!(f, "connection string, byte {}: ", self.position)?,
        }
        match self.reason {
            ParseReason::MissingEquals => f.write_str("missing \"=\""),
            ParseReason::ExtraEquals => f.write_str("second \"=\""),
            ParseReason::UnterminatedQuote => f.write_str("quoted value without closing quote"),
            ParseReason::Brackets => f.write_str("malformed address in brackets"),
            ParseReason::PercentEncoding => f.write_str("% without two hexadecimal digits"),
            ParseReason::Blank => f.write_str("blank inside, write %20"),
            ParseReason::Nul => f.write_str("NUL byte"),
            ParseReason::NotUtf8 => f.write_str("not UTF-8"),
            ParseReason::UnknownKeyword => f.write_str("no such connection parameter"),
            ParseReason::NotServed(why) => write!(f, "not served: {why}"),
            ParseReason::InvalidValue(takes) => write!(f, "invalid value, it takes {takes}"),
            ParseReason::Conflict(why) => f.write_str(why),
            ParseReason::HostCount { hosts, entries } => {
                write!(f, "{entries} entries for {hosts} hosts")
            }
            ParseReason::Capacity { have, needed } => {
                write!(f, "does not fit {have} bytes of scratch, the text needs {needed}")
            }
        }
    }
}

impl core::error::Error for ParseError {}

/// `usize` to `u32`: texts are far below 4 GiB, and a position may saturate.
#[allow(clippy::as_conversions)]
pub(crate) const fn saturated(value: usize) -> u32 {
    if value > 0xffff_ffff_u32 as usize { u32::MAX } else { value as u32 }
}

#[allow(clippy::as_conversions)]
const fn widened(value: u32) -> usize {
    value as usize
}

/// So that `?` takes it to the driver's own error. What it says of the place is lost on the way.
impl From<ParseError> for crate::error::Error {
    fn from(_: ParseError) -> Self {
        use crate::error::{ConfigError, Outcome};
        Self::of(ConfigError::ConnectionString.into(), Outcome::NotSent, false)
    }
}
