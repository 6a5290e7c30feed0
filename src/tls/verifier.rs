//! The server's proof: certificate, then a signature over the handshake with its key, in this
//! order and once each (RFC 8446 sections 4.4.2 and 4.4.3).

use embedded_tls::SignatureScheme;
use embedded_tls::blocking::{
    CertificateEntryRef, CertificateRef, CertificateVerifyRef, TlsVerifier,
};
use sha2::Digest as _;

use super::chain::{self, Trust};
use super::cipher::{Suite, expect};
use super::policy::buffer_for;
use super::shared::Shared;
use super::signature::{DIGEST_MAX, DigestBuffer, Hash, KeyKind, Scheme};
use super::transcript::Transcript;
#[cfg(feature = "tls-client-cert")]
use super::transcript::scheme_bit;
use super::x509::Certificate;
use crate::Platform;
use crate::error::Fault;
use crate::error::{CertificateError, TlsError};
use crate::limits::TLS_LEAF_KEY;

/// The hash of the server's certificate that ties a login to this TLS session:
/// `tls-server-end-point` of RFC 5929.
#[derive(Clone, Copy)]
pub(crate) struct EndPoint {
    digest: DigestBuffer,
    length: u8,
}

impl EndPoint {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.digest.get(..usize::from(self.length)).unwrap_or(&[])
    }

    fn of(cert: &Certificate<'_>) -> Option<Self> {
        let hash = Scheme::end_point_hash(cert.signature_algorithm)?;
        let mut digest = [0; DIGEST_MAX];
        let length = hash.digest(&[cert.der], &mut digest)?.len();
        Some(Self { digest, length: u8::try_from(length).ok()? })
    }
}

/// What the handshake asks about the server.
pub(super) struct Verifier<'a> {
    /// `None`: any certificate will do (`sslmode=require` without roots), but its key must sign.
    trust: Option<Trust<'a>>,
    shared: &'a Shared,
    platform: &'a dyn Platform,
    state: State,
    /// The handshake up to and with the certificate, which the signature covers.
    transcript: Option<Transcript>,
    kind: KeyKind,
    /// The certificate's key; the certificate itself is gone when the signature comes.
    key: [u8; TLS_LEAF_KEY],
    key_len: usize,
    pub(super) end_point: Option<EndPoint>,
    /// How the server lets a client's certificate sign: see [`Requests`](super::transcript::Requests).
    #[cfg(feature = "tls-client-cert")]
    schemes: u8,
    /// Bytes of the handshake up to and with the signature.
    #[cfg(feature = "tls-client-rsa")]
    covered: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    HaveCertificate,
    Done,
}

impl<'a> Verifier<'a> {
    #[inline(never)]
    pub(super) fn new(
        trust: Option<Trust<'a>>,
        shared: &'a Shared,
        platform: &'a dyn Platform,
    ) -> Self {
        Self {
            trust,
            shared,
            platform,
            state: State::Start,
            transcript: None,
            kind: KeyKind::P256,
            key: [0; TLS_LEAF_KEY],
            key_len: 0,
            end_point: None,
            #[cfg(feature = "tls-client-cert")]
            schemes: 0,
            #[cfg(feature = "tls-client-rsa")]
            covered: None,
        }
    }

    /// Whether the server asked for a certificate with a key that signs so.
    #[cfg(feature = "tls-client-cert")]
    pub(super) fn asks_for(&self, scheme: SignatureScheme) -> bool {
        self.schemes & scheme_bit(scheme.as_u16()) != 0
    }

    /// Bytes of the handshake before the client's certificate: the server's last message, Finished, has
    /// 36. See [`proof`](super::proof).
    #[cfg(feature = "tls-client-rsa")]
    pub(super) fn before_certificate(&self) -> Option<u64> {
        self.covered?.checked_add(36)
    }

    /// Feeds the watchdog in the midst of computing, and looks at the deadline. When that has
    /// passed, the reason is noted here and the error is one for form's sake.
    pub(super) fn pulse(&self) -> Result<(), CertificateError> {
        self.shared.pulse(self.platform).map_err(|fault| {
            self.shared.fail(fault);
            CertificateError::TooMuchWork
        })
    }

    /// Moves on from `from`; anything else was out of order, and nothing counts any more.
    fn advance(&mut self, from: State, to: State) -> Result<(), TlsError> {
        if self.state != from {
            self.shared.authenticated.set(false);
            return Err(TlsError::Handshake);
        }
        self.state = to;
        Ok(())
    }

    fn verify<'c>(
        &self,
        chain: &[&'c [u8]],
        trust: &Trust<'_>,
    ) -> Result<Certificate<'c>, CertificateError> {
        let pulse = || self.pulse();
        #[cfg(feature = "std")]
        if let Some(roots) = trust.roots {
            let mut leaf = Err(CertificateError::UnknownIssuer);
            roots.roots(&|root| chain::may_anchor(chain, root, &pulse), &mut |anchors| {
                leaf = chain::verify(chain, &Trust { anchors, ..*trust }, &pulse);
            });
            return leaf;
        }
        chain::verify(chain, trust, &pulse)
    }

    // These two are out of line, so that neither adds to the stack of what calls them.
    #[inline(never)]
    fn certificate(
        &mut self,
        transcript: &Transcript,
        sent: &CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        self.advance(State::Start, State::HaveCertificate)?;
        // Within one record the cipher sees it, over several the transcript.
        if transcript.requests.count > 1 {
            return Err(TlsError::Handshake);
        }
        #[cfg(feature = "tls-client-cert")]
        {
            self.schemes = transcript.requests.schemes;
        }
        let mut list = [&[][..]; 16];
        let mut length = 0usize;
        for (slot, entry) in list.iter_mut().zip(&sent.entries) {
            let CertificateEntryRef::X509(der) = entry else { return Err(TlsError::Handshake) };
            *slot = der;
            length = length.saturating_add(1);
        }
        let chain = list.get(..length).unwrap_or(&[]);
        if let [&[a, b, c]] = *chain {
            return Err(self.too_long(u32::from_be_bytes([0, a, b, c])));
        }
        let leaf = match &self.trust {
            Some(trust) => self.verify(chain, trust),
            None => chain
                .first()
                .ok_or(CertificateError::Missing)
                .and_then(|der| Certificate::parse(der)),
        }
        .map_err(TlsError::Certificate)?;
        self.kind = KeyKind::from_algorithm(leaf.key_algorithm).map_err(TlsError::Certificate)?;
        self.key
            .get_mut(..leaf.key.len())
            .ok_or(TlsError::Certificate(CertificateError::UnsupportedAlgorithm))?
            .copy_from_slice(leaf.key);
        self.key_len = leaf.key.len();
        self.end_point = EndPoint::of(&leaf);
        self.transcript = Some(transcript.clone());
        self.shared.expected.set(expect::PROOF);
        Ok(())
    }

    /// The stand-in of the [`cipher`](super::cipher) for a message that is larger than its record.
    fn too_long(&self, length: u32) -> TlsError {
        let message = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(4);
        let (have, _) = self.shared.record.get();
        if let Some(needed) = buffer_for(message).filter(|needed| *needed > have) {
            self.shared.record.set((have, needed));
            self.shared.fail(Fault::TLS_RECORD);
        }
        TlsError::Handshake
    }

    #[inline(never)]
    fn signature(&mut self, sent: &CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        self.advance(State::HaveCertificate, State::Done)?;
        let transcript = self.transcript.take().ok_or(TlsError::Handshake)?;
        let scheme = scheme(sent.signature_scheme)
            .ok_or(TlsError::Certificate(CertificateError::UnsupportedAlgorithm))?;
        #[cfg(feature = "tls-client-rsa")]
        {
            let message = u64::try_from(sent.signature.len()).ok().and_then(|n| n.checked_add(8));
            let (_, before, _) = transcript.hash.parts();
            self.covered = message.and_then(|message| before.checked_add(message));
        }
        let digest = transcript.finalize();
        // One piece, because Ed25519 wants its message whole.
        let mut content = [0x20; 64 + SERVER_CONTEXT.len() + 32];
        for (slot, byte) in content.iter_mut().skip(64).zip(SERVER_CONTEXT.iter().chain(&digest)) {
            *slot = *byte;
        }
        let key = self.key.get(..self.key_len).unwrap_or(&[]);
        self.kind
            .verify(key, scheme, &[&content], sent.signature, &|| self.pulse())
            .map_err(|_| TlsError::Unauthenticated)?;
        self.shared.authenticated.set(true);
        self.shared.expected.set(expect::FINISHED);
        Ok(())
    }

    fn settle(
        &self,
        result: Result<(), TlsError>,
        flat: embedded_tls::TlsError,
    ) -> Result<(), embedded_tls::TlsError> {
        result.map_err(|error| {
            self.shared.fail(error.into());
            flat
        })
    }
}

/// What precedes the handshake's hash in the signed content, after 64 spaces.
const SERVER_CONTEXT: &[u8; 34] = b"TLS 1.3, server CertificateVerify\0";

/// Signature schemes of TLS 1.3 handshakes. PKCS#1 v1.5 is for certificates only.
fn scheme(scheme: SignatureScheme) -> Option<Scheme> {
    Some(match scheme {
        SignatureScheme::EcdsaSecp256r1Sha256 => Scheme::Ecdsa(Hash::Sha256),
        #[cfg(feature = "tls-p384")]
        SignatureScheme::EcdsaSecp384r1Sha384 => Scheme::Ecdsa(Hash::Sha384),
        #[cfg(feature = "tls-ed25519")]
        SignatureScheme::Ed25519 => Scheme::Ed25519,
        SignatureScheme::RsaPssRsaeSha256 => Scheme::RsaPss { hash: Hash::Sha256, salt: 32 },
        SignatureScheme::RsaPssRsaeSha384 => Scheme::RsaPss { hash: Hash::Sha384, salt: 48 },
        SignatureScheme::RsaPssRsaeSha512 => Scheme::RsaPss { hash: Hash::Sha512, salt: 64 },
        _ => return None,
    })
}

impl TlsVerifier<Suite> for Verifier<'_> {
    /// The name to verify is in [`Trust`]; the record layer's is only the one it sends.
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), embedded_tls::TlsError> {
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Transcript,
        cert: CertificateRef<'_>,
    ) -> Result<(), embedded_tls::TlsError> {
        let result = self.certificate(transcript, &cert);
        self.settle(result, embedded_tls::TlsError::InvalidCertificate)
    }

    fn verify_signature(
        &mut self,
        verify: CertificateVerifyRef<'_>,
    ) -> Result<(), embedded_tls::TlsError> {
        let result = self.signature(&verify);
        self.settle(result, embedded_tls::TlsError::InvalidSignature)
    }
}
