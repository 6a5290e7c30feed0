//! Pinning: bytes at the start of the receive buffer that stay while messages pass after them.

use super::Framed;
use crate::error::Fault;
use crate::limits;

impl Framed<'_> {
    /// Bytes pinned at the start of the receive buffer.
    pub(crate) const fn pinned(&self) -> usize {
        self.pinned
    }

    /// The first bytes of the receive buffer, to be rewritten.
    #[inline]
    pub(super) fn first_bytes_mut(&mut self, n: usize) -> &mut [u8] {
        self.rx.get_mut(..n).unwrap_or(&mut [])
    }

    /// Pins the first `n` bytes, which were taken before.
    #[inline]
    pub(super) fn set_pinned(&mut self, n: usize) {
        debug_assert!(n <= self.start);
        self.pinned = n.min(self.start);
    }

    /// Releases what is pinned after the first `keep` bytes.
    #[inline]
    pub(crate) fn unpin(&mut self, keep: usize) {
        self.pinned = self.pinned.min(keep);
    }

    /// Pins these bytes, if there is room before what was not taken yet.
    pub(super) fn pin_bytes<const N: usize>(&mut self, bytes: [u8; N]) -> bool {
        let end = self.pinned.wrapping_add(N);
        // Something else must be readable beside them.
        let room = end <= self.start && self.rx.len().saturating_sub(end) >= limits::RX_RESERVE;
        match self.rx.get_mut(self.pinned..).and_then(<[u8]>::first_chunk_mut) {
            Some(place) if room => {
                *place = bytes;
                self.pinned = end;
                true
            }
            _ => false,
        }
    }

    /// The first bytes of the receive buffer.
    #[inline]
    pub(crate) fn first_bytes(&self, n: usize) -> &[u8] {
        self.rx.get(..n).unwrap_or(&[])
    }

    /// Pins what was taken last, after what is pinned already.
    pub(crate) fn pin(&mut self) {
        let ((start, end), at) = (self.taken, self.pinned);
        let length = end.wrapping_sub(start);
        debug_assert!(at <= start && end <= self.start);
        move_down(self.rx, start, length, at);
        self.pinned = at.wrapping_add(length);
        self.taken = (at, self.pinned);
    }

    /// Pins `head` and then the first bytes of what was just taken. It must be long enough that
    /// both end before the first unread byte.
    pub(crate) fn pin_entry(&mut self, head: &[u8], length: usize) -> Result<(), Fault> {
        let (start, _) = self.taken;
        let text_at = self.pinned.wrapping_add(head.len());
        let end = text_at.wrapping_add(length);
        if end > self.start {
            return Err(self.too_small(head.len().wrapping_add(length)));
        }
        // The text first: it may lie where the head goes.
        move_down(self.rx, start, length, text_at);
        let room = self.rx.get_mut(self.pinned..).unwrap_or(&mut []);
        room.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        self.pinned = end;
        Ok(())
    }
}

/// Moves `n` bytes at `from` down to `to`, front to back. On bare targets written out, because
/// `copy_within` brings `memmove` (1.6 KB of flash on thumbv7m) and a panic; only a row's tail is
/// moved per read.
#[inline(never)]
pub(super) fn move_down(bytes: &mut [u8], from: usize, n: usize, to: usize) {
    #[cfg(not(target_os = "none"))]
    if let Some(end) = from.checked_add(n).filter(|&end| to <= from && end <= bytes.len()) {
        return bytes.copy_within(from..end, to);
    }
    move_words(bytes, from, n, to);
}

/// Moves them in words, the rest in bytes.
#[inline(always)]
fn move_words(bytes: &mut [u8], from: usize, n: usize, to: usize) {
    let cells = core::cell::Cell::from_mut(bytes).as_slice_of_cells();
    let source = cells.get(from..).unwrap_or(&[]);
    let target = cells.get(to..).unwrap_or(&[]);
    let n = n.min(source.len());
    let (Some(source), Some(target)) = (source.get(..n), target.get(..n)) else { return };
    // A word is read whole before it is written, and what it is written over was read before.
    let ((words, bytes), (places, ends)) = (source.as_chunks::<4>(), target.as_chunks::<4>());
    for ([e, f, g, h], [a, b, c, d]) in places.iter().zip(words) {
        let word = u32::from_ne_bytes([a.get(), b.get(), c.get(), d.get()]);
        let [a, b, c, d] = word.to_ne_bytes();
        e.set(a);
        f.set(b);
        g.set(c);
        h.set(d);
    }
    ends.iter().zip(bytes).for_each(|(to, from)| to.set(from.get()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_moved_down_in_words_whatever_overlaps() {
        let bytes: [u8; 24] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        for from in 0..=bytes.len() {
            for to in 0..=from {
                for n in 0..=bytes.len() - from {
                    let (mut moved, mut right) = (bytes, bytes);
                    move_words(&mut moved, from, n, to);
                    right.copy_within(from..from + n, to);
                    assert_eq!(moved, right, "{n} from {from} to {to}");
                }
            }
        }
        // What is not there is not moved.
        let mut moved = bytes;
        move_words(&mut moved, 20, 8, 0);
        assert_eq!((&moved[..5], &moved[5..]), (&[20, 21, 22, 23, 4][..], &bytes[5..]));
        move_words(&mut moved, 30, 8, 0);
        assert_eq!(&moved[4..], &bytes[4..]);
    }
}
