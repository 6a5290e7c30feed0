//! Messages that may arrive at any time: notices, parameter changes, notifications.

use super::Event;
use super::Session;
use crate::error::{Fault, ProtocolError, ServerError};
use crate::transport::Lent;
use crate::wire::backend::{ParameterStatus, tag};

impl Session<'_> {
    /// Takes what has arrived between two verbs: asynchronous messages, and an error that ends the
    /// session. Anything else is an answer that belongs to another client.
    pub(super) fn take_unsolicited(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            self.take_arrived(io, false)?;
            match self.link.tag {
                0 => {}
                tag::ERROR_RESPONSE => {
                    self.checked_header(io)?;
                    return Err(self.take_last_error(io));
                }
                _ => return Err(ProtocolError::Unsolicited.into()),
            }
            if !io.ready() {
                return Ok(());
            }
            self.link.tick()?;
            self.link.read_once(io)?;
            if io.moved == 0 {
                return Ok(());
            }
        }
    }

    /// Handles the asynchronous messages that have arrived whole, or are too large to. Leaves the
    /// type of the other message after them as the current one, 0 if there is none; it is not
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
            self.take_asynchronous(io)?;
            self.link.skip(io)?;
        }
        self.link.tag = 0;
        Ok(())
    }

    /// Handles an asynchronous message: then there is no current one.
    #[inline]
    pub(super) fn take_async(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        match self.link.tag {
            tag::NOTICE_RESPONSE | tag::PARAMETER_STATUS | tag::NOTIFICATION_RESPONSE => {
                self.take_asynchronous(io)
            }
            _ => Ok(()),
        }
    }

    /// ParameterStatus, whose body was taken.
    pub(crate) fn take_parameter(&mut self) -> Result<(), Fault> {
        let ParameterStatus { name, value } = ParameterStatus::decode(self.link.taken())?;
        self.server.parameter(name, value)?;
        if let Some(handler) = self.events.handler {
            handler(Event::Parameter { name, value });
        }
        #[cfg(feature = "opengauss")]
        if name == b"behavior_compat_options" {
            let mut rules = self.link.rules;
            rules.set_options(value);
            self.link.rules = rules;
        }
        Ok(())
    }

    #[inline(never)]
    fn take_asynchronous(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let (left, room) = (self.link.left(), self.link.room());
        match self.link.tag {
            tag::NOTICE_RESPONSE => {
                // What does not fit is its end.
                self.link.take(io, left.min(room))?;
                let notice = ServerError::new(self.link.taken(), left > room);
                debug!("notice {}", notice);
                let state = notice.sqlstate();
                if let Some(last) = state.ends_session() {
                    self.shutdown = Some(last);
                }
                if let Some(handler) = self.events.handler {
                    handler(Event::Notice(notice));
                }
            }
            // Where it does not fit it is not for us.
            tag::PARAMETER_STATUS if left > room => {}
            tag::PARAMETER_STATUS => {
                self.link.body(io)?;
                self.take_parameter()?;
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
