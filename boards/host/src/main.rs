//! The development machine as a board: what the others run, over std's sockets. The command
//! line's words are the arguments of the others, joined by spaces.

use std::fmt;
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Instant;

use barepg::{NoEntropy, Platform, Storage};

mod link;

use link::Link;

struct Host {
    start: Instant,
}

impl Platform for Host {
    fn now_ms(&self) -> u64 {
        self.start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        let mut random = std::fs::File::open("/dev/urandom").map_err(|_| NoEntropy)?;
        random.read_exact(buf).map_err(|_| NoEntropy)
    }
}

struct Board;

/// In the words of the boards with a network stack of their own.
struct DialError(io::Error);

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
            io::ErrorKind::TimedOut => f.write_str("no answer from the host before the deadline"),
            _ => self.0.fmt(f),
        }
    }
}

impl barepg_app::Board for Board {
    type Transport = Link;
    type DialError = DialError;

    fn dial(&mut self, host: &str, port: u16, timeout_ms: u32) -> Result<Link, DialError> {
        Link::open(host, port, timeout_ms).map_err(DialError)
    }

    fn hang_up(&mut self, transport: Link) {
        drop(transport);
    }
}

struct Stdout;

impl fmt::Write for Stdout {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut storage: Storage<1024, 512> = Storage::new();
    let host = Host { start: Instant::now() };
    let success =
        barepg_app::run(&arguments.join(" "), &mut Board, &host, storage.buffers(), &mut Stdout);
    println!("@done {}", if success { "ok" } else { "failed" });
    ExitCode::from(u8::from(!success))
}
