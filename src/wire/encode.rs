//! What writes parts of messages, and what takes the bytes of a message larger than the buffer.

use super::{WireError, Writer};

/// What writes a part of a message: any closure of this form. It may run more than once, and must
/// write the same bytes each time.
pub trait Body: Fn(&mut Writer<'_>) -> Result<(), WireError> {}

impl<F: Fn(&mut Writer<'_>) -> Result<(), WireError>> Body for F {}

/// A [`Body`] that is compiled into the driver once: a trait of its own, because the table of a
/// `dyn Fn` holds two more functions for each closure. `rx` is the receive buffer, for answers made
/// of what was received.
pub(crate) trait Encode {
    fn encode(&self, w: &mut Writer<'_>, rx: &[u8]) -> Result<(), WireError>;
}

impl<F: Body> Encode for F {
    fn encode(&self, w: &mut Writer<'_>, _: &[u8]) -> Result<(), WireError> {
        self(w)
    }
}

/// A part of a message.
pub(crate) type Part<'p> = &'p dyn Encode;

/// Takes the bytes of a full buffer away (see [`Writer::beyond`]).
pub(crate) trait Drain {
    fn drain(&mut self, bytes: &mut [u8]) -> Result<(), WireError>;
}

impl<F: FnMut(&mut [u8]) -> Result<(), WireError>> Drain for F {
    fn drain(&mut self, bytes: &mut [u8]) -> Result<(), WireError> {
        self(bytes)
    }
}
