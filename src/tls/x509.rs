//! One X.509 certificate, read from DER (RFC 5280).
//!
//! Reading checks the form and collects what the chain check asks for. It decides nothing:
//! [`chain`](super::chain) does.

use super::CertificateError;
use super::der::{self, Der};
use super::time;

/// Bits of keyUsage (RFC 5280 section 4.2.1.3) in the first byte of the BIT STRING.
pub(super) mod key_usage {
    pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
    /// digitalSignature, keyEncipherment, keyAgreement: what OpenSSL asks of a TLS server.
    pub(crate) const TLS_SERVER: u8 = 0x80 | 0x20 | 0x08;
    /// In nsCertType: an SSL server.
    pub(super) const NS_SERVER: u8 = 0x40;
}

/// The OID of serverAuth, 1.3.6.1.5.5.7.3.1.
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
/// The OID of nsCertType, 2.16.840.1.113730.1.1.
const NS_CERT_TYPE: &[u8] = &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1];

/// A certificate; every slice points into its DER.
#[derive(Clone, Copy)]
pub(super) struct Certificate<'a> {
    /// All of it.
    pub der: &'a [u8],
    /// What the signature covers.
    pub tbs: &'a [u8],
    /// Contents of the issuer's Name.
    pub issuer: &'a [u8],
    /// Contents of the subject's Name.
    pub subject: &'a [u8],
    /// First second of validity, seconds since 1970.
    pub not_before: u64,
    /// Last second of validity.
    pub not_after: u64,
    /// Contents of the key's AlgorithmIdentifier.
    pub key_algorithm: &'a [u8],
    /// The key's bytes.
    pub key: &'a [u8],
    /// Contents of the signature's AlgorithmIdentifier.
    pub signature_algorithm: &'a [u8],
    /// The signature's bytes.
    pub signature: &'a [u8],
    pub extensions: Extensions<'a>,
}

/// The extensions that matter here.
#[derive(Clone, Copy, Default)]
pub(super) struct Extensions<'a> {
    /// X.509 version 3: may have extensions, and needs basicConstraints to sign others.
    pub v3: bool,
    /// basicConstraints cA.
    pub ca: bool,
    /// basicConstraints pathLenConstraint; the largest number where there is none.
    pub path_len: u8,
    /// First byte of keyUsage; all bits where there is none. Without those of a server where nsCertType says so.
    pub key_usage: u8,
    /// extKeyUsage is absent, or names serverAuth.
    pub server_auth: bool,
    /// Contents of subjectAltName's GeneralNames.
    pub san: Option<&'a [u8]>,
    /// Contents of nameConstraints.
    pub name_constraints: Option<&'a [u8]>,
    /// There is a critical extension that this driver does not know.
    pub unknown_critical: bool,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate that fills `der` to the last byte.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Der::new(der);
        let mut certificate = outer.nested(der::SEQUENCE)?;
        outer.finish()?;
        let tbs = certificate.any()?;
        if tbs.tag != der::SEQUENCE {
            return Err(CertificateError::Malformed);
        }
        let signature_algorithm = certificate.value(der::SEQUENCE)?;
        let signature = certificate.bit_string()?;
        certificate.finish()?;

        let mut fields = Der::new(tbs.value);
        let v3 = match fields.optional(0xa0)? {
            None => false,
            Some([der::INTEGER, 1, number @ 0..=2]) => *number == 2,
            Some(_) => return Err(CertificateError::Malformed),
        };
        fields.value(der::INTEGER)?; // serialNumber
        if fields.value(der::SEQUENCE)? != signature_algorithm {
            return Err(CertificateError::Malformed);
        }
        let issuer = fields.value(der::SEQUENCE)?;
        let mut validity = fields.nested(der::SEQUENCE)?;
        let not_before = time::parse(validity.any()?)?;
        let not_after = time::parse(validity.any()?)?;
        validity.finish()?;
        let subject = fields.value(der::SEQUENCE)?;
        let mut key_info = fields.nested(der::SEQUENCE)?;
        let key_algorithm = key_info.value(der::SEQUENCE)?;
        let key = key_info.bit_string()?;
        key_info.finish()?;
        fields.optional(0x81)?; // issuerUniqueID
        fields.optional(0x82)?; // subjectUniqueID
        let mut extensions = Extensions {
            v3,
            path_len: u8::MAX,
            key_usage: u8::MAX,
            server_auth: true,
            ..Extensions::default()
        };
        if let Some(list) = fields.optional(0xa3)? {
            if !v3 {
                return Err(CertificateError::Malformed);
            }
            let mut list = Der::new(list);
            extensions.read(list.nested(der::SEQUENCE)?)?;
            list.finish()?;
        }
        fields.finish()?;

        Ok(Self {
            der,
            tbs: tbs.whole,
            issuer,
            subject,
            not_before,
            not_after,
            key_algorithm,
            key,
            signature_algorithm,
            signature,
            extensions,
        })
    }
}

impl<'a> Extensions<'a> {
    fn read(&mut self, mut list: Der<'a>) -> Result<(), CertificateError> {
        // One bit per known extension: RFC 5280 section 4.2 allows each of them once.
        let mut seen = 0u8;
        while !list.is_empty() {
            let mut extension = list.nested(der::SEQUENCE)?;
            let oid = extension.value(der::OID)?;
            let critical = extension.boolean_or_false()?;
            let value = extension.value(der::OCTET_STRING)?;
            extension.finish()?;
            let mut value = Der::new(value);
            let bit = match oid {
                // basicConstraints
                [0x55, 0x1d, 0x13] => {
                    let mut fields = value.nested(der::SEQUENCE)?;
                    self.ca = fields.boolean_or_false()?;
                    if !fields.is_empty() {
                        self.path_len = match fields.unsigned()? {
                            [] => 0,
                            [len] => *len,
                            // Longer than any chain accepted here.
                            _ => u8::MAX,
                        };
                    }
                    fields.finish()?;
                    0x01
                }
                // keyUsage
                [0x55, 0x1d, 0x0f] => {
                    self.key_usage &= first_bits(&mut value)?;
                    0x02
                }
                // nsCertType, of before extKeyUsage; OpenSSL asks it of a server, too.
                _ if oid == NS_CERT_TYPE => {
                    if first_bits(&mut value)? & key_usage::NS_SERVER == 0 {
                        self.key_usage &= !key_usage::TLS_SERVER;
                    }
                    0x20
                }
                // extKeyUsage
                [0x55, 0x1d, 0x25] => {
                    let mut purposes = value.nested(der::SEQUENCE)?;
                    self.server_auth = false;
                    while !purposes.is_empty() {
                        let purpose = purposes.value(der::OID)?;
                        // anyExtendedKeyUsage does not count, as with OpenSSL.
                        self.server_auth |= purpose == SERVER_AUTH;
                    }
                    0x04
                }
                // subjectAltName, nameConstraints
                [0x55, 0x1d, id @ (0x11 | 0x1e)] => {
                    let list = Some(value.value(der::SEQUENCE)?);
                    if *id == 0x11 {
                        self.san = list;
                        0x08
                    } else {
                        self.name_constraints = list;
                        0x10
                    }
                }
                // certificatePolicies and cRLDistributionPoints may be critical: no policy is
                // asked for and no revocation list is read, as libpq does without sslcrl.
                [0x55, 0x1d, 0x20 | 0x1f] => continue,
                _ => {
                    self.unknown_critical |= critical;
                    continue;
                }
            };
            value.finish()?;
            if seen & bit != 0 {
                return Err(CertificateError::Malformed);
            }
            seen |= bit;
        }
        Ok(())
    }
}

/// The first byte of a BIT STRING's bits; none are zeros.
#[inline(never)]
fn first_bits(value: &mut Der<'_>) -> Result<u8, CertificateError> {
    Ok(value.value(der::BIT_STRING)?.get(1).copied().unwrap_or(0))
}
