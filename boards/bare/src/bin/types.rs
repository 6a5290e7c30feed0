#![no_std]
#![no_main]
//! Every type, read, sent, printed and parsed, without a session: no panic in any of them. (Only
//! `AnyFormat` of a float is missing: `core` parses floats with checks that can panic.)

use core::fmt::{Display, Write};
use core::str::FromStr;

use barepg::types::geo::{Box, Circle, Line, Lseg, Path, Point, Polygon};
use barepg::types::{
    AnyFormat, AnyText, Array, ArrayElement, Bits, Char, Cidr, Date, Format, Hstore, Inet, Int1,
    Interval, Json, JsonPath, Jsonb, MacAddr, MacAddr8, Money, Multirange, Numeric, PgLsn, Range,
    RawValue, Record, Scaled, Tid, Time, TimeTz, Timestamp, TimestampTz, TypeError, Uuid, Xid,
    bytes_from_text,
};
use barepg::wire::Writer;
use barepg::{FromSql, Oid, ToSql};
use barepg_bare::{Machine, show, show_bytes};
use embedded_io::Read;

struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        show_bytes(text.as_bytes());
        Ok(())
    }
}

/// Reads a value and sends it back.
fn echo<'a, T: FromSql<'a> + ToSql>(value: RawValue<'a>) {
    if let Ok(value) = value.get::<T>() {
        send(&value);
    }
}

/// As `echo`, and all elements of an array.
fn echo_array<'a, T: FromSql<'a> + ToSql + ArrayElement>(value: RawValue<'a>) {
    echo::<T>(value);
    for element in value.get::<Array<'a, Option<T>>>().into_iter().flatten().flatten() {
        send(&[element][..]);
    }
}

/// As `echo_array`, and to text and back.
fn print<'a, T>(value: RawValue<'a>)
where
    T: FromSql<'a> + ToSql + ArrayElement + Display + FromStr<Err: Into<TypeError>>,
{
    echo_array::<T>(value);
    if let Ok(AnyFormat(value)) = value.get::<AnyFormat<T>>() {
        let _ = write!(Out, "{value}");
    }
}

fn send<T: ToSql + ?Sized>(value: &T) {
    let mut buf = [0; 64];
    let mut out = Writer::new(&mut buf);
    if value.param(&mut out).is_ok() {
        let length = out.len();
        show_bytes(buf.get(..length).unwrap_or(&[]));
    }
}

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let mut bytes = [0; 64];
    loop {
        let mut head = [0; 5];
        let _ = Machine.read(&mut head);
        let _ = Machine.read(&mut bytes);
        let [format, a, b, c, d] = head;
        let format = if format == 0 { Format::Binary } else { Format::Text };
        let oid = Oid::from_be_bytes([a, b, c, d]);
        all(RawValue { oid, format, bytes: &bytes });
    }
}

fn all(value: RawValue<'_>) {
    echo_array::<bool>(value);
    print::<i16>(value);
    print::<i32>(value);
    print::<i64>(value);
    print::<u32>(value);
    echo_array::<f32>(value);
    echo_array::<f64>(value);
    echo_array::<&str>(value);
    echo_array::<&[u8]>(value);
    echo_array::<[u8; 4]>(value);
    echo_array::<Char>(value);
    echo::<AnyText<'_>>(value);
    print::<Numeric>(value);
    print::<Scaled<i64, 2>>(value);
    print::<Scaled<i128, 6>>(value);
    print::<Date>(value);
    print::<Time>(value);
    print::<TimeTz>(value);
    print::<Timestamp>(value);
    print::<TimestampTz>(value);
    echo_array::<Interval>(value);
    if let Ok(interval) = value.get::<Interval>() {
        let _ = write!(Out, "{interval}");
    }
    print::<Uuid>(value);
    print::<Inet>(value);
    print::<Cidr>(value);
    print::<MacAddr>(value);
    print::<MacAddr8>(value);
    echo_array::<core::net::IpAddr>(value);
    echo_array::<Bits<'_>>(value);
    if let Ok(bits) = value.get::<Bits<'_>>() {
        let _ = write!(Out, "{bits}");
    }
    echo_array::<Json<'_>>(value);
    echo_array::<Jsonb<'_>>(value);
    echo_array::<JsonPath<'_>>(value);
    echo_array::<Point>(value);
    echo_array::<Line>(value);
    echo_array::<Lseg>(value);
    echo_array::<Box>(value);
    echo_array::<Circle>(value);
    echo_array::<Path<'_>>(value);
    echo_array::<Polygon<'_>>(value);
    echo_array::<Range<i32>>(value);
    echo_array::<Range<i64>>(value);
    echo_array::<Range<Numeric>>(value);
    echo_array::<Range<Date>>(value);
    echo_array::<Range<TimestampTz>>(value);
    echo_array::<Multirange<'_, i32>>(value);
    if let Ok(ranges) = value.get::<Multirange<'_, i32>>() {
        ranges.iter().flatten().for_each(|range| send(&range));
    }
    if let Ok(record) = value.get::<Record<'_>>()
        && let Ok((id, name)) = record.decode::<(i32, &str)>()
    {
        send(&barepg::types::Composite((id, name)));
    }
    echo::<Hstore<'_>>(value);
    echo_array::<PgLsn>(value);
    echo_array::<Xid>(value);
    echo_array::<Tid>(value);
    echo_array::<Money>(value);
    echo_array::<Int1>(value);
    echo_array::<i128>(value);
    show(u32::from(value.get::<()>().is_ok()));
    if let Ok(numbers) = value.get::<[Option<i32>; 3]>() {
        send(&numbers);
    }
    let mut out = [0; 16];
    show_bytes(bytes_from_text(value, &mut out).unwrap_or(&[]));
}
