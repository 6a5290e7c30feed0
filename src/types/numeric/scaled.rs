//! Integers with a fixed number of decimal places.

use core::fmt;

use super::wire::{self, Magnitude, Parts, Sign, collect, power, raise};
use crate::types::{FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

/// `numeric` as an integer in units of 10^−`SCALE`: `Scaled::<i64, 2>(1234)` is 12.34.
///
/// `T` is `i64` or `i128`. A value with more decimal places (other than zeros), too large a value,
/// NaN and the infinities are [`TypeError::Range`] when read: nothing is ever rounded. With
/// `SCALE` 0 it reads what `sum(bigint)` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scaled<T, const SCALE: u16>(pub T);

/// Digits to base 10,000 of an integer, at the end of the array, without zeros at either end.
pub(super) struct Groups {
    digits: [u16; 11],
    from: usize,
    to: usize,
    pub(super) weight: i16,
}

impl Groups {
    pub(super) fn digits(&self) -> &[u16] {
        self.digits.get(self.from..self.to).unwrap_or_default()
    }
}

/// Splits `value × 10^−scale` into digits to base 10,000.
pub(super) fn groups<M: Magnitude>(mut value: M, scale: u16) -> Groups {
    let mut groups = Groups { digits: [0; 11], from: 11, to: 11, weight: 0 };
    // The last digit holds those of the decimal places that do not fill one by themselves.
    let places = u32::from(scale % 4);
    let shift = if places == 0 { 0 } else { 4_u32.saturating_sub(places) };
    let mut weight = i16::try_from(scale.div_ceil(4)).map_or(i16::MIN, i16::wrapping_neg);
    let mut width = 4_u32.saturating_sub(shift);
    let mut unit = power(shift);
    while !value.is_zero() {
        let (digit, rest) = value.split(width);
        groups.from = groups.from.saturating_sub(1);
        if let Some(place) = groups.digits.get_mut(groups.from) {
            *place = digit.saturating_mul(unit);
        }
        groups.weight = weight;
        weight = weight.saturating_add(1);
        (value, width, unit) = (rest, 4, 1);
    }
    while let [.., 0] = groups.digits() {
        groups.to = groups.to.saturating_sub(1);
    }
    groups
}

/// Sign, digits before and digits after the decimal point, checked.
pub(super) fn split(text: &[u8]) -> Result<(bool, &[u8], &[u8]), TypeError> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match point.and_then(|at| text.split_at_checked(at)) {
        Some((whole, [_, fraction @ ..])) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(TypeError::Malformed),
        None => (text, &[][..]),
    };
    // openGauss prints no zero before the point.
    if whole.is_empty() && fraction.is_empty()
        || !whole.iter().chain(fraction).all(u8::is_ascii_digit)
    {
        return Err(TypeError::Malformed);
    }
    Ok((negative, whole, fraction))
}

/// Prints the first `places` of the four decimal digits of a digit to base 10,000, without the
/// zeros in front if `strip`.
pub(super) fn print(
    f: &mut fmt::Formatter<'_>,
    digit: u16,
    strip: bool,
    places: u16,
) -> fmt::Result {
    let digits = [digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10]
        .map(|decimal| b'0' | u8::try_from(decimal).unwrap_or(0));
    let digits = digits.get(..usize::from(places)).unwrap_or_default();
    let zeros = digits.iter().take(3).take_while(|decimal| **decimal == b'0').count();
    let digits = digits.get(if strip { zeros } else { 0 }..).unwrap_or_default();
    f.write_str(core::str::from_utf8(digits).unwrap_or_default())
}

/// The signed value of a magnitude, `None` if it does not fit.
pub(super) fn signed(magnitude: u128, negative: bool) -> Option<i128> {
    if negative { 0_i128.checked_sub_unsigned(magnitude) } else { magnitude.try_into().ok() }
}

fn from_text<M: Magnitude>(text: &[u8], scale: u16) -> Result<(bool, M), TypeError> {
    let (negative, whole, fraction) = split(text)?;
    let (fraction, beyond) = fraction.split_at_checked(scale.into()).unwrap_or((fraction, &[]));
    if beyond.iter().any(|decimal| *decimal != b'0') {
        return Err(TypeError::Range);
    }
    let mut value = M::ZERO;
    for decimal in whole.iter().chain(fraction) {
        value = value.push(decimal.wrapping_sub(b'0')).ok_or(TypeError::Range)?;
    }
    let missing = usize::from(scale).saturating_sub(fraction.len());
    let value = raise(value, u32::try_from(missing).unwrap_or(u32::MAX));
    Ok((negative, value.ok_or(TypeError::Range)?))
}

fn read<M: Magnitude>(value: RawValue<'_>, scale: u16) -> Result<(bool, M), TypeError> {
    let Parts { sign, weight, digits, .. } = Parts::read(value)?;
    if !matches!(sign, Sign::Positive | Sign::Negative) {
        return Err(TypeError::Range);
    }
    let digits = digits.iter().map(|digit| u16::from_be_bytes(*digit));
    let value = collect(digits, weight, scale).ok_or(TypeError::Range)?;
    Ok((sign == Sign::Negative, value))
}

macro_rules! scaled {
    ($($int:ident $magnitude:ident),*) => {$(
        impl<'a, const SCALE: u16> FromSql<'a> for Scaled<$int, SCALE> {
            const OID: Oid = oid::NUMERIC;

            fn accepts(oid: Oid) -> bool {
                oid == oid::NUMERIC
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                Self::new(read(value, SCALE)?)
            }
        }

        impl<const SCALE: u16> Scaled<$int, SCALE> {
            fn new((negative, magnitude): (bool, $magnitude)) -> Result<Self, TypeError> {
                let value = if negative {
                    $int::checked_sub_unsigned(0, magnitude)
                } else {
                    $int::try_from(magnitude).ok()
                };
                value.map(Self).ok_or(TypeError::Range)
            }
        }

        impl<const SCALE: u16> ToSql for Scaled<$int, SCALE> {
            const OID: Oid = oid::NUMERIC;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                const { assert!(SCALE <= wire::MAX_SCALE) };
                let sign = if self.0 < 0 { Sign::Negative } else { Sign::Positive };
                let groups = groups(self.0.unsigned_abs(), SCALE);
                wire::write(out, sign, groups.weight, SCALE, groups.digits())
            }
        }

        impl<const SCALE: u16> crate::types::ArrayElement for Scaled<$int, SCALE> {
            const ARRAY_OID: Oid = oid::NUMERIC_ARRAY;
        }

        /// With exactly `SCALE` decimal places.
        impl<const SCALE: u16> fmt::Display for Scaled<$int, SCALE> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.0 < 0 {
                    f.write_str("-")?;
                }
                let groups = groups(self.0.unsigned_abs(), SCALE);
                super::print_decimal(f, groups.digits(), groups.weight, SCALE)
            }
        }

        impl<const SCALE: u16> core::str::FromStr for Scaled<$int, SCALE> {
            type Err = TypeError;

            /// Parses decimal digits, which a minus may precede, with or without a point. There is no
            /// exponent; NaN and the infinities are [`TypeError::Malformed`].
            fn from_str(text: &str) -> Result<Self, TypeError> {
                Self::new(from_text(text.as_bytes(), SCALE)?)
            }
        }
    )*};
}

scaled!(i64 u64, i128 u128);
