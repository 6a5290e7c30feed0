//! One log in a ring of pages.
//!
//! Rows are appended to the page that was begun last. What is done is appended too, one record for
//! a batch. When the page is full the next one of the ring is erased and begun, which the oldest
//! page is, once the ring is full. How the state is found again: `recover`.

use embedded_storage::nor_flash::NorFlash;

use super::cursor::{Cursor, Found, Place, to_usize};
use super::format::{
    Begins, CONTROL, DONE, HEAD, HEADER, Head, Header, SERVER, Shape, WINDOW, crc_of_record,
};
use super::number::Number;
use crate::error::OutboxError;
use crate::flash::Device;

/// The state of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) place: Place,
    /// The page that is written to, and its header's figures.
    pub(super) head: u16,
    pub(super) sequence: u32,
    pub(super) first: u64,
    /// Pages that hold something. 0: none was begun.
    pub(super) used: u16,
    /// Where the next record goes, in the page.
    pub(super) at: u32,
    /// What a reader of the page expects as the next number.
    pub(super) expected: Number,
    /// Bytes left out after a write that may have been cut.
    pub(super) gap: u32,
    /// Nothing was written to the page since a write may have been cut.
    pub(super) shaken: bool,
    /// The number of the next row.
    pub(super) next: Number,
    /// Before the first row that is not done.
    pub(super) tail: Cursor,
    /// Every row below is done.
    pub(super) done: Number,
    /// Every row below was done once: it may be overwritten.
    pub(super) kept: Number,
    /// Rows that are not done.
    pub(super) waiting: u32,
    /// Which server the rows are at.
    pub(super) server: u32,
    /// Rows that were given up since the log was opened.
    pub(super) given_up: u32,
}

/// What to do when the next page holds rows that are not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Give them up.
    Make,
    /// Keep them.
    Have,
}

impl Ring {
    /// Of no pages, and empty.
    pub(super) const NONE: Self = Self {
        place: Place { start: 0, page: 0, shape: Shape { log: 0, pages: 0, units: 0 } },
        head: 0,
        sequence: 0,
        first: 0,
        used: 0,
        at: 0,
        expected: Number::of(0),
        gap: 0,
        shaken: false,
        next: Number::of(0),
        tail: Cursor::NONE,
        done: Number::of(0),
        kept: Number::of(0),
        waiting: 0,
        server: 0,
        given_up: 0,
    };

    fn head_header(&self) -> Header {
        let Self { place: Place { shape, .. }, sequence, first, server, .. } = *self;
        Header { shape, sequence, first, waiting: 0, server }
    }

    /// The whole number of a row.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn whole(&self, number: Number) -> u64 {
        number.whole(self.first)
    }

    /// The index of the oldest page.
    pub(super) fn oldest(&self) -> u16 {
        let pages = self.place.shape.pages;
        let back = self.used.saturating_sub(1);
        match self.head.checked_sub(back) {
            Some(index) => index,
            None => self.head.wrapping_add(pages).wrapping_sub(back),
        }
    }

    /// The next row after the cursor.
    pub(super) fn step<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        cursor: &mut Cursor,
    ) -> Result<Option<Found>, OutboxError> {
        if self.used == 0 {
            return Ok(None);
        }
        // As many pages as there are, so that it ends whatever the headers say.
        for _ in 0..=self.place.shape.pages {
            let is_head = cursor.sequence == self.sequence;
            let end = if is_head { self.at } else { self.place.page };
            while let Some(found) = cursor.step(device, &self.place, end)? {
                if found.head.is_row() {
                    return Ok(Some(found));
                }
            }
            if is_head {
                break;
            }
            let index = self.place.after(cursor.index);
            let sequence = cursor.sequence.wrapping_add(1);
            match self.place.header(device, index)? {
                Begins::Header(header) if header.sequence == sequence => {
                    *cursor = Cursor::new(index, &header);
                }
                // It was readable when the log was opened: pass it over.
                _ => {
                    (cursor.index, cursor.sequence) = (index, sequence);
                    cursor.at = self.place.page;
                }
            }
        }
        Ok(None)
    }

    /// Appends a row: `record` has its content after the first [`HEAD`] bytes, and room up to the
    /// next word. Returns its number.
    pub(super) fn append<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        kind: u16,
        record: &mut [u8],
        length: u16,
        room: Room,
    ) -> Result<u64, OutboxError> {
        let size = Device::<F>::round(HEAD.wrapping_add(u32::from(length)));
        let too_far = self.next.less(self.expected) >= WINDOW.wrapping_sub(2);
        if !self.has_room(size) || too_far {
            self.begin_page(device, room)?;
            if !self.has_room(size) {
                return Err(OutboxError::Region);
            }
        }
        let number = self.next;
        let written = self.put(device, kind, record, length, size);
        self.next = self.next.plus(1);
        written?;
        self.expected = self.next;
        self.waiting = self.waiting.wrapping_add(1);
        Ok(self.whole(number))
    }

    const fn has_room(&self, size: u32) -> bool {
        self.used > 0 && self.at.wrapping_add(size) <= self.place.page
    }

    /// Writes a record at the end of the page.
    fn put<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        kind: u16,
        record: &mut [u8],
        length: u16,
        size: u32,
    ) -> Result<(), OutboxError> {
        let size = to_usize(size);
        let record = record.get_mut(..size).ok_or(OutboxError::Region)?;
        let (head, content) = record.split_first_chunk_mut::<8>().ok_or(OutboxError::Region)?;
        let (content, padding) =
            content.split_at_mut_checked(usize::from(length)).ok_or(OutboxError::Region)?;
        padding.fill(0xff);
        let crc = crc_of_record(self.sequence, length, kind).with(content);
        let beyond = self.next.less(Number::of(self.first));
        *head = Head::encode(length, kind, crc, beyond);
        let at = self.place.at(self.head, self.at);
        let written = device.write(at, record);
        let step = u32::try_from(size).unwrap_or(u32::MAX);
        self.at = self.at.wrapping_add(step);
        match written {
            Ok(()) => (self.expected, self.shaken) = (self.next, false),
            // As after a power cut.
            Err(_) => {
                self.shaken = true;
                self.at = self.at.wrapping_add(self.gap).min(self.place.page);
                self.next = self.next.plus(1);
            }
        }
        Ok(written?)
    }

    /// Erases the next page of the ring and begins it.
    fn begin_page<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        room: Room,
    ) -> Result<(), OutboxError> {
        if self.used == self.place.shape.pages {
            self.free_oldest(device, room)?;
        }
        // A row that was cut where this page ends may still read as valid one day.
        if core::mem::take(&mut self.shaken) {
            self.next = self.next.plus(1);
        }
        let index = if self.used == 0 { 0 } else { self.place.after(self.head) };
        let (first, waiting) = (self.whole(self.next), self.next.less(self.done));
        let sequence = self.sequence.wrapping_add(1);
        let header = Header { first, sequence, waiting, ..self.head_header() };
        device.erase(self.place.at(index, 0), self.place.at(index, self.place.page))?;
        device.write(self.place.at(index, 0), &header.encode())?;
        (self.head, self.sequence, self.first) = (index, sequence, first);
        (self.at, self.expected) = (HEADER, self.next);
        if self.used == 0 {
            self.tail = Cursor::new(index, &header);
        }
        self.used = self.used.wrapping_add(1);
        Ok(())
    }

    /// Takes the oldest page out of the ring.
    fn free_oldest<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        room: Room,
    ) -> Result<(), OutboxError> {
        let oldest = self.oldest();
        let second = self.place.after(oldest);
        let Begins::Header(header) = self.place.header(device, second)? else {
            return Err(OutboxError::Flash);
        };
        let mut given_up = 0_u32;
        if self.tail.index == oldest {
            let mut cursor = self.tail;
            let mut gone = 0_u32;
            while let Some(found) = cursor.step(device, &self.place, self.place.page)? {
                if !found.head.is_row() {
                    continue;
                }
                gone = gone.wrapping_add(1);
                if !found.number.is_before(self.kept) {
                    given_up = given_up.wrapping_add(1);
                }
            }
            if given_up > 0 && room == Room::Have {
                return Err(OutboxError::Full);
            }
            self.tail = Cursor::new(second, &header);
            self.done = self.done.max(Number::of(header.first));
            self.kept = self.kept.max(self.done);
            self.waiting = self.waiting.saturating_sub(gone);
            self.given_up = self.given_up.wrapping_add(given_up);
        }
        self.used = self.used.wrapping_sub(1);
        Ok(())
    }

    /// The rows up to the cursor are done: `count` of them. Kept in flash if there is room; what is
    /// not is sent once more after a reset.
    pub(super) fn finish<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        cursor: Cursor,
        count: u32,
    ) -> Result<(), OutboxError> {
        self.tail = cursor;
        self.done = cursor.next;
        self.kept = self.kept.max(self.done);
        self.waiting = self.waiting.saturating_sub(count);
        self.control(device, DONE, &self.whole(self.done).to_le_bytes())
    }

    /// The first row that is not done is; `false`: there is none.
    pub(super) fn finish_one<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
    ) -> Result<bool, OutboxError> {
        let mut cursor = self.tail;
        let found = self.step(device, &mut cursor)?.is_some();
        if found {
            self.finish(device, cursor, 1)?;
        }
        Ok(found)
    }

    /// From now on the rows are at this server.
    pub(super) fn at_server<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        server: u32,
    ) -> Result<(), OutboxError> {
        self.server = server;
        self.control(device, SERVER, &server.to_le_bytes())
    }

    /// Appends a record that is no row, or begins a page, whose header says the same.
    fn control<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        kind: u16,
        content: &[u8],
    ) -> Result<(), OutboxError> {
        debug_assert!(kind & CONTROL != 0);
        let length = u16::try_from(content.len()).unwrap_or(0);
        let size = Device::<F>::round(HEAD.wrapping_add(u32::from(length)));
        if !self.has_room(size) {
            return match self.begin_page(device, Room::Have) {
                Err(OutboxError::Full) => Ok(()),
                begun => begun,
            };
        }
        let mut record = [0; 32];
        for (to, from) in record.iter_mut().skip(8).zip(content) {
            *to = *from;
        }
        self.put(device, kind, &mut record, length, size)
    }
}
