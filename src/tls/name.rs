//! Whose certificate it is: host names as libpq compares them, and name constraints.
//!
//! Sources: manual, "Certificate Verification" under `sslmode=verify-full`; RFC 5280 sections
//! 4.2.1.6 and 4.2.1.10.

use core::net::IpAddr;

use super::CertificateError;
use super::der::{self, Der};
use super::dn::{self, To};
use super::work::Budget;
use super::x509::Certificate;
use crate::types::net::parse_ip;
use crate::wire::has_nul;

const RFC822_NAME: u8 = 0x81;
const DNS_NAME: u8 = 0x82;
const DIRECTORY_NAME: u8 = 0xa4;
const IP_ADDRESS: u8 = 0x87;

/// An IP address as the bytes of an iPAddress name.
pub(super) struct IpBytes {
    bytes: [u8; 16],
    length: usize,
}

impl IpBytes {
    /// `None` when `host` is a name.
    pub(super) fn parse(host: &[u8]) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = match parse_ip(host)? {
            IpAddr::V4(address) => {
                bytes.first_chunk_mut::<4>()?.copy_from_slice(&address.octets());
                4
            }
            IpAddr::V6(address) => {
                bytes = address.octets();
                16
            }
        };
        Some(Self { bytes, length })
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// Checks that the certificate is `host`'s: a dNSName or iPAddress among the alternative names,
/// or the common name when no alternative name is of the host's kind.
pub(super) fn check_host(cert: &Certificate<'_>, host: &str) -> Result<(), CertificateError> {
    let ip = IpBytes::parse(host.as_bytes());
    let kind = if ip.is_some() { IP_ADDRESS } else { DNS_NAME };
    let is_address = ip.is_some() || ends_as_address(host.as_bytes());
    let mut try_common_name = true;
    let mut names = Der::new(cert.extensions.san.unwrap_or(&[]));
    while !names.is_empty() {
        let name = names.any()?;
        // To libpq an abbreviated address is an address, to a resolver it may be a name.
        try_common_name &= name.tag != kind && !(is_address && name.tag == IP_ADDRESS);
        let same = match (name.tag, &ip) {
            (DNS_NAME, _) => dns_matches(name.value, host, is_address)?,
            (IP_ADDRESS, Some(ip)) => name.value == ip.as_slice(),
            _ => false,
        };
        if same {
            return Ok(());
        }
    }
    if try_common_name
        && let Some(name) = common_name(cert.subject)?
        && dns_matches(name, host, is_address)?
    {
        return Ok(());
    }
    Err(CertificateError::HostName)
}

/// Whether `host` may be an address to the C library, as `127.1`, `0x7f.1` and `2130706433` are: its
/// last part begins with a digit, which that of no host name does (RFC 3696 section 2).
fn ends_as_address(host: &[u8]) -> bool {
    let start = host.iter().rposition(|&b| b == b'.').map_or(0, |dot| dot.saturating_add(1));
    host.get(start).is_some_and(u8::is_ascii_digit)
}

/// The first commonName of a Name, which is the one that libpq looks at. `None` if it is a string
/// of a type that is not compared with host names.
fn common_name(subject: &[u8]) -> Result<Option<&[u8]>, CertificateError> {
    let mut first = None;
    dn::values(subject, dn::COMMON_NAME, &mut |text| {
        first.get_or_insert(text);
        Ok(())
    })?;
    // UTF8String, PrintableString, TeletexString, IA5String: one byte per ASCII character.
    Ok(first.filter(|text| matches!(text.tag, 0x0c | 0x13 | 0x14 | 0x16)).map(|text| text.value))
}

/// Equal without regard to ASCII case, or `*.` in place of the first label. A wildcard never
/// stands for a part of an address. A NUL inside a name refuses the certificate.
fn dns_matches(pattern: &[u8], host: &str, is_ip: bool) -> Result<bool, CertificateError> {
    if has_nul(pattern) {
        return Err(CertificateError::HostName);
    }
    let host = host.as_bytes();
    if pattern.eq_ignore_ascii_case(host) {
        return Ok(true);
    }
    let Some((b'*', suffix @ [b'.', _, ..])) = pattern.split_first() else { return Ok(false) };
    let first_dot = host.iter().position(|&b| b == b'.').unwrap_or(host.len());
    let (label, rest) = host.split_at_checked(first_dot).unwrap_or((&[], &[]));
    Ok(!is_ip && !label.is_empty() && rest.eq_ignore_ascii_case(suffix))
}

/// Checks the names of `cert` against the nameConstraints of a certificate above it. Where a
/// kind of name is constrained that is not known here, a name of that kind is refused.
///
/// Every text that [`check_host`] may compare with a host is bound as that host would be.
pub(super) fn check_constraints(
    constraints: &[u8],
    cert: &Certificate<'_>,
    is_leaf: bool,
    budget: &Budget<'_>,
) -> Result<(), CertificateError> {
    let mut lists = Der::new(constraints);
    let permitted = lists.optional(0xa0)?.unwrap_or(&[]);
    let excluded = lists.optional(0xa1)?.unwrap_or(&[]);
    lists.finish()?;
    let check = |tag: u8, name: &[u8]| check_name(permitted, excluded, tag, name, budget);
    let check_address = |text: &[u8]| match IpBytes::parse(text) {
        Some(ip) => check(IP_ADDRESS, ip.as_slice()),
        None => Ok(()),
    };

    if !cert.subject.is_empty() {
        check(DIRECTORY_NAME, cert.subject)?;
    }
    let (mut has_dns_name, mut has_address) = (false, false);
    let mut names = Der::new(cert.extensions.san.unwrap_or(&[]));
    while !names.is_empty() {
        let name = names.any()?;
        has_dns_name |= name.tag == DNS_NAME;
        has_address |= name.tag == IP_ADDRESS;
        // directoryName is a CHOICE and therefore tagged explicitly.
        let value = match name.tag {
            DIRECTORY_NAME => Der::new(name.value).value(der::SEQUENCE)?,
            _ => name.value,
        };
        check(name.tag, value)?;
        if name.tag == DNS_NAME && is_leaf {
            check_address(value)?;
        }
    }
    dn::values(cert.subject, dn::EMAIL_ADDRESS, &mut |mail| check(RFC822_NAME, mail.value))?;
    if is_leaf && let Some(name) = common_name(cert.subject)? {
        if !has_address {
            check_address(name)?;
        }
        if !has_dns_name && IpBytes::parse(name).is_none() {
            check(DNS_NAME, name)?;
        }
    }
    Ok(())
}

fn check_name(
    permitted: &[u8],
    excluded: &[u8],
    tag: u8,
    name: &[u8],
    budget: &Budget<'_>,
) -> Result<(), CertificateError> {
    let mut constrained = false;
    let mut inside = false;
    for (list, to) in [(permitted, To::Allow), (excluded, To::Forbid)] {
        let mut subtrees = Der::new(list);
        while !subtrees.is_empty() {
            budget.name()?;
            let mut subtree = subtrees.nested(der::SEQUENCE)?;
            let base = subtree.any()?;
            subtree.finish()?; // minimum and maximum are not used (RFC 5280)
            if base.tag != tag {
                continue;
            }
            let within = match (tag, to) {
                (DNS_NAME, To::Forbid) => dns_may_be_within(name, base.value),
                (DNS_NAME, To::Allow) => dns_within(name, base.value),
                (RFC822_NAME, _) => mail_within(name, base.value, to),
                (IP_ADDRESS, _) => ip_within(name, base.value)?,
                (DIRECTORY_NAME, _) => {
                    dn::within(name, Der::new(base.value).value(der::SEQUENCE)?, to, budget)?
                }
                _ => return Err(CertificateError::NameConstraints),
            };
            if to == To::Forbid && within {
                return Err(CertificateError::NameConstraints);
            }
            constrained |= to == To::Allow;
            inside |= to == To::Allow && within;
        }
    }
    if constrained && !inside { Err(CertificateError::NameConstraints) } else { Ok(()) }
}

/// `name` is `base` or below it.
fn dns_within(name: &[u8], base: &[u8]) -> bool {
    let Some(start) = name.len().checked_sub(base.len()) else { return false };
    let Some((left, right)) = name.split_at_checked(start) else { return false };
    right.eq_ignore_ascii_case(base)
        && (left.is_empty() || base.is_empty() || left.ends_with(b".") || base.starts_with(b"."))
}

/// Some host that `name` stands for is `base` or below it. A dot at the end makes no other host.
fn dns_may_be_within(name: &[u8], base: &[u8]) -> bool {
    let bare = |name: &'_ [u8]| name.len().saturating_sub(usize::from(name.ends_with(b".")));
    let name = name.get(..bare(name)).unwrap_or(name);
    let base = base.get(..bare(base)).unwrap_or(base);
    dns_within(name, base)
        || name.strip_prefix(b"*.").is_some_and(|parent| dns_within(base, parent))
}

/// A mailbox is `base`, or at the host `base`, or at one below `.base` (RFC 5280 section
/// 4.2.1.10). What is no mailbox is within nothing, and may not be where something is excluded.
fn mail_within(name: &[u8], base: &[u8], to: To) -> bool {
    let Some(at) = name.iter().rposition(|&b| b == b'@') else { return to == To::Forbid };
    let (local, host) = name.split_at_checked(at).unwrap_or((name, &[]));
    let host = host.get(1..).unwrap_or(&[]);
    match base.iter().rposition(|&b| b == b'@').and_then(|at| base.split_at_checked(at)) {
        Some((wanted, rest)) => {
            let same = local == wanted || to == To::Forbid && local.eq_ignore_ascii_case(wanted);
            same && rest.get(1..).is_some_and(|rest| host.eq_ignore_ascii_case(rest))
        }
        None if base.starts_with(b".") => dns_within(host, base),
        None => base.is_empty() || host.eq_ignore_ascii_case(base),
    }
}

/// `base` is an address and a mask, whose ones stand before its zeros.
fn ip_within(name: &[u8], base: &[u8]) -> Result<bool, CertificateError> {
    let half = base.len().checked_div(2).unwrap_or(0);
    if !matches!(base.len(), 8 | 32) {
        return Err(CertificateError::Malformed);
    }
    let (address, mask) = base.split_at_checked(half).ok_or(CertificateError::Malformed)?;
    let rest = mask.iter().skip_while(|&&m| m == 0xff);
    let sparse = rest.enumerate().any(|(i, m)| {
        let ones = m.leading_ones().saturating_add(m.trailing_zeros());
        if i == 0 { ones != 8 } else { *m != 0 }
    });
    if sparse {
        return Err(CertificateError::NameConstraints);
    }
    let same = name.iter().zip(address).zip(mask).all(|((n, a), m)| (n ^ a) & m == 0);
    Ok(name.len() == half && same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(pattern: &str, host: &str) -> bool {
        dns_matches(pattern.as_bytes(), host, IpBytes::parse(host.as_bytes()).is_some())
            .unwrap_or(false)
    }

    #[test]
    fn compares_host_names_as_libpq_does() {
        for (pattern, host, want) in [
            ("db.example.test", "db.example.test", true),
            ("DB.example.TEST", "db.Example.test", true),
            ("db.example.test", "db.example.test.", false),
            ("*.example.test", "a.example.test", true),
            ("*.example.test", "a.b.example.test", false),
            ("*.example.test", "example.test", false),
            ("*.example.test", ".example.test", false),
            ("*.test", "a.test", true),
            ("*", "localhost", false),
            ("*.", "a.", false),
            ("a*.example.test", "ab.example.test", false),
            ("a.*.test", "a.example.test", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("*.0.0.1", "127.0.0.1", false),
            ("db\0.example.test", "db", false),
            ("", "", true),
        ] {
            assert_eq!(dns(pattern, host), want, "{pattern} for {host}");
        }
        assert!(dns_matches(b"db\0.evil", "db", false).is_err());
    }

    #[test]
    fn knows_addresses_from_names() {
        assert_eq!(IpBytes::parse(b"10.0.0.1").unwrap().as_slice(), [10, 0, 0, 1]);
        assert_eq!(IpBytes::parse(b"::1").unwrap().as_slice().len(), 16);
        assert!(IpBytes::parse(b"localhost").is_none());
        assert!(IpBytes::parse(b"10.0.0").is_none());
    }

    #[test]
    fn places_names_in_subtrees() {
        for (name, base, want) in [
            ("a.example.test", "example.test", true),
            ("example.test", "example.test", true),
            ("badexample.test", "example.test", false),
            ("a.example.test", ".example.test", true),
            ("example.test", ".example.test", false),
            ("anything", "", true),
            ("*.example.test", "example.test", true),
            ("test", "example.test", false),
        ] {
            assert_eq!(dns_within(name.as_bytes(), base.as_bytes()), want, "{name} in {base}");
        }
        assert!(dns_may_be_within(b"*.example.test", b"secret.example.test"));
        assert!(!dns_may_be_within(b"*.example.test", b"other.test"));
        assert_eq!(ip_within(&[10, 1, 2, 3], &[10, 1, 0, 0, 255, 255, 0, 0]), Ok(true));
        assert_eq!(ip_within(&[10, 2, 2, 3], &[10, 1, 0, 0, 255, 255, 0, 0]), Ok(false));
        assert_eq!(ip_within(&[0; 16], &[10, 1, 0, 0, 255, 255, 0, 0]), Ok(false));
        assert!(ip_within(&[0; 4], &[0; 4]).is_err());
        assert!(dns_may_be_within(b"secret.example.test.", b"example.test"));
        for (mask, good) in [
            ([0, 0, 0, 0], true),
            ([255, 255, 255, 255], true),
            ([255, 255, 254, 0], true),
            ([128, 0, 0, 0], true),
            ([255, 0, 255, 0], false),
            ([255, 253, 0, 0], false),
            ([0, 0, 0, 1], false),
            ([255, 240, 0, 128], false),
        ] {
            let base = [&[10, 0, 0, 0][..], &mask].concat();
            assert_eq!(ip_within(&[10, 0, 0, 0], &base).is_ok(), good, "{mask:?}");
            // Of an address of the other family it is not asked.
            assert_eq!(ip_within(&[0; 16], &base).is_ok(), good, "{mask:?}");
        }
    }

    #[test]
    fn places_mailboxes_in_subtrees() {
        for (name, base, allow, forbid) in [
            ("a@example.test", "example.test", true, true),
            ("a@Example.test", "example.TEST", true, true),
            ("a@b.example.test", "example.test", false, false),
            ("a@b.example.test", ".example.test", true, true),
            ("a@example.test", ".example.test", false, false),
            ("a@example.test", "a@example.test", true, true),
            ("A@example.test", "a@example.test", false, true),
            ("b@example.test", "a@example.test", false, false),
            ("a@example.test", "", true, true),
            ("example.test", "example.test", false, true),
        ] {
            let is = |to| mail_within(name.as_bytes(), base.as_bytes(), to);
            assert_eq!((is(To::Allow), is(To::Forbid)), (allow, forbid), "{name} in {base}");
        }
    }
}
