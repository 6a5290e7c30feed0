//! Sending: messages are staged in the send buffer and leave in one write.

use super::Framed;
use super::framed::low;
use crate::error::Fault;
use crate::transport::Lent;
#[cfg(feature = "opengauss")]
use crate::wire::Body;
use crate::wire::{Part, WireError, Writer};

impl Framed<'_> {
    /// As [`fill`](Self::fill), in line.
    #[inline]
    pub(super) fn fill_with(
        &mut self,
        at: usize,
        inline: impl FnOnce(&mut Writer<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut writer = Writer::append(self.tx, at, self.rules);
        inline(&mut writer)?;
        self.staged = writer.filled();
        Ok(())
    }

    /// Writes into the send buffer after the first `at` bytes. [`Fault::FULL`]: it does not fit,
    /// and what is staged is as before.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn fill(&mut self, at: usize, part: Part<'_>) -> Result<(), Fault> {
        let mut writer = Writer::append(self.tx, at, self.rules);
        part.encode(&mut writer, self.rx)?;
        self.staged = writer.filled();
        Ok(())
    }

    /// Whether more left than what was staged before: `before` are the bytes sent and staged then.
    #[inline]
    pub(crate) fn has_sent_beyond(&self, before: (u32, usize)) -> bool {
        if cfg!(target_os = "none") {
            return self.stats.bytes_out != before.0;
        }
        let sent = self.stats.bytes_out.wrapping_sub(before.0);
        usize::try_from(sent).is_ok_and(|sent| sent > before.1)
    }

    /// Bytes staged.
    #[inline]
    pub(crate) const fn staged(&self) -> usize {
        self.staged
    }

    /// Forgets what is staged after the first `keep` bytes.
    #[cfg(feature = "opengauss")]
    pub(crate) fn unstage(&mut self, keep: usize) {
        self.staged = self.staged.min(keep);
    }

    /// Stages a part if it fits and leaves `reserve` bytes free; `false`, and nothing staged, if
    /// it does not.
    #[cfg(feature = "opengauss")]
    pub(crate) fn append<F: Body>(&mut self, reserve: usize, part: &F) -> Result<bool, Fault> {
        let room = self.tx.len().saturating_sub(reserve);
        let tx = self.tx.get_mut(..room).unwrap_or(&mut []);
        let mut writer = Writer::append(tx, self.staged, self.rules);
        match part(&mut writer) {
            Ok(()) => {
                self.staged = writer.len();
                Ok(true)
            }
            Err(WireError::Full) => Ok(false),
            Err(error) => Err(Fault::from(error)),
        }
    }

    /// Ends the message staged from `start` on: `trailer` after it, its length after the type
    /// byte, `count` after that. The caller has kept room for the trailer.
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

    /// All of the send buffer was in use.
    pub(super) fn used_all(&mut self) {
        self.stats.tx_peak = low(self.tx.len());
    }

    /// The bytes that a part takes. Checks all of it.
    pub(super) fn measure(&self, part: Part<'_>) -> Result<usize, Fault> {
        Ok(Writer::measure(part, self.rx, self.rules)?)
    }

    fn lacks(&mut self, needed: usize) -> Fault {
        (self.lacking, self.lacks_tx) = (needed, true);
        Fault::CAPACITY
    }

    /// Writes a part in one piece and sends it, from the larger of the two buffers: nothing was
    /// received yet. For a start-up packet: some poolers want it in one segment.
    pub(crate) fn write_whole(&mut self, io: &mut Lent<'_>, part: Part<'_>) -> Result<(), Fault> {
        let swapped = self.rx.len() > self.tx.len();
        if swapped {
            core::mem::swap(&mut self.rx, &mut self.tx);
        }
        let mut sent = self.fill(0, part);
        if sent == Err(Fault::FULL) {
            sent = match self.measure(part) {
                Ok(needed) => Err(self.lacks(needed)),
                Err(fault) => Err(fault),
            };
        } else if sent.is_ok() {
            sent = self.flush(io);
        }
        if swapped {
            self.wipe_tx();
            core::mem::swap(&mut self.rx, &mut self.tx);
            self.stats.tx_peak = self.stats.tx_peak.min(low(self.tx.len()));
        }
        sent
    }

    /// Sends what is staged, without flushing.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn send_staged(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if cfg!(target_os = "none") {
            let (tx, staged) = self.take_tx();
            let sent = self.write_all(io, tx.get(..staged).unwrap_or(&[]));
            self.put_tx(tx, 0);
            return sent;
        }
        io.until(self.countdown);
        let staged = self.tx.get(..self.staged).unwrap_or(&[]);
        if staged.is_empty() {
            return Ok(());
        }
        io.write(staged)?;
        self.note_sent(io.moved);
        if io.moved == self.staged {
            self.stats.tx_peak = self.stats.tx_peak.max(low(self.staged));
            self.staged = 0;
            return Ok(());
        }
        self.send_rest(io)
    }

    /// After a write that did not take all.
    #[cold]
    #[inline(never)]
    fn send_rest(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        let done = io.moved;
        self.tick()?;
        let (tx, staged) = self.take_tx();
        let sent = self.write_all(io, tx.get(done..staged).unwrap_or(&[]));
        self.put_tx(tx, 0);
        sent
    }

    #[inline]
    fn note_sent(&mut self, moved: usize) {
        if moved > 0 {
            self.sent = true;
            self.countdown.moved();
            self.stats.bytes_out = self.stats.bytes_out.wrapping_add(low(moved));
        }
    }

    /// Sends what is staged and flushes: from here on the answer is awaited.
    #[inline]
    pub(crate) fn flush(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.stats.round_trips = self.stats.round_trips.wrapping_add(1);
        self.flush_last(io)
    }

    /// Sends what is staged and flushes; nothing is awaited.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn flush_last(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.send_staged(io)?;
        loop {
            io.flush()?;
            if io.moved > 0 {
                return Ok(());
            }
            self.tick()?;
        }
    }

    pub(super) fn write_all(&mut self, io: &mut Lent<'_>, mut bytes: &[u8]) -> Result<(), Fault> {
        io.until(self.countdown);
        while !bytes.is_empty() {
            io.write(bytes)?;
            self.note_sent(io.moved);
            bytes = bytes.get(io.moved..).unwrap_or(&[]);
            // What left at once is no turn of a loop.
            if !bytes.is_empty() {
                self.tick()?;
            }
        }
        Ok(())
    }

    /// One attempt to send.
    pub(crate) fn write_once(&mut self, io: &mut Lent<'_>, bytes: &[u8]) -> Result<(), Fault> {
        io.write(bytes)?;
        self.note_sent(io.moved);
        Ok(())
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
