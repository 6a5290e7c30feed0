//! bool, integers and floats.

use super::{Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{WireError, Writer};

impl<'a> FromSql<'a> for bool {
    const OID: Oid = oid::BOOL;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        oid == oid::BOOL
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        match (value.format, value.bytes) {
            (Format::Binary, [0]) | (Format::Text, b"f") => Ok(false),
            (Format::Binary, [1]) | (Format::Text, b"t") => Ok(true),
            _ => Err(TypeError::Malformed),
        }
    }
}

impl ToSql for bool {
    const OID: Oid = oid::BOOL;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(u8::from(*self))
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline)]
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.fixed([u8::from(*self)])
    }
}

/// Integers read their own width in binary, and text of any width that fits.
macro_rules! read_integer {
    ($($rust:ident $oid:path $(| $alias:path)*),* $(,)?) => {$(
        impl<'a> FromSql<'a> for $rust {
            const OID: Oid = $oid;

            #[inline]
            fn accepts(oid: Oid) -> bool {
                matches!(oid, $oid $(| $alias)*)
            }

            #[cfg_attr(not(target_os = "none"), inline(always))]
            #[cfg_attr(target_os = "none", inline)]
            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                if let Format::Text = value.format {
                    return $rust::try_from(integer_text(value.bytes)?)
                        .map_err(|_| TypeError::Range);
                }
                let bytes = value.bytes.try_into().map_err(|_| TypeError::Malformed)?;
                Ok($rust::from_be_bytes(bytes))
            }
        }
    )*};
}

/// Integers are sent in the width of the type that holds all of their values.
macro_rules! send_integer {
    ($($rust:ident as $sent:ident $oid:path),* $(,)?) => {$(
        impl ToSql for $rust {
            const OID: Oid = $oid;

            #[inline]
            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.array($sent::from(*self).to_be_bytes())
            }

            #[cfg_attr(not(target_os = "none"), inline(always))]
            #[cfg_attr(target_os = "none", inline)]
            fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.fixed($sent::from(*self).to_be_bytes())
            }
        }
    )*};
}

read_integer!(
    i16 oid::INT2,
    i32 oid::INT4,
    i64 oid::INT8,
    // What PostgreSQL calls object identifier types, and the counters of the same layout.
    u32 oid::OID | oid::XID | oid::XID32 | oid::CID | oid::REGPROC | oid::REGPROCEDURE | oid::REGOPER
        | oid::REGOPERATOR | oid::REGCLASS | oid::REGTYPE | oid::REGNAMESPACE | oid::REGROLE,
);

send_integer!(
    i16 as i16 oid::INT2,
    i32 as i32 oid::INT4,
    i64 as i64 oid::INT8,
    // Not `oid`: of one that is assigned to an integer the server makes a negative number from 2^31 on.
    u32 as i64 oid::INT8,
);

/// Floats read their own width in binary. Text is refused: parsing it costs 19 KB of flash.
macro_rules! float {
    ($($rust:ident $oid:path),*) => {$(
        impl<'a> FromSql<'a> for $rust {
            const OID: Oid = $oid;

            #[inline]
            fn accepts(oid: Oid) -> bool {
                oid == $oid
            }

            #[inline]
            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                if let Format::Text = value.format {
                    return Err(TypeError::Format);
                }
                let bytes = value.bytes.try_into().map_err(|_| TypeError::Malformed)?;
                Ok($rust::from_be_bytes(bytes))
            }
        }

        impl ToSql for $rust {
            const OID: Oid = $oid;

            #[inline]
            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.array(self.to_be_bytes())
            }

            #[cfg_attr(not(target_os = "none"), inline(always))]
            #[cfg_attr(target_os = "none", inline)]
            fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.fixed(self.to_be_bytes())
            }
        }
    )*};
}

float!(f32 oid::FLOAT4, f64 oid::FLOAT8);

/// So many decimal digits fit a `u64`, whatever they are, and all of an `i64` do.
const MOST: usize = 19;

/// A decimal integer with an optional sign, as the server prints them: without more zeros in front
/// than digits fit.
#[cfg_attr(not(target_os = "none"), inline(always))]
fn integer_text(text: &[u8]) -> Result<i64, TypeError> {
    if let [b'-', digits @ ..] = text {
        return negative_text(digits);
    }
    i64::try_from(digits_text(text)?).map_err(|_| TypeError::Range)
}

/// After a minus.
#[cfg_attr(not(target_os = "none"), inline(never))]
fn negative_text(digits: &[u8]) -> Result<i64, TypeError> {
    let value = digits_text(digits)?.wrapping_neg().cast_signed();
    // Zero, or below; this side holds one value more.
    if value <= 0 { Ok(value) } else { Err(TypeError::Range) }
}

#[cfg_attr(not(target_os = "none"), inline(always))]
fn digits_text(digits: &[u8]) -> Result<u64, TypeError> {
    match digits.len() {
        1..=MOST => {}
        0 => return Err(TypeError::Malformed),
        _ => return Err(TypeError::Range),
    }
    let (mut value, mut rest) = (0_u64, digits);
    #[cfg(not(target_os = "none"))]
    while let Some((eight, after)) = rest.split_first_chunk() {
        let Some(eight) = eight_digits(u64::from_le_bytes(*eight)) else {
            return Err(TypeError::Malformed);
        };
        value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        rest = after;
    }
    while let [digit, after @ ..] = rest {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return Err(TypeError::Malformed);
        }
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        rest = after;
    }
    Ok(value)
}

/// Eight decimal digits at once, the first in the lowest byte: neighbours are joined three times.
#[cfg(not(target_os = "none"))]
#[inline]
const fn eight_digits(digits: u64) -> Option<u64> {
    const ONES: u64 = u64::MAX / 0xff;
    let values = digits.wrapping_sub(ONES * 0x30);
    // The highest bit of a byte is set where it was below or above the digits.
    if (digits.wrapping_add(ONES * 0x46) | values) & (ONES << 7) != 0 {
        return None;
    }
    let pairs = values.wrapping_mul(10 << 8 | 1) >> 8 & (u64::MAX / 0xffff * 0xff);
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & (u64::MAX / 0xffff_ffff * 0xffff);
    Some(fours.wrapping_mul(10_000 << 32 | 1) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a, T: FromSql<'a>>(bytes: &'a [u8]) -> Result<T, TypeError> {
        T::from_sql(RawValue { oid: T::OID, format: Format::Text, bytes })
    }

    #[test]
    fn integers_from_text() {
        assert_eq!(text::<i64>(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(text::<i64>(b"9223372036854775807"), Ok(i64::MAX));
        assert_eq!(text::<i64>(b"9223372036854775808"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"-9223372036854775809"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"-9999999999999999999"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"9999999999999999999"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"-18446744073709551615"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"--1"), Err(TypeError::Malformed));
        assert_eq!(text::<i64>(b"18446744073709551616"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"00000000000000000007"), Err(TypeError::Range));
        assert_eq!(text::<i64>(b"-007"), Ok(-7));
        assert_eq!(text::<i64>(b"12345678901/"), Err(TypeError::Malformed));
        assert_eq!(text::<i16>(b"32768"), Err(TypeError::Range));
        assert_eq!(text::<u32>(b"4294967295"), Ok(u32::MAX));
        assert_eq!(text::<i32>(b""), Err(TypeError::Malformed));
        assert_eq!(text::<i32>(b"-"), Err(TypeError::Malformed));
        assert_eq!(text::<i32>(b"1x"), Err(TypeError::Malformed));
        assert_eq!(text::<f64>(b"1.5"), Err(TypeError::Format));
    }

    #[test]
    fn digits_are_read_in_every_place() {
        for length in 1..=MOST {
            let digits: std::vec::Vec<u8> = (1..=length).map(|n| b'0' + (n % 10) as u8).collect();
            let value = core::str::from_utf8(&digits).unwrap().parse();
            assert_eq!(Ok(integer_text(&digits)), value.map(Ok));
            for at in 0..length {
                for stray in [0, b'/', b':', b' ', b'-', 0x70, 0x80, 0xb9, 0xba, 0xff] {
                    let mut digits = digits.clone();
                    digits[at] = stray;
                    let read = integer_text(&digits);
                    // A sign in front is none that is stray.
                    assert_eq!(read.is_err(), (at, stray) != (0, b'-') || length == 1);
                }
            }
        }
    }

    #[test]
    fn binary_lengths_are_exact() {
        let raw = |bytes| RawValue { oid: oid::INT4, format: Format::Binary, bytes };
        assert_eq!(i32::from_sql(raw(&[0, 0, 1, 0])), Ok(256));
        assert_eq!(i32::from_sql(raw(&[0, 0, 1])), Err(TypeError::Malformed));
        assert_eq!(i32::from_sql(raw(&[0, 0, 0, 1, 0])), Err(TypeError::Malformed));
        assert_eq!(bool::from_sql(raw(&[2])), Err(TypeError::Malformed));
    }
}
