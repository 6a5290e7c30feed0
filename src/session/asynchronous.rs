//! Messages that may arrive at any time: notices, parameter changes, notifications.

use super::Session;
use crate::error::{Fault, ProtocolError, ServerError};
use crate::framed::Span;
use crate::transport::Lent;
use crate::wire::Reader;
use crate::wire::backend::tag;

impl Session<'_> {
    /// Between verbs only asynchronous messages and a FATAL error may arrive.
    pub(super) fn take_unasked(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        match self.take_arrived(io, false)? {
            None => Ok(()),
            Some(tag::ERROR_RESPONSE) => {
                let (tag, body) = self.link.header(io)?;
                self.check(tag, body)?;
                self.take_error(io)?;
                Err(Fault::Server)
            }
            Some(_) => Err(ProtocolError::Unasked.into()),
        }
    }

    /// Handles the asynchronous messages that have arrived whole, or are too large to. Returns the
    /// type of the other message behind them, which is not taken; with `notified` a notification
    /// is such a message.
    pub(crate) fn take_arrived(
        &mut self,
        io: &mut Lent<'_>,
        notified: bool,
    ) -> Result<Option<u8>, Fault> {
        while self.link.has_unread() {
            let (tag, whole) = self.link.peek();
            match tag {
                tag::NOTICE_RESPONSE | tag::PARAMETER_STATUS => {}
                tag::NOTIFICATION_RESPONSE if !notified => {}
                other => return Ok(Some(other)),
            }
            if !whole && !self.link.is_full() {
                break;
            }
            let (tag, body) = self.link.header(io)?;
            self.check(tag, body)?;
            self.take_async(io, tag)?;
            self.link.skip(io)?;
        }
        Ok(None)
    }

    /// Handles an asynchronous message; `false` when it is none.
    pub(super) fn take_async(&mut self, io: &mut Lent<'_>, tag: u8) -> Result<bool, Fault> {
        match tag {
            tag::NOTICE_RESPONSE => {
                // What does not fit is its end.
                let (left, room) = (self.link.left(), self.link.room());
                let span = self.link.take(io, left.min(room))?;
                let notice = ServerError::new(self.link.get(span), left > room);
                debug!("notice {}", notice);
                let state = notice.sqlstate();
                if matches!(state.as_str(), "57P01" | "57P02") {
                    self.farewell = Some(state);
                }
                if let Some(handler) = self.events.notice {
                    handler(notice);
                }
            }
            tag::PARAMETER_STATUS => {
                if let Some(span) = self.small_body(io)? {
                    let mut reader = Reader::new(self.link.get(span));
                    let (name, value) = (reader.cstr()?, reader.cstr()?);
                    reader.finish()?;
                    self.server.parameter(name, value)?;
                    if let Some(handler) = self.events.parameter {
                        handler(name, value);
                    }
                }
            }
            tag::NOTIFICATION_RESPONSE => {
                debug!("notification");
                let mut kept = false;
                if self.events.queue.is_some()
                    && let Some(span) = self.small_body(io)?
                    && let Some(queue) = &mut self.events.queue
                {
                    kept = queue.push(self.link.get(span));
                }
                if !kept {
                    let lost = &mut self.link.stats.notifications_lost;
                    *lost = lost.wrapping_add(1);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The body, if it fits the buffer.
    fn small_body(&mut self, io: &mut Lent<'_>) -> Result<Option<Span>, Fault> {
        if self.link.left() > self.link.room() { Ok(None) } else { self.link.body(io).map(Some) }
    }
}
