//! The transport of a session: as the caller gave it, or with TLS over it.

use crate::error::Fault;
#[cfg(feature = "tls")]
use crate::tls::TlsStream;
use crate::transport::Io;
use embedded_io::{Read, Write};

/// What a [`Connection`](crate::Connection) reads and writes.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the larger one in")]
pub(crate) enum Link<'c, T: Read + Write> {
    Plain(T, core::marker::PhantomData<&'c ()>),
    #[cfg(feature = "tls")]
    Tls(TlsStream<'c, T>),
}

/// Whether `host` is the directory of a UNIX socket, over which `sslmode` has no meaning (as in
/// libpq).
pub(crate) fn is_local(host: &str) -> bool {
    matches!(host.as_bytes().first(), Some(b'/' | b'@'))
}

impl<T: Read + Write> Link<'_, T> {
    pub(crate) const fn plain(transport: T) -> Self {
        Self::Plain(transport, core::marker::PhantomData)
    }

    fn io(&mut self) -> &mut dyn Io {
        match self {
            Self::Plain(transport, _) => transport,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream,
        }
    }

    /// Ends TLS in order, if there is any, and gives the transport back.
    pub(crate) fn close(self) -> T {
        match self {
            Self::Plain(transport, _) => transport,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.close(),
        }
    }
}

impl<T: Read + Write> Io for Link<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, embedded_io::ErrorKind> {
        self.io().read(buf)
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, embedded_io::ErrorKind> {
        self.io().write(buf)
    }

    fn flush(&mut self) -> Result<(), embedded_io::ErrorKind> {
        self.io().flush()
    }

    fn until(&mut self, deadline_ms: u64) {
        self.io().until(deadline_ms);
    }

    fn fault(&self) -> Option<Fault> {
        match self {
            Self::Plain(..) => None,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.fault(),
        }
    }

    #[cfg(feature = "tls")]
    fn record(&self) -> (u16, u16) {
        match self {
            Self::Plain(..) => (0, 0),
            Self::Tls(stream) => stream.record(),
        }
    }
}
