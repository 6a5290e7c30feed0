//! Staging: messages are written into the send buffer. What does not fit is checked whole first, and
//! then goes through the buffer in pieces.

use core::mem::take;

use super::Session;
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::{Beyond, Body, Drain, Part, WireError, Writer};

/// How the bytes in the send buffer leave. A function, so that what only COPY needs is linked with
/// it.
pub(crate) struct Way {
    /// Bytes kept free at the start of the buffer, for what `send` puts there.
    pub(crate) head: usize,
    /// Sends the buffer, or what of it is used.
    pub(crate) send: fn(&mut Session<'_>, &mut Lent<'_>, &mut [u8]) -> Result<(), Fault>,
}

/// As it is.
static PLAIN: Way = Way { head: 0, send: |session, io, bytes| session.link.write_all(io, bytes) };

impl Session<'_> {
    /// Stages messages of a verb.
    #[inline]
    pub(crate) fn stage<F: Body>(&mut self, io: &mut Lent<'_>, part: &F) -> Result<(), Fault> {
        self.stage_inline(io, part, part)
    }

    /// As [`stage`](Self::stage), of a part that is compiled in line on hosts; `part` is the same.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn stage_inline(
        &mut self,
        io: &mut Lent<'_>,
        inline: impl FnOnce(&mut Writer<'_>) -> Result<(), WireError>,
        part: Part<'_>,
    ) -> Result<(), Fault> {
        if cfg!(target_os = "none") {
            return self.stage_part(io, part);
        }
        match self.link.fill_with(self.link.staged(), inline) {
            Ok(()) => Ok(()),
            Err(WireError::Full) => self.stage_large(io, part, &PLAIN),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`stage`](Self::stage), compiled once for all: for bare targets.
    #[inline(never)]
    pub(crate) fn stage_part(&mut self, io: &mut Lent<'_>, part: Part<'_>) -> Result<(), Fault> {
        match self.link.fill(self.link.staged(), part) {
            Err(Fault::FULL) => self.stage_large(io, part, &PLAIN),
            result => result,
        }
    }

    /// What does not fit after what is staged: that goes out first.
    #[cold]
    #[inline(never)]
    pub(crate) fn stage_large(
        &mut self,
        io: &mut Lent<'_>,
        part: Part<'_>,
        way: &Way,
    ) -> Result<(), Fault> {
        let mut staged = Err(Fault::FULL);
        if self.link.staged() > way.head {
            staged = self.send_out(io, way).and_then(|()| self.link.fill(way.head, part));
        }
        // A streamed value always.
        if staged == Err(Fault::FULL) {
            staged = self.stage_in_pieces(io, part, way);
        }
        staged.map_err(|fault| self.salvage(io, fault))
    }

    /// Sends what is staged.
    pub(crate) fn send_out(&mut self, io: &mut Lent<'_>, way: &Way) -> Result<(), Fault> {
        let (tx, staged) = self.link.take_tx();
        let mut sent = Ok(());
        if staged > way.head {
            sent = (way.send)(self, io, tx.get_mut(..staged).unwrap_or(&mut []));
        }
        self.link.put_tx(tx, 0);
        sent
    }

    /// Writes a part through the send buffer, which leaves whenever it is full; the end of it stays
    /// there. What can be wrong with the part was found by counting, but for a reader that ends
    /// early: [`Fault::TRUNCATED`].
    fn stage_in_pieces(
        &mut self,
        io: &mut Lent<'_>,
        part: Part<'_>,
        way: &Way,
    ) -> Result<(), Fault> {
        self.link.measure(part)?;
        let (tx, _) = self.link.take_tx();
        // What is made of what was received is no COPY, in which something may arrive meanwhile.
        let rx = if way.head == 0 { take(&mut self.link.rx) } else { &mut [] };
        let rules = self.link.rules;
        let mut sender = Sender { session: self, io, way, failure: Fault::TRUNCATED };
        let mut beyond =
            Beyond::Drain { buf: tx, used: way.head, head: way.head, drain: &mut sender };
        let mut writer = Writer::beyond(&mut beyond, rules);
        let written = part.encode(&mut writer, rx);
        let staged = writer.len();
        let failure = sender.failure;
        if way.head == 0 {
            self.link.rx = rx;
        }
        self.link.put_tx(tx, if written.is_ok() { staged } else { way.head });
        self.link.used_all();
        // After a part was sent nothing is as before.
        let failure = if failure.is_unsendable() { Fault::TRUNCATED } else { failure };
        written.map_err(|_| failure)
    }

    /// Sends what is staged, with more to come.
    pub(crate) fn send_on(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.link.send_staged(io).map_err(|fault| self.salvage(io, fault))
    }

    /// Sends what is staged; an answer is due.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn send(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        match self.link.flush(io) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.salvage(io, fault)),
        }
    }
}

/// What sends the pieces of a message.
struct Sender<'s, 'b, 'i, 'p> {
    session: &'s mut Session<'b>,
    io: &'i mut Lent<'p>,
    way: &'s Way,
    /// Why the writer gave up.
    failure: Fault,
}

impl Drain for Sender<'_, '_, '_, '_> {
    fn drain(&mut self, bytes: &mut [u8]) -> Result<(), WireError> {
        (self.way.send)(self.session, self.io, bytes).map_err(|fault| {
            self.failure = fault;
            WireError::Drain
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Framed;
    use crate::platform::Platform;
    use crate::transport::lent;
    use crate::wire::frontend;

    struct Board;

    impl Platform for Board {
        fn now_ms(&self) -> u64 {
            0
        }

        fn entropy(&self, _: &mut [u8]) -> Result<(), crate::NoEntropy> {
            Err(crate::NoEntropy)
        }
    }

    /// It is written in the larger buffer, and what cannot be written after what does not fit is found
    /// out when it is counted.
    #[test]
    fn a_start_up_packet_that_cannot_be_written_leaves_the_buffers_where_they_were() {
        let (mut rx, mut tx) = ([0; 64], [0; 16]);
        let mut link = Framed::new(&mut rx, &mut tx, &Board);
        let mut sent = std::io::Cursor::new(std::vec::Vec::<u8>::new());
        let mut port = crate::NoReadReady(Port(&mut sent));
        let io = &mut lent(&mut port);
        let long = std::string::String::from_utf8(std::vec![b'x'; 100]).unwrap();
        for (end, expected) in
            [(Ok(()), Fault::CAPACITY), (Err(WireError::Nul), Fault::from(WireError::Nul))]
        {
            let part = |w: &mut Writer<'_>| frontend::query(w, &long).and(end);
            assert_eq!(link.write_whole(io, &part), Err(expected));
            assert_eq!(link.sizes(), (64, 16));
        }
    }

    struct Port<'p>(&'p mut std::io::Cursor<std::vec::Vec<u8>>);

    impl embedded_io::ErrorType for Port<'_> {
        type Error = embedded_io::ErrorKind;
    }

    impl embedded_io::Read for Port<'_> {
        fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> {
            Err(embedded_io::ErrorKind::TimedOut)
        }
    }

    impl embedded_io::Write for Port<'_> {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            std::io::Write::write(self.0, bytes).map_err(|_| embedded_io::ErrorKind::Other)
        }

        fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
}
