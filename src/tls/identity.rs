//! What this side shows the server: its certificate and a signature with its key.

use embedded_tls::SignatureScheme;
use p256::ecdsa::signature::{Error as SignatureError, SignerMut};

use super::Signer;
use super::drbg::Drbg;
#[cfg(feature = "tls-client-ed25519")]
use super::ed25519_key;
use super::key::Key;
use super::p256_key;
#[cfg(feature = "tls-client-p384")]
use super::p384_key;
#[cfg(feature = "tls-client-rsa")]
use super::proof::{Covered, Proof};
#[cfg(feature = "tls-client-rsa")]
use super::rsa_key::PrivateKey;
use super::shared::Shared;
use super::verifier::Verifier;
#[cfg(feature = "std")]
use super::x509::Certificate;
use crate::auth::Sha256;
use crate::error::Fault;
use crate::error::{CertificateError, TlsError};

/// Certificate and key, given only to a server that has proved itself.
pub(super) struct Identity<'a> {
    /// DER, concatenated; the client's own comes first.
    pub(super) certificates: &'a [u8],
    pub(super) key: ClientKey<'a>,
}

/// A key, here or in a secure element.
pub(super) enum ClientKey<'a> {
    P256(&'a [u8; 32]),
    #[cfg(feature = "tls-client-p384")]
    P384(&'a [u8; 48]),
    #[cfg(feature = "tls-client-ed25519")]
    Ed25519(&'a [u8; 32]),
    #[cfg(feature = "tls-client-rsa")]
    Rsa(PrivateKey<'a>),
    /// P-256.
    Element(&'a dyn Signer),
}

impl<'a> ClientKey<'a> {
    /// From PKCS#8, SEC1 or PKCS#1, in DER. Keys of other kinds than this build signs with, and
    /// encrypted ones, are unsupported.
    pub(super) fn from_der(key: &'a [u8]) -> Result<Self, CertificateError> {
        match Key::parse(key)? {
            Key::P256(scalar) if p256_key::is_valid(scalar) => Ok(Self::P256(scalar)),
            Key::P256(_) => Err(CertificateError::BadKey),
            #[cfg(feature = "tls-client-p384")]
            Key::P384(scalar) if p384_key::is_valid(scalar) => Ok(Self::P384(scalar)),
            #[cfg(feature = "tls-client-p384")]
            Key::P384(_) => Err(CertificateError::BadKey),
            #[cfg(feature = "tls-client-ed25519")]
            Key::Ed25519(seed) => Ok(Self::Ed25519(seed)),
            #[cfg(feature = "tls-client-rsa")]
            Key::Rsa(key) => PrivateKey::parse(key).map(Self::Rsa),
            #[cfg(not(all(
                feature = "tls-client-p384",
                feature = "tls-client-ed25519",
                feature = "tls-client-rsa"
            )))]
            _ => Err(CertificateError::UnsupportedAlgorithm),
        }
    }

    /// Whether it is the key of this certificate, in DER. A secure element is not asked.
    #[cfg(feature = "std")]
    pub(super) fn belongs_to(&self, certificate: &[u8]) -> bool {
        let Ok(certificate) = Certificate::parse(certificate) else { return false };
        match self {
            Self::P256(scalar) => p256_key::belongs_to(scalar, certificate.key),
            #[cfg(feature = "tls-client-p384")]
            Self::P384(scalar) => p384_key::belongs_to(scalar, certificate.key),
            #[cfg(feature = "tls-client-ed25519")]
            Self::Ed25519(seed) => ed25519_key::belongs_to(seed, certificate.key),
            #[cfg(feature = "tls-client-rsa")]
            Self::Rsa(key) => key.belongs_to(certificate.key),
            Self::Element(_) => true,
        }
    }

    /// How it signs.
    pub(super) const fn scheme(&self) -> SignatureScheme {
        match self {
            Self::P256(_) | Self::Element(_) => SignatureScheme::EcdsaSecp256r1Sha256,
            #[cfg(feature = "tls-client-p384")]
            Self::P384(_) => SignatureScheme::EcdsaSecp384r1Sha384,
            #[cfg(feature = "tls-client-ed25519")]
            Self::Ed25519(_) => SignatureScheme::Ed25519,
            #[cfg(feature = "tls-client-rsa")]
            Self::Rsa(_) => SignatureScheme::RsaPssRsaeSha256,
        }
    }
}

/// The key as the handshake uses it. A failure cannot be returned there: it is noted in
/// [`Shared`], and the guard then sends nothing more.
#[cfg_attr(
    not(any(feature = "tls-client-p384", feature = "tls-client-rsa")),
    allow(dead_code, reason = "P-256 signs without")
)]
pub(super) struct HandshakeKey<'k> {
    pub(super) identity: &'k Identity<'k>,
    pub(super) shared: &'k Shared,
    pub(super) verifier: &'k Verifier<'k>,
    pub(super) random: &'k mut Drbg,
}

impl SignerMut<Signature> for HandshakeKey<'_> {
    fn try_sign(&mut self, message: &[u8]) -> Result<Signature, SignatureError> {
        Ok(self.sign(message).unwrap_or_else(|| {
            self.shared.fail(Fault::from(TlsError::ClientKey));
            Signature::NONE
        }))
    }
}

impl HandshakeKey<'_> {
    #[inline(never)]
    fn sign(&mut self, message: &[u8]) -> Option<Signature> {
        // Where the record layer believes to see the hash: see `proof`.
        #[cfg(feature = "tls-client-rsa")]
        let (covered, before) = {
            let (before, hash) = message.split_last_chunk()?;
            let certificates = self.identity.certificates;
            (Covered::new(hash, self.verifier.before_certificate()?, certificates)?, before)
        };
        #[cfg(feature = "tls-client-rsa")]
        let message: &[&[u8]] = &[before, &covered.digest()];
        #[cfg(not(feature = "tls-client-rsa"))]
        let message: &[&[u8]] = &[message];
        match &self.identity.key {
            ClientKey::P256(scalar) => p256_key::sign(scalar, message, self.random)
                .map(|signature| Signature::ecdsa(&signature)),
            ClientKey::Element(signer) => signer
                .sign(&Sha256::digest(message))
                .ok()
                .map(|signature| Signature::ecdsa(&signature)),
            #[cfg(feature = "tls-client-p384")]
            ClientKey::P384(scalar) => {
                p384_key::sign(scalar, message, self.random, &|| self.verifier.pulse())
                    .map(|signature| Signature::ecdsa(&signature))
            }
            #[cfg(feature = "tls-client-ed25519")]
            ClientKey::Ed25519(seed) => ed25519_key::sign(seed, message).map(|signature| {
                let mut out = Signature::NONE;
                out.push(&signature);
                out
            }),
            #[cfg(feature = "tls-client-rsa")]
            ClientKey::Rsa(key) => {
                let mut out = [0; crate::limits::RSA_MAX_BYTES];
                let pulse = || self.verifier.pulse();
                let signed = key.sign(&Sha256::digest(message), self.random, &mut out, &pulse)?;
                let proof = Proof::new(self.identity.key.scheme().as_u16(), signed)?;
                let bytes = covered.stand_in(&proof)?;
                self.shared.proof.set(Some(proof));
                Some(Signature { bytes, length: bytes.len() })
            }
        }
    }
}

/// What the record layer gets: ECDSA-Sig-Value of two numbers of 48 bytes at most, or what stands in
/// for a signature.
pub(super) struct Signature {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Signature {
    const LONGEST: usize = 104;
    const NONE: Self = Self { bytes: [0; Self::LONGEST], length: 0 };

    /// From `r` and `s`, of equal length.
    fn ecdsa(signature: &[u8]) -> Self {
        let (r, s) = signature.split_at_checked(signature.len() / 2).unwrap_or((&[], &[]));
        let mut out = Self::NONE;
        out.push(&[0x30, 0]);
        for number in [r, s] {
            let most = number.len().saturating_sub(1);
            let zeros = number.iter().take_while(|&&b| b == 0).count().min(most);
            let number = number.get(zeros..).unwrap_or(&[]);
            let sign = u8::from(number.first().is_some_and(|&b| b >= 0x80));
            let length = u8::try_from(number.len()).unwrap_or(0).saturating_add(sign);
            out.push(&[0x02, length]);
            out.push(if sign == 1 { &[0] } else { &[] });
            out.push(number);
        }
        let inner = u8::try_from(out.length.saturating_sub(2)).unwrap_or(0);
        if let Some(slot) = out.bytes.get_mut(1) {
            *slot = inner;
        }
        out
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
                self.length = self.length.saturating_add(1);
            }
        }
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_shortest_integers() {
        let mut signature = [0; 64];
        signature[31] = 5;
        signature[32] = 0x80;
        let der = Signature::ecdsa(&signature);
        let want: [u8; 10] = [0x30, 38, 2, 1, 5, 2, 33, 0, 0x80, 0];
        assert_eq!(der.as_ref()[..10], want);
        assert_eq!(der.as_ref().len(), 40);
        let longest = Signature::ecdsa(&[0xff; 96]);
        assert_eq!(longest.as_ref().len(), 104);
        assert_eq!(longest.as_ref()[1], 102);
    }
}
