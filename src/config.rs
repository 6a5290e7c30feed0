//! What `connect` is to do: the connection parameters, named as libpq names them.
//!
//! A [`Config`] borrows its strings, so parameters in flash cost no RAM, and every method is
//! `const`: a whole configuration can be a `static`.

use crate::limits;

/// The connection parameters. Source: manual, "Parameter Key Words".
#[derive(Clone, Copy)]
pub struct Config<'a> {
    pub(crate) dbname: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<Password<'a>>,
    pub(crate) host: Option<&'a str>,
    pub(crate) port: Option<&'a str>,
    pub(crate) sslmode: SslMode,
    pub(crate) sslcert: Option<&'a str>,
    pub(crate) sslkey: Option<&'a str>,
    pub(crate) sslrootcert: Option<&'a str>,
    pub(crate) application_name: Option<&'a str>,
    pub(crate) options: Option<&'a str>,
    pub(crate) connect_timeout_ms: u32,
    pub(crate) require_auth: Option<AuthMethods>,
    pub(crate) dialect: Dialect,
    pub(crate) scram_iterations: (u32, u32),
}

/// The port where none is given.
pub const DEFAULT_PORT: u16 = 5432;

/// A password. Shown as `<redacted>` by every formatter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Password<'a>(&'a str);

impl<'a> Password<'a> {
    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

/// How TLS is used; libpq's `sslmode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// Plaintext, TLS only if the server refuses plaintext.
    Allow,
    /// TLS if the server offers it, else plaintext. The default, as in libpq: it protects from
    /// nobody on the way. Firmware should use [`VerifyFull`](Self::VerifyFull).
    #[default]
    Prefer,
    /// TLS or nothing; the certificate is verified only if `sslrootcert` is given.
    Require,
    /// TLS, and the certificate must come from `sslrootcert`.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be the host's.
    VerifyFull,
}

/// Which server family is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Dialect {
    /// Find out: offers protocol 3.51, which openGauss speaks and PostgreSQL negotiates down.
    #[default]
    Auto,
    /// PostgreSQL, protocol 3.0.
    PostgreSql,
    /// openGauss, protocol 3.51.
    OpenGauss,
}

/// A set of authentication methods; libpq's `require_auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AuthMethods(u8);

impl AuthMethods {
    /// The server asks for nothing (`trust`, `peer`, or a client certificate under TLS).
    pub const NONE: Self = Self(1);
    /// The password in clear. Named explicitly, it is sent even without TLS.
    pub const PASSWORD: Self = Self(2);
    /// MD5 challenge. Named explicitly, it is answered even without TLS.
    pub const MD5: Self = Self(4);
    /// SCRAM-SHA-256, which proves the server too.
    pub const SCRAM_SHA_256: Self = Self(8);
    /// openGauss's SHA256.
    pub const GAUSS_SHA256: Self = Self(16);
    /// openGauss's SM3.
    pub const GAUSS_SM3: Self = Self(32);
    /// No method at all; a start for building sets.
    pub const EMPTY: Self = Self(0);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The methods of this set that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl<'a> Config<'a> {
    /// Nothing set: libpq's defaults.
    pub const fn new() -> Self {
        Self {
            dbname: None,
            user: None,
            password: None,
            host: None,
            port: None,
            sslmode: SslMode::Prefer,
            sslcert: None,
            sslkey: None,
            sslrootcert: None,
            application_name: None,
            options: None,
            connect_timeout_ms: limits::DEFAULT_CONNECT_TIMEOUT_MS,
            require_auth: None,
            dialect: Dialect::Auto,
            scram_iterations: (limits::SCRAM_MIN_ITERATIONS, limits::SCRAM_MAX_ITERATIONS),
        }
    }

    /// Database name. Default: the user's name.
    #[must_use]
    pub const fn dbname(mut self, value: &'a str) -> Self {
        self.dbname = Some(value);
        self
    }

    /// User name. Required.
    #[must_use]
    pub const fn user(mut self, value: &'a str) -> Self {
        self.user = Some(value);
        self
    }

    /// Password, in UTF-8. For SCRAM, characters outside ASCII must already be in SASLprep's
    /// form (NFKC): the driver carries no Unicode tables.
    #[must_use]
    pub const fn password(mut self, value: &'a str) -> Self {
        self.password = Some(Password(value));
        self
    }

    /// Host name, address or directory of the UNIX socket. Used by whoever dials, and by TLS.
    #[must_use]
    pub const fn host(mut self, value: &'a str) -> Self {
        self.host = Some(value);
        self
    }

    /// Port, in decimal. Default: [`DEFAULT_PORT`].
    #[must_use]
    pub const fn port(mut self, value: &'a str) -> Self {
        self.port = Some(value);
        self
    }

    /// How TLS is used. Default: [`SslMode::Prefer`].
    #[must_use]
    pub const fn sslmode(mut self, value: SslMode) -> Self {
        self.sslmode = value;
        self
    }

    /// Name of the client certificate.
    #[must_use]
    pub const fn sslcert(mut self, value: &'a str) -> Self {
        self.sslcert = Some(value);
        self
    }

    /// Name of the client certificate's key.
    #[must_use]
    pub const fn sslkey(mut self, value: &'a str) -> Self {
        self.sslkey = Some(value);
        self
    }

    /// Name of the trusted root certificates.
    #[must_use]
    pub const fn sslrootcert(mut self, value: &'a str) -> Self {
        self.sslrootcert = Some(value);
        self
    }

    /// Shown in `pg_stat_activity` and in the server's log.
    #[must_use]
    pub const fn application_name(mut self, value: &'a str) -> Self {
        self.application_name = Some(value);
        self
    }

    /// Command-line options for the server, such as `-c statement_timeout=5s`.
    #[must_use]
    pub const fn options(mut self, value: &'a str) -> Self {
        self.options = Some(value);
        self
    }

    /// Deadline of the whole login, in milliseconds (libpq's `connect_timeout` counts seconds).
    /// Default: [`limits::DEFAULT_CONNECT_TIMEOUT_MS`].
    #[must_use]
    pub const fn connect_timeout_ms(mut self, value: u32) -> Self {
        self.connect_timeout_ms = value;
        self
    }

    /// The only authentication methods that are answered. Default: every method but those that
    /// show the password or its MD5 hash to a listener; these are answered over verified TLS.
    #[must_use]
    pub const fn require_auth(mut self, value: AuthMethods) -> Self {
        self.require_auth = Some(value);
        self
    }

    /// Which server family is expected. Default: [`Dialect::Auto`].
    #[must_use]
    pub const fn dialect(mut self, value: Dialect) -> Self {
        self.dialect = value;
        self
    }

    /// Fewest and most SCRAM iterations accepted. Defaults:
    /// [`limits::SCRAM_MIN_ITERATIONS`], [`limits::SCRAM_MAX_ITERATIONS`].
    #[must_use]
    pub const fn scram_iterations(mut self, min: u32, max: u32) -> Self {
        self.scram_iterations = (min, max);
        self
    }
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Password<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Password<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "<redacted>");
    }
}

impl core::fmt::Debug for Config<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config")
            .field("dbname", &self.dbname)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("sslmode", &self.sslmode)
            .finish_non_exhaustive()
    }
}
