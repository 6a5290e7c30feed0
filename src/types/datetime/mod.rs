//! date, time, timetz, timestamp, timestamptz, interval (manual, section 8.5).
//!
//! The server's epoch is 2000-01-01 00:00:00 (UTC where there is a zone), its calendar the
//! proleptic Gregorian one, and a second lasts 1,000,000 µs always. Years are counted as ISO 8601
//! does: 0 is 1 BC, −4713 is 4714 BC; `Display` prints `BC` as the server does with
//! `DateStyle = ISO`. Every value that exists is one the server takes.

mod civil;
mod date;
mod interval;
mod text;
mod time;
mod timestamp;

pub use date::Date;
pub use interval::Interval;
pub use time::{Time, TimeTz};
pub use timestamp::{Timestamp, TimestampTz};

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Microseconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// Days from 1970-01-01 to 2000-01-01.
const UNIX_DAYS: i32 = 10_957;
