//! Decimal fields of dates and times, printed and parsed without `core::fmt`'s padding.

use core::fmt::{self, Write};

use super::{DAY, SECOND, split_second};
use crate::types::TypeError;
use crate::wire::digits;

/// Prints `value` with at least `width` digits.
pub(super) fn padded(f: &mut dyn Write, value: u32, width: usize) -> fmt::Result {
    let mut room = [0; digits::DECIMAL];
    let text = digits::decimal(value, &mut room);
    for _ in text.len()..width {
        f.write_char('0')?;
    }
    f.write_str(core::str::from_utf8(text).unwrap_or_default())
}

/// Prints a year, month and day; the era is printed by [`era`], after the time if there is one.
pub(super) fn date(f: &mut dyn Write, (year, month, day): (i32, u8, u8)) -> fmt::Result {
    let year = if year > 0 { year } else { 1_i32.saturating_sub(year) };
    padded(f, year.unsigned_abs(), 4)?;
    f.write_char('-')?;
    padded(f, month.into(), 2)?;
    f.write_char('-')?;
    padded(f, day.into(), 2)
}

/// Prints ` BC` for the years before 1.
pub(super) fn era(f: &mut dyn Write, year: i32) -> fmt::Result {
    if year > 0 { Ok(()) } else { f.write_str(" BC") }
}

/// Prints whole days as hours, and microseconds (to 24 hours), together as `HH:MM:SS[.ffffff]`
/// without trailing zeros.
pub(super) fn clock(f: &mut dyn Write, days: u32, micros: i64) -> fmt::Result {
    let (seconds, mut fraction) = split_second(micros);
    padded(f, days.saturating_mul(24).saturating_add(seconds / 3600), 2)?;
    let rest = seconds % 3600;
    f.write_char(':')?;
    padded(f, rest / 60, 2)?;
    f.write_char(':')?;
    padded(f, rest % 60, 2)?;
    if fraction == 0 {
        return Ok(());
    }
    f.write_char('.')?;
    let mut width = 6_usize;
    while fraction % 10 == 0 {
        fraction /= 10;
        width = width.saturating_sub(1);
    }
    padded(f, fraction, width)
}

/// Prints an offset from UTC in seconds as `+HH[:MM[:SS]]`.
pub(super) fn offset(f: &mut dyn Write, seconds: i32) -> fmt::Result {
    f.write_char(if seconds < 0 { '-' } else { '+' })?;
    let seconds = seconds.unsigned_abs();
    padded(f, seconds / 3600, 2)?;
    if !seconds.is_multiple_of(3600) {
        f.write_char(':')?;
        padded(f, seconds / 60 % 60, 2)?;
    }
    if !seconds.is_multiple_of(60) {
        f.write_char(':')?;
        padded(f, seconds % 60, 2)?;
    }
    Ok(())
}

/// A cursor over the text the server prints with `DateStyle = ISO`.
pub(super) struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// A cursor over all of `text`.
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// `year-month-day`; the year is as printed, the era follows later. It has four digits or more: what
    /// begins with fewer is in another order.
    pub(super) fn date(&mut self) -> Result<(i32, u8, u8), TypeError> {
        let before = self.rest.len();
        let year = i32::try_from(self.number()?).map_err(|_| TypeError::Range)?;
        if before.saturating_sub(self.rest.len()) < 4 {
            return Err(TypeError::Malformed);
        }
        self.expect(b'-')?;
        let month = self.small()?;
        self.expect(b'-')?;
        Ok((year, month, self.small()?))
    }

    /// ` BC` or nothing: the year counted as ISO 8601 does.
    pub(super) fn era(&mut self, year: i32) -> Result<i32, TypeError> {
        match self.rest.strip_prefix(b" BC") {
            // A printed year 0 does not exist.
            _ if year == 0 => Err(TypeError::Malformed),
            Some(rest) => {
                self.rest = rest;
                Ok(1_i32.saturating_sub(year))
            }
            None => Ok(year),
        }
    }

    /// A blank and [`clock`](Self::clock), or nothing, which is midnight: the era may follow.
    pub(super) fn time_of_day(&mut self) -> Result<i64, TypeError> {
        match self.rest {
            [b' ', rest @ ..] if *rest != *b"BC" => {
                self.rest = rest;
                self.clock()
            }
            _ => Ok(0),
        }
    }

    /// `HH:MM:SS[.ffffff]` up to 24:00:00, in microseconds.
    pub(super) fn clock(&mut self) -> Result<i64, TypeError> {
        let hour = i64::from(self.small()?);
        self.expect(b':')?;
        let minute = i64::from(self.small()?);
        self.expect(b':')?;
        let second = i64::from(self.small()?);
        let mut fraction = 0_i64;
        if self.take(b'.') {
            let (before, mut scale) = (self.rest.len(), SECOND);
            while let Some(digit) = self.digit() {
                scale /= 10;
                fraction = fraction.saturating_add(scale.saturating_mul(digit.into()));
            }
            if !(1..=6).contains(&before.saturating_sub(self.rest.len())) {
                return Err(TypeError::Malformed);
            }
        }
        if minute > 59 || second > 59 {
            return Err(TypeError::Malformed);
        }
        let seconds = hour.saturating_mul(60).saturating_add(minute).saturating_mul(60);
        let micros = seconds.saturating_add(second).saturating_mul(SECOND).saturating_add(fraction);
        if micros > DAY { Err(TypeError::Malformed) } else { Ok(micros) }
    }

    /// `+HH[:MM[:SS]]`, in seconds east of UTC.
    pub(super) fn offset(&mut self) -> Result<i32, TypeError> {
        let west = self.take(b'-');
        if !west {
            self.expect(b'+')?;
        }
        let mut seconds = i32::from(self.small()?).saturating_mul(3600);
        for unit in [60, 1] {
            if !self.take(b':') {
                break;
            }
            let part = i32::from(self.small()?);
            if part > 59 {
                return Err(TypeError::Malformed);
            }
            seconds = seconds.saturating_add(part.saturating_mul(unit));
        }
        Ok(if west { seconds.wrapping_neg() } else { seconds })
    }

    /// The byte `wanted`, else the text is malformed.
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), TypeError> {
        if self.take(wanted) { Ok(()) } else { Err(TypeError::Malformed) }
    }

    /// Checks that nothing is left.
    pub(super) const fn finish(self) -> Result<(), TypeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TypeError::Malformed) }
    }

    fn take(&mut self, wanted: u8) -> bool {
        let Some(rest) = self.rest.strip_prefix(&[wanted]) else { return false };
        self.rest = rest;
        true
    }

    fn digit(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        let digit = digits::decimal_value(*first)?;
        self.rest = rest;
        Some(digit)
    }

    fn number(&mut self) -> Result<u32, TypeError> {
        let mut number = u32::from(self.digit().ok_or(TypeError::Malformed)?);
        while let Some(digit) = self.digit() {
            let shifted = number.checked_mul(10).ok_or(TypeError::Range)?;
            number = shifted.checked_add(digit.into()).ok_or(TypeError::Range)?;
        }
        Ok(number)
    }

    /// A number of one digit or two: `+0200` is no offset of 200 hours, nor is the third month `003` to the
    /// server.
    fn small(&mut self) -> Result<u8, TypeError> {
        let first = self.digit().ok_or(TypeError::Malformed)?;
        Ok(match self.digit() {
            Some(second) => first.wrapping_mul(10).wrapping_add(second),
            None => first,
        })
    }
}
