//! Reading a log: from one record to the next, over what a power cut left.

use embedded_storage::nor_flash::NorFlash;

use super::Device;
use super::format::{HEAD, HEADER, Header, STATE, Shape, crc_of_record};
use super::number::Number;
use crate::error::OutboxError;
use crate::flash::CHUNK;

/// Where a log lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: u32,
    /// Bytes of a page.
    pub(super) page: u32,
    pub(super) pages: u16,
    pub(super) shape: Shape,
    /// Bytes of the longest record that is looked for after one that is damaged.
    pub(super) longest: u16,
}

impl Place {
    /// Where a byte of a page is.
    pub(super) fn at(&self, index: u16, at: u32) -> u32 {
        self.start.wrapping_add(u32::from(index).wrapping_mul(self.page)).wrapping_add(at)
    }

    pub(super) const fn after(&self, index: u16) -> u16 {
        let next = index.wrapping_add(1);
        if next >= self.pages { 0 } else { next }
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn header<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        index: u16,
    ) -> Result<Header, OutboxError> {
        let mut bytes = [0; 32];
        device.read(self.at(index, 0), &mut bytes)?;
        Header::decode(&bytes, self.shape).ok_or(OutboxError::Foreign)
    }
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: Number,
    /// Where its content begins, in the flash.
    pub(super) content: u32,
    pub(super) length: u16,
    pub(super) kind: u16,
}

impl Found {
    pub(super) const fn is_row(&self) -> bool {
        self.kind != STATE
    }
}

/// A place in a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The page, and its header.
    pub(super) index: u16,
    pub(super) sequence: u32,
    pub(super) first: Number,
    /// Where the next record may begin, in the page.
    pub(super) at: u32,
    /// The end of what is programmed in the page, as far as it was read.
    pub(super) solid: u32,
    /// The record before.
    pub(super) found: Found,
}

impl Cursor {
    /// Nowhere: all zeros, so that it is no constant in the image.
    pub(super) const NONE: Self = Self {
        index: 0,
        sequence: 0,
        first: Number::of(0),
        at: 0,
        solid: 0,
        found: Found { number: Number::of(0), content: 0, length: 0, kind: 0 },
    };

    /// To the first record of a page.
    pub(super) const fn enter(&mut self, index: u16, header: &Header) {
        (self.index, self.sequence, self.first) =
            (index, header.sequence, Number::of(header.first));
        (self.at, self.solid) = (HEADER, HEADER);
    }

    /// To the next page. One that cannot be read, was begun before this one or after the last one, is
    /// passed over.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn turn<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        place: &Place,
        last: u32,
    ) -> Result<(), OutboxError> {
        let index = place.after(self.index);
        let header = place.header(device, index)?;
        (self.index, self.at) = (index, place.page);
        if header.sequence > self.sequence && header.sequence <= last {
            self.enter(index, &header);
        }
        Ok(())
    }

    /// To the next record in this page, before `end`; `false`: there is none.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn step<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        place: &Place,
        end: u32,
    ) -> Result<bool, OutboxError> {
        // Each word of what an erasure or a write that was cut has left may seem to begin a record of any length.
        let mut longest = u16::MAX;
        while self.at.wrapping_add(HEAD) <= end {
            let at = place.at(self.index, self.at);
            let mut bytes = [0; 8];
            device.read(at, &mut bytes)?;
            let [a, b, c, d, e, f, g, h] = bytes;
            let (length, kind) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
            let content = at.wrapping_add(HEAD);
            let found = Found { number: self.first.plus(self.at >> 2), content, length, kind };
            let next = self.at.wrapping_add(Device::<F>::round(HEAD.wrapping_add(length.into())));
            let is_blank = bytes == [0xff; 8];
            if next <= place.page
                && length <= longest
                && found.check(device, [a, b, c, d])? == u32::from_le_bytes([e, f, g, h])
            {
                (self.found, self.at, self.solid) = (found, next, next);
                return Ok(true);
            }
            longest = place.longest;
            if !is_blank {
                self.at = self.at.wrapping_add(Device::<F>::WORD);
                self.solid = self.at;
                continue;
            }
            // Most of a page may be blank, and be large: by pieces, then by words.
            let (mut piece, mut step) = ([0; 32], Device::<F>::WORD);
            if self.at.wrapping_add(CHUNK) <= end {
                device.read(at, &mut piece)?;
            }
            if piece.iter().all(|byte| *byte == 0xff) {
                step = CHUNK;
            }
            self.at = self.at.wrapping_add(step);
        }
        Ok(false)
    }
}

impl Found {
    /// What the record's check must be.
    fn check<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        head: [u8; 4],
    ) -> Result<u32, OutboxError> {
        let mut crc = crc_of_record(self.number, head);
        let (mut reading, mut chunk) = (Reading::new(self), [0; 32]);
        while let Some(bytes) = reading.next(device, &mut chunk)? {
            crc = crc.with(bytes);
        }
        Ok(crc.end())
    }
}

/// Reads a record's content by pieces.
pub(super) struct Reading {
    at: u32,
    left: u32,
}

impl Reading {
    pub(super) fn new(found: &Found) -> Self {
        Self { at: found.content, left: found.length.into() }
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

/// Of a length within a page.
pub(super) fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
