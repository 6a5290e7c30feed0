//! Small types: uuid, pg_lsn, transaction ids, tid, money, void.

use core::fmt::{self, Write};

use super::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer, digits};

/// `uuid`: 16 bytes, in the order they are printed (RFC 9562, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Uuid(pub [u8; 16]);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if let 4 | 6 | 8 | 10 = index {
                f.write_char('-')?;
            }
            hex_byte(f, *byte)?;
        }
        Ok(())
    }
}

impl core::str::FromStr for Uuid {
    type Err = TypeError;

    /// Parses 32 hexadecimal digits with a hyphen before the 9th, 13th, 17th and 21st.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        let mut bytes = [0; 16];
        let mut text = text.as_bytes();
        for (index, byte) in bytes.iter_mut().enumerate() {
            if let 4 | 6 | 8 | 10 = index {
                text = text.strip_prefix(b"-").ok_or(TypeError::Malformed)?;
            }
            let (pair, rest) = text.split_first_chunk().ok_or(TypeError::Malformed)?;
            *byte = digits::hex_byte(*pair).ok_or(TypeError::Malformed)?;
            text = rest;
        }
        if text.is_empty() { Ok(Self(bytes)) } else { Err(TypeError::Malformed) }
    }
}

impl<'a> FromSql<'a> for Uuid {
    const OID: Oid = oid::UUID;

    fn accepts(oid: Oid) -> bool {
        oid == oid::UUID
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        value.fixed().map(Self)
    }
}

impl ToSql for Uuid {
    const OID: Oid = oid::UUID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.bytes(&self.0)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.param(out)
    }
}

/// `pg_lsn`: a byte position in the write-ahead log (manual, section 8.20). Not in openGauss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PgLsn(pub u64);

impl fmt::Display for PgLsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl<'a> FromSql<'a> for PgLsn {
    const OID: Oid = oid::PG_LSN;

    fn accepts(oid: Oid) -> bool {
        oid == oid::PG_LSN
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        value.fixed().map(u64::from_be_bytes).map(Self)
    }
}

impl ToSql for PgLsn {
    const OID: Oid = oid::PG_LSN;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u64(self.0)
    }
}

/// A transaction id: PostgreSQL's `xid8` and `xid`, openGauss's `xid`, which has 8 bytes (the low
/// half first), and its `xid32`. Sent as `xid8`, to openGauss as its `xid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Xid(pub u64);

impl<'a> FromSql<'a> for Xid {
    const OID: Oid = oid::XID8;

    fn accepts(oid: Oid) -> bool {
        matches!(oid, oid::XID8 | oid::XID | oid::XID32)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let first = bytes.u32()?;
        let second = if bytes.is_empty() { None } else { Some(bytes.u32()?) };
        bytes.finish()?;
        let wide = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        match (value.oid, second) {
            (oid::XID8, Some(low)) => Ok(Self(wide(first, low))),
            (oid::XID8, None) => Err(TypeError::Malformed),
            (_, Some(high)) => Ok(Self(wide(high, first))),
            (_, None) => Ok(Self(first.into())),
        }
    }
}

impl ToSql for Xid {
    const OID: Oid = oid::XID8;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u64(if out.rules().is_gauss() { self.0.rotate_left(32) } else { self.0 })
    }
}

/// `tid`: where a row lies in its table, as in the system column `ctid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tid {
    /// Number of the block.
    pub block: u32,
    /// Number of the row in the block.
    pub offset: u16,
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.block, self.offset)
    }
}

impl<'a> FromSql<'a> for Tid {
    const OID: Oid = oid::TID;

    fn accepts(oid: Oid) -> bool {
        oid == oid::TID
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let tid = Self { block: bytes.u32()?, offset: bytes.u16()? };
        bytes.finish()?;
        Ok(tid)
    }
}

impl ToSql for Tid {
    const OID: Oid = oid::TID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u32(self.block)?;
        out.u16(self.offset)
    }
}

/// `money`, in the smallest unit of the database's currency. How many decimal places that are is
/// the server's `lc_monetary`, so only the count of units is exact here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Money(pub i64);

impl<'a> FromSql<'a> for Money {
    const OID: Oid = oid::MONEY;

    fn accepts(oid: Oid) -> bool {
        oid == oid::MONEY
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        value.fixed().map(i64::from_be_bytes).map(Self)
    }
}

impl ToSql for Money {
    const OID: Oid = oid::MONEY;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i64(self.0)
    }
}

/// `void`, what a function returns that returns nothing.
impl<'a> FromSql<'a> for () {
    const OID: Oid = oid::VOID;

    fn accepts(oid: Oid) -> bool {
        oid == oid::VOID
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        if value.bytes.is_empty() { Ok(()) } else { Err(TypeError::Malformed) }
    }
}

/// Prints two lower-case hexadecimal digits.
pub(super) fn hex_byte(f: &mut fmt::Formatter<'_>, byte: u8) -> fmt::Result {
    for nibble in [byte >> 4, byte] {
        f.write_char(digits::hex_digit(nibble).into())?;
    }
    Ok(())
}
