//! Whether a server's certificates lead to a trusted one (RFC 5280 section 6, with libpq's
//! choices where the RFC leaves some or the field differs).
//!
//! Anchors are whole certificates and are trusted as they are given: a root, an intermediate, or
//! the server's own certificate byte for byte. Beside these, what libpq 15 with OpenSSL 3 accepts
//! is accepted and the rest refused. Stricter on purpose: a certificate of version 3 that signs
//! others needs basicConstraints.

use super::CertificateError;
use super::der::Der;
use super::signature::{KeyKind, Scheme};
use super::work::{Budget, Pulse};
use super::x509::{Certificate, key_usage};
use super::{dn, name};
use crate::limits::TLS_CHAIN_DEPTH;

/// What a chain is checked against.
#[derive(Clone, Copy)]
pub(super) struct Trust<'a> {
    /// DER certificates, one after the other.
    pub anchors: &'a [u8],
    /// "Now" is not before this second since 1970,
    pub earliest: u64,
    /// and not after this one.
    pub latest: u64,
    /// The name or address the certificate must be for; `None` leaves it open (`verify-ca`).
    pub host: Option<&'a str>,
    /// Anchors that are still to be selected.
    #[cfg(feature = "std")]
    pub roots: Option<&'a dyn super::LoadFiles>,
}

/// Checks `chain`, whose first certificate is the server's; the others may stand in any order and
/// may be useless. Returns the server's certificate.
pub(super) fn verify<'c>(
    chain: &[&'c [u8]],
    trust: &Trust<'_>,
    pulse: Pulse<'_>,
) -> Result<Certificate<'c>, CertificateError> {
    let (leaf_der, others) = chain.split_first().ok_or(CertificateError::Missing)?;
    let leaf = Certificate::parse(leaf_der)?;
    check_common(&leaf, trust)?;
    check_server_key_usage(&leaf)?;
    if !anchors(trust.anchors).any(|anchor| anchor == leaf.der) {
        build_path(&leaf, others, trust, &Budget::new(pulse))?;
    }
    if let Some(host) = trust.host {
        name::check_host(&leaf, host)?;
    }
    Ok(leaf)
}

/// Whether a certificate can be the anchor of a chain: it has the name of an issuer in it, or is the
/// server's own.
#[cfg(feature = "std")]
pub(super) fn may_anchor(chain: &[&[u8]], root: &[u8], pulse: Pulse<'_>) -> bool {
    let Ok(anchor) = Certificate::parse(root) else { return false };
    let budget = Budget::new(pulse);
    chain.iter().any(|der| {
        let signed = Certificate::parse(der);
        // What is too much work to tell is left to the search.
        *der == root || signed.is_ok_and(|cert| is_name(&anchor, &cert, &budget).unwrap_or(true))
    })
}

/// Checks that `bytes` is one or more certificates, one after the other.
pub(super) fn check_anchors(bytes: &[u8]) -> Result<(), CertificateError> {
    let mut list = Der::new(bytes);
    if list.is_empty() {
        return Err(CertificateError::Missing);
    }
    while !list.is_empty() {
        Certificate::parse(list.any()?.whole)?;
    }
    Ok(())
}

/// The first of one or more certificates.
#[cfg(all(feature = "tls-client-cert", feature = "std"))]
pub(super) fn first(bytes: &[u8]) -> Result<&[u8], CertificateError> {
    let whole = Der::new(bytes).any()?.whole;
    Certificate::parse(whole).map(|cert| cert.der)
}

fn anchors(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut list = Der::new(bytes);
    core::iter::from_fn(move || list.any().ok().map(|tlv| tlv.whole))
}

/// The certificates between leaf and anchor, nearest to the leaf first.
struct Path<'a> {
    steps: [Step<'a>; TLS_CHAIN_DEPTH],
    length: usize,
}

#[derive(Clone, Copy)]
struct Step<'a> {
    der: &'a [u8],
    /// Its place among the candidates, to go on from if it leads nowhere.
    candidate: usize,
    /// How many certificates up to here are not self-issued: what pathLenConstraint counts.
    counted: u8,
}

impl<'a> Path<'a> {
    const fn new() -> Self {
        let nothing = Step { der: &[], candidate: 0, counted: 0 };
        Self { steps: [nothing; TLS_CHAIN_DEPTH], length: 0 }
    }

    fn steps(&self) -> &[Step<'a>] {
        self.steps.get(..self.length).unwrap_or(&[])
    }

    fn contains(&self, der: &[u8]) -> bool {
        self.steps().iter().any(|step| step.der == der)
    }

    fn counted(&self) -> u8 {
        self.steps().last().map_or(0, |step| step.counted)
    }

    fn push(
        &mut self,
        cert: &Certificate<'a>,
        candidate: usize,
        budget: &Budget<'_>,
    ) -> Result<(), CertificateError> {
        let counts = u8::from(!dn::same(cert.issuer, cert.subject, budget)?);
        let counted = self.counted().saturating_add(counts);
        let slot = self.steps.get_mut(self.length).ok_or(CertificateError::TooMuchWork)?;
        *slot = Step { der: cert.der, candidate, counted };
        self.length = self.length.saturating_add(1);
        Ok(())
    }

    fn pop(&mut self) -> Option<Step<'a>> {
        let last = self.steps().last().copied()?;
        self.length = self.length.saturating_sub(1);
        Some(last)
    }
}

/// Looks for a way from the leaf to an anchor, issuer by issuer, the anchors first. Where one
/// leads nowhere, for whatever reason, the next is tried: with cross-signed authorities several
/// have the same name. The budget bounds it all.
fn build_path(
    leaf: &Certificate<'_>,
    others: &[&[u8]],
    trust: &Trust<'_>,
    budget: &Budget<'_>,
) -> Result<(), CertificateError> {
    let mut path = Path::new();
    let mut current = *leaf;
    let mut from = 0;
    let mut reason = CertificateError::UnknownIssuer;
    'up: loop {
        let roots = anchors(trust.anchors).map(|der| (der, true));
        let sent = others.iter().map(|der| (*der, false));
        for (candidate, (der, is_anchor)) in roots.chain(sent).enumerate().skip(from) {
            let Ok(issuer) = Certificate::parse(der) else { continue };
            // A root that the server sends has signed itself: once in the path is enough.
            if !is_anchor && path.contains(der) || !is_name(&issuer, &current, budget)? {
                continue;
            }
            let checked = check_issuer(&issuer, &current, &path, is_anchor, trust, budget)
                .and_then(|()| check_constraints(&issuer, leaf, &path, budget))
                .and_then(|()| match is_anchor {
                    true => Ok(()),
                    false => path.push(&issuer, candidate, budget),
                });
            match checked {
                Ok(()) if is_anchor => return Ok(()),
                Ok(()) => {
                    current = issuer;
                    from = 0;
                    continue 'up;
                }
                Err(error) if budget.is_spent() => return Err(error),
                Err(error) => reason = error,
            }
        }
        from = path.pop().ok_or(reason)?.candidate.saturating_add(1);
        current = match path.steps().last() {
            Some(step) => Certificate::parse(step.der)?,
            None => *leaf,
        };
    }
}

/// Whether `issuer` is the name that `signed` gives its issuer.
fn is_name(
    issuer: &Certificate<'_>,
    signed: &Certificate<'_>,
    budget: &Budget<'_>,
) -> Result<bool, CertificateError> {
    match dn::same(issuer.subject, signed.issuer, budget) {
        Err(error) if budget.is_spent() => Err(error),
        same => Ok(same == Ok(true)),
    }
}

/// Whether `issuer` may sign others here, and did sign `signed`.
fn check_issuer(
    issuer: &Certificate<'_>,
    signed: &Certificate<'_>,
    path: &Path<'_>,
    is_anchor: bool,
    trust: &Trust<'_>,
    budget: &Budget<'_>,
) -> Result<(), CertificateError> {
    let extensions = &issuer.extensions;
    // The PostgreSQL manual's recipe makes version 3 roots, older ones made version 1, which has
    // no extensions: trusted as a root only because the user says so.
    let is_v1_root = is_anchor && !extensions.v3;
    if !(extensions.ca || is_v1_root && dn::same(issuer.issuer, issuer.subject, budget)?) {
        return Err(CertificateError::NotCa);
    }
    if extensions.key_usage & key_usage::KEY_CERT_SIGN == 0 {
        return Err(CertificateError::KeyUsage);
    }
    if path.counted() > extensions.path_len {
        return Err(CertificateError::PathLength);
    }
    check_common(issuer, trust)?;
    let scheme = Scheme::from_algorithm(signed.signature_algorithm)?;
    let kind = KeyKind::from_algorithm(issuer.key_algorithm)?;
    budget.signature()?;
    kind.verify(issuer.key, scheme, &[signed.tbs], signed.signature, budget.pulse)
}

/// What every certificate of the chain must pass, the anchor too.
fn check_common(cert: &Certificate<'_>, trust: &Trust<'_>) -> Result<(), CertificateError> {
    if trust.latest < cert.not_before {
        return Err(CertificateError::NotYetValid);
    }
    if trust.earliest > cert.not_after {
        return Err(CertificateError::Expired);
    }
    if cert.extensions.unknown_critical {
        return Err(CertificateError::CriticalExtension);
    }
    if !cert.extensions.server_auth {
        return Err(CertificateError::ExtendedKeyUsage);
    }
    Ok(())
}

fn check_server_key_usage(leaf: &Certificate<'_>) -> Result<(), CertificateError> {
    match leaf.extensions.key_usage & key_usage::TLS_SERVER {
        0 => Err(CertificateError::KeyUsage),
        _ => Ok(()),
    }
}

/// The issuer's name constraints bind everything below it, except that a self-issued
/// certificate between (a renewed key of the same authority) is free.
fn check_constraints(
    issuer: &Certificate<'_>,
    leaf: &Certificate<'_>,
    path: &Path<'_>,
    budget: &Budget<'_>,
) -> Result<(), CertificateError> {
    let Some(constraints) = issuer.extensions.name_constraints else { return Ok(()) };
    name::check_constraints(constraints, leaf, true, budget)?;
    for step in path.steps() {
        let between = Certificate::parse(step.der)?;
        if !dn::same(between.issuer, between.subject, budget)? {
            name::check_constraints(constraints, &between, false, budget)?;
        }
    }
    Ok(())
}
