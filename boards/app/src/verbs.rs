//! More than rows: values larger than the memory, a bulk upload, a command from elsewhere, a
//! statement that is cancelled from elsewhere.

use barepg::{Client, Connection, Result, SqlState, Streamed};
use embedded_io::Read;

use crate::{Board, Failed, Server, report};

type Out<'o> = dyn core::fmt::Write + 'o;

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    BigValues,
    Upload,
    Command,
    Cancelled,
}

/// Bytes of the large value.
const LARGE: u32 = 10 << 20;

/// Rows of the upload.
const READINGS: i32 = 100_000;

/// Deadline of one verb here, in milliseconds: the emulated link is slow.
const TIMEOUT_MS: u32 = 120_000;

pub(crate) fn show<B: Board>(
    board: &mut B,
    client: &mut Client<'_>,
    server: Server<'_>,
    verb: Verb,
    out: &mut Out<'_>,
) -> core::result::Result<(), Failed> {
    let transport = server.dial(board, out)?;
    let mut conn = match client.connect(transport) {
        Ok(conn) => conn,
        Err(error) => {
            report(&error, client.server_error(), out);
            return Err(Failed);
        }
    };
    conn.set_timeout_ms(TIMEOUT_MS);
    board.mark_begin(crate::VERB);
    let result = match verb {
        Verb::BigValues => big_values(&mut conn, out),
        Verb::Upload => upload(&mut conn, out),
        Verb::Command => command(&mut conn, out),
        Verb::Cancelled => cancelled(&mut conn, out),
    };
    board.mark_end(crate::VERB);
    let stats = conn.stats();
    let (rx, tx) = (stats.rx_peak, stats.tx_peak);
    let _ = writeln!(out, "@buffers rx={rx} tx={tx}");
    match result.and_then(|()| conn.close()) {
        Ok(transport) => board.hang_up(transport),
        Err(error) => {
            report(&error, client.server_error(), out);
            return Err(Failed);
        }
    }
    Ok(())
}

/// Bytes that look like a picture and can be made again.
struct Picture {
    made: u32,
}

fn pixel(at: u32) -> u8 {
    let [_, _, high, low] = at.to_be_bytes();
    high ^ low.rotate_left(3)
}

impl embedded_io::ErrorType for Picture {
    type Error = embedded_io::ErrorKind;
}

impl Read for Picture {
    fn read(&mut self, buf: &mut [u8]) -> core::result::Result<usize, Self::Error> {
        for place in &mut *buf {
            *place = pixel(self.made);
            self.made = self.made.wrapping_add(1);
        }
        Ok(buf.len())
    }
}

/// A value that is far larger than the machine's memory goes out and comes back.
fn big_values(conn: &mut Connection, out: &mut Out<'_>) -> Result<()> {
    conn.batch_execute("create temp table image (content bytea)")?;
    let _ = writeln!(out, "send a value of {LARGE} bytes");
    let length = usize::try_from(LARGE).unwrap_or(0);
    let value = Streamed::new(length, Picture { made: 0 });
    conn.execute("insert into image values ($1)", (value,))?;
    let _ = writeln!(out, "read it back");
    let mut rows = conn.query("select content from image", ())?;
    let (mut seen, mut right) = (0_u32, true);
    if let Some(mut row) = rows.next_streamed()?
        && let Some(mut content) = row.next_column()?
    {
        let mut piece = [0; 256];
        loop {
            let n = content.read(&mut piece)?;
            if n == 0 {
                break;
            }
            for byte in piece.iter().take(n) {
                right &= *byte == pixel(seen);
                seen = seen.wrapping_add(1);
            }
        }
    }
    let _ = writeln!(out, "  {seen} bytes, {}", if right { "all the same" } else { "changed" });
    Ok(())
}

/// Sensor readings by COPY.
fn upload(conn: &mut Connection, out: &mut Out<'_>) -> Result<()> {
    conn.batch_execute("create temp table reading (seq integer, sensor smallint, value real)")?;
    let _ = writeln!(out, "upload {READINGS} readings");
    let mut copy = conn.copy_in("copy reading from stdin with (format binary)")?;
    let (mut sensor, mut value) = (0_i16, Some(20.0_f32));
    for seq in 0..READINGS {
        copy.send_row((seq, sensor, value))?;
        sensor = (sensor + 1) % 16;
        value = if sensor == 15 { None } else { Some(20.5) };
    }
    let rows = copy.finish()?;
    let _ = writeln!(out, "  the server took {rows}");
    let sql = "select count(*), count(value), max(seq) from reading";
    let (rows, values, last) = conn.query_one(sql, ())?.decode::<(i64, i64, i32)>()?;
    let _ = writeln!(out, "  it has {rows} rows with {values} values, the last is number {last}");
    Ok(())
}

/// Waits for notifications that switch a lamp.
fn command(conn: &mut Connection, out: &mut Out<'_>) -> Result<()> {
    conn.batch_execute("listen lamp")?;
    let _ = writeln!(out, "waiting for a command");
    let mut quiet = 0;
    while quiet < 60 {
        let Some(command) = conn.wait_notification(500)? else {
            // Nothing yet: the firmware's other work goes here.
            quiet += 1;
            continue;
        };
        match command.payload {
            lamp @ ("on" | "off") => {
                let _ = writeln!(out, "  the lamp is {lamp}");
            }
            "end" => break,
            _ => {}
        }
    }
    let _ = writeln!(out, "the connection is as it was");
    conn.ping()
}

/// A statement that would take a minute, and is cancelled from elsewhere.
fn cancelled(conn: &mut Connection, out: &mut Out<'_>) -> Result<()> {
    let _ = writeln!(out, "a statement that takes a minute");
    match conn.execute("select pg_sleep(60)", ()) {
        Err(error) if error.sqlstate() == Some(SqlState::QUERY_CANCELED) => {
            report(&error, conn.server_error(), out);
        }
        other => {
            other?;
            let _ = writeln!(out, "  no client cancelled it");
        }
    }
    let _ = writeln!(out, "work goes on");
    let (answer,) = conn.query_one("select 6 * 7", ())?.decode::<(i32,)>()?;
    let _ = writeln!(out, "  {answer}");
    Ok(())
}
