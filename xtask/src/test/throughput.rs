//! What moving bytes costs the board with 64 KB, beside smoltcp alone on the same board.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use barepg_testkit::sockets;

use super::boards::lint;
use super::{Checked, Context};
use crate::boards::BARE_SMOLTCP;
use crate::budgets::Budgets;
use crate::qemu::{self, Request};

/// The section of `budgets.toml`.
const THING: &str = "throughput";

const LIMIT: Duration = Duration::from_secs(60);

/// Bytes of the picture and rows there, as in `boards/bare-smoltcp`, and of a row.
const BYTES: u64 = 2 << 20;
const ROWS: u64 = 40_000;
const ROW: u64 = 29;

/// Bytes that show `big_values` moves, both ways together, and its `upload`: of 16 rows one has a NULL.
const BIG_VALUES: u64 = 20 << 20;
const UPLOAD: u64 = 100_000 * ROW - 100_000 / 16 * 4;

/// Compares instructions a byte: those of the shows, as they were counted, with those of smoltcp alone, which
/// is run here.
pub fn compare(context: &Context, big_values: u64, upload: u64) -> Checked {
    let [read, written, rows] = floor(context)?;
    let moved = (read + written) as f64 / (2 * BYTES) as f64;
    let rows = rows as f64 / (ROWS * ROW) as f64;
    let (big_values, upload) =
        (big_values as f64 / BIG_VALUES as f64, upload as f64 / UPLOAD as f64);
    println!(
        "        instructions a byte: large values {big_values:.1}, smoltcp alone {moved:.1}; \
         COPY {upload:.1}, smoltcp alone {rows:.1}"
    );
    let percent = |cost: f64, floor: f64| (100.0 * cost / floor).round() as u64;
    if big_values < moved || upload < rows {
        return Err("the driver takes less than smoltcp alone: a part of it was not counted".into());
    }
    let figures = [
        ("big_values_percent", percent(big_values, moved)),
        ("copy_percent", percent(upload, rows)),
    ];
    Budgets::read()?.compare(THING, &figures)
}

/// Instructions of smoltcp alone: for taking the picture, for giving it, for giving rows.
fn floor(context: &Context) -> Result<[u64; 3], String> {
    lint(context, &BARE_SMOLTCP, &[])?;
    let image = BARE_SMOLTCP.build(&context.compiler, &[], false)?;
    let failed = |error: std::io::Error| format!("the peer: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port().to_string();
    // It ends with the connection, or when the board is silent for too long.
    let peer = thread::spawn(move || sockets::accept(&listener, LIMIT).and_then(serve));
    let request = Request {
        board: &BARE_SMOLTCP,
        image: &image,
        arguments: &[("port", &port)],
        uart_port: 0,
        limit: LIMIT,
        count: true,
        more: &[],
    };
    let outcome = qemu::run(&request, &mut |_| ())?;
    outcome.check().map_err(|error| format!("{}: {error}", BARE_SMOLTCP.name))?;
    peer.join().map_err(|_| "the peer panicked")?.map_err(failed)?;
    let counts = outcome.counts.ok_or("nothing was counted")?;
    // Much of the work is done between two sleeps, while the other side is waited for.
    counts.whole.try_into().map_err(|spans| format!("not three passages but {spans:?}"))
}

/// Does what the letters say.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut letter = [0];
    loop {
        match stream.read(&mut letter) {
            Ok(0) => return Ok(()),
            // The board does not close; QEMU ends.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
            other => other?,
        };
        match letter {
            [b'r'] => {
                let picture: Vec<u8> = (0..BYTES as u32).map(pixel).collect();
                stream.write_all(&picture)?;
            }
            [b'w' | b'c'] => {
                let bytes = if letter == *b"w" { BYTES } else { ROWS * ROW };
                let taken = std::io::copy(&mut (&stream).take(bytes), &mut std::io::sink())?;
                if taken == bytes {
                    stream.write_all(b".")?;
                }
            }
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

/// As in `boards/app`.
fn pixel(at: u32) -> u8 {
    let [_, _, high, low] = at.to_be_bytes();
    high ^ low.rotate_left(3)
}
