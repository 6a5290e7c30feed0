//! What a transport owes the driver, and the driver's own view of one.
//!
//! # For authors of transports
//! A transport is anything that implements [`embedded_io::Read`], [`embedded_io::Write`] and
//! [`embedded_io::ReadReady`] and keeps these rules. The crate `barepg-transport-tests`
//! checks them all, in a test of yours.
//!
//! 1. `read` and `write` return within a slice of time, 50 ms at the most, even when nothing
//!    happens: then with an error of kind [`TimedOut`](embedded_io::ErrorKind::TimedOut) and
//!    without having consumed or sent anything. That means "nothing yet"; the driver calls
//!    [`Platform::idle`](crate::Platform::idle), looks at its deadline and tries again.
//! 2. `read` returns as soon as there is at least one byte. It does not wait to fill the buffer.
//! 3. `read` returns `Ok(0)` at the end of the stream (the peer closed in order), and from then
//!    on always. It never returns `Ok(0)` for "nothing yet".
//! 4. What the peer sent before it closed or reset can still be read first, as far as the
//!    network delivered it.
//! 5. `write` returns how many bytes it took, at least one and at most those it was given; an error
//!    says that it took none. `Ok(0)` counts as a failure.
//! 6. `flush` returns when the bytes are on their way; `TimedOut` as in rule 1. Bytes taken by
//!    `write` are on their way even if `flush` is never called again.
//! 7. A reset link is reported as an error other than `TimedOut` or `Interrupted`. Afterwards no call
//!    waits, reads a byte or takes one; a later `read` may say end of stream.
//! 8. No call panics, whatever the state.
//! 9. `read_ready` does not wait. It says `true` when `read` would return at once: with bytes, with
//!    the end of the stream, or with an error.
//!
//! # Why `read_ready`
//! Between two verbs the server sends nothing but notices, changes of parameters and
//! notifications. A pooler that mixes up its clients sends an unsolicited answer, and a
//! server that went away leaves the end of the stream. Before each verb the driver therefore looks
//! once at what has arrived, without waiting: a stray answer ends the link instead of being taken
//! for that of the next statement, and where the link has ended already the verb says
//! [`NotSent`](crate::Outcome::NotSent) instead of [`Unknown`](crate::Outcome::Unknown). A
//! transport that cannot tell is wrapped in [`NoReadReady`], and loses both.

use core::net::{IpAddr, Ipv4Addr};

use crate::error::Fault;
use crate::platform::Countdown;
pub use crate::platform::{draw_entropy, passed_ms};
use crate::types::net::{parse_ip, parse_ipv4};
use embedded_io::{Error as _, ErrorKind, Read, ReadReady, Write};

/// A transport, whatever its type. Implemented for everything that is
/// [`Read`] + [`Write`] + [`ReadReady`], for [`NoReadReady`] and for [`Local`]; there is nothing to
/// implement by hand.
///
/// `Connection` stands for `Connection<dyn Transport>`: functions that take one are compiled once,
/// for all transports.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a transport: it needs `Read`, `Write` and `ReadReady` of `embedded_io` 0.7",
    note = "a transport that cannot tell whether something has arrived: `barepg::transport::NoReadReady(transport)`"
)]
pub trait Transport: Io {}

impl<T: Io + ?Sized> Transport for T {}

/// A transport that cannot tell whether something has arrived.
///
/// What is lost: an answer that belongs to another client, sent by a broken pooler while the
/// connection is idle, is taken for that of the next statement (one that arrives together with
/// another is still noticed); and a verb on a link that the server has closed is
/// [`Unknown`](crate::Outcome::Unknown) instead of [`NotSent`](crate::Outcome::NotSent).
///
/// ```no_run
/// # fn example<U: embedded_io::Read + embedded_io::Write>(
/// #     client: &mut barepg::Client<'_>,
/// #     uart: U,
/// # ) -> barepg::Result<()> {
/// let conn = client.connect(barepg::NoReadReady(uart))?;
/// # drop(conn);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoReadReady<T>(pub T);

/// A transport whose bytes cannot leave this machine, as over a UNIX socket: then `sslmode` does not
/// count, as in libpq, and passwords may travel in clear.
///
/// Every other transport counts as one on which others listen, whatever `host` says. A dialler
/// answers the question itself: [`Dial::is_local`](crate::Dial::is_local).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Local<T>(pub T);

/// The IP address that a host is, for what dials: `None` for a name, which is to be looked up.
///
/// The same texts as [`IpAddr`]'s `FromStr`, in 0.5 KB of flash instead of 1.5; with `sslmode=verify-full` it
/// is in an image anyway. Of IPv4 alone: [`ipv4_literal`].
#[must_use]
pub fn ip_literal(host: &str) -> Option<IpAddr> {
    parse_ip(host.as_bytes())
}

/// The IPv4 address that a host is: `None` for a name, and for an IPv6 address.
///
/// The same texts as [`Ipv4Addr`]'s `FromStr`, in 0.1 KB of flash instead of 1.2.
#[must_use]
pub fn ipv4_literal(host: &str) -> Option<Ipv4Addr> {
    parse_ipv4(host.as_bytes())
}

/// The transport as everything below `Connection` sees it.
#[doc(hidden)]
pub trait Io {
    /// As `embedded_io::Read::read`.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::write`.
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::flush`.
    fn flush(&mut self) -> Result<(), ErrorKind>;
    /// Whether `read` would return at once. `false` also where that is not known.
    fn read_ready(&mut self) -> bool;
    /// Whether the bytes cannot leave this machine. `false` also where that is not known.
    fn is_local(&self) -> bool {
        false
    }
    /// The time that the operation at hand has left: for a layer that cannot stop at every pause of
    /// the transport, as TLS inside a record.
    fn until(&mut self, countdown: Countdown) {
        let _ = countdown;
    }
    /// What a failure really was, where the layer knows more than its last error says.
    fn fault(&self) -> Option<Fault> {
        None
    }
    /// For [`Fault::TLS_RECORD`]: bytes that the record buffer has, and needs.
    #[cfg(feature = "tls")]
    fn record(&self) -> (u16, u16) {
        (0, 0)
    }
}

/// A transport on loan. Functions take `&mut Lent`: one word is handed from each to the next.
pub(crate) struct Lent<'p> {
    io: &'p mut (dyn Transport + 'p),
    /// What the last call moved: bytes, or for a flush 1. Nothing when it only waited.
    pub(crate) moved: usize,
}

/// Lends a transport.
#[inline]
pub(crate) fn lent<'p>(io: &'p mut (dyn Transport + 'p)) -> Lent<'p> {
    Lent { io, moved: 0 }
}

impl Lent<'_> {
    /// Lends it on.
    pub(crate) fn again(&mut self) -> Lent<'_> {
        Lent { io: self.io, moved: 0 }
    }

    /// One attempt to receive.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Result<(), Fault> {
        let size = buf.len();
        let result = self.io.read(buf);
        self.note(result, size, Fault::CLOSED)
    }

    /// One attempt to send.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let result = self.io.write(bytes);
        self.note(result, bytes.len(), ErrorKind::WriteZero.into())
    }

    /// One attempt to flush.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        match self.io.flush() {
            Ok(()) => {
                self.moved = 1;
                Ok(())
            }
            Err(kind) => self.failed(kind),
        }
    }

    /// Whether something has arrived, as far as the transport can tell.
    #[inline]
    pub(crate) fn ready(&mut self) -> bool {
        self.io.read_ready()
    }

    /// See [`Io::until`]. Without TLS there is no such layer.
    #[inline]
    pub(crate) fn until(&mut self, countdown: Countdown) {
        if cfg!(feature = "tls") {
            self.io.until(countdown);
        }
    }

    /// See [`Io::record`].
    #[cfg(feature = "tls")]
    pub(crate) fn record(&self) -> (u16, u16) {
        self.io.record()
    }

    /// Notes what was moved, of `most` at the most; `nothing`: what it means if that was nothing.
    #[inline]
    fn note(
        &mut self,
        result: Result<usize, ErrorKind>,
        most: usize,
        nothing: Fault,
    ) -> Result<(), Fault> {
        match result {
            Ok(n) => {
                self.moved = n;
                match n {
                    // From 1 to the most.
                    n if n.wrapping_sub(1) < most => Ok(()),
                    0 => Err(nothing),
                    _ => Err(ErrorKind::Other.into()),
                }
            }
            Err(kind) => self.failed(kind),
        }
    }

    /// What an error of the transport means; nothing was moved.
    #[cold]
    #[inline(never)]
    fn failed(&mut self, kind: ErrorKind) -> Result<(), Fault> {
        self.moved = 0;
        match kind {
            kind if is_pause(kind) => Ok(()),
            kind if cfg!(feature = "tls") => Err(self.io.fault().unwrap_or(kind.into())),
            kind => Err(kind.into()),
        }
    }
}

impl<T: Read + Write + ReadReady> Io for T {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        Read::read(self, buf).map_err(|error| error.kind())
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        Write::write(self, buf).map_err(|error| error.kind())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Write::flush(self).map_err(|error| error.kind())
    }

    fn read_ready(&mut self) -> bool {
        // Where it fails, `read` will say why.
        ReadReady::read_ready(self).unwrap_or(true)
    }
}

impl<T: Read + Write> Io for NoReadReady<T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf).map_err(|error| error.kind())
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf).map_err(|error| error.kind())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().map_err(|error| error.kind())
    }

    fn read_ready(&mut self) -> bool {
        false
    }
}

impl<T: Io> Io for Local<T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(buf)
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush()
    }

    fn read_ready(&mut self) -> bool {
        self.0.read_ready()
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// Whether an error only means "nothing yet".
pub(crate) const fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::Interrupted)
}
