//! bool, integers and floats.

use super::{Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::digits::decimal_value;
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
}

/// Integers read their own width in binary, and text of any width that fits.
macro_rules! integer {
    ($($rust:ident $oid:path $(| $alias:path)*),* $(,)?) => {$(
        impl<'a> FromSql<'a> for $rust {
            const OID: Oid = $oid;

            #[inline]
            fn accepts(oid: Oid) -> bool {
                matches!(oid, $oid $(| $alias)*)
            }

            #[inline]
            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                if let Format::Text = value.format {
                    return $rust::try_from(integer_text(value.bytes)?)
                        .map_err(|_| TypeError::Range);
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

integer!(
    i16 oid::INT2,
    i32 oid::INT4,
    i64 oid::INT8,
    // What PostgreSQL calls object identifier types, and the counters of the same layout.
    u32 oid::OID | oid::XID | oid::CID | oid::REGPROC | oid::REGCLASS | oid::REGTYPE
        | oid::REGNAMESPACE | oid::REGROLE,
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

/// Decimal digits.
pub(super) fn unsigned_text(digits: &[u8]) -> Result<u64, TypeError> {
    if digits.is_empty() {
        return Err(TypeError::Malformed);
    }
    digits.iter().try_fold(0_u64, |value, byte| {
        let digit = decimal_value(*byte).ok_or(TypeError::Malformed)?;
        let value = value.checked_mul(10).and_then(|value| value.checked_add(digit.into()));
        value.ok_or(TypeError::Range)
    })
}

/// A decimal integer with an optional sign, as the server prints them.
fn integer_text(text: &[u8]) -> Result<i64, TypeError> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(TypeError::Malformed);
    }
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = i64::from(decimal_value(*byte).ok_or(TypeError::Malformed)?);
        let value = value.checked_mul(10).ok_or(TypeError::Range)?;
        // Built on the negative side, which holds one value more.
        let value = if negative { value.checked_sub(digit) } else { value.checked_add(digit) };
        value.ok_or(TypeError::Range)
    })
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
        assert_eq!(text::<i16>(b"32768"), Err(TypeError::Range));
        assert_eq!(text::<u32>(b"4294967295"), Ok(u32::MAX));
        assert_eq!(text::<i32>(b""), Err(TypeError::Malformed));
        assert_eq!(text::<i32>(b"-"), Err(TypeError::Malformed));
        assert_eq!(text::<i32>(b"1x"), Err(TypeError::Malformed));
        assert_eq!(text::<f64>(b"1.5"), Err(TypeError::Format));
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
