//! Receiving: headers, bodies whole or in pieces, skipping.

use super::framed::low;
use super::pin::move_down;
use super::{COLUMN_HEAD, Framed, Span};
use crate::error::{Fault, ProtocolError};
use crate::limits;
use crate::transport::Lent;
use crate::wire::{Reader, WireError, first_nul};

impl Framed<'_> {
    /// Bytes received and not taken. Everywhere `pinned <= start <= end <= rx.len()`.
    pub(super) const fn unread(&self) -> usize {
        debug_assert!(self.pinned <= self.start && self.start <= self.end);
        self.end.wrapping_sub(self.start)
    }

    /// Whether bytes were received and not taken.
    #[inline]
    pub(crate) const fn has_unread(&self) -> bool {
        self.end > self.start
    }

    /// Forgets what was received and not taken.
    pub(crate) const fn drop_unread(&mut self) {
        self.end = self.start;
    }

    /// The type of the next unread message, and whether all of it lies in the buffer.
    pub(crate) fn peek(&self) -> (u8, bool) {
        let mut reader = Reader::new(self.arrived().unwrap_or(&[]));
        let tag = reader.u8().unwrap_or(0);
        let length = reader.u32().ok().and_then(|length| usize::try_from(length).ok());
        (tag, length.is_some_and(|n| reader.rest().len() >= n.saturating_sub(4)))
    }

    /// Takes the next message, header and body, if it is of this type and lies in the window whole.
    /// This is the common path of every answer.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn try_take(&mut self, wanted: u8) -> bool {
        let Some(window) = self.arrived() else { return false };
        let Some(&[tag, a, b, c, d]) = window.first_chunk::<5>() else { return false };
        // The length counts itself, not the type.
        let Ok(length) = usize::try_from(u32::from_be_bytes([a, b, c, d])) else { return false };
        if tag != wanted || self.body != 0 || length < 4 || length >= window.len() {
            return false;
        }
        let end = self.start.wrapping_add(1).wrapping_add(length);
        self.taken = (self.start.wrapping_add(5), end);
        self.start = end;
        true
    }

    /// As [`try_take`](Self::try_take), of a message no larger than a description may be.
    #[inline]
    pub(super) fn try_take_small(&mut self, wanted: u8) -> bool {
        let before = self.start;
        if !self.try_take(wanted) {
            return false;
        }
        let half = self.most_described();
        if self.taken_len() > half || half < limits::RX_RESERVE.saturating_add(COLUMN_HEAD) {
            self.start = before;
            return false;
        }
        true
    }

    /// Shows again what was taken before, and is still there.
    #[inline]
    pub(crate) const fn show(&mut self, span: Span) {
        self.taken = span;
    }

    /// What has arrived and was not taken.
    #[inline]
    pub(super) fn arrived(&self) -> Option<&[u8]> {
        self.rx.get(self.start..self.end)
    }

    /// Whether what has arrived begins with a byte, which is a message's type if nothing is left of
    /// the last one.
    #[inline]
    pub(crate) fn comes_next(&self, tag: u8) -> bool {
        self.arrived().and_then(<[u8]>::first) == Some(&tag)
    }

    /// Receives, where nothing has arrived of an answer.
    #[inline]
    pub(crate) fn receive_first(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.is_drained() { self.read_more(io) } else { Ok(()) }
    }

    /// Takes `length` bytes of the window that end `after` bytes before its end.
    #[inline]
    pub(super) const fn take_within(&mut self, after: usize, length: usize) {
        let end = self.end.wrapping_sub(after);
        self.taken = (end.wrapping_sub(length), end);
    }

    /// All of the window is used but for its last bytes.
    #[inline]
    pub(super) const fn leave(&mut self, left: usize) {
        self.start = self.end.wrapping_sub(left);
    }

    /// Whether a message comes next, and nothing is left of the last one.
    #[cfg(not(target_os = "none"))]
    #[inline]
    pub(super) const fn is_between(&self) -> bool {
        self.body == 0
    }

    /// Whether nothing is there: neither of the current message nor of another.
    #[inline]
    pub(crate) const fn is_drained(&self) -> bool {
        self.start == self.end && self.body == 0
    }

    /// Bytes of what was taken last.
    #[inline]
    pub(crate) const fn taken_len(&self) -> usize {
        self.taken.1.wrapping_sub(self.taken.0)
    }

    /// Takes the next message's header, skipping what is left of the last body.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn header(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.body > 0 {
            self.skip(io)?;
        }
        self.need(io, 5)?;
        let head = self.rx.get(self.start..).and_then(<[u8]>::first_chunk);
        let &[tag, a, b, c, d] = head.ok_or(WireError::Malformed)?;
        let body = u32::from_be_bytes([a, b, c, d]).checked_sub(4);
        let body = body.ok_or(ProtocolError::BadLength)?;
        self.tag = tag;
        self.body = usize::try_from(body).map_err(|_| WireError::TooLong)?;
        self.start = self.start.wrapping_add(5);
        Ok(())
    }

    /// Takes what is left of the body as one piece. It stays readable until the next call that
    /// receives.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn body(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        self.take(io, self.body)
    }

    /// Takes the next `n` bytes of the body.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn take(&mut self, io: &mut Lent<'_>, n: usize) -> Result<(), Fault> {
        let left = self.body.checked_sub(n).ok_or(WireError::Malformed)?;
        self.need(io, n)?;
        let end = self.start.wrapping_add(n);
        self.taken = (self.start, end);
        self.start = end;
        self.body = left;
        Ok(())
    }

    /// Takes a big-endian number of `n` bytes, four at most.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn number(&mut self, io: &mut Lent<'_>, n: usize) -> Result<u32, Fault> {
        self.take(io, n)?;
        Ok(self.taken().iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// Takes a 16-bit count.
    pub(crate) fn count(&mut self, io: &mut Lent<'_>) -> Result<u16, Fault> {
        Ok(u16::try_from(self.number(io, 2)?).unwrap_or(0))
    }

    /// What was taken last. It stays until the next call that receives.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn taken(&self) -> &[u8] {
        self.get(self.taken)
    }

    /// Of a row that was taken last: the number of its values, and the values.
    #[inline]
    pub(crate) fn row(&self) -> Option<(u16, &[u8])> {
        let (start, end) = self.taken;
        let (count, values) = self.rx.get(start..end)?.split_first_chunk()?;
        Some((u16::from_be_bytes(*count), values))
    }

    /// Where it is.
    pub(crate) const fn span(&self) -> Span {
        self.taken
    }

    /// Bytes of the body not taken yet.
    pub(crate) const fn left(&self) -> usize {
        self.body
    }

    /// Length of the string at the head of the body, without its NUL, receiving until it is all
    /// there. The string is not taken. One that is longer than `most` is dropped but for its NUL.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn cstr_len(&mut self, io: &mut Lent<'_>, most: usize) -> Result<usize, Fault> {
        let (mut seen, mut long) = (0_usize, false);
        loop {
            let have = self.unread().min(self.body);
            let window = self.get((self.start, self.start.wrapping_add(have)));
            let nul = window.get(seen..).and_then(first_nul);
            seen = nul.map_or(have, |at| seen.wrapping_add(at));
            if long || seen > most {
                (self.start, self.body) =
                    (self.start.wrapping_add(seen), self.body.wrapping_sub(seen));
                (seen, long) = (0, true);
            }
            if nul.is_some() {
                return Ok(seen);
            }
            if seen == self.body {
                return Err(WireError::Malformed.into());
            }
            self.need(io, seen.wrapping_add(1))?;
        }
    }

    /// Drops what is left of the body.
    pub(crate) fn skip(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            let n = self.unread().min(self.body);
            self.start = self.start.wrapping_add(n);
            self.body = self.body.wrapping_sub(n);
            if self.body == 0 {
                return Ok(());
            }
            self.read_more(io)?;
        }
    }

    /// Exactly one byte outside of any message (the answer to SSLRequest). Nothing may follow.
    #[cfg(feature = "tls")]
    pub(crate) fn lone_byte(&mut self, io: &mut Lent<'_>) -> Result<u8, Fault> {
        let mut byte = [0];
        io.until(self.countdown);
        loop {
            self.tick()?;
            io.read(&mut byte)?;
            if io.moved > 0 {
                break;
            }
        }
        self.count_read(1);
        Ok(byte[0])
    }

    /// The bytes of a span.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn get(&self, (start, end): Span) -> &[u8] {
        match self.rx.get(start..end) {
            Some(bytes) => bytes,
            None => nothing(),
        }
    }

    /// Makes sure that `n` unread bytes lie in the buffer in one piece.
    #[cfg_attr(not(target_os = "none"), inline)]
    fn need(&mut self, io: &mut Lent<'_>, n: usize) -> Result<(), Fault> {
        if self.unread() >= n { Ok(()) } else { self.receive_up_to(io, n) }
    }

    /// Receives until the next message is there, whole if it is of this type and the buffer has room
    /// for it.
    pub(crate) fn receive_whole(&mut self, io: &mut Lent<'_>, wanted: u8) -> Result<(), Fault> {
        self.need(io, 5)?;
        let mut reader = Reader::new(self.arrived().unwrap_or(&[]));
        let (tag, length) = (reader.u8()?, reader.u32()?);
        match usize::try_from(length).ok().and_then(|length| length.checked_add(1)) {
            Some(size) if tag == wanted && size <= self.room() => self.need(io, size),
            _ => Ok(()),
        }
    }

    fn receive_up_to(&mut self, io: &mut Lent<'_>, n: usize) -> Result<(), Fault> {
        if n > self.room() {
            return Err(self.too_small(n));
        }
        if self.start.wrapping_add(n) > self.rx.len() {
            self.compact();
        }
        while self.unread() < n {
            self.read_more(io)?;
        }
        Ok(())
    }

    /// Bytes that a message can use.
    pub(crate) fn room(&self) -> usize {
        self.rx.len().wrapping_sub(self.pinned)
    }

    /// The receive buffer lacks room for `n` bytes after what is pinned.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_small(&mut self, n: usize) -> Fault {
        (self.lacking, self.lacks_tx) = (n.saturating_add(self.pinned), false);
        Fault::CAPACITY
    }

    /// Moves the unread bytes to the start of the window.
    #[cfg_attr(target_os = "none", inline(never))]
    fn compact(&mut self) {
        let unread = self.unread();
        move_down(self.rx, self.start, unread, self.pinned);
        self.end = self.pinned.wrapping_add(unread);
        self.start = self.pinned;
    }

    /// Receives at least one byte. The first attempt of a verb is no turn of a loop; every other
    /// one is, so that a peer that sends without end has no more time than a silent one.
    pub(crate) fn read_more(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        loop {
            if core::mem::replace(&mut self.received, true) {
                self.tick()?;
            }
            self.read_once(io)?;
            if io.moved > 0 {
                self.countdown.moved();
                return Ok(());
            }
        }
    }

    /// One attempt to receive.
    pub(crate) fn read_once(&mut self, io: &mut Lent<'_>) -> Result<(), Fault> {
        if self.start == self.end {
            (self.start, self.end) = (self.pinned, self.pinned);
        } else if self.end >= self.rx.len() {
            self.compact();
        }
        self.read_at(io, self.end)
    }

    /// One attempt to receive, into what is free from `at` on: the end of what was received.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(super) fn read_at(&mut self, io: &mut Lent<'_>, at: usize) -> Result<(), Fault> {
        io.until(self.countdown);
        let Some(free @ [_, ..]) = self.rx.get_mut(at..) else {
            return Err(self.too_small(self.rx.len().saturating_add(1)));
        };
        let result = io.read(free);
        #[cfg(feature = "tls")]
        if result.is_err() {
            self.record = io.record();
        }
        result?;
        if io.moved > 0 {
            self.end = at.wrapping_add(io.moved);
            self.count_read(io.moved);
        }
        Ok(())
    }

    #[inline]
    fn count_read(&mut self, n: usize) {
        self.stats.bytes_in = self.stats.bytes_in.wrapping_add(low(n));
        let end = low(self.end);
        if end > self.stats.rx_peak {
            self.note_peak(end);
        }
    }

    /// More of the receive buffer is in use than ever.
    #[cold]
    #[cfg_attr(not(target_os = "none"), inline(never))]
    const fn note_peak(&mut self, end: u32) {
        self.stats.rx_peak = end;
    }
}

/// What a span holds that is none: never. (A branch that is cold is less than two values that are
/// chosen from.)
#[cold]
#[inline(never)]
pub(super) const fn nothing<'a>() -> &'a [u8] {
    &[]
}
