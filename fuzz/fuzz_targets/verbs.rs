#![no_main]
//! Any verbs in any order, against a server that logs the client in and then says anything.
//!
//! Input: flags, a number of verbs, the verbs, what the server says.

mod common;

use barepg::Error;
use common::{Conn, config, play, polite};
use libfuzzer_sys::fuzz_target;

/// Does one verb. Errors that leave the connection usable are looked at and forgotten.
fn verb(conn: &mut Conn<'_, '_>, code: u8) -> Result<(), Error> {
    match code % 18 {
        0 => {
            let mut rows = conn.query("select $1", (7_i32,))?;
            while let Some(row) = rows.next()? {
                for index in 0..=row.len().min(20) {
                    let _ = row.get::<Option<i32>>(index);
                    let _ = row.get::<&str>(index);
                }
                let _ = row.get::<i64>("b");
            }
            assert!(rows.columns().count() <= 65_535);
        }
        1 => {
            let row = conn.query_one("select", ())?;
            let _ = row.decode::<(i32, Option<&str>)>();
        }
        2 => {
            conn.execute("insert", ("text", 1.5_f64))?;
        }
        3 => {
            conn.execute_many("insert", (0..5).map(|i| (i, "a")))?;
        }
        4 => {
            conn.execute_many("insert", (0..300).map(|i| (i,)))?;
        }
        5 => {
            let mut results = conn.simple_query("select 1; select 2")?;
            while results.next_result()? {
                while let Some(row) = results.next()? {
                    let _ = row.get::<&str>(0);
                }
            }
        }
        6 => conn.batch_execute("select 1; select 2")?,
        7 => conn.ping()?,
        8 => {
            let statement = conn.prepare("select $1, $2", &[])?;
            let _ = conn.query(&statement, (1_i32, "a"))?.next()?;
            conn.close_statement(&statement)?;
        }
        9 => {
            let mut transaction = conn.transaction()?;
            transaction.execute("insert", ())?;
            transaction.commit()?;
        }
        // Dropped: the next verb rolls back.
        10 => drop(conn.transaction()?),
        // Rows that are not read.
        11 => {
            let _ = conn.query("select", ())?;
        }
        12 => {
            let mut rows = conn.query("select", ())?;
            while let Some(mut row) = rows.next_streamed()? {
                while let Some(mut column) = row.next_column()? {
                    let _ = column.get::<Option<&str>>();
                }
            }
        }
        13 => {
            let mut copy = conn.copy_in("copy t from stdin")?;
            copy.send(b"some bytes\n")?;
            let _ = copy.send_row((1_i32,));
            copy.finish()?;
        }
        14 => {
            let mut copy = conn.copy_out("copy t to stdout")?;
            if copy.is_binary() {
                while copy.next_row::<(i32, Option<&str>)>()?.is_some() {}
            } else {
                while copy.next()?.is_some() {}
            }
        }
        15 => {
            let mut pipeline = conn.pipeline()?;
            pipeline.execute("select", ())?;
            pipeline.execute("insert", (1_i32,))?;
            while let Some(mut rows) = pipeline.next()? {
                while rows.next()?.is_some() {}
            }
        }
        16 => {
            let _ = conn.wait_notification(1000)?;
        }
        _ => conn.reset()?,
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let [flags, count, rest @ ..] = data else { return };
    let Some((verbs, stream)) = rest.split_at_checked(usize::from(count % 16)) else { return };
    play(polite(stream), *flags, config(), |conn| {
        for code in verbs {
            match verb(conn, *code) {
                Err(error) if error.is_usable() => {}
                result => result?,
            }
        }
        Ok(())
    });
});
