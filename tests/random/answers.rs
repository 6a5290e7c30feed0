//! Reads answers, and compares what is read.

use barepg::{Connection, Error, ErrorKind, Outcome, Result, Row, Rows};
use embedded_io::Read as _;

use crate::program::Reading;
use crate::rows::Values;
use crate::run::Ended;
use crate::server::Op;

/// `expected`: the statement, where its rows are in the binary format and known.
pub fn read(
    mut rows: Rows,
    reading: Reading,
    simple: bool,
    expected: Option<Op>,
    faults: &mut Vec<String>,
) -> Result<Ended> {
    let mut count = 0;
    let mut skipped = false;
    let most = match reading {
        Reading::Finish => 0,
        Reading::All => u32::MAX,
        Reading::Some(n) => n.into(),
    };
    while count < most {
        match rows.next() {
            Ok(Some(row)) => {
                if !simple && !skipped {
                    check(&row, expected, count, faults);
                }
                count += 1;
            }
            Ok(None) if !simple => return Ok(Ended::Complete),
            Ok(None) => match rows.next_result() {
                Ok(true) => {}
                Ok(false) => return Ok(Ended::Complete),
                Err(error) => return Err(again(rows, error, faults)),
            },
            Err(error) if error.outcome() == Outcome::Local => {
                if !matches!(error.kind(), ErrorKind::Capacity { .. }) {
                    faults.push(format!("{error}"));
                }
                skipped = true;
                count += 1;
            }
            Err(error) => return Err(again(rows, error, faults)),
        }
    }
    match reading {
        Reading::Some(_) => Ok(Ended::Dropped),
        _ => rows.finish().map(|_| Ended::Complete),
    }
}

/// An error that ended the answer is repeated.
fn again(rows: Rows, error: Error, faults: &mut Vec<String>) -> Error {
    match rows.finish() {
        Err(other) if other == error => {}
        other => faults.push(format!("first {error}, then {other:?}")),
    }
    error
}

pub fn check(row: &Row, op: Option<Op>, count: u32, faults: &mut Vec<String>) {
    let fits = match op {
        Some(Op::Insert(key) | Op::Deferred(key)) => {
            let v = Values::of(key);
            let read = row.decode::<(i64, Option<i32>, Option<f64>, Option<&str>, Option<&[u8]>)>();
            read.is_ok_and(|read| read == (key, v.n, v.f, v.t.as_deref(), v.b.as_deref()))
        }
        Some(Op::Select(n)) => {
            let read = row.decode::<(i64, &str)>();
            read.is_ok_and(|read| read == (i64::from(n) + i64::from(count), "x"))
        }
        _ => true,
    };
    if !fits {
        faults.push(format!("row {count} of {op:?} is {row:?}"));
    }
}

pub fn copy_out(
    c: &mut Connection,
    n: u32,
    reading: Reading,
    faults: &mut Vec<String>,
) -> Result<Ended> {
    let sql = format!("copy (select g, 'row ' || g from generate_series(1, {n}) g) to stdout");
    let binary = format!("{sql} with (format binary)");
    let most = if let Reading::Some(n) = reading { n.into() } else { u32::MAX };
    if reading == Reading::Finish {
        let mut copy = c.copy_out(&sql)?;
        let mut all = Vec::new();
        while let Some(bytes) = copy.next()? {
            all.extend_from_slice(bytes);
        }
        let due: String = (1..=n).map(|g| format!("{g}\trow {g}\n")).collect();
        if all != due.as_bytes() {
            faults.push(format!("{} bytes, not {}", all.len(), due.len()));
        }
        return Ok(Ended::Complete);
    }
    let mut copy = c.copy_out(&binary)?;
    let mut at = 0;
    while at < most {
        let Some((g, text)) = copy.next_row::<(i32, &str)>()? else {
            if at != n {
                faults.push(format!("{at} rows, not {n}"));
            }
            return Ok(Ended::Complete);
        };
        at += 1;
        if i64::from(g) != i64::from(at) || text != format!("row {at}") {
            faults.push(format!("row {at} is {g}, {text}"));
        }
    }
    Ok(Ended::Dropped)
}

pub fn stream(
    c: &mut Connection,
    length: usize,
    some: usize,
    faults: &mut Vec<String>,
) -> Result<Ended> {
    let sql = "select $1::int4, repeat('y', $1), $1::int4 + 1";
    let mut rows = c.query(sql, (length as i32,))?;
    let Some(mut row) = rows.next_streamed()? else {
        faults.push("no row".into());
        return Ok(Ended::Complete);
    };
    let first: i32 = row.next_column()?.unwrap().get()?;
    let mut column = row.next_column()?.unwrap();
    let (mut read, mut buffer) = (0, [0; 77]);
    while read < some {
        let most = (some - read).min(buffer.len());
        let n = column.read(&mut buffer[..most])?;
        if n == 0 || buffer[..n].iter().any(|byte| *byte != b'y') {
            faults.push(format!("{n} bytes after {read} of {length}"));
            break;
        }
        read += n;
    }
    if some.is_multiple_of(3) {
        return Ok(Ended::Dropped);
    }
    let last: i32 = row.next_column()?.unwrap().get()?;
    if (first, last) != (length as i32, length as i32 + 1) {
        faults.push(format!("{first} and {last} of {length}"));
    }
    rows.finish().map(|_| Ended::Complete)
}
