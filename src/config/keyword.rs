//! The keywords: all that libpq 18 knows, `database` of psycopg2, and this driver's own.

use super::error::{ParseError, ParseReason};
use super::number::{self, TAKES_INT};
use super::parse::Parsed;
use super::require_auth;
use super::values::{
    ChannelBinding, Dialect, LoadBalanceHosts, ProtocolVersion, SslMode, SslNegotiation,
    TargetSessionAttrs,
};
use crate::credentials::Secret;

/// A keyword, by its place in the table.
#[derive(Clone, Copy)]
pub(crate) struct Keyword(u8);

/// The keywords that a text named, one bit each.
#[derive(Clone, Copy, Default)]
pub(crate) struct Named(u64);

/// What a keyword does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serve {
    Dbname,
    User,
    Password,
    Passfile,
    Host,
    HostAddr,
    Port,
    ConnectTimeout,
    ClientEncoding,
    Options,
    ApplicationName,
    FallbackApplicationName,
    Keepalives,
    KeepalivesIdle,
    KeepalivesInterval,
    KeepalivesCount,
    TcpUserTimeout,
    SslMode,
    RequireSsl,
    SslNegotiation,
    SslCert,
    SslKey,
    SslRootCert,
    SslSni,
    ChannelBinding,
    RequireAuth,
    MinProtocolVersion,
    MaxProtocolVersion,
    ScramClientKey,
    ScramServerKey,
    GaussKeys,
    TargetSessionAttrs,
    LoadBalanceHosts,
    Dialect,
    CancelAtDeadline,
    /// Not served, but for the values that ask for nothing beyond what the driver does anyway.
    Not(&'static [&'static str], &'static str),
}

const GSS: &str = "there is no GSSAPI";
const OAUTH: &str = "there is no OAuth";
const CRL: &str = "revocation lists are not checked";

static TABLE: [(&str, Serve); 57] = [
    ("dbname", Serve::Dbname),
    ("database", Serve::Dbname),
    ("user", Serve::User),
    ("password", Serve::Password),
    ("passfile", Serve::Passfile),
    ("host", Serve::Host),
    ("hostaddr", Serve::HostAddr),
    ("port", Serve::Port),
    ("connect_timeout", Serve::ConnectTimeout),
    ("client_encoding", Serve::ClientEncoding),
    ("options", Serve::Options),
    ("application_name", Serve::ApplicationName),
    ("fallback_application_name", Serve::FallbackApplicationName),
    ("keepalives", Serve::Keepalives),
    ("keepalives_idle", Serve::KeepalivesIdle),
    ("keepalives_interval", Serve::KeepalivesInterval),
    ("keepalives_count", Serve::KeepalivesCount),
    ("tcp_user_timeout", Serve::TcpUserTimeout),
    ("sslmode", Serve::SslMode),
    ("requiressl", Serve::RequireSsl),
    ("sslnegotiation", Serve::SslNegotiation),
    ("sslcert", Serve::SslCert),
    ("sslkey", Serve::SslKey),
    ("sslrootcert", Serve::SslRootCert),
    ("sslsni", Serve::SslSni),
    ("channel_binding", Serve::ChannelBinding),
    ("require_auth", Serve::RequireAuth),
    ("min_protocol_version", Serve::MinProtocolVersion),
    ("max_protocol_version", Serve::MaxProtocolVersion),
    ("scram_client_key", Serve::ScramClientKey),
    ("scram_server_key", Serve::ScramServerKey),
    ("gauss_keys", Serve::GaussKeys),
    ("target_session_attrs", Serve::TargetSessionAttrs),
    ("load_balance_hosts", Serve::LoadBalanceHosts),
    ("dialect", Serve::Dialect),
    ("cancel_at_deadline", Serve::CancelAtDeadline),
    ("service", Serve::Not(&[], "service files are not read")),
    ("sslcompression", Serve::Not(&["0"], "there is no TLS compression")),
    ("sslcertmode", Serve::Not(&["allow"], "the certificate is sent when the server asks")),
    ("sslpassword", Serve::Not(&[""], "the client's key must not be encrypted")),
    ("sslcrl", Serve::Not(&[""], CRL)),
    ("sslcrldir", Serve::Not(&[""], CRL)),
    (
        "ssl_min_protocol_version",
        Serve::Not(&["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"], "there is only TLSv1.3"),
    ),
    ("ssl_max_protocol_version", Serve::Not(&["", "TLSv1.3"], "there is only TLSv1.3")),
    ("sslkeylogfile", Serve::Not(&[""], "the keys of a session are not given out")),
    ("requirepeer", Serve::Not(&[""], "the owner of the server's process is not asked for")),
    ("gssencmode", Serve::Not(&["disable", "prefer"], GSS)),
    ("krbsrvname", Serve::Not(&["", "postgres"], GSS)),
    ("gsslib", Serve::Not(&[], GSS)),
    ("gssdelegation", Serve::Not(&["0"], GSS)),
    (
        "replication",
        Serve::Not(&["false", "off", "no", "0"], "replication connections are not spoken"),
    ),
    ("oauth_issuer", Serve::Not(&[], OAUTH)),
    ("oauth_client_id", Serve::Not(&[], OAUTH)),
    ("oauth_client_secret", Serve::Not(&[], OAUTH)),
    ("oauth_scope", Serve::Not(&[], OAUTH)),
    ("servicefile", Serve::Not(&[], "service files are not read")),
    ("authtype", Serve::Not(&[], "it means nothing since protocol 3")),
];

/// The keyword of this name. Case counts, as in libpq.
pub(crate) fn find(name: &str) -> Option<Keyword> {
    let place = TABLE.iter().position(|(keyword, _)| *keyword == name)?;
    u8::try_from(place).ok().map(Keyword)
}

impl Keyword {
    fn entry(self) -> (&'static str, Serve) {
        TABLE.get(usize::from(self.0)).copied().unwrap_or(("", Serve::Not(&[], "")))
    }

    /// The official spelling; `dbname` for `database`.
    pub(crate) fn name(self) -> &'static str {
        match self.entry() {
            (_, Serve::Dbname) => "dbname",
            (name, _) => name,
        }
    }

    /// Puts a value in its place.
    pub(crate) fn set<'a>(
        self,
        parsed: &mut Parsed<'a>,
        value: &'a str,
    ) -> Result<(), ParseReason> {
        let (name, serve) = self.entry();
        parsed.named.add(serve);
        let config = &mut parsed.config;
        match serve {
            Serve::Dbname => config.dbname = Some(value),
            Serve::User => config.credentials.user = Some(value),
            Serve::Password => config.credentials.password = Some(Secret::new(value)),
            #[cfg(feature = "std")]
            Serve::Passfile => config.passfile = Some(value),
            #[cfg(not(feature = "std"))]
            Serve::Passfile => return Err(ParseReason::NotServed("there are no files here")),
            Serve::Host => config.host = Some(value),
            Serve::HostAddr => config.hostaddr = Some(value),
            Serve::Port => config.port = Some(value),
            Serve::ConnectTimeout => config.connect_timeout_ms = timeout(value)?,
            Serve::ClientEncoding => encoding(value)?,
            Serve::Options => config.options = Some(value),
            Serve::ApplicationName => config.application_name = Some(value),
            Serve::FallbackApplicationName => config.fallback_application_name = Some(value),
            Serve::Keepalives => config.keepalives.on = integer(value)? != 0,
            Serve::KeepalivesIdle => config.keepalives.idle_s = unsigned(value)?,
            Serve::KeepalivesInterval => config.keepalives.interval_s = unsigned(value)?,
            Serve::KeepalivesCount => config.keepalives.count = unsigned(value)?,
            Serve::TcpUserTimeout => config.tcp_user_timeout_ms = unsigned(value)?,
            Serve::SslMode => config.sslmode = one_of(SslMode::parse(value), SslMode::TAKES)?,
            Serve::RequireSsl if value.starts_with('1') => config.sslmode = SslMode::Require,
            Serve::RequireSsl => config.sslmode = SslMode::Prefer,
            Serve::SslNegotiation => {
                config.sslnegotiation =
                    one_of(SslNegotiation::parse(value), SslNegotiation::TAKES)?;
            }
            Serve::SslCert => config.sslcert = Some(value),
            Serve::SslKey => config.sslkey = Some(value),
            Serve::SslRootCert => config.sslrootcert = Some(value),
            Serve::SslSni => config.sslsni = one_of(flag(value), "0 or 1")?,
            Serve::ChannelBinding => {
                config.channel_binding =
                    one_of(ChannelBinding::parse(value), ChannelBinding::TAKES)?;
            }
            Serve::RequireAuth => config.require_auth = require_auth::parse(value)?,
            Serve::MinProtocolVersion => config.min_protocol_version = Some(version(value)?),
            Serve::MaxProtocolVersion => config.max_protocol_version = Some(version(value)?),
            Serve::ScramClientKey => *config = config.scram_client_key(key(value)?),
            Serve::ScramServerKey => *config = config.scram_server_key(key(value)?),
            #[cfg(feature = "opengauss")]
            Serve::GaussKeys => {
                crate::credentials::GaussKeys::parse(value).ok_or(ParseReason::InvalidValue(
                    "method:iterations:salt:ClientKey:StoredKey",
                ))?;
                config.credentials.gauss_keys_text = Some(Secret::new(value));
            }
            #[cfg(not(feature = "opengauss"))]
            Serve::GaussKeys => return Err(ParseReason::NotServed("openGauss is not compiled in")),
            Serve::TargetSessionAttrs => {
                config.target_session_attrs =
                    one_of(TargetSessionAttrs::parse(value), TargetSessionAttrs::TAKES)?;
            }
            Serve::LoadBalanceHosts => {
                config.load_balance_hosts =
                    one_of(LoadBalanceHosts::parse(value), LoadBalanceHosts::TAKES)?;
            }
            Serve::CancelAtDeadline => config.cancel_at_deadline = one_of(flag(value), "0 or 1")?,
            Serve::Dialect => config.dialect = one_of(Dialect::parse(value), Dialect::TAKES)?,
            Serve::Not(accepted, _) if accepted.contains(&value) => {}
            Serve::Not(_, why) => {
                debug!("connection parameter {=str} is not served", name);
                return Err(ParseReason::NotServed(why));
            }
        }
        Ok(())
    }
}

impl Named {
    fn add(&mut self, serve: Serve) {
        self.0 |= bit(serve);
    }

    #[cfg(feature = "std")]
    pub(crate) fn includes(self, keyword: Keyword) -> bool {
        self.has(keyword.entry().1)
    }

    fn has(self, serve: Serve) -> bool {
        self.0 & bit(serve) != 0
    }
}

fn bit(serve: Serve) -> u64 {
    let place = TABLE.iter().position(|(_, entry)| *entry == serve).unwrap_or(63);
    1_u64.checked_shl(u32::try_from(place).unwrap_or(63)).unwrap_or(0)
}

/// What only shows when all is read: parameters that contradict each other.
pub(crate) fn check(parsed: &mut Parsed<'_>) -> Result<(), ParseError> {
    let conflict =
        |keyword, why| Err(ParseError::new(Some(keyword), 0, ParseReason::Conflict(why)));
    let named = parsed.named;
    let config = &mut parsed.config;
    if config.sslrootcert == Some("system") {
        if !named.has(Serve::SslMode) && !named.has(Serve::RequireSsl) {
            config.sslmode = SslMode::VerifyFull;
        } else if config.sslmode != SslMode::VerifyFull {
            return conflict("sslmode", "sslrootcert=system asks for verify-full");
        }
    }
    let weak = matches!(config.sslmode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
    if config.sslnegotiation == SslNegotiation::Direct && weak {
        return conflict("sslmode", "sslnegotiation=direct asks for require or better");
    }
    if let (Some(min), Some(max)) = (config.min_protocol_version, config.max_protocol_version)
        && min > max
    {
        return conflict("min_protocol_version", "above max_protocol_version");
    }
    if config.dialect == Dialect::OpenGauss && config.max_protocol_version.is_some() {
        return conflict("max_protocol_version", "dialect=opengauss speaks 3.51");
    }
    config.hosts().map(|_| ())
}

fn one_of<T>(value: Option<T>, takes: &'static str) -> Result<T, ParseReason> {
    value.ok_or(ParseReason::InvalidValue(takes))
}

fn integer(value: &str) -> Result<i32, ParseReason> {
    one_of(number::int(value), TAKES_INT)
}

fn unsigned(value: &str) -> Result<u32, ParseReason> {
    one_of(number::unsigned(value), TAKES_INT)
}

/// Seconds to milliseconds. Zero and below mean "for ever", which is 49 days here.
fn timeout(value: &str) -> Result<u32, ParseReason> {
    let seconds = unsigned(value)?;
    Ok(if seconds == 0 { u32::MAX } else { seconds.saturating_mul(1000) })
}

fn version(value: &str) -> Result<ProtocolVersion, ParseReason> {
    one_of(ProtocolVersion::parse(value), ProtocolVersion::TAKES)
}

fn key(value: &str) -> Result<&str, ParseReason> {
    one_of(number::key(value).map(|_| value), "32 bytes in base64")
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The server's spellings of UTF8: case and punctuation do not count.
fn encoding(value: &str) -> Result<(), ParseReason> {
    let is = |name: &str| {
        let letters = value.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
    };
    if value.is_empty() || is("utf8") || is("unicode") {
        Ok(())
    } else {
        Err(ParseReason::NotServed("text is UTF8 here"))
    }
}
