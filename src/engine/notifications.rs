//! What arrives at any time: events for the caller's handler, notifications kept until they are
//! waited for.

use crate::error::ServerError;
use crate::wire::Reader;

/// Memory for notifications that arrive while other verbs run. Each takes 8 bytes, the channel's
/// name and the payload. When it is full the newest is dropped and counted in
/// [`Stats::notifications_lost`](crate::Stats::notifications_lost).
///
/// ```no_run
/// # fn example<'b>(client: &mut barepg::Client<'b>, memory: &'b mut [u8; 256], place: &'b mut Option<barepg::NotificationQueue<'b>>) {
/// let queue = place.insert(barepg::NotificationQueue::new(memory));
/// client.set_notification_queue(queue); // `wait_notification` reads it first
/// # }
/// ```
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

/// A queue by a pointer, so that a program without one links none.
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

impl core::fmt::Debug for NotificationQueue<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let used = self.end.saturating_sub(self.start);
        write!(f, "NotificationQueue({used} of {})", self.memory.len())
    }
}

/// What a server sends unsolicited, shown to the handler of
/// [`Client::set_event_handler`](crate::Client::set_event_handler).
#[derive(Clone, Copy)]
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

impl core::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Notice(notice) => write!(f, "Notice({notice})"),
            Self::Parameter { name, value } => {
                write!(f, "Parameter({}={})", name.escape_ascii(), value.escape_ascii())
            }
        }
    }
}

/// Shows events to the firmware.
pub(crate) type EventHandler<'b> = &'b dyn Fn(Event<'_>);

/// Who wants to see what the server sends unsolicited.
#[derive(Default)]
pub(crate) struct Events<'b> {
    pub(crate) handler: Option<EventHandler<'b>>,
    pub(crate) queue: Option<&'b mut (dyn Queue + 'b)>,
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
}
