//! NIST's Public Key Interoperability Test Suite: every chain without revocation lists and
//! policies, of which this driver knows none.

use std::string::String;
use std::vec::Vec;
use std::{eprintln, format, fs};

use crate::tls::CertificateError;
use crate::tls::chain::{self, Trust};

/// 2020-01-01, when what is valid in the suite is.
const NOW: u64 = 1_577_836_800;

/// Parts of the names of tests about revocation lists, or about policies.
const OTHER: [&str; 25] = [
    "CRL",
    "IDP",
    "Revoked",
    "distributionPoint",
    "cRL",
    "SerialNumber",
    "SeparateCertificate",
    "onlyContains",
    "onlySome",
    "olic",
    "Mapping",
    "Qualifier",
    "UserNotice",
    "inhibit",
    "requireExplicit",
    "AllCertificates",
    "Different",
    "Overlapping",
    "CPSPointer",
    "anyPolicy",
    "InvalidBasicSelfIssued",
    "ValidBasicSelfIssuedCRL",
    "Invalidonly",
    "InvalidMissingCRL",
    "NoissuingDistributionPoint",
];

/// What is refused though it is valid, and why.
const REFUSED: [(&str, &str); 4] = [
    ("ValidDSAParameterInheritanceTest5", "no DSA"),
    ("ValidDSASignaturesTest4", "no DSA"),
    ("ValidURInameConstraintsTest34", "constraints on URIs refuse every URI"),
    ("ValidURInameConstraintsTest36", "constraints on URIs refuse every URI"),
];

#[test]
fn chains_of_pkits_are_judged_as_nist_judges_them() {
    let home = barepg_testkit::pkits::certificates().unwrap_or_else(|error| panic!("{error}"));
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&home)
        .unwrap_or_else(|error| panic!("{}: {error}", home.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().into(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    let anchor = &files.iter().find(|(name, _)| name == "TrustAnchorRootCertificate").unwrap().1;
    let trust = Trust {
        anchors: anchor,
        earliest: NOW,
        latest: NOW,
        host: None,
        #[cfg(feature = "std")]
        roots: None,
    };
    let authorities: Vec<&[u8]> = files
        .iter()
        .filter(|(name, _)| !name.ends_with("EE") && !name.starts_with("TrustAnchor"))
        .map(|(_, der)| &der[..])
        .collect();
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for (name, der) in files.iter().filter(|(name, _)| name.ends_with("EE")) {
        let name = name.trim_end_matches("EE");
        let is_valid = name.starts_with("Valid");
        let counts = is_valid || name.starts_with("Invalid");
        if !counts || OTHER.iter().any(|other| name.contains(other)) {
            continue;
        }
        let mut chain = Vec::from([&der[..]]);
        chain.extend(&authorities);
        let result = chain::verify(&chain, &trust, &|| Ok(())).map(|_| ());
        let named = REFUSED.iter().find(|(refused, _)| *refused == name);
        match (is_valid, result, named) {
            (true, Ok(()), None) => accepted += 1,
            (false, Err(reason), None) if reason != CertificateError::TooMuchWork => refused += 1,
            (true, Err(_), Some(_)) => {}
            _ => wrong.push(format!("{name}: {result:?}")),
        }
    }
    eprintln!(
        "PKITS: {accepted} accepted, {refused} refused, {} refused though valid",
        REFUSED.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(accepted >= 39 && refused >= 45, "{accepted} {refused}");
}
