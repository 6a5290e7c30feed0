#![no_main]
//! A whole session with a server that says anything at all, in pieces of any size.
//!
//! The first byte says whether the server logs the client in properly before it runs wild, how
//! large its pieces are, whether it waits to be asked, how the stream ends, and whether it is an
//! openGauss. The driver may refuse whatever it likes; it may
//! not panic, not loop, and not touch the transport again once it has called the session dead.

use std::cell::Cell;

use barepg::{Client, Config, Connection, NoEntropy, Platform, SslMode, Storage};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use libfuzzer_sys::fuzz_target;

/// Trust, two parameters, a cancel key, ready.
const LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19client_encoding\0UTF8\0\
    S\0\0\0\x18server_version\x0015.4\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";

/// The same of an openGauss, which has messages of its own and takes batches in one.
const GAUSS_LOGIN: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x19server_version\x009.2.4\0\
    S\0\0\0\x14is_sysadmin\0off\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";

/// Turns of a wait loop after which the driver must have given up: the clock runs with them.
const TURNS: u64 = 100_000;

struct Script<'a> {
    bytes: &'a [u8],
    at: usize,
    piece: usize,
    /// Whether the stream ends after the bytes, or falls silent.
    ends: bool,
    /// Whether the server sends no more after ReadyForQuery until something is sent to it.
    polite: bool,
    waiting: bool,
}

/// Whether these bytes end with a ReadyForQuery.
fn end_in_ready(bytes: &[u8]) -> bool {
    bytes.split_last().is_some_and(|(_, head)| head.ends_with(b"Z\0\0\0\x05"))
}

#[derive(Debug)]
struct Silence;

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing yet")
    }
}

impl std::error::Error for Silence {}

impl embedded_io::Error for Silence {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

impl ErrorType for Script<'_> {
    type Error = Silence;
}

impl Read for Script<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Silence> {
        let rest = &self.bytes[self.at..];
        if self.waiting || (rest.is_empty() && !self.ends) {
            return Err(Silence);
        }
        let mut length = self.piece.min(buf.len()).min(rest.len());
        if self.polite {
            let end_of_ready = |end: &usize| end_in_ready(&self.bytes[..*end]);
            let stop = (self.at + 1..=self.at + length).find(end_of_ready);
            length = stop.map_or(length, |stop| stop - self.at);
            self.waiting = stop.is_some();
        }
        buf[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

impl ReadReady for Script<'_> {
    fn read_ready(&mut self) -> Result<bool, Silence> {
        Ok(!self.waiting && (self.ends || self.at < self.bytes.len()))
    }
}

impl Write for Script<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Silence> {
        self.waiting = false;
        Ok(buf.len().min(self.piece * 3))
    }

    fn flush(&mut self) -> Result<(), Silence> {
        Ok(())
    }
}

/// A clock that runs as the driver waits, and no chance.
struct Turning(Cell<u64>);

impl Platform for Turning {
    fn now_ms(&self) -> u64 {
        self.0.set(self.0.get() + 10);
        assert!(self.0.get() < TURNS * 10, "the driver waits for ever");
        self.0.get()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        buf.iter_mut().zip(7..).for_each(|(byte, n)| *byte = n);
        Ok(())
    }
}

fn work(conn: &mut Connection<'_, '_>) -> barepg::Result<()> {
    if let Ok(mut rows) = conn.query("select a, b from t where c = $1", (7_i32,)) {
        while let Some(row) = rows.next()? {
            for index in 0..row.len() + 1 {
                let _ = row.get::<Option<i32>>(index);
                let _ = row.get::<Option<&str>>(index);
            }
            let _ = row.get::<i64>("b");
            let _ = row.decode::<(i32, Option<&str>)>();
        }
    }
    let statement = conn.prepare("insert into t values ($1)", &[])?;
    conn.execute(&statement, (1_i32,))?;
    let mut tx = conn.transaction()?;
    let _ = tx.execute_many("insert into t values ($1)", [(1_i32,), (2,), (3,)]);
    let _ = tx.batch_execute("select 1; select 2");
    let _ = tx.commit();
    let mut results = conn.simple_query("select 1; select 2")?;
    while results.next_result()? {
        while let Some(row) = results.next()? {
            let _ = row.get::<&str>(0);
        }
    }
    conn.ping()
}

fuzz_target!(|data: &[u8]| {
    let Some((control, wild)) = data.split_first() else { return };
    let login = if control & 32 == 0 { LOGIN } else { GAUSS_LOGIN };
    let mut bytes = if control & 1 == 0 { Vec::new() } else { login.to_vec() };
    bytes.extend_from_slice(wild);
    let piece = [1, 2, 7, 4096][usize::from(control >> 1 & 3)];
    let (ends, polite) = (control & 8 != 0, control & 16 != 0);
    let mut script = Script { bytes: &bytes, at: 0, piece, ends, polite, waiting: false };
    let platform = Turning(Cell::new(0));
    let mut storage = Storage::<256, 128>::new();
    // Few iterations: what is fuzzed is what comes before and after the hashing.
    let config = Config::new().user("u").password("p").sslmode(SslMode::Disable);
    let config = config.scram_iterations(1, 8).gauss_iterations(1, 8);
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_timeout_ms(5_000);
    let Ok(mut conn) = client.connect(&mut script) else { return };
    for _ in 0..3 {
        let _ = work(&mut conn);
        let _ = conn.server_error().map(|error| error.to_string());
    }
    let dead = !conn.is_usable();
    if dead {
        let before = conn.stats();
        assert!(conn.ping().is_err());
        assert!(conn.query("select 1", ()).is_err());
        let after = conn.stats();
        assert_eq!((before.bytes_in, before.bytes_out), (after.bytes_in, after.bytes_out));
    }
    let _: Result<&mut Script<'_>, _> = conn.close();
});
