//! The builder: one `const` method per keyword.

use super::error::ParseReason;
use super::number;
use super::{
    ChannelBinding, Config, Dialect, Keepalives, LoadBalanceHosts, ProtocolVersion, SslMode,
    SslNegotiation, TargetSessionAttrs,
};
#[cfg(feature = "opengauss")]
use crate::credentials::GaussKeys;
use crate::credentials::{AuthMethods, Secret};

macro_rules! setters {
    ($( $(#[$doc:meta])* $name:ident($value:ident: $type:ty) $($field:ident).+ = $stored:expr; )*) => {
        impl<'a> Config<'a> {
            $(
                $(#[$doc])*
                #[must_use]
                pub const fn $name(mut self, $value: $type) -> Self {
                    self.$($field).+ = $stored;
                    self
                }
            )*
        }
    };
}

setters! {
    /// Database name. Default: the user's name.
    dbname(value: &'a str) dbname = Some(value);

    /// User name. Required.
    user(value: &'a str) credentials.user = Some(value);

    /// Password, in UTF-8. SCRAM hashes its SASLprep form (RFC 4013). ASCII and the letters of
    /// Latin-1 are the same in that form; any other password must be declared with
    /// [`password_prepared`](Self::password_prepared) or, on a host, needs feature `saslprep`,
    /// for the driver carries no Unicode tables.
    password(value: &'a str) credentials.password = Some(Secret::new(value));

    /// Whether `password` is in SASLprep's form (NFKC, no mapped or prohibited characters) already:
    /// then it is hashed as it is. Default: no, and SCRAM refuses a password that may not be.
    password_prepared(value: bool) credentials.password_prepared = value;

    /// Host name, address or directory of the UNIX socket; several separated by commas. Used by
    /// whoever dials, and by TLS: of a link that was opened for [`connect`](crate::Client::connect) the first one is
    /// verified.
    host(value: &'a str) host = Some(value);

    /// Numeric address to dial instead of looking up `host`; as many as hosts, separated by
    /// commas.
    hostaddr(value: &'a str) hostaddr = Some(value);

    /// Port, in decimal; one for all hosts, or as many as hosts, separated by commas. Default:
    /// [`DEFAULT_PORT`](crate::DEFAULT_PORT).
    port(value: &'a str) port = Some(value);

    /// How TLS is used. Default: [`SslMode::Prefer`].
    sslmode(value: SslMode) sslmode = value;

    /// How TLS begins. Default: [`SslNegotiation::Postgres`].
    sslnegotiation(value: SslNegotiation) sslnegotiation = value;

    /// Name of the client certificate.
    sslcert(value: &'a str) sslcert = Some(value);

    /// Name of the client certificate's key.
    sslkey(value: &'a str) sslkey = Some(value);

    /// Name of the trusted root certificates.
    sslrootcert(value: &'a str) sslrootcert = Some(value);

    /// Whether the host's name is sent to the server in TLS. Default: yes.
    sslsni(value: bool) sslsni = value;

    /// Whether the login is tied to the TLS session. Default: [`ChannelBinding::Prefer`].
    channel_binding(value: ChannelBinding) channel_binding = value;

    /// Shown in `pg_stat_activity` and in the server's log.
    application_name(value: &'a str) application_name = Some(value);

    /// Takes the place of `application_name` where that is not given.
    fallback_application_name(value: &'a str) fallback_application_name = Some(value);

    /// Command-line options for the server, such as `-c statement_timeout=5s`.
    options(value: &'a str) options = Some(value);

    /// Deadline of the whole login at one host, in milliseconds (libpq's `connect_timeout`
    /// counts seconds); 0 leaves no time, where that 0 is none. Default:
    /// [`DEFAULT_CONNECT_TIMEOUT_MS`](crate::limits::DEFAULT_CONNECT_TIMEOUT_MS).
    connect_timeout_ms(value: u32) connect_timeout_ms = value;

    /// TCP keepalive, for the dialler. Default: [`Keepalives::SYSTEM`].
    keepalives(value: Keepalives) keepalives = value;

    /// Milliseconds that sent data may stay unacknowledged before TCP gives up, for the
    /// dialler. 0, the default: the system's figure.
    tcp_user_timeout_ms(value: u32) tcp_user_timeout_ms = value;

    /// The only authentication methods that are answered. Default: every method but those that
    /// show the password or its MD5 hash to a listener; these are answered over verified TLS.
    require_auth(value: AuthMethods) require_auth = Some(value);

    /// Oldest protocol version accepted. Default: 3.0.
    min_protocol_version(value: ProtocolVersion) min_protocol_version = Some(value);

    /// Newest protocol version asked for. Default: what `dialect` says.
    max_protocol_version(value: ProtocolVersion) max_protocol_version = Some(value);

    /// Which session is wanted. Only [`connect_with`](crate::Client::connect_with) looks at it: who
    /// opens the transport has chosen the server. Default: [`TargetSessionAttrs::Any`].
    target_session_attrs(value: TargetSessionAttrs) target_session_attrs = value;

    /// In which order [`connect_with`](crate::Client::connect_with) tries hosts and addresses.
    /// Default: [`LoadBalanceHosts::Disable`].
    load_balance_hosts(value: LoadBalanceHosts) load_balance_hosts = value;

    /// Which server family is expected. Default: [`Dialect::Auto`].
    dialect(value: Dialect) dialect = value;
}

impl<'a> Config<'a> {
    /// What opens `sslkey`, where that is encrypted. Of no account where it is not, as with libpq.
    #[cfg(feature = "sslpassword")]
    #[must_use]
    pub const fn sslpassword(mut self, value: &'a str) -> Self {
        self.sslpassword = Some(Secret::new(value));
        self
    }

    /// SCRAM's ClientKey in base64 (44 characters), instead of a password. It is good for one
    /// salt and iteration count, those of the role when the key was made, and goes with
    /// [`scram_server_key`](Self::scram_server_key).
    #[must_use]
    pub const fn scram_client_key(mut self, value: &'a str) -> Self {
        self.credentials.scram_client_key = Some(Secret::new(value));
        self.credentials.scram_key_decoder = Some(super::number::key_into);
        self
    }

    /// SCRAM's ServerKey in base64 (44 characters); goes with `scram_client_key`.
    #[must_use]
    pub const fn scram_server_key(mut self, value: &'a str) -> Self {
        self.credentials.scram_server_key = Some(Secret::new(value));
        self.credentials.scram_key_decoder = Some(super::number::key_into);
        self
    }

    /// Fewest and most SCRAM iterations accepted; `scram_min_iterations` and `scram_max_iterations` in
    /// a connection string. Defaults:
    /// [`SCRAM_MIN_ITERATIONS`](crate::limits::SCRAM_MIN_ITERATIONS),
    /// [`SCRAM_MAX_ITERATIONS`](crate::limits::SCRAM_MAX_ITERATIONS).
    #[must_use]
    pub const fn scram_iterations(mut self, min: u32, max: u32) -> Self {
        self.credentials.scram_iterations = (min, max);
        self
    }

    /// libpq's `connect_timeout`: the deadline of one attempt in seconds, 0 for none (which is
    /// 49 days here).
    #[must_use]
    pub const fn connect_timeout(mut self, seconds: u32) -> Self {
        self.connect_timeout_ms = number::milliseconds(seconds);
        self
    }
}

#[cfg(feature = "std")]
setters! {
    /// The file that passwords are looked up in. Default: `.pgpass` in the home directory.
    passfile(value: &'a str) passfile = Some(value);
}

#[cfg(feature = "opengauss")]
setters! {
    /// openGauss's login keys, instead of a password; `gauss_keys` in a connection string. With a
    /// password as well, the password is used where the keys do not fit the server's salt.
    gauss_keys(value: &'a GaussKeys) credentials.gauss_keys = Some(value);

    /// Whether `execute_many` uses openGauss's batch bind: many rows in one message. Default:
    /// yes. Turn it off for a server with `support_batch_bind = off`.
    batch_bind(value: bool) batch_bind = value;
}

#[cfg(feature = "opengauss")]
impl Config<'_> {
    /// Fewest and most iterations of openGauss's SHA256 and SM3 that a password is hashed with.
    /// Defaults: [`GAUSS_MIN_ITERATIONS`](crate::limits::GAUSS_MIN_ITERATIONS),
    /// [`GAUSS_MAX_ITERATIONS`](crate::limits::GAUSS_MAX_ITERATIONS).
    #[must_use]
    pub const fn gauss_iterations(mut self, min: u32, max: u32) -> Self {
        self.credentials.gauss_iterations = (min, max);
        self
    }
}

impl<'a> Config<'a> {
    /// From a connection string.
    #[cfg(feature = "sslpassword")]
    pub(super) fn set_sslpassword(&mut self, value: &'a str) -> Result<(), ParseReason> {
        self.sslpassword = Some(Secret::new(value));
        Ok(())
    }

    /// An empty one asks for nothing.
    #[cfg(not(feature = "sslpassword"))]
    pub(super) fn set_sslpassword(&mut self, value: &'a str) -> Result<(), ParseReason> {
        match value {
            "" => Ok(()),
            _ => Err(ParseReason::NotServed("sslkey must not be encrypted in this build")),
        }
    }

    /// `sslpassword`, in clear. `None` where it is empty, and without feature `sslpassword`.
    #[cfg(feature = "std")]
    pub fn reveal_sslpassword(&self) -> Option<&'a str> {
        #[cfg(feature = "sslpassword")]
        let password = self.sslpassword.map(|password| password.as_str());
        #[cfg(not(feature = "sslpassword"))]
        let password: Option<&str> = None;
        password.filter(|password| !password.is_empty())
    }
}
