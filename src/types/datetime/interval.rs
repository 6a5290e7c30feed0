//! Spans of time.

use core::fmt::{self, Write};

use super::{DAY, split_day, text};
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// `interval`: months, days and microseconds, kept apart because months and days differ in
/// length. 16 bytes.
///
/// Read in binary format only: the text of a simple query depends on `IntervalStyle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Interval {
    /// Months; 12 make a year.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds. Hours may pass 24.
    pub micros: i64,
}

impl Interval {
    /// No time.
    pub const ZERO: Self = Self { months: 0, days: 0, micros: 0 };
    /// Longer than every other, from PostgreSQL 17 on. Older servers take it for 178,956,970
    /// years, 7 months, 2,147,483,647 days and 2,562,047,788 hours.
    pub const INFINITY: Self = Self { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
    /// Shorter than every other, from PostgreSQL 17 on.
    pub const NEG_INFINITY: Self = Self { months: i32::MIN, days: i32::MIN, micros: i64::MIN };

    /// False for the two infinities.
    pub fn is_finite(self) -> bool {
        self != Self::INFINITY && self != Self::NEG_INFINITY
    }
}

/// As PostgreSQL 17 and later print it with `IntervalStyle = postgres`, the default.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_finite() {
            return f.write_str(if self.months > 0 { "infinity" } else { "-infinity" });
        }
        let mut parts = Parts { f, first: true, negative: false };
        parts.print(self.months / 12, " year")?;
        parts.print(self.months % 12, " mon")?;
        parts.print(self.days, " day")?;
        let Parts { first, negative, .. } = parts;
        if self.micros == 0 && !first {
            return Ok(());
        }
        if !first {
            f.write_char(' ')?;
        }
        if self.micros < 0 {
            f.write_char('-')?;
        } else if negative {
            f.write_char('+')?;
        }
        // |micros| in days and the rest: the least value has no positive of its own.
        let (days, micros) = match split_day(self.micros) {
            (days, micros) if days >= 0 => (days, micros),
            (days, 0) => (days.wrapping_neg(), 0),
            (days, micros) => (days.wrapping_neg().wrapping_sub(1), DAY.wrapping_sub(micros)),
        };
        text::clock(f, days.cast_unsigned(), micros)
    }
}

/// The parts before the time. A positive part after a negative one shows its sign.
struct Parts<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    first: bool,
    negative: bool,
}

impl Parts<'_, '_> {
    fn print(&mut self, value: i32, unit: &str) -> fmt::Result {
        if value == 0 {
            return Ok(());
        }
        if !self.first {
            self.f.write_char(' ')?;
        }
        if value < 0 {
            self.f.write_char('-')?;
        } else if self.negative {
            self.f.write_char('+')?;
        }
        text::padded(self.f, value.unsigned_abs(), 1)?;
        self.f.write_str(unit)?;
        if value != 1 {
            self.f.write_char('s')?;
        }
        self.first = false;
        self.negative = value < 0;
        Ok(())
    }
}

impl<'a> FromSql<'a> for Interval {
    const OID: Oid = oid::INTERVAL;

    fn accepts(oid: Oid) -> bool {
        oid == oid::INTERVAL
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let (micros, days, months) = (bytes.i64()?, bytes.i32()?, bytes.i32()?);
        bytes.finish()?;
        Ok(Self { months, days, micros })
    }
}

impl ToSql for Interval {
    const OID: Oid = oid::INTERVAL;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i64(self.micros)?;
        out.i32(self.days)?;
        out.i32(self.months)
    }
}
