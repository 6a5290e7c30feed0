//! SQLSTATE, five characters.

use core::num::NonZeroU8;

/// A SQLSTATE code as the server sent it: five characters, digits or upper-case letters
/// (manual, appendix A).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Unique constraint violated.
    pub const UNIQUE_VIOLATION: Self = Self(*b"23505");
    /// NOT NULL constraint violated.
    pub const NOT_NULL_VIOLATION: Self = Self(*b"23502");
    /// CHECK constraint violated.
    pub const CHECK_VIOLATION: Self = Self(*b"23514");
    /// The password is wrong.
    pub const INVALID_PASSWORD: Self = Self(*b"28P01");
    /// The login is refused (pg_hba.conf, role, locked account).
    pub const INVALID_AUTHORIZATION: Self = Self(*b"28000");
    /// There is no such database.
    pub const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    /// The transaction failed earlier; only ROLLBACK is accepted.
    pub const IN_FAILED_TRANSACTION: Self = Self(*b"25P02");
    /// The two transactions blocked each other; repeat.
    pub const DEADLOCK: Self = Self(*b"40P01");
    /// The transaction must be repeated.
    pub const SERIALIZATION_FAILURE: Self = Self(*b"40001");
    /// All connection slots are taken; try later.
    pub const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    /// The statement was cancelled, by request or by `statement_timeout`.
    pub const QUERY_CANCELED: Self = Self(*b"57014");
    /// An administrator ended the session or the server shuts down.
    pub const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    /// crash_shutdown: a server process died, and the server starts anew.
    pub const CRASH_SHUTDOWN: Self = Self(*b"57P02");
    /// The server is starting up; try later.
    pub const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    /// The server sent no SQLSTATE, or not five such characters.
    pub const UNKNOWN: Self = Self(*b"XX000");

    /// From the bytes of field `C`.
    pub(crate) fn from_field(field: &[u8]) -> Self {
        match <[u8; 5]>::try_from(field) {
            Ok(code) if code.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) => {
                Self(code)
            }
            _ => Self::UNKNOWN,
        }
    }

    /// The SQLSTATE with these characters, which were looked at.
    pub(crate) const fn of(code: [u8; 5]) -> Self {
        Self(code)
    }

    /// Whether it is this one.
    pub(crate) const fn is(&self, code: &[u8; 5]) -> bool {
        let [a, b, c, d, e] = self.0;
        u32::from_le_bytes([a, b, c, d]) == u32::from_le_bytes([code[0], code[1], code[2], code[3]])
            && e == code[4]
    }

    /// Of 57P01 and 57P02, with which a server ends sessions, the last character.
    pub(crate) const fn ends_session(&self) -> Option<NonZeroU8> {
        match self.0 {
            [b'5', b'7', b'P', b'0', last @ (b'1' | b'2')] => NonZeroU8::new(last),
            _ => None,
        }
    }

    /// The SQLSTATE of which [`ends_session`](Self::ends_session) gave the last character.
    pub(crate) const fn ending_session(last: NonZeroU8) -> Self {
        Self([b'5', b'7', b'P', b'0', last.get()])
    }

    /// Whether the server does not know itself what became of the statement:
    /// statement_completion_unknown and the class of connection exceptions, which also who stands
    /// between writes.
    pub(crate) const fn leaves_outcome_open(&self) -> bool {
        matches!(self.0, [b'0', b'8', ..]) || self.is(b"40003")
    }

    /// The five characters.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or("XX000")
    }

    /// The five characters, as bytes.
    pub(crate) const fn to_bytes(self) -> [u8; 5] {
        self.0
    }

    /// The first two characters, the class.
    pub const fn class(&self) -> [u8; 2] {
        [self.0[0], self.0[1]]
    }
}

impl core::fmt::Debug for SqlState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::fmt::Display for SqlState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for SqlState {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}
