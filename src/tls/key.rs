//! The client's private key: PKCS#8 (RFC 5958), SEC1 (RFC 5915) or PKCS#1 (RFC 8017).

use super::CertificateError;
use super::der::{self, Der};

/// A key in its file, by its kind. Whether this build signs with it is not asked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// The secret scalar.
    P256(&'a [u8; 32]),
    /// The secret scalar.
    P384(&'a [u8; 48]),
    /// The seed of scalar and nonces (RFC 8032 section 5.1.5).
    Ed25519(&'a [u8; 32]),
    /// An RSAPrivateKey.
    Rsa(&'a [u8]),
}

/// id-ecPublicKey.
const EC: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// prime256v1 and secp384r1.
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: [u8; 7] = [6, 5, 0x2b, 0x81, 4, 0, 0x22];
/// id-Ed25519 (RFC 8410).
const ED25519: [u8; 5] = [6, 3, 0x2b, 0x65, 0x70];
/// rsaEncryption and its parameters, NULL.
const RSA: [u8; 13] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];

impl<'a> Key<'a> {
    /// Reads a key in DER. Of another kind, or encrypted: unsupported.
    pub(super) fn parse(key: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Der::new(key);
        let mut fields = outer.nested(der::SEQUENCE)?;
        outer.finish()?;
        // EncryptedPrivateKeyInfo (RFC 5958 section 3) begins with how it is encrypted.
        if fields.optional(der::SEQUENCE)?.is_some() {
            return Err(CertificateError::UnsupportedAlgorithm);
        }
        match fields.unsigned()? {
            // PKCS#8: version, algorithm, and the key in an OCTET STRING.
            [] | [1] if fields.optional(der::SEQUENCE)?.is_some() => Self::pkcs8(key),
            [1] => Self::sec1(fields, None),
            // PKCS#1: version and modulus.
            [] if fields.unsigned().is_ok() => Ok(Self::Rsa(key)),
            _ => Err(CertificateError::UnsupportedAlgorithm),
        }
    }

    fn pkcs8(key: &'a [u8]) -> Result<Self, CertificateError> {
        let mut fields = Der::new(key).nested(der::SEQUENCE)?;
        fields.unsigned()?;
        let algorithm = fields.value(der::SEQUENCE)?;
        let inner = fields.value(der::OCTET_STRING)?;
        if algorithm == RSA {
            return Ok(Self::Rsa(inner));
        }
        if algorithm == ED25519 {
            let mut inner = Der::new(inner);
            let seed = inner.value(der::OCTET_STRING)?.try_into();
            inner.finish()?;
            return seed.map(Self::Ed25519).map_err(|_| CertificateError::Malformed);
        }
        let curve = algorithm.strip_prefix(&EC).ok_or(CertificateError::UnsupportedAlgorithm)?;
        let mut inner = Der::new(inner).nested(der::SEQUENCE)?;
        if inner.unsigned()? != [1] {
            return Err(CertificateError::Malformed);
        }
        Self::sec1(inner, Some(curve))
    }

    /// ECPrivateKey after its version. The curve is named before it, in it, or in both alike; where it
    /// is not, the length tells.
    fn sec1(mut fields: Der<'a>, before: Option<&[u8]>) -> Result<Self, CertificateError> {
        let scalar = fields.value(der::OCTET_STRING)?;
        let within = fields.optional(0xa0)?;
        let is = |curve: &[u8]| [before, within].into_iter().flatten().all(|named| named == curve);
        match (scalar.try_into(), scalar.try_into()) {
            (Ok(scalar), _) if is(&P256) => Ok(Self::P256(scalar)),
            (_, Ok(scalar)) if is(&P384) => Ok(Self::P384(scalar)),
            _ => Err(CertificateError::UnsupportedAlgorithm),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn value(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag, body.len() as u8], body].concat()
    }

    fn sec1(scalar: &[u8], curve: &[u8]) -> Vec<u8> {
        let curve = if curve.is_empty() { Vec::new() } else { value(0xa0, curve) };
        value(0x30, &[&[2, 1, 1], &value(4, scalar)[..], &curve].concat())
    }

    fn pkcs8(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
        let algorithm = value(0x30, &algorithm.concat());
        value(0x30, &[&[2, 1, 0], &algorithm[..], &value(4, key)].concat())
    }

    #[test]
    fn reads_every_form_and_no_part_of_one() {
        let (p256, p384) = ([7; 32], [8; 48]);
        let rsa = [0x30, 6, 2, 1, 0, 2, 1, 5];
        for (der, want) in [
            (sec1(&p256, &P256), Key::P256(&p256)),
            (sec1(&p256, &[]), Key::P256(&p256)),
            (sec1(&p384, &P384), Key::P384(&p384)),
            (pkcs8(&[&EC, &P256], &sec1(&p256, &[])), Key::P256(&p256)),
            (pkcs8(&[&EC, &P256], &sec1(&p256, &P256)), Key::P256(&p256)),
            (pkcs8(&[&EC, &P384], &sec1(&p384, &[])), Key::P384(&p384)),
            (pkcs8(&[&RSA], &rsa), Key::Rsa(&rsa)),
            (rsa.to_vec(), Key::Rsa(&rsa)),
            (pkcs8(&[&ED25519], &value(4, &p256)), Key::Ed25519(&p256)),
        ] {
            assert_eq!(Key::parse(&der), Ok(want));
            for cut in 0..der.len() {
                assert!(Key::parse(&der[..cut]).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn refuses_other_keys() {
        let unsupported = Err(CertificateError::UnsupportedAlgorithm);
        let (p256, p384) = ([7; 32], [8; 48]);
        // X25519's, and Ed448's.
        let [x25519, ed448] = [[6, 3, 0x2b, 0x65, 0x6e], [6, 3, 0x2b, 0x65, 0x71]];
        let encrypted = value(0x30, &[value(0x30, &RSA), value(4, &p256)].concat());
        for der in [
            sec1(&p256, &P384),
            sec1(&p384, &P256),
            sec1(&[7; 66], &[]),
            pkcs8(&[&EC, &P256], &sec1(&p384, &[])),
            pkcs8(&[&EC, &P256], &sec1(&p384, &P384)),
            pkcs8(&[&x25519], &value(4, &p256)),
            pkcs8(&[&ed448], &value(4, &[7; 57])),
            encrypted,
        ] {
            assert_eq!(Key::parse(&der), unsupported);
        }
    }

    #[test]
    fn an_ed25519_key_is_its_32_bytes_and_nothing_more() {
        for inner in [
            value(4, &[7; 31]),
            value(4, &[7; 33]),
            [7; 32].to_vec(),
            [&value(4, &[7; 32])[..], &[0]].concat(),
        ] {
            let key = pkcs8(&[&ED25519], &inner);
            assert_eq!(Key::parse(&key), Err(CertificateError::Malformed), "{inner:?}");
        }
        // RFC 5958's version 2, with the public key after it.
        let algorithm = value(0x30, &ED25519);
        let (private, public) = (value(4, &value(4, &[7; 32])), value(0x81, &[9; 33]));
        let key = value(0x30, &[&[2, 1, 1], &algorithm[..], &private, &public].concat());
        assert_eq!(Key::parse(&key), Ok(Key::Ed25519(&[7; 32])));
    }
}
