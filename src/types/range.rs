//! Ranges and multiranges (manual, section 8.17).

use core::marker::PhantomData;
use core::ops::Bound;

use super::array::element;
use super::{ArrayElement, Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{Reader, WireError, Writer};

/// Flags of the layout (`RANGE_*` of `utils/rangetypes.h`).
const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_UNBOUNDED: u8 = 0x08;
const UPPER_UNBOUNDED: u8 = 0x10;
const KNOWN: u8 = 0x1F;

/// A type the server has ranges of.
pub trait RangeElement {
    /// OID of the range type.
    const RANGE_OID: Oid;
    /// OID of the array type over that range.
    const RANGE_ARRAY_OID: Oid;
    /// OID of the multirange type.
    const MULTIRANGE_OID: Oid;
    /// OID of the array type over that multirange.
    const MULTIRANGE_ARRAY_OID: Oid;
}

/// All values between two bounds, or none.
///
/// The server brings `int4range`, `int8range` and `daterange` into the form `[lower, upper)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range<T> {
    /// No value at all.
    Empty,
    /// From the first bound to the second.
    Between(Bound<T>, Bound<T>),
}

/// Ranges that neither overlap nor touch, in ascending order. PostgreSQL 14 and later.
#[derive(Clone, Copy, Debug)]
pub struct Multirange<'a, T>(Source<'a, T>);

/// The ranges of a [`Multirange`].
#[derive(Clone, Debug)]
pub struct Ranges<'a, T>(Source<'a, T>);

#[derive(Clone, Copy, Debug)]
enum Source<'a, T> {
    Wire { left: u32, bytes: &'a [u8], of: PhantomData<fn() -> T> },
    Slice(&'a [Range<T>]),
}

impl<'a, T: FromSql<'a> + RangeElement> Range<T> {
    fn read(mut bytes: Reader<'a>) -> Result<Self, TypeError> {
        let flags = bytes.u8()?;
        if flags & !KNOWN != 0 {
            return Err(TypeError::Malformed);
        }
        let range = if flags & EMPTY != 0 {
            Self::Empty
        } else {
            let lower = bound(&mut bytes, flags & LOWER_UNBOUNDED, flags & LOWER_INCLUSIVE)?;
            let upper = bound(&mut bytes, flags & UPPER_UNBOUNDED, flags & UPPER_INCLUSIVE)?;
            Self::Between(lower, upper)
        };
        bytes.finish()?;
        Ok(range)
    }
}

fn bound<'a, T: FromSql<'a>>(
    bytes: &mut Reader<'a>,
    unbounded: u8,
    inclusive: u8,
) -> Result<Bound<T>, TypeError> {
    if unbounded != 0 {
        return Ok(Bound::Unbounded);
    }
    let bytes = element(bytes)?.ok_or(TypeError::Malformed)?;
    let value = T::from_sql(RawValue { oid: T::OID, format: Format::Binary, bytes })?;
    Ok(if inclusive != 0 { Bound::Included(value) } else { Bound::Excluded(value) })
}

impl<'a, T: FromSql<'a> + RangeElement> FromSql<'a> for Range<T> {
    const OID: Oid = T::RANGE_OID;

    fn accepts(oid: Oid) -> bool {
        oid == T::RANGE_OID
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Self::read(value.binary()?)
    }
}

impl<T: ToSql + RangeElement> ToSql for Range<T> {
    const OID: Oid = T::RANGE_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        let Self::Between(lower, upper) = self else { return out.u8(EMPTY) };
        let flag = |bound: &Bound<T>, unbounded, inclusive| match bound {
            Bound::Included(_) => inclusive,
            Bound::Excluded(_) => 0,
            Bound::Unbounded => unbounded,
        };
        out.u8(flag(lower, LOWER_UNBOUNDED, LOWER_INCLUSIVE)
            | flag(upper, UPPER_UNBOUNDED, UPPER_INCLUSIVE))?;
        for bound in [lower, upper] {
            if let Bound::Included(value) | Bound::Excluded(value) = bound {
                if value.is_null() {
                    return Err(WireError::Value);
                }
                value.param(out)?;
            }
        }
        Ok(())
    }
}

impl<T: RangeElement> ArrayElement for Range<T> {
    const ARRAY_OID: Oid = T::RANGE_ARRAY_OID;
}

impl<'a, T: FromSql<'a> + RangeElement + Clone> Multirange<'a, T> {
    /// The ranges in order.
    pub fn iter(&self) -> Ranges<'a, T> {
        Ranges(self.0.clone())
    }
}

impl<T> Multirange<'_, T> {
    /// Number of ranges.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Wire { left, .. } => usize::try_from(left).unwrap_or(usize::MAX),
            Source::Slice(ranges) => ranges.len(),
        }
    }

    /// True for the multirange without values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// To be sent. The server puts them in order and joins what touches.
impl<'a, T> From<&'a [Range<T>]> for Multirange<'a, T> {
    fn from(ranges: &'a [Range<T>]) -> Self {
        Self(Source::Slice(ranges))
    }
}

impl<'a, T: FromSql<'a> + RangeElement + Clone> Iterator for Ranges<'a, T> {
    type Item = Result<Range<T>, TypeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Slice(ranges) => {
                let (first, rest) = ranges.split_first()?;
                *ranges = rest;
                Some(Ok(first.clone()))
            }
            Source::Wire { left, bytes, .. } => {
                *left = left.checked_sub(1)?;
                let mut reader = Reader::new(bytes);
                let range = element(&mut reader);
                *bytes = reader.rest();
                Some(
                    range.and_then(|range| {
                        Range::read(Reader::new(range.ok_or(TypeError::Malformed)?))
                    }),
                )
            }
        }
    }
}

impl<'a, T: FromSql<'a> + RangeElement> FromSql<'a> for Multirange<'a, T> {
    const OID: Oid = T::MULTIRANGE_OID;

    fn accepts(oid: Oid) -> bool {
        oid == T::MULTIRANGE_OID
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let left = u32::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
        let ranges = bytes.rest();
        for _ in 0..left {
            element(&mut bytes)?.ok_or(TypeError::Malformed)?;
        }
        bytes.finish()?;
        Ok(Self(Source::Wire { left, bytes: ranges, of: PhantomData }))
    }
}

impl<T: ToSql + RangeElement> ToSql for Multirange<'_, T> {
    const OID: Oid = T::MULTIRANGE_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i32(i32::try_from(self.len()).map_err(|_| WireError::TooLong)?)?;
        match self.0 {
            Source::Wire { bytes, .. } => out.bytes(bytes),
            Source::Slice(ranges) => ranges.iter().try_for_each(|range| range.param(out)),
        }
    }
}

impl<T: RangeElement> ArrayElement for Multirange<'_, T> {
    const ARRAY_OID: Oid = T::MULTIRANGE_ARRAY_OID;
}

macro_rules! ranges {
    ($([$($generic:tt)*] $ty:ty: $range:ident $array:ident $multi:ident $multi_array:ident;)*) => {$(
        impl<$($generic)*> RangeElement for $ty {
            const RANGE_OID: Oid = oid::$range;
            const RANGE_ARRAY_OID: Oid = oid::$array;
            const MULTIRANGE_OID: Oid = oid::$multi;
            const MULTIRANGE_ARRAY_OID: Oid = oid::$multi_array;
        }
    )*};
}

ranges! {
    [] i32: INT4RANGE INT4RANGE_ARRAY INT4MULTIRANGE INT4MULTIRANGE_ARRAY;
    [] i64: INT8RANGE INT8RANGE_ARRAY INT8MULTIRANGE INT8MULTIRANGE_ARRAY;
    [] super::Date: DATERANGE DATERANGE_ARRAY DATEMULTIRANGE DATEMULTIRANGE_ARRAY;
    [] super::Timestamp: TSRANGE TSRANGE_ARRAY TSMULTIRANGE TSMULTIRANGE_ARRAY;
    [] super::TimestampTz: TSTZRANGE TSTZRANGE_ARRAY TSTZMULTIRANGE TSTZMULTIRANGE_ARRAY;
    [const N: usize] super::Numeric<N>:
        NUMRANGE NUMRANGE_ARRAY NUMMULTIRANGE NUMMULTIRANGE_ARRAY;
    [T, const SCALE: u16] super::Scaled<T, SCALE>:
        NUMRANGE NUMRANGE_ARRAY NUMMULTIRANGE NUMMULTIRANGE_ARRAY;
}
