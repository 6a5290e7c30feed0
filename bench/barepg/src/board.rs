//! The least that barepg needs from a host: a socket, a clock and entropy.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use barepg::{NoEntropy, Platform};
use embedded_io::ErrorKind;

/// A socket with nothing around it.
pub struct Tcp(TcpStream);

impl Tcp {
    /// Connects to 127.0.0.1.
    pub fn open(port: u16) -> Tcp {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
        let stream = stream.expect("the server listens");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("SO_RCVTIMEO");
        Tcp(stream)
    }
}

impl embedded_io::ErrorType for Tcp {
    type Error = ErrorKind;
}

impl embedded_io::Read for Tcp {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf).map_err(kind)
    }
}

impl embedded_io::Write for Tcp {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf).map_err(kind)
    }

    #[inline]
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[cold]
fn kind(error: std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
        std::io::ErrorKind::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Other,
    }
}

/// A clock of some milliseconds' resolution, the cheapest that Linux has.
pub struct Board;

impl Platform for Board {
    #[inline]
    fn now_ms(&self) -> u64 {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a timespec of ours.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &mut now) };
        now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        // SAFETY: pointer and length are those of the slice.
        let filled = unsafe { libc::getrandom(buf.as_mut_ptr().cast(), buf.len(), 0) };
        if filled == buf.len() as isize { Ok(()) } else { Err(NoEntropy) }
    }
}
