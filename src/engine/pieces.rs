//! Pieces: bodies larger than the receive buffer, and sending while listening.
//!
//! Used by `copy` and `stream`.

use super::Framed;
use super::framed::low;
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::{Part, WireError, Writer};

impl<'b> Framed<'b> {
    /// Takes what there is of the body, at most `max` bytes, and receives when there is nothing.
    /// Empty only when the body is used up.
    pub(crate) fn take_some(&mut self, io: &mut Lent<'_>, max: usize) -> Result<(), Fault> {
        let max = max.min(self.body);
        if max > 0 && !self.has_unread() {
            self.read_more(io)?;
        }
        let n = self.unread().min(max);
        let end = self.start.wrapping_add(n);
        self.taken = (self.start, end);
        self.start = end;
        self.body = self.body.wrapping_sub(n);
        Ok(())
    }

    /// What there is of the body, at most `max` bytes, without taking it.
    #[inline]
    pub(crate) fn shown(&self, max: usize) -> &[u8] {
        let n = self.unread().min(max);
        self.rx.get(self.start..).and_then(|rest| rest.get(..n)).unwrap_or(&[])
    }

    /// Takes the first bytes of what there is of the body, of which `n` are left at least; as many
    /// as there are. Returns how many.
    #[inline]
    pub(crate) fn take_first(&mut self, n: usize) -> usize {
        debug_assert!(n <= self.body);
        let n = n.min(self.unread());
        self.start = self.start.wrapping_add(n);
        self.body = self.body.wrapping_sub(n);
        n
    }

    /// Receives more of the body, where all that had arrived was taken, with a deadline of its own.
    #[inline]
    pub(crate) fn refill(&mut self, io: &mut Lent<'_>, timeout_ms: u32) -> Result<(), Fault> {
        if cfg!(target_os = "none") {
            self.limit(timeout_ms);
            return self.read_more(io);
        }
        if self.countdown.has_begun() {
            self.limit(timeout_ms);
        } else {
            self.platform().idle();
        }
        let at = self.pinned;
        self.start = at;
        match self.read_at(io, at) {
            Ok(()) if io.moved > 0 => Ok(()),
            result => self.wait_for_more(io, result),
        }
    }

    /// Nothing had arrived yet, or `result` is a failure.
    #[cold]
    #[inline(never)]
    fn wait_for_more(&mut self, io: &mut Lent<'_>, result: Result<(), Fault>) -> Result<(), Fault> {
        self.end = self.start;
        self.received = true;
        result.and_then(|()| self.read_more(io))
    }

    /// Whether the receive buffer has no room for another byte.
    pub(crate) fn is_full(&self) -> bool {
        self.unread() >= self.room()
    }

    /// Writes after what is staged, or after `head` bytes kept free where nothing is.
    /// [`Fault::FULL`]: it does not fit.
    #[inline]
    pub(crate) fn append_after(&mut self, head: usize, part: Part<'_>) -> Result<(), Fault> {
        self.fill(self.staged.max(head), part)
    }

    /// As [`append_after`](Self::append_after), compiled in line.
    #[inline]
    pub(crate) fn append_inline_after(
        &mut self,
        head: usize,
        inline: impl FnOnce(&mut Writer<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let at = self.staged.max(head);
        let Some(rest) = self.tx.get_mut(at..) else { return Err(WireError::Full) };
        let mut writer = Writer::new_under(rest, self.rules);
        inline(&mut writer)?;
        self.staged = at.wrapping_add(writer.filled());
        Ok(())
    }

    /// Bytes that fit after what is staged, or after `head` bytes.
    pub(crate) fn tx_room(&self, head: usize) -> usize {
        self.tx.len().saturating_sub(self.staged.max(head))
    }

    /// Takes the send buffer out, with the number of bytes staged in it, to be put back by
    /// [`put_tx`](Self::put_tx). Until then nothing else can be sent from it.
    pub(crate) fn take_tx(&mut self) -> (&'b mut [u8], usize) {
        self.stats.tx_peak = self.stats.tx_peak.max(low(self.staged));
        (core::mem::take(&mut self.tx), core::mem::take(&mut self.staged))
    }

    /// Puts the send buffer back.
    pub(crate) fn put_tx(&mut self, tx: &'b mut [u8], staged: usize) {
        self.staged = staged.min(tx.len());
        self.tx = tx;
    }
}
