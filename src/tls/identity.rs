//! What this side shows the server: its certificate and a signature with its key.

#[cfg(feature = "std")]
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::signature::{Error as SignatureError, Signer as SignatureSigner};
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Signer;
use super::guard::Shared;
use super::key;
#[cfg(feature = "std")]
use super::x509::Certificate;
use crate::error::Fault;
use crate::error::{CertificateError, TlsError};

/// Certificate and key, given only to a server that has proved itself.
pub(super) struct Identity<'a> {
    /// DER, concatenated; the client's own comes first.
    pub(super) certificates: &'a [u8],
    pub(super) key: ClientKey<'a>,
}

/// A P-256 key, here or in a secure element.
pub(super) enum ClientKey<'a> {
    Scalar(Zeroizing<[u8; 32]>),
    Element(&'a dyn Signer),
}

impl<'a> ClientKey<'a> {
    /// From PKCS#8 or SEC1, in DER.
    pub(super) fn from_der(key: &[u8]) -> Result<Self, CertificateError> {
        let scalar = key::p256_scalar(key)?;
        // Zero and numbers beyond the curve's order are no keys.
        SigningKey::from_slice(&*scalar).map_err(|_| CertificateError::BadKey)?;
        Ok(Self::Scalar(scalar))
    }

    /// Whether it is the key of this certificate, in DER. A secure element is not asked.
    #[cfg(feature = "std")]
    pub(super) fn belongs_to(&self, certificate: &[u8]) -> bool {
        let Self::Scalar(scalar) = self else { return true };
        let (Ok(key), Ok(certificate)) =
            (SigningKey::from_slice(&**scalar), Certificate::parse(certificate))
        else {
            return false;
        };
        VerifyingKey::from_sec1_bytes(certificate.key)
            .is_ok_and(|public| public == *key.verifying_key())
    }

    /// `r` and `s`, 32 bytes each.
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        match self {
            Self::Scalar(scalar) => {
                let key = SigningKey::from_slice(&**scalar).ok()?;
                let signature: Signature = key.sign_prehash(digest).ok()?;
                Some(signature.to_bytes().into())
            }
            Self::Element(signer) => signer.sign(digest).ok(),
        }
    }
}

/// The key as the handshake uses it. A failure cannot be returned there: it is noted in
/// [`Shared`], and the guard then sends nothing more.
pub(super) struct HandshakeKey<'k> {
    pub(super) key: &'k ClientKey<'k>,
    pub(super) shared: &'k Shared,
}

impl SignatureSigner<DerSignature> for HandshakeKey<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<DerSignature, SignatureError> {
        let digest: [u8; 32] = Sha256::digest(message).into();
        Ok(self.key.sign(&digest).map(|signature| DerSignature::new(&signature)).unwrap_or_else(
            || {
                self.shared.fail(Fault::from(TlsError::ClientKey));
                DerSignature { bytes: [0; 72], length: 0 }
            },
        ))
    }
}

/// ECDSA-Sig-Value of two 32-byte numbers.
pub(super) struct DerSignature {
    bytes: [u8; 72],
    length: usize,
}

impl DerSignature {
    fn new(signature: &[u8; 64]) -> Self {
        let (r, s) = signature.split_at_checked(32).unwrap_or((&[], &[]));
        let mut out = Self { bytes: [0; 72], length: 0 };
        out.push(&[0x30, 0]);
        for number in [r, s] {
            let zeros = number.iter().take_while(|&&b| b == 0).count().min(31);
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

impl AsRef<[u8]> for DerSignature {
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
        let der = DerSignature::new(&signature);
        let want: [u8; 10] = [0x30, 38, 2, 1, 5, 2, 33, 0, 0x80, 0];
        assert_eq!(der.as_ref()[..10], want);
        assert_eq!(der.as_ref().len(), 40);
        let longest = DerSignature::new(&[0xff; 64]);
        assert_eq!(longest.as_ref().len(), 72);
        assert_eq!(longest.as_ref()[1], 70);
    }

    #[test]
    fn signs_what_verifies() {
        let key = ClientKey::Scalar(Zeroizing::new([7; 32]));
        let digest = [9; 32];
        let der = DerSignature::new(&key.sign(&digest).unwrap());
        let public = SigningKey::from_slice(&[7; 32]).unwrap();
        let point = public.verifying_key().to_encoded_point(false);
        let scheme = super::super::signature::Scheme::Ecdsa(super::super::signature::Hash::Sha256);
        let kind = super::super::signature::KeyKind::P256;
        // The message is hashed inside, so sign the hash of one.
        let message = b"message";
        let digest: [u8; 32] = Sha256::digest(message).into();
        let der_of_message = DerSignature::new(&key.sign(&digest).unwrap());
        let is = |signature: &[u8]| {
            kind.verify(point.as_bytes(), scheme, &[message], signature, &|| Ok(()))
        };
        assert!(is(der_of_message.as_ref()).is_ok());
        assert!(is(der.as_ref()).is_err());
    }
}
