//! The calendar day.

use core::fmt;

use super::text::{self, Scan};
use super::{Timestamp, UNIX_DAYS, civil, split_day};
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// `date`: 4714-11-24 BC to 5874897-12-31, or infinite. 4 bytes.
///
/// Also reads `timestamp` values at midnight, because a `DATE` column of an openGauss database of
/// compatibility `A` is a `timestamp(0)`; one with a time of day is [`TypeError::Range`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Date(i32);

impl Date {
    /// 2000-01-01, day 0 of the server.
    pub const EPOCH: Self = Self(0);
    /// 1970-01-01.
    pub const UNIX_EPOCH: Self = Self(-UNIX_DAYS);
    /// 4714-11-24 BC.
    pub const MIN: Self = Self(civil::FIRST_DAY);
    /// 5874897-12-31.
    pub const MAX: Self = Self(civil::LAST_DAY);
    /// Later than every other date.
    pub const INFINITY: Self = Self(i32::MAX);
    /// Earlier than every other date.
    pub const NEG_INFINITY: Self = Self(i32::MIN);

    /// The date of `year` (0 is 1 BC), `month` (1 to 12) and `day` (1 to 31), `None` if there is
    /// none or it is out of range.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        civil::days(year, month, day).and_then(Self::from_days)
    }

    /// The date `days` after 2000-01-01, `None` if it is out of range.
    pub const fn from_days(days: i32) -> Option<Self> {
        if days < civil::FIRST_DAY || days > civil::LAST_DAY { None } else { Some(Self(days)) }
    }

    /// The date `days` after 1970-01-01, `None` if it is out of range.
    pub const fn from_unix_days(days: i32) -> Option<Self> {
        match days.checked_sub(UNIX_DAYS) {
            Some(days) => Self::from_days(days),
            None => None,
        }
    }

    /// Days since 2000-01-01, `None` for the infinities.
    pub const fn days(self) -> Option<i32> {
        if self.is_finite() { Some(self.0) } else { None }
    }

    /// Days since 1970-01-01, `None` for the infinities.
    pub const fn unix_days(self) -> Option<i32> {
        if self.is_finite() { self.0.checked_add(UNIX_DAYS) } else { None }
    }

    /// Year (0 is 1 BC), month (1 to 12) and day (1 to 31), `None` for the infinities.
    pub fn ymd(self) -> Option<(i32, u8, u8)> {
        self.days().map(civil::date)
    }

    /// False for the two infinities.
    pub const fn is_finite(self) -> bool {
        self.0 != i32::MAX && self.0 != i32::MIN
    }

    fn parse(text: &[u8]) -> Result<Self, TypeError> {
        match text {
            b"infinity" => return Ok(Self::INFINITY),
            b"-infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let mut scan = Scan::new(text);
        let (year, month, day) = scan.date()?;
        // A timestamp's.
        if scan.time_of_day()? != 0 {
            return Err(TypeError::Range);
        }
        let year = scan.era(year)?;
        scan.finish()?;
        Self::new(year, month, day).ok_or(TypeError::Range)
    }
}

/// As the server prints it with `DateStyle = ISO`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ymd() {
            Some(ymd) => {
                text::date(f, ymd)?;
                text::era(f, ymd.0)
            }
            None => f.write_str(if self.0 > 0 { "infinity" } else { "-infinity" }),
        }
    }
}

impl core::str::FromStr for Date {
    type Err = TypeError;

    /// Parses what `Display` prints, and what a [`Timestamp`] at midnight does.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text.as_bytes())
    }
}

impl<'a> FromSql<'a> for Date {
    const OID: Oid = oid::DATE;

    fn accepts(oid: Oid) -> bool {
        matches!(oid, oid::DATE | oid::TIMESTAMP)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        if value.oid == oid::TIMESTAMP {
            return Timestamp::from_sql(value)?.at_midnight().ok_or(TypeError::Range);
        }
        match i32::from_be_bytes(value.fixed()?) {
            i32::MAX => Ok(Self::INFINITY),
            i32::MIN => Ok(Self::NEG_INFINITY),
            days => Self::from_days(days).ok_or(TypeError::Range),
        }
    }
}

impl ToSql for Date {
    const OID: Oid = oid::DATE;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i32(self.0)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.0.param(out)
    }
}

impl Timestamp {
    /// The date, if the time of day is 00:00.
    fn at_midnight(self) -> Option<Date> {
        match self {
            Self::INFINITY => Some(Date::INFINITY),
            Self::NEG_INFINITY => Some(Date::NEG_INFINITY),
            finite => {
                let (days, time) = split_day(finite.micros()?);
                if time == 0 { Date::from_days(days) } else { None }
            }
        }
    }
}
