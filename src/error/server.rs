//! What the server said in an ErrorResponse or NoticeResponse.

use core::fmt::Write as _;

use super::SqlState;
use crate::wire::Reader;

/// A view of an ErrorResponse or NoticeResponse in the receive buffer. Fields are found when
/// asked for; what does not parse is absent.
///
/// Server text is shown escaped by `Display`, for it may hold terminal control bytes.
/// Source: manual, "Error and Notice Message Fields".
#[derive(Clone, Copy)]
pub struct ServerError<'a> {
    body: &'a [u8],
    truncated: bool,
}

impl<'a> ServerError<'a> {
    pub(crate) const fn new(body: &'a [u8], truncated: bool) -> Self {
        Self { body, truncated }
    }

    /// The bytes of the field with this letter.
    pub fn field(&self, letter: u8) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.body);
        loop {
            let kind = reader.u8().ok()?;
            if kind == 0 {
                return None;
            }
            match reader.cstr() {
                Ok(text) if kind == letter => return Some(text),
                Ok(_) => {}
                // Cut by the buffer's end: what is there is shown.
                Err(_) if kind == letter && self.truncated => return Some(reader.rest()),
                Err(_) => return None,
            }
        }
    }

    fn text(&self, letter: u8) -> Option<&'a str> {
        let field = self.field(letter)?;
        match core::str::from_utf8(field) {
            Ok(text) => Some(text),
            Err(error) => core::str::from_utf8(field.get(..error.valid_up_to())?).ok(),
        }
    }

    /// The SQLSTATE (field `C`).
    pub fn sqlstate(&self) -> SqlState {
        SqlState::from_field(self.field(b'C').unwrap_or(&[]))
    }

    /// `ERROR`, `FATAL`, `PANIC`, `WARNING`, …: never translated where the server sends field
    /// `V` (PostgreSQL 9.6 and later), else field `S`.
    pub fn severity(&self) -> &'a str {
        self.text(b'V').or_else(|| self.text(b'S')).unwrap_or("ERROR")
    }

    /// Whether the server ends the session with this error.
    pub fn is_fatal(&self) -> bool {
        let severity = self.field(b'V').or_else(|| self.field(b'S')).unwrap_or(&[]);
        severity == b"FATAL" || severity == b"PANIC"
    }

    /// The primary message (field `M`).
    pub fn message(&self) -> &'a str {
        self.text(b'M').or_else(|| self.text(b'm')).unwrap_or("")
    }

    /// More about the problem (field `D`).
    pub fn detail(&self) -> Option<&'a str> {
        self.text(b'D')
    }

    /// A suggestion (field `H`).
    pub fn hint(&self) -> Option<&'a str> {
        self.text(b'H')
    }

    /// Where in the statement the error is, in characters from 1 (field `P`).
    pub fn position(&self) -> Option<u32> {
        self.text(b'P')?.parse().ok()
    }

    /// The name of the constraint (field `n`; openGauss sends none).
    pub fn constraint(&self) -> Option<&'a str> {
        self.text(b'n')
    }

    /// Whether the end was cut because the receive buffer was too small for all of it. Severity,
    /// SQLSTATE and message come first.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl core::fmt::Display for ServerError<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Escaped(self.severity()).fmt(f)?;
        f.write_str(" ")?;
        f.write_str(self.sqlstate().as_str())?;
        f.write_str(": ")?;
        Escaped(self.message()).fmt(f)
    }
}

/// Text with its control characters escaped. `str::escape_debug` would escape quotes too, and
/// brings tables of several kilobytes.
struct Escaped<'a>(&'a str);

impl core::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.chars().try_for_each(|c| {
            if c.is_control() {
                c.escape_unicode().try_for_each(|c| f.write_char(c))
            } else {
                f.write_char(c)
            }
        })
    }
}

impl core::fmt::Debug for ServerError<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ServerError<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} {}: {=str}", self.severity(), self.sqlstate(), self.message());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn fields_are_found_and_escaped() {
        let body = b"SERROR\0VERROR\0C23505\0M\"dup\"\x1b[2J\x07\xc2\x9f\0Ddetail\0P12\0\0";
        let error = ServerError::new(body, false);
        assert_eq!(error.sqlstate(), SqlState::UNIQUE_VIOLATION);
        assert_eq!(error.detail(), Some("detail"));
        assert_eq!(error.hint(), None);
        assert_eq!(error.position(), Some(12));
        assert_eq!(error.to_string(), "ERROR 23505: \"dup\"\\u{1b}[2J\\u{7}\\u{9f}");
    }

    #[test]
    fn odd_bodies_give_what_they_hold() {
        for end in 0..20 {
            let body = &b"SFATAL\0C57P01\0Mstopping\0\0"[..end];
            let _ = ServerError::new(body, true).to_string();
        }
        let cut = ServerError::new(b"SFATAL\0C57P01\0Mgood", true);
        assert_eq!(cut.message(), "good");
        assert!(cut.is_fatal());
        assert_eq!(ServerError::new(b"Cabc\0\0", false).sqlstate(), SqlState::UNKNOWN);
    }
}
