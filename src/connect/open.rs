//! From an open transport to a session: agree on TLS, make the channel, log in.
//!
//! Three steps, so that whoever wants the channel can make it where it is to stay: with TLS it is
//! too large to be moved about.

use super::channel::Channel;
use super::protection::Protection;
use crate::config::Config;
#[cfg(feature = "tls")]
use crate::config::{SslMode, SslNegotiation};
use crate::engine::Session;
#[cfg(feature = "tls")]
use crate::error::TlsError;
use crate::error::{ConfigError, Fault};
#[cfg(feature = "tls")]
use crate::tls::{self, EndPoint, Records, Settings, Tls};
#[cfg(feature = "tls")]
use crate::transport::Io as _;
use crate::transport::{Lent, Transport, lent};

/// What a client may have for TLS.
#[cfg(feature = "tls")]
pub(crate) type TlsSlot<'b> = Option<Tls<'b>>;
/// What it lends to a link, and what it keeps.
#[cfg(feature = "tls")]
pub(crate) type Loan<'c, 'b> = (Option<&'c mut Records<'b>>, Option<&'c mut Settings<'b>>);

/// A build without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) type TlsSlot<'b> = core::marker::PhantomData<&'b ()>;
#[cfg(not(feature = "tls"))]
pub(crate) type Loan<'c, 'b> = core::marker::PhantomData<(&'c (), &'b ())>;

/// Takes apart what is lent and what is kept.
pub(crate) const fn lend<'c, 'b>(
    #[cfg(feature = "tls")] tls: &'c mut TlsSlot<'b>,
    #[cfg(not(feature = "tls"))] _: &TlsSlot<'b>,
) -> Loan<'c, 'b> {
    #[cfg(feature = "tls")]
    match tls {
        Some(Tls { records, settings }) => (Some(records), Some(settings)),
        None => (None, None),
    }
    #[cfg(not(feature = "tls"))]
    core::marker::PhantomData
}

/// First: whether TLS comes next. The server is asked where the configuration leaves it open.
#[cfg(feature = "tls")]
#[inline(never)]
pub(crate) fn negotiate(
    session: &mut Session<'_>,
    loan: &mut Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    io: &mut Lent<'_>,
) -> Result<bool, Fault> {
    let mode = config.sslmode;
    if is_local {
        return Ok(false);
    }
    let direct = config.sslnegotiation == SslNegotiation::Direct;
    // The parser says so of connection strings; a configuration may be made otherwise.
    let everyones = cfg!(feature = "std") && config.sslrootcert == Some("system");
    if direct && !mode.demands_tls() || everyones && mode != SslMode::VerifyFull {
        return Err(Fault::from(ConfigError::WeakSslMode));
    }
    let plaintext_first = mode == SslMode::Allow && !session.server.plaintext_refused;
    if mode == SslMode::Disable || plaintext_first {
        return Ok(false);
    }
    let Some(settings) = &mut loan.1 else {
        return match mode.demands_tls() {
            true => Err(Fault::from(ConfigError::TlsUnavailable)),
            false => Ok(false),
        };
    };
    #[cfg(feature = "std")]
    settings.load(config)?;
    tls::plan(settings, config, host, session.link.platform())?;
    if direct || session.request_tls(io)? {
        return Ok(true);
    }
    if mode.demands_tls() { Err(Fault::from(TlsError::NotOffered)) } else { Ok(false) }
}

/// A build without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) fn negotiate(
    _: &mut Session<'_>,
    _: &mut Loan<'_, '_>,
    config: &Config<'_>,
    _: &str,
    is_local: bool,
    _: &mut Lent<'_>,
) -> Result<bool, Fault> {
    if config.sslmode.demands_tls() && !is_local {
        return Err(ConfigError::TlsUnavailable.into());
    }
    Ok(false)
}

/// Second: the channel, plain or with TLS about to begin.
#[inline]
pub(crate) fn channel<'c, 's: 'c, 'b: 'c, T: Transport>(
    session: &Session<'s>,
    loan: &mut Loan<'c, 'b>,
    over_tls: bool,
    transport: T,
) -> Channel<'c, T> {
    #[cfg(feature = "tls")]
    if let (true, Some(records)) = (over_tls, loan.0.take()) {
        return Channel::tls(records.stream(transport, session.link.platform()));
    }
    let _ = (session, loan, over_tls);
    Channel::plain(transport)
}

/// Third: the handshake, if there is to be one. `host` is the name or address that the transport
/// leads to.
#[inline(never)]
pub(crate) fn protect<T: Transport>(
    session: &mut Session<'_>,
    loan: &Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    channel: &mut Channel<'_, T>,
) -> Result<Peer, Fault> {
    #[cfg(feature = "tls")]
    if let Some(stream) = channel.stream() {
        let settings = loan.1.as_deref().ok_or(ConfigError::TlsUnavailable)?;
        let platform = session.link.platform();
        stream.until(session.link.countdown());
        let handshake = tls::plan(settings, config, host, platform)?;
        let (verified, identified) = (handshake.verifies(), handshake.identifies());
        let end_point = stream.handshake(handshake, platform);
        session.link.record = stream.record();
        return Ok(Peer::OverTls { verified, identified, end_point: end_point? });
    }
    let _ = (session, loan, config, host, channel);
    Ok(Peer::Plain)
}

/// Third and last: the handshake, and the login.
pub(crate) fn log_in<T: Transport>(
    session: &mut Session<'_>,
    loan: &Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    channel: &mut Channel<'_, T>,
) -> Result<(), Fault> {
    let peer = protect(session, loan, config, host, channel)?;
    session.login(&mut lent(channel), config, peer.protection(is_local))
}

/// What is known of the other end.
pub(crate) enum Peer {
    Plain,
    #[cfg(feature = "tls")]
    OverTls {
        /// Its certificate was verified.
        verified: bool,
        /// And is of the host's name.
        identified: bool,
        end_point: Option<EndPoint>,
    },
}

impl Peer {
    fn protection(&self, is_local: bool) -> Protection<'_> {
        match self {
            Self::Plain if is_local => Protection::LOCAL,
            Self::Plain => Protection::NONE,
            #[cfg(feature = "tls")]
            Self::OverTls { verified, identified, end_point } => Protection {
                private: *verified,
                encrypted: true,
                identified: *identified,
                end_point: end_point.as_ref().map(EndPoint::as_bytes),
            },
        }
    }
}
