//! Foreign types against the crate's own.

use super::*;

/// The foreign value and the own one of the same text have the same bytes, and read back.
#[cfg(any(
    feature = "with-chrono",
    feature = "with-jiff",
    feature = "with-time",
    feature = "with-uuid"
))]
fn same<Own, Foreign>(value: Foreign, text: &str)
where
    Own: FromStr<Err = TypeError> + ToSql,
    Foreign: for<'a> FromSql<'a> + ToSql + PartialEq + Debug,
{
    let digits = encode(&text.parse::<Own>().unwrap()).unwrap();
    assert_eq!(encode(&value).as_ref(), Ok(&digits), "{text}");
    assert_eq!(decode::<Foreign>(&digits), Ok(value), "{text}");
}

/// Values that only the server has.
#[cfg(any(feature = "with-chrono", feature = "with-jiff", feature = "with-time"))]
fn out_of_range<Date, Time, Timestamp, TimestampTz>()
where
    Date: for<'a> FromSql<'a> + PartialEq + Debug,
    Time: for<'a> FromSql<'a> + PartialEq + Debug,
    Timestamp: for<'a> FromSql<'a> + PartialEq + Debug,
    TimestampTz: for<'a> FromSql<'a> + PartialEq + Debug,
{
    for infinite in ["7fffffff", "80000000", "7fda970c"] {
        assert_eq!(decode::<Date>(infinite), Err(TypeError::Range));
    }
    assert_eq!(decode::<Time>("000000141dd76000"), Err(TypeError::Range));
    for infinite in ["7fffffffffffffff", "8000000000000000", "7fffff5bb3b29fff"] {
        assert_eq!(decode::<Timestamp>(infinite), Err(TypeError::Range));
        assert_eq!(decode::<TimestampTz>(infinite), Err(TypeError::Range));
    }
}

#[cfg(feature = "with-time")]
#[test]
fn time_crate() {
    use crate::types as own;
    use ::time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

    let date = Date::from_calendar_date(2024, Month::February, 29).unwrap();
    let time = Time::from_hms_micro(12, 34, 56, 700_000).unwrap();
    same::<own::Date, _>(date, "2024-02-29");
    same::<own::Date, _>(
        Date::from_calendar_date(0, Month::December, 31).unwrap(),
        "0001-12-31 BC",
    );
    same::<own::Time, _>(time, "12:34:56.7");
    same::<own::Timestamp, _>(PrimitiveDateTime::new(date, time), "2024-02-29 12:34:56.7");
    let offset = UtcOffset::from_hms(5, 30, 0).unwrap();
    let zoned = PrimitiveDateTime::new(date, time).assume_offset(offset);
    same::<own::TimestampTz, _>(zoned, "2024-02-29 12:34:56.7+05:30");
    out_of_range::<Date, Time, PrimitiveDateTime, OffsetDateTime>();
}

#[cfg(feature = "with-chrono")]
#[test]
fn chrono_crate() {
    use crate::types as own;
    use ::chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};

    let date = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let time = NaiveTime::from_hms_micro_opt(12, 34, 56, 700_000).unwrap();
    same::<own::Date, _>(date, "2024-02-29");
    same::<own::Date, _>(NaiveDate::from_ymd_opt(-4713, 11, 24).unwrap(), "4714-11-24 BC");
    same::<own::Time, _>(time, "12:34:56.7");
    same::<own::Timestamp, _>(NaiveDateTime::new(date, time), "2024-02-29 12:34:56.7");
    let zoned = NaiveDateTime::new(date, time).and_utc();
    same::<own::TimestampTz, _>(zoned, "2024-02-29 12:34:56.7+00");
    let leap = NaiveTime::from_hms_micro_opt(23, 59, 59, 1_500_000).unwrap();
    assert_eq!(encode(&leap), encode(&"23:59:59.999999".parse::<own::Time>().unwrap()));
    out_of_range::<NaiveDate, NaiveTime, NaiveDateTime, DateTime<Utc>>();
}

#[cfg(feature = "with-jiff")]
#[test]
fn jiff_crate() {
    use crate::types as own;
    use ::jiff::Timestamp;
    use ::jiff::civil::{Date, DateTime, Time};

    let date = Date::new(2024, 2, 29).unwrap();
    let time = Time::new(12, 34, 56, 700_000_000).unwrap();
    same::<own::Date, _>(date, "2024-02-29");
    same::<own::Date, _>(Date::new(-4713, 11, 24).unwrap(), "4714-11-24 BC");
    same::<own::Time, _>(time, "12:34:56.7");
    same::<own::Timestamp, _>(DateTime::from_parts(date, time), "2024-02-29 12:34:56.7");
    same::<own::TimestampTz, _>(Timestamp::new(-1, 0).unwrap(), "1969-12-31 23:59:59+00");
    let before = Timestamp::from_nanosecond(-1).unwrap();
    assert_eq!(encode(&before), encode(&own::TimestampTz::from_unix_micros(-1).unwrap()));
    out_of_range::<Date, Time, DateTime, Timestamp>();
}

#[cfg(feature = "with-uuid")]
#[test]
fn uuid_crate() {
    let uuid = ::uuid::Uuid::from_u128(0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11);
    same::<crate::types::Uuid, _>(uuid, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
}

#[cfg(feature = "with-fixed")]
#[test]
fn fixed_crate() {
    use crate::types::Numeric;
    use ::fixed::types::{I0F32, I0F64, I1F63, I16F16, I32F0, I48F16, I64F0};

    fn exact<T: for<'a> FromSql<'a> + ToSql + Debug + PartialEq>(value: T, text: &str) {
        let digits = encode(&text.parse::<Numeric<30>>().unwrap()).unwrap();
        assert_eq!(encode(&value).as_ref(), Ok(&digits), "{text}");
        assert_eq!(decode::<T>(&digits), Ok(value), "{text}");
    }
    exact(I16F16::ZERO, "0");
    exact(I16F16::from_num(1.5), "1.5");
    exact(I16F16::from_num(-0.25), "-0.25");
    exact(I16F16::MIN, "-32768");
    exact(I16F16::MAX, "32767.9999847412109375");
    exact(I16F16::from_bits(1), "0.0000152587890625");
    exact(I32F0::from_num(10_000), "10000");
    exact(I64F0::MIN, "-9223372036854775808");
    exact(I48F16::from_num(123_456_789), "123456789");
    exact(I0F32::from_bits(1), "0.00000000023283064365386962890625");
    exact(I0F64::MIN, "-0.5");
    exact(I1F63::MAX, "0.999999999999999999891579782751449556599254719913005828857421875");

    let read =
        |text: &str| decode::<I16F16>(&encode(&text.parse::<Numeric<30>>().unwrap()).unwrap());
    assert_eq!(read("0.1"), Ok(I16F16::from_num(0.1)));
    assert_eq!(read("-0.1"), Ok(I16F16::from_num(-0.1)));
    // Halfway between two, and next to it.
    assert_eq!(read("0.00000762939453125"), Ok(I16F16::from_bits(1)));
    assert_eq!(read("0.00000762939453124"), Ok(I16F16::from_bits(0)));
    assert_eq!(read("0.000000000000000000000000000000000000001"), Ok(I16F16::ZERO));
    // Digits after so many zeros that they do not count take none with them that do.
    for zeros in 0..60 {
        let text = std::format!("0.5{}1", "0".repeat(zeros));
        let near = if zeros < 5 {
            I16F16::from_num(text.parse::<f64>().unwrap())
        } else {
            I16F16::from_num(0.5)
        };
        assert_eq!(read(&text), Ok(near), "{text}");
    }
    for large in ["32768", "-32768.1", "1000000000000000000000000000000", "NaN", "Infinity"] {
        assert_eq!(read(large), Err(TypeError::Range), "{large}");
    }
    assert_eq!(decode::<I16F16>("00017fff000000000001"), Err(TypeError::Range));
    assert_eq!(decode::<I16F16>("0001fffe000000080001"), Ok(I16F16::ZERO));
}

#[cfg(feature = "with-heapless")]
#[test]
fn heapless_crate() {
    use crate::types::oid;
    use ::heapless::{String, Vec};

    let text: String<3> = binary(oid::TEXT, b"abc").unwrap();
    assert_eq!((text.as_str(), encode(&text).as_deref()), ("abc", Ok("616263")));
    assert_eq!(binary::<String<2>>(oid::TEXT, b"abc"), Err(TypeError::Capacity));
    let bytes: Vec<u8, 3> = binary(oid::BYTEA, b"\0\x01").unwrap();
    assert_eq!((bytes.as_slice(), encode(&bytes).as_deref()), (&[0, 1][..], Ok("0001")));
    assert_eq!(binary::<Vec<u8, 1>>(oid::BYTEA, b"ab"), Err(TypeError::Capacity));
    let digits = encode(&[1_i32, 2]).unwrap();
    let numbers: Vec<i32, 2> = binary(oid::INT4_ARRAY, &hex(&digits)).unwrap();
    assert_eq!((numbers.as_slice(), encode(&numbers)), (&[1, 2][..], Ok(digits.clone())));
    assert_eq!(binary::<Vec<i32, 1>>(oid::INT4_ARRAY, &hex(&digits)), Err(TypeError::Capacity));
    let names: Vec<String<1>, 2> =
        binary(oid::TEXT_ARRAY, &hex(&encode(&["a", "b"]).unwrap())).unwrap();
    assert_eq!(names, ["a", "b"]);
}

#[cfg(feature = "with-serde-json-core")]
#[test]
fn serde_json_core_crate() {
    use crate::types::{Json, JsonError, Jsonb, oid};

    let column: Jsonb<'_> = binary(oid::JSONB, b"\x01[1, 2]").unwrap();
    assert_eq!(column.parse(), Ok([1, 2]));
    assert_eq!(Json("[1, 2]").parse(), Ok([1, 2]));
    assert_eq!(Json("[1, 2]").parse::<[u8; 3]>(), Err(JsonError::Malformed));
    assert_eq!(Json("[1, 2] x").parse::<[u8; 2]>(), Err(JsonError::Malformed));
    assert_eq!(Jsonb("\"on\"").parse(), Ok("on"));
    // A string with escapes is not lent as it stands.
    let line = Json(r#""a\nb""#);
    assert_eq!(line.parse::<&str>(), Err(JsonError::Malformed));
    assert_eq!(line.parse_escaped(&mut [0; 3]), Ok(String::from("a\nb")));
    assert_eq!(line.parse_escaped::<String>(&mut [0; 2]), Err(JsonError::Malformed));
    let escaped = line.parse().map(|text: ::serde_json_core::str::EscapedStr<'_>| text.0);
    assert_eq!(escaped, Ok(r"a\nb"));
    let mut buf = [0; 8];
    assert_eq!(Jsonb::serialize(&[1, 2], &mut buf), Ok(Jsonb("[1,2]")));
    assert_eq!(Json::serialize(&[1, 2], &mut buf[..4]), Err(JsonError::Capacity));
}
