//! IP addresses as text, without the panics and the padding of `core`'s.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::digits;

/// Prints an address as the server does (`src/port/inet_net_ntop.c`): as RFC 5952 says, and
/// `::/96` and `::ffff:0:0/96` end in the notation of IPv4.
pub(super) fn print(f: &mut dyn Write, addr: IpAddr) -> fmt::Result {
    let groups = match addr {
        IpAddr::V4(addr) => return dotted(f, addr.to_bits()),
        IpAddr::V6(addr) => addr.segments(),
    };
    let [.., last, end] = groups;
    let v4 = u32::from(last) << 16 | u32::from(end);
    match groups {
        [0, 0, 0, 0, 0, 0, last, _] if last > 0 => {
            f.write_str("::")?;
            return dotted(f, v4);
        }
        [0, 0, 0, 0, 0, 0xFFFF, ..] => {
            f.write_str("::ffff:")?;
            return dotted(f, v4);
        }
        _ => {}
    }
    // The longest run of two zeros or more, the first of equal ones.
    let (mut from, mut len, mut run) = (0_usize, 1_usize, 0_usize);
    for (index, group) in groups.iter().enumerate() {
        run = if *group == 0 { run.saturating_add(1) } else { 0 };
        if run > len {
            (from, len) = (index.saturating_add(1).saturating_sub(run), run);
        }
    }
    let gap = if len > 1 { from..from.saturating_add(len) } else { 0..0 };
    for (index, group) in groups.iter().enumerate() {
        if gap.contains(&index) {
            if index == gap.start {
                f.write_str("::")?;
            }
            continue;
        }
        if index > 0 && index != gap.end {
            f.write_char(':')?;
        }
        hexadecimal(f, *group)?;
    }
    Ok(())
}

fn dotted(f: &mut dyn Write, addr: u32) -> fmt::Result {
    for (index, octet) in addr.to_be_bytes().iter().enumerate() {
        if index > 0 {
            f.write_char('.')?;
        }
        decimal(f, *octet)?;
    }
    Ok(())
}

/// Prints a number of up to three digits.
pub(super) fn decimal(f: &mut dyn Write, value: u8) -> fmt::Result {
    let mut room = [0; digits::DECIMAL];
    f.write_str(core::str::from_utf8(digits::decimal(value.into(), &mut room)).unwrap_or_default())
}

fn hexadecimal(f: &mut dyn Write, group: u16) -> fmt::Result {
    for (shift, least) in [(12, 0x1000), (8, 0x100), (4, 0x10), (0, 0)] {
        if group >= least {
            f.write_char(digits::hex_digit((group >> shift).to_le_bytes()[0]).into())?;
        }
    }
    Ok(())
}

/// Parses the four numbers of IPv4, or IPv6 as RFC 4291 section 2.2 says.
pub(super) fn parse(text: &[u8]) -> Option<IpAddr> {
    if text.contains(&b':') { v6(text).map(IpAddr::V6) } else { v4(text).map(IpAddr::V4) }
}

fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        let text = parts.next().filter(|text| text.len() <= 3)?;
        *octet = u8::try_from(digits::number(text).ok()?).ok()?;
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

fn group(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter()
        .try_fold(0_u32, |value, digit| Some(value << 4 | u32::from(digits::hex_value(*digit)?)))
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
