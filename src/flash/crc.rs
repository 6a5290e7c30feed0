//! The checksum of what is kept in flash.

/// A CRC-32 (IEEE 802.3) in the making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc(u32);

impl Crc {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    /// One that begins with a number.
    #[cfg(feature = "outbox")]
    pub(crate) const fn of(number: u32) -> Self {
        Self(!number)
    }

    #[must_use]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn with(mut self, bytes: &[u8]) -> Self {
        // By halves of bytes: 64 bytes of table, a quarter of the steps of one bit at a time.
        const TABLE: [u32; 16] = table();
        for &byte in bytes {
            self.0 ^= u32::from(byte);
            for _ in 0..2 {
                let [low, ..] = (self.0 & 15).to_le_bytes();
                let step = TABLE.get(usize::from(low)).copied().unwrap_or(0);
                self.0 = self.0 >> 4 ^ step;
            }
        }
        self
    }

    pub(crate) const fn end(self) -> u32 {
        !self.0
    }
}

/// The CRC of each half of a byte.
#[allow(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    reason = "made when compiling"
)]
const fn table() -> [u32; 16] {
    let mut table = [0; 16];
    let mut n = 0;
    while n < 16 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_is_that_of_ieee_802_3() {
        // Known answer: the check value of CRC-32/ISO-HDLC.
        assert_eq!(Crc::new().with(b"123456789").end(), 0xcbf4_3926);
        assert_eq!(Crc::new().with(b"1234").with(b"56789").end(), 0xcbf4_3926);
    }
}
