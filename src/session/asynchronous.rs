//! Messages that may arrive at any time: notices, parameter changes, notifications.

use super::Session;
use crate::error::{Fault, ProtocolError, ServerError};
use crate::notify::Event;
use crate::transport::Lent;
use crate::wire::Reader;
use crate::wire::backend::tag;

impl Session<'_> {
    /// Between verbs only asynchronous messages and a FATAL error may arrive.
    pub(super) fn take_unasked(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.take_arrived(io, false)?;
        match self.link.tag {
            0 => Ok(()),
            tag::ERROR_RESPONSE => {
                self.checked_header(io)?;
                self.take_error(io)?;
                Err(Fault::SERVER)
            }
            _ => Err(ProtocolError::Unasked.into()),
        }
    }

    /// Handles the asynchronous messages that have arrived whole, or are too large to. Leaves the
    /// type of the other message behind them as the current one, 0 if there is none; it is not
    /// taken. With `notified` a notification is such a message.
    pub(crate) fn take_arrived(&mut self, io: &mut Lent<'_>, notified: bool) -> Result<(), Fault> {
        while self.link.has_unread() {
            let (tag, whole) = self.link.peek();
            // No message is of type 0, nor of type 1.
            self.link.tag = tag.max(1);
            match tag {
                tag::NOTICE_RESPONSE | tag::PARAMETER_STATUS => {}
                tag::NOTIFICATION_RESPONSE if !notified => {}
                _ => return Ok(()),
            }
            if !whole && !self.link.is_full() {
                break;
            }
            self.checked_header(io)?;
            self.take_async(io)?;
            self.link.skip(io)?;
        }
        self.link.tag = 0;
        Ok(())
    }

    /// Handles an asynchronous message: then there is no current one.
    pub(super) fn take_async(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let (left, room) = (self.link.left(), self.link.room());
        match self.link.tag {
            tag::NOTICE_RESPONSE => {
                // What does not fit is its end.
                self.link.take(io, left.min(room))?;
                let notice = ServerError::new(self.link.taken(), left > room);
                debug!("notice {}", notice);
                let state = notice.sqlstate();
                if let Some(last) = state.ends_session() {
                    self.farewell = Some(last);
                }
                if let Some(handler) = self.events.handler {
                    handler(Event::Notice(notice));
                }
            }
            // Where it does not fit it is not for us.
            tag::PARAMETER_STATUS if left > room => {}
            tag::PARAMETER_STATUS => {
                self.link.body(io)?;
                let mut reader = Reader::new(self.link.taken());
                let (name, value) = (reader.cstr()?, reader.cstr()?);
                reader.finish()?;
                self.server.parameter(name, value)?;
                if let Some(handler) = self.events.handler {
                    handler(Event::Parameter { name, value });
                }
            }
            tag::NOTIFICATION_RESPONSE => {
                debug!("notification");
                let mut kept = false;
                if let Some(queue) = &mut self.events.queue
                    && left <= room
                {
                    self.link.body(io)?;
                    kept = queue.push(self.link.taken());
                }
                if !kept {
                    let lost = &mut self.link.stats.notifications_lost;
                    *lost = lost.wrapping_add(1);
                }
            }
            _ => return Ok(()),
        }
        self.link.tag = 0;
        Ok(())
    }
}
