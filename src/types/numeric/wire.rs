//! The binary layout of `numeric` (`numeric_send`, `src/backend/utils/adt/numeric.c`): number of
//! digits, weight of the first one, sign, display scale, then digits to base 10,000.

use crate::types::{RawValue, TypeError};
use crate::wire::{WireError, Writer};

/// Most decimal digits after the point (`NUMERIC_DSCALE_MASK`).
pub(super) const MAX_SCALE: u16 = 0x3FFF;

/// Sign field of the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) enum Sign {
    Positive,
    Negative,
    NaN,
    Infinity,
    NegInfinity,
}

/// A checked value in the receive buffer: every digit is below 10,000, the first and the last
/// are not 0, and a value without digits is positive or special.
pub(super) struct Parts<'a> {
    pub(super) sign: Sign,
    /// Power of 10,000 of the first digit.
    pub(super) weight: i16,
    pub(super) scale: u16,
    pub(super) digits: &'a [[u8; 2]],
}

impl<'a> Parts<'a> {
    pub(super) fn read(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        // Of the 131,072 decimal digits that there may be it takes all 16 bits.
        let count = bytes.u16()?;
        let mut weight = bytes.i16()?;
        let sign = match bytes.u16()? {
            0x0000 => Sign::Positive,
            0x4000 => Sign::Negative,
            0xC000 => Sign::NaN,
            0xD000 => Sign::Infinity,
            0xF000 => Sign::NegInfinity,
            _ => return Err(TypeError::Malformed),
        };
        let scale = bytes.u16()?;
        let (mut digits, odd) = bytes.rest().as_chunks::<2>();
        if usize::from(count) != digits.len() || !odd.is_empty() || scale > MAX_SCALE {
            return Err(TypeError::Malformed);
        }
        if digits.iter().any(|digit| u16::from_be_bytes(*digit) > 9999) {
            return Err(TypeError::Malformed);
        }
        while let [[0, 0], rest @ ..] = digits {
            weight = weight.checked_sub(1).ok_or(TypeError::Malformed)?;
            digits = rest;
        }
        while let [rest @ .., [0, 0]] = digits {
            digits = rest;
        }
        // No place but those that are shown may have a digit: the server keeps none there.
        if let Some(last) = digits.last() {
            let count = i32::try_from(digits.len()).map_err(|_| TypeError::Malformed)?;
            let below = count.saturating_sub(1).saturating_sub(weight.into()).saturating_mul(4);
            let hidden = below.saturating_sub(scale.into());
            let unit = u32::try_from(hidden).map_or(1, |places| power(places.min(4)));
            if u16::from_be_bytes(*last).checked_rem(unit) != Some(0) {
                return Err(TypeError::Malformed);
            }
        }
        let finite = matches!(sign, Sign::Positive | Sign::Negative);
        match (finite, digits.is_empty()) {
            (true, true) => Ok(Self { sign: Sign::Positive, weight: 0, scale, digits }),
            (true, false) => Ok(Self { sign, weight, scale, digits }),
            (false, true) => Ok(Self { sign, weight: 0, scale: 0, digits }),
            (false, false) => Err(TypeError::Malformed),
        }
    }
}

/// Writes the layout of the value whose digits are `digits`.
pub(super) fn write(
    out: &mut Writer<'_>,
    sign: Sign,
    weight: i16,
    scale: u16,
    digits: &[u16],
) -> Result<(), WireError> {
    out.count(digits.len())?;
    out.i16(weight)?;
    out.u16(match sign {
        Sign::Positive => 0x0000,
        Sign::Negative => 0x4000,
        Sign::NaN => 0xC000,
        Sign::Infinity => 0xD000,
        Sign::NegInfinity => 0xF000,
    })?;
    out.u16(scale)?;
    digits.iter().try_for_each(|digit| out.u16(*digit))
}

/// An unsigned integer that decimal digits are appended to.
pub(super) trait Magnitude: Copy {
    const ZERO: Self;

    /// `self × 10 + digit`.
    fn push(self, digit: u8) -> Option<Self>;

    fn is_zero(self) -> bool;

    /// The lowest `places` (0 to 4) decimal digits, and the rest.
    fn split(self, places: u32) -> (u16, Self);
}

macro_rules! magnitude {
    ($($ty:ident),*) => {$(
        impl Magnitude for $ty {
            const ZERO: Self = 0;

            #[inline]
            fn push(self, digit: u8) -> Option<Self> {
                self.checked_mul(10)?.checked_add(digit.into())
            }

            fn is_zero(self) -> bool {
                self == 0
            }

            fn split(self, places: u32) -> (u16, Self) {
                let unit = $ty::from(power(places));
                let low = self.checked_rem(unit).and_then(|low| u16::try_from(low).ok());
                (low.unwrap_or(0), self.checked_div(unit).unwrap_or(0))
            }
        }
    )*};
}

magnitude!(u64, u128);

/// 10 to the power of 0 to 4.
pub(super) const fn power(places: u32) -> u16 {
    10_u16.saturating_pow(places)
}

/// The value of `digits` to base 10,000, the first one of weight `weight`, counted in units of
/// 10^−`scale`. `None` when it is not a whole number of them or does not fit.
pub(super) fn collect<M: Magnitude>(
    digits: impl Iterator<Item = u16>,
    weight: i16,
    scale: u16,
) -> Option<M> {
    let mut value = M::ZERO;
    // Decimal places still to come down to the unit; below 0 they must all be zeros.
    let mut places = i32::from(weight).saturating_add(1).saturating_mul(4);
    places = places.saturating_add(scale.into());
    for digit in digits {
        for unit in [1000, 100, 10, 1] {
            let decimal = u8::try_from(digit.checked_div(unit)? % 10).ok()?;
            places = places.saturating_sub(1);
            if places >= 0 {
                value = value.push(decimal)?;
            } else if decimal != 0 {
                return None;
            }
        }
    }
    raise(value, u32::try_from(places).unwrap_or(0))
}

/// `value × 10^places`.
pub(super) fn raise<M: Magnitude>(mut value: M, places: u32) -> Option<M> {
    if value.is_zero() {
        return Some(value);
    }
    // Ends early: the value overflows after 38 steps at most.
    for _ in 0..places {
        value = value.push(0)?;
    }
    Some(value)
}
