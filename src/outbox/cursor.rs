//! Reading a log: from one record to the next, over what a power cut left.

use embedded_storage::nor_flash::NorFlash;

use super::format::{Begins, HEAD, HEADER, Head, Header, Shape, WINDOW, crc_of_record};
use super::number::Number;
use crate::error::OutboxError;
use crate::flash::{CHUNK, Device};

/// Where a log lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: u32,
    /// Bytes of a page.
    pub(super) page: u32,
    pub(super) shape: Shape,
}

impl Place {
    /// Where a byte of a page is.
    pub(super) fn at(&self, index: u16, at: u32) -> u32 {
        self.start.wrapping_add(u32::from(index).wrapping_mul(self.page)).wrapping_add(at)
    }

    pub(super) const fn after(&self, index: u16) -> u16 {
        let next = index.wrapping_add(1);
        if next >= self.shape.pages { 0 } else { next }
    }

    pub(super) const fn before(&self, index: u16) -> u16 {
        match index.checked_sub(1) {
            Some(before) => before,
            None => self.shape.pages.wrapping_sub(1),
        }
    }

    #[inline(never)]
    pub(super) fn header<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        index: u16,
    ) -> Result<Begins, OutboxError> {
        let mut bytes = [0; 32];
        device.read(self.at(index, 0), &mut bytes)?;
        Ok(Header::decode(&bytes, self.shape))
    }
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) head: Head,
    /// Of a row its number, of other records that of the next row.
    pub(super) number: Number,
    /// Where its content begins, in the flash.
    pub(super) content: u32,
}

/// A place in a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The page, and its header.
    pub(super) index: u16,
    pub(super) sequence: u32,
    first: Number,
    /// Where the next record may begin, in the page.
    pub(super) at: u32,
    /// The number of the next row, if nothing was cut in between.
    pub(super) next: Number,
    /// Something was cut, or left out, before `at`.
    loose: bool,
    /// The last word was of no record.
    in_junk: bool,
    /// Pieces of records that were cut since the last whole one.
    pub(super) cuts: u16,
    /// The end of what is programmed, as far as it was read.
    pub(super) solid: u32,
}

impl Cursor {
    /// Nowhere.
    pub(super) const NONE: Self = Self {
        index: 0,
        sequence: 0,
        first: Number::of(0),
        at: 0,
        next: Number::of(0),
        loose: false,
        in_junk: false,
        cuts: 0,
        solid: 0,
    };

    /// Before the first record of a page.
    pub(super) const fn new(index: u16, header: &Header) -> Self {
        let (sequence, first) = (header.sequence, Number::of(header.first));
        Self { index, sequence, first, at: HEADER, next: first, solid: HEADER, ..Self::NONE }
    }

    /// The next record in this page, before `end`.
    #[inline(never)]
    pub(super) fn step<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        place: &Place,
        end: u32,
    ) -> Result<Option<Found>, OutboxError> {
        let word = Device::<F>::WORD;
        while self.at.wrapping_add(HEAD) <= end {
            let mut chunk = [0; 32];
            let length = CHUNK.min(place.page.saturating_sub(self.at));
            let chunk = chunk.get_mut(..to_usize(length)).unwrap_or_default();
            device.read(place.at(self.index, self.at), chunk)?;
            let blank = chunk.chunks(to_usize(word)).take_while(|word| is_blank(word)).count();
            if blank > 0 {
                let words = u32::try_from(blank).unwrap_or(1);
                self.at = self.at.wrapping_add(words.wrapping_mul(word));
                (self.loose, self.in_junk) = (true, false);
                continue;
            }
            // Of a word of 4 bytes at the end of a page there is no head.
            let head = chunk.first_chunk().map(|bytes| Head::decode(*bytes));
            if let Some(head) = head
                && let Some(found) = self.record(device, place, head)?
            {
                return Ok(Some(found));
            }
            if !core::mem::replace(&mut self.in_junk, true) {
                self.cuts = self.cuts.saturating_add(1);
            }
            self.loose = true;
            self.at = self.at.wrapping_add(word);
            self.solid = self.at;
        }
        Ok(None)
    }

    /// Whether a record with this head is here, and whole.
    fn record<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        place: &Place,
        head: Head,
    ) -> Result<Option<Found>, OutboxError> {
        let length = u32::from(head.length);
        let size = Device::<F>::round(HEAD.wrapping_add(length));
        let end = self.at.wrapping_add(size);
        if end > place.page {
            return Ok(None);
        }
        let content = place.at(self.index, self.at.wrapping_add(HEAD));
        let mut crc = crc_of_record(self.sequence, head.length, head.kind);
        let mut reading = Reading::new(content, head.length);
        let mut chunk = [0; 32];
        while let Some(bytes) = reading.next(device, &mut chunk)? {
            crc = crc.with(bytes);
        }
        let number = self.first.plus(head.beyond(crc));
        let allowed = if self.loose { WINDOW } else { 1 };
        if number.less(self.next) >= allowed {
            return Ok(None);
        }
        self.next = if head.is_row() { number.plus(1) } else { number };
        (self.at, self.solid) = (end, end);
        (self.loose, self.in_junk, self.cuts) = (false, false, 0);
        Ok(Some(Found { head, number, content }))
    }
}

/// Reads a record's content by pieces.
pub(super) struct Reading {
    at: u32,
    left: u32,
}

impl Reading {
    pub(super) const fn new(content: u32, length: u16) -> Self {
        let [a, b] = length.to_le_bytes();
        Self { at: content, left: u32::from_le_bytes([a, b, 0, 0]) }
    }

    /// The next piece.
    pub(super) fn next<'c, F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        chunk: &'c mut [u8; 32],
    ) -> Result<Option<&'c [u8]>, OutboxError> {
        if self.left == 0 {
            return Ok(None);
        }
        let wanted = CHUNK.min(self.left);
        // A record goes on to the end of a word, so there is enough to read.
        let room = Device::<F>::round_read(wanted);
        device.read(self.at, chunk.get_mut(..to_usize(room)).unwrap_or_default())?;
        self.at = self.at.wrapping_add(wanted);
        self.left = self.left.wrapping_sub(wanted);
        Ok(chunk.get(..to_usize(wanted)))
    }
}

fn is_blank(word: &[u8]) -> bool {
    word.iter().all(|byte| *byte == 0xff)
}

/// Of a length within a page.
pub(super) fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
