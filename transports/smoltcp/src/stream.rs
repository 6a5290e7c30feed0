//! One TCP connection as an `embedded_io` transport.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use smoltcp::iface::SocketHandle;
use smoltcp::phy::Device;
use smoltcp::socket::tcp::{RecvError, State};
use smoltcp::time::Duration;

use crate::Stack;

/// A TCP connection. Dropping it resets the connection, unless it was closed before.
///
/// The timeout ([`TIMEOUT_MS`](crate::TIMEOUT_MS) without any sign of life while something is unanswered)
/// and the keep-alive ([`KEEP_ALIVE_MS`](crate::KEEP_ALIVE_MS)) of the socket are on. Deadlines of
/// operations are the driver's.
pub struct TcpStream<'s, 'a, D: Device> {
    stack: &'s Stack<'a, D>,
    handle: SocketHandle,
    closed: bool,
}

/// Why a read or write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// Nothing yet: try again.
    TimedOut,
    /// The peer reset the connection, or gave no sign of life for too long.
    Reset,
    /// This side has closed the connection for writing.
    Closed,
}

impl core::fmt::Display for StreamError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "nothing yet",
            Self::Reset => "connection reset or lost",
            Self::Closed => "connection closed on this side",
        })
    }
}

impl core::error::Error for StreamError {}

impl embedded_io::Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Reset => ErrorKind::ConnectionReset,
            Self::Closed => ErrorKind::NotConnected,
        }
    }
}

impl<'s, 'a, D: Device> TcpStream<'s, 'a, D> {
    pub(crate) fn new(stack: &'s Stack<'a, D>, handle: SocketHandle) -> Self {
        Self { stack, handle, closed: false }
    }

    /// How often an idle connection is probed, in milliseconds; `None` for never, which also
    /// leaves a dead peer undetected while nothing is sent. Default:
    /// [`KEEP_ALIVE_MS`](crate::KEEP_ALIVE_MS).
    pub fn set_keep_alive(&mut self, interval_ms: Option<u32>) {
        let interval = interval_ms.map(|ms| Duration::from_millis(ms.into()));
        self.stack.with(|inner| inner.tcp(self.handle).set_keep_alive(interval));
    }

    /// How long a peer may give no sign of life while something is unanswered, in milliseconds;
    /// `None` for ever. Default: [`TIMEOUT_MS`](crate::TIMEOUT_MS). One shorter than half a minute gives up
    /// live peers on links that lose frames.
    ///
    /// Time of an idle link counts too: it must be longer than the interval of
    /// [`set_keep_alive`](Self::set_keep_alive), and `None` without that. The driver's dialler sees to both.
    pub fn set_timeout(&mut self, timeout_ms: Option<u32>) {
        let timeout = timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        self.stack.with(|inner| inner.tcp(self.handle).set_timeout(timeout));
    }

    /// Closes the connection in order: what was written is sent, then FIN. Waits for the peer's
    /// acknowledgement and its own FIN, at most `timeout_ms`. Returns whether all of it came.
    /// Afterwards there is nothing left to read, and writing is an error.
    pub fn close(&mut self, timeout_ms: u32) -> bool {
        let (stack, handle) = (self.stack, self.handle);
        self.closed = true;
        stack.with(|inner| inner.tcp(handle).close());
        let deadline = stack.now_ms().saturating_add(timeout_ms.into());
        let ended = stack.wait(deadline, |inner| {
            let socket = inner.tcp(handle);
            // What still arrives has no reader any more; a full buffer would hold back the FIN.
            while let Ok(n) = socket.recv(|bytes| (bytes.len(), bytes.len())) {
                if n == 0 {
                    break;
                }
            }
            match socket.state() {
                State::TimeWait => Some(true),
                // A socket that lost its connection forgets the peer's FIN.
                State::Closed => Some(matches!(socket.recv(|_| (0, ())), Err(RecvError::Finished))),
                _ => None,
            }
        });
        ended == Some(true)
    }
}

impl<D: Device> core::fmt::Debug for TcpStream<'_, '_, D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = self.stack.with(|inner| inner.tcp(self.handle).state());
        f.debug_struct("TcpStream").field("state", &state).finish_non_exhaustive()
    }
}

impl<D: Device> Drop for TcpStream<'_, '_, D> {
    fn drop(&mut self) {
        self.stack.give_back(self.handle);
    }
}

impl<D: Device> ErrorType for TcpStream<'_, '_, D> {
    type Error = StreamError;
}

impl<D: Device> Read for TcpStream<'_, '_, D> {
    /// `Ok(0)` is the peer's FIN. A reset is distinguished from it by what the socket remembers.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, StreamError> {
        if buf.is_empty() {
            return Ok(0);
        }
        let handle = self.handle;
        self.stack
            .wait_slice(|inner| match inner.tcp(handle).recv_slice(buf) {
                Ok(0) => None,
                Ok(n) => Some(Ok(n)),
                Err(RecvError::Finished) => Some(Ok(0)),
                Err(RecvError::InvalidState) => Some(Err(StreamError::Reset)),
            })
            .unwrap_or(Err(StreamError::TimedOut))
    }
}

impl<D: Device> Write for TcpStream<'_, '_, D> {
    /// Puts bytes into the socket's send buffer, waiting a slice for room, and sends them.
    fn write(&mut self, buf: &[u8]) -> Result<usize, StreamError> {
        if buf.is_empty() {
            return Ok(0);
        }
        let (handle, closed) = (self.handle, self.closed);
        let taken = self
            .stack
            .wait_slice(|inner| {
                let socket = inner.tcp(handle);
                match socket.send_slice(buf) {
                    Ok(0) => None,
                    Ok(n) => Some(Ok(n)),
                    Err(_) => Some(Err(ended(closed))),
                }
            })
            .unwrap_or(Err(StreamError::TimedOut))?;
        self.stack.poll();
        Ok(taken)
    }

    /// Sends what a busy network interface could not take before. It does not wait for the
    /// acknowledgement: the answer is one, and repeating what was lost is TCP's work at every
    /// later poll.
    fn flush(&mut self) -> Result<(), StreamError> {
        self.stack.poll();
        let (handle, closed) = (self.handle, self.closed);
        match self.stack.with(|inner| inner.tcp(handle).may_send()) {
            Some(false) => Err(ended(closed)),
            _ => Ok(()),
        }
    }
}

/// Why a socket that was open takes no more bytes.
fn ended(closed: bool) -> StreamError {
    if closed { StreamError::Closed } else { StreamError::Reset }
}

impl<D: Device> ReadReady for TcpStream<'_, '_, D> {
    fn read_ready(&mut self) -> Result<bool, StreamError> {
        self.stack.poll();
        let handle = self.handle;
        Ok(self
            .stack
            .with(|inner| {
                let socket = inner.tcp(handle);
                // The end of the stream is readable too.
                socket.can_recv() || !socket.may_recv()
            })
            .unwrap_or(false))
    }
}
