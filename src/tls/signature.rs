//! Signature algorithms and public keys: which are known, and the check itself.
//!
//! Sources: RFC 5480 (EC keys), RFC 5758 (ECDSA), RFC 8017 and RFC 4055 (RSA), RFC 8410
//! (Ed25519), RFC 8446 section 4.2.3 (TLS 1.3 schemes).

#[cfg(feature = "tls-sha512")]
use sha2::{Digest as _, Sha384, Sha512};

use super::CertificateError;
use super::der::{self, Der};
use super::work::Pulse;
use super::{ecdsa, rsa};
use crate::auth::Sha256;

/// A hash function. SHA-384 and SHA-512 work with feature `tls-sha512`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Bytes of the longest digest.
pub(super) const DIGEST_MAX: usize = if cfg!(feature = "tls-sha512") { 64 } else { 32 };
/// Room for any digest.
pub(super) type DigestBuffer = [u8; DIGEST_MAX];

impl Hash {
    /// The digest of `parts`, one after the other. `None` when this build lacks the function.
    pub(super) fn digest<'o>(self, parts: &[&[u8]], out: &'o mut DigestBuffer) -> Option<&'o [u8]> {
        #[cfg(feature = "tls-sha512")]
        macro_rules! run {
            ($function:ty, $size:literal) => {{
                let mut hash = <$function>::new();
                parts.iter().for_each(|part| hash.update(part));
                let out = out.first_chunk_mut::<$size>()?;
                out.copy_from_slice(&hash.finalize());
                Some(&*out)
            }};
        }
        match self {
            Self::Sha256 => {
                let out = out.first_chunk_mut()?;
                *out = Sha256::digest(parts);
                Some(&*out)
            }
            #[cfg(feature = "tls-sha512")]
            Self::Sha384 => run!(Sha384, 48),
            #[cfg(feature = "tls-sha512")]
            Self::Sha512 => run!(Sha512, 64),
            #[cfg(not(feature = "tls-sha512"))]
            _ => None,
        }
    }

    /// Last byte of the OID 2.16.840.1.101.3.4.2.x.
    pub(super) const fn oid_byte(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
        }
    }

    fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Some(Self::Sha256),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Some(Self::Sha384),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// How something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Ecdsa(Hash),
    Ed25519,
    RsaPkcs1(Hash),
    /// The mask function uses the same hash; the salt has `salt` bytes.
    RsaPss {
        hash: Hash,
        salt: usize,
    },
}

impl Scheme {
    /// Reads the contents of an AlgorithmIdentifier.
    pub(super) fn from_algorithm(algorithm: &[u8]) -> Result<Self, CertificateError> {
        let mut fields = Der::new(algorithm);
        let oid = fields.value(der::OID)?;
        let scheme = match oid {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, n @ 2..=4] => Self::Ecdsa(hash_number(*n, 2)?),
            [0x2b, 0x65, 0x70] => Self::Ed25519,
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, n @ 11..=13] => {
                // RFC 4055 section 5: the parameters are NULL, and may be left out.
                if fields.optional(der::NULL)?.is_some_and(|null| !null.is_empty()) {
                    return Err(CertificateError::Malformed);
                }
                Self::RsaPkcs1(hash_number(*n, 11)?)
            }
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => pss(fields.nested(der::SEQUENCE)?)?,
            _ => return Err(CertificateError::UnsupportedAlgorithm),
        };
        fields.finish()?;
        Ok(scheme)
    }

    /// The hash for `tls-server-end-point` (RFC 5929 section 4.1) of a certificate signed so.
    /// MD5 and SHA-1 count as SHA-256. `None` where the RFC names none, as for Ed25519.
    pub(super) fn end_point_hash(algorithm: &[u8]) -> Option<Hash> {
        match Self::from_algorithm(algorithm) {
            Ok(Self::Ecdsa(hash) | Self::RsaPkcs1(hash) | Self::RsaPss { hash, .. }) => Some(hash),
            Ok(Self::Ed25519) => None,
            Err(_) => match Der::new(algorithm).value(der::OID).ok()? {
                // md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1
                [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4 | 5]
                | [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Some(Hash::Sha256),
                _ => None,
            },
        }
    }
}

fn hash_number(number: u8, first: u8) -> Result<Hash, CertificateError> {
    match number.wrapping_sub(first) {
        0 => Ok(Hash::Sha256),
        1 => Ok(Hash::Sha384),
        2 => Ok(Hash::Sha512),
        _ => Err(CertificateError::UnsupportedAlgorithm),
    }
}

/// RSASSA-PSS-params. The defaults are SHA-1, so hash and mask function must be there.
fn pss(mut fields: Der<'_>) -> Result<Scheme, CertificateError> {
    let unsupported = CertificateError::UnsupportedAlgorithm;
    let hash = fields.optional(0xa0)?.ok_or(unsupported)?;
    let hash = hash_algorithm(Der::new(hash).nested(der::SEQUENCE)?)?;
    let mask = fields.optional(0xa1)?.ok_or(unsupported)?;
    let mut mask = Der::new(mask).nested(der::SEQUENCE)?;
    let is_mgf1 = mask.value(der::OID)? == [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    if !is_mgf1 || hash_algorithm(mask.nested(der::SEQUENCE)?)? != hash {
        return Err(unsupported);
    }
    let salt = match fields.optional(0xa2)? {
        None => 20,
        Some(salt) => match *Der::new(salt).unsigned()? {
            [] => 0,
            [low] => usize::from(low),
            [high, low] => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(unsupported),
        },
    };
    if fields.optional(0xa3)?.is_some_and(|trailer| trailer != [der::INTEGER, 1, 1]) {
        return Err(unsupported);
    }
    fields.finish()?;
    Ok(Scheme::RsaPss { hash, salt })
}

fn hash_algorithm(mut fields: Der<'_>) -> Result<Hash, CertificateError> {
    Hash::from_oid(fields.value(der::OID)?).ok_or(CertificateError::UnsupportedAlgorithm)
}

/// Kinds of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    #[cfg(feature = "tls-p384")]
    P384,
    #[cfg(feature = "tls-ed25519")]
    Ed25519,
    Rsa,
}

impl KeyKind {
    /// Reads the contents of a key's AlgorithmIdentifier.
    pub(super) fn from_algorithm(algorithm: &[u8]) -> Result<Self, CertificateError> {
        const EC: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
        match algorithm {
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0] => Ok(Self::Rsa),
            #[cfg(feature = "tls-ed25519")]
            [6, 3, 0x2b, 0x65, 0x70] => Ok(Self::Ed25519),
            _ => match algorithm.strip_prefix(&EC) {
                Some([6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]) => Ok(Self::P256),
                #[cfg(feature = "tls-p384")]
                Some([6, 5, 0x2b, 0x81, 4, 0, 0x22]) => Ok(Self::P384),
                _ => Err(CertificateError::UnsupportedAlgorithm),
            },
        }
    }

    /// Checks `signature` over `message` (parts, one after the other). The scheme must be one
    /// for this kind of key. `pulse` is called every few million instructions.
    pub(super) fn verify(
        self,
        key: &[u8],
        scheme: Scheme,
        message: &[&[u8]],
        signature: &[u8],
        pulse: Pulse<'_>,
    ) -> Result<(), CertificateError> {
        let mut buffer = [0; DIGEST_MAX];
        let mut digest = |hash: Hash| {
            hash.digest(message, &mut buffer)
                .map(<[u8]>::len)
                .ok_or(CertificateError::UnsupportedAlgorithm)
        };
        match (self, scheme) {
            (Self::P256, Scheme::Ecdsa(hash)) => {
                let length = digest(hash)?;
                ecdsa_verify::<8, p256::ProjectivePoint>(
                    key,
                    buffer.get(..length).unwrap_or(&[]),
                    signature,
                    pulse,
                )
            }
            #[cfg(feature = "tls-p384")]
            (Self::P384, Scheme::Ecdsa(hash)) => {
                let length = digest(hash)?;
                ecdsa_verify::<12, p384::ProjectivePoint>(
                    key,
                    buffer.get(..length).unwrap_or(&[]),
                    signature,
                    pulse,
                )
            }
            #[cfg(feature = "tls-ed25519")]
            (Self::Ed25519, Scheme::Ed25519) => match message {
                [message] => ed25519_verify(key, message, signature),
                _ => Err(CertificateError::UnsupportedAlgorithm),
            },
            (Self::Rsa, Scheme::RsaPkcs1(hash) | Scheme::RsaPss { hash, .. }) => {
                let length = digest(hash)?;
                let padding = match scheme {
                    Scheme::RsaPss { salt, .. } => rsa::Padding::Pss { salt },
                    _ => rsa::Padding::Pkcs1,
                };
                let digest = buffer.get(..length).unwrap_or(&[]);
                rsa::PublicKey::parse(key)?.verify(padding, hash, digest, signature, pulse)
            }
            _ => Err(CertificateError::UnsupportedAlgorithm),
        }
    }
}

/// ECDSA-Sig-Value: two positive integers, big-endian, without leading zeros.
fn ecdsa_integers(signature: &[u8]) -> Result<(&[u8], &[u8]), CertificateError> {
    let mut outer = Der::new(signature);
    let mut fields = outer.nested(der::SEQUENCE)?;
    outer.finish()?;
    let (r, s) = (fields.unsigned()?, fields.unsigned()?);
    fields.finish()?;
    Ok((r, s))
}

// Out of line, as RSA's is: the memory of one is not the other's to carry.
#[inline(never)]
fn ecdsa_verify<const N: usize, P: ecdsa::Point<N>>(
    key: &[u8],
    digest: &[u8],
    signature: &[u8],
    pulse: Pulse<'_>,
) -> Result<(), CertificateError> {
    let (r, s) = ecdsa_integers(signature).map_err(|_| CertificateError::BadSignature)?;
    ecdsa::verify::<N, P>(key, digest, r, s, pulse)
}

#[cfg(feature = "tls-ed25519")]
fn ed25519_verify(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CertificateError> {
    use ed25519_dalek::{Signature, VerifyingKey};
    let key: &[u8; 32] = key.try_into().map_err(|_| CertificateError::BadKey)?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| CertificateError::BadKey)?;
    let signature = Signature::from_slice(signature).map_err(|_| CertificateError::BadSignature)?;
    key.verify_strict(message, &signature).map_err(|_| CertificateError::BadSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4055 section 5: who makes it writes NULL, who reads it takes nothing as well, as OpenSSL does.
    #[test]
    fn the_parameters_of_rsa_are_null_or_nothing() {
        const RSA_SHA256: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11];
        let read = |parameters: &[u8]| Scheme::from_algorithm(&[&RSA_SHA256, parameters].concat());
        for parameters in [&[][..], &[5, 0]] {
            assert_eq!(read(parameters), Ok(Scheme::RsaPkcs1(Hash::Sha256)), "{parameters:?}");
        }
        for parameters in [&[5, 1, 0][..], &[5, 0, 5, 0], &[4, 0], &[5], &[0x30, 0]] {
            assert_eq!(read(parameters), Err(CertificateError::Malformed), "{parameters:?}");
        }
    }
}
