//! From an open transport to a session.

use crate::config::Config;
use crate::error::Fault;
use crate::link::Link;
use crate::session::Session;
use crate::startup::Protection;
use crate::transport::Io;
use embedded_io::{Read, Write};

#[cfg(feature = "tls")]
use crate::tls::{self, Tls};

/// What a client may have for TLS.
#[cfg(feature = "tls")]
pub(crate) type TlsSlot<'b> = Option<Tls<'b>>;
/// A build without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) type TlsSlot<'b> = Option<core::marker::PhantomData<&'b ()>>;

/// Agrees with the server on TLS, puts it over the transport, and logs in. With TLS the link
/// borrows the client's record buffers.
pub(crate) fn open<'c, 'b, T: Read + Write>(
    session: &mut Session<'b>,
    #[cfg(feature = "tls")] tls: &'c mut TlsSlot<'b>,
    #[cfg(not(feature = "tls"))] tls: &TlsSlot<'b>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    transport: T,
) -> Result<Link<'c, T>, Fault> {
    protect(session, tls, config, host, is_local, transport, |session, io, protection| {
        session.login(io, config, protection)
    })
}

/// As [`open`], but what is done over the protected link is up to the caller.
pub(crate) fn protect<'c, 'b, T: Read + Write>(
    session: &mut Session<'b>,
    #[cfg(feature = "tls")] tls: &'c mut TlsSlot<'b>,
    #[cfg(not(feature = "tls"))] tls: &TlsSlot<'b>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    mut transport: T,
    then: impl FnOnce(&mut Session<'b>, &mut dyn Io, Protection<'_>) -> Result<(), Fault>,
) -> Result<Link<'c, T>, Fault> {
    #[cfg(feature = "tls")]
    if tls::negotiate(session, tls.as_ref(), config, host, is_local, &mut transport)?
        && let Some(tls) = tls
    {
        let mut secured = tls::secure(session, tls, config, host, transport)?;
        let (link, protection) = secured.parts();
        then(session, link, protection)?;
        return Ok(secured.link);
    }
    #[cfg(not(feature = "tls"))]
    {
        let _ = (tls, host);
        if config.sslmode.demands_tls() && !is_local {
            return Err(crate::error::ConfigError::TlsUnavailable.into());
        }
    }
    let protection = if is_local { Protection::LOCAL } else { Protection::NONE };
    then(session, &mut transport, protection)?;
    Ok(Link::plain(transport))
}
