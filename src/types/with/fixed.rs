//! Crate `fixed`: binary fixed-point numbers as `numeric`.
//!
//! Every such number has a finite decimal expansion, so sending is exact. Reading rounds to the
//! nearest multiple of 2^−`Frac`, half away from zero: 0.1 has no exact binary form. NaN, the
//! infinities and numbers too large are `TypeError::Range`.

use ::fixed::types::extra::{LeEqU32, LeEqU64};
use ::fixed::{FixedI32, FixedI64};

use crate::types::{ArrayElement, FromSql, Numeric, Oid, RawValue, ToSql, TypeError, numeric, oid};
use crate::wire::{WireError, Writer};

/// Digits to base 10,000 of 64 bits before the point.
const WHOLE: usize = 5;

/// Digits to base 10,000 that are read: 20 more than the 5 before the point and the 16 that 64
/// binary places come to are never needed, but the server may send more than it has to.
type Decimal = Numeric<40>;

/// Bits kept while the fraction is divided, so that rounding sees more than is kept.
const GUARD: u32 = 32;

macro_rules! fixed {
    ($($name:ident $bound:ident $bits:ident),*) => {$(
        impl<'a, Frac: $bound> FromSql<'a> for $name<Frac> {
            const OID: Oid = oid::NUMERIC;

            fn accepts(oid: Oid) -> bool {
                Decimal::accepts(oid)
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                let bits = bits(&Decimal::from_sql(value)?, Frac::U32).ok_or(TypeError::Range)?;
                $bits::try_from(bits).map(Self::from_bits).map_err(|_| TypeError::Range)
            }
        }

        impl<Frac: $bound> ToSql for $name<Frac> {
            const OID: Oid = oid::NUMERIC;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                write(out, self.to_bits().into(), Frac::U32)
            }
        }

        impl<Frac> ArrayElement for $name<Frac> {
            const ARRAY_OID: Oid = oid::NUMERIC_ARRAY;
        }
    )*};
}

fixed!(FixedI32 LeEqU32 i32, FixedI64 LeEqU64 i64);

/// The number in units of 2^−`frac`.
fn bits(value: &Decimal, frac: u32) -> Option<i128> {
    if !value.is_finite() {
        return None;
    }
    let places = i32::from(value.weight()).checked_add(1)?;
    let at = usize::try_from(places).unwrap_or(0);
    let digits = value.digits();
    let (whole, fraction) = digits.split_at_checked(at).unwrap_or((digits, &[]));

    let mut bits = 0_i128;
    for digit in whole.iter().copied().chain(core::iter::repeat_n(0, at.checked_sub(whole.len())?))
    {
        bits = bits.checked_mul(10_000)?.checked_add(digit.into())?;
        if bits > i128::from(u64::MAX) {
            return None;
        }
    }
    // From the last digit on; what precedes the first one are zeros.
    let mut part = 0_i128;
    let shift = frac.checked_add(GUARD)?;
    for digit in fraction.iter().rev() {
        part = part.checked_add(i128::from(*digit).checked_shl(shift)?)? / 10_000;
    }
    for _ in 0..usize::try_from(places.checked_neg()?).unwrap_or(0) {
        // What zeros precede gets no larger; there may be thousands of them.
        if part == 0 {
            break;
        }
        part /= 10_000;
    }
    let half = 1_i128.checked_shl(GUARD.checked_sub(1)?)?;
    let part = part.checked_add(half)?.checked_shr(GUARD)?;
    let bits = bits.checked_shl(frac)?.checked_add(part)?;
    Some(if value.is_negative() { bits.checked_neg()? } else { bits })
}

fn write(out: &mut Writer<'_>, bits: i128, frac: u32) -> Result<(), WireError> {
    let mut digits = [0_u16; WHOLE + 16];
    let (whole, fraction) = digits.split_at_mut(WHOLE);
    let unit = 1_u128.checked_shl(frac).ok_or(WireError::Value)?;
    let magnitude = bits.unsigned_abs();
    let mut left = magnitude.checked_div(unit).unwrap_or(0);
    for digit in whole.iter_mut().rev() {
        *digit = u16::try_from(left % 10_000).unwrap_or(0);
        left /= 10_000;
    }
    let mut left = magnitude.checked_rem(unit).unwrap_or(0);
    let mut scale = 0_u16;
    for digit in fraction {
        if left == 0 {
            break;
        }
        left = left.checked_mul(10_000).ok_or(WireError::Value)?;
        *digit = u16::try_from(left.checked_div(unit).unwrap_or(0)).unwrap_or(0);
        left = left.checked_rem(unit).unwrap_or(0);
        scale = scale.saturating_add(4);
    }
    numeric::write_digits(out, bits < 0, 4, scale, &digits)
}
