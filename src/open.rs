//! From an open transport to a session: agree on TLS, make the link, log in.
//!
//! Three steps, so that whoever wants the link can make it where it is to stay: with TLS it is
//! too large to be moved about.

use crate::config::Config;
use crate::error::Fault;
use crate::link::Link;
use crate::session::Session;
use crate::startup::Protection;
use crate::transport::{Lent, lent};
use embedded_io::{Read, Write};

#[cfg(feature = "tls")]
use crate::tls::{self, Records, Settings, Tls};

/// What a client may have for TLS.
#[cfg(feature = "tls")]
pub(crate) type TlsSlot<'b> = Option<Tls<'b>>;
/// What it lends to a link, and what it keeps.
#[cfg(feature = "tls")]
pub(crate) type Loan<'c, 'b> = (Option<&'c mut Records<'b>>, Option<&'c Settings<'b>>);

/// A build without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) type TlsSlot<'b> = Option<core::marker::PhantomData<&'b ()>>;
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
pub(crate) fn negotiate(
    session: &mut Session<'_>,
    loan: &Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    io: &mut Lent<'_>,
) -> Result<bool, Fault> {
    #[cfg(feature = "tls")]
    {
        tls::negotiate(session, loan.1, config, host, is_local, io)
    }
    #[cfg(not(feature = "tls"))]
    {
        let _ = (session, loan, host, io);
        if config.sslmode.demands_tls() && !is_local {
            return Err(crate::error::ConfigError::TlsUnavailable.into());
        }
        Ok(false)
    }
}

/// Second: the link, plain or with TLS about to begin.
#[inline]
pub(crate) fn link<'c, 's: 'c, 'b: 'c, T: Read + Write>(
    session: &Session<'s>,
    loan: &mut Loan<'c, 'b>,
    over_tls: bool,
    transport: T,
) -> Link<'c, T> {
    #[cfg(feature = "tls")]
    if let (true, Some(records)) = (over_tls, loan.0.take()) {
        return Link::Tls(records.stream(transport, session.link.platform()));
    }
    let _ = (session, loan, over_tls);
    Link::plain(transport)
}

/// Third: the handshake, if there is to be one.
pub(crate) fn protect<T: Read + Write>(
    session: &mut Session<'_>,
    loan: &Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    link: &mut Link<'_, T>,
) -> Result<Peer, Fault> {
    match link {
        #[cfg(feature = "tls")]
        Link::Tls(stream) => {
            let settings = loan.1.ok_or(crate::error::ConfigError::TlsUnavailable)?;
            tls::handshake(session, settings, config, host, stream).map(Peer::OverTls)
        }
        Link::Plain(..) => {
            let _ = (session, loan, config, host);
            Ok(Peer::Plain)
        }
    }
}

/// Third and last: the handshake, and the login.
pub(crate) fn log_in<T: Read + Write>(
    session: &mut Session<'_>,
    loan: &Loan<'_, '_>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    link: &mut Link<'_, T>,
) -> Result<(), Fault> {
    let peer = protect(session, loan, config, host, link)?;
    let protection = match &peer {
        Peer::Plain if is_local => Protection::LOCAL,
        Peer::Plain => Protection::NONE,
        #[cfg(feature = "tls")]
        Peer::OverTls(peer) => peer.protection(),
    };
    session.login(&mut lent(link), config, protection)
}

/// What is known of the other end.
pub(crate) enum Peer {
    Plain,
    #[cfg(feature = "tls")]
    OverTls(tls::Peer),
}
