//! Unescaped values in the caller's scratch bytes.

use super::error::{ParseReason, saturated};

/// Hands out pieces of the scratch. When it runs dry it goes on counting, so that the error can
/// name the size that would have been enough for the whole text.
pub(super) struct Scratch<'a> {
    rest: &'a mut [u8],
    have: usize,
    needed: usize,
    first_miss: Option<&'static str>,
}

/// A source of unescaped bytes, which can be read twice: once to count, once to write.
pub(super) type Source<'s> = &'s dyn Fn(&mut dyn FnMut(u8)) -> Result<(), ParseReason>;

impl<'a> Scratch<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        let have = bytes.len();
        Self { rest: bytes, have, needed: 0, first_miss: None }
    }

    /// The bytes of `source` as text. The empty string where the scratch has run dry.
    pub(super) fn store(&mut self, source: Source<'_>) -> Result<&'a str, ParseReason> {
        let mut length = 0_usize;
        source(&mut |_| length = length.saturating_add(1))?;
        self.needed = self.needed.saturating_add(length);
        if self.needed > self.have {
            return Ok("");
        }
        let (piece, rest) = core::mem::take(&mut self.rest)
            .split_at_mut_checked(length)
            .unwrap_or((&mut [], &mut []));
        self.rest = rest;
        let mut out = piece.iter_mut();
        source(&mut |byte| {
            if let Some(place) = out.next() {
                *place = byte;
            }
        })?;
        core::str::from_utf8(piece).map_err(|_| ParseReason::NotUtf8)
    }

    /// Whether nothing was handed out that the scratch did not have; if not for the first time,
    /// `keyword` was the first to go without.
    pub(super) fn fits(&mut self, keyword: Option<&'static str>) -> bool {
        let fits = self.needed <= self.have;
        if !fits && self.first_miss.is_none() {
            self.first_miss = keyword;
        }
        fits
    }

    /// The first keyword whose value did not fit, and what would have been needed.
    pub(super) fn miss(&self) -> Option<(Option<&'static str>, ParseReason)> {
        (self.needed > self.have).then_some((
            self.first_miss,
            ParseReason::Capacity { have: saturated(self.have), needed: saturated(self.needed) },
        ))
    }
}
