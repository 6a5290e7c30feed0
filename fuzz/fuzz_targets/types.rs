#![no_main]
//! Values as a server may send them: every decoder gives a value or an error for any bytes. What
//! was read and is sent again reads the same; what was read and is printed parses the same.

use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

use barepg::types::geo::{Path, Point, Polygon};
use barepg::types::{
    AnyFormat, AnyText, Array, Bits, Char, Cidr, Date, Dimension, Dimensioned, Format, Hstore,
    Inet, Int1, Interval, Json, JsonPath, Jsonb, MacAddr, MacAddr8, Money, Multirange, Numeric,
    PgLsn, Range, RawValue, Record, Scaled, Tid, Time, TimeTz, Timestamp, TimestampTz, TypeError,
    Uuid, Xid, bytes_from_text, oid,
};
use barepg::wire::{WireError, Writer};
use barepg::{FromSql, ToSql};
use libfuzzer_sys::fuzz_target;

fn read<'a, T: FromSql<'a>>(value: RawValue<'a>) -> Option<T> {
    T::from_sql(RawValue { oid: T::OID, ..value }).ok()
}

/// The binary encoding; `None` for text with a zero byte, which no server has.
fn sent<T: ToSql + ?Sized>(value: &T) -> Option<Vec<u8>> {
    let mut buf = [0; 4096];
    let mut out = Writer::new(&mut buf);
    match value.to_sql(&mut out) {
        Err(WireError::Nul) => return None,
        result => result.expect("what was read can be sent"),
    }
    let length = out.len();
    Some(buf[..length].to_vec())
}

/// Sending gives the bytes of a value that reads the same.
fn echo<T: for<'a> FromSql<'a> + ToSql + PartialEq + Debug>(value: RawValue<'_>) {
    let Some(first) = read::<T>(value) else { return };
    let bytes = sent(&first).expect("no text");
    let (oid, format) = (<T as ToSql>::OID, Format::Binary);
    assert_eq!(RawValue { oid, format, bytes: &bytes }.get().as_ref(), Ok(&first));
}

/// As `echo`, and printing gives the text of a value that parses the same.
fn print<T>(value: RawValue<'_>)
where
    T: for<'a> FromSql<'a> + ToSql + PartialEq + Debug + Display + FromStr,
    T::Err: Into<TypeError> + Debug + PartialEq,
{
    echo::<T>(value);
    parse_again::<T>(value);
}

/// Printing gives the text of a value that parses the same.
fn parse_again<T>(value: RawValue<'_>)
where
    T: for<'a> FromSql<'a> + PartialEq + Debug + Display + FromStr,
    T::Err: Into<TypeError> + Debug + PartialEq,
{
    if let Some(AnyFormat(first)) = read::<AnyFormat<T>>(value) {
        assert_eq!(first.to_string().parse().as_ref(), Ok(&first));
    }
}

/// An object identifier is read as `u32`, which is sent as `int8`.
fn identifier(value: RawValue<'_>) {
    parse_again::<u32>(value);
    let Some(first) = read::<u32>(value) else { return };
    let bytes = sent(&first).expect("no text");
    let again = RawValue { oid: oid::INT8, format: Format::Binary, bytes: &bytes };
    assert_eq!(again.get(), Ok(i64::from(first)));
}

/// A value lent from the bytes is sent as exactly these bytes.
fn lent<'a, T: FromSql<'a> + ToSql>(value: RawValue<'a>) {
    sent_as::<T>(value, value.bytes);
}

/// As [`lent`], but for the version in front of a `jsonb`, which nothing else begins with.
fn json(value: RawValue<'_>) {
    sent_as::<Json>(value, value.bytes.strip_prefix(&[1]).unwrap_or(value.bytes));
}

fn sent_as<'a, T: FromSql<'a> + ToSql>(value: RawValue<'a>, expected: &[u8]) {
    if let (Some(first), Format::Binary) = (read::<T>(value), value.format) {
        assert!(sent(&first).is_none_or(|bytes| bytes == expected));
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let format = if kind & 1 == 0 { Format::Binary } else { Format::Text };
    let value = RawValue { oid: u32::from(kind >> 1), format, bytes };
    echo::<bool>(value);
    print::<i16>(value);
    print::<i32>(value);
    print::<i64>(value);
    identifier(value);
    echo::<i128>(value);
    echo::<Int1>(value);
    read::<f32>(value);
    read::<AnyFormat<f64>>(value);
    lent::<&str>(value);
    lent::<&[u8]>(value);
    read::<AnyText>(value);
    echo::<Char>(value);
    json(value);
    lent::<Jsonb>(value);
    lent::<JsonPath>(value);
    print::<Date>(value);
    print::<Time>(value);
    print::<TimeTz>(value);
    print::<Timestamp>(value);
    print::<TimestampTz>(value);
    echo::<Interval>(value);
    let _ = read::<Interval>(value).map(|interval| interval.to_string());
    print::<Numeric>(value);
    print::<Numeric<1>>(value);
    print::<Scaled<i64, 3>>(value);
    print::<Scaled<i128, 0>>(value);
    print::<Uuid>(value);
    print::<Inet>(value);
    print::<Cidr>(value);
    print::<MacAddr>(value);
    print::<MacAddr8>(value);
    echo::<IpAddr>(value);
    lent::<Bits>(value);
    echo::<PgLsn>(value);
    echo::<Xid>(value);
    echo::<Tid>(value);
    echo::<Money>(value);
    lent::<Point>(value);
    lent::<Path>(value);
    lent::<Polygon>(value);
    echo::<Range<i32>>(value);
    echo::<Range<Numeric>>(value);
    echo::<Range<TimestampTz>>(value);
    if let Some(ranges) = read::<Multirange<i64>>(value) {
        let _ = ranges.iter().flatten().map(|range| sent(&range)).count();
    }
    lent::<Hstore>(value);
    let _ = read::<Hstore>(value).map(|pairs| pairs.get("a"));
    if let Some(mut record) = read::<Record>(value) {
        while !record.is_empty() {
            let _ = record.field::<Option<i32>>();
        }
    }
    if let Some(array) = read::<Array<Option<i32>>>(value) {
        // An array cannot have more elements than bytes to spell them.
        assert!(array.iter().take(bytes.len() + 1).count() <= bytes.len());
        if let Ok(elements) = array.iter().collect::<Result<Vec<_>, _>>() {
            let dimensions: Vec<Dimension> = array.dimensions().collect();
            let elements = &elements[..];
            let again = sent(&Dimensioned { dimensions: &dimensions, elements }).unwrap();
            // All but the flag, which says "may hold NULLs" in what is read.
            assert_eq!((&again[..4], &again[8..]), (&bytes[..4], &bytes[8..]));
        }
    }
    let mut out = [0; 64];
    let _ = bytes_from_text(value, &mut out);
});
