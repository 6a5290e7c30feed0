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
    /// Finds the state of a log. `first` makes the number of the first row of a new one.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn open<F: NorFlash>(
        device: &mut Device<F>,
        place: Place,
        longest: u32,
        first: &mut dyn FnMut() -> Result<u64, OutboxError>,
    ) -> Result<Self, OutboxError> {
        let gap = Device::<F>::round(longest.max(HEAD.wrapping_add(8)));
        let head = place.pages.wrapping_sub(1);
        let mut ring = Self { place, gap, head, at: place.page, ..Self::NONE };
        for index in 0..place.pages {
            let header = place.header(device, index)?;
            ring.top = ring.top.max(header.sequence);
            if header.sequence > ring.sequence {
                ring.read_page(device, index, &header)?;
            }
        }
        // The last page's header may be one that cannot be read any more.
        ring.top = ring.top.wrapping_add(1);
        if ring.sequence == 0 {
            ring.first = first()?;
            ring.done = Number::of(ring.first);
        }
        ring.kept = ring.done;
        ring.rewind(device, ring.done)?;
        Ok(ring)
    }

    /// The page is the last, if something was written to it.
    fn read_page<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        index: u16,
        header: &Header,
    ) -> Result<(), OutboxError> {
        let Header { sequence, first, mut done, mut server } = *header;
        let mut cursor = Cursor::NONE;
        cursor.enter(index, header);
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
        let mut tail = Cursor { index: self.head, first: number, ..Cursor::NONE };
        let mut index = self.head;
        // From the oldest page on; those wholly below are passed over.
        for _ in 0..self.place.pages {
            index = self.place.after(index);
            let header = self.place.header(device, index)?;
            if (tail.sequence.wrapping_add(1)..=self.sequence).contains(&header.sequence)
                && (tail.sequence == 0 || !number.is_before(Number::of(header.first)))
            {
                tail.enter(index, &header);
            }
        }
        (self.tail, self.done, self.waiting) = (tail, number, 0);
        while self.step(device, &mut tail)? {
            self.waiting = self.waiting.wrapping_add(1);
        }
        Ok(())
    }
}
