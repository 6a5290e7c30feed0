#![no_std]
//! probe

use core::fmt::{Display, Write};
use embedded_io::{Error, ErrorKind, Read, Write as _};

/// How a board reaches servers.
pub trait Dial {
    /// An open connection.
    type Transport: Read + embedded_io::Write;
    /// Why there is none.
    type Error: Display;
    /// Connects.
    fn dial(
        &mut self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Transport, Self::Error>;
    /// Ends a connection.
    fn hang_up(&mut self, transport: Self::Transport);
}

pub fn run<D: Dial>(args: &str, dial: &mut D, out: &mut dyn Write) -> bool {
    let _ = writeln!(out, "args: {args}");
    let mut port = 5432;
    for a in args.split(' ') {
        if let Some(p) = a.strip_prefix("port=") {
            port = p.parse().unwrap_or(0);
        }
    }
    let mut t = match dial.dial("10.0.2.2", port, 5000) {
        Ok(t) => t,
        Err(e) => {
            let _ = writeln!(out, "dial: {e}");
            return false;
        }
    };
    let msg = b"\0\0\0\x24\0\x03\0\0user\0trust_user\0database\0x\0\0";
    let _ = t.write(msg);
    let _ = t.flush();
    let mut buf = [0; 300];
    let mut n = 0;
    loop {
        match t.read(&mut buf) {
            Ok(0) => {
                let _ = writeln!(out, "eof");
                break;
            }
            Ok(m) => {
                n += 1;
                let _ = writeln!(out, "{:?}", core::str::from_utf8(&buf[..m]));
            }
            Err(e) if e.kind() == ErrorKind::TimedOut => {
                n += 1;
                if n > 100 {
                    break;
                }
            }
            Err(e) => {
                let _ = writeln!(out, "{:?}", e.kind());
                break;
            }
        }
    }
    dial.hang_up(t);
    true
}
