//! Writing messages into a buffer, measuring them, or sending them in pieces.
//!
//! One encoder serves three purposes. Into a **slice**: lengths are patched in afterwards. As a
//! **counter**: nothing is stored, everything is checked and the length is known before a byte
//! leaves. As a **drain**: the buffer is handed on whenever it is full, so that a message may be
//! larger than the buffer; lengths come from counting first. An encoder must therefore write the
//! same bytes each time it is called.

use super::WireError;

/// Whether there are drains at all.
const PIECES: bool = cfg!(any(feature = "pieces", test));

/// Takes the bytes of a full buffer away (see [`Writer::draining`]).
pub(crate) trait Drain {
    fn drain(&mut self, bytes: &[u8]) -> Result<(), WireError>;
}

impl<F: FnMut(&[u8]) -> Result<(), WireError>> Drain for F {
    fn drain(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self(bytes)
    }
}

/// Writes big-endian integers, strings and length-prefixed content.
pub struct Writer<'w> {
    buf: &'w mut [u8],
    len: usize,
    mode: Mode<'w>,
}

enum Mode<'w> {
    Slice,
    Count,
    Drain(&'w mut dyn Drain),
}

/// What writes a part of a message: any closure of this form. It may run more than once, and must
/// write the same bytes each time.
pub trait Body: Fn(&mut Writer<'_>) -> Result<(), WireError> {}

impl<F: Fn(&mut Writer<'_>) -> Result<(), WireError>> Body for F {}

/// A [`Body`] that is compiled into the driver once: a trait of its own, because the table of a
/// `dyn Fn` holds two more functions for each closure. `taken` is what was received last, for
/// answers made of it.
pub(crate) trait Encode {
    fn encode(&self, w: &mut Writer<'_>, taken: &[u8]) -> Result<(), WireError>;
}

impl<F: Body> Encode for F {
    fn encode(&self, w: &mut Writer<'_>, _: &[u8]) -> Result<(), WireError> {
        self(w)
    }
}

/// A part of a message.
pub(crate) type Part<'p> = &'p dyn Encode;

impl<'w> Writer<'w> {
    /// A writer into `buf`.
    pub const fn new(buf: &'w mut [u8]) -> Self {
        Self { buf, len: 0, mode: Mode::Slice }
    }

    /// A writer into `buf` behind the `len` bytes that are already there.
    pub(crate) const fn append(buf: &'w mut [u8], len: usize) -> Self {
        Self { buf, len, mode: Mode::Slice }
    }

    /// A writer that only measures.
    pub(crate) const fn counter() -> Self {
        Self { buf: &mut [], len: 0, mode: Mode::Count }
    }

    /// A writer that hands `buf` to `drain` whenever it is full.
    pub(crate) const fn draining(buf: &'w mut [u8], drain: &'w mut dyn Drain) -> Self {
        Self { buf, len: 0, mode: Mode::Drain(drain) }
    }

    /// Bytes in the buffer, or counted so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True when nothing was written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Raw bytes.
    ///
    /// # Errors
    /// [`WireError::Full`] when they do not fit the buffer, [`WireError::TooLong`] when the
    /// message would pass 2^31 − 1 bytes. What was written is worth nothing then.
    #[inline(never)]
    pub fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        if let Mode::Count = self.mode {
            self.len = checked_length(self.len, bytes.len())?;
            return Ok(());
        }
        loop {
            let room = self.buf.get_mut(self.len..).unwrap_or(&mut []);
            let n = room.len().min(bytes.len());
            // A loop is smaller than a call of `memcpy` and all that makes the lengths equal.
            room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            self.len = self.len.wrapping_add(n);
            bytes = bytes.get(n..).unwrap_or(&[]);
            if bytes.is_empty() {
                return Ok(());
            }
            self.make_room()?;
        }
    }

    /// Hands the full buffer to the drain.
    fn make_room(&mut self) -> Result<(), WireError> {
        match &mut self.mode {
            Mode::Drain(drain) if PIECES && !self.buf.is_empty() => drain.drain(self.buf)?,
            _ => return Err(WireError::Full),
        }
        self.len = 0;
        Ok(())
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
        match self.mode {
            Mode::Slice => return Err(WireError::Full),
            Mode::Count => {
                self.len = checked_length(self.len, length)?;
                return Ok(());
            }
            Mode::Drain(_) => {}
        }
        while length > 0 {
            if self.len >= self.buf.len() {
                self.make_room()?;
            }
            let room = self.buf.get_mut(self.len..).unwrap_or(&mut []);
            let size = room.len().min(length);
            match source(room.get_mut(..size).unwrap_or(&mut []))? {
                n if n > 0 && n <= size => {
                    self.len = self.len.saturating_add(n);
                    length = length.saturating_sub(n);
                }
                _ => return Err(WireError::Source),
            }
        }
        Ok(())
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and so for all the methods below.
    #[inline(never)]
    pub fn u8(&mut self, value: u8) -> Result<(), WireError> {
        self.bytes(&[value])
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

    /// Bytes behind their own 32-bit length.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above 2^31 − 1 bytes.
    #[inline(never)]
    pub fn counted(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.i32(i32::try_from(bytes.len()).map_err(|_| WireError::TooLong)?)?;
        self.bytes(bytes)
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
        self.tagged(tag, body)
    }

    #[inline(never)]
    fn tagged(&mut self, tag: u8, body: Part<'_>) -> Result<(), WireError> {
        self.u8(tag)?;
        self.sized(4, body)
    }

    /// A message without a type byte, as start-up packets are.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    #[inline]
    pub fn untagged<F: Body>(&mut self, body: &F) -> Result<(), WireError> {
        self.sized(4, body)
    }

    /// Content behind its own 32-bit length, as a parameter's value is.
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
        if let (true, Mode::Drain(_)) = (PIECES, &self.mode) {
            let mut counter = Writer::counter();
            body.encode(&mut counter, &[])?;
            self.u32(u32::try_from(checked_length(counter.len, extra)?).unwrap_or(0))?;
            return body.encode(self, &[]);
        }
        let at = self.len;
        self.i32(0)?;
        let start = self.len;
        body.encode(self, &[])?;
        let length = checked_length(self.len.saturating_sub(start), extra)?;
        if let Some(field) = self.buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *field = u32::try_from(length).unwrap_or(0).to_be_bytes();
        }
        Ok(())
    }

    /// Hands what is left in the buffer to the drain.
    #[cfg(test)]
    pub(crate) fn finish(self) -> Result<(), WireError> {
        match self.mode {
            Mode::Drain(drain) => drain.drain(self.buf.get(..self.len).unwrap_or(&[])),
            _ => Ok(()),
        }
    }
}

/// Whether there is a NUL among the bytes. `contains` would bring a search by words: 230 bytes of
/// flash on thumbv7m.
#[inline(never)]
#[allow(clippy::manual_contains, reason = "see above")]
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    bytes.iter().any(|&byte| byte == 0)
}

/// A length as the protocol can carry it: at most 2^31 − 1.
fn checked_length(length: usize, more: usize) -> Result<usize, WireError> {
    match length.checked_add(more) {
        Some(sum) if i32::try_from(sum).is_ok() => Ok(sum),
        _ => Err(WireError::TooLong),
    }
}

macro_rules! integers {
    ($($name:ident $what:literal),*) => {
        impl Writer<'_> {$(
            #[doc = concat!("A big-endian ", $what, ".")]
            ///
            /// # Errors
            /// As [`bytes`](Self::bytes).
            #[inline(never)]
            pub fn $name(&mut self, value: $name) -> Result<(), WireError> {
                self.bytes(&value.to_be_bytes())
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
        let mut c = Writer::counter();
        sample(&mut c).unwrap();
        assert_eq!(c.len(), SAMPLE.len());
        for size in 1..SAMPLE.len() + 2 {
            let mut out = Vec::new();
            let mut buf = std::vec![0; size];
            let mut drain = |b: &[u8]| {
                out.extend_from_slice(b);
                Ok(())
            };
            let mut w = Writer::draining(&mut buf, &mut drain);
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
        assert_eq!(Writer::counter().cstr("a\0b"), Err(WireError::Nul));
        assert_eq!(Writer::counter().count(65_536), Err(WireError::TooLong));
    }
}
