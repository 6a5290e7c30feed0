//! Known bytes: what PostgreSQL 15.18 returns from the types' own send functions
//! (`select encode(date_send('2024-02-29'), 'hex')` and so on).

mod array;
mod datetime;
mod numeric;
mod scalars;
mod structured;
#[cfg(any(
    feature = "with-chrono",
    feature = "with-fixed",
    feature = "with-heapless",
    feature = "with-jiff",
    feature = "with-serde-json-core",
    feature = "with-time",
    feature = "with-uuid"
))]
mod with;

use core::fmt::{Debug, Display};
use core::str::FromStr;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{AnyFormat, Format, FromSql, Oid, RawValue, ToSql, TypeError};
use crate::wire::{WireError, Writer};

/// Bytes of hexadecimal digits; blanks are for the reader.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|b| *b != b' ').collect();
    let mut out = std::vec![0; digits.len() / 2];
    let value = RawValue { oid: super::oid::RAW, format: Format::Text, bytes: &digits };
    super::bytes_from_text(value, &mut out).unwrap();
    out
}

/// The value's binary encoding, checked to be what counting says.
fn encode<T: ToSql + ?Sized>(value: &T) -> Result<String, WireError> {
    let mut buf = [0; 1024];
    let mut out = Writer::new(&mut buf);
    value.to_sql(&mut out)?;
    let len = out.len();
    let counted =
        Writer::measure(&|w: &mut Writer<'_>| value.to_sql(w), &[], crate::wire::Rules::NONE)?;
    assert_eq!(counted, len);
    Ok(buf[..len].iter().map(|byte| std::format!("{byte:02x}")).collect())
}

fn binary<'a, T: FromSql<'a>>(oid: Oid, bytes: &'a [u8]) -> Result<T, TypeError> {
    RawValue { oid, format: Format::Binary, bytes }.get()
}

/// Decodes bytes that need not outlive the value.
fn decode<T: for<'a> FromSql<'a>>(digits: &str) -> Result<T, TypeError> {
    binary(T::OID, &hex(digits))
}

/// Checks text and bytes of a value against each other in all directions, and that no other
/// length of bytes is taken for a value.
fn both_ways<T>(table: &[(&str, &str)])
where
    T: for<'a> FromSql<'a> + ToSql + Display + FromStr<Err = TypeError> + PartialEq + Debug,
{
    for (text, digits) in table {
        let value: T = decode(digits).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(value.to_string(), *text);
        assert_eq!(encode(&value).as_deref(), Ok(*digits), "{text}");
        assert_eq!(text.parse::<T>().as_ref(), Ok(&value), "{text}");
        let raw = RawValue { oid: <T as ToSql>::OID, format: Format::Text, bytes: text.as_bytes() };
        assert_eq!(raw.get::<AnyFormat<T>>().map(|any| any.0).as_ref(), Ok(&value), "{text}");
        assert_eq!(raw.get::<T>(), Err(TypeError::Format), "{text}");
        lengths_are_exact::<T>(digits);
    }
}

/// Every shorter value and one longer by a byte are malformed.
fn lengths_are_exact<T: for<'a> FromSql<'a> + Debug>(digits: &str) {
    let mut bytes = hex(digits);
    bytes.push(0);
    for end in (0..bytes.len() - 1).chain([bytes.len()]) {
        let result: Result<T, _> = binary(T::OID, &bytes[..end]);
        assert!(result.is_err(), "{end} bytes of {digits}: {result:?}");
    }
}
