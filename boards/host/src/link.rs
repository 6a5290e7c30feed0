//! A TCP or UNIX-socket connection as a transport.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use embedded_io::{ErrorKind, ErrorType, Read, Write};

/// Longest wait of one `read` or `write` before it says "nothing yet".
const SLICE: Duration = Duration::from_millis(20);

/// An open connection.
pub enum Link {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    /// Connects to a host by TCP, or, where `host` is a directory, to the UNIX socket in it.
    pub fn open(host: &str, port: u16, timeout_ms: u32) -> io::Result<Self> {
        if host.starts_with('/') {
            let link = UnixStream::connect(Path::new(host).join(format!(".s.PGSQL.{port}")))?;
            link.set_read_timeout(Some(SLICE))?;
            link.set_write_timeout(Some(SLICE))?;
            return Ok(Self::Unix(link));
        }
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in (host, port).to_socket_addrs()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match TcpStream::connect_timeout(&address, left) {
                Ok(link) => {
                    link.set_nodelay(true)?;
                    link.set_read_timeout(Some(SLICE))?;
                    link.set_write_timeout(Some(SLICE))?;
                    return Ok(Self::Tcp(link));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A socket's time-out is "would block" on Linux.
fn kind(error: io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
        kind => kind.into(),
    }
}

impl ErrorType for Link {
    type Error = ErrorKind;
}

impl Read for Link {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Tcp(link) => link.read(buf),
            Self::Unix(link) => link.read(buf),
        }
        .map_err(kind)
    }
}

impl Write for Link {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        match self {
            Self::Tcp(link) => link.write(buf),
            Self::Unix(link) => link.write(buf),
        }
        .map_err(kind)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
