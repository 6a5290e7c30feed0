//! Messages, and other content after its own length.

use core::mem::take;

use super::Writer;
use super::beyond::{Beyond, checked_length, length_field, overflow};
use crate::wire::WireError;
use crate::wire::encode::{Body, Part};

/// No message has this type: content without a type byte.
const NO_TAG: u8 = 0;

/// A message that is not at its end yet.
pub(crate) struct Open<'w> {
    head: &'w mut [u8; 5],
    /// Room after it.
    room: usize,
}

impl<'w> Writer<'w> {
    /// A message: type byte, length, body. `body` may run more than once.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), and whatever `body` returns.
    #[inline]
    pub fn message<F: Body>(&mut self, tag: u8, body: &F) -> Result<(), WireError> {
        if cfg!(target_os = "none") {
            return self.sized(tag, 4, body);
        }
        match self.open() {
            Ok(message) => {
                body(self)?;
                self.close(tag, message)
            }
            Err(full) if self.beyond.is_none() => Err(full),
            Err(_) => self.message_by_counting(tag, body),
        }
    }

    /// Begins a message in a slice, for code that is compiled in line: [`close`](Self::close) ends
    /// it. Elsewhere than in a slice there is no room.
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

    /// Room in the slice for so many bytes, to be filled in: one check.
    #[cfg(target_os = "none")]
    #[inline(always)]
    pub(crate) fn room<const N: usize>(&mut self) -> Option<&'w mut [u8; N]> {
        if self.rest.len() < N {
            return None;
        }
        let (room, rest) = take(&mut self.rest).split_first_chunk_mut()?;
        self.rest = rest;
        Some(room)
    }

    /// As [`open`](Self::open), with the first bytes of the body, to be filled in: one check.
    #[cfg(target_os = "none")]
    #[inline(always)]
    pub(crate) fn open_before<const N: usize, const ALL: usize>(
        &mut self,
    ) -> Option<(Open<'w>, &'w mut [u8; N])> {
        let (head, body) = self.room::<ALL>()?.split_first_chunk_mut()?;
        let room = self.rest.len().wrapping_add(N);
        Some((Open { head, room }, body.first_chunk_mut()?))
    }

    /// Ends a message: fills in its head.
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
        let (size, rules) = (self.size, self.rules);
        let mut other = Self { rest: take(&mut self.rest), size, beyond: None, rules };
        let written = body(&mut other);
        self.rest = other.rest;
        written
    }

    /// Writes values that are parts of a value.
    ///
    /// # Errors
    /// Whatever `body` returns.
    pub(crate) fn within(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let rules = self.rules;
        self.rules = rules.within();
        let written = body(self);
        self.rules = rules;
        written
    }

    #[cold]
    #[inline(never)]
    fn message_by_counting(&mut self, tag: u8, body: Part<'_>) -> Result<(), WireError> {
        self.sized_by_counting(tag, 4, body)
    }

    /// A message without a type byte, as start-up packets are.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    #[inline]
    pub fn untagged<F: Body>(&mut self, body: &F) -> Result<(), WireError> {
        self.sized(NO_TAG, 4, body)
    }

    /// Content after its own 32-bit length, as a parameter's value is.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    #[inline]
    pub fn prefixed<F: Body>(&mut self, body: &F) -> Result<(), WireError> {
        self.sized(NO_TAG, 0, body)
    }

    /// `extra`: what the length counts beside the content.
    #[inline(never)]
    fn sized(&mut self, tag: u8, extra: usize, body: Part<'_>) -> Result<(), WireError> {
        let width = if tag == NO_TAG { 4 } else { 5 };
        if cfg!(target_os = "none") && self.rest.len() < width {
            return self.sized_by_counting(tag, extra, body);
        }
        let Some((head, rest)) = take(&mut self.rest).split_at_mut_checked(width) else {
            return self.sized_by_counting(tag, extra, body);
        };
        let room = rest.len();
        self.rest = rest;
        body.encode(self, &[])?;
        let length = length_field(room.wrapping_sub(self.rest.len()), extra)?;
        if let Some((tags, field)) = head.split_last_chunk_mut::<4>() {
            *field = length;
            if let [place] = tags {
                *place = tag;
            }
        }
        Ok(())
    }

    /// Where the length cannot be patched in: counted first.
    #[cold]
    fn sized_by_counting(
        &mut self,
        tag: u8,
        extra: usize,
        body: Part<'_>,
    ) -> Result<(), WireError> {
        if tag != NO_TAG {
            overflow(self.beyond.as_deref_mut(), &[tag])?;
        }
        let field = match &self.beyond {
            Some(Beyond::Drain { .. }) => {
                length_field(Writer::measure(body, &[], self.rules)?, extra)?
            }
            _ => [0; 4],
        };
        overflow(self.beyond.as_deref_mut(), &field)?;
        body.encode(self, &[])?;
        checked_length(self.len(), extra).map(|_| ())
    }
}
