//! What a configuration says, for diallers and for people. `get_` because the plain names belong
//! to the builder.

use super::hosts::List;
use super::{
    ChannelBinding, Config, Dialect, Keepalives, LoadBalanceHosts, ProtocolVersion, SslMode,
    SslNegotiation, TargetSessionAttrs,
};
use crate::credentials::{AuthMethods, Secret};
use crate::wire::frontend::PROTOCOL_3_51;

macro_rules! getters {
    ($( $(#[$doc:meta])* $name:ident: $type:ty = $($field:ident).+; )*) => {
        impl<'a> Config<'a> {
            $( $(#[$doc])* pub const fn $name(&self) -> $type { self.$($field).+ } )*
        }
    };
}

getters! {
    /// `user`, if given.
    get_user: Option<&'a str> = credentials.user;
    /// Fewest and most SCRAM iterations accepted.
    get_scram_iterations: (u32, u32) = credentials.scram_iterations;
    /// `password_prepared`.
    get_password_prepared: bool = credentials.password_prepared;
    /// `host`, the list as written; [`Config::hosts`] takes it apart.
    get_host: Option<&'a str> = host;
    /// `hostaddr`, the list as written.
    get_hostaddr: Option<&'a str> = hostaddr;
    /// `port`, the list as written.
    get_port: Option<&'a str> = port;
    /// `options`, if given.
    get_options: Option<&'a str> = options;
    /// `sslmode`.
    get_sslmode: SslMode = sslmode;
    /// `sslnegotiation`.
    get_sslnegotiation: SslNegotiation = sslnegotiation;
    /// `sslcert`, if given.
    get_sslcert: Option<&'a str> = sslcert;
    /// `sslkey`, if given.
    get_sslkey: Option<&'a str> = sslkey;
    /// `sslrootcert`, if given.
    get_sslrootcert: Option<&'a str> = sslrootcert;
    /// `sslsni`.
    get_sslsni: bool = sslsni;
    /// `channel_binding`.
    get_channel_binding: ChannelBinding = channel_binding;
    /// `connect_timeout`, in milliseconds.
    get_connect_timeout_ms: u32 = connect_timeout_ms;
    /// The four `keepalives` parameters.
    get_keepalives: Keepalives = keepalives;
    /// `tcp_user_timeout`, in milliseconds; 0 = the system's figure.
    get_tcp_user_timeout_ms: u32 = tcp_user_timeout_ms;
    /// `require_auth`; `None` = the default policy.
    get_require_auth: Option<AuthMethods> = require_auth;
    /// `min_protocol_version`, if given.
    get_min_protocol_version: Option<ProtocolVersion> = min_protocol_version;
    /// `max_protocol_version`, if given.
    get_max_protocol_version: Option<ProtocolVersion> = max_protocol_version;
    /// `target_session_attrs`.
    get_target_session_attrs: TargetSessionAttrs = target_session_attrs;
    /// `load_balance_hosts`.
    get_load_balance_hosts: LoadBalanceHosts = load_balance_hosts;
    /// `dialect`.
    get_dialect: Dialect = dialect;
}

impl<'a> Config<'a> {
    /// The first of the hosts, empty where none is given: what a link that is already open is
    /// held to.
    pub(crate) fn first_host(&self) -> &'a str {
        List(self.host).next().unwrap_or("")
    }

    /// `dbname`, or else the user's name.
    pub fn get_dbname(&self) -> Option<&'a str> {
        self.dbname.filter(|name| !name.is_empty()).or(self.credentials.user)
    }

    /// The application name to send: `application_name`, or else `fallback_application_name`.
    /// An empty `application_name` sends none.
    pub fn get_application_name(&self) -> Option<&'a str> {
        self.application_name.or(self.fallback_application_name).filter(|name| !name.is_empty())
    }

    /// The password, in clear. Every other way of looking at a configuration hides it.
    pub fn reveal_password(&self) -> Option<&'a str> {
        self.credentials.password.map(|password| password.as_str())
    }

    /// SCRAM's ClientKey and ServerKey as given, in clear base64. Whoever has the ClientKey can
    /// log in.
    pub fn reveal_scram_keys(&self) -> (Option<&'a str>, Option<&'a str>) {
        let text = |key: Secret<'a>| key.as_str();
        (self.credentials.scram_client_key.map(text), self.credentials.scram_server_key.map(text))
    }

    /// Whether a password is given.
    pub fn has_password(&self) -> bool {
        self.credentials.given_password().is_some()
    }

    /// Whether openGauss's login keys are given.
    #[cfg(feature = "opengauss")]
    pub const fn has_gauss_keys(&self) -> bool {
        self.credentials.gauss_keys.is_some() || self.credentials.gauss_keys_text.is_some()
    }

    /// Whether both SCRAM keys are given.
    pub const fn has_scram_keys(&self) -> bool {
        self.credentials.scram_client_key.is_some() && self.credentials.scram_server_key.is_some()
    }
}

impl Config<'_> {
    /// The protocol version to ask for. `max_protocol_version` is PostgreSQL's and rules out
    /// openGauss's 3.51; `refused` is set when this server has refused that one before.
    pub(crate) fn asked_version(&self, refused: bool) -> u32 {
        match (self.dialect, self.max_protocol_version) {
            (Dialect::OpenGauss, _) => PROTOCOL_3_51,
            (_, Some(max)) => max.code(),
            // A build without openGauss asks like a PostgreSQL's client.
            (Dialect::Auto, None) if cfg!(feature = "opengauss") && !refused => PROTOCOL_3_51,
            // As in libpq: who asks for more than 3.0 at least, is asked for the newest.
            _ => self.min_protocol_version.unwrap_or(ProtocolVersion::V3_0).code(),
        }
    }

    /// Whether the version to ask for is the driver's to choose.
    pub(crate) fn may_guess(&self) -> bool {
        cfg!(feature = "opengauss")
            && self.dialect == Dialect::Auto
            && self.max_protocol_version.is_none()
    }

    /// Whether the version asked for may be one that a PostgreSQL-only peer does not know.
    pub(crate) fn is_guessing(&self, refused: bool) -> bool {
        self.may_guess() && self.asked_version(refused) == PROTOCOL_3_51
    }
}

#[cfg(feature = "std")]
getters! {
    /// `passfile`, if given.
    get_passfile: Option<&'a str> = passfile;
}
