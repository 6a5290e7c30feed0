#![no_main]
//! Values as a server may send them: every decoder gives a value or an error for any bytes.

use barepg::FromSql;
use barepg::types::{
    AnyText, Array, Char, Date, Format, Interval, RawValue, Time, TimeTz, Timestamp, TimestampTz,
};
use libfuzzer_sys::fuzz_target;

fn read<'a, T: FromSql<'a>>(value: RawValue<'a>) -> Option<T> {
    T::from_sql(value).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let format = if kind & 1 == 0 { Format::Binary } else { Format::Text };
    let value = RawValue { oid: u32::from(kind >> 1), format, bytes };
    read::<bool>(value);
    read::<i16>(value);
    read::<i32>(value);
    read::<i64>(value);
    read::<u32>(value);
    read::<f32>(value);
    read::<f64>(value);
    read::<&str>(value);
    read::<&[u8]>(value);
    read::<AnyText>(value);
    read::<Char>(value);
    read::<Date>(value);
    read::<Time>(value);
    read::<TimeTz>(value);
    read::<Timestamp>(value);
    read::<TimestampTz>(value);
    read::<Interval>(value);
    if let Some(array) = read::<Array<i32>>(value) {
        // An array cannot have more elements than bytes to spell them.
        assert!(array.iter().take(bytes.len() + 1).count() <= bytes.len());
    }
});
