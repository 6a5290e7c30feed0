//! Composite values (rows as values) and hstore: several values in one.

use super::array::element;
use super::{ArrayElement, Format, FromSql, Oid, RawValue, ToSql, TypeError, oid};
use crate::limits::MAX_FIELDS;
use crate::wire::{Reader, WireError, Writer};

/// A composite value: of a row type (`create type … as`, or a table), or `row(…)`.
///
/// Its fields are read one after another with [`field`](Self::field), or as a tuple with
/// [`decode`](Self::decode). Count, lengths and end were checked when it was made. A field of a domain
/// comes under the domain's OID: cast it where the value is made.
///
/// Layout (`record_send`, `src/backend/utils/adt/rowtypes.c`): number of fields; of each its type
/// OID, length and bytes.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    left: u32,
    bytes: Reader<'a>,
}

/// A tuple sent as a composite value.
///
/// The server infers which composite type is meant from where the parameter stands, and refuses
/// it unless the number and types of the fields are exactly those. `row(…)` itself cannot be a
/// parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composite<T>(pub T);

/// `hstore` of the extension of that name: keys with a text or NULL each. Iterated over the bytes
/// of the row, or lent from a slice of pairs to be sent.
///
/// Layout (`hstore_send`, `contrib/hstore/hstore_io.c`): number of pairs; of each the length and
/// bytes of the key, then of the value. The server counts those bytes before it converts them: of a database whose
/// encoding is not UTF-8, what holds more than ASCII is [`TypeError::Malformed`] or [`TypeError::Utf8`]. Select
/// `h::json` there.
#[derive(Clone, Copy, Debug)]
pub struct Hstore<'a>(Source<'a>);

/// A key of an hstore and its value.
pub type Pair<'a> = (&'a str, Option<&'a str>);

/// The pairs of an [`Hstore`].
#[derive(Clone, Debug)]
pub struct Pairs<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Wire { left: u32, bytes: &'a [u8] },
    Slice(&'a [Pair<'a>]),
}

impl<'a> Record<'a> {
    /// Number of fields not yet read.
    pub const fn len(&self) -> u32 {
        self.left
    }

    /// True when all fields were read.
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Reads the next field.
    ///
    /// # Errors
    /// [`TypeError::Malformed`] past the last one, [`TypeError::Mismatch`] when `T` does not
    /// accept its type, else as [`FromSql::from_sql`].
    pub fn field<T: FromSql<'a>>(&mut self) -> Result<T, TypeError> {
        self.left = self.left.checked_sub(1).ok_or(TypeError::Malformed)?;
        let oid = self.bytes.u32()?;
        match element(&mut self.bytes)? {
            Some(bytes) => RawValue { oid, format: Format::Binary, bytes }.get(),
            None if T::accepts(oid) => T::from_null(),
            None => Err(TypeError::Mismatch),
        }
    }

    /// Reads all fields as a tuple.
    ///
    /// # Errors
    /// As [`field`](Self::field), and [`TypeError::Mismatch`] when there are more or fewer.
    pub fn decode<T: Fields<'a>>(&self) -> Result<T, TypeError> {
        if self.left != T::COUNT {
            return Err(TypeError::Mismatch);
        }
        T::read(&mut self.clone())
    }
}

impl<'a> FromSql<'a> for Record<'a> {
    const OID: Oid = oid::RECORD;

    fn accepts(oid: Oid) -> bool {
        oid == oid::RECORD || oid >= oid::FIRST_USER
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let left = u32::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
        if left > MAX_FIELDS {
            return Err(TypeError::Malformed);
        }
        let record = Self { left, bytes: bytes.clone() };
        for _ in 0..left {
            bytes.u32()?;
            element(&mut bytes)?;
        }
        bytes.finish()?;
        Ok(record)
    }
}

impl ArrayElement for Record<'_> {
    const ARRAY_OID: Oid = oid::RECORD_ARRAY;

    fn accepts_array(oid: Oid) -> bool {
        oid == oid::RECORD_ARRAY || oid >= oid::FIRST_USER
    }
}

/// A tuple of fields that [`Record::decode`] can read.
pub trait Fields<'a>: Sized {
    /// Number of fields.
    const COUNT: u32;

    /// Reads the fields in order.
    ///
    /// # Errors
    /// As [`Record::field`].
    fn read(record: &mut Record<'a>) -> Result<Self, TypeError>;
}

macro_rules! tuples {
    ($($count:literal $($field:ident)*;)*) => {$(
        impl<'a, $($field: FromSql<'a>),*> Fields<'a> for ($($field,)*) {
            const COUNT: u32 = $count;

            fn read(record: &mut Record<'a>) -> Result<Self, TypeError> {
                Ok(($(record.field::<$field>()?,)*))
            }
        }

        impl<$($field: ToSql),*> ToSql for Composite<($($field,)*)> {
            const OID: Oid = 0;

            fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
                #[expect(non_snake_case)]
                let ($($field,)*) = &self.0;
                out.u32($count)?;
                out.within(|out| {
                    $(
                        out.u32(super::declared($field::OID, out.rules()))?;
                        $field.param(out)?;
                    )*
                    Ok(())
                })
            }
        }
    )*};
}

tuples! {
    1 A;
    2 A B;
    3 A B C;
    4 A B C D;
    5 A B C D E;
    6 A B C D E F;
    7 A B C D E F G;
    8 A B C D E F G H;
}

impl<'a> Hstore<'a> {
    /// Number of pairs.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Wire { left, .. } => usize::try_from(left).unwrap_or(usize::MAX),
            Source::Slice(pairs) => pairs.len(),
        }
    }

    /// True when there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All pairs, in the server's order (by length of the key, then by its bytes).
    pub const fn iter(&self) -> Pairs<'a> {
        Pairs(self.0)
    }

    /// The value of `key`; `None` when there is no such key.
    pub fn get(&self, key: &str) -> Option<Option<&'a str>> {
        self.iter().find_map(|pair| pair.ok().filter(|(k, _)| *k == key)).map(|(_, value)| value)
    }
}

/// To be sent. Of equal keys the server keeps one.
impl<'a> From<&'a [Pair<'a>]> for Hstore<'a> {
    fn from(pairs: &'a [Pair<'a>]) -> Self {
        Self(Source::Slice(pairs))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<Pair<'a>, TypeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Slice(pairs) => {
                let (first, rest) = pairs.split_first()?;
                *pairs = rest;
                Some(Ok(*first))
            }
            Source::Wire { left, bytes } => {
                *left = left.checked_sub(1)?;
                let mut reader = Reader::new(bytes);
                let pair = pair(&mut reader);
                *bytes = reader.rest();
                Some(pair)
            }
        }
    }
}

fn pair<'a>(bytes: &mut Reader<'a>) -> Result<Pair<'a>, TypeError> {
    let (key, value) = (element(bytes)?, element(bytes)?);
    let key = super::text::utf8(key.ok_or(TypeError::Malformed)?)?;
    Ok((key, value.map(super::text::utf8).transpose()?))
}

impl<'a> FromSql<'a> for Hstore<'a> {
    /// Every database has its own OID for it.
    const OID: Oid = 0;

    fn accepts(oid: Oid) -> bool {
        oid >= oid::FIRST_USER
    }

    fn from_sql(value: RawValue<'a>) -> Result<Self, TypeError> {
        let mut bytes = value.binary()?;
        let left = u32::try_from(bytes.i32()?).map_err(|_| TypeError::Malformed)?;
        let pairs = bytes.rest();
        for _ in 0..left {
            pair(&mut bytes)?;
        }
        bytes.finish()?;
        Ok(Self(Source::Wire { left, bytes: pairs }))
    }
}

impl ToSql for Hstore<'_> {
    const OID: Oid = 0;

    fn to_sql(&self, out: &mut Writer<'_>) -> Result<(), WireError> {
        out.i32(i32::try_from(self.len()).map_err(|_| WireError::TooLong)?)?;
        out.within(|out| {
            self.iter().try_for_each(|pair| {
                let (key, value) = pair.map_err(|_| WireError::Value)?;
                super::ExactText(key).param(out)?;
                value.map(super::ExactText).param(out)
            })
        })
    }
}
