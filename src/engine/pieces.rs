//! Pieces: bodies larger than the receive buffer, and sending while listening.
//!
//! Used by `copy` and `stream`.

use super::Framed;
use super::framed::low;
use crate::error::Fault;
use crate::transport::Lent;
use crate::wire::{Body, Part, WireError, Writer};

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

    /// Puts back what [`take_some`](Self::take_some) took last, but leaves it readable as what was
    /// taken. Returns what is left of a value of which `left` bytes were left.
    pub(crate) fn put_back(&mut self, left: usize) -> usize {
        let (start, end) = self.taken;
        let length = end.wrapping_sub(start);
        self.start = start;
        self.body = self.body.wrapping_add(length);
        left.saturating_add(length)
    }

    /// Takes the first bytes of what was put back, at most `n`. Returns how many.
    pub(crate) fn take_again(&mut self, n: usize) -> usize {
        let (start, end) = self.taken;
        let n = n.min(end.wrapping_sub(start)).min(self.body);
        self.start = self.start.saturating_add(n).min(self.end);
        self.body = self.body.saturating_sub(n);
        self.taken = (start.saturating_add(n), end);
        n
    }

    /// Whether the receive buffer has no room for another byte.
    pub(crate) fn is_full(&self) -> bool {
        self.unread() >= self.room()
    }

    /// Writes after what is staged, or after `head` bytes kept free where nothing is.
    /// [`Fault::FULL`]: it does not fit.
    #[inline]
    pub(crate) fn append_after<F: Body>(&mut self, head: usize, part: &F) -> Result<(), Fault> {
        let at = self.staged.max(head);
        if cfg!(target_os = "none") { self.fill(at, part) } else { Ok(self.fill_with(at, part)?) }
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
        let mut writer = Writer::new(rest);
        inline(&mut writer)?;
        self.staged = at.wrapping_add(writer.len());
        Ok(())
    }

    /// As [`append_after`](Self::append_after), compiled once for all.
    pub(crate) fn append_part_after(&mut self, head: usize, part: Part<'_>) -> Result<(), Fault> {
        self.fill(self.staged.max(head), part)
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
