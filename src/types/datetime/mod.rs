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

/// Splits microseconds into whole days (towards the past) and the rest. Subtracting is enough: a
/// 64-bit division is a kilobyte on a core without one.
fn split_day(micros: i64) -> (i32, i64) {
    // |micros| is less than 2^27 days, so days fit, and so does a day 26 times doubled.
    let mut left = micros.unsigned_abs();
    let mut days = 0_u32;
    for bit in (0..27).rev() {
        let span = DAY.unsigned_abs() << bit;
        days <<= 1;
        if let Some(rest) = left.checked_sub(span) {
            left = rest;
            days |= 1;
        }
    }
    let (days, left) = (days.cast_signed(), left.cast_signed());
    match (micros < 0, left) {
        (false, _) => (days, left),
        (true, 0) => (days.wrapping_neg(), 0),
        (true, _) => (days.wrapping_neg().wrapping_sub(1), DAY.wrapping_sub(left)),
    }
}

/// Splits less than 2^38 microseconds (three days) into seconds and the rest, by way of 32 bits.
fn split_second(micros: i64) -> (u32, u32) {
    // 1,000,000 is 64 × 15,625.
    let seconds = u32::try_from(micros >> 6).unwrap_or(0) / 15_625;
    let rest = micros.wrapping_sub(i64::from(seconds).wrapping_mul(SECOND));
    (seconds, u32::try_from(rest).unwrap_or(0))
}

/// Days from 1970-01-01 to 2000-01-01.
const UNIX_DAYS: i32 = 10_957;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_division_does() {
        let edges = [0, 1, SECOND, DAY, 3 * DAY, 106_000_000 * DAY, i64::MAX];
        for micros in edges.iter().flat_map(|edge| [edge - 1, *edge, edge.saturating_add(1)]) {
            for micros in [micros, -micros] {
                let days = i32::try_from(micros.div_euclid(DAY)).unwrap();
                assert_eq!(split_day(micros), (days, micros.rem_euclid(DAY)), "{micros}");
            }
            let micros = micros.rem_euclid(DAY + 1);
            let (seconds, rest) = split_second(micros);
            assert_eq!((i64::from(seconds), i64::from(rest)), (micros / SECOND, micros % SECOND));
        }
        assert_eq!(split_day(i64::MIN).0, -106_751_992);
    }
}
