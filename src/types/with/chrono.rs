//! Crate `chrono`: `NaiveDate`, `NaiveTime`, `NaiveDateTime` (`timestamp`) and `DateTime<Utc>`
//! (`timestamptz`).
//!
//! Infinite values, years the crate does not have and 24:00 are `TypeError::Range`. Nanoseconds
//! below a microsecond are cut when sent, and a leap second becomes the second before it.

use ::chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use super::via;
use crate::types;

via! {
    NaiveDate => types::Date, read_date, write_date;
    NaiveTime => types::Time, read_time, write_time;
    NaiveDateTime => types::Timestamp, read, write;
    DateTime<Utc> => types::TimestampTz,
        |value| Some(read(value.to_utc())?.and_utc()),
        |value| Some(write(&value.naive_utc())?.assume_utc());
}

fn read_date(date: types::Date) -> Option<NaiveDate> {
    let (year, month, day) = date.ymd()?;
    NaiveDate::from_ymd_opt(year, month.into(), day.into())
}

fn write_date(date: &NaiveDate) -> Option<types::Date> {
    let (month, day) = (u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?);
    types::Date::new(date.year(), month, day)
}

fn read_time(time: types::Time) -> Option<NaiveTime> {
    let (hour, minute, second, micros) = time.hms();
    NaiveTime::from_hms_micro_opt(hour.into(), minute.into(), second.into(), micros)
}

fn write_time(time: &NaiveTime) -> Option<types::Time> {
    let seconds = i64::from(time.num_seconds_from_midnight()).checked_mul(1_000_000)?;
    types::Time::from_micros(seconds.checked_add((time.nanosecond() / 1000).min(999_999).into())?)
}

fn read(value: types::Timestamp) -> Option<NaiveDateTime> {
    let (date, time) = value.date_time()?;
    Some(NaiveDateTime::new(read_date(date)?, read_time(time)?))
}

fn write(value: &NaiveDateTime) -> Option<types::Timestamp> {
    types::Timestamp::new(write_date(&value.date())?, write_time(&value.time())?)
}
