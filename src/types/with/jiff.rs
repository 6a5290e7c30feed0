//! Crate `jiff`: `civil::Date`, `civil::Time`, `civil::DateTime` (`timestamp`) and `Timestamp`
//! (`timestamptz`).
//!
//! Infinite values, years the crate does not have and 24:00 are `TypeError::Range`. Nanoseconds
//! below a microsecond are cut when sent. On ARMv6-M (Cortex-M0) the firmware has to enable
//! `critical-section` or `unsafe-assume-single-core` of the crate `portable-atomic`.

use ::jiff::Timestamp;
use ::jiff::civil::{Date, DateTime, Time};

use super::via;
use crate::types;

via! {
    Date => types::Date, read_date, write_date;
    Time => types::Time, read_time, write_time;
    DateTime => types::Timestamp,
        |value| {
            let (date, time) = value.date_time()?;
            Some(DateTime::from_parts(read_date(date)?, read_time(time)?))
        },
        |value| types::Timestamp::new(write_date(&value.date())?, write_time(&value.time())?);
    Timestamp => types::TimestampTz,
        |value| Timestamp::from_microsecond(value.unix_micros()?).ok(),
        // Towards the past, as the times above, also before 1970.
        |value| {
            let micros = value.as_nanosecond().div_euclid(1000);
            types::TimestampTz::from_unix_micros(i64::try_from(micros).ok()?)
        };
}

fn read_date(date: types::Date) -> Option<Date> {
    let (year, month, day) = date.ymd()?;
    let (month, day) = (i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    Date::new(i16::try_from(year).ok()?, month, day).ok()
}

fn write_date(date: &Date) -> Option<types::Date> {
    let (month, day) = (u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
    types::Date::new(date.year().into(), month, day)
}

fn read_time(time: types::Time) -> Option<Time> {
    let (hour, minute, second, micros) = time.hms();
    let [hour, minute, second] = [hour, minute, second].map(|part| i8::try_from(part).ok());
    Time::new(hour?, minute?, second?, i32::try_from(micros).ok()?.checked_mul(1000)?).ok()
}

fn write_time(time: &Time) -> Option<types::Time> {
    let [hour, minute, second] =
        [time.hour(), time.minute(), time.second()].map(|part| u8::try_from(part).ok());
    types::Time::new(hour?, minute?, second?, u32::try_from(time.subsec_nanosecond()).ok()? / 1000)
}
