//! Whose certificate it is: host names as libpq compares them, and name constraints.
//!
//! Sources: manual, "Certificate Verification" under `sslmode=verify-full`; RFC 5280 sections
//! 4.2.1.6 and 4.2.1.10.

use core::net::IpAddr;

use super::CertificateError;
use super::der::{self, Der};
use super::x509::Certificate;

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
    pub(super) fn parse(host: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = match host.parse::<IpAddr>().ok()? {
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
    let ip = IpBytes::parse(host);
    let kind = if ip.is_some() { IP_ADDRESS } else { DNS_NAME };
    let mut try_common_name = true;
    let mut names = Der::new(cert.extensions.san.unwrap_or(&[]));
    while !names.is_empty() {
        let name = names.any()?;
        try_common_name &= name.tag != kind;
        let same = match (name.tag, &ip) {
            (DNS_NAME, _) => dns_matches(name.value, host, ip.is_some())?,
            (IP_ADDRESS, Some(ip)) => name.value == ip.as_slice(),
            _ => false,
        };
        if same {
            return Ok(());
        }
    }
    if try_common_name
        && let Some(name) = common_name(cert.subject)?
        && dns_matches(name, host, ip.is_some())?
    {
        return Ok(());
    }
    Err(CertificateError::HostName)
}

/// The first commonName of a Name.
fn common_name(subject: &[u8]) -> Result<Option<&[u8]>, CertificateError> {
    let mut subject = Der::new(subject);
    while !subject.is_empty() {
        let mut set = subject.nested(der::SET)?;
        while !set.is_empty() {
            let mut attribute = set.nested(der::SEQUENCE)?;
            let is_common_name = attribute.value(der::OID)? == [0x55, 0x04, 0x03];
            let text = attribute.any()?;
            attribute.finish()?;
            // UTF8String, PrintableString, TeletexString, IA5String: one byte per ASCII character.
            if is_common_name && matches!(text.tag, 0x0c | 0x13 | 0x14 | 0x16) {
                return Ok(Some(text.value));
            }
        }
    }
    Ok(None)
}

/// Equal without regard to ASCII case, or `*.` in place of the first label. A wildcard never
/// stands for a part of an address. A NUL inside a name refuses the certificate.
fn dns_matches(pattern: &[u8], host: &str, is_ip: bool) -> Result<bool, CertificateError> {
    if pattern.contains(&0) {
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
pub(super) fn check_constraints(
    constraints: &[u8],
    cert: &Certificate<'_>,
    is_leaf: bool,
) -> Result<(), CertificateError> {
    let mut lists = Der::new(constraints);
    let permitted = lists.optional(0xa0)?.unwrap_or(&[]);
    let excluded = lists.optional(0xa1)?.unwrap_or(&[]);
    lists.finish()?;
    let check = |tag: u8, name: &[u8]| check_name(permitted, excluded, tag, name);

    if !cert.subject.is_empty() {
        check(DIRECTORY_NAME, cert.subject)?;
    }
    let mut has_dns_name = false;
    let mut names = Der::new(cert.extensions.san.unwrap_or(&[]));
    while !names.is_empty() {
        let name = names.any()?;
        has_dns_name |= name.tag == DNS_NAME;
        // directoryName is a CHOICE and therefore tagged explicitly.
        let value = match name.tag {
            DIRECTORY_NAME => Der::new(name.value).value(der::SEQUENCE)?,
            _ => name.value,
        };
        check(name.tag, value)?;
    }
    // A common name that may serve as host name is bound by the same constraints.
    if is_leaf
        && !has_dns_name
        && let Some(name) = common_name(cert.subject)?
    {
        let ip = core::str::from_utf8(name).ok().and_then(IpBytes::parse);
        match ip {
            Some(ip) => check(IP_ADDRESS, ip.as_slice())?,
            None => check(DNS_NAME, name)?,
        }
    }
    Ok(())
}

fn check_name(
    permitted: &[u8],
    excluded: &[u8],
    tag: u8,
    name: &[u8],
) -> Result<(), CertificateError> {
    let mut constrained = false;
    let mut inside = false;
    for (list, exclude) in [(permitted, false), (excluded, true)] {
        let mut subtrees = Der::new(list);
        while !subtrees.is_empty() {
            let mut subtree = subtrees.nested(der::SEQUENCE)?;
            let base = subtree.any()?;
            subtree.finish()?; // minimum and maximum are not used (RFC 5280)
            if base.tag != tag {
                continue;
            }
            let within = match tag {
                DNS_NAME if exclude => dns_may_be_within(name, base.value),
                DNS_NAME => dns_within(name, base.value),
                IP_ADDRESS => ip_within(name, base.value)?,
                DIRECTORY_NAME => name.starts_with(Der::new(base.value).value(der::SEQUENCE)?),
                _ => return Err(CertificateError::NameConstraints),
            };
            if exclude && within {
                return Err(CertificateError::NameConstraints);
            }
            constrained |= !exclude;
            inside |= !exclude && within;
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

/// Some host that `name` stands for is `base` or below it.
fn dns_may_be_within(name: &[u8], base: &[u8]) -> bool {
    dns_within(name, base)
        || name.strip_prefix(b"*.").is_some_and(|parent| dns_within(base, parent))
}

/// `base` is an address and a mask.
fn ip_within(name: &[u8], base: &[u8]) -> Result<bool, CertificateError> {
    let half = base.len().checked_div(2).unwrap_or(0);
    if !matches!(base.len(), 8 | 32) {
        return Err(CertificateError::Malformed);
    }
    let (address, mask) = base.split_at_checked(half).ok_or(CertificateError::Malformed)?;
    let same = name.iter().zip(address).zip(mask).all(|((n, a), m)| (n ^ a) & m == 0);
    Ok(name.len() == half && same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(pattern: &str, host: &str) -> bool {
        dns_matches(pattern.as_bytes(), host, IpBytes::parse(host).is_some()).unwrap_or(false)
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
        assert_eq!(IpBytes::parse("10.0.0.1").unwrap().as_slice(), [10, 0, 0, 1]);
        assert_eq!(IpBytes::parse("::1").unwrap().as_slice().len(), 16);
        assert!(IpBytes::parse("localhost").is_none());
        assert!(IpBytes::parse("10.0.0").is_none());
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
    }
}
