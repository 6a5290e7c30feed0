//! Sending: messages are staged in the send buffer and leave in one write.

use super::{Clock, Framed, Stats};
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::{Body, Part, WireError, Writer};

impl Framed<'_> {
    /// Stages messages behind those staged already. What does not fit the send buffer is checked
    /// whole first and then sent in pieces.
    pub(crate) fn write<F: Body>(&mut self, io: &mut Lent<'_>, part: &F) -> Result<(), Fault> {
        self.write_part(io, part)
    }

    /// As [`write`](Self::write).
    #[inline(never)]
    pub(crate) fn write_part(&mut self, io: &mut Lent<'_>, part: Part<'_>) -> Result<(), Fault> {
        match self.fill(self.staged, part) {
            Err(Fault::FULL) => self.write_in_pieces(io, part),
            result => result,
        }
    }

    /// Writes into the send buffer behind the first `at` bytes. [`Fault::FULL`]: it does not fit,
    /// and what is staged is as before.
    #[inline(never)]
    pub(super) fn fill(&mut self, at: usize, part: Part<'_>) -> Result<(), Fault> {
        let (start, length) = self.taken;
        let source = self.rx.get(start..start.wrapping_add(length)).unwrap_or(&[]);
        let mut writer = Writer::append(self.tx, at);
        part.encode(&mut writer, source)?;
        self.staged = writer.len();
        Ok(())
    }

    /// Bytes staged.
    #[cfg(feature = "opengauss")]
    pub(crate) const fn staged(&self) -> usize {
        self.staged
    }

    /// Forgets what is staged behind the first `keep` bytes.
    #[cfg(feature = "opengauss")]
    pub(crate) fn unstage(&mut self, keep: usize) {
        self.staged = self.staged.min(keep);
    }

    /// Stages a part if it fits and leaves `reserve` bytes free; `false`, and nothing staged, if
    /// it does not.
    #[cfg(feature = "opengauss")]
    pub(crate) fn append<F: Body>(&mut self, reserve: usize, part: &F) -> Result<bool, Fault> {
        let room = self.tx.len().saturating_sub(reserve);
        let mut writer = Writer::append(self.tx.get_mut(..room).unwrap_or(&mut []), self.staged);
        match part(&mut writer) {
            Ok(()) => {
                self.staged = writer.len();
                Ok(true)
            }
            Err(WireError::Full) => Ok(false),
            Err(error) => Err(Fault::from(error)),
        }
    }

    /// Ends the message staged from `start` on: `trailer` behind it, its length behind the type
    /// byte, `count` behind that. The caller has kept room for the trailer.
    #[cfg(feature = "opengauss")]
    pub(crate) fn close_counted(&mut self, start: usize, trailer: &[u8; 6], count: u32) {
        let end = self.staged.saturating_add(trailer.len());
        let Some(message) = self.tx.get_mut(start..end) else { return };
        let length = message.len().saturating_sub(1);
        if let Some(tail) = message.last_chunk_mut::<6>() {
            *tail = *trailer;
        }
        let length = u32::try_from(length).unwrap_or(0).to_be_bytes();
        if let Some((_, fields)) = message.split_first_mut()
            && let Some((place, rest)) = fields.split_first_chunk_mut::<4>()
        {
            *place = length;
            if let Some(place) = rest.first_chunk_mut::<4>() {
                *place = count.to_be_bytes();
            }
        }
        self.staged = end;
    }

    #[inline(never)]
    fn write_in_pieces(&mut self, io: &mut Lent<'_>, part: Part<'_>) -> Result<(), Fault> {
        let (start, length) = self.taken;
        let source = start..start.wrapping_add(length);
        part.encode(&mut Writer::counter(), self.rx.get(source.clone()).unwrap_or(&[]))?;
        self.send_staged(io)?;
        let Self { rx, tx, clock, stats, sent, .. } = self;
        let source = rx.get(source).unwrap_or(&[]);
        stats.tx_peak = u32::try_from(tx.len()).unwrap_or(0);
        let mut failure = None;
        let mut drain = |bytes: &[u8]| {
            write_all(io, clock, stats, sent, bytes).map_err(|kind| {
                failure = Some(kind);
                WireError::Drain
            })
        };
        let mut writer = Writer::draining(tx, &mut drain);
        let result = part.encode(&mut writer, source);
        self.staged = writer.len();
        // Whatever else can be wrong was found by counting.
        result.map_err(|_| failure.unwrap_or(Fault::TORN))
    }

    /// Sends what is staged, without flushing.
    pub(crate) fn send_staged(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let bytes = self.tx.get(..self.staged).unwrap_or(&[]);
        self.staged = 0;
        self.stats.tx_peak = self.stats.tx_peak.max(u32::try_from(bytes.len()).unwrap_or(0));
        write_all(io, &self.clock, &mut self.stats, &mut self.sent, bytes)
    }

    /// Sends what is staged and flushes: from here on the answer is awaited.
    pub(crate) fn flush(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.stats.round_trips = self.stats.round_trips.wrapping_add(1);
        self.flush_last(io)
    }

    /// Sends what is staged and flushes; nothing is awaited.
    pub(crate) fn flush_last(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.send_staged(io)?;
        self.stats.flushes = self.stats.flushes.wrapping_add(1);
        io.until(self.clock.deadline);
        loop {
            io.flush()?;
            if io.moved > 0 {
                return Ok(());
            }
            self.clock.tick()?;
        }
    }

    /// Forgets what is staged and was not sent.
    pub(crate) fn discard_staged(&mut self) {
        self.staged = 0;
    }

    /// Overwrites the send buffer, which may hold what a password was sent in.
    pub(crate) fn wipe_tx(&mut self) {
        zeroize::Zeroize::zeroize(&mut *self.tx);
    }
}

fn write_all(
    io: &mut Lent<'_>,
    clock: &Clock<'_>,
    stats: &mut Stats,
    sent: &mut bool,
    mut bytes: &[u8],
) -> Result<(), Fault> {
    io.until(clock.deadline);
    while !bytes.is_empty() {
        clock.tick()?;
        write_once(io, stats, sent, bytes)?;
        bytes = bytes.get(io.moved..).unwrap_or(&[]);
    }
    Ok(())
}

/// One attempt to send.
pub(super) fn write_once(
    io: &mut Lent<'_>,
    stats: &mut Stats,
    sent: &mut bool,
    bytes: &[u8],
) -> Result<(), Fault> {
    io.write(bytes)?;
    if io.moved > 0 {
        *sent = true;
        stats.writes = stats.writes.wrapping_add(1);
        stats.bytes_out = stats.bytes_out.wrapping_add(u32::try_from(io.moved).unwrap_or(0));
    }
    Ok(())
}
