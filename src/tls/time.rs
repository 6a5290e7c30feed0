//! The two time formats of certificates (RFC 5280 section 4.1.2.5).

use super::CertificateError;
use super::der::Tlv;
use crate::wire::digits;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Seconds since 1970-01-01 00:00:00 UTC; 0 for anything earlier.
pub(super) fn parse(tlv: Tlv<'_>) -> Result<u64, CertificateError> {
    seconds(tlv).ok_or(CertificateError::Malformed)
}

fn seconds(tlv: Tlv<'_>) -> Option<u64> {
    let (year, rest) = match (tlv.tag, tlv.value) {
        (UTC_TIME, [y1, y2, rest @ ..]) => {
            let year = two(*y1, *y2)?;
            (year.checked_add(if year < 50 { 2000 } else { 1900 })?, rest)
        }
        (GENERALIZED_TIME, [y1, y2, y3, y4, rest @ ..]) => {
            (two(*y1, *y2)?.checked_mul(100)?.checked_add(two(*y3, *y4)?)?, rest)
        }
        _ => return None,
    };
    let [o1, o2, d1, d2, h1, h2, m1, m2, s1, s2, b'Z'] = *rest else { return None };
    let (month, day) = (two(o1, o2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    if year < 1970 {
        return Some(0);
    }
    let days = days_since_1970(year, month, day)?;
    let of_day = hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)?;
    days.checked_mul(86_400)?.checked_add(u64::from(of_day))
}

fn two(high: u8, low: u8) -> Option<u32> {
    digits::number(&[high, low]).ok()
}

/// Days of the proleptic Gregorian calendar, counted from March so that the leap day is the
/// last of its year.
fn days_since_1970(year: u32, month: u32, day: u32) -> Option<u64> {
    let (year, month) = match month.checked_sub(3) {
        Some(month) => (year, month),
        None => (year.checked_sub(1)?, month.checked_add(9)?),
    };
    let of_years = year
        .checked_mul(365)?
        .checked_add(year.checked_div(4)?)?
        .checked_sub(year.checked_div(100)?)?
        .checked_add(year.checked_div(400)?)?;
    let of_months = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?;
    let days = of_years.checked_add(of_months)?.checked_add(day)?.checked_sub(719_469)?;
    Some(u64::from(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tag: u8, text: &str) -> Result<u64, CertificateError> {
        parse(Tlv { tag, value: text.as_bytes(), whole: &[] })
    }

    #[test]
    fn counts_like_the_calendar() {
        // Values of `date -u -d … +%s`.
        assert_eq!(at(UTC_TIME, "700101000000Z"), Ok(0));
        assert_eq!(at(UTC_TIME, "000229235959Z"), Ok(951_868_799));
        assert_eq!(at(UTC_TIME, "491231235959Z"), Ok(2_524_607_999));
        assert_eq!(at(UTC_TIME, "500101000000Z"), Ok(0)); // 1950
        assert_eq!(at(GENERALIZED_TIME, "20500101000000Z"), Ok(2_524_608_000));
        assert_eq!(at(GENERALIZED_TIME, "99991231235959Z"), Ok(253_402_300_799));
        assert_eq!(at(GENERALIZED_TIME, "19691231235959Z"), Ok(0));
    }

    #[test]
    fn refuses_other_forms() {
        for (tag, text) in [
            (UTC_TIME, "7001010000Z"),
            (UTC_TIME, "700101000000+0000"),
            (UTC_TIME, "701301000000Z"),
            (UTC_TIME, "700100000000Z"),
            (UTC_TIME, "700101240000Z"),
            (UTC_TIME, "70010100000 Z"),
            (GENERALIZED_TIME, "20500101000000.5Z"),
            (GENERALIZED_TIME, "700101000000Z"),
            (0x16, "700101000000Z"),
            (UTC_TIME, ""),
        ] {
            assert_eq!(at(tag, text), Err(CertificateError::Malformed), "{text}");
        }
    }
}
