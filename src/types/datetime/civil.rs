//! The proleptic Gregorian calendar in 32-bit integers.
//!
//! Days are counted in eras of 400 years that begin on 1 March, so that the leap day is the last
//! day of its year. Every value here is bounded by the range of `date`, so nothing overflows; the
//! wrapping operations only say that no check needs to be compiled in.

/// First day of `date` and of the timestamps, 4714-11-24 BC (Julian day 0), from 2000-01-01.
pub(super) const FIRST_DAY: i32 = -2_451_545;

/// Last day of `date`, 5874897-12-31.
pub(super) const LAST_DAY: i32 = 2_145_031_948;

/// Days of an era of 400 years.
const ERA: i32 = 146_097;

/// Days from 0000-03-01 to 2000-01-01.
const EPOCH: i32 = 730_425;

/// Days from 2000-01-01 to that date. `None` if there is no such date or it is outside `date`; the days of
/// 4714 BC before the first are not: a time there west of Greenwich may be later in UTC.
pub(super) fn days(year: i32, month: u8, day: u8) -> Option<i32> {
    if !(-4713..=5_874_897).contains(&year) || day == 0 || day > month_length(year, month) {
        return None;
    }
    let month = i32::from(month);
    // January and February belong to the year before.
    let year = year.wrapping_sub(i32::from(month < 3));
    let from_march = month.wrapping_add(9) % 12;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day = leap_days(of_era)
        .wrapping_add(of_era.wrapping_mul(365))
        .wrapping_add(before_month(from_march))
        .wrapping_add(i32::from(day).wrapping_sub(1));
    Some(era.wrapping_mul(ERA).wrapping_add(day).wrapping_sub(EPOCH))
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 2000-01-01.
pub(super) fn date(days: i32) -> (i32, u8, u8) {
    let days = days.wrapping_add(EPOCH);
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    // Less the leap days before: one each 1460 days, none each 36,524, one each 146,096.
    let leap = (day / 1460).wrapping_sub(day / 36_524).wrapping_add(day / 146_096);
    let of_era = day.wrapping_sub(leap) / 365;
    let of_year = day.wrapping_sub(of_era.wrapping_mul(365)).wrapping_sub(leap_days(of_era));
    let from_march = of_year.wrapping_mul(5).wrapping_add(2) / 153;
    let day = of_year.wrapping_sub(before_month(from_march)).wrapping_add(1);
    let month = from_march.wrapping_add(if from_march < 10 { 3 } else { -9 });
    let year = era.wrapping_mul(400).wrapping_add(of_era).wrapping_add(i32::from(month < 3));
    (year, small(month), small(day))
}

/// Leap days in the first `years` years of an era.
const fn leap_days(years: i32) -> i32 {
    (years / 4).wrapping_sub(years / 100)
}

/// Days of a year that begins in March before its month `from_march` (0 to 11): five months have
/// 153 days.
const fn before_month(from_march: i32) -> i32 {
    from_march.wrapping_mul(153).wrapping_add(2) / 5
}

/// Days of a month, 0 for a month that does not exist.
fn month_length(year: i32, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// A value known to fit.
pub(super) fn small(value: i32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        for (year, month, day, days_since) in [
            (2000, 1, 1, 0),
            (1999, 12, 31, -1),
            (1970, 1, 1, -10_957),
            (2000, 2, 29, 59),
            (2000, 3, 1, 60),
            (1, 1, 1, -730_119),
            (0, 12, 31, -730_120),
            (-4713, 11, 24, FIRST_DAY),
            (5_874_897, 12, 31, LAST_DAY),
        ] {
            assert_eq!(days(year, month, day), Some(days_since), "{year}-{month}-{day}");
            assert_eq!(date(days_since), (year, month, day));
        }
        for (year, month, day) in [
            (2001, 2, 29),
            (1900, 2, 29),
            (2000, 0, 1),
            (2000, 13, 1),
            (2000, 4, 31),
            (2000, 1, 0),
            (-4714, 12, 31),
            (5_874_898, 1, 1),
            (i32::MIN, 1, 1),
            (i32::MAX, 12, 31),
        ] {
            assert_eq!(days(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let first = days(-400, 1, 1).unwrap();
        let mut yesterday = date(first - 1);
        for day in first..first + 2 * 146_097 {
            let (y, m, d) = date(day);
            assert_eq!(days(y, m, d), Some(day));
            let (ly, lm, ld) = yesterday;
            let next = if ld < month_length(ly, lm) {
                (ly, lm, ld + 1)
            } else if lm < 12 {
                (ly, lm + 1, 1)
            } else {
                (ly + 1, 1, 1)
            };
            assert_eq!((y, m, d), next);
            yesterday = (y, m, d);
        }
    }
}
