//! The transport of a session: as the caller gave it, or with TLS over it.

use crate::connection::Connection;
use crate::error::{Fault, Result};
use crate::platform::Countdown;
#[cfg(feature = "tls")]
use crate::tls::TlsStream;
use crate::transport::{Io, Transport, lent};
use embedded_io::ErrorKind;

/// What a [`Connection`] reads and writes: a transport of the caller's, with or without TLS.
pub struct Channel<'c, T: Transport + 'c>(Kind<'c, T>);

#[allow(clippy::large_enum_variant, reason = "there is no heap to put the larger one in")]
enum Kind<'c, T: Transport + 'c> {
    Plain(T, core::marker::PhantomData<&'c ()>),
    #[cfg(feature = "tls")]
    Tls(TlsStream<'c, T>),
}

impl<'c, T: Transport + 'c> Channel<'c, T> {
    pub(super) const fn plain(transport: T) -> Self {
        Self(Kind::Plain(transport, core::marker::PhantomData))
    }

    #[cfg(feature = "tls")]
    pub(super) const fn tls(stream: TlsStream<'c, T>) -> Self {
        Self(Kind::Tls(stream))
    }

    /// The TLS stream, if it is one.
    #[cfg(feature = "tls")]
    pub(super) const fn stream(&mut self) -> Option<&mut TlsStream<'c, T>> {
        match &mut self.0 {
            Kind::Plain(..) => None,
            Kind::Tls(stream) => Some(stream),
        }
    }

    /// Ends TLS in order, if there is any, and gives the transport back.
    fn close(self) -> T {
        match self.0 {
            Kind::Plain(transport, _) => transport,
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.close(),
        }
    }
}

impl<'c, 'b, T: Transport + 'c> Connection<'c, 'b, Channel<'c, T>> {
    /// Sends Terminate and returns the transport, still open.
    ///
    /// # Errors
    /// When Terminate could not be sent; the server then notices when the transport closes. An
    /// open transaction is rolled back in either case.
    pub fn close(mut self) -> Result<T> {
        match self.session.terminate(&mut lent(&mut self.io)) {
            Ok(()) => Ok(self.io.close()),
            Err(fault) => Err(self.session.into_error(fault)),
        }
    }

    /// The transport, without Terminate.
    pub fn into_inner(self) -> T {
        self.session.exchange.close();
        self.io.close()
    }
}

impl<T: Transport> Io for Channel<'_, T> {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> core::result::Result<usize, ErrorKind> {
        match &mut self.0 {
            Kind::Plain(transport, _) => transport.read(buf),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.read(buf),
        }
    }

    #[inline]
    fn write(&mut self, buf: &[u8]) -> core::result::Result<usize, ErrorKind> {
        match &mut self.0 {
            Kind::Plain(transport, _) => transport.write(buf),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.write(buf),
        }
    }

    #[inline]
    fn flush(&mut self) -> core::result::Result<(), ErrorKind> {
        match &mut self.0 {
            Kind::Plain(transport, _) => transport.flush(),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.flush(),
        }
    }

    #[inline]
    fn read_ready(&mut self) -> bool {
        match &mut self.0 {
            Kind::Plain(transport, _) => transport.read_ready(),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.read_ready(),
        }
    }

    fn until(&mut self, countdown: Countdown) {
        match &mut self.0 {
            Kind::Plain(..) => {
                let _ = countdown;
            }
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.until(countdown),
        }
    }

    fn fault(&self) -> Option<Fault> {
        match &self.0 {
            Kind::Plain(..) => None,
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.fault(),
        }
    }

    #[cfg(feature = "tls")]
    fn record(&self) -> (u16, u16) {
        match &self.0 {
            Kind::Plain(..) => (0, 0),
            Kind::Tls(stream) => stream.record(),
        }
    }
}

impl<T: Transport> core::fmt::Debug for Channel<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Channel")
    }
}
