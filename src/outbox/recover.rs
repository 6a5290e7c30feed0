//! The state of a log after a reset, found again by reading.
//!
//! Nothing is taken for granted that a power cut can have touched:
//! * a page without a record is none: its header may read otherwise the next time. A page is
//!   erased right before it is begun, whatever it seems to hold;
//! * writing goes on after the last word that is programmed, and a gap as long as the longest record: a
//!   write that was cut may have left words that still read as erased;
//! * a record that was cut may read as valid, now or later, so its number is never given to another:
//!   each remainder of a record counts as one number, and one is left out after each reset.

use embedded_storage::nor_flash::NorFlash;

use super::cursor::{Cursor, Found, Place, to_usize};
use super::format::{Begins, DONE, HEAD, HEADER, Header, SERVER};
use super::number::Number;
use super::ring::Ring;
use crate::error::OutboxError;
use crate::flash::Device;

impl Ring {
    /// Finds the state of a log. `first` makes the number of the first row of a new one.
    pub(super) fn open<F: NorFlash>(
        device: &mut Device<F>,
        place: Place,
        longest: u32,
        first: &mut dyn FnMut() -> Result<u64, OutboxError>,
    ) -> Result<Self, OutboxError> {
        let gap = Device::<F>::round(longest.max(HEAD.wrapping_add(8)));
        let mut ring = Self { place, gap, ..Self::NONE };
        for index in 0..place.shape.pages {
            match place.header(device, index)? {
                Begins::Foreign => return Err(OutboxError::Foreign),
                Begins::Header(header) if ring.used == 0 || header.sequence > ring.sequence => {
                    ring.at_page(index, &header);
                }
                _ => {}
            }
        }
        // The last page that has something written to it. The first row of one that has not may have
        // been cut, and read as valid before.
        let mut least: Option<Number> = None;
        while ring.used > 0 {
            if ring.read_head(device)? {
                ring.next = least.map_or(ring.next, |least| ring.next.max(least));
                ring.find_tail(device)?;
                return Ok(ring);
            }
            // The last page has the highest.
            least = least.or(Some(Number::of(ring.first).plus(1)));
            match ring.before(device, ring.head, ring.sequence)? {
                Some(header) => ring.at_page(place.before(ring.head), &header),
                None => ring.used = 0,
            }
        }
        let none =
            Header { shape: place.shape, sequence: 0, first: first()?, waiting: 0, server: 0 };
        ring.at_page(place.shape.pages.wrapping_sub(1), &none);
        ring.used = 0;
        Ok(ring)
    }

    /// As the header of the last page says, which was not read yet.
    #[cfg_attr(target_os = "none", inline(never))]
    fn at_page(&mut self, index: u16, header: &Header) {
        let next = Number::of(header.first);
        (self.head, self.sequence, self.first) = (index, header.sequence, header.first);
        (self.used, self.at, self.shaken) = (1, self.place.page, true);
        (self.expected, self.next) = (next, next);
        self.done = next.minus(header.waiting);
        self.kept = self.done;
        self.tail = Cursor::new(index, header);
        self.server = header.server;
    }

    /// The header of the page before, if it is of this chain.
    fn before<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        index: u16,
        sequence: u32,
    ) -> Result<Option<Header>, OutboxError> {
        Ok(match self.place.header(device, self.place.before(index))? {
            Begins::Header(found) if found.sequence.wrapping_add(1) == sequence => Some(found),
            _ => None,
        })
    }

    /// Reads the last page to its end. `false`: nothing was written to it.
    fn read_head<F: NorFlash>(&mut self, device: &mut Device<F>) -> Result<bool, OutboxError> {
        let mut cursor = self.tail;
        while let Some(found) = cursor.step(device, &self.place, self.place.page)? {
            self.note(device, found)?;
        }
        if cursor.solid == HEADER {
            return Ok(false);
        }
        self.expected = cursor.next;
        self.next = cursor.next.plus(u32::from(cursor.cuts)).plus(1);
        self.at = cursor.solid.wrapping_add(self.gap).min(self.place.page);
        self.kept = self.done;
        Ok(true)
    }

    /// Takes what a record says that is no row.
    fn note<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        found: Found,
    ) -> Result<(), OutboxError> {
        if found.head.is_row() {
            return Ok(());
        }
        // Of a number the lower half.
        let mut content = [0; 8];
        let length = to_usize(Device::<F>::round_read(4));
        device.read(found.content, content.get_mut(..length).unwrap_or_default())?;
        let [a, b, c, d, ..] = content;
        let value = u32::from_le_bytes([a, b, c, d]);
        match found.head.kind {
            DONE => self.done = Number::new(value),
            SERVER => self.server = value,
            _ => {}
        }
        Ok(())
    }

    /// Counts the pages, and finds the first row that is not done.
    fn find_tail<F: NorFlash>(&mut self, device: &mut Device<F>) -> Result<(), OutboxError> {
        let (mut index, mut sequence) = (self.head, self.sequence);
        while self.used < self.place.shape.pages
            && let Some(header) = self.before(device, index, sequence)?
        {
            (index, sequence) = (self.place.before(index), header.sequence);
            self.used = self.used.wrapping_add(1);
        }
        self.rewind(device, self.done)
    }

    /// The first row that is there, of this number or above, becomes the tail.
    pub(super) fn rewind<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        number: Number,
    ) -> Result<(), OutboxError> {
        if self.used == 0 {
            return Ok(());
        }
        // From the oldest page on; those wholly below are passed over.
        let mut index = self.oldest();
        let mut cursor = None;
        for _ in 0..self.used {
            if let Begins::Header(header) = self.place.header(device, index)?
                && (cursor.is_none() || !number.is_before(Number::of(header.first)))
            {
                cursor = Some(Cursor::new(index, &header));
            }
            index = self.place.after(index);
        }
        let mut cursor = cursor.unwrap_or(self.tail);
        self.tail = cursor;
        (self.waiting, self.done) = (0, number);
        while let Some(found) = self.step(device, &mut cursor)? {
            if !found.number.is_before(number) {
                self.waiting = self.waiting.wrapping_add(1);
            } else {
                self.tail = cursor;
            }
        }
        Ok(())
    }
}
