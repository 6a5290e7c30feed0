//! Crate `heapless`: `String<N>` for text, `Vec<u8, N>` for bytea, `Vec<T, N>` for arrays.
//!
//! They copy what the row would only lend, so that it can be kept past the next call. The crate's
//! types stay out of the driver's own signatures: its version is the firmware's to choose. A value
//! longer than `N` is `TypeError::Capacity`.

use ::heapless::{String, Vec};

use crate::types::{Array, ArrayElement, FromSql, Oid, RawValue, ToSql, TypeError};
use crate::wire::{WireError, Writer};

impl<'a, const N: usize> FromSql<'a> for String<N> {
    const OID: Oid = <&str as FromSql>::OID;
    const COLUMN_OID: Oid = <&str as FromSql>::COLUMN_OID;

    fn accepts(oid: Oid) -> bool {
        <&str>::accepts(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Self::try_from(<&str>::from_sql(value)?).map_err(|_| TypeError::Capacity)
    }
}

impl<const N: usize> ToSql for String<N> {
    const OID: Oid = str::OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_str().to_sql(out)
    }

    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_str().param(out)
    }
}

impl<const N: usize> ArrayElement for String<N> {
    const ARRAY_OID: Oid = str::ARRAY_OID;

    fn accepts_array(oid: Oid) -> bool {
        str::accepts_array(oid)
    }
}

impl<'a, const N: usize> FromSql<'a> for Vec<u8, N> {
    const OID: Oid = <&[u8] as FromSql>::OID;

    fn accepts(oid: Oid) -> bool {
        <&[u8]>::accepts(oid)
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Self::from_slice(<&[u8]>::from_sql(value)?).map_err(|_| TypeError::Capacity)
    }
}

impl<const N: usize> ToSql for Vec<u8, N> {
    const OID: Oid = <[u8] as ToSql>::OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_slice().to_sql(out)
    }
}

impl<const N: usize> ArrayElement for Vec<u8, N> {
    const ARRAY_OID: Oid = <[u8]>::ARRAY_OID;

    fn accepts_array(oid: Oid) -> bool {
        <[u8]>::accepts_array(oid)
    }
}

impl<'a, T: FromSql<'a> + ArrayElement, const N: usize> FromSql<'a> for Vec<T, N> {
    const OID: Oid = T::ARRAY_OID;

    fn accepts(oid: Oid) -> bool {
        T::accepts_array(oid)
    }

    /// All elements in row-major order, whatever the dimensions.
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut elements = Self::new();
        for element in Array::<T>::from_sql(value)? {
            elements.push(element?).map_err(|_| TypeError::Capacity)?;
        }
        Ok(elements)
    }
}

impl<T: ToSql + ArrayElement, const N: usize> ToSql for Vec<T, N> {
    const OID: Oid = T::ARRAY_OID;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_slice().to_sql(out)
    }
}
