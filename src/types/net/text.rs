//! IP addresses as text, without the panics and the padding of `core`'s.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::text::hex_digit;

/// Prints an address as the server does (`src/port/inet_net_ntop.c`): as RFC 5952 says, except
/// that `::/96` and `::ffff:0:0/96` end in the IPv4 notation.
pub(super) fn print(f: &mut fmt::Formatter<'_>, addr: IpAddr) -> fmt::Result {
    if let IpAddr::V6(addr) = addr {
        let [a, b, c, d, e, g, h, _] = addr.segments();
        let [.., o1, o2, o3, o4] = addr.octets();
        if [a, b, c, d, e, g] == [0; 6] && h != 0 {
            return write!(f, "::{}", Ipv4Addr::new(o1, o2, o3, o4));
        }
    }
    write!(f, "{addr}")
}

/// Parses the four numbers of IPv4, or IPv6 as RFC 4291 section 2.2 says.
pub(super) fn parse(text: &[u8]) -> Option<IpAddr> {
    if text.contains(&b':') { v6(text).map(IpAddr::V6) } else { v4(text).map(IpAddr::V4) }
}

fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        let digits = parts.next()?;
        if digits.is_empty() || digits.len() > 3 {
            return None;
        }
        *octet = digits.iter().try_fold(0_u8, |value, digit| {
            let digit = digit.is_ascii_digit().then(|| digit.wrapping_sub(b'0'))?;
            value.checked_mul(10)?.checked_add(digit)
        })?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    let gap = text.windows(2).position(|pair| pair == b"::");
    let (head, tail) = match gap {
        Some(at) => (text.get(..at)?, text.get(at.checked_add(2)?..)?),
        None => (text, &[][..]),
    };
    let (head, heads) = groups(head, gap.is_none())?;
    let (tail, tails) = groups(tail, true)?;
    let zeros = 8_u32.checked_sub(heads)?.checked_sub(tails)?;
    // Without a gap there are eight groups, with one it stands for one group or more.
    if gap.is_some() == (zeros == 0) {
        return None;
    }
    let head = head.checked_shl(zeros.checked_add(tails)?.checked_mul(16)?).unwrap_or(0);
    Some(Ipv6Addr::from_bits(head | tail))
}

/// Groups of up to four digits between colons, as one number, and how many they are. The last two
/// may be in the notation of IPv4 if they end the address.
fn groups(text: &[u8], last: bool) -> Option<(u128, u32)> {
    let (mut value, mut count) = (0_u128, 0_u32);
    if text.is_empty() {
        return Some((value, count));
    }
    let mut parts = text.split(|byte| *byte == b':').peekable();
    while let Some(part) = parts.next() {
        let (bits, groups) = if last && parts.peek().is_none() && part.contains(&b'.') {
            (v4(part)?.to_bits(), 2)
        } else {
            (group(part)?, 1)
        };
        count = count.checked_add(groups)?;
        if count > 8 {
            return None;
        }
        value = value.checked_shl(groups.checked_mul(16)?)? | u128::from(bits);
    }
    Some((value, count))
}

fn group(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u32, |value, digit| Some(value << 4 | u32::from(hex_digit(*digit).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_core_parses() {
        for text in [
            "::",
            "::1",
            "1::",
            "1::8",
            "1:2:3:4:5:6:7:8",
            "::2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "::1.2.3.4",
            "ABCD::ef",
            "0.0.0.0",
            "255.255.255.255",
            "",
            ":",
            ":::",
            "1:::2",
            "1::2::3",
            "1:2:3:4:5:6:7",
            ":1",
            "1:",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "12345::",
            "g::",
            "1.2.3.4::",
            "::1.2.3.4:5",
            "::1.2.3",
            "1:2:3:4:5:6:7:1.2.3.4",
            "256.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "1..2.3",
            "-1.2.3.4",
            "1.2.3.4 ",
            "1::2:",
            "::1%eth0",
        ] {
            assert_eq!(parse(text.as_bytes()), text.parse::<IpAddr>().ok(), "{text}");
        }
    }
}
