//! What lies in flash, as bytes. Pure.
//!
//! A page begins with a header of 32 bytes; records follow, each aligned to the flash's words and
//! programmed once:
//!
//! ```text
//! header   magic u16, version u8, log u8, pages u16, page size / 256 u16, sequence u32,
//!          number of the page's first byte u64, done u32, server u32, CRC u32
//! record   length u16, kind u16, check u32, content, whatever up to the next word
//! ```
//! All of it little-endian. The number of a record says where it is: that of its page's first byte,
//! and one more for each 4 bytes. `check` is a CRC that begins with that number, over length, kind and
//! content. So a number takes no bytes, no two records ever have the same, and a record of another
//! page, or from before the last erasure, is none.

use super::number::Number;
use crate::flash::Crc;

/// Bytes of a page's header.
pub(super) const HEADER: u32 = 32;

/// Bytes before a record's content.
pub(super) const HEAD: u32 = 8;

/// Of rows from another outbox: their content begins with their key, as a parameter as it travels.
pub(super) const KEYED: u16 = 0x4000;

/// Bytes of such a key.
pub(super) const KEY: usize = 12;

/// The kind of a record that is no row. Content: everything below this number is done, u32; which
/// server the rows are at, u32.
pub(super) const STATE: u16 = 0x8000;

const MAGIC: u32 = 0x4270;

/// The format described above.
const VERSION: u32 = 3;

/// The header of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Rises from page to page. 0: this is no header.
    pub(super) sequence: u32,
    /// The number of the page's first byte.
    pub(super) first: u64,
    /// Every row below was done when the page was begun.
    pub(super) done: u32,
    /// Which server the rows are at, 0 where that was never asked.
    pub(super) server: u32,
}

/// What must be the same whenever a log is opened: the beginning of its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape([u32; 2]);

impl Shape {
    /// Of no pages.
    pub(super) const NONE: Self = Self([0; 2]);

    /// Which log, how many pages it has, and their size in units of 256 bytes.
    pub(super) fn new(log: u8, pages: u16, units: u16) -> Self {
        let kind = MAGIC | VERSION << 16 | u32::from(log) << 24;
        Self([kind, u32::from(pages) | u32::from(units) << 16])
    }
}

impl Header {
    pub(super) fn encode(&self, Shape([kind, size]): Shape) -> [u8; 32] {
        let Self { sequence, first, done, server } = *self;
        let [a, b, c, d, e, f, g, h] = first.to_le_bytes();
        let (low, high) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let mut bytes = [0; 32];
        for (to, word) in
            bytes.as_chunks_mut().0.iter_mut().zip([kind, size, sequence, low, high, done, server])
        {
            *to = word.to_le_bytes();
        }
        let crc = whole(&bytes);
        if let Some(end) = bytes.last_chunk_mut::<4>() {
            *end = crc.to_le_bytes();
        }
        bytes
    }

    /// `None`: a header of another version, or of a log with another shape.
    pub(super) fn decode(bytes: &[u8; 32], Shape(shape): Shape) -> Option<Self> {
        let mut words = [0; 8];
        for (to, from) in words.iter_mut().zip(bytes.as_chunks().0) {
            *to = u32::from_le_bytes(*from);
        }
        let [kind, size, sequence, low, high, done, server, crc] = words;
        // A later version keeps magic, version and CRC where they are.
        if kind & 0xffff != MAGIC || whole(bytes) != crc {
            return Some(Self { sequence: 0, first: 0, done: 0, server: 0 });
        }
        let first = u64::from(high) << 32 | u64::from(low);
        ([kind, size] == shape).then_some(Self { sequence, first, done, server })
    }
}

/// The CRC of a header.
fn whole(bytes: &[u8; 32]) -> u32 {
    bytes.first_chunk::<28>().map_or(0, |head| Crc::new().with(head).end())
}

/// The beginning of a record: length and kind. Never all ones.
pub(super) const fn head(length: u16, kind: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (length.to_le_bytes(), kind.to_le_bytes());
    [a, b, c, d]
}

/// The CRC of a record with this number, up to its content.
pub(super) fn crc_of_record(number: Number, head: [u8; 4]) -> Crc {
    Crc::of(number.lower_half()).with(&head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_both_ways_and_others_are_refused() {
        let shape = Shape::new(0, 16, 16);
        let header = Header { sequence: 7, first: 1 << 40, done: 3, server: 9 };
        let bytes = header.encode(shape);
        assert_eq!(Header::decode(&bytes, shape), Some(header));
        for other in [Shape::new(1, 16, 16), Shape::new(0, 15, 16), Shape::new(0, 16, 1)] {
            assert_eq!(Header::decode(&bytes, other), None);
        }
        let is_none = |bytes: &[u8; 32]| {
            Header::decode(bytes, shape).is_some_and(|found| found.sequence == 0)
        };
        for bit in 0..256 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(is_none(&bytes), "{bit}");
        }
        for version in [2, 4] {
            let mut other = bytes;
            other[2] = version;
            let crc = Crc::new().with(&other[..28]).end();
            other[28..].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(Header::decode(&other, shape), None);
        }
        assert!(is_none(&[0xff; 32]));
    }
}
