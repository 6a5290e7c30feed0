//! Cancelling a statement from elsewhere.

use super::dial::{Dial, Target};
use super::open::{TlsSlot, channel, lend, negotiate, protect};
use crate::config::{Config, SslMode};
use crate::connection::Connection;
use crate::engine::{Fact, Place, ServerInfo, Session};
use crate::error::{ConfigError, Error, Fault, Outcome, Result};
use crate::limits;
use crate::platform::{Countdown, Platform};
use crate::transport::{Lent, Transport, lent};
use crate::wire::{Writer, frontend};

/// What it takes to cancel the running statement of one session: small, `Copy` and `Send`, so it
/// may sit with an interrupt handler or another core. Good until the session ends.
///
/// It is as secret as the session: no formatter prints the key.
#[derive(Clone, Copy)]
pub struct CancelToken {
    server: ServerInfo,
    place: Place,
}

/// CancelRequest with the longest key.
const REQUEST: usize = 12 + limits::CANCEL_KEY;

impl CancelToken {
    pub(crate) fn new(server: ServerInfo, place: Place) -> Option<Self> {
        server.cancel_key()?;
        if !place.is_known() {
            return None;
        }
        Some(Self { server, place })
    }

    /// Asks the server over a new link of its own, and waits until the server closes that link,
    /// which it does when the request is handled. Whether there was anything to cancel is not
    /// reported; the statement then fails with
    /// [`SqlState::QUERY_CANCELED`](crate::SqlState::QUERY_CANCELED).
    ///
    /// The link should be protected as the session's is, for the key goes over it:
    /// [`Client::cancel_with`](crate::Client::cancel_with) sees to that.
    /// Source: manual, "Canceling Requests in Progress".
    ///
    /// # Errors
    /// When the request could not be sent within `timeout_ms`.
    pub fn cancel(
        &self,
        transport: &mut dyn Transport,
        platform: &dyn Platform,
        timeout_ms: u32,
    ) -> Result<()> {
        self.send(&mut lent(transport), platform, Countdown::start(platform, timeout_ms))
            .map_err(|fault| Error::of(fault, Outcome::Unknown, false))
    }

    /// Sends the request, and waits for the end of the link.
    fn send(
        &self,
        io: &mut Lent<'_>,
        platform: &dyn Platform,
        mut countdown: Countdown,
    ) -> core::result::Result<(), Fault> {
        let mut buf = [0; REQUEST];
        let mut w = Writer::new(&mut buf);
        frontend::cancel_request(&mut w, self.server.pid, self.server.cancel_key().unwrap_or(&[]))?;
        let length = w.len();
        let mut request = buf.get(..length).unwrap_or(&[]);
        let mut flushed = false;
        loop {
            countdown.wait(platform)?;
            if !request.is_empty() {
                io.write(request)?;
                request = request.get(io.moved..).unwrap_or(&[]);
            } else if !flushed {
                io.flush()?;
                flushed = io.moved > 0;
            } else if let Err(fault) = io.read(&mut [0; 16]) {
                return if fault.is_end() { Ok(()) } else { Err(fault) };
            }
        }
    }
}

impl Connection<'_, '_> {
    /// What it takes to cancel this session's statements from elsewhere; `None` when the server
    /// gave no key, or one longer than [`limits::CANCEL_KEY`].
    pub fn cancel_token(&self) -> Option<CancelToken> {
        CancelToken::new(self.session.server, self.session.place)
    }
}

/// Sends a cancel request through a dialler, to where the session of the token is.
pub(crate) fn cancel_with<D: Dial>(
    session: &mut Session<'_>,
    tls: &mut TlsSlot<'_>,
    config: &Config<'_>,
    token: &CancelToken,
    dialler: &mut D,
) -> Result<()> {
    let sent = send_cancel(session, tls, config, token, dialler);
    session.exchange.close();
    match sent {
        Ok(sent) => sent.map_err(|fault| Error::of(fault, Outcome::Unknown, false)),
        Err(fault) => Err(session.failed(fault)),
    }
}

/// See [`Client::cancel_interrupted`](crate::Client::cancel_interrupted).
pub(crate) fn cancel_interrupted<D: Dial>(
    session: &mut Session<'_>,
    tls: &mut TlsSlot<'_>,
    config: &Config<'_>,
    dialler: &mut D,
) -> Result<bool> {
    let token = CancelToken::new(session.server, session.place);
    let Some(token) = token.filter(|_| session.exchange.is_interrupted()) else { return Ok(false) };
    let mut config = *config;
    config.connect_timeout_ms = config.connect_timeout_ms.min(limits::CANCEL_MS);
    cancel_with(session, tls, &config, &token, dialler).map(|()| true)
}

fn send_cancel<'b, D: Dial>(
    session: &mut Session<'b>,
    tls: &mut TlsSlot<'_>,
    config: &Config<'_>,
    token: &CancelToken,
    dialler: &mut D,
) -> core::result::Result<core::result::Result<(), Fault>, Fault> {
    let mut config = *config;
    config.sslmode = match (token.server.is(Fact::Encrypted), config.sslmode) {
        (false, _) => SslMode::Disable,
        (true, mode) if mode.demands_tls() => mode,
        (true, _) => SslMode::Require,
    };
    session.open(&config)?;
    let mut hosts = config.hosts().map_err(|_| ConfigError::Hosts)?;
    let host = hosts.nth(usize::from(token.place.host)).ok_or(ConfigError::Hosts)?;
    let target = Target { again: true, ..Target::at(token.place, host, &config) };
    let mut transport = dialler.dial(&target).map_err(Fault::from)?;
    let is_local = dialler.is_local(&transport);
    let (mut loan, host) = (lend(tls), host.host);
    let over_tls =
        negotiate(session, &mut loan, &config, host, is_local, &mut lent(&mut transport))?;
    let mut channel = channel(session, &mut loan, over_tls, transport);
    protect(session, &loan, &config, host, &mut channel)?;
    // What is left of the time that it took to get here.
    let (platform, left) = (session.link.platform(), session.link.countdown());
    Ok(token.send(&mut lent(&mut channel), platform, left))
}

impl core::fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CancelToken({})", self.server.pid)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for CancelToken {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "CancelToken({})", self.server.pid);
    }
}
