use super::super::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz, oid};
use super::*;

#[test]
fn dates() {
    both_ways::<Date>(&[
        ("2000-01-01", "00000000"),
        ("1999-12-31", "ffffffff"),
        ("4714-11-24 BC", "ffda97a7"),
        ("5874897-12-31", "7fda970c"),
        ("0001-01-01", "fff4dbf9"),
        ("0001-12-31 BC", "fff4dbf8"),
        ("2024-02-29", "00002279"),
        ("infinity", "7fffffff"),
        ("-infinity", "80000000"),
    ]);
    assert_eq!(decode::<Date>("ffda97a6"), Err(TypeError::Range));
    assert_eq!(decode::<Date>("7fda970d"), Err(TypeError::Range));
    assert_eq!(Date::new(2024, 2, 29).and_then(Date::unix_days), Some(19_782));
    assert_eq!(Date::from_unix_days(i32::MIN), None);
    assert_eq!(Date::UNIX_EPOCH.ymd(), Some((1970, 1, 1)));
    for bad in [
        "",
        "2000",
        "2000-01",
        "2000-01-01x",
        "2000-1-",
        "0000-01-01",
        "0000-01-01 BC",
        "-1-01-01",
        "2000-01-01 AD",
        "2000-001-02",
        "2000-01-002",
    ] {
        assert!(bad.parse::<Date>().is_err(), "{bad}");
    }
    for none in ["4714-11-23 BC", "4714-01-01 BC", "5874898-01-01"] {
        assert_eq!(none.parse::<Date>(), Err(TypeError::Range), "{none}");
    }
    assert_eq!("2001-02-29".parse::<Date>(), Err(TypeError::Range));
    assert_eq!("99999999999-01-01".parse::<Date>(), Err(TypeError::Range));
}

#[test]
fn a_date_column_of_opengauss_is_a_timestamp() {
    let day = |digits| binary::<Date>(oid::TIMESTAMP, &hex(digits));
    assert_eq!(day("0000000000000000"), Ok(Date::EPOCH));
    assert_eq!(day("7fffffffffffffff"), Ok(Date::INFINITY));
    assert_eq!(day("ffffffec00000000"), Err(TypeError::Range));
    assert_eq!(day("ffffffffffffffff"), Err(TypeError::Range));
    assert_eq!(day("00000014 1dd76000"), Ok(Date::new(2000, 1, 2).unwrap()));
    let text = |text: &'static str| {
        RawValue { oid: oid::TIMESTAMP, format: Format::Text, bytes: text.as_bytes() }
            .get::<AnyFormat<Date>>()
            .map(|date| date.0)
    };
    assert_eq!(text("2000-01-02 00:00:00"), Ok(Date::new(2000, 1, 2).unwrap()));
    assert_eq!(text("4714-11-24 00:00:00 BC"), Ok(Date::MIN));
    assert_eq!(text("infinity"), Ok(Date::INFINITY));
    assert_eq!(text("2000-01-02 00:00:01"), Err(TypeError::Range));
    for bad in
        ["2000-01-02 ", "2000-01-02 00:00", "2000-01-02 00:00:00+00", "2000-01-02 BC 00:00:00"]
    {
        assert_eq!(text(bad), Err(TypeError::Malformed), "{bad}");
    }
}

#[test]
fn times() {
    both_ways::<Time>(&[
        ("00:00:00", "0000000000000000"),
        ("24:00:00", "000000141dd76000"),
        ("12:34:56.789", "0000000a8be62608"),
        ("00:00:00.000001", "0000000000000001"),
    ]);
    both_ways::<TimeTz>(&[
        ("00:00:00+00", "000000000000000000000000"),
        ("24:00:00-15:59:59", "000000141dd760000000e0ff"),
        ("12:34:56.789+05:30", "0000000a8be62608ffffb2a8"),
    ]);
    assert_eq!(decode::<Time>("000000141dd76001"), Err(TypeError::Range));
    assert_eq!(decode::<Time>("ffffffffffffffff"), Err(TypeError::Range));
    assert_eq!(decode::<TimeTz>("00000000000000000000e100"), Err(TypeError::Range));
    assert_eq!(decode::<TimeTz>("000000000000000080000000"), Err(TypeError::Range));
    assert_eq!(Time::new(23, 59, 59, 999_999).map(Time::hms), Some((23, 59, 59, 999_999)));
    assert_eq!(Time::MAX.hms(), (24, 0, 0, 0));
    assert_eq!(Time::new(24, 0, 0, 0), None);
    for bad in
        ["24:00:00.1", "1:2", "00:60:00", "00:00:60", "00:00:00.", "00:00:00.1234567", "300:00:00"]
    {
        assert!(bad.parse::<Time>().is_err(), "{bad}");
    }
}

#[test]
fn timestamps() {
    let table = [
        ("2000-01-01 00:00:00", "0000000000000000"),
        ("1999-12-31 23:59:59.999999", "ffffffffffffffff"),
        ("4714-11-24 00:00:00 BC", "fd0f7cc1411fa000"),
        ("294276-12-31 23:59:59.999999", "7fffff5bb3b29fff"),
        ("2024-02-29 12:34:56.7", "0002b58341712a60"),
        ("infinity", "7fffffffffffffff"),
        ("-infinity", "8000000000000000"),
    ];
    both_ways::<Timestamp>(&table);
    for (text, digits) in &table[..5] {
        let (text, bc) = text.strip_suffix(" BC").map_or((*text, ""), |text| (text, " BC"));
        both_ways::<TimestampTz>(&[(&std::format!("{text}+00{bc}"), digits)]);
    }
    both_ways::<TimestampTz>(&table[5..]);
    assert_eq!(decode::<Timestamp>("fd0f7cc1411f9fff"), Err(TypeError::Range));
    assert_eq!(decode::<Timestamp>("7fffff5bb3b2a000"), Err(TypeError::Range));

    let zoned = |text: &str| text.parse::<TimestampTz>().map(|t| t.to_string());
    assert_eq!(zoned("2024-02-29 12:00:00+05:30").as_deref(), Ok("2024-02-29 06:30:00+00"));
    assert_eq!(
        zoned("0001-01-01 00:00:00-08:00:28 BC").as_deref(),
        Ok("0001-01-01 08:00:28+00 BC")
    );
    assert_eq!(zoned("4714-11-24 00:00:00+01 BC"), Err(TypeError::Range));
    assert_eq!(zoned("2024-02-29 12:00:00"), Err(TypeError::Malformed));
    // What is no offset in hours is none: 200 of them are not meant.
    for bad in ["+0200", "-0030", "+100", "+011", "+1:000"] {
        assert_eq!(zoned(&std::format!("2024-02-29 12:00:00{bad}")), Err(TypeError::Malformed));
        assert_eq!(std::format!("12:00:00{bad}").parse::<TimeTz>(), Err(TypeError::Malformed));
    }
    // The first day, in a zone where it has not begun.
    assert_eq!(
        zoned("4714-11-23 19:03:58-04:56:02 BC").as_deref(),
        Ok("4714-11-24 00:00:00+00 BC")
    );
    assert_eq!(zoned("4714-11-23 19:03:57-04:56:02 BC"), Err(TypeError::Range));
    assert_eq!("4714-11-23 23:59:59 BC".parse::<Timestamp>(), Err(TypeError::Range));
    assert_eq!(Date::new(-4713, 11, 23), None);

    assert_eq!(TimestampTz::from_unix_seconds(0), Some(TimestampTz::UNIX_EPOCH));
    assert_eq!(TimestampTz::UNIX_EPOCH.to_string(), "1970-01-01 00:00:00+00");
    assert_eq!(TimestampTz::from_unix_seconds(i64::MAX), None);
    assert_eq!(TimestampTz::EPOCH.unix_micros(), Some(946_684_800_000_000));
    assert_eq!(TimestampTz::MAX.unix_micros(), None);
    let noon = Timestamp::new(Date::MIN, Time::new(12, 0, 0, 0).unwrap()).unwrap();
    assert_eq!(noon.date_time(), Some((Date::MIN, Time::new(12, 0, 0, 0).unwrap())));
    assert_eq!(Timestamp::new(Date::MAX, Time::MIDNIGHT), None);
    assert_eq!(Timestamp::new(Date::EPOCH, Time::MAX).unwrap().to_string(), "2000-01-02 00:00:00");
    assert!(Timestamp::NEG_INFINITY < Timestamp::MIN && Timestamp::MAX < Timestamp::INFINITY);
}

#[test]
fn intervals() {
    for (text, digits) in [
        ("00:00:00", "00000000000000000000000000000000"),
        ("1 year 2 mons 3 days 04:05:06", "000000036c8bc080000000030000000e"),
        ("-1 years -1 days", "0000000000000000fffffffffffffff4"),
        ("1 mon -1 days", "0000000000000000ffffffff00000001"),
        ("-1 days +01:00:00", "00000000d693a400ffffffff00000000"),
        ("-00:00:00.5", "fffffffffff85ee00000000000000000"),
        ("infinity", "7fffffffffffffff7fffffff7fffffff"),
        ("-infinity", "80000000000000008000000080000000"),
        (
            "178956970 years 7 mons 2147483647 days 2562047788:00:54.775806",
            "7ffffffffffffffe7fffffff7fffffff",
        ),
    ] {
        let value: Interval = decode(digits).unwrap();
        assert_eq!(value.to_string(), text);
        assert_eq!(encode(&value).as_deref(), Ok(digits));
        lengths_are_exact::<Interval>(digits);
    }
}
