//! Bit strings (manual, section 8.10).

use core::fmt::{self, Write};

use super::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// `bit` and `varbit`: the first bit is the highest of the first byte. Sent as `varbit`, which
/// the server takes for `bit` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Bits<'a> {
    bytes: &'a [u8],
    len: u32,
}

impl<'a> Bits<'a> {
    /// The first `len` bits of `bytes`; `None` unless they take all bytes and the bits left over
    /// in the last one are 0.
    pub fn new(bytes: &'a [u8], len: u32) -> Option<Self> {
        let spare = len.div_ceil(8).saturating_mul(8).saturating_sub(len);
        let tail = bytes.last().map_or(0, |last| last & !u8::MAX.checked_shl(spare).unwrap_or(0));
        let fits = usize::try_from(len.div_ceil(8)) == Ok(bytes.len());
        (fits && tail == 0 && i32::try_from(len).is_ok()).then_some(Self { bytes, len })
    }

    /// Number of bits.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// True when there are no bits.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bits in bytes, the last one filled up with zeros.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bit at `index` (0 is the leftmost), `None` past the end.
    pub fn get(&self, index: u32) -> Option<bool> {
        let byte = self.bytes.get(usize::try_from(index / 8).ok()?)?;
        let mask = 0x80_u8 >> (index % 8);
        (index < self.len).then_some(byte & mask != 0)
    }
}

/// As the server prints it.
impl fmt::Display for Bits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in 0..self.len {
            f.write_char(if self.get(index) == Some(true) { '1' } else { '0' })?;
        }
        Ok(())
    }
}

impl<'a> FromSql<'a> for Bits<'a> {
    const OID: Oid = oid::VARBIT;

    fn accepts(oid: Oid) -> bool {
        matches!(oid, oid::BIT | oid::VARBIT)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let len = u32::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
        Self::new(bytes.rest(), len).ok_or(TypeError::Malformed)
    }
}

impl ToSql for Bits<'_> {
    const OID: Oid = oid::VARBIT;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u32(self.len)?;
        out.bytes(self.bytes)
    }
}
