//! Works of a size of their own, for `cargo xtask bench --growth`: each does one thing, once, as large as
//! it is told.

use barepg::{Parameter, Result, Streamed};
use std::fmt::Write as _;

use bench_common::{self as common, Checksum, Samples};
use embedded_io::{ErrorType, Read};

use crate::works::{self, Conn};

/// Does a work, if it is one of these.
pub fn run(port: u16, work: &str, n: u32) -> Option<Result<Checksum>> {
    Some(match work {
        "grow_rows" => works::session::<1024, 1024>(port, |conn| works::row_binary(conn, n)),
        "grow_columns" => works::session::<24576, 1024>(port, |conn| columns(conn, n)),
        "grow_parameters" => works::session::<1024, 1024>(port, |conn| parameters(conn, n)),
        "grow_items" => works::session::<1024, 1024>(port, |conn| items(conn, n)),
        "grow_copy_rows" => works::session::<1024, 1024>(port, |conn| works::copy_in(conn, n)),
        "grow_read" => works::session::<4096, 1024>(port, |conn| read(conn, n)),
        "grow_write" => works::session::<1024, 4096>(port, |conn| write(conn, n)),
        "grow_notifications" => {
            works::session::<1024, 1024>(port, |conn| notifications(conn, port, n))
        }
        _ => return None,
    })
}

/// A row of `n` columns, one after the other. Their description is larger than the buffer, at each size: one
/// that is not is packed in one go, for a quarter less a column.
fn columns(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut sql = common::text("select ", 6 * n);
    for i in 0..n {
        let _ = write!(sql, "{}{}", 10_000 + i, if i + 1 < n { "," } else { "" });
    }
    let row = conn.query_one(sql.as_str(), ())?;
    for index in 0..n as usize {
        sum.add(row.get::<i32>(index)?.into());
    }
    Ok(sum)
}

/// A statement with `n` parameters.
fn parameters(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut sql = common::text("select cardinality(array[", 7 * n + 2);
    for i in 1..=n {
        let _ = write!(sql, "${i:05}{}", if i < n { "," } else { "])" });
    }
    let values: Vec<i32> = (0..n as i32).collect();
    let values: Vec<&dyn Parameter> = values.iter().map(|value| value as &dyn Parameter).collect();
    sum.add(conn.query_one(sql.as_str(), &values[..])?.get::<i32>(0)?.into());
    Ok(sum)
}

/// One `execute_many` of `n` items.
fn items(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let statement = works::inserting(conn)?;
    conn.execute_many(&statement, (0..n).map(works::row))?;
    works::written(conn)
}

/// A value of `n` KB received.
fn read(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut samples = Samples::default();
    let times = 64 * n as i32;
    let mut rows = conn.query("select repeat('0123456789abcdef', $1)", (times,))?;
    while let Some(mut row) = rows.next_streamed()? {
        while let Some(mut column) = row.next_column()? {
            works::pieces(&mut column, &mut samples)?;
        }
    }
    sum.add(samples.finish());
    Ok(sum)
}

/// A value of `n` KB sent.
fn write(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let value = Streamed::new(1024 * n as usize, Sevens);
    sum.add(conn.query_one("select octet_length($1::bytea)", (value,))?.get::<i32>(0)?.into());
    Ok(sum)
}

/// A source without an end.
struct Sevens;

impl ErrorType for Sevens {
    type Error = core::convert::Infallible;
}

impl Read for Sevens {
    fn read(&mut self, buf: &mut [u8]) -> core::result::Result<usize, Self::Error> {
        buf.fill(7);
        Ok(buf.len())
    }
}

/// `n` notifications, sent by another session before the first is waited for.
fn notifications(conn: &mut Conn<'_>, port: u16, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    conn.batch_execute("listen growth")?;
    works::session::<512, 512>(port, |other| {
        let sql = "select count(pg_notify('growth', (100000 + i)::text)) \
             from generate_series(1, $1) i";
        let mut sum = Checksum::default();
        sum.add(other.query_one(sql, (n as i32,))?.get::<i64>(0)?);
        Ok(sum)
    })?;
    for _ in 0..n {
        if let Some(notification) = conn.wait_notification(60_000)? {
            sum.add(notification.payload.len() as i64);
        }
    }
    Ok(sum)
}
