//! The client's private key: PKCS#8 (RFC 5958) or SEC1 (RFC 5915), P-256.

use zeroize::Zeroizing;

use super::CertificateError;
use super::der::{self, Der};

/// id-ecPublicKey and prime256v1.
const P256: [u8; 19] =
    [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// The secret scalar of a P-256 key. Other keys, and encrypted ones, are refused as unsupported.
pub(super) fn p256_scalar(key: &[u8]) -> Result<Zeroizing<[u8; 32]>, CertificateError> {
    let mut outer = Der::new(key);
    let mut fields = outer.nested(der::SEQUENCE)?;
    outer.finish()?;
    // EncryptedPrivateKeyInfo (RFC 5958 section 3) begins with how it is encrypted.
    if fields.optional(der::SEQUENCE)?.is_some() {
        return Err(CertificateError::UnsupportedAlgorithm);
    }
    match fields.unsigned()? {
        // PKCS#8: version, algorithm, and the SEC1 key in an OCTET STRING.
        [] | [1] if fields.optional(der::SEQUENCE)?.is_some() => pkcs8(key),
        [1] => sec1(fields),
        // PKCS#1 RSA keys begin with version 0 and a modulus.
        _ => Err(CertificateError::UnsupportedAlgorithm),
    }
}

fn pkcs8(key: &[u8]) -> Result<Zeroizing<[u8; 32]>, CertificateError> {
    let mut fields = Der::new(key).nested(der::SEQUENCE)?;
    fields.unsigned()?;
    if fields.value(der::SEQUENCE)? != P256 {
        return Err(CertificateError::UnsupportedAlgorithm);
    }
    let mut inner = Der::new(fields.value(der::OCTET_STRING)?).nested(der::SEQUENCE)?;
    if inner.unsigned()? != [1] {
        return Err(CertificateError::Malformed);
    }
    sec1(inner)
}

/// ECPrivateKey after its version.
fn sec1(mut fields: Der<'_>) -> Result<Zeroizing<[u8; 32]>, CertificateError> {
    let scalar = fields.value(der::OCTET_STRING)?;
    if let Some(curve) = fields.optional(0xa0)?
        && P256.strip_prefix(&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]) != Some(curve)
    {
        return Err(CertificateError::UnsupportedAlgorithm);
    }
    scalar.try_into().map(Zeroizing::new).map_err(|_| CertificateError::UnsupportedAlgorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sec1_der(scalar: &[u8]) -> std::vec::Vec<u8> {
        let mut body = std::vec![0x02, 1, 1, 0x04, scalar.len() as u8];
        body.extend_from_slice(scalar);
        body.extend_from_slice(&[0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
        let mut out = std::vec![0x30, body.len() as u8];
        out.extend_from_slice(&body);
        out
    }

    #[test]
    fn reads_both_forms() {
        let scalar = [7; 32];
        let sec1 = sec1_der(&scalar);
        assert_eq!(*p256_scalar(&sec1).unwrap(), scalar);
        let mut body = std::vec![0x02, 1, 0, 0x30, 19];
        body.extend_from_slice(&P256);
        body.extend_from_slice(&[0x04, sec1.len() as u8]);
        body.extend_from_slice(&sec1);
        let mut pkcs8 = std::vec![0x30, body.len() as u8];
        pkcs8.extend_from_slice(&body);
        assert_eq!(*p256_scalar(&pkcs8).unwrap(), scalar);
        for cut in 0..pkcs8.len() {
            assert!(p256_scalar(&pkcs8[..cut]).is_err());
        }
    }

    #[test]
    fn refuses_other_keys() {
        assert_eq!(
            p256_scalar(&sec1_der(&[7; 48])).err(),
            Some(CertificateError::UnsupportedAlgorithm)
        );
        // RSAPrivateKey: version 0, modulus.
        assert!(p256_scalar(&[0x30, 6, 2, 1, 0, 2, 1, 5]).is_err());
    }
}
