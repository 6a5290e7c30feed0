//! What lies in flash, as bytes. Pure.
//!
//! A page begins with a header of 32 bytes; records follow, each aligned to the flash's words and
//! programmed once:
//!
//! ```text
//! header   magic u16, version u8, log u8, pages u16, page size / 256 u16, sequence u32,
//!          first number u64, not done u32, server u32, CRC u32
//! record   length u16, kind u16, check u32, content, 0xff up to the next word
//! ```
//! All of it little-endian. `check` is a CRC over the page's sequence number, length, kind and
//! content, exclusive-or how far the record's number is beyond the page's first one. So a number
//! takes no bytes, and a record of another page, or from before the last erasure, is none.

use crate::flash::Crc;

/// Bytes of a page's header.
pub(super) const HEADER: u32 = 32;

/// Bytes before a record's content.
pub(super) const HEAD: u32 = 8;

/// Of records that are no rows.
pub(super) const CONTROL: u16 = 0x8000;

/// Of rows from another outbox: their content begins with their key, as a parameter as it travels.
pub(super) const KEYED: u16 = 0x4000;

/// Bytes of such a key.
pub(super) const KEY: usize = 12;

/// Content: everything below this number is done, u64.
pub(super) const DONE: u16 = CONTROL | 1;

/// Content: which server the rows are at, u32.
pub(super) const SERVER: u16 = CONTROL | 2;

const MAGIC: u16 = 0x4270;

/// The format described above.
const VERSION: u8 = 2;

/// How far a record's number may be beyond the expected one where something was cut before it:
/// enough for some resets in a row, few enough that chance does not hit one.
pub(super) const WINDOW: u32 = 16;

/// The header of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Which log, how many pages it has, and their size in units of 256 bytes.
    pub(super) shape: Shape,
    /// Rises by one from page to page.
    pub(super) sequence: u32,
    /// The number of the first row in the page.
    pub(super) first: u64,
    /// How many numbers before `first` were not done when the page was begun.
    pub(super) waiting: u32,
    /// Which server the rows are at, 0 where that was never asked.
    pub(super) server: u32,
}

/// What must be the same whenever a log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) log: u8,
    pub(super) pages: u16,
    pub(super) units: u16,
}

/// What a page begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// Nothing of this driver's.
    Blank,
    /// A header, of this log.
    Header(Header),
    /// A header of another version, or of a log with another shape.
    Foreign,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; 32] {
        let Self { shape, sequence, first, waiting, server } = *self;
        let [kind, size] = shape.words();
        let [a, b, c, d, e, f, g, h] = first.to_le_bytes();
        let (low, high) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let mut bytes = [0; 32];
        let words = [kind, size, sequence, low, high, waiting, server];
        put(&mut bytes, &words);
        let crc = whole(&bytes);
        if let Some(end) = bytes.last_chunk_mut::<4>() {
            *end = crc.to_le_bytes();
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; 32], shape: Shape) -> Begins {
        let mut words = [0; 8];
        for (to, from) in words.iter_mut().zip(bytes.as_chunks().0) {
            *to = u32::from_le_bytes(*from);
        }
        let [kind, size, sequence, low, high, waiting, server, crc] = words;
        // A later version keeps magic, version and CRC where they are.
        if kind & 0xffff != u32::from(MAGIC) || whole(bytes) != crc {
            Begins::Blank
        } else if [kind, size] != shape.words() {
            Begins::Foreign
        } else {
            let first = u64::from(high) << 32 | u64::from(low);
            Begins::Header(Self { shape, sequence, first, waiting, server })
        }
    }
}

impl Shape {
    /// The beginning of a header.
    const fn words(self) -> [u32; 2] {
        let ([m, n], [p, q]) = (MAGIC.to_le_bytes(), self.pages.to_le_bytes());
        let [u, v] = self.units.to_le_bytes();
        [u32::from_le_bytes([m, n, VERSION, self.log]), u32::from_le_bytes([p, q, u, v])]
    }
}

/// Words at the beginning of some bytes.
fn put(bytes: &mut [u8; 32], words: &[u32]) {
    for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *to = word.to_le_bytes();
    }
}

/// The CRC of a header.
fn whole(bytes: &[u8; 32]) -> u32 {
    bytes.first_chunk::<28>().map_or(0, |head| Crc::new().with(head).end())
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: u16,
    pub(super) kind: u16,
    check: u32,
}

impl Head {
    pub(super) const fn decode([a, b, c, d, e, f, g, h]: [u8; 8]) -> Self {
        let (length, kind) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        Self { length, kind, check: u32::from_le_bytes([e, f, g, h]) }
    }

    /// The head of a record: `crc` is that of its content, `beyond` its number less the page's first.
    pub(super) fn encode(length: u16, kind: u16, crc: Crc, beyond: u32) -> [u8; 8] {
        let ([a, b], [c, d]) = (length.to_le_bytes(), kind.to_le_bytes());
        let [e, f, g, h] = (crc.end() ^ beyond).to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// How far the record's number is beyond the page's first, if this is the CRC of its content.
    pub(super) const fn beyond(&self, crc: Crc) -> u32 {
        self.check ^ crc.end()
    }

    pub(super) const fn is_row(&self) -> bool {
        self.kind & CONTROL == 0
    }
}

/// The CRC of a record of this page, up to its content.
pub(super) fn crc_of_record(sequence: u32, length: u16, kind: u16) -> Crc {
    let ([a, b, c, d], [e, f]) = (sequence.to_le_bytes(), length.to_le_bytes());
    let [g, h] = kind.to_le_bytes();
    Crc::new().with(&[a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_both_ways_and_others_are_refused() {
        let shape = Shape { log: 0, pages: 16, units: 16 };
        let header = Header { shape, sequence: 7, first: 1 << 40, waiting: 3, server: 9 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes, shape), Begins::Header(header));
        for other in
            [Shape { log: 1, ..shape }, Shape { pages: 15, ..shape }, Shape { units: 1, ..shape }]
        {
            assert_eq!(Header::decode(&bytes, other), Begins::Foreign);
        }
        for bit in 0..256 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bytes, shape), Begins::Blank, "{bit}");
        }
        let mut later = bytes;
        later[2] = VERSION + 1;
        let crc = Crc::new().with(&later[..28]).end();
        later[28..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&later, shape), Begins::Foreign);
        assert_eq!(Header::decode(&[0xff; 32], shape), Begins::Blank);
    }
}
