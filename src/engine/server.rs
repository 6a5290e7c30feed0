//! What is known of the server: version, process, cancel key, the parameters that matter.

use crate::config::Dialect;
use crate::error::{AuthError, ProtocolError};
use crate::limits;

/// What every openGauss reports as `server_version`: 9.2.4.
const GAUSS_VERSION: u32 = 90_204;

/// What the server said of itself during and after the login.
#[derive(Clone, Copy)]
pub(crate) struct ServerInfo {
    /// Major × 10000 + minor; 9.x.y as 9xxyy. 0 while unknown.
    pub(crate) version: u32,
    pub(crate) pid: u32,
    key: [u8; limits::CANCEL_KEY],
    key_length: u8,
    /// `in_hot_standby` and `default_transaction_read_only`, where they are reported.
    pub(crate) in_hot_standby: Option<bool>,
    pub(crate) read_only: Option<bool>,
    /// What is so of the session: one bit for each [`Fact`].
    facts: u16,
    /// As far as it is known from the configuration or the login.
    dialect: Dialect,
    /// Minor version of the protocol asked for, or what the server made of it: 2 is 3.2.
    pub(crate) minor: u8,
    /// The server refused a login without TLS: `sslmode=allow` asks for TLS next time.
    pub(crate) plaintext_refused: bool,
}

/// Something that is so of a session or is not; together they take two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The session is under TLS.
    Encrypted = 1,
    /// The server negotiated the protocol version: only PostgreSQL does.
    Negotiated = 2,
    /// The configuration allows batch binds at openGauss.
    #[cfg(feature = "opengauss")]
    BatchBinds = 4,
    /// Something mixes sessions, or forgets prepared statements: a pooler, `discard all`.
    Mixed = 8,
    /// A parameter that only openGauss reports was seen.
    GaussParameter = 16,
    /// An authentication request came, in this login.
    Asked = 32,
    /// An authentication request came before, to the version that is asked for now.
    Settled = 64,
    /// It was an openGauss before.
    WasGauss = 128,
    /// The server refused the protocol version that was offered, or it is taken to have done so: ask
    /// for 3.0.
    MinorRefused = 256,
    /// A dialler opens the links: another attempt can follow in the same call.
    Redials = 512,
    /// Statements go out with their Parse from now on, as the unnamed one: what a forgotten statement was
    /// to be sent with could be sent once; a pooler has forgotten their names, or keeps an outdated one.
    ParsesAlways = 1024,
    /// The server has forgotten prepared statements in this session, as it was told to.
    Forgot = 2048,
}

/// What is known of the protocol version that a server takes.
const GUESS: u16 = Fact::Settled.bit() | Fact::WasGauss.bit() | Fact::MinorRefused.bit();

impl Fact {
    #[allow(clippy::as_conversions, reason = "a bit of a word")]
    const fn bit(self) -> u16 {
        self as u16
    }
}

impl ServerInfo {
    pub(crate) const fn new() -> Self {
        Self {
            version: 0,
            pid: 0,
            key: [0; limits::CANCEL_KEY],
            key_length: 0,
            in_hot_standby: None,
            read_only: None,
            facts: 0,
            dialect: Dialect::Auto,
            minor: 0,
            plaintext_refused: false,
        }
    }

    /// Forgets all but what the next login must know.
    pub(crate) fn forget(&mut self) {
        const KEPT: u16 = Fact::Mixed.bit() | GUESS;
        let Self { plaintext_refused, facts, .. } = *self;
        *self = Self { plaintext_refused, facts: facts & KEPT, ..Self::new() };
    }

    /// What one server takes says nothing of another.
    pub(crate) const fn forget_guess(&mut self) {
        if cfg!(feature = "opengauss") {
            self.facts &= !GUESS;
        }
    }

    /// Whether a fact is so.
    #[inline]
    pub(crate) const fn is(&self, fact: Fact) -> bool {
        self.facts & fact.bit() != 0
    }

    /// Says whether a fact is so.
    #[inline]
    pub(crate) const fn set(&mut self, fact: Fact, is_so: bool) {
        self.facts = if is_so { self.facts | fact.bit() } else { self.facts & !fact.bit() };
    }

    /// Whether the server is openGauss: it says version 9.2.4 and reports parameters that
    /// PostgreSQL does not have. A build without openGauss does not look.
    pub(crate) const fn is_opengauss(&self) -> bool {
        match self.dialect {
            _ if cfg!(not(feature = "opengauss")) => false,
            Dialect::OpenGauss => true,
            Dialect::PostgreSql => false,
            Dialect::Auto => self.is(Fact::GaussParameter) && self.version == GAUSS_VERSION,
        }
    }

    /// The dialect that the configuration names.
    pub(crate) const fn expect(&mut self, dialect: Dialect) {
        if cfg!(feature = "opengauss") {
            self.dialect = dialect;
        }
    }

    /// Takes what a message of the login says of the dialect; `Auto`: nothing.
    pub(crate) const fn saw(&mut self, dialect: Dialect) -> Result<(), AuthError> {
        match (self.dialect, dialect) {
            _ if cfg!(not(feature = "opengauss")) => {}
            (_, Dialect::Auto)
            | (Dialect::PostgreSql, Dialect::PostgreSql)
            | (Dialect::OpenGauss, Dialect::OpenGauss) => {}
            (Dialect::Auto, _) => self.dialect = dialect,
            _ => return Err(AuthError::Dialect),
        }
        Ok(())
    }

    /// Keeps process number and cancel key. A key too long to keep is not kept at all.
    pub(crate) fn backend_key(&mut self, pid: u32, key: &[u8]) {
        self.pid = pid;
        self.key_length = 0;
        if let (Some(room), Ok(length)) = (self.key.get_mut(..key.len()), u8::try_from(key.len())) {
            room.copy_from_slice(key);
            self.key_length = length;
        }
    }

    /// At the end of a login. PgBouncer and others give random bytes for a process number, of which one
    /// in 1,024 is one that Linux may give to a process (`PID_MAX_LIMIT`, 2^22). openGauss gives that of
    /// a thread.
    pub(crate) fn suspect_a_pooler(&mut self) {
        if self.pid >> 22 != 0 && !self.is_opengauss() {
            self.set(Fact::Mixed, true);
        }
    }

    /// What the server calls the session, folded: differs between sessions.
    pub(crate) fn fingerprint(&self) -> u32 {
        self.key.iter().fold(self.pid, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte))
    }

    /// The cancel key, if there is one.
    pub(crate) fn cancel_key(&self) -> Option<&[u8]> {
        self.key.get(..usize::from(self.key_length)).filter(|key| !key.is_empty())
    }

    /// Takes a ParameterStatus. A server sends about 15 of them at login, most of no interest
    /// here: those are rejected by the length of their name.
    pub(crate) fn parameter(&mut self, name: &[u8], value: &[u8]) -> Result<(), ProtocolError> {
        // A table, because a `match` on strings compares each of them in line.
        const NAMES: &[&[u8]] = &[
            b"client_encoding",
            b"server_version",
            b"in_hot_standby",
            b"default_transaction_read_only",
            #[cfg(feature = "opengauss")]
            b"is_sysadmin",
            #[cfg(feature = "opengauss")]
            b"behavior_compat_options",
            #[cfg(feature = "opengauss")]
            b"connection_info",
        ];
        const LENGTHS: u32 = lengths(NAMES);
        if length_bit(name) & LENGTHS == 0 {
            return Ok(());
        }
        match NAMES.iter().position(|known| *known == name) {
            Some(0) if !is_utf8(value) => return Err(ProtocolError::Encoding),
            Some(1) => self.version = version(value),
            Some(2) => self.in_hot_standby = Some(value == b"on"),
            Some(3) => self.read_only = Some(value == b"on"),
            Some(4..) => self.set(Fact::GaussParameter, true),
            _ => {}
        }
        Ok(())
    }
}

/// Which of the configured hosts, and which of its addresses, a session is with: a cancel request
/// must go to the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Those after the 254th are one to it: cancel requests cannot go there.
    pub(crate) host: u8,
    pub(crate) address: u8,
    pub(crate) rotation: u16,
}

impl Place {
    pub(crate) fn new(host: usize, rotation: u16) -> Self {
        Self { host: u8::try_from(host).unwrap_or(u8::MAX), address: 0, rotation }
    }

    /// Whether it is known which host it is.
    pub(crate) const fn is_known(self) -> bool {
        self.host < u8::MAX
    }

    /// Whether it is the host's first address.
    pub(crate) const fn is_first(self) -> bool {
        self.address == 0
    }

    /// On to the host's next address; `false` after the 256th.
    pub(crate) fn next(&mut self) -> bool {
        self.address = self.address.wrapping_add(1);
        self.address > 0
    }
}

/// The lengths of the names, one bit each.
const fn lengths(mut names: &[&[u8]]) -> u32 {
    let mut bits = 0;
    while let [name, rest @ ..] = names {
        bits |= length_bit(name);
        names = rest;
    }
    bits
}

/// The bit of a name's length; lengths that differ by 32 share one.
#[allow(clippy::as_conversions, reason = "the shift takes the low bits only")]
const fn length_bit(name: &[u8]) -> u32 {
    1_u32.wrapping_shl(name.len() as u32)
}

/// Whether a `client_encoding` is UTF-8: `UTF8` in any spelling, or `UNICODE`, its old name. No
/// other encoding of a server begins like them.
const fn is_utf8(encoding: &[u8]) -> bool {
    matches!(encoding, [b'U' | b'u', b'T' | b't' | b'N' | b'n', ..])
}

/// `15.18 (Debian …)` as 150018, `9.2.4` as 90204, as libpq's `PQserverVersion` counts.
fn version(text: &[u8]) -> u32 {
    let mut numbers = [0_u32; 3];
    let mut place = numbers.iter_mut();
    let mut number = place.next();
    for byte in text {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        match &mut number {
            Some(value) if digit <= 9 => {
                **value = value.wrapping_mul(10).wrapping_add(digit).min(9999);
            }
            Some(_) => number = place.next(),
            None => break,
        }
    }
    let [major, minor, patch] = numbers;
    let rest = if major >= 10 { minor } else { minor.wrapping_mul(100).wrapping_add(patch) };
    major.wrapping_mul(10_000).wrapping_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_as_in_libpq() {
        assert_eq!(version(b"15.18 (Debian 15.18-0+deb12u1)"), 150_018);
        assert_eq!(version(b"9.2.4"), 90_204);
        assert_eq!(version(b"18beta1"), 180_000);
        assert_eq!(version(b""), 0);
        assert_eq!(version(b"999999999999.9"), 99_990_009);
    }

    #[test]
    fn keys_are_kept_whole_or_not_at_all() {
        let mut info = ServerInfo::new();
        assert_eq!(info.cancel_key(), None);
        info.backend_key(7, &[1; 32]);
        assert_eq!(info.cancel_key(), Some(&[1; 32][..]));
        info.backend_key(7, &[2; 33]);
        assert_eq!(info.cancel_key(), None);
    }

    #[test]
    fn a_number_that_no_process_has_is_a_poolers() {
        let is_mixed = |pid| {
            let mut info = ServerInfo::new();
            info.backend_key(pid, &[1; 4]);
            info.suspect_a_pooler();
            info.is(Fact::Mixed)
        };
        assert_eq!([0, 77, 4_194_303].map(is_mixed), [false; 3]);
        assert_eq!([4_194_304, 0x8000_0001, u32::MAX].map(is_mixed), [true; 3]);
    }

    #[test]
    fn a_server_may_not_change_its_mind() {
        let mut info = ServerInfo::new();
        assert_eq!(info.saw(Dialect::Auto), Ok(()));
        assert_eq!(info.saw(Dialect::PostgreSql), Ok(()));
        assert_eq!(info.saw(Dialect::PostgreSql), Ok(()));
        assert_eq!(info.saw(Dialect::OpenGauss), Err(AuthError::Dialect));
        info.expect(Dialect::OpenGauss);
        assert_eq!(info.saw(Dialect::PostgreSql), Err(AuthError::Dialect));
        assert!(info.is_opengauss());
    }

    #[cfg(feature = "opengauss")]
    #[test]
    fn opengauss_is_known_by_version_and_parameters() {
        let mut info = ServerInfo::new();
        assert_eq!(info.parameter(b"is_sysadmin", b"off"), Ok(()));
        assert!(!info.is_opengauss());
        assert_eq!(info.parameter(b"server_version", b"9.2.4"), Ok(()));
        assert!(info.is_opengauss());
        info.expect(Dialect::PostgreSql);
        assert!(!info.is_opengauss());
    }

    #[test]
    fn the_encoding_must_stay() {
        let mut info = ServerInfo::new();
        assert_eq!(info.parameter(b"client_encoding", b"utf8"), Ok(()));
        assert_eq!(info.parameter(b"client_encoding", b"UNICODE"), Ok(()));
        assert_eq!(info.parameter(b"client_encoding", b"UHC"), Err(ProtocolError::Encoding));
        assert_eq!(info.parameter(b"client_encoding", b"GBK"), Err(ProtocolError::Encoding));
        // Other names, two of them as long as one that counts.
        for name in [&b"server_encoding"[..], b"client_encodinG", b"", b"TimeZone", &[b'x'; 47]] {
            assert_eq!(info.parameter(name, b"LATIN1"), Ok(()));
        }
    }

    #[test]
    fn parameters_that_count_are_kept() {
        let mut info = ServerInfo::new();
        for (name, value) in [
            (&b"server_version"[..], &b"15.18 (Debian)"[..]),
            (b"in_hot_standby", b"on"),
            (b"default_transaction_read_only", b"off"),
        ] {
            assert_eq!(info.parameter(name, value), Ok(()));
        }
        assert_eq!((info.version, info.in_hot_standby), (150_018, Some(true)));
        assert_eq!(info.read_only, Some(false));
    }
}
