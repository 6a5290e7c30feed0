//! Crate `time`: `Date`, `Time`, `PrimitiveDateTime` (`timestamp`) and `OffsetDateTime`
//! (`timestamptz`, read in UTC).
//!
//! Infinite values, years the crate does not have and 24:00 are `TypeError::Range`. Nanoseconds
//! below a microsecond are cut when sent.

use ::time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::via;
use crate::types;

via! {
    Date => types::Date, read_date, write_date;
    Time => types::Time, read_time, write_time;
    PrimitiveDateTime => types::Timestamp, read, write;
    OffsetDateTime => types::TimestampTz,
        |value| Some(read(value.to_utc())?.assume_utc()),
        |value| {
            let utc = value.checked_to_offset(::time::UtcOffset::UTC)?;
            Some(write(&PrimitiveDateTime::new(utc.date(), utc.time()))?.assume_utc())
        };
}

fn read_date(date: types::Date) -> Option<Date> {
    let (year, month, day) = date.ymd()?;
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

fn write_date(date: &Date) -> Option<types::Date> {
    types::Date::new(date.year(), date.month().into(), date.day())
}

fn read_time(time: types::Time) -> Option<Time> {
    let (hour, minute, second, micros) = time.hms();
    Time::from_hms_micro(hour, minute, second, micros).ok()
}

fn write_time(time: &Time) -> Option<types::Time> {
    types::Time::new(time.hour(), time.minute(), time.second(), time.microsecond())
}

fn read(value: types::Timestamp) -> Option<PrimitiveDateTime> {
    let (date, time) = value.date_time()?;
    Some(PrimitiveDateTime::new(read_date(date)?, read_time(time)?))
}

fn write(value: &PrimitiveDateTime) -> Option<types::Timestamp> {
    types::Timestamp::new(write_date(&value.date())?, write_time(&value.time())?)
}
