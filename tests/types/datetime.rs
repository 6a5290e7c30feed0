//! Dates, times and intervals.

use barepg::types::{AnyFormat, AnyText, Date, Interval, Time, TimeTz, Timestamp, TimestampTz};

use crate::{echo_array, on_each};

const DATES: &[&str] = &[
    "2000-01-01",
    "1999-12-31",
    "2024-02-29",
    "1900-03-01",
    "0001-01-01",
    "0001-12-31 BC",
    "0004-02-29",
    "4714-11-24 BC",
    "5874897-12-31",
    "10000-01-01",
    "infinity",
    "-infinity",
];

const TIMESTAMPS: &[&str] = &[
    "2000-01-01 00:00:00",
    "1999-12-31 23:59:59.999999",
    "2024-02-29 12:34:56.7",
    "2024-12-31 24:00:00",
    "0001-12-31 23:59:59.5 BC",
    "4714-11-24 00:00:00 BC",
    "294276-12-31 23:59:59.999999",
    "infinity",
    "-infinity",
];

#[test]
fn dates_and_times() {
    on_each(|server| {
        server.printed::<Date>("date", DATES);
        echo_array!(server, "date", Date, DATES);
        server.printed::<Timestamp>("timestamp", TIMESTAMPS);
        echo_array!(server, "timestamp", Timestamp, TIMESTAMPS);
        server.printed::<TimestampTz>("timestamptz", TIMESTAMPS);
        server.printed::<TimestampTz>(
            "timestamptz",
            &["2024-02-29 12:00:00+05:30", "1883-11-18 00:00:00-04:56:02"],
        );
        echo_array!(server, "timestamptz", TimestampTz, TIMESTAMPS);
        let times = ["00:00:00", "24:00:00", "23:59:59.999999", "12:34:56.7", "00:00:00.000001"];
        server.printed::<Time>("time", &times);
        echo_array!(server, "time", Time, &times);
        let times = ["00:00:00+00", "24:00:00-15:59:59", "23:59:59.999999+15:59:59", "12:00+05:30"];
        server.printed::<TimeTz>("timetz", &times);
        echo_array!(server, "timetz", TimeTz, &times);
        // Printed in another zone, it is the same point in time.
        for (zone, shown) in [
            ("Asia/Kolkata", "2024-02-29 17:30:00+05:30"),
            ("America/New_York", "2024-02-29 07:00:00-05"),
        ] {
            let sql = format!("set timezone = '{zone}'; select '2024-02-29 12:00+00'::timestamptz");
            let mut rows = server.first.simple_query(&sql).unwrap();
            while rows.next().unwrap().is_none() {
                assert!(rows.next_result().unwrap());
            }
            rows.finish().unwrap();
            let mut rows =
                server.first.simple_query("select '2024-02-29 12:00+00'::timestamptz").unwrap();
            let row = rows.next().unwrap().unwrap();
            assert_eq!(row.get::<AnyText<'_>>(0), Ok(AnyText(shown)));
            let at: AnyFormat<TimestampTz> = row.get(0).unwrap();
            assert_eq!(at.0.to_string(), "2024-02-29 12:00:00+00");
            rows.finish().unwrap();
        }
        server.first.batch_execute("set timezone = 'UTC'").unwrap();
    });
}

#[test]
fn intervals() {
    on_each(|server| {
        let mut literals = vec![
            "0",
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 year -2 mons +3 days -04:05:06.789",
            "1 year -1 mon",
            "1 mon -1 day",
            "-1 day 01:00",
            "-1 day -01:00",
            "-00:00:00.000001",
            "1 mon",
            "-11 mons",
            "100:00:00",
            "-2562047788:00:54.775807",
            "178956970 years 7 mons 2147483647 days 2562047788:00:54.775806",
            "-178956970 years -8 mons -2147483648 days",
        ];
        if server.major >= 17 {
            literals.extend(["infinity", "-infinity"]);
        }
        for literal in &literals {
            let sql = format!("'{literal}'::interval");
            let text = server.text(&sql);
            let row = server.first.query_one(format!("select {sql}").as_str(), ()).unwrap();
            let value: Interval = row.get(0).unwrap();
            assert_eq!(value.to_string(), text);
            assert_eq!(server.print(&value, "$1"), text);
        }
        echo_array!(server, "interval", Interval, &literals);
    });
}

/// A session that prints dates in another style is not misread: its texts are an error, or what they say.
#[test]
fn dates_of_another_style_are_none() {
    on_each(|server| {
        for style in ["ISO", "SQL", "Postgres", "German"] {
            for order in ["MDY", "DMY", "YMD"] {
                let set = format!("set datestyle = '{style}, {order}'");
                server.first.batch_execute(&set).unwrap();
                for literal in
                    ["0012-03-05", "0004-02-03 BC", "2024-02-03", "10203-04-05", "infinity"]
                {
                    let value: Date = match literal.strip_suffix(" BC") {
                        Some(_) => Date::new(-3, 2, 3).unwrap(),
                        None => literal.parse().unwrap(),
                    };
                    let sql = format!(
                        "select '{literal}'::date, '{literal}'::timestamp, '{literal}'::timestamptz"
                    );
                    let mut rows = server.first.simple_query(&sql).unwrap();
                    let row = rows.next().unwrap().unwrap();
                    let (date, at) = (row.get(0), row.get(1));
                    let zoned = row.get::<AnyFormat<TimestampTz>>(2);
                    let is_printed = style == "ISO" || literal == "infinity";
                    assert_eq!(date.is_ok(), is_printed, "{set}: {literal} {date:?}");
                    assert_eq!(
                        (at.is_ok(), zoned.is_ok()),
                        (is_printed, is_printed),
                        "{set}: {literal}"
                    );
                    if is_printed {
                        let AnyFormat::<Timestamp>(at) = at.unwrap();
                        let day = at.date_time().map_or(Date::INFINITY, |(day, _)| day);
                        assert_eq!((date, day), (Ok(AnyFormat(value)), value), "{set}");
                    }
                    rows.finish().unwrap();
                }
            }
        }
        server.first.batch_execute("reset datestyle").unwrap();
    });
}
