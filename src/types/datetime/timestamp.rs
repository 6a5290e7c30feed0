//! Points in time: `timestamp` (a date and a time of day, zone unknown) and `timestamptz` (UTC).

use core::fmt;

use super::text::{self, Scan};
use super::{DAY, Date, SECOND, Time, UNIX_DAYS, civil, split_day};
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// 4714-11-24 00:00:00 BC.
const MIN: i64 = DAY * -2_451_545;

/// 294276-12-31 23:59:59.999999 (`END_TIMESTAMP` of `datatype/timestamp.h`, less one).
const MAX: i64 = 9_223_371_331_200_000_000 - 1;

/// Microseconds from 1970-01-01 to 2000-01-01.
const UNIX_MICROS: i64 = 946_684_800 * SECOND;

/// `timestamp` (without time zone): 4714-11-24 BC to the end of 294276, or infinite. 8 bytes.
/// Also reads openGauss's `smalldatetime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timestamp(i64);

/// `timestamptz`: a point in time, kept in UTC whatever the session's `TimeZone`. 8 bytes. Its
/// text is printed with offset `+00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimestampTz(i64);

/// What both types share: they differ in the zone of their text only.
macro_rules! instant {
    ($name:ident, $zone:literal, $oid:ident $(| $more:ident)*) => {
        impl $name {
            #[doc = concat!("2000-01-01 00:00:00", $zone, ", 0 of the server.")]
            pub const EPOCH: Self = Self(0);
            #[doc = concat!("1970-01-01 00:00:00", $zone, ".")]
            pub const UNIX_EPOCH: Self = Self(-UNIX_MICROS);
            /// 4714-11-24 00:00:00 BC.
            pub const MIN: Self = Self(MIN);
            /// 294276-12-31 23:59:59.999999.
            pub const MAX: Self = Self(MAX);
            /// Later than every other.
            pub const INFINITY: Self = Self(i64::MAX);
            /// Earlier than every other.
            pub const NEG_INFINITY: Self = Self(i64::MIN);

            #[doc = concat!("That date and time", $zone, ".")]
            /// `None` if it is out of range or the date is infinite. 24:00 is the next day.
            pub fn new(date: Date, time: Time) -> Option<Self> {
                let days = i64::from(date.days()?);
                Self::from_micros(days.checked_mul(DAY)?.checked_add(time.micros())?)
            }

            #[doc = concat!("`micros` after 2000-01-01 00:00:00", $zone, ".")]
            /// `None` if it is out of range.
            pub const fn from_micros(micros: i64) -> Option<Self> {
                if micros < MIN || micros > MAX { None } else { Some(Self(micros)) }
            }

            #[doc = concat!("Microseconds since 2000-01-01 00:00:00", $zone, ".")]
            /// `None` for the infinities.
            pub const fn micros(self) -> Option<i64> {
                if self.is_finite() { Some(self.0) } else { None }
            }

            #[doc = concat!("`micros` after 1970-01-01 00:00:00", $zone, ".")]
            /// `None` if it is out of range.
            pub const fn from_unix_micros(micros: i64) -> Option<Self> {
                match micros.checked_sub(UNIX_MICROS) {
                    Some(micros) => Self::from_micros(micros),
                    None => None,
                }
            }

            #[doc = concat!("Microseconds since 1970-01-01 00:00:00", $zone, ".")]
            /// `None` for the infinities, and for the last 30 years, which `i64` does not hold.
            pub const fn unix_micros(self) -> Option<i64> {
                if self.is_finite() { self.0.checked_add(UNIX_MICROS) } else { None }
            }

            #[doc = concat!("`seconds` after 1970-01-01 00:00:00", $zone, ".")]
            /// `None` if it is out of range.
            pub const fn from_unix_seconds(seconds: i64) -> Option<Self> {
                match seconds.checked_mul(SECOND) {
                    Some(micros) => Self::from_unix_micros(micros),
                    None => None,
                }
            }

            /// Date and time of day, `None` for the infinities.
            pub fn date_time(self) -> Option<(Date, Time)> {
                let (days, time) = split_day(self.micros()?);
                Some((Date::from_days(days)?, Time::from_micros(time)?))
            }

            /// False for the two infinities.
            pub const fn is_finite(self) -> bool {
                self.0 != i64::MAX && self.0 != i64::MIN
            }

            fn parse(text: &[u8]) -> Result<Self, TypeError> {
                let micros = match text {
                    b"infinity" => return Ok(Self::INFINITY),
                    b"-infinity" => return Ok(Self::NEG_INFINITY),
                    text => parse(text, Self::ZONE)?,
                };
                Self::from_micros(micros).ok_or(TypeError::Range)
            }
        }

        /// As the server prints it with `DateStyle = ISO` and `TimeZone = UTC`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.date_time() {
                    Some(pair) => print(f, pair, $zone),
                    None => f.write_str(if self.0 > 0 { "infinity" } else { "-infinity" }),
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = TypeError;

            /// Parses what the server prints with `DateStyle = ISO`, but for a zone that is 100 hours off or
            /// more: such a text means another time to the server itself.
            fn from_str(text: &str) -> Result<Self, TypeError> {
                Self::parse(text.as_bytes())
            }
        }

        impl<'a> FromSql<'a> for $name {
            const OID: Oid = oid::$oid;

            #[inline]
            fn accepts(oid: Oid) -> bool {
                matches!(oid, oid::$oid $(| oid::$more)*)
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                match i64::from_be_bytes(value.fixed()?) {
                    i64::MAX => Ok(Self::INFINITY),
                    i64::MIN => Ok(Self::NEG_INFINITY),
                    micros => Self::from_micros(micros).ok_or(TypeError::Range),
                }
            }
        }

        impl ToSql for $name {
            const OID: Oid = oid::$oid;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.i64(self.0)
            }

            #[cfg_attr(not(target_os = "none"), inline(always))]
            #[cfg_attr(target_os = "none", inline)]
            fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                self.0.param(out)
            }
        }
    };
}

instant!(Timestamp, "", TIMESTAMP | SMALLDATETIME);
instant!(TimestampTz, "+00", TIMESTAMPTZ);

impl Timestamp {
    const ZONE: bool = false;

    /// The same date and time in UTC.
    pub const fn assume_utc(self) -> TimestampTz {
        TimestampTz(self.0)
    }
}

impl TimestampTz {
    const ZONE: bool = true;

    /// Date and time in UTC.
    pub const fn to_utc(self) -> Timestamp {
        Timestamp(self.0)
    }
}

fn print(f: &mut fmt::Formatter<'_>, (date, time): (Date, Time), zone: &str) -> fmt::Result {
    let ymd = date.ymd().unwrap_or_default();
    text::date(f, ymd)?;
    f.write_str(" ")?;
    fmt::Display::fmt(&time, f)?;
    f.write_str(zone)?;
    text::era(f, ymd.0)
}

fn parse(text: &[u8], zone: bool) -> Result<i64, TypeError> {
    let mut scan = Scan::new(text);
    let (year, month, day) = scan.date()?;
    scan.expect(b' ')?;
    let time = scan.clock()?;
    let offset = if zone { scan.offset()? } else { 0 };
    let year = scan.era(year)?;
    scan.finish()?;
    let days = civil::days(year, month, day).ok_or(TypeError::Range)?;
    let micros = i64::from(days).checked_mul(DAY).and_then(|days| days.checked_add(time));
    let offset = i64::from(offset).saturating_mul(SECOND);
    micros.and_then(|micros| micros.checked_sub(offset)).ok_or(TypeError::Range)
}

const _: () = assert!(UNIX_MICROS / DAY == 10_957 && UNIX_DAYS == 10_957);
