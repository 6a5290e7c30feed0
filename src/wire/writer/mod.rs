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
//!
//! | file | what |
//! |---|---|
//! | `mod` | fields into a slice |
//! | `message` | messages and other content after its own length |
//! | `beyond` | where the slice ends: counting, and sending on |

use core::mem::take;

use super::WireError;
use super::encode::Part;
#[cfg(target_os = "none")]
use super::nul_byte;
use super::nul_byte::has_nul;
use super::rules::{Empty, Rules};

mod beyond;
mod message;
#[cfg(test)]
mod tests;

pub(crate) use beyond::Beyond;
#[cfg(target_os = "none")]
use beyond::overflow_array;
use beyond::{length_field, overflow, width};
pub(crate) use message::Open;

/// Writes big-endian integers, strings and length-prefixed content.
pub struct Writer<'w> {
    /// Room that is left in the slice; a counter and a drain have none.
    rest: &'w mut [u8],
    /// Bytes of the slice.
    size: usize,
    /// What goes on where the slice ends.
    beyond: Option<&'w mut Beyond<'w>>,
    /// What the server wants otherwise.
    rules: Rules,
}

impl<'w> Writer<'w> {
    /// A writer into `buf`.
    #[inline]
    pub const fn new(buf: &'w mut [u8]) -> Self {
        Self { size: buf.len(), rest: buf, beyond: None, rules: Rules::NONE }
    }

    /// A writer into `buf` after the `len` bytes that are already there, for a server that wants it
    /// so.
    #[inline]
    pub(crate) fn append(buf: &'w mut [u8], len: usize, rules: Rules) -> Self {
        let (size, rest) = (buf.len(), buf.get_mut(len..).unwrap_or(&mut []));
        Self { size, rest, beyond: None, rules }
    }

    /// As [`new`](Self::new), for a server that wants it so.
    #[inline]
    pub(crate) const fn new_under(buf: &'w mut [u8], rules: Rules) -> Self {
        Self { size: buf.len(), rest: buf, beyond: None, rules }
    }

    /// What the server wants otherwise.
    #[inline]
    pub(crate) const fn rules(&self) -> Rules {
        self.rules
    }

    /// A writer that counts, or hands a buffer on whenever it is full.
    pub(crate) const fn beyond(beyond: &'w mut Beyond<'w>, rules: Rules) -> Self {
        Self { rest: &mut [], size: 0, beyond: Some(beyond), rules }
    }

    /// The bytes that a part takes. Checks all of it.
    pub(crate) fn measure(part: Part<'_>, rx: &[u8], rules: Rules) -> Result<usize, WireError> {
        let mut count = Beyond::Count(0);
        let mut counter = Writer::beyond(&mut count, rules);
        part.encode(&mut counter, rx)?;
        Ok(counter.len())
    }

    /// Bytes in the buffer, or counted so far.
    #[inline]
    pub const fn len(&self) -> usize {
        match &self.beyond {
            None => self.filled(),
            Some(Beyond::Count(length)) => *length,
            Some(Beyond::Drain { used, .. }) => *used,
        }
    }

    /// Bytes in the buffer, where there is one.
    #[inline]
    pub(crate) const fn filled(&self) -> usize {
        self.size.wrapping_sub(self.rest.len())
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
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        #[cfg(target_os = "none")]
        return self.copied(bytes, nul_byte::NOTHING);
        #[cfg(not(target_os = "none"))]
        match take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((room, rest)) => {
                room.copy_from_slice(bytes);
                self.rest = rest;
                Ok(())
            }
            None => overflow(self.beyond.as_deref_mut(), bytes),
        }
    }

    /// Bytes of which none may be NUL.
    ///
    /// # Errors
    /// [`WireError::Nul`], and as [`bytes`](Self::bytes).
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) -> Result<(), WireError> {
        #[cfg(target_os = "none")]
        return self.copied(text, nul_byte::NUL);
        #[cfg(not(target_os = "none"))]
        if has_nul(text) { Err(WireError::Nul) } else { self.bytes(text) }
    }

    /// [`bytes`](Self::bytes) and [`text`](Self::text) of bare targets.
    #[cfg(target_os = "none")]
    #[inline(never)]
    fn copied(&mut self, bytes: &[u8], refused: u32) -> Result<(), WireError> {
        if self.rest.len() < bytes.len() {
            if refused != nul_byte::NOTHING && has_nul(bytes) {
                return Err(WireError::Nul);
            }
            return overflow(self.beyond.as_deref_mut(), bytes);
        }
        let Some((room, rest)) = take(&mut self.rest).split_at_mut_checked(bytes.len()) else {
            return Ok(());
        };
        self.rest = rest;
        if nul_byte::copy(room, bytes, refused) { Ok(()) } else { Err(WireError::Nul) }
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
        #[cfg(target_os = "none")]
        if self.rest.len() < N {
            return overflow_array(self.beyond.as_deref_mut(), bytes);
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
        #[cfg(target_os = "none")]
        if self.rest.len() < const { 4 + N } {
            overflow(self.beyond.as_deref_mut(), &const { width(N) })?;
            return overflow_array(self.beyond.as_deref_mut(), value);
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
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn cstr(&mut self, text: &str) -> Result<(), WireError> {
        let text = text.as_bytes();
        if cfg!(target_os = "none") {
            self.text(text)?;
            return self.u8(0);
        }
        if has_nul(text) {
            return Err(WireError::Nul);
        }
        let whole = text.len().wrapping_add(1);
        if let Some((room, rest)) = take(&mut self.rest).split_at_mut_checked(whole)
            && let Some((end, place)) = room.split_last_mut()
        {
            place.copy_from_slice(text);
            *end = 0;
            self.rest = rest;
            return Ok(());
        }
        overflow(self.beyond.as_deref_mut(), text)?;
        overflow(self.beyond.as_deref_mut(), &[0])
    }

    /// Bytes after their own 32-bit length.
    ///
    /// # Errors
    /// [`WireError::TooLong`] above 2^31 − 1 bytes.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn counted(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let length = length_field(bytes.len(), 0)?;
        self.after_length(length, bytes)
    }

    /// As [`counted`](Self::counted), of a string that is a parameter: one without characters is NULL
    /// where `''` is.
    ///
    /// # Errors
    /// As [`counted`](Self::counted), and [`WireError::Nul`].
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(crate) fn counted_text(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if !cfg!(target_os = "none") && has_nul(bytes) {
            return Err(WireError::Nul);
        }
        let length = match bytes {
            [] if cfg!(feature = "opengauss") => empty_length(self.rules)?,
            _ => length_field(bytes.len(), 0)?,
        };
        if cfg!(target_os = "none") {
            self.array(length)?;
            return self.text(bytes);
        }
        self.after_length(length, bytes)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline)]
    fn after_length(&mut self, length: [u8; 4], bytes: &[u8]) -> Result<(), WireError> {
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
}

/// The length that a string without characters has.
#[cold]
#[inline(never)]
const fn empty_length(rules: Rules) -> Result<[u8; 4], WireError> {
    match rules.empty() {
        Empty::Kept => Ok([0; 4]),
        Empty::Null => Ok([0xff; 4]),
        Empty::Unknown => Err(WireError::Empty),
    }
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

impl core::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Writer").field("length", &self.len()).finish_non_exhaustive()
    }
}
