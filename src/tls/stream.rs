//! TLS over a transport, as a transport: the handshake, and reading and writing after it.

use embedded_io::{BufRead as _, ErrorKind as IoKind};
#[cfg(feature = "tls-client-cert")]
use embedded_tls::SignatureScheme;
#[cfg(feature = "tls-client-cert")]
use embedded_tls::blocking::Certificate;
use embedded_tls::blocking::{
    CryptoProvider, MaxFragmentLength, TlsConfig, TlsConnection, TlsContext, TlsVerifier,
};
use p256::elliptic_curve::rand_core::CryptoRngCore;

use super::chain::Trust;
use super::cipher::{Suite, expect};
use super::drbg::Drbg;
use super::guard::Guard;
#[cfg(feature = "tls-client-cert")]
use super::identity::{HandshakeKey, Identity, Signature};
use super::policy::fragment;
use super::shared::Shared;
use super::verifier::{EndPoint, Verifier};
use crate::Platform;
use crate::error::TlsError;
use crate::error::{AuthError, Fault};
use crate::platform::Countdown;
use crate::transport::{Io, Transport};

/// A TLS session over `T`.
pub(crate) struct TlsStream<'a, T: Transport> {
    connection: TlsConnection<'a, Guard<'a, T>, Suite>,
    shared: &'a Shared,
    /// Something was received since the handshake.
    heard: bool,
    /// The server asked for a client certificate and got it.
    identified: bool,
    ended: bool,
    fragment: Option<MaxFragmentLength>,
    /// Bytes of the send record buffer, for an error's sake.
    tx_size: usize,
}

/// What a handshake is to do.
pub(crate) struct Handshake<'h> {
    /// `None`: `sslmode=require` without roots.
    pub(super) trust: Option<Trust<'h>>,
    /// Name for SNI: never an address.
    pub(super) server_name: Option<&'h str>,
    /// TLS at once: the server must select the protocol.
    pub(super) is_direct: bool,
    #[cfg(feature = "tls-client-cert")]
    pub(super) identity: Option<Identity<'h>>,
}

impl Handshake<'_> {
    /// Whether the server's certificate will be verified.
    pub(crate) const fn verifies(&self) -> bool {
        self.trust.is_some()
    }

    /// Whether the host's name will be, too.
    pub(crate) fn identifies(&self) -> bool {
        self.trust.is_some_and(|trust| trust.host.is_some())
    }
}

impl<'a, T: Transport> TlsStream<'a, T> {
    /// Wraps a transport on which TLS is to begin. Nothing is sent yet.
    pub(super) fn new(
        io: T,
        rx: &'a mut [u8],
        tx: &'a mut [u8],
        shared: &'a Shared,
        platform: &'a dyn Platform,
    ) -> Self {
        shared.reset();
        let (fragment, tx_size) = (fragment(rx.len()), tx.len());
        let guard = Guard::new(io, shared, platform, rx.len());
        Self {
            connection: TlsConnection::new(guard, rx, tx),
            shared,
            heard: false,
            identified: false,
            ended: false,
            fragment,
            tx_size,
        }
    }

    /// The handshake. When it succeeds, the server has proved that it holds the key of a
    /// certificate that the policy accepts.
    ///
    /// # Errors
    /// Every error ends the connection.
    pub(crate) fn handshake(
        &mut self,
        handshake: Handshake<'_>,
        platform: &dyn Platform,
    ) -> Result<Option<EndPoint>, Fault> {
        if handshake.is_direct {
            self.shared.expected.set(expect::PROTOCOL);
        }
        let config = configure(&handshake, self.fragment);
        let mut provider = Provider {
            rng: Drbg::new(platform).map_err(|_| Fault::from(AuthError::NoEntropy))?,
            verifier: Verifier::new(handshake.trust, self.shared, platform),
            #[cfg(feature = "tls-client-cert")]
            identity: handshake.identity,
            #[cfg(feature = "tls-client-cert")]
            shared: self.shared,
            #[cfg(feature = "tls-client-cert")]
            shown: false,
        };
        let result = self.connection.open(TlsContext::new(&config, &mut provider));
        #[cfg(feature = "tls-client-cert")]
        let identified = provider.shown;
        #[cfg(not(feature = "tls-client-cert"))]
        let identified = false;
        self.identified = identified;
        match (result, self.shared.fault.get()) {
            (_, Some(fault)) => return Err(fault),
            (Ok(()), None) => {}
            // The server looked at the client's certificate and hung up before it was all sent.
            (Err(embedded_tls::TlsError::Io(_)), None) if identified => {
                return Err(Fault::from(TlsError::ClientCertificate));
            }
            (Err(error), None) => {
                return Err(handshake_error(error, self.tx_size, self.shared));
            }
        }
        if !self.shared.authenticated.get() {
            let kind = Fault::from(TlsError::Unauthenticated);
            self.shared.fail(kind);
            return Err(kind);
        }
        self.shared.open.set(true);
        self.shared.expected.set(expect::DATA);
        Ok(provider.verifier.end_point)
    }

    /// Sends close_notify, if the session still lives, and gives the transport back.
    pub(crate) fn close(self) -> T {
        match self.connection.close() {
            Ok(guard) | Err((guard, _)) => guard.into_inner(),
        }
    }

    /// What a failure to receive means; `None`: the end of the stream. The peer sent close_notify,
    /// or closed without: the protocol above knows its messages' lengths and cannot be misled by a
    /// cut.
    fn end(&mut self, error: embedded_tls::TlsError) -> Option<IoKind> {
        match error {
            embedded_tls::TlsError::ConnectionClosed | embedded_tls::TlsError::IoError
                if self.shared.fault.get().is_none() =>
            {
                self.ended = true;
                None
            }
            error => Some(self.failed(error)),
        }
    }

    /// Turns an error of the record layer into the transport's, and notes the reason.
    fn failed(&mut self, error: embedded_tls::TlsError) -> IoKind {
        if let (embedded_tls::TlsError::Io(kind), None) = (error, self.shared.fault.get()) {
            return kind;
        }
        // In TLS 1.3 a server looks at the client's certificate after the client is done. Its
        // alert may be lost when the link is reset.
        let hung_up = self.shared.fault.get().is_some_and(Fault::is_lost);
        if !self.heard && hung_up && self.identified {
            self.shared.fault.set(Some(Fault::from(TlsError::ClientCertificate)));
        }
        self.shared.fail(Fault::from(TlsError::Record));
        IoKind::Other
    }

    /// Waits for data that was decrypted, without taking it. An alert comes as data of one byte,
    /// its description, in a record as long as an alert: the [`cipher`](super::cipher) sees to
    /// it that no data comes so.
    fn arrived(&mut self) -> Result<usize, embedded_tls::TlsError> {
        let arrived = self.connection.fill_buf()?;
        if let (&[description], true) = (arrived, self.shared.short.replace(false)) {
            // Of bad_certificate to certificate_required, those that judge the client's.
            let judges = match description {
                42..=46 | 48 | 49 | 51 => self.identified,
                other => other == 116,
            };
            self.shared.fail(Fault::from(match judges && !self.heard {
                true => TlsError::ClientCertificate,
                false => TlsError::from_alert(description),
            }));
            return Err(embedded_tls::TlsError::InternalError);
        }
        Ok(arrived.len())
    }
}

impl<T: Transport> Io for TlsStream<'_, T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoKind> {
        if self.ended {
            return Ok(0);
        }
        match self.arrived().and_then(|_| self.connection.read(buf)) {
            Ok(n) => {
                self.heard |= n > 0;
                Ok(n)
            }
            Err(error) => self.end(error).map_or(Ok(0), Err),
        }
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, IoKind> {
        self.connection.write(buf).map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), IoKind> {
        self.connection.flush().map_err(|error| self.failed(error))
    }

    fn read_ready(&mut self) -> bool {
        if self.ended {
            return true;
        }
        self.shared.asking.set(true);
        let arrived = self.arrived();
        self.shared.asking.set(false);
        match arrived {
            Ok(length) => length > 0,
            Err(embedded_tls::TlsError::Io(IoKind::TimedOut)) => false,
            Err(error) => {
                self.end(error);
                true
            }
        }
    }

    fn until(&mut self, countdown: Countdown) {
        self.shared.countdown.set(countdown);
    }

    fn fault(&self) -> Option<Fault> {
        self.shared.fault.get()
    }

    fn record(&self) -> (u16, u16) {
        self.shared.record.get()
    }
}

/// What the record layer is to offer. Apart, so that the steps of its builder are off the stack
/// before the handshake.
#[inline(never)]
fn configure<'h>(handshake: &Handshake<'h>, fragment: Option<MaxFragmentLength>) -> TlsConfig<'h> {
    // The protocol is offered in any case, so that a server that speaks another one does not go on.
    let mut config = TlsConfig::new().with_alpn(&[b"postgresql"]);
    // Room for the signatures that `offer` puts there.
    if cfg!(feature = "tls-sha512") {
        config = config.enable_rsa_signatures();
    }
    if let Some(name) = handshake.server_name {
        config = config.with_server_name(name);
    }
    if let Some(length) = fragment {
        config = config.with_max_fragment_length(length);
    }
    config
}

/// An error that neither the guard nor the verifier noticed.
fn handshake_error(error: embedded_tls::TlsError, tx_size: usize, shared: &Shared) -> Fault {
    use embedded_tls::TlsError as E;
    match error {
        // The send record buffer holds the handshake's messages. Their length is not reported.
        E::InsufficientSpace | E::EncodeError | E::InvalidApplicationData => {
            let have = u16::try_from(tx_size).unwrap_or(u16::MAX);
            shared.record.set((have, have.saturating_mul(2)));
            Fault::TLS_RECORD
        }
        E::IoError | E::ConnectionClosed => Fault::CLOSED,
        E::Io(kind) => Fault::from(kind),
        E::CryptoError | E::InvalidRecord => Fault::from(TlsError::Record),
        E::InvalidSignature => Fault::from(TlsError::Unauthenticated),
        E::Unimplemented => Fault::from(TlsError::NoAlpn),
        _ => Fault::from(TlsError::Handshake),
    }
}

/// What the record layer asks during a handshake.
struct Provider<'a> {
    rng: Drbg,
    verifier: Verifier<'a>,
    #[cfg(feature = "tls-client-cert")]
    identity: Option<Identity<'a>>,
    #[cfg(feature = "tls-client-cert")]
    shared: &'a Shared,
    /// The server asked for the client certificate and gets it.
    #[cfg(feature = "tls-client-cert")]
    shown: bool,
}

impl CryptoProvider for Provider<'_> {
    type CipherSuite = Suite;
    #[cfg(feature = "tls-client-cert")]
    type Signature = Signature;
    #[cfg(not(feature = "tls-client-cert"))]
    type Signature = [u8; 0];

    /// Asked before each key share is made.
    fn rng(&mut self) -> impl CryptoRngCore {
        // A deadline that has passed is noted: nothing is sent any more.
        let _ = self.verifier.pulse();
        &mut self.rng
    }

    fn verifier(
        &mut self,
    ) -> Result<&mut impl TlsVerifier<Self::CipherSuite>, embedded_tls::TlsError> {
        Ok(&mut self.verifier)
    }

    #[cfg(feature = "tls-client-cert")]
    fn signer(
        &mut self,
    ) -> Result<
        (impl p256::ecdsa::signature::SignerMut<Self::Signature>, SignatureScheme),
        embedded_tls::TlsError,
    > {
        match &self.identity {
            Some(identity) if self.shared.authenticated.get() => Ok((
                HandshakeKey {
                    identity,
                    shared: self.shared,
                    verifier: &self.verifier,
                    random: &mut self.rng,
                },
                identity.key.scheme(),
            )),
            _ => Err(embedded_tls::TlsError::InvalidPrivateKey),
        }
    }

    #[cfg(feature = "tls-client-cert")]
    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        // One that the server takes no signature of is kept back, as by libpq: none may do as well.
        let asked = |identity: &&Identity<'_>| self.verifier.asks_for(identity.key.scheme());
        let shown = self.identity.as_ref().filter(asked);
        let shown = shown.filter(|_| self.shared.authenticated.get());
        self.shown = shown.is_some();
        shown.map(|identity| Certificate::X509(identity.certificates))
    }
}
