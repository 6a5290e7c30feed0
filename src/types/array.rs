//! Arrays: iterated over the bytes of the row, sent from slices.
//!
//! Layout (`array_send`, `src/backend/utils/adt/arrayfuncs.c`): number of dimensions, a flag for
//! NULLs, the OID of the elements; length and lower bound of each dimension; then the elements in
//! row-major order, each after its own length.

use core::marker::PhantomData;

use super::{
    Bits, Char, Cidr, Date, Format, FromSql, Inet, Int1, Interval, Json, JsonPath, Jsonb, MacAddr,
    MacAddr8, Money, Numeric, Oid, PgLsn, RawValue, Tid, Time, TimeTz, Timestamp, TimestampTz,
    ToSql, TypeError, Uuid, Xid, geo, oid,
};
use crate::limits::MAX_DIMENSIONS;
use crate::wire::{Reader, WireError, Writer};

/// A type that can be the element of an array.
pub trait ArrayElement {
    /// OID of the array type over this element, which is sent with array parameters.
    const ARRAY_OID: Oid;

    /// Whether arrays of type `oid` have elements of this type.
    #[inline]
    fn accepts_array(oid: Oid) -> bool {
        oid == Self::ARRAY_OID
    }
}

/// An array of up to six dimensions, decoded while it is iterated.
///
/// Its shape, all lengths and the end were checked when it was made. Use `Option<T>` as element
/// type where the array may hold NULLs. Elements of a domain come under the domain's OID, where a column of
/// one comes under that of the type it is made of: cast the array (`a::int4[]`). To send an array, pass a
/// slice (one dimension, first index 1) or a [`Dimensioned`].
#[derive(Clone, Copy, Debug)]
pub struct Array<'a, T> {
    dimensions: &'a [[u8; 8]],
    element: Oid,
    count: u32,
    elements: &'a [u8],
    of: PhantomData<fn() -> T>,
}

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dimension {
    /// Number of elements along this dimension.
    pub len: u32,
    /// Index of the first one. 1 unless the array was made with explicit bounds.
    pub lower: i32,
}

/// An array parameter of several dimensions, or with lower bounds other than 1.
///
/// `elements` are in row-major order (the last index varies fastest) and their number must be the
/// product of the lengths, else sending fails with [`WireError::Value`].
#[derive(Clone, Copy, Debug)]
pub struct Dimensioned<'a, T> {
    /// At most six dimensions; none for an empty array.
    pub dimensions: &'a [Dimension],
    /// All elements.
    pub elements: &'a [T],
}

/// The elements of an [`Array`], in row-major order.
#[derive(Clone, Debug)]
pub struct Elements<'a, T> {
    left: u32,
    element: Oid,
    bytes: Reader<'a>,
    of: PhantomData<fn() -> T>,
}

impl<'a, T> Array<'a, T> {
    /// Number of elements over all dimensions.
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// True for an array without elements, which has no dimensions either.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The dimensions, outermost first.
    pub fn dimensions(&self) -> impl ExactSizeIterator<Item = Dimension> + use<'a, T> {
        self.dimensions.iter().map(|bytes| {
            let [l0, l1, l2, l3, b0, b1, b2, b3] = *bytes;
            Dimension {
                len: u32::from_be_bytes([l0, l1, l2, l3]),
                lower: i32::from_be_bytes([b0, b1, b2, b3]),
            }
        })
    }

    /// OID of the element type.
    pub const fn element_oid(&self) -> Oid {
        self.element
    }
}

impl<'a, T: FromSql<'a>> Array<'a, T> {
    /// All elements in row-major order, whatever the dimensions.
    pub const fn iter(&self) -> Elements<'a, T> {
        Elements {
            left: self.count,
            element: self.element,
            bytes: Reader::new(self.elements),
            of: PhantomData,
        }
    }

    /// Decodes all elements into the front of `out` and returns that part.
    ///
    /// # Errors
    /// [`TypeError::Capacity`] when `out` is shorter than the array, and what reading an element
    /// returns; `out` may be filled in part then.
    pub fn read_into<'o>(&self, out: &'o mut [T]) -> Result<&'o mut [T], TypeError> {
        let count = usize::try_from(self.count).map_err(|_| TypeError::Capacity)?;
        let out = out.get_mut(..count).ok_or(TypeError::Capacity)?;
        for (place, element) in out.iter_mut().zip(self.iter()) {
            *place = element?;
        }
        Ok(out)
    }
}

impl<'a, T: FromSql<'a>> IntoIterator for Array<'a, T> {
    type Item = Result<T, TypeError>;
    type IntoIter = Elements<'a, T>;

    fn into_iter(self) -> Elements<'a, T> {
        self.iter()
    }
}

impl<'a, T: FromSql<'a>> Iterator for Elements<'a, T> {
    type Item = Result<T, TypeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(match element(&mut self.bytes) {
            Ok(Some(bytes)) => {
                T::from_sql(RawValue { oid: self.element, format: Format::Binary, bytes })
            }
            Ok(None) => T::from_null(),
            Err(error) => Err(error),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

impl<'a, T: FromSql<'a>> ExactSizeIterator for Elements<'a, T> {}

impl<'a, T: FromSql<'a> + ArrayElement> FromSql<'a> for Array<'a, T> {
    const OID: Oid = T::ARRAY_OID;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        T::accepts_array(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let shape = shape(value.binary()?)?;
        if !T::accepts(shape.element) {
            return Err(TypeError::Mismatch);
        }
        Ok(Self {
            dimensions: shape.dimensions,
            element: shape.element,
            count: shape.count,
            elements: shape.elements,
            of: PhantomData,
        })
    }
}

impl<'a, T: FromSql<'a> + ArrayElement, const N: usize> FromSql<'a> for [Option<T>; N] {
    const OID: Oid = T::ARRAY_OID;

    fn accepts(oid: Oid) -> bool {
        T::accepts_array(oid)
    }

    /// [`TypeError::Range`] unless the array has exactly `N` elements.
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let array = Array::<Option<T>>::from_sql(value)?;
        if usize::try_from(array.len()) != Ok(N) {
            return Err(TypeError::Range);
        }
        let mut out = [const { None }; N];
        array.read_into(&mut out)?;
        Ok(out)
    }
}

impl<T: ToSql + ArrayElement> ToSql for [T] {
    const OID: Oid = T::ARRAY_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        let len = u32::try_from(self.len()).map_err(|_| WireError::TooLong)?;
        let dimension = Dimension { len, lower: 1 };
        let dimensions = if self.is_empty() { &[][..] } else { &[dimension] };
        Dimensioned { dimensions, elements: self }.to_sql(out)
    }
}

impl<T: ToSql + ArrayElement, const N: usize> ToSql for [T; N] {
    const OID: Oid = T::ARRAY_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_slice().to_sql(out)
    }
}

impl<T: ToSql + ArrayElement> ToSql for Dimensioned<'_, T> {
    const OID: Oid = T::ARRAY_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        if self.dimensions.len() > MAX_DIMENSIONS {
            return Err(WireError::Value);
        }
        let product = self.dimensions.iter().try_fold(1_usize, |product, dimension| {
            product.checked_mul(usize::try_from(dimension.len).ok()?)
        });
        let product = if self.dimensions.is_empty() { Some(0) } else { product };
        if product != Some(self.elements.len()) {
            return Err(WireError::Value);
        }
        out.u32(u32::try_from(self.dimensions.len()).map_err(|_| WireError::TooLong)?)?;
        out.i32(i32::from(self.elements.iter().any(ToSql::is_null)))?;
        // An element whose own type is inferred is text here: an array has to name a type.
        out.u32(if T::OID == 0 { oid::TEXT } else { super::declared(T::OID, out.rules()) })?;
        for dimension in self.dimensions {
            out.i32(i32::try_from(dimension.len).map_err(|_| WireError::TooLong)?)?;
            out.i32(dimension.lower)?;
        }
        self.elements.iter().try_for_each(|element| element.param(out))
    }
}

impl<T: ArrayElement + ?Sized> ArrayElement for &T {
    const ARRAY_OID: Oid = T::ARRAY_OID;

    #[inline]
    fn accepts_array(oid: Oid) -> bool {
        T::accepts_array(oid)
    }
}

impl<T: ArrayElement> ArrayElement for Option<T> {
    const ARRAY_OID: Oid = T::ARRAY_OID;

    #[inline]
    fn accepts_array(oid: Oid) -> bool {
        T::accepts_array(oid)
    }
}

/// The next element or field: its length, −1 for NULL, and its bytes.
pub(super) fn element<'a>(bytes: &mut Reader<'a>) -> Result<Option<&'a [u8]>, TypeError> {
    match bytes.i32()? {
        -1 => Ok(None),
        len => {
            let len = usize::try_from(len).map_err(|_| TypeError::Malformed)?;
            Ok(Some(bytes.bytes(len)?))
        }
    }
}

struct Shape<'a> {
    dimensions: &'a [[u8; 8]],
    element: Oid,
    count: u32,
    elements: &'a [u8],
}

/// Checks the whole array, once for all element types.
fn shape(mut bytes: Reader<'_>) -> Result<Shape<'_>, TypeError> {
    let dimensions = usize::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
    if dimensions > MAX_DIMENSIONS || !matches!(bytes.i32()?, 0 | 1) {
        return Err(TypeError::Malformed);
    }
    let element_oid = bytes.u32()?;
    let (dimensions, _) = bytes.bytes(dimensions.saturating_mul(8))?.as_chunks::<8>();
    let mut count = u32::from(!dimensions.is_empty());
    for dimension in dimensions {
        let mut dimension = Reader::new(dimension);
        let (len, lower) = (dimension.i32()?, dimension.i32()?);
        // The last index has to exist, as the server sees to itself.
        lower.checked_add(len).ok_or(TypeError::Malformed)?;
        let len = u32::try_from(len).map_err(|_| TypeError::Malformed)?;
        count = count.checked_mul(len).ok_or(TypeError::Malformed)?;
    }
    let elements = bytes.rest();
    // Each element takes four bytes or more, so the walk ends after at most that many steps.
    for _ in 0..count {
        element(&mut bytes)?;
    }
    bytes.finish()?;
    Ok(Shape { dimensions, element: element_oid, count, elements })
}

impl<const N: usize> ArrayElement for Numeric<N> {
    const ARRAY_OID: Oid = oid::NUMERIC_ARRAY;
}

/// Read of object identifiers, sent as `bigint[]`: see [`ToSql`] of `u32`.
impl ArrayElement for u32 {
    const ARRAY_OID: Oid = oid::INT8_ARRAY;

    #[inline]
    fn accepts_array(oid: Oid) -> bool {
        matches!(
            oid,
            oid::OID_ARRAY
                | oid::OIDVECTOR
                | oid::XID_ARRAY
                | oid::CID_ARRAY
                | oid::REGPROC_ARRAY
                | oid::REGPROCEDURE_ARRAY
                | oid::REGOPER_ARRAY
                | oid::REGOPERATOR_ARRAY
                | oid::REGCLASS_ARRAY
                | oid::REGTYPE_ARRAY
                | oid::REGNAMESPACE_ARRAY
                | oid::REGROLE_ARRAY
        )
    }
}

macro_rules! elements {
    ($($ty:ty: $array:ident $(| $more:ident)*;)*) => {$(
        impl ArrayElement for $ty {
            const ARRAY_OID: Oid = oid::$array;

            #[inline]
            fn accepts_array(oid: Oid) -> bool {
                matches!(oid, oid::$array $(| oid::$more)*)
            }
        }
    )*};
}

elements! {
    bool: BOOL_ARRAY;
    i16: INT2_ARRAY | INT2VECTOR;
    i32: INT4_ARRAY;
    i64: INT8_ARRAY;
    i128: INT16_ARRAY;
    f32: FLOAT4_ARRAY;
    f64: FLOAT8_ARRAY;
    core::net::IpAddr: INET_ARRAY | CIDR_ARRAY;
    Bits<'_>: VARBIT_ARRAY | BIT_ARRAY;
    Char: CHAR_ARRAY;
    Cidr: CIDR_ARRAY;
    Date: DATE_ARRAY | TIMESTAMP_ARRAY;
    Inet: INET_ARRAY | CIDR_ARRAY;
    Int1: INT1_ARRAY;
    Interval: INTERVAL_ARRAY;
    Json<'_>: JSON_ARRAY | JSONB_ARRAY;
    JsonPath<'_>: JSONPATH_ARRAY;
    Jsonb<'_>: JSONB_ARRAY | JSON_ARRAY;
    MacAddr: MACADDR_ARRAY;
    MacAddr8: MACADDR8_ARRAY;
    Money: MONEY_ARRAY;
    PgLsn: PG_LSN_ARRAY;
    Tid: TID_ARRAY;
    Time: TIME_ARRAY;
    TimeTz: TIMETZ_ARRAY;
    Timestamp: TIMESTAMP_ARRAY | SMALLDATETIME_ARRAY;
    TimestampTz: TIMESTAMPTZ_ARRAY;
    Uuid: UUID_ARRAY;
    Xid: XID8_ARRAY | XID_ARRAY;
    geo::Box: BOX_ARRAY;
    geo::Circle: CIRCLE_ARRAY;
    geo::Line: LINE_ARRAY;
    geo::Lseg: LSEG_ARRAY;
    geo::Path<'_>: PATH_ARRAY;
    geo::Point: POINT_ARRAY;
    geo::Polygon<'_>: POLYGON_ARRAY;
}
