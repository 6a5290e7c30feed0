//! The connection parameters, from the arguments.

use barepg::{Client, Config};

use crate::{Board, Failed, Lent};

type Out<'o> = dyn core::fmt::Write + 'o;

/// Bytes for what the connection string says in escapes.
pub(crate) const SCRATCH: usize = if cfg!(feature = "conninfo") { 64 } else { 0 };

/// Reads the connection string. Out of line, so that what it needs of the stack is free again
/// afterwards.
#[inline(never)]
pub(crate) fn read<'a>(
    conninfo: &'a str,
    scratch: &'a mut [u8],
    out: &mut Out<'_>,
) -> Option<Config<'a>> {
    #[cfg(feature = "conninfo")]
    match Config::parse(conninfo, scratch) {
        Ok(config) => Some(config),
        Err(error) => {
            let _ = writeln!(out, "conninfo: {error}");
            None
        }
    }
    #[cfg(not(feature = "conninfo"))]
    {
        let _ = scratch;
        let config = words(conninfo);
        if config.is_none() {
            let _ = out.write_str("conninfo: a word that this build does not know\n");
        }
        config
    }
}

/// The client.
pub(crate) fn client<'a>(config: &'a Config<'a>, lent: Lent<'a>) -> Client<'a> {
    let client = Client::new(lent.buffers, config, lent.platform);
    #[cfg(feature = "tls")]
    let client = client.with_tls(lent.tls);
    client
}

/// What an image that is made for one server has compiled in, filled with the few words that a
/// test varies: `keyword=value` pairs without quotes. The words about TLS only come in the values
/// that keep a session safe; all else is refused.
#[cfg(any(test, not(feature = "conninfo")))]
fn words(text: &str) -> Option<Config<'_>> {
    use barepg::{ChannelBinding, SslMode};
    let mut config = Config::new();
    for word in text.split_ascii_whitespace() {
        config = match word.split_once('=')? {
            ("host", value) => config.host(value),
            ("hostaddr", value) => config.hostaddr(value),
            ("port", value) => config.port(value),
            ("dbname", value) => config.dbname(value),
            ("user", value) => config.user(value),
            ("password", value) => config.password(value),
            ("sslrootcert", value) => config.sslrootcert(value),
            #[cfg(feature = "signing")]
            ("sslcert", value) => config.sslcert(value),
            #[cfg(feature = "signing")]
            ("sslkey", value) => config.sslkey(value),
            #[cfg(feature = "signing")]
            ("connect_timeout", value) => config.connect_timeout(value.parse().ok()?),
            ("sslmode", "verify-full") => config.sslmode(SslMode::VerifyFull),
            ("channel_binding", "require") => config.channel_binding(ChannelBinding::Require),
            _ => return None,
        };
    }
    Some(config)
}

/// Where to dial.
#[derive(Clone, Copy)]
pub(crate) struct Server<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) timeout_ms: u32,
}

impl<'a> Server<'a> {
    /// The first server of a connection string.
    pub(crate) fn first(config: &Config<'a>) -> Option<Self> {
        let first = config.hosts().ok()?.next()?;
        let host = if first.hostaddr.is_empty() { first.host } else { first.hostaddr };
        Some(Self { host, port: first.port, timeout_ms: config.get_connect_timeout_ms() })
    }

    /// Connects.
    pub(crate) fn dial<B: Board>(
        self,
        board: &mut B,
        out: &mut Out<'_>,
    ) -> Result<B::Transport, Failed> {
        board.dial(self.host, self.port, self.timeout_ms).map_err(|error| {
            #[cfg(feature = "error-words")]
            let _ = writeln!(out, "  error: {error}");
            #[cfg(not(feature = "error-words"))]
            crate::report(&barepg::Error::from(error.into()), None, out);
            Failed
        })
    }
}

#[cfg(test)]
mod tests {
    use barepg::{ChannelBinding, SslMode};

    use super::*;

    #[test]
    fn words_mean_what_the_parser_says() {
        let text = "host=h hostaddr=10.0.2.2 port=7 dbname=d user=u password=p \
            sslmode=verify-full sslrootcert=root channel_binding=require";
        let config = words(text).unwrap();
        assert_eq!(config.get_sslmode(), SslMode::VerifyFull);
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        let parsed = Config::parse(text, &mut []).unwrap();
        assert_eq!(std::format!("{config:?}"), std::format!("{parsed:?}"));
        assert_eq!(config.reveal_password(), parsed.reveal_password());
    }

    #[test]
    fn nothing_is_weaker_for_being_short() {
        for text in ["sslmode=require", "sslmode=disable", "channel_binding=prefer", "x=y", "user"]
        {
            assert!(words(text).is_none(), "{text}");
        }
    }
}
