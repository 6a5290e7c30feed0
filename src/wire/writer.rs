//! Writing messages into a buffer, measuring them, or sending them in pieces.
//!
//! One encoder serves three purposes. Into a **slice**: the common path, one check and one store a
//! field, lengths patched in afterwards. As a **counter**: nothing is stored, everything is checked
//! and the length is known before a byte leaves. As a **drain**: the buffer is handed on whenever
//! it is full, so that a message may be larger than the buffer; lengths come from counting first.
//! An encoder must therefore write the same bytes each time it is called.
//!
//! The three meet where the slice has no room for a field: a counter and a drain have none ever,
//! so that the common path need not ask which it is.

use core::mem::take;

use super::WireError;
use super::encode::{Body, Drain, Part};
use super::nul::has_nul;

/// Whether there are drains at all.
const PIECES: bool = cfg!(any(feature = "pieces", test));

/// Writes big-endian integers, strings and length-prefixed content.
pub struct Writer<'w> {
    /// Room that is left in the slice; a counter and a drain have none.
    rest: &'w mut [u8],
    /// Bytes of the slice.
    size: usize,
    /// What goes on where the slice ends.
    beyond: Option<&'w mut Beyond<'w>>,
}

/// A message that is not at its end yet.
#[cfg(not(target_os = "none"))]
pub(crate) struct Open<'w> {
    head: &'w mut [u8; 5],
    /// Room after it.
    room: usize,
}

/// Where bytes go that have no room in a slice.
pub(crate) enum Beyond<'w> {
    /// Nowhere: they are counted.
    Count(usize),
    /// Through a buffer, which the drain gets whenever it is full.
    Drain { buf: &'w mut [u8], used: usize, drain: &'w mut dyn Drain },
}

impl<'w> Writer<'w> {
    /// A writer into `buf`.
    #[inline]
    pub const fn new(buf: &'w mut [u8]) -> Self {
        Self { size: buf.len(), rest: buf, beyond: None }
    }

    /// A writer into `buf` after the `len` bytes that are already there.
    #[inline]
    pub(crate) fn append(buf: &'w mut [u8], len: usize) -> Self {
        Self { size: buf.len(), rest: buf.get_mut(len..).unwrap_or(&mut []), beyond: None }
    }

    /// A writer that counts, or hands a buffer on whenever it is full.
    pub(crate) const fn beyond(beyond: &'w mut Beyond<'w>) -> Self {
        Self { rest: &mut [], size: 0, beyond: Some(beyond) }
    }

    /// The bytes that a part takes. Checks all of it.
    pub(crate) fn measure(part: Part<'_>, taken: &[u8]) -> Result<usize, WireError> {
        let mut count = Beyond::Count(0);
        let mut counter = Writer::beyond(&mut count);
        part.encode(&mut counter, taken)?;
        Ok(counter.len())
    }

    /// Bytes in the buffer, or counted so far.
    #[inline]
    pub const fn len(&self) -> usize {
        match &self.beyond {
            None => self.size.wrapping_sub(self.rest.len()),
            Some(Beyond::Count(length)) => *length,
            Some(Beyond::Drain { used, .. }) => *used,
        }
    }

    /// True when nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Raw bytes.
    ///
    /// # Errors
    /// [`WireError::Full`] when they do not fit the buffer, [`WireError::TooLong`] when the
    /// message would pass 2^31 − 1 bytes. What was written is unspecified then.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if cfg!(target_os = "none") && self.rest.len() < bytes.len() {
            return overflow(self.beyond.as_deref_mut(), bytes);
        }
        match take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((room, rest)) => {
                room.copy_from_slice(bytes);
                self.rest = rest;
                Ok(())
            }
            None => overflow(self.beyond.as_deref_mut(), bytes),
        }
    }

    /// Bytes that are known when compiling: one check and one store; on bare targets more than four
    /// of them go through [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[inline]
    pub(crate) fn literal<const N: usize>(
        &mut self,
        bytes: &'static [u8; N],
    ) -> Result<(), WireError> {
        if cfg!(target_os = "none") && N > 4 { self.bytes(bytes) } else { self.array(*bytes) }
    }

    /// A few bytes whose number is known when compiling: one check and one store.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and so for all the methods below.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn array<const N: usize>(&mut self, bytes: [u8; N]) -> Result<(), WireError> {
        if cfg!(target_os = "none") && self.rest.len() < N {
            return overflow(self.beyond.as_deref_mut(), &bytes);
        }
        match take(&mut self.rest).split_first_chunk_mut() {
            Some((room, rest)) => {
                *room = bytes;
                self.rest = rest;
                Ok(())
            }
            None => overflow(self.beyond.as_deref_mut(), &bytes),
        }
    }

    /// A value of `N` bytes after its own 32-bit length: one check.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn fixed<const N: usize>(&mut self, value: [u8; N]) -> Result<(), WireError> {
        if cfg!(target_os = "none") && self.rest.len() < const { 4 + N } {
            overflow(self.beyond.as_deref_mut(), &const { width(N) })?;
            return overflow(self.beyond.as_deref_mut(), &value);
        }
        if let Some((room, rest)) = take(&mut self.rest).split_at_mut_checked(const { 4 + N })
            && let Some((length, place)) = room.split_first_chunk_mut()
            && let Some(place) = place.first_chunk_mut()
        {
            (*length, *place) = (const { width(N) }, value);
            self.rest = rest;
            return Ok(());
        }
        overflow(self.beyond.as_deref_mut(), &const { width(N) })?;
        overflow(self.beyond.as_deref_mut(), &value)
    }

    /// `length` bytes that `source` puts into the room it is given, returning how many. It is only
    /// called in a drain: a counter counts, and a slice is [`WireError::Full`], so that the message
    /// goes out in pieces.
    ///
    /// # Errors
    /// What `source` returns, and [`WireError::Source`] when it has no more bytes.
    pub(crate) fn source(
        &mut self,
        mut length: usize,
        source: &mut dyn FnMut(&mut [u8]) -> Result<usize, WireError>,
    ) -> Result<(), WireError> {
        match &mut self.beyond {
            None => Err(WireError::Full),
            Some(Beyond::Count(counted)) => {
                *counted = checked_length(*counted, length)?;
                Ok(())
            }
            Some(Beyond::Drain { buf, used, drain }) => {
                while length > 0 {
                    if *used >= buf.len() {
                        empty(buf, used, *drain)?;
                    }
                    let room = buf.get_mut(*used..).unwrap_or(&mut []);
                    let size = room.len().min(length);
                    match source(room.get_mut(..size).unwrap_or(&mut []))? {
                        n if n > 0 && n <= size => {
                            *used = used.saturating_add(n);
                            length = length.saturating_sub(n);
                        }
                        _ => return Err(WireError::Source),
                    }
                }
                Ok(())
            }
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[inline]
    pub fn u8(&mut self, value: u8) -> Result<(), WireError> {
        self.array([value])
    }

    /// A string with its terminating NUL.
    ///
    /// # Errors
    /// [`WireError::Nul`] when the text itself holds a NUL.
    pub fn cstr(&mut self, text: &str) -> Result<(), WireError> {
        if has_nul(text.as_bytes()) {
            return Err(WireError::Nul);
        }
        self.bytes(text.as_bytes())?;
        self.u8(0)
    }

    /// Bytes after their own 32-bit length.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above 2^31 − 1 bytes.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn counted(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let length = length_field(bytes.len(), 0)?;
        if cfg!(target_os = "none") {
            self.array(length)?;
            return self.bytes(bytes);
        }
        let whole = bytes.len().wrapping_add(4);
        if let Some((room, rest)) = take(&mut self.rest).split_at_mut_checked(whole)
            && let Some((field, place)) = room.split_first_chunk_mut()
        {
            *field = length;
            place.copy_from_slice(bytes);
            self.rest = rest;
            return Ok(());
        }
        overflow(self.beyond.as_deref_mut(), &length)?;
        overflow(self.beyond.as_deref_mut(), bytes)
    }

    /// A count as a 16-bit field.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above 65,535.
    #[inline]
    pub fn count(&mut self, n: usize) -> Result<(), WireError> {
        self.u16(u16::try_from(n).map_err(|_| WireError::TooLong)?)
    }

    /// A message: type byte, length, body. `body` may run more than once.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and whatever `body` returns.
    #[inline]
    pub fn message<F: Body>(&mut self, tag: u8, body: &F) -> Result<(), WireError> {
        if cfg!(target_os = "none") {
            return self.message_once(tag, body);
        }
        match take(&mut self.rest).split_first_chunk_mut() {
            Some((head, rest)) => {
                let room = rest.len();
                self.rest = rest;
                body(self)?;
                let [a, b, c, d] = length_field(room.wrapping_sub(self.rest.len()), 4)?;
                *head = [tag, a, b, c, d];
                Ok(())
            }
            None if self.beyond.is_none() => Err(WireError::Full),
            None => self.message_by_counting(tag, body),
        }
    }

    /// Begins a message in a slice, for code that is compiled in line: [`close`](Self::close) ends
    /// it. Elsewhere than in a slice there is no room.
    #[cfg(not(target_os = "none"))]
    #[inline(always)]
    pub(crate) fn open(&mut self) -> Result<Open<'w>, WireError> {
        match take(&mut self.rest).split_first_chunk_mut() {
            Some((head, rest)) => {
                let room = rest.len();
                self.rest = rest;
                Ok(Open { head, room })
            }
            None => Err(WireError::Full),
        }
    }

    /// Ends a message: fills in its head.
    #[cfg(not(target_os = "none"))]
    #[inline(always)]
    pub(crate) fn close(&mut self, tag: u8, message: Open<'_>) -> Result<(), WireError> {
        let length = message.room.wrapping_sub(self.rest.len());
        let [a, b, c, d] = length_field(length, 4)?;
        *message.head = [tag, a, b, c, d];
        Ok(())
    }

    /// Big-endian integers, into a slice: one check.
    #[cfg(not(target_os = "none"))]
    #[inline(always)]
    pub(crate) fn words(&mut self, words: &[u32]) -> Result<(), WireError> {
        match take(&mut self.rest).split_at_mut_checked(words.len().wrapping_mul(4)) {
            Some((room, rest)) => {
                self.rest = rest;
                let (places, _) = room.as_chunks_mut();
                places.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_be_bytes());
                Ok(())
            }
            None => Err(WireError::Full),
        }
    }

    /// Writes what is not compiled in line, through a writer of its own: so that this one can live
    /// in registers.
    ///
    /// # Errors
    /// Whatever `body` returns.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn apart(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        if cfg!(target_os = "none") || self.beyond.is_some() {
            return body(self);
        }
        let mut other = Self { rest: take(&mut self.rest), size: self.size, beyond: None };
        let written = body(&mut other);
        self.rest = other.rest;
        written
    }

    /// As [`message`](Self::message), compiled once for all: for bare targets.
    #[inline(never)]
    fn message_once(&mut self, tag: u8, body: Part<'_>) -> Result<(), WireError> {
        self.u8(tag)?;
        self.sized(4, body)
    }

    #[cold]
    #[inline(never)]
    fn message_by_counting(&mut self, tag: u8, body: Part<'_>) -> Result<(), WireError> {
        overflow(self.beyond.as_deref_mut(), &[tag])?;
        self.sized_by_counting(4, body)
    }

    /// A message without a type byte, as start-up packets are.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    #[inline]
    pub fn untagged<F: Body>(&mut self, body: &F) -> Result<(), WireError> {
        self.sized(4, body)
    }

    /// Content after its own 32-bit length, as a parameter's value is.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    #[inline]
    pub fn prefixed<F: Body>(&mut self, body: &F) -> Result<(), WireError> {
        self.sized(0, body)
    }

    /// `extra`: what the length counts beside the content.
    #[inline(never)]
    fn sized(&mut self, extra: usize, body: Part<'_>) -> Result<(), WireError> {
        if cfg!(target_os = "none") && self.rest.len() < 4 {
            return self.sized_by_counting(extra, body);
        }
        let Some((field, rest)) = take(&mut self.rest).split_first_chunk_mut() else {
            return self.sized_by_counting(extra, body);
        };
        let room = rest.len();
        self.rest = rest;
        body.encode(self, &[])?;
        *field = length_field(room.wrapping_sub(self.rest.len()), extra)?;
        Ok(())
    }

    /// Where the length cannot be patched in: counted first.
    #[cold]
    fn sized_by_counting(&mut self, extra: usize, body: Part<'_>) -> Result<(), WireError> {
        let field = match &self.beyond {
            Some(Beyond::Drain { .. }) if PIECES => {
                length_field(Writer::measure(body, &[])?, extra)?
            }
            _ => [0; 4],
        };
        overflow(self.beyond.as_deref_mut(), &field)?;
        body.encode(self, &[])?;
        checked_length(self.len(), extra).map(|_| ())
    }

    /// Hands what is left in the buffer to the drain.
    #[cfg(test)]
    pub(crate) fn finish(self) -> Result<(), WireError> {
        match self.beyond {
            Some(Beyond::Drain { buf, used, drain }) => {
                drain.drain(buf.get(..*used).unwrap_or(&[]))
            }
            _ => Ok(()),
        }
    }
}

/// Bytes that have no room in the slice: counted, or sent on; an error where the slice is all there
/// is. (It gets what goes on, not the writer, so that on hosts a writer can live in registers.)
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline(never))]
fn overflow(beyond: Option<&mut Beyond<'_>>, bytes: &[u8]) -> Result<(), WireError> {
    match beyond {
        None => Err(WireError::Full),
        Some(beyond) => go_on(beyond, bytes),
    }
}

#[cold]
#[cfg_attr(not(target_os = "none"), inline(never))]
#[cfg_attr(target_os = "none", inline(always))]
fn go_on(beyond: &mut Beyond<'_>, mut bytes: &[u8]) -> Result<(), WireError> {
    match beyond {
        Beyond::Count(length) => {
            *length = checked_length(*length, bytes.len())?;
            Ok(())
        }
        Beyond::Drain { buf, used, drain } => loop {
            let room = buf.get_mut(*used..).unwrap_or(&mut []);
            let n = room.len().min(bytes.len());
            room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            *used = used.wrapping_add(n);
            bytes = bytes.get(n..).unwrap_or(&[]);
            if bytes.is_empty() {
                return Ok(());
            }
            empty(buf, used, *drain)?;
        },
    }
}

/// Hands a full buffer to the drain.
fn empty(buf: &[u8], used: &mut usize, drain: &mut dyn Drain) -> Result<(), WireError> {
    if !PIECES || buf.is_empty() {
        return Err(WireError::Full);
    }
    *used = 0;
    drain.drain(buf)
}

/// A length as the protocol can carry it: at most 2^31 − 1.
fn checked_length(length: usize, more: usize) -> Result<usize, WireError> {
    match length.checked_add(more) {
        Some(sum) if i32::try_from(sum).is_ok() => Ok(sum),
        _ => Err(WireError::TooLong),
    }
}

/// The bytes of a length field.
fn length_field(length: usize, extra: usize) -> Result<[u8; 4], WireError> {
    let length = i32::try_from(length.wrapping_add(extra)).map_err(|_| WireError::TooLong)?;
    Ok(length.to_be_bytes())
}

/// The length field of a value of known size.
#[allow(clippy::as_conversions, reason = "evaluated by the compiler, for sizes up to 255")]
const fn width(size: usize) -> [u8; 4] {
    assert!(size < 256);
    [0, 0, 0, size as u8]
}

macro_rules! integers {
    ($($name:ident $what:literal),*) => {
        impl Writer<'_> {$(
            #[doc = concat!("A big-endian ", $what, ".")]
            ///
            /// # Errors
            /// As [`bytes`](Self::bytes).
            #[inline]
            pub fn $name(&mut self, value: $name) -> Result<(), WireError> {
                self.array(value.to_be_bytes())
            }
        )*}
    };
}

integers!(
    i16 "16-bit signed integer",
    u16 "16-bit unsigned integer",
    i32 "32-bit signed integer",
    u32 "32-bit unsigned integer",
    i64 "64-bit signed integer",
    u64 "64-bit unsigned integer"
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn sample(w: &mut Writer<'_>) -> Result<(), WireError> {
        w.message(b'P', &|w| {
            w.cstr("name")?;
            w.prefixed(&|w| w.bytes(b"0123456789"))?;
            w.u16(7)
        })
    }

    const SAMPLE: &[u8] = b"P\0\0\0\x19name\0\0\0\0\x0a0123456789\0\x07";

    #[test]
    fn slice_patches_lengths() {
        let mut buf = [0; 64];
        let mut w = Writer::new(&mut buf);
        sample(&mut w).unwrap();
        let n = w.len();
        assert_eq!(&buf[..n], SAMPLE);
    }

    #[test]
    fn counter_and_drain_agree_with_slice_for_every_buffer_size() {
        assert_eq!(Writer::measure(&sample, &[]), Ok(SAMPLE.len()));
        for size in 1..SAMPLE.len() + 2 {
            let mut out = Vec::new();
            let mut buf = std::vec![0; size];
            let mut drain = |b: &[u8]| {
                out.extend_from_slice(b);
                Ok(())
            };
            let mut beyond = Beyond::Drain { buf: &mut buf, used: 0, drain: &mut drain };
            let mut w = Writer::beyond(&mut beyond);
            sample(&mut w).unwrap();
            w.finish().unwrap();
            assert_eq!(out, SAMPLE, "buffer of {size}");
        }
    }

    #[test]
    fn full_and_nul_are_refused() {
        for size in 0..SAMPLE.len() {
            let mut buf = std::vec![0; size];
            assert_eq!(sample(&mut Writer::new(&mut buf)), Err(WireError::Full));
        }
        assert_eq!(Writer::new(&mut [0; 9]).cstr("a\0b"), Err(WireError::Nul));
        assert_eq!(Writer::new(&mut [0; 9]).count(65_536), Err(WireError::TooLong));
    }
}
