//! LISTEN and NOTIFY, and what else the server says unasked.
//!
//! Source: manual, "Asynchronous Operations" and the pages of LISTEN and NOTIFY. openGauss has no
//! LISTEN.

use crate::error::{Fault, ProtocolError, Result, ServerError};
use crate::framed::Span;
use crate::session::Session;
use crate::transport::Lent;
use crate::wire::backend::tag;
use crate::wire::{Reader, WireError};

/// A notification: what `NOTIFY channel, 'payload'` sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Notification<'r> {
    /// Process number of the session that sent it.
    pub pid: u32,
    /// The channel's name.
    pub channel: &'r str,
    /// The payload, empty if there is none; up to its first byte that is not UTF-8.
    pub payload: &'r str,
}

impl<'r> Notification<'r> {
    /// The body of a NotificationResponse.
    fn decode(body: &'r [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(body);
        let (pid, channel, payload) = (reader.u32()?, reader.cstr()?, reader.cstr()?);
        reader.finish()?;
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

/// Memory for notifications that arrive while other verbs run. Each takes 8 bytes, the channel's
/// name and the payload. When it is full the newest is dropped and counted in
/// [`Stats::notifications_lost`](crate::Stats::notifications_lost).
pub struct NotificationQueue<'m> {
    memory: &'m mut [u8],
    start: usize,
    end: usize,
}

/// Bytes before each notification in the queue: its length.
const HEAD: usize = 2;

impl<'m> NotificationQueue<'m> {
    /// An empty queue in `memory`.
    pub const fn new(memory: &'m mut [u8]) -> Self {
        Self { memory, start: 0, end: 0 }
    }
}

/// A queue behind a pointer, so that a firmware without one links none.
pub(crate) trait Queue {
    /// Keeps a notification; `false` when there is no room.
    fn push(&mut self, body: &[u8]) -> bool;
    fn is_empty(&self) -> bool;
    /// Takes the oldest.
    fn pop(&mut self) -> &[u8];
}

impl Queue for NotificationQueue<'_> {
    fn push(&mut self, body: &[u8]) -> bool {
        let Ok(length) = u16::try_from(body.len()) else { return false };
        let needed = body.len().saturating_add(HEAD);
        if self.memory.len().saturating_sub(self.end) < needed {
            let mut to = 0_usize;
            for from in self.start..self.end {
                if let Some(byte) = self.memory.get(from).copied()
                    && let Some(place) = self.memory.get_mut(to)
                {
                    *place = byte;
                }
                to = to.saturating_add(1);
            }
            (self.start, self.end) = (0, to);
        }
        let Some(room) = self.memory.get_mut(self.end..) else { return false };
        let Some(room) = room.get_mut(..needed) else { return false };
        let content = length.to_be_bytes().into_iter().chain(body.iter().copied());
        room.iter_mut().zip(content).for_each(|(place, byte)| *place = byte);
        self.end = self.end.saturating_add(needed);
        true
    }

    fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    fn pop(&mut self) -> &[u8] {
        let mut reader = Reader::new(self.memory.get(self.start..self.end).unwrap_or(&[]));
        let length = usize::from(reader.u16().unwrap_or(0));
        self.start = self.start.saturating_add(HEAD).saturating_add(length);
        reader.bytes(length).unwrap_or(&[])
    }
}

/// What a server says unasked, shown to the handler of
/// [`Client::set_event_handler`](crate::Client::set_event_handler).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// A notice: `RAISE NOTICE`, warnings, at the login too. What does not fit the receive buffer
    /// is cut.
    Notice(ServerError<'e>),
    /// A run-time parameter: at the login and whenever one changes that the manual's section
    /// "Asynchronous Operations" lists. Those larger than the receive buffer are left out.
    Parameter {
        /// Its name.
        name: &'e [u8],
        /// Its value, in the client encoding.
        value: &'e [u8],
    },
}

/// Shows events to the firmware.
pub(crate) type EventHandler<'b> = &'b dyn Fn(Event<'_>);

/// Who wants to see what the server says unasked.
#[derive(Default)]
pub(crate) struct Events<'b> {
    pub(crate) handler: Option<EventHandler<'b>>,
    pub(crate) queue: Option<&'b mut (dyn Queue + 'b)>,
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
            Err(fault) => return Err(self.verdict(fault)),
        };
        Ok(Notification::decode(body).ok())
    }

    fn find_notification(
        &mut self,
        io: &mut Lent<'_>,
        timeout_ms: u32,
    ) -> Result<Option<Found>, Fault> {
        self.begin_listening(io)?;
        self.link.limit(timeout_ms);
        let mut tried = false;
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
                    self.take_error(io)?;
                    return Err(Fault::SERVER);
                }
                _ => return Err(ProtocolError::Unasked.into()),
            }
            if self.link.tick().is_err() && tried {
                return Ok(None);
            }
            tried = true;
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
            self.link.limit(self.timeout_ms);
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
    fn the_queue_keeps_order_and_drops_what_does_not_fit() {
        let mut memory = [0; 40];
        let mut queue = NotificationQueue::new(&mut memory);
        assert!(queue.is_empty());
        for turn in 0..100_u8 {
            assert!(queue.push(&[turn; 10]));
            assert!(queue.push(&[turn; 11]));
            assert!(queue.push(&[]));
            assert!(!queue.push(&[0; 14]));
            assert!(queue.push(&[7; 9]));
            assert!(!queue.push(&[0; 9]));
            assert_eq!(queue.pop(), [turn; 10]);
            assert_eq!(queue.pop(), [turn; 11]);
            assert!(queue.pop().is_empty());
            assert_eq!(queue.pop(), [7; 9]);
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn bodies_are_read_to_their_end() {
        let body = b"\0\0\0\x07chan\0pay\xffload\0";
        let notification = Notification::decode(body).unwrap();
        assert_eq!(notification, Notification { pid: 7, channel: "chan", payload: "pay" });
        assert!(Notification::decode(&body[..body.len() - 1]).is_err());
        assert!(Notification::decode(b"\0\0\0\x07c\0p\0x").is_err());
    }
}
