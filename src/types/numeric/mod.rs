//! `numeric`: decimal numbers of any precision (manual, section 8.1.2).
//!
//! Two Rust types, both exact and without floating point. [`Scaled`] is an integer with a fixed
//! number of decimal places, the usual thing for sensor values and money. [`Numeric`] keeps what
//! the server sent, up to a fixed number of digits, with NaN and the infinities.

mod scaled;
mod wire;

pub use scaled::Scaled;

use core::cmp::Ordering;
use core::fmt;

use super::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};
use wire::{Parts, Sign, collect};

/// A decimal number of up to `N` digits to base 10,000, which is `4 × N` decimal digits if the
/// decimal point falls between two of them, else up to 3 fewer. 2 × `N` + 8 bytes.
///
/// More digits than that are [`TypeError::Capacity`] when read. Comparison is by value, as the
/// server's: 1.0 equals 1.00, NaN equals itself and is greater than everything else.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Numeric<const N: usize = 10> {
    sign: Sign,
    weight: i16,
    scale: u16,
    len: u16,
    /// Without zeros at either end.
    digits: [u16; N],
}

impl<const N: usize> Numeric<N> {
    /// 0, without decimal places.
    pub const ZERO: Self = Self::special(Sign::Positive);
    /// Not a number.
    pub const NAN: Self = Self::special(Sign::NaN);
    /// Greater than every number. Not in openGauss, nor in PostgreSQL before 14.
    pub const INFINITY: Self = Self::special(Sign::Infinity);
    /// Less than every number. Not in openGauss, nor in PostgreSQL before 14.
    pub const NEG_INFINITY: Self = Self::special(Sign::NegInfinity);

    /// `value × 10^−scale`, printed with `scale` decimal places.
    ///
    /// # Errors
    /// [`TypeError::Capacity`] when `N` digits do not hold it, [`TypeError::Range`] for a scale
    /// above 16,383.
    pub fn from_i128(value: i128, scale: u16) -> Result<Self, TypeError> {
        let sign = if value < 0 { Sign::Negative } else { Sign::Positive };
        let groups = scaled::groups(value.unsigned_abs(), scale);
        Self::from_digits(sign, groups.weight, scale, groups.digits().iter().copied())
    }

    /// The value in units of 10^−`scale`. `None` for NaN and infinities, when it has more decimal
    /// places than that, or when it does not fit.
    pub fn to_i128(&self, scale: u16) -> Option<i128> {
        if !self.is_finite() {
            return None;
        }
        let value = collect::<u128>(self.digits().iter().copied(), self.weight, scale)?;
        scaled::signed(value, self.is_negative())
    }

    /// Digits to base 10,000 without zeros at either end; none for 0, NaN and the infinities.
    pub fn digits(&self) -> &[u16] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Power of 10,000 of the first digit.
    pub const fn weight(&self) -> i16 {
        self.weight
    }

    /// Decimal places that are printed.
    pub const fn scale(&self) -> u16 {
        self.scale
    }

    /// True below 0.
    pub const fn is_negative(&self) -> bool {
        matches!(self.sign, Sign::Negative | Sign::NegInfinity)
    }

    /// True for NaN.
    pub const fn is_nan(&self) -> bool {
        matches!(self.sign, Sign::NaN)
    }

    /// False for NaN and the infinities.
    pub const fn is_finite(&self) -> bool {
        matches!(self.sign, Sign::Positive | Sign::Negative)
    }

    const fn special(sign: Sign) -> Self {
        Self { sign, weight: 0, scale: 0, len: 0, digits: [0; N] }
    }

    /// From digits without zeros at either end.
    fn from_digits(
        sign: Sign,
        weight: i16,
        scale: u16,
        digits: impl ExactSizeIterator<Item = u16>,
    ) -> Result<Self, TypeError> {
        if scale > wire::MAX_SCALE {
            return Err(TypeError::Range);
        }
        let len = u16::try_from(digits.len()).map_err(|_| TypeError::Capacity)?;
        let mut value = Self { sign, weight, scale, len, digits: [0; N] };
        let room = value.digits.get_mut(..len.into()).ok_or(TypeError::Capacity)?;
        for (place, digit) in room.iter_mut().zip(digits) {
            *place = digit;
        }
        Ok(value)
    }

    fn parse(text: &[u8]) -> Result<Self, TypeError> {
        match text {
            b"NaN" => return Ok(Self::NAN),
            b"Infinity" => return Ok(Self::INFINITY),
            b"-Infinity" => return Ok(Self::NEG_INFINITY),
            _ => {}
        }
        let (negative, whole, fraction) = scaled::split(text)?;
        let scale = u16::try_from(fraction.len()).map_err(|_| TypeError::Range)?;
        let places = i32::try_from(whole.len()).map_err(|_| TypeError::Range)?;
        let mut value = Self::from_digits(Sign::Positive, 0, scale, [].into_iter())?;
        let exponents = (i32::from(scale).wrapping_neg()..places).rev();
        for (exponent, decimal) in exponents.zip(whole.iter().chain(fraction)) {
            let decimal = u16::from(decimal.wrapping_sub(b'0'));
            if decimal == 0 {
                continue;
            }
            let group = i16::try_from(exponent.div_euclid(4)).map_err(|_| TypeError::Range)?;
            if value.len == 0 {
                value.weight = group;
                value.sign = if negative { Sign::Negative } else { Sign::Positive };
            }
            let index = u16::try_from(i32::from(value.weight).saturating_sub(group.into()))
                .map_err(|_| TypeError::Range)?;
            let digit = value.digits.get_mut(usize::from(index)).ok_or(TypeError::Capacity)?;
            let unit = wire::power(u32::try_from(exponent.rem_euclid(4)).unwrap_or(0));
            *digit = digit.saturating_add(decimal.saturating_mul(unit));
            value.len = index.saturating_add(1);
        }
        Ok(value)
    }
}

/// As the server prints it.
impl<const N: usize> fmt::Display for Numeric<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sign {
            Sign::NaN => return f.write_str("NaN"),
            Sign::Infinity => return f.write_str("Infinity"),
            Sign::NegInfinity => return f.write_str("-Infinity"),
            Sign::Negative => f.write_str("-")?,
            Sign::Positive => {}
        }
        print_decimal(f, self.digits(), self.weight, self.scale)
    }
}

impl<const N: usize> core::str::FromStr for Numeric<N> {
    type Err = TypeError;

    /// Parses what `Display` prints. There is no exponent.
    fn from_str(text: &str) -> Result<Self, TypeError> {
        Self::parse(text.as_bytes())
    }
}

impl<const N: usize> Ord for Numeric<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value.sign {
            Sign::NegInfinity => 0,
            Sign::Negative => 1,
            Sign::Positive => 2,
            Sign::Infinity => 3,
            Sign::NaN => 4,
        };
        let magnitude = || match (self.len, other.len) {
            (0, _) | (_, 0) => self.len.min(1).cmp(&other.len.min(1)),
            _ => (self.weight, self.digits()).cmp(&(other.weight, other.digits())),
        };
        rank(self).cmp(&rank(other)).then_with(|| match self.sign {
            Sign::Negative => magnitude().reverse(),
            _ => magnitude(),
        })
    }
}

impl<const N: usize> PartialOrd for Numeric<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> PartialEq for Numeric<N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<const N: usize> Eq for Numeric<N> {}

impl<'a, const N: usize> FromSql<'a> for Numeric<N> {
    const OID: Oid = oid::NUMERIC;

    fn accepts(oid: Oid) -> bool {
        oid == oid::NUMERIC
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let Parts { sign, weight, scale, digits } = Parts::read(value)?;
        let digits = digits.iter().map(|digit| u16::from_be_bytes(*digit));
        Self::from_digits(sign, weight, scale, digits)
    }
}

impl<const N: usize> ToSql for Numeric<N> {
    const OID: Oid = oid::NUMERIC;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        wire::write(out, self.sign, self.weight, self.scale, self.digits())
    }
}

/// Writes a number whose digits may begin and end with zeros; decimal places that are zeros at the
/// end are not counted either.
#[cfg(feature = "with-fixed")]
pub(super) fn write_digits(
    out: &mut Writer<'_>,
    negative: bool,
    mut weight: i16,
    mut scale: u16,
    mut digits: &[u16],
) -> Result<(), WireError> {
    while let [0, rest @ ..] = digits {
        digits = rest;
        weight = weight.saturating_sub(1);
    }
    while let [rest @ .., 0] = digits {
        digits = rest;
    }
    let [.., last] = digits else { return wire::write(out, Sign::Positive, 0, 0, &[]) };
    if scale > 0 {
        let zeros = [10, 100, 1000].iter().take_while(|unit| last.is_multiple_of(**unit)).count();
        scale = scale.saturating_sub(u16::try_from(zeros).unwrap_or(0));
    }
    let sign = if negative { Sign::Negative } else { Sign::Positive };
    wire::write(out, sign, weight, scale, digits)
}

/// Prints digits to base 10,000, the first one of weight `weight`, with `places` decimal places.
fn print_decimal(
    f: &mut fmt::Formatter<'_>,
    digits: &[u16],
    weight: i16,
    mut places: u16,
) -> fmt::Result {
    let digit = |at: i32| {
        let index = usize::try_from(i32::from(weight).saturating_sub(at));
        index.ok().and_then(|index| digits.get(index)).copied().unwrap_or(0)
    };
    let first = i32::from(weight).max(0);
    scaled::print(f, digit(first), true, 4)?;
    for at in (0..first).rev() {
        scaled::print(f, digit(at), false, 4)?;
    }
    if places > 0 {
        f.write_str(".")?;
    }
    let mut at = -1_i32;
    while places > 0 {
        scaled::print(f, digit(at), false, places.min(4))?;
        places = places.saturating_sub(4);
        at = at.saturating_sub(1);
    }
    Ok(())
}
