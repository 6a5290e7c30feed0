//! Chains that no server will present, and bytes that are no certificates.

use barepg_testkit::pki::{Spec, Workshop};
use core::cell::Cell;
use std::vec::Vec;

use crate::limits::TLS_SLICE;
use crate::tls::CertificateError;
use crate::tls::chain::{self, Trust};
use crate::tls::work::Pulse;

/// Verifies for `localhost` on a day when nothing is expired.
fn verify(chain: &[&[u8]], anchors: &[u8]) -> Result<(), CertificateError> {
    verify_with(chain, anchors, &|| Ok(()))
}

fn verify_with(chain: &[&[u8]], anchors: &[u8], pulse: Pulse<'_>) -> Result<(), CertificateError> {
    let trust = Trust {
        anchors,
        earliest: 0,
        latest: u64::MAX,
        host: Some("localhost"),
        #[cfg(feature = "std")]
        roots: None,
    };
    chain::verify(chain, &trust, pulse).map(|_| ())
}

#[test]
fn weak_algorithms_are_refused() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec { key: "rsa:2048", ..Spec::root("root-rsa", "/CN=RSA") });
    w.make(&Spec { key: "rsa:1024", ..Spec::root("root-rsa1", "/CN=RSA 1024") });
    w.make(&Spec { sign: "-sha1", ..Spec::leaf("sha1", "root") });
    w.make(&Spec { sign: "-sha1", key: "rsa:2048", ..Spec::leaf("rsa-sha1", "root-rsa") });
    w.make(&Spec { sign: "-md5", ..Spec::leaf("rsa-md5", "root-rsa") });
    w.make(&Spec::leaf("under-1024", "root-rsa1"));
    w.make(&Spec { sign: "-sha224", ..Spec::leaf("sha224", "root") });
    for (leaf, root) in [
        ("sha1", "root"),
        ("rsa-sha1", "root-rsa"),
        ("rsa-md5", "root-rsa"),
        ("under-1024", "root-rsa1"),
        ("sha224", "root"),
    ] {
        let refused = Err(CertificateError::UnsupportedAlgorithm);
        assert_eq!(verify(&[&w.der(leaf)], &w.der(root)), refused, "{leaf}");
    }
}

#[test]
fn many_certificates_of_one_name_cost_a_bounded_number_of_checks() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let twins: Vec<Vec<u8>> = (0..12)
        .map(|n| {
            let name = std::format!("twin{n}");
            w.make(&Spec::root(&name, "/CN=Root"));
            w.der(&name)
        })
        .collect();
    let leaf = w.der("leaf");
    let mut chain: Vec<&[u8]> = Vec::from([&leaf[..]]);
    chain.extend(twins.iter().map(|twin| &twin[..]));
    assert_eq!(verify(&chain, &w.der("root")), Ok(()));
    assert_eq!(verify(&chain, &twins[0]), Err(CertificateError::TooMuchWork));
    // The server's own root signs itself over and over, and is not the reason.
    let sent = w.der("root");
    assert_eq!(verify(&[&leaf, &sent], &twins[0]), Err(CertificateError::BadSignature));
    assert_eq!(verify(&[&leaf, &sent, &sent], &twins[0]), Err(CertificateError::BadSignature));
    // Certificates that sign each other lead nowhere, and come to an end.
    w.make(&Spec::root("a0", "/CN=A"));
    w.make(&Spec { issuer: Some("a0"), ..Spec::root("b", "/CN=B") });
    w.make(&Spec { issuer: Some("b"), key: "=a0", ..Spec::root("a", "/CN=A") });
    w.make(&Spec::leaf("under-a", "a"));
    let (leaf, a, b) = (w.der("under-a"), w.der("a"), w.der("b"));
    assert!(verify(&[&leaf, &a, &b], &w.der("root")).is_err());
    assert_eq!(verify(&[&leaf, &a, &b], &w.der("a0")), Ok(()));
}

#[test]
fn names_and_constraints_without_end_cost_a_bounded_number_of_comparisons() {
    let w = Workshop::new();
    let list = |count: usize, kind: &str| -> std::string::String {
        (0..count).map(|n| std::format!(",{kind}DNS:host-{n}.test")).collect()
    };
    for (names, constraints, wanted) in [
        (100, 100, Err(CertificateError::NameConstraints)),
        (200, 200, Err(CertificateError::TooMuchWork)),
    ] {
        // Each name is compared with all of them. None is excluded, the last is not permitted.
        let excluded = list(constraints, "excluded;").replace("host", "other");
        let rules = std::format!("permitted;DNS:test{excluded}");
        let root = std::format!("root-{names}");
        w.make(&Spec {
            extensions: &std::format!(
                "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,{rules}"
            ),
            ..Spec::root(&root, "/CN=Root")
        });
        let leaf = std::format!("leaf-{names}");
        let alternatives = list(names, "");
        w.make(&Spec {
            extensions: &std::format!(
                "subjectAltName=DNS:localhost.test{alternatives},DNS:localhost"
            ),
            ..Spec::leaf(&leaf, &root)
        });
        let turns = Cell::new(0);
        let pulse = || {
            turns.set(turns.get() + 1);
            Ok(())
        };
        let verified = verify_with(&[&w.der(&leaf)], &w.der(&root), &pulse);
        assert_eq!(verified, wanted, "{names}");
        // Watchdog and deadline have their turn.
        let some = names * constraints.min(80) / TLS_SLICE;
        assert!(turns.get() > some, "{names}: {} turns", turns.get());
        // When time is up, that is the end.
        let left = Cell::new(some);
        let up = Err(CertificateError::CriticalExtension);
        let pulse = || match left.replace(left.get().saturating_sub(1)) {
            0 => up,
            _ => Ok(()),
        };
        assert_eq!(verify_with(&[&w.der(&leaf)], &w.der(&root), &pulse), up, "{names}");
    }
}

#[test]
fn an_unknown_algorithm_is_one_way_that_leads_nowhere() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec { issuer: Some("root"), ..Spec::root("int", "/CN=Int") });
    let strange = Spec { key: "=int", issuer: Some("root"), ..Spec::root("strange", "/CN=Int") };
    w.make(&Spec { sign: "-sha224", ..strange });
    w.make(&Spec { key: "P-521", ..Spec::root("root-521", "/CN=Root") });
    w.make(&Spec::leaf("leaf", "int"));
    let (leaf, int, strange) = (w.der("leaf"), w.der("int"), w.der("strange"));
    let roots = [w.der("root-521"), w.der("root")].concat();
    for sent in [[&leaf[..], &strange, &int], [&leaf[..], &int, &strange]] {
        assert_eq!(verify(&sent, &roots), Ok(()));
    }
    let refused = Err(CertificateError::UnsupportedAlgorithm);
    assert_eq!(verify(&[&leaf, &strange], &roots), refused);
}

#[test]
fn no_certificate_and_no_anchor() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let (leaf, root) = (w.der("leaf"), w.der("root"));
    assert_eq!(verify(&[], &root), Err(CertificateError::Missing));
    assert_eq!(verify(&[&leaf], &[]), Err(CertificateError::UnknownIssuer));
    assert_eq!(chain::check_anchors(&[]), Err(CertificateError::Missing));
    assert_eq!(chain::check_anchors(&root), Ok(()));
    assert_eq!(chain::check_anchors(&[&root[..], &leaf[..]].concat()), Ok(()));
    assert!(chain::check_anchors(&root[..root.len() - 1]).is_err());
}

/// Every bit of a certificate counts: flipped, it is refused (or the name no longer is ours).
#[test]
fn every_bit_of_a_certificate_counts() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let (leaf, root) = (w.der("leaf"), w.der("root"));
    assert_eq!(verify(&[&leaf], &root), Ok(()));
    for bit in 0..8 * leaf.len() {
        let mut bent = leaf.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&[&bent], &root).is_err(), "bit {bit}");
    }
    for cut in 0..leaf.len() {
        assert!(verify(&[&leaf[..cut]], &root).is_err(), "cut at {cut}");
    }
}
