//! The state of a log after a reset, found again by reading.
//!
//! Nothing is taken for granted that a power cut can have touched:
//! * a page without a record is none: its header may read otherwise the next time. A page is
//!   erased right before it is begun, whatever it seems to hold;
//! * writing goes on after the last word that is programmed, and a gap as long as the longest record: a
//!   write that was cut may have left words that still read as erased;
//! * a record that was cut may read as valid, now or later. Its number says where it is, so no other
//!   record has it: no place is written twice, and no page begun with a sequence that another may have.

use embedded_storage::nor_flash::NorFlash;

use super::Device;
use super::cursor::{Cursor, Place};
use super::format::{HEAD, HEADER, Header};
use super::number::Number;
use super::ring::Ring;
use crate::error::OutboxError;

impl Ring {
    /// Finds the state of a log. Where the sequence is 0 there is none, and [`begin`](Self::begin) says
    /// the number that the first one begins with.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn open<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        place: Place,
        longest: u32,
    ) -> Result<(), OutboxError> {
        (self.place, self.at) = (place, place.page);
        self.gap = Device::<F>::round(longest.max(HEAD.wrapping_add(8)));
        self.place.longest = u16::try_from(longest).unwrap_or(u16::MAX);
        self.head = place.pages.wrapping_sub(1);
        for index in 0..place.pages {
            self.read_page(device, index)?;
        }
        // The last page's header may be one that cannot be read any more.
        self.top = self.top.wrapping_add(1);
        self.kept = self.done;
        self.rewind(device, self.done)
    }

    /// The number that a new log begins with.
    pub(super) const fn begin(&mut self, first: u64) {
        let number = Number::of(first);
        (self.first, self.done, self.kept, self.tail.first) = (first, number, number, number);
    }

    /// A page is the last, if none before was begun later, and something was written to it.
    #[cfg_attr(target_os = "none", inline(never))]
    fn read_page<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        index: u16,
    ) -> Result<(), OutboxError> {
        let header = self.place.header(device, index)?;
        self.top = self.top.max(header.sequence);
        if header.sequence <= self.sequence {
            return Ok(());
        }
        let Header { sequence, first, mut done, mut server } = header;
        let mut cursor = Cursor::NONE;
        cursor.enter(index, &header);
        while cursor.step(device, &self.place, self.place.page)? {
            if !cursor.found.is_row() {
                let mut state = [0; 8];
                device.read(cursor.found.content, &mut state)?;
                let [a, b, c, d, e, f, g, h] = state;
                done = u32::from_le_bytes([a, b, c, d]);
                server = u32::from_le_bytes([e, f, g, h]);
            }
        }
        if cursor.solid > HEADER {
            (self.head, self.sequence, self.first) = (index, sequence, first);
            self.at = cursor.solid.wrapping_add(self.gap).min(self.place.page);
            (self.done, self.server) = (Number::new(done), server);
        }
        Ok(())
    }

    /// Everything below a number is done, nothing above.
    pub(super) fn rewind<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        number: Number,
    ) -> Result<(), OutboxError> {
        let mut cursor =
            Cursor { index: self.head, first: number, at: self.place.page, ..Cursor::NONE };
        self.tail = cursor;
        // From the oldest page on; those wholly below are passed over.
        for _ in 0..self.place.pages {
            cursor.turn(device, &self.place, self.sequence)?;
            let is_above = self.tail.sequence != 0 && number.is_before(cursor.first);
            if cursor.at == HEADER && !is_above {
                self.tail = cursor;
            }
        }
        (self.done, self.waiting) = (number, 0);
        cursor = self.tail;
        while self.step(device, &mut cursor)? {
            self.waiting = self.waiting.wrapping_add(1);
        }
        Ok(())
    }
}
