//! The two ends of a link.

use embedded_io::{Error as _, ErrorKind, Read, ReadReady, Write};

/// A transport under test.
pub trait Link {
    /// As `embedded_io::Read::read`.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::write`.
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::flush`.
    fn flush(&mut self) -> Result<(), ErrorKind>;
    /// As `embedded_io::ReadReady::read_ready`.
    fn read_ready(&mut self) -> Result<bool, ErrorKind>;
}

impl<T: Read + Write + ReadReady> Link for T {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        Read::read(self, buf).map_err(|error| error.kind())
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        Write::write(self, buf).map_err(|error| error.kind())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Write::flush(self).map_err(|error| error.kind())
    }

    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        ReadReady::read_ready(self).map_err(|error| error.kind())
    }
}

/// The far end of the link. It takes nothing from the network unless [`received`](Self::received)
/// is called.
pub trait Peer {
    /// Sends all of `bytes` (a few kilobytes at the most).
    fn send(&mut self, bytes: &[u8]);
    /// Takes what has arrived, waiting a moment for more.
    fn received(&mut self) -> Vec<u8>;
    /// Closes in order, after what was sent. It can still receive.
    fn close(&mut self);
    /// Resets the link. Two bytes of the other side were not taken.
    fn reset(&mut self);
}
