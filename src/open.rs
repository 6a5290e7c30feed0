//! From an open transport to a session, in two halves: whether there will be TLS, and what
//! follows.
//!
//! A search over several hosts may go on after the first half fails. The second half lends the
//! client's record buffers to the connection, so that there is only one of it.

use crate::config::Config;
use crate::error::Fault;
use crate::link::Link;
use crate::session::Session;
use crate::startup::Protection;
use crate::transport::Io;
use embedded_io::{ErrorKind, Read, Write};

#[cfg(feature = "tls")]
use crate::tls::{self, Tls};

/// What a client may have for TLS.
#[cfg(feature = "tls")]
pub(crate) type TlsSlot<'b> = Option<Tls<'b>>;
/// A build without TLS.
#[cfg(not(feature = "tls"))]
pub(crate) type TlsSlot<'b> = Option<core::convert::Infallible>;

/// A transport after the first half.
pub(crate) struct Opening<T> {
    transport: T,
    /// TLS comes next, and nothing else may be sent. Otherwise the session is there.
    pub(crate) tls_next: bool,
}

/// First half: agrees with the server on TLS; without TLS it logs in too.
pub(crate) fn begin<T: Read + Write>(
    session: &mut Session<'_>,
    tls: &TlsSlot<'_>,
    config: &Config<'_>,
    host: &str,
    is_local: bool,
    mut transport: T,
) -> Result<Opening<T>, Fault> {
    #[cfg(feature = "tls")]
    let tls_next = tls::negotiate(session, tls.as_ref(), config, host, is_local, &mut transport)?;
    #[cfg(not(feature = "tls"))]
    let tls_next = {
        let _ = (tls, host);
        if config.sslmode.demands_tls() && !is_local {
            return Err(crate::error::ConfigError::TlsUnavailable.into());
        }
        false
    };
    if !tls_next {
        let protection = if is_local { Protection::LOCAL } else { Protection::NONE };
        session.login(&mut transport, config, protection)?;
    }
    Ok(Opening { transport, tls_next })
}

/// Second half: with TLS, the handshake and the login.
pub(crate) fn finish<'c, 'b: 'c, T: Read + Write>(
    session: &mut Session<'b>,
    tls: &'c mut TlsSlot<'_>,
    config: &Config<'_>,
    host: &str,
    opening: Opening<T>,
) -> Result<Link<'c, T>, Fault> {
    #[cfg(feature = "tls")]
    if let (true, Some(tls)) = (opening.tls_next, tls.as_mut()) {
        let mut secured = tls::secure(session, tls, config, host, opening.transport)?;
        let (link, protection) = secured.parts();
        session.login(link, config, protection)?;
        return Ok(secured.link);
    }
    #[cfg(not(feature = "tls"))]
    let _ = (session, tls, config, host);
    Ok(Link::plain(opening.transport))
}

impl<T: Read + Write> Io for Opening<T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        Io::read(&mut self.transport, buf)
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        Io::write(&mut self.transport, buf)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Io::flush(&mut self.transport)
    }
}
