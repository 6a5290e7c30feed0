//! Rust values and PostgreSQL's binary formats. Pure: bytes to values, values to bytes.
//!
//! Used by `rows` (reading) and `query` (parameters); may use `wire` and `limits` only.
//!
//! A parameter goes out in binary format with the type OID of its Rust type, so the server never
//! has to guess. A column comes in binary from the extended protocol, and as text from a simple
//! query, which most types refuse: see [`AnyFormat`].
//!
//! | PostgreSQL | Rust | read, bytes of flash |
//! |---|---|---|
//! | `bool` | `bool` | 98 |
//! | `int2`, `int4`, `int8` | `i16`, `i32`, `i64` (both formats) | |
//! | `oid`, `xid`, `cid`, openGauss's `xid32` | `u32` (both formats), which is sent as `int8` | |
//! | `regclass`, `regtype`, `regproc` and the like | `u32`; their text is a name | |
//! | `xid8`, `xid` | [`Xid`] | |
//! | `float4`, `float8` | `f32`, `f64` | |
//! | `numeric` | [`Scaled`]`<i64, 2>`, [`Numeric`] | 764, 570 |
//! | `text`, `varchar`, `char(n)`, `name`, `xml` | `&str` (both formats), [`ExactText`] | 668 |
//! | enums, unknown types as text | [`AnyText`] (both formats) | |
//! | `"char"` | [`Char`] (both formats) | |
//! | `bytea` | `&[u8]`, `[u8; N]`; of text [`bytes_from_text`] | |
//! | `date` | [`Date`] | 384 |
//! | `time`, `timetz` | [`Time`], [`TimeTz`] | |
//! | `timestamp`, `timestamptz` | [`Timestamp`], [`TimestampTz`] | 150 |
//! | `interval` | [`Interval`] | 64 |
//! | `uuid` | [`Uuid`] | 64 |
//! | `json`, `jsonb`, `jsonpath` | [`Json`], [`Jsonb`], [`JsonPath`] (both formats) | 724 |
//! | `inet`, `cidr` | [`Inet`], [`Cidr`], [`IpAddr`](core::net::IpAddr) | 148 |
//! | `macaddr`, `macaddr8` | [`MacAddr`], [`MacAddr8`] | |
//! | `bit`, `varbit` | [`Bits`] | |
//! | `point`, `line`, `lseg`, `box`, `path`, `polygon`, `circle` | module [`geo`] | 64 |
//! | `int4range` and the others, multiranges | [`Range`], [`Multirange`] | 236 |
//! | arrays of all of these | [`Array`], `[Option<T>; N]`; to send `&[T]`, [`Dimensioned`] | 402 |
//! | composite types, `record` | [`Record`]; to send [`Composite`] | 150 |
//! | `hstore` | [`Hstore`] | 838 |
//! | `pg_lsn`, `tid`, `money`, `void` | [`PgLsn`], [`Tid`], [`Money`], `()` | |
//! | NULL of any type | [`Option`] | |
//! | any type as it came | [`RawValue`] | |
//!
//! openGauss: `int1` is [`Int1`], `int16` is `i128`, `nvarchar2` and `clob` are `&str`, `blob` and
//! `raw` are `&[u8]` (or [`Blob`] and [`Raw`], which name the type), `smalldatetime` is
//! [`Timestamp`], its 8-byte `xid` is [`Xid`], `xid32` is [`Xid32`], and the `DATE` of a database of
//! compatibility `A`, a `timestamp(0)`, can be read as [`Date`] too. Its vectors are [`RawValue`]s.
//!
//! The flash is what one read of the type adds on a Cortex-M3 (`opt-level = "s"`, fat LTO); what a
//! second type shares with the first is counted in both. Printing and parsing are linked only
//! where they are used: 2.3 KB for a timestamp, 1.9 KB for a numeric, 19 KB for parsing a float.
//!
//! Features add the types of other crates: `with-chrono`, `with-fixed`, `with-heapless`,
//! `with-jiff`, `with-serde-json-core`, `with-time`, `with-uuid`.

mod array;
mod basic;
mod bits;
mod composite;
mod datetime;
mod exact;
mod gauss;
pub mod geo;
mod json;
mod misc;
pub(crate) mod net;
mod numeric;
pub mod oid;
mod range;
mod text;
mod with;

pub use array::{Array, ArrayElement, Dimension, Dimensioned, Elements};
pub use bits::Bits;
pub use composite::{Composite, Fields, Hstore, Pair, Pairs, Record};
pub use datetime::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};
pub use exact::ExactText;
pub(crate) use gauss::declared;
pub use gauss::{Blob, Int1, Raw, Xid32};
pub use json::{Json, JsonPath, Jsonb};
pub use misc::{Money, PgLsn, Tid, Uuid, Xid};
pub use net::{Cidr, Inet, MacAddr, MacAddr8};
pub use numeric::{Numeric, Scaled};
pub use range::{Multirange, Range, RangeElement, Ranges};
pub(crate) use text::is_text;
pub use text::{AnyFormat, AnyText, Char, bytes_from_text};
#[cfg(feature = "with-serde-json-core")]
pub use with::JsonError;

use crate::wire::{Reader, WireError, Writer};

/// The object identifier of a data type, as in `pg_type.oid`. Constants are in [`oid`].
pub type Oid = u32;

/// How a value's bytes are to be read (the protocol's format code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Format {
    /// Format code 0: the text that `psql` would show.
    Text,
    /// Format code 1: the type's own binary layout.
    Binary,
}

/// A value that is not NULL, as it stands in the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RawValue<'a> {
    /// Type of the column.
    pub oid: Oid,
    /// Format of `bytes`.
    pub format: Format,
    /// The value itself.
    pub bytes: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// Reads the value as `T` after checking that `T` accepts its type.
    ///
    /// # Errors
    /// [`TypeError::Mismatch`], or what [`FromSql::from_sql`] returns.
    #[inline]
    pub fn get<T: FromSql<'a>>(self) -> Result<T, TypeError> {
        if T::accepts(self.oid) { T::from_sql(self) } else { Err(TypeError::Mismatch) }
    }

    /// A reader over the binary layout.
    ///
    /// # Errors
    /// [`TypeError::Format`] when the value came as text.
    #[inline]
    pub fn binary(self) -> Result<Reader<'a>, TypeError> {
        match self.format {
            Format::Binary => Ok(Reader::new(self.bytes)),
            Format::Text => Err(TypeError::Format),
        }
    }

    /// The whole binary layout of a type of `N` bytes.
    ///
    /// # Errors
    /// [`TypeError::Format`] when the value came as text, [`TypeError::Malformed`] when it has
    /// another length.
    #[inline]
    pub fn fixed<const N: usize>(self) -> Result<[u8; N], TypeError> {
        match self.format {
            Format::Binary => self.bytes.try_into().map_err(|_| TypeError::Malformed),
            Format::Text => Err(TypeError::Format),
        }
    }
}

/// Any type, as it came.
impl<'a> FromSql<'a> for RawValue<'a> {
    const OID: Oid = oid::UNKNOWN;

    #[inline]
    fn accepts(_: Oid) -> bool {
        true
    }

    #[inline]
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        Ok(value)
    }
}

/// Why a value could not be turned into the wanted Rust type. The connection stays usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TypeError {
    /// The column's type is not one this Rust type accepts.
    Mismatch,
    /// The value is NULL and the wanted type is not an `Option`.
    Null,
    /// The bytes do not have the layout of the type.
    Malformed,
    /// The value does not fit the Rust type.
    Range,
    /// The text is not valid UTF-8.
    Utf8,
    /// This Rust type cannot be read from this format (text of a simple query, for example).
    Format,
    /// The value is longer than the fixed capacity it should go into.
    Capacity,
}

impl core::fmt::Display for TypeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Mismatch => "another type",
            Self::Null => "NULL",
            Self::Malformed => "malformed",
            Self::Range => "out of range",
            Self::Utf8 => "not UTF-8",
            Self::Format => "the wrong format",
            Self::Capacity => "longer than its place",
        })
    }
}

impl core::error::Error for TypeError {}

/// Inside a value every shortage is the value's: its own length was checked before.
impl From<WireError> for TypeError {
    fn from(_: WireError) -> Self {
        Self::Malformed
    }
}

/// For [`AnyFormat`] of floats.
impl From<core::num::ParseFloatError> for TypeError {
    fn from(_: core::num::ParseFloatError) -> Self {
        Self::Malformed
    }
}

/// For [`AnyFormat`] of integers.
impl From<core::num::ParseIntError> for TypeError {
    fn from(error: core::num::ParseIntError) -> Self {
        use core::num::IntErrorKind::{NegOverflow, PosOverflow};
        match error.kind() {
            PosOverflow | NegOverflow => Self::Range,
            _ => Self::Malformed,
        }
    }
}

/// A Rust type that can be read from a column.
///
/// ```
/// use barepg::FromSql;
/// use barepg::types::{AnyText, Oid, RawValue, TypeError};
///
/// /// `create type access as enum ('visitor', 'staff')`: its number is another one in each database.
/// enum Access { Visitor, Staff }
///
/// impl<'a> FromSql<'a> for Access {
///     const OID: Oid = AnyText::OID;
///
///     fn accepts(oid: Oid) -> bool {
///         AnyText::accepts(oid)
///     }
///
///     fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
///         match AnyText::from_sql(value)?.0 {
///             "visitor" => Ok(Self::Visitor),
///             "staff" => Ok(Self::Staff),
///             _ => Err(TypeError::Range),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    note = "PostgreSQL has no unsigned integers: `i16`, `i32`, `i64` are int2, int4, int8; text is lent as `&str`, \
            bytes as `&[u8]`; where NULL may come it is an `Option`",
    note = "all types: https://docs.rs/barepg/latest/barepg/types/"
)]
pub trait FromSql<'a>: Sized {
    /// The type named in error messages as the wanted one.
    const OID: Oid;

    /// What a column is of whose values are read without looking at its description, once that was compared
    /// with this: [`OID`](Self::OID), or [`oid::ANY_TEXT`] where all texts are read in the same way.
    #[doc(hidden)]
    const COLUMN_OID: Oid = Self::OID;

    /// Whether a column of type `oid` can be read as this type. Checked before
    /// [`from_sql`](Self::from_sql).
    fn accepts(oid: Oid) -> bool;

    /// Reads a value that is not NULL.
    ///
    /// # Errors
    /// [`TypeError`] when the bytes do not make a value of this type.
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError>;

    /// What NULL becomes. Only `Option` accepts it.
    ///
    /// # Errors
    /// [`TypeError::Null`] by default.
    fn from_null() -> Result<Self, TypeError> {
        Err(TypeError::Null)
    }
}

/// A Rust value that can be sent as a parameter.
///
/// ```no_run
/// use barepg::types::{Oid, oid};
/// use barepg::wire::{WireError, Writer};
/// use barepg::ToSql;
///
/// /// Hundredths of a degree, as a `real`.
/// struct Temperature(i16);
///
/// impl ToSql for Temperature {
///     const OID: Oid = oid::FLOAT4;
///
///     fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
///         (f32::from(self.0) / 100.0).to_sql(out)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    note = "PostgreSQL has no unsigned integers: `i16`, `i32`, `i64` are int2, int4, int8, and `u32` goes as int8; text goes as `&str`, \
            bytes as `&[u8]`, an array as a slice",
    note = "all types: https://docs.rs/barepg/latest/barepg/types/"
)]
pub trait ToSql {
    /// The type that is sent to the server. 0 lets it infer one, which is safe only where the binary
    /// layout of the inferred type is what [`to_sql`](Self::to_sql) writes; with [`oid::AS_TEXT`] it
    /// parses text as the type that it infers.
    const OID: Oid;

    /// Writes the value in binary format ([`oid::AS_TEXT`]: as text), without its length. May be called more than once and must
    /// write the same bytes each time.
    ///
    /// # Errors
    /// What [`Writer`] returns, or [`WireError::Value`] when the value has no encoding.
    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError>;

    /// Whether the value is NULL; [`to_sql`](Self::to_sql) is not called then.
    #[inline]
    fn is_null(&self) -> bool {
        false
    }

    /// Writes length and value, as Bind wants them. Only worth overriding for fixed sizes.
    ///
    /// # Errors
    /// As [`to_sql`](Self::to_sql).
    #[inline]
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        if self.is_null() { out.i32(-1) } else { out.prefixed(&|out| self.to_sql(out)) }
    }
}

impl<'a, T: FromSql<'a>> FromSql<'a> for Option<T> {
    const OID: Oid = T::OID;
    const COLUMN_OID: Oid = T::COLUMN_OID;

    #[inline]
    fn accepts(oid: Oid) -> bool {
        T::accepts(oid)
    }

    #[inline]
    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        T::from_sql(value).map(Some)
    }

    #[inline]
    fn from_null() -> Result<Self, TypeError> {
        Ok(None)
    }
}

impl<T: ToSql> ToSql for Option<T> {
    const OID: Oid = T::OID;

    #[inline]
    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        self.as_ref().map_or(Ok(()), |value| value.to_sql(out))
    }

    #[inline]
    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(ToSql::is_null)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline)]
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        match self {
            Some(value) => value.param(out),
            None => out.i32(-1),
        }
    }
}

impl<T: ToSql + ?Sized> ToSql for &T {
    const OID: Oid = T::OID;

    #[inline]
    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        T::to_sql(self, out)
    }

    #[inline]
    fn is_null(&self) -> bool {
        T::is_null(self)
    }

    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline)]
    fn param(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        T::param(self, out)
    }
}

#[cfg(test)]
mod tests;
