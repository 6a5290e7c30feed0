//! A TCP or UNIX socket as a transport.

use core::mem::MaybeUninit;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::connect::Target;
use crate::error::DialError;

/// Longest wait of one `read` or `write`. A sleeping read wakes when bytes arrive, so a longer
/// slice would only make deadlines coarser.
const SLICE: Duration = Duration::from_millis(20);

/// Pause between two attempts at a UNIX socket whose queue is full.
const RETRY: Duration = Duration::from_millis(10);

/// MSG_NOSIGNAL of send(2): a peer that has closed is an error, whatever the program does with SIGPIPE. Where there is
/// none, as on macOS, the socket has such an option.
const NO_SIGNAL: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    0x4000
} else if cfg!(target_os = "freebsd") {
    0x2_0000
} else if cfg!(any(target_os = "dragonfly", target_os = "openbsd")) {
    0x0400
} else if cfg!(target_os = "netbsd") {
    0x0800
} else {
    0
};

/// An open TCP or UNIX socket. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
}

impl Link {
    /// Connects to an address.
    pub(super) fn open(address: &SockAddr, target: &Target<'_>) -> Result<Self, DialError> {
        let timeout = Duration::from_millis(u64::from(target.timeout_ms));
        let link = if address.is_unix() {
            Self::open_unix(address, timeout)
        } else {
            Self::open_tcp(address, timeout, target)
        };
        link.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => DialError::TimedOut,
            kind => DialError::Failed(kind.into()),
        })
    }

    fn open_tcp(address: &SockAddr, timeout: Duration, target: &Target<'_>) -> io::Result<Self> {
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        // The driver writes whole requests; holding back their ends only costs time.
        socket.set_tcp_nodelay(true)?;
        if target.keepalives.on {
            let seconds = |s: u32| Duration::from_secs(u64::from(s));
            let mut keepalive = TcpKeepalive::new();
            if target.keepalives.idle_s != 0 {
                keepalive = keepalive.with_time(seconds(target.keepalives.idle_s));
            }
            if target.keepalives.interval_s != 0 {
                keepalive = keepalive.with_interval(seconds(target.keepalives.interval_s));
            }
            if target.keepalives.count != 0 {
                keepalive = keepalive.with_retries(target.keepalives.count);
            }
            socket.set_keepalive(true)?;
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(target_os = "linux")]
        if target.tcp_user_timeout_ms != 0 {
            let limit = Duration::from_millis(u64::from(target.tcp_user_timeout_ms));
            socket.set_tcp_user_timeout(Some(limit))?;
        }
        socket.connect_timeout(address, timeout)?;
        Self::new(socket)
    }

    /// A UNIX socket connects at once or not at all; a full queue is worth another try.
    fn open_unix(address: &SockAddr, timeout: Duration) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let start = Instant::now();
        loop {
            match socket.connect(address) {
                Ok(()) => break,
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && start.elapsed() < timeout =>
                {
                    std::thread::sleep(RETRY);
                }
                Err(error) => return Err(error),
            }
        }
        Self::new(socket)
    }

    fn new(socket: Socket) -> io::Result<Self> {
        // It would never wait.
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(SLICE))?;
        socket.set_write_timeout(Some(SLICE))?;
        Ok(Self { socket })
    }

    /// Wraps a connected TCP socket.
    ///
    /// # Errors
    /// The operating system refuses to set its timeouts.
    pub fn from_tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Self::new(Socket::from(stream))
    }

    /// Wraps a connected UNIX socket.
    ///
    /// # Errors
    /// The operating system refuses to set its timeouts.
    pub fn from_unix(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Self::new(Socket::from(stream))
    }

    /// Whether this is a UNIX socket.
    pub fn is_local(&self) -> bool {
        self.socket.local_addr().is_ok_and(|address| address.is_unix())
    }

    /// The keepalive in force: seconds of silence, seconds between probes, number of probes.
    /// `None` when it is off.
    pub fn keepalive(&self) -> Option<(u64, u64, u32)> {
        let socket = &self.socket;
        if !socket.keepalive().ok()? {
            return None;
        }
        let (idle, interval) = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
        Some((idle.ok()?.as_secs(), interval.ok()?.as_secs(), socket.tcp_keepalive_retries().ok()?))
    }

    /// The TCP user timeout in force, in milliseconds; 0 = the system's rules.
    #[cfg(target_os = "linux")]
    pub fn tcp_user_timeout_ms(&self) -> u32 {
        let timeout = self.socket.tcp_user_timeout().ok().flatten();
        timeout.and_then(|timeout| u32::try_from(timeout.as_millis()).ok()).unwrap_or(0)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl ErrorType for Link {
    type Error = ErrorKind;
}

impl Read for Link {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.socket.read(buf).map_err(kind)
    }
}

impl Write for Link {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.socket.send_with_flags(buf, NO_SIGNAL).map_err(kind)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl ReadReady for Link {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        match self.peek() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // Bytes, the end of the stream, or an error that `read` will report.
            _ => Ok(true),
        }
    }
}

impl Link {
    /// Looks at the next byte without waiting for it: one system call.
    #[cfg(target_os = "linux")]
    fn peek(&self) -> io::Result<usize> {
        /// MSG_PEEK and MSG_DONTWAIT of recv(2).
        const PEEK_NOW: i32 = 0x02 | 0x40;
        self.socket.recv_with_flags(&mut [MaybeUninit::uninit()], PEEK_NOW)
    }

    /// Looks at the next byte without waiting for it.
    #[cfg(not(target_os = "linux"))]
    fn peek(&self) -> io::Result<usize> {
        self.socket.set_nonblocking(true)?;
        let peeked = self.socket.peek(&mut [MaybeUninit::uninit()]);
        self.socket.set_nonblocking(false)?;
        peeked
    }
}

/// A slice that ends without a byte is `WouldBlock` to the operating system. `TimedOut` is the end of a link whose peer
/// gave no sign of life, by keepalive or `tcp_user_timeout`.
fn kind(error: io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
        io::ErrorKind::TimedOut => ErrorKind::ConnectionReset,
        kind => kind.into(),
    }
}
