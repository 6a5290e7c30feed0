//! The time of day, without and with a zone.

use core::fmt;

use super::civil::small;
use super::text::{self, Scan};
use super::{DAY, SECOND, split_second};
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// Offsets from UTC are less than 16 hours (`TZDISP_LIMIT` of `datatype/timestamp.h`).
const MAX_OFFSET: i32 = 16 * 3600 - 1;

/// `time`: microseconds since midnight, 00:00 to 24:00 inclusive. 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Time(i64);

/// `timetz`: a time of day and its offset from UTC. 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimeTz {
    time: Time,
    offset: i32,
}

impl Time {
    /// 00:00.
    pub const MIDNIGHT: Self = Self(0);
    /// 24:00, the end of the day, which the server keeps apart from 00:00.
    pub const MAX: Self = Self(DAY);

    /// The time of `hour` (to 23), `minute`, `second` (to 59) and `micros` (to 999,999), `None`
    /// if there is none.
    pub fn new(hour: u8, minute: u8, second: u8, micros: u32) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
            return None;
        }
        let minutes = u32::from(hour).saturating_mul(60).saturating_add(minute.into());
        let seconds = minutes.saturating_mul(60).saturating_add(second.into());
        Some(Self(i64::from(seconds).saturating_mul(SECOND).saturating_add(micros.into())))
    }

    /// The time `micros` after midnight, `None` past 24:00.
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < 0 || micros > DAY { None } else { Some(Self(micros)) }
    }

    /// Microseconds since midnight.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Hour (24 only for [`MAX`](Self::MAX)), minute, second and microseconds.
    pub fn hms(self) -> (u8, u8, u8, u32) {
        let (seconds, micros) = split_second(self.0);
        let seconds = seconds.cast_signed();
        (small(seconds / 3600), small(seconds / 60 % 60), small(seconds % 60), micros)
    }

    fn parse(text: &[u8]) -> Result<Self, TypeError> {
        let mut scan = Scan::new(text);
        let micros = scan.clock()?;
        scan.finish()?;
        Ok(Self(micros))
    }
}

impl TimeTz {
    /// A time of day that is `offset` seconds east of UTC, `None` from 16 hours on.
    pub const fn new(time: Time, offset: i32) -> Option<Self> {
        if offset < -MAX_OFFSET || offset > MAX_OFFSET { None } else { Some(Self { time, offset }) }
    }

    /// The time of day where it was taken.
    pub const fn time(self) -> Time {
        self.time
    }

    /// Seconds east of UTC. (The wire carries seconds west.)
    pub const fn offset(self) -> i32 {
        self.offset
    }

    fn parse(text: &[u8]) -> Result<Self, TypeError> {
        let mut scan = Scan::new(text);
        let time = Time(scan.clock()?);
        let offset = scan.offset()?;
        scan.finish()?;
        Self::new(time, offset).ok_or(TypeError::Range)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::clock(f, 0, self.0)
    }
}

impl fmt::Display for TimeTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.time, f)?;
        text::offset(f, self.offset)
    }
}

impl core::str::FromStr for Time {
    type Err = TypeError;

    /// Parses what `Display` prints.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text.as_bytes())
    }
}

impl core::str::FromStr for TimeTz {
    type Err = TypeError;

    /// Parses what `Display` prints.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text.as_bytes())
    }
}

impl<'a> FromSql<'a> for Time {
    const OID: Oid = oid::TIME;

    fn accepts(oid: Oid) -> bool {
        oid == oid::TIME
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Self::from_micros(i64::from_be_bytes(value.fixed()?)).ok_or(TypeError::Range)
    }
}

impl ToSql for Time {
    const OID: Oid = oid::TIME;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i64(self.0)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.param(out)
    }
}

impl<'a> FromSql<'a> for TimeTz {
    const OID: Oid = oid::TIMETZ;

    fn accepts(oid: Oid) -> bool {
        oid == oid::TIMETZ
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let time = Time::from_micros(bytes.i64()?).ok_or(TypeError::Range)?;
        let west = bytes.i32()?;
        bytes.finish()?;
        west.checked_neg().and_then(|east| Self::new(time, east)).ok_or(TypeError::Range)
    }
}

impl ToSql for TimeTz {
    const OID: Oid = oid::TIMETZ;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i64(self.time.0)?;
        out.i32(self.offset.wrapping_neg())
    }
}
