//! LISTEN and NOTIFY: waiting for notifications.
//!
//! Source: manual, "Asynchronous Operations" and the pages of LISTEN and NOTIFY. openGauss has no
//! LISTEN.

use crate::connection::Connection;
use crate::engine::{Session, Span};
use crate::error::{Fault, ProtocolError, Result};
use crate::platform::Countdown;
use crate::transport::{Lent, lent};
use crate::wire::WireError;
use crate::wire::backend::{NotificationResponse, tag};

/// A notification: what `NOTIFY channel, 'payload'` sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Notification<'r> {
    /// Process number of the session that sent it.
    pub pid: u32,
    /// The channel's name.
    pub channel: &'r str,
    /// The payload, empty if there is none; up to its first byte that is not UTF-8.
    pub payload: &'r str,
}

impl<'r> Notification<'r> {
    fn decode(body: &'r [u8]) -> Result<Self, WireError> {
        let NotificationResponse { pid, channel, payload } = NotificationResponse::decode(body)?;
        Ok(Self { pid, channel: valid(channel), payload: valid(payload) })
    }
}

fn valid(text: &[u8]) -> &str {
    match core::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            text.get(..error.valid_up_to()).and_then(|t| core::str::from_utf8(t).ok()).unwrap_or("")
        }
    }
}

impl Connection<'_, '_> {
    /// Waits for a notification of a channel that was subscribed to
    /// (`batch_execute("listen commands")`), at most `timeout_ms`. `None`: nothing yet, the
    /// connection stays usable. 0 only looks whether one has arrived. What has begun to arrive, and what
    /// an earlier call left to do, has the connection's deadline
    /// ([`set_timeout_ms`](Self::set_timeout_ms)).
    ///
    /// Those that arrived during other verbs come first, if they were kept
    /// ([`Client::set_notification_queue`](crate::Client::set_notification_queue)). Within an open
    /// transaction the server delivers none.
    ///
    /// ```no_run
    /// # fn example(conn: &mut barepg::Connection) -> barepg::Result<()> {
    /// conn.batch_execute("listen lamp")?;
    /// loop {
    ///     let Some(notification) = conn.wait_notification(60_000)? else {
    ///         conn.ping()?; // a silent minute: the server may be gone
    ///         continue;
    ///     };
    ///     match notification.payload {
    ///         "on" => { /* switch it on */ }
    ///         _ => { /* switch it off */ }
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity): a notification was larger than the
    /// receive buffer and was skipped; connection usable, as after
    /// [`ErrorKind::EarlierStatement`](crate::ErrorKind::EarlierStatement). After any other error it is
    /// dead: connect again, and `listen` again.
    pub fn wait_notification(&mut self, timeout_ms: u32) -> Result<Option<Notification<'_>>> {
        self.session.wait_notification(&mut lent(&mut self.io), timeout_ms)
    }
}

enum Found {
    Queued,
    Received(Span),
}

impl Session<'_> {
    /// See [`Connection::wait_notification`](crate::Connection::wait_notification).
    pub(crate) fn wait_notification(
        &mut self,
        io: &mut Lent<'_>,
        timeout_ms: u32,
    ) -> Result<Option<Notification<'_>>> {
        let body = match self.find_notification(io, timeout_ms) {
            Ok(None) => return Ok(None),
            Ok(Some(Found::Received(span))) => self.link.get(span),
            Ok(Some(Found::Queued)) => match &mut self.events.queue {
                Some(queue) => queue.pop(),
                None => return Ok(None),
            },
            Err(fault) => return Err(self.into_error(fault)),
        };
        Ok(Notification::decode(body).ok())
    }

    fn find_notification(
        &mut self,
        io: &mut Lent<'_>,
        timeout_ms: u32,
    ) -> Result<Option<Found>, Fault> {
        self.begin_listening(io)?;
        let (mut wait, mut tried) = (Countdown::from_first_turn(timeout_ms), false);
        loop {
            if self.events.queue.as_ref().is_some_and(|queue| !queue.is_empty()) {
                return Ok(Some(Found::Queued));
            }
            self.take_arrived(io, true)?;
            match self.link.tag {
                0 => {}
                tag::NOTIFICATION_RESPONSE => {
                    if let Some(span) = self.take_notification(io)? {
                        return Ok(Some(Found::Received(span)));
                    }
                }
                tag::ERROR_RESPONSE => {
                    self.next(io)?;
                    let fault = self.take_last_error(io);
                    self.exchange.die();
                    return Err(fault);
                }
                _ => return Err(ProtocolError::Unsolicited.into()),
            }
            match wait.wait(self.link.platform()) {
                Err(fault) if fault != Fault::TIMED_OUT => return Err(fault),
                Err(_) if tried => return Ok(None),
                _ => {}
            }
            tried = true;
            // What has begun to arrive is received to its end, a record of TLS too.
            self.link.limit(self.timeout_ms);
            self.link.read_once(io)?;
        }
    }

    /// The notification at the head of what was received, if all of it is there.
    fn take_notification(&mut self, io: &mut Lent<'_>) -> Result<Option<Span>, Fault> {
        let (_, whole) = self.link.peek();
        if !whole && !self.link.is_full() {
            return Ok(None);
        }
        self.checked_header(io)?;
        if !whole {
            // It is larger than the receive buffer.
            let needed = self.link.left().saturating_add(5);
            self.link.skip(io)?;
            return Err(self.link.too_small(needed));
        }
        self.link.body(io)?;
        Notification::decode(self.link.taken())?;
        Ok(Some(self.link.span()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_to_their_end() {
        let body = b"\0\0\0\x07chan\0pay\xffload\0";
        let notification = Notification::decode(body).unwrap();
        assert_eq!(notification, Notification { pid: 7, channel: "chan", payload: "pay" });
        assert!(Notification::decode(&body[..body.len() - 1]).is_err());
        assert!(Notification::decode(b"\0\0\0\x07c\0p\0x").is_err());
    }
}
