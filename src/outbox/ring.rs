//! One log in a ring of pages.
//!
//! Rows are appended to the page that was begun last. What is done is appended too, one record for
//! a batch. When the page is full the next one of the ring is erased and begun, which the oldest
//! page is, once the ring is full. How the state is found again: `recover`.

use embedded_storage::nor_flash::NorFlash;

use super::Device;
use super::cursor::{Cursor, Place, to_usize};
use super::format::{HEAD, HEADER, Header, STATE, Shape, crc_of_record, head};
use super::number::Number;
use crate::error::OutboxError;

/// The state of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) place: Place,
    /// The page that is written to, and its header's figures. Sequence 0: none was begun.
    pub(super) head: u16,
    pub(super) sequence: u32,
    pub(super) first: u64,
    /// No page has a higher sequence.
    pub(super) top: u32,
    /// Where the next record goes, in the page.
    pub(super) at: u32,
    /// Bytes left out after a write that may have been cut.
    pub(super) gap: u32,
    /// Where what was written last ends, if it was since the log was opened and did not fail.
    pub(super) firm: u32,
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
    /// The number of the row that was appended last.
    pub(super) last: Number,
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
        place: Place { start: 0, page: 0, pages: 0, shape: Shape::NONE, longest: 0 },
        head: 0,
        sequence: 0,
        first: 0,
        top: 0,
        at: 0,
        gap: 0,
        firm: 0,
        tail: Cursor::NONE,
        done: Number::of(0),
        kept: Number::of(0),
        waiting: 0,
        server: 0,
        last: Number::of(0),
        given_up: 0,
    };

    /// The whole number of a row.
    pub(super) fn whole(&self, number: Number) -> u64 {
        number.whole(self.first)
    }

    /// The number of the next row, if the page has room for it.
    pub(super) const fn next(&self) -> Number {
        Number::of(self.first).plus(self.at >> 2)
    }

    /// To the next row after the cursor that is not done; `false`: there is none.
    pub(super) fn step<F: NorFlash>(
        &self,
        device: &mut Device<F>,
        cursor: &mut Cursor,
    ) -> Result<bool, OutboxError> {
        loop {
            let is_head = cursor.index == self.head;
            let end = if is_head { self.at } else { self.place.page };
            while cursor.step(device, &self.place, end)? {
                if cursor.found.is_row() && !cursor.found.number.is_before(self.done) {
                    return Ok(true);
                }
            }
            if is_head {
                return Ok(false);
            }
            cursor.turn(device, &self.place, self.sequence)?;
        }
    }

    /// Appends a row: `record` has its content after the first [`HEAD`] bytes, and room up to the
    /// next word.
    pub(super) fn append<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        kind: u16,
        record: &mut [u8],
        length: u16,
        room: Room,
    ) -> Result<(), OutboxError> {
        // A word or a page that is worn out is left out: the second time it is another one.
        let mut again = false;
        loop {
            let ready = self.make_room(device, length, room);
            let appended = ready.and_then(|()| self.put(device, kind, record, length));
            if appended.is_ok() {
                self.waiting = self.waiting.wrapping_add(1);
            }
            if appended.is_ok() || again {
                return appended;
            }
            again = true;
        }
    }

    /// Makes the end of the page the place of the next row.
    fn make_room<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        length: u16,
        room: Room,
    ) -> Result<(), OutboxError> {
        // A row that is cut may be read at the next start, be sent, and not be read at the one after it.
        // Its place is not given to another row if something that can be read is right before it.
        if self.firm != self.at {
            self.keep_state(device)?;
        }
        if self.firm != self.at || !self.has_room::<F>(length) {
            self.begin_page(device, room)?;
        }
        self.last = self.next();
        Ok(())
    }

    fn has_room<F: NorFlash>(&self, length: u16) -> bool {
        self.at.wrapping_add(size::<F>(length)) <= self.place.page
    }

    /// Writes a record at the end of the page.
    #[cfg_attr(target_os = "none", inline(never))]
    fn put<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        kind: u16,
        record: &mut [u8],
        length: u16,
    ) -> Result<(), OutboxError> {
        let (size, at) = (size::<F>(length), self.place.at(self.head, self.at));
        let record = record.get_mut(..to_usize(size)).ok_or(OutboxError::Region)?;
        let (begin, content) = record.split_first_chunk_mut::<8>().ok_or(OutboxError::Region)?;
        let head = head(length, kind);
        let content = content.get(..usize::from(length)).unwrap_or_default();
        let crc = crc_of_record(self.next(), head).with(content);
        let ([a, b, c, d], [e, f, g, h]) = (head, crc.end().to_le_bytes());
        *begin = [a, b, c, d, e, f, g, h];
        let written = device.write_padded(at, record, to_usize(HEAD).saturating_add(length.into()));
        // A write that failed is as one that was cut.
        self.at = self.at.wrapping_add(size);
        match written {
            Ok(()) => self.firm = self.at,
            Err(_) => self.at = self.at.wrapping_add(self.gap).min(self.place.page),
        }
        written
    }

    /// Erases the next page of the ring and begins it. A page that fails is left out, and the next
    /// row goes to the one after it.
    #[cfg_attr(target_os = "none", inline(never))]
    fn begin_page<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        room: Room,
    ) -> Result<(), OutboxError> {
        if self.place.pages == 0 {
            return Err(OutboxError::Full);
        }
        let index = self.place.after(self.head);
        if self.tail.index == index {
            self.free(device, room)?;
        }
        self.top = self.top.wrapping_add(1);
        let pages = self.top.wrapping_sub(self.sequence);
        let first = Number::of(self.first).plus((self.place.page >> 2).wrapping_mul(pages));
        (self.head, self.at) = (index, self.place.page);
        (self.first, self.sequence) = (self.whole(first), self.top);
        let header = Header {
            sequence: self.sequence,
            first: self.first,
            done: self.done.lower_half(),
            server: self.server,
        };
        device.erase(self.place.at(index, 0), self.place.at(index, self.place.page))?;
        device.write(self.place.at(index, 0), &header.encode(self.place.shape))?;
        (self.at, self.firm) = (HEADER, HEADER);
        Ok(())
    }

    /// Gives up what waits in the oldest page, which the tail is in.
    fn free<F: NorFlash>(&mut self, device: &mut Device<F>, room: Room) -> Result<(), OutboxError> {
        let (mut cursor, mut gone, mut given_up) = (self.tail, 0_u32, 0_u32);
        while self.step(device, &mut cursor)? && cursor.index == self.tail.index {
            gone = gone.wrapping_add(1);
            if !cursor.found.number.is_before(self.kept) {
                given_up = given_up.wrapping_add(1);
            }
        }
        if given_up > 0 && room == Room::Have {
            return Err(OutboxError::Full);
        }
        self.tail.turn(device, &self.place, self.sequence)?;
        self.done = self.done.max(self.tail.first);
        self.kept = self.kept.max(self.done);
        self.waiting = self.waiting.saturating_sub(gone);
        self.given_up = self.given_up.wrapping_add(given_up);
        Ok(())
    }

    /// The rows up to the one before the cursor are done: `count` of them. Kept in flash if there is
    /// room; what is not is sent once more after a reset.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(super) fn finish<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        cursor: &Cursor,
        count: u32,
    ) -> Result<(), OutboxError> {
        self.tail = *cursor;
        self.done = cursor.found.number.plus(1);
        self.kept = self.kept.max(self.done);
        self.waiting = self.waiting.saturating_sub(count);
        self.keep_state(device)
    }

    /// Appends what is done and which server the rows are at, or begins a page, whose header says the
    /// same.
    pub(super) fn keep_state<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
    ) -> Result<(), OutboxError> {
        if !self.has_room::<F>(8) {
            return match self.begin_page(device, Room::Have) {
                Err(OutboxError::Full) => Ok(()),
                begun => begun,
            };
        }
        let mut record = [0; 32];
        let [_, _, done, server, ..] = record.as_chunks_mut().0 else { return Ok(()) };
        (*done, *server) = (self.done.lower_half().to_le_bytes(), self.server.to_le_bytes());
        self.put(device, STATE, &mut record, 8)
    }
}

/// Bytes of a record.
fn size<F: NorFlash>(length: u16) -> u32 {
    Device::<F>::round(HEAD.wrapping_add(length.into()))
}
