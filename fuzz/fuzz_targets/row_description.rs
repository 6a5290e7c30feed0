#![no_main]
//! Row descriptions and rows that belong to them, or not.
//!
//! Input: flags, length of the description, description, row.

mod common;

use barepg::types::{Date, Timestamp};
use common::peer::Step;
use common::{LOGIN, config, message, play};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [flags, length, rest @ ..] = data else { return };
    let (description, row) = rest.split_at(usize::from(*length).min(rest.len()));
    let mut answer = [message(b'1', b""), message(b'2', b""), message(b'T', description)].concat();
    answer.extend(message(b'D', row));
    answer.extend(message(b'D', row));
    answer.extend(message(b'C', b"SELECT 2\0"));
    answer.extend(message(b'Z', b"I"));
    let steps = vec![
        Step::ExpectAny(true),
        Step::Send(LOGIN.to_vec()),
        Step::ExpectAny(false),
        Step::Send(answer),
        Step::Deaf,
    ];
    play(steps, *flags, config(), |conn| {
        let mut rows = conn.query("select", ())?;
        let count = rows.columns().count();
        if flags & 128 != 0 {
            while let Some(mut row) = rows.next_streamed()? {
                while let Some(mut column) = row.next_column()? {
                    let _ = column.get::<Option<&str>>();
                }
            }
            return Ok(());
        }
        while let Some(row) = rows.next()? {
            assert_eq!((row.len(), row.columns().count()), (count, count));
            for index in 0..count + 1 {
                let _ = row.get::<Option<i32>>(index);
                let _ = row.get::<Option<&str>>(index);
                let _ = row.get::<&[u8]>(index);
                let _ = row.get::<Option<Date>>(index);
                let _ = row.get::<Option<Timestamp>>(index);
                // A row is walked as it is read: what is malformed in it ends the connection.
                match row.raw(index) {
                    Ok(_) => assert!(index < count),
                    Err(error) => assert_eq!(error.is_usable(), index >= count),
                }
            }
            for column in row.columns() {
                let _ = row.get::<Option<i64>>(column.name);
            }
            let _ = row.decode::<(i32, Option<&str>)>();
        }
        Ok(())
    });
});
