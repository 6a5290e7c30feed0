//! Types that only openGauss has, and those it calls otherwise.

use super::{ArrayElement, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::wire::{Rules, WireError, Writer};

/// The type that a value of type `oid` is sent as within another value. openGauss has no `xid8`, its
/// `xid` is as wide; text of any type is text there.
#[inline]
pub(crate) const fn declared(oid: Oid, rules: Rules) -> Oid {
    match oid {
        oid::AS_TEXT => oid::TEXT,
        oid::XID8 if rules.is_gauss() => oid::XID,
        oid::XID8_ARRAY if rules.is_gauss() => oid::XID_ARRAY,
        oid => oid,
    }
}

/// Bytes that go as a type of openGauss by name, where `&[u8]` leaves it to the statement which of
/// `bytea`, `blob` and `raw` they are. PostgreSQL has no such type, and refuses it as a parameter.
macro_rules! bytes {
    ($(#[doc = $doc:literal] $name:ident $oid:ident $array:ident;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name<'a>(pub &'a [u8]);

        impl<'a> FromSql<'a> for $name<'a> {
            const OID: Oid = oid::$oid;

            fn accepts(oid: Oid) -> bool {
                oid == oid::$oid
            }

            fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
                <&[u8]>::from_sql(value).map(Self)
            }
        }

        impl ToSql for $name<'_> {
            const OID: Oid = oid::$oid;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                out.bytes(self.0)
            }

            fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                self.0.param(out)
            }
        }

        impl ArrayElement for $name<'_> {
            const ARRAY_OID: Oid = oid::$array;
        }
    )*};
}

bytes! {
    /// openGauss's `blob`, sent as such. In binary format only, as `&[u8]`.
    Blob BLOB BLOB_ARRAY;
    /// openGauss's `raw`, sent as such. In binary format only, as `&[u8]`.
    Raw RAW RAW_ARRAY;
}

/// openGauss's `xid32`, a transaction id of four bytes. PostgreSQL has no such type (its `xid` has
/// that width), and refuses it as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Xid32(pub u32);

impl<'a> FromSql<'a> for Xid32 {
    const OID: Oid = oid::XID32;

    fn accepts(oid: Oid) -> bool {
        oid == oid::XID32
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        u32::from_sql(value).map(Self)
    }
}

impl ToSql for Xid32 {
    const OID: Oid = oid::XID32;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u32(self.0)
    }
}

/// openGauss's `int1` (`tinyint`): 0 to 255. PostgreSQL has no such type, and refuses it as a
/// parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Int1(pub u8);

impl<'a> FromSql<'a> for Int1 {
    const OID: Oid = oid::INT1;

    fn accepts(oid: Oid) -> bool {
        oid == oid::INT1
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        value.fixed().map(u8::from_be_bytes).map(Self)
    }
}

impl ToSql for Int1 {
    const OID: Oid = oid::INT1;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.u8(self.0)
    }
}

/// openGauss's `int16`, an integer of 128 bits. PostgreSQL has no such type.
impl<'a> FromSql<'a> for i128 {
    const OID: Oid = oid::INT16;

    fn accepts(oid: Oid) -> bool {
        oid == oid::INT16
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        value.fixed().map(i128::from_be_bytes)
    }
}

impl ToSql for i128 {
    const OID: Oid = oid::INT16;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.bytes(&self.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Format;

    fn raw(oid: Oid, bytes: &[u8]) -> RawValue<'_> {
        RawValue { oid, format: Format::Binary, bytes }
    }

    #[test]
    fn bytes_that_name_their_type() {
        assert_eq!(raw(oid::BLOB, &[0, 255]).get(), Ok(Blob(&[0, 255])));
        assert_eq!(raw(oid::RAW, &[0, 255]).get(), Ok(Raw(&[0, 255])));
        assert_eq!(raw(oid::BYTEA, &[0]).get::<Blob<'_>>(), Err(TypeError::Mismatch));
        assert_eq!(raw(oid::RAW, &[0, 255]).get(), Ok(&[0, 255][..]));
    }

    #[test]
    fn transaction_ids_of_four_bytes() {
        use crate::types::Xid;
        let value = raw(oid::XID32, &[0, 0, 1, 2]);
        assert_eq!(value.get(), Ok(Xid32(258)));
        assert_eq!((value.get(), value.get()), (Ok(258_u32), Ok(Xid(258))));
        let text = RawValue { format: Format::Text, bytes: b"258", ..value };
        assert_eq!((text.get(), text.get()), (Ok(Xid32(258)), Ok(258_u32)));
    }
}
