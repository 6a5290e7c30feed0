//! What the fuzz target `certificate` runs: every reader of bytes that a peer or a file gives.

use super::chain::{self, Trust};
use super::der::Der;
use super::key::Key;
use super::name;
use super::signature::{KeyKind, Scheme};
use super::work::Budget;
use super::x509::Certificate;

/// Takes any bytes. The values one after the other are a chain; each of them is also read alone.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    let mut chain = [&[][..]; 6];
    let mut list = Der::new(data);
    let mut length = 0usize;
    for slot in &mut chain {
        let Ok(value) = list.any() else { break };
        *slot = value.whole;
        length = length.saturating_add(1);
        fuzz_one(value.whole);
    }
    fuzz_one(data);
    let sent = chain.get(..length).unwrap_or(&[]);
    for (earliest, latest) in [(0, u64::MAX), (1_700_000_000, 1_700_000_000)] {
        let trust = Trust {
            anchors: data,
            earliest,
            latest,
            host: Some("db.example.test"),
            #[cfg(feature = "std")]
            roots: None,
        };
        let _ = chain::verify(sent, &trust, &|| Ok(()));
        let _ = chain::verify(sent.get(1..).unwrap_or(&[]), &trust, &|| Ok(()));
    }
    let _ = chain::check_anchors(data);
    #[allow(unused_variables)]
    if let Ok(Key::Rsa(key)) = Key::parse(data) {
        #[cfg(feature = "tls-client-rsa")]
        let _ = super::rsa_key::PrivateKey::parse(key);
    }
    let _ = super::pem::decode(data, &mut [0; 64]);
}

fn fuzz_one(der: &[u8]) {
    let Ok(cert) = Certificate::parse(der) else { return };
    for host in ["db.example.test", "10.0.0.1", "::1", ""] {
        let _ = name::check_host(&cert, host);
    }
    if let Some(constraints) = cert.extensions.name_constraints {
        let _ = name::check_constraints(constraints, &cert, true, &Budget::new(&|| Ok(())));
    }
    let _ = Scheme::end_point_hash(cert.signature_algorithm);
    if let (Ok(scheme), Ok(kind)) = (
        Scheme::from_algorithm(cert.signature_algorithm),
        KeyKind::from_algorithm(cert.key_algorithm),
    ) {
        let _ = kind.verify(cert.key, scheme, &[cert.tbs], cert.signature, &|| Ok(()));
    }
}
