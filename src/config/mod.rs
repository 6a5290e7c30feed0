//! What `connect` is to do: the connection parameters, named as libpq names them.
//!
//! A [`Config`] borrows its strings, so parameters in flash cost no RAM, and every method is
//! `const`: a whole configuration can be a `static`. [`Config::parse`] reads the same parameters
//! from a connection string. Pure: no I/O, no clock.

mod builder;
mod error;
mod getters;
mod hosts;
mod keyword;
mod keywords;
mod number;
mod parse;
mod require_auth;
mod scratch;
mod server_limits;
mod uri;
mod values;

pub use error::{ParseError, ParseReason};
pub use hosts::{HostSpec, Hosts};
pub use values::{
    ChannelBinding, Dialect, Keepalives, LoadBalanceHosts, ProtocolVersion, SslMode,
    SslNegotiation, TargetSessionAttrs,
};

#[cfg(feature = "std")]
pub(crate) use parse::parse_with;

#[cfg(feature = "provision")]
pub(crate) use parse::{halves, single};

use server_limits::ServerLimits;

#[cfg(feature = "sslpassword")]
use crate::credentials::Secret;
use crate::credentials::{AuthMethods, Credentials};
use crate::limits;

/// The port where none is given.
pub const DEFAULT_PORT: u16 = 5432;

/// The connection parameters. Source: manual, "Parameter Key Words".
///
/// `Debug` and `defmt` output show `<redacted>` for the password and the SCRAM keys.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
// In this order there are no gaps, and a login hands on the credentials by the same pointer.
///
/// ```no_run
/// use barepg::{Config, SslMode};
///
/// // In flash.
/// static CONFIG: Config = Config::new()
///     .host("db1.plant.example,db2.plant.example")
///     .user("logger")
///     .password("secret")
///     .dbname("plant")
///     .sslmode(SslMode::Prefer);
///
/// // From a file or a serial line; the scratch buffer holds what is quoted in it.
/// let mut scratch = [0; 128];
/// let config = Config::parse("host=db user=logger connect_timeout=5", &mut scratch)?;
/// assert_eq!(config.get_connect_timeout_ms(), 5000);
/// # let _ = &CONFIG;
/// # Ok::<(), barepg::ParseError>(())
/// ```
///
/// Do not hand one configuration to two closures: optimised by Rust 1.77 to 1.95 (and perhaps later), what
/// the first changes in its copy can be in the second's (rust-lang/rust#155241). Functions, constants and
/// the calls above are not concerned.
#[repr(C)]
pub struct Config<'a> {
    pub(crate) credentials: Credentials<'a>,
    pub(crate) dbname: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) hostaddr: Option<&'a str>,
    pub(crate) port: Option<&'a str>,
    pub(crate) sslcert: Option<&'a str>,
    pub(crate) sslkey: Option<&'a str>,
    pub(crate) sslrootcert: Option<&'a str>,
    pub(crate) application_name: Option<&'a str>,
    pub(crate) fallback_application_name: Option<&'a str>,
    pub(crate) options: Option<&'a str>,
    #[cfg(feature = "std")]
    pub(crate) passfile: Option<&'a str>,
    #[cfg(feature = "sslpassword")]
    pub(crate) sslpassword: Option<Secret<'a>>,
    pub(crate) connect_timeout_ms: u32,
    pub(crate) keepalives: Keepalives,
    pub(crate) tcp_user_timeout_ms: u32,
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub(crate) server_limits: ServerLimits,
    pub(crate) sslmode: SslMode,
    pub(crate) sslnegotiation: SslNegotiation,
    pub(crate) sslsni: bool,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) require_auth: Option<AuthMethods>,
    pub(crate) min_protocol_version: Option<ProtocolVersion>,
    pub(crate) max_protocol_version: Option<ProtocolVersion>,
    pub(crate) target_session_attrs: TargetSessionAttrs,
    pub(crate) load_balance_hosts: LoadBalanceHosts,
    pub(crate) dialect: Dialect,
    #[cfg(feature = "opengauss")]
    pub(crate) batch_bind: bool,
}

impl<'a> Config<'a> {
    /// Nothing set: libpq's defaults, but for `connect_timeout`, which libpq leaves endless.
    pub const fn new() -> Self {
        Self {
            dbname: None,
            credentials: Credentials::NONE,
            host: None,
            hostaddr: None,
            port: None,
            sslmode: SslMode::Prefer,
            sslnegotiation: SslNegotiation::Postgres,
            sslcert: None,
            sslkey: None,
            sslrootcert: None,
            sslsni: true,
            channel_binding: ChannelBinding::Prefer,
            application_name: None,
            fallback_application_name: None,
            options: None,
            connect_timeout_ms: limits::DEFAULT_CONNECT_TIMEOUT_MS,
            keepalives: Keepalives::SYSTEM,
            tcp_user_timeout_ms: 0,
            server_limits: ServerLimits::NONE,
            require_auth: None,
            min_protocol_version: None,
            max_protocol_version: None,
            target_session_attrs: TargetSessionAttrs::Any,
            load_balance_hosts: LoadBalanceHosts::Disable,
            dialect: Dialect::Auto,
            #[cfg(feature = "opengauss")]
            batch_bind: true,
            #[cfg(feature = "std")]
            passfile: None,
            #[cfg(feature = "sslpassword")]
            sslpassword: None,
        }
    }

    /// Reads a connection string: `keyword=value` pairs or a URI that begins with
    /// `postgresql://`, `postgres://` or `opengauss://`. A keyword means what it means to libpq 18;
    /// `database` is another name of `dbname`; `dialect`, `gauss_keys`, `password_prepared`,
    /// `scram_min_iterations`, `scram_max_iterations` and the limits that the server keeps are this
    /// driver's own.
    ///
    /// Values are borrowed from `text` where nothing has to be unescaped, and unescaped into
    /// `scratch` otherwise; `text.len()` bytes of scratch are always enough. Nothing is cut.
    ///
    /// # Errors
    /// [`ParseError`] names the keyword or the position and the reason. It holds no piece of the
    /// text, hence no password.
    pub fn parse(text: &'a str, scratch: &'a mut [u8]) -> Result<Self, ParseError> {
        // One parser for a connection string and for each of its parts.
        #[cfg(feature = "provision")]
        return parse::parse_named(text, scratch, &mut keywords::Keywords::default());
        #[cfg(not(feature = "provision"))]
        parse::parse_with(text, scratch, |_| Ok(()))
    }

    /// The hosts to try, in the order written, each with its address and port.
    ///
    /// # Errors
    /// The lists of `host`, `hostaddr` and `port` do not match in number, or a port is not a
    /// number from 1 to 65535. A parsed configuration has been checked for both.
    pub fn hosts(&self) -> Result<Hosts<'a>, ParseError> {
        Hosts::new(self.host, self.hostaddr, self.port)
    }
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
