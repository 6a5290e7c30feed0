//! From an address to a session: dialling, the search over hosts, TLS, the login, cancel requests.
//!
//! Used by `client`. What happens on the link is `engine`'s.
//!
//! | file | what |
//! |---|---|
//! | `dial` | what a dialler is |
//! | `search` | which hosts and addresses are tried, and whether the session is the one wanted |
//! | `open` | the steps from a transport to a session |
//! | `protection` | what protects the link below the login, and what may be said over it |
//! | `channel` | the transport of a session, with or without TLS |
//! | `guess` | the protocol version that is asked for with `dialect=auto` |
//! | `startup` | StartupMessage, authentication, up to the first ReadyForQuery |
//! | `cancel` | CancelRequest |

mod cancel;
mod channel;
mod dial;
mod guess;
mod open;
mod protection;
mod search;
mod startup;

pub use cancel::CancelToken;
pub(crate) use cancel::{cancel_interrupted, cancel_with};
pub use channel::Channel;
pub use dial::{Dial, Target};
pub(crate) use open::TlsSlot;

use crate::config::Config;
use crate::connection::Connection;
use crate::engine::{Fact, Session};
use crate::error::Result;
use crate::transport::{Transport, lent};
use open::{Loan, channel, lend, log_in, negotiate};

/// See [`Client::connect`](crate::Client::connect).
pub(crate) fn connect<'c, 'b, T: Transport>(
    session: &'c mut Session<'b>,
    tls: &'c mut TlsSlot<'b>,
    config: &Config<'_>,
    transport: T,
) -> Result<Connection<'c, 'b, Channel<'c, T>>> {
    let local = transport.is_local();
    // Of several hosts the first counts.
    let host = if cfg!(feature = "tls") { config.first_host() } else { "" };
    let mut transport = transport;
    let mut loan = lend(tls);
    let begun = session.open(config).and_then(|()| {
        session.server.set(Fact::Redials, false);
        negotiate(session, &mut loan, config, host, local, &mut lent(&mut transport))
    });
    let over_tls = match begun {
        Ok(over_tls) => over_tls,
        Err(fault) => return Err(session.failed(fault)),
    };
    // Made where it is to stay, by a function whose own stack is free again before the handshake
    // needs it.
    let mut result = start(session, &mut loan, over_tls, transport);
    if let Ok(Connection { session, io }) = &mut result
        && let Err(fault) = log_in(session, &loan, config, host, local, io)
    {
        result = Err(session.failed(fault));
    }
    result
}

/// A connection that is still to log in.
#[inline(never)]
fn start<'c, 'b: 'c, T: Transport>(
    session: &'c mut Session<'b>,
    loan: &mut Loan<'c, 'b>,
    over_tls: bool,
    transport: T,
) -> Result<Connection<'c, 'b, Channel<'c, T>>> {
    let channel = channel(session, loan, over_tls, transport);
    Ok(Connection::new(session, channel))
}

/// See [`Client::connect_with`](crate::Client::connect_with).
pub(crate) fn connect_with<'c, 'b, D: Dial>(
    session: &'c mut Session<'b>,
    tls: &'c mut TlsSlot<'b>,
    config: &Config<'_>,
    dialler: &mut D,
) -> Result<Connection<'c, 'b, Channel<'c, D::Transport>>> {
    match search::search(session, tls, config, dialler) {
        Ok(channel) => Ok(Connection::new(session, channel)),
        Err(fault) => Err(session.failed(fault)),
    }
}
