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

/// A keyword, by its place in [`TABLE`] and, after that, [`UNSUPPORTED`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyword(u8);

/// What a keyword does.
#[derive(Clone, Copy)]
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
    SslPassword,
    SslRootCert,
    SslSni,
    ChannelBinding,
    RequireAuth,
    MinProtocolVersion,
    MaxProtocolVersion,
    ScramClientKey,
    ScramServerKey,
    ScramMinIterations,
    ScramMaxIterations,
    PasswordPrepared,
    GaussKeys,
    TargetSessionAttrs,
    LoadBalanceHosts,
    Dialect,
    /// By its place in `server_limits`.
    ServerLimit(u8),
}

/// A keyword of libpq that is refused, but for values that ask for nothing that is not done anyway.
struct Unsupported {
    name: &'static str,
    accepted: &'static [&'static str],
    why: &'static str,
}

const GSS: &str = "there is no GSSAPI";
const OAUTH: &str = "there is no OAuth";
const CRL: &str = "revocation lists are not checked";

/// The longest name of a keyword.
pub(super) const LONGEST: usize = 35;

static TABLE: [(&str, Serve); 45] = [
    ("dbname", Serve::Dbname),
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
    ("sslpassword", Serve::SslPassword),
    ("sslrootcert", Serve::SslRootCert),
    ("sslsni", Serve::SslSni),
    ("channel_binding", Serve::ChannelBinding),
    ("require_auth", Serve::RequireAuth),
    ("min_protocol_version", Serve::MinProtocolVersion),
    ("max_protocol_version", Serve::MaxProtocolVersion),
    ("scram_client_key", Serve::ScramClientKey),
    ("scram_server_key", Serve::ScramServerKey),
    ("scram_min_iterations", Serve::ScramMinIterations),
    ("scram_max_iterations", Serve::ScramMaxIterations),
    ("password_prepared", Serve::PasswordPrepared),
    ("gauss_keys", Serve::GaussKeys),
    ("target_session_attrs", Serve::TargetSessionAttrs),
    ("load_balance_hosts", Serve::LoadBalanceHosts),
    ("dialect", Serve::Dialect),
    ("statement_timeout", Serve::ServerLimit(0)),
    ("lock_timeout", Serve::ServerLimit(1)),
    ("idle_in_transaction_session_timeout", Serve::ServerLimit(2)),
    ("idle_session_timeout", Serve::ServerLimit(3)),
    ("server_keepalives_idle", Serve::ServerLimit(4)),
    ("server_keepalives_interval", Serve::ServerLimit(5)),
    ("server_keepalives_count", Serve::ServerLimit(6)),
];

static UNSUPPORTED: [Unsupported; 20] = [
    unsupported("service", &[], "service files are not read"),
    unsupported("sslcompression", &["", "0"], "there is no TLS compression"),
    unsupported("sslcertmode", &["allow"], "the certificate is sent when the server asks"),
    unsupported("sslcrl", &[""], CRL),
    unsupported("sslcrldir", &[""], CRL),
    unsupported(
        "ssl_min_protocol_version",
        &["", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        "there is only TLSv1.3",
    ),
    unsupported("ssl_max_protocol_version", &["", "TLSv1.3"], "there is only TLSv1.3"),
    unsupported("sslkeylogfile", &[""], "the keys of a session are not given out"),
    unsupported("requirepeer", &[""], "the owner of the server's process is not asked for"),
    unsupported("gssencmode", &["disable", "prefer"], GSS),
    unsupported("krbsrvname", &["", "postgres"], GSS),
    unsupported("gsslib", &[""], GSS),
    unsupported("gssdelegation", &["", "0"], GSS),
    unsupported(
        "replication",
        &["", "false", "off", "no", "0"],
        "replication connections are not spoken",
    ),
    unsupported("oauth_issuer", &[""], OAUTH),
    unsupported("oauth_client_id", &[""], OAUTH),
    unsupported("oauth_client_secret", &[""], OAUTH),
    unsupported("oauth_scope", &[""], OAUTH),
    unsupported("servicefile", &[], "service files are not read"),
    unsupported("authtype", &[], "it means nothing since protocol 3"),
];

const fn unsupported(
    name: &'static str,
    accepted: &'static [&'static str],
    why: &'static str,
) -> Unsupported {
    Unsupported { name, accepted, why }
}

/// The keyword of this name. Case counts, as in libpq.
pub(crate) fn find(name: &str) -> Option<Keyword> {
    let name = if name == "database" { "dbname" } else { name };
    u8::try_from(names().position(|keyword| keyword == name)?).ok().map(Keyword)
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let served = TABLE.iter().map(|(name, _)| *name);
    served.chain(UNSUPPORTED.iter().map(|keyword| keyword.name))
}

impl Keyword {
    /// The official spelling; `dbname` for `database`.
    pub(crate) fn name(self) -> &'static str {
        names().nth(self.0.into()).unwrap_or("")
    }

    /// Its place among all.
    pub(super) fn place(self) -> u8 {
        self.0
    }

    /// Whether its value is never shown.
    #[cfg(feature = "provision")]
    pub(crate) fn is_secret(self) -> bool {
        let secret = |serve: &Serve| {
            use Serve::{GaussKeys, Password, ScramClientKey, ScramServerKey, SslPassword};
            matches!(serve, Password | SslPassword | ScramClientKey | ScramServerKey | GaussKeys)
        };
        // What is not served is not known either.
        TABLE.get(usize::from(self.0)).is_none_or(|(_, serve)| secret(serve))
    }

    /// Puts a value in its place.
    pub(crate) fn set<'a>(
        self,
        parsed: &mut Parsed<'a>,
        value: &'a str,
    ) -> Result<(), ParseReason> {
        parsed.named.add(self);
        let place = usize::from(self.0);
        let Some((_, serve)) = TABLE.get(place) else {
            let refused = UNSUPPORTED.get(place.saturating_sub(TABLE.len()));
            return refused.map_or(Ok(()), |keyword| keyword.check(value));
        };
        let config = &mut parsed.config;
        match *serve {
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
            Serve::ConnectTimeout => {
                config.connect_timeout_ms = number::milliseconds(unsigned(value)?)
            }
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
            Serve::SslPassword => config.set_sslpassword(value)?,
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
            Serve::ScramMinIterations => config.credentials.scram_iterations.0 = unsigned(value)?,
            Serve::ScramMaxIterations => config.credentials.scram_iterations.1 = unsigned(value)?,
            Serve::PasswordPrepared => {
                config.credentials.password_prepared = one_of(flag(value), "0 or 1")?;
            }
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
            Serve::ServerLimit(place) => config.server_limits.set(place, unsigned(value)?),
            Serve::Dialect => config.dialect = one_of(Dialect::parse(value), Dialect::TAKES)?,
        }
        Ok(())
    }
}

impl Unsupported {
    fn check(&self, value: &str) -> Result<(), ParseReason> {
        if self.accepted.contains(&value) {
            return Ok(());
        }
        debug!("connection parameter {=str} is not served", self.name);
        Err(ParseReason::NotServed(self.why))
    }
}

/// What only shows when all is read: parameters that contradict each other.
pub(crate) fn check(parsed: &mut Parsed<'_>) -> Result<(), ParseError> {
    let conflict =
        |keyword, why| Err(ParseError::new(Some(keyword), 0, ParseReason::Conflict(why)));
    let named = parsed.named;
    let config = &mut parsed.config;
    if config.sslrootcert == Some("system") {
        if !named.has("sslmode") && !named.has("requiressl") {
            config.sslmode = SslMode::VerifyFull;
        } else if config.sslmode != SslMode::VerifyFull {
            return conflict("sslmode", "sslrootcert=system asks for verify-full");
        }
    }
    if config.sslnegotiation == SslNegotiation::Direct && !config.sslmode.demands_tls() {
        return conflict("sslmode", "sslnegotiation=direct asks for require or better");
    }
    if let (Some(min), Some(max)) = (config.min_protocol_version, config.max_protocol_version)
        && min > max
    {
        return conflict("min_protocol_version", "above max_protocol_version");
    }
    let (fewest, most) = config.credentials.scram_iterations;
    if fewest > most {
        return conflict("scram_min_iterations", "above scram_max_iterations");
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

fn version(value: &str) -> Result<ProtocolVersion, ParseReason> {
    one_of(ProtocolVersion::parse(value), ProtocolVersion::TAKES)
}

fn key(value: &str) -> Result<&str, ParseReason> {
    one_of(number::key(value).map(|_| value), "32 bytes in base64")
}

fn flag(value: &str) -> Option<bool> {
    matches!(value, "0" | "1").then_some(value == "1")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_is_known() {
        assert_eq!(names().map(str::len).max(), Some(LONGEST));
    }

    #[test]
    fn every_keyword_is_found() {
        for name in names() {
            assert_eq!(find(name).map(Keyword::name), Some(name));
        }
        assert_eq!(find("database").map(Keyword::name), Some("dbname"));
    }
}
