//! Pinning: bytes at the start of the receive buffer that stay while messages pass behind them.

use super::{Framed, Span};
use crate::error::Fault;
use crate::wire::WireError;

impl Framed<'_> {
    /// Bytes pinned at the start of the receive buffer.
    pub(crate) const fn pinned(&self) -> usize {
        self.pinned
    }

    /// Lets go of what is pinned behind the first `keep` bytes.
    pub(crate) fn unpin(&mut self, keep: usize) {
        self.pinned = self.pinned.min(keep);
    }

    /// Pins a span that was just taken, behind what is pinned already.
    pub(crate) fn pin(&mut self, (start, length): Span) -> Span {
        let end = start.saturating_add(length).min(self.start);
        let at = self.pinned;
        if at <= start && start <= end {
            self.rx.copy_within(start..end, at);
            self.pinned = at.saturating_add(end.saturating_sub(start));
        }
        (at, self.pinned.saturating_sub(at))
    }

    /// Pins `head` and then the bytes of a span that was just taken. The span must be long
    /// enough that both end before the first unread byte.
    pub(crate) fn pin_entry(&mut self, head: &[u8], (start, length): Span) -> Result<(), Fault> {
        let text_at = self.pinned.saturating_add(head.len());
        let end = text_at.saturating_add(length);
        if end > self.start {
            return Err(self.too_small(head.len().saturating_add(length)));
        }
        let source = start..start.saturating_add(length);
        if source.end > self.rx.len() {
            return Err(WireError::Malformed.into());
        }
        // The text first: it may lie where the head goes.
        self.rx.copy_within(source, text_at);
        if let Some(room) = self.rx.get_mut(self.pinned..text_at) {
            room.copy_from_slice(head);
        }
        self.pinned = end;
        Ok(())
    }

    /// The pinned bytes, to be rewritten shorter; the closure returns the new length.
    pub(crate) fn repin(&mut self, f: impl FnOnce(&mut [u8]) -> usize) {
        let pinned = self.rx.get_mut(..self.pinned).unwrap_or(&mut []);
        self.pinned = f(pinned).min(self.pinned);
    }
}
