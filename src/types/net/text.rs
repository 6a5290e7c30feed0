//! IP addresses as text, without the panics and the padding of `core`'s.

use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::digits;
use crate::wire::has_byte;

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
pub(crate) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    if has_byte(text, b':') { v6(text).map(IpAddr::V6) } else { parse_ipv4(text).map(IpAddr::V4) }
}

/// Parses four numbers, each without leading zeros: they would be octal to some.
pub(crate) fn parse_ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut octets, mut index, mut has_digits) = ([0_u8; 4], 0_usize, false);
    for byte in text {
        if *byte == b'.' && has_digits {
            index = index.checked_add(1)?;
            has_digits = false;
            continue;
        }
        let digit = digits::decimal_value(*byte)?;
        let octet = octets.get_mut(index)?;
        if has_digits && *octet == 0 {
            return None;
        }
        *octet = octet.checked_mul(10)?.checked_add(digit)?;
        has_digits = true;
    }
    (index == 3 && has_digits).then(|| Ipv4Addr::from(octets))
}

fn v6(text: &[u8]) -> Option<Ipv6Addr> {
    let (mut octets, mut count, mut gap) = ([0_u8; 16], 0_usize, None);
    let mut rest = text;
    if let [b':', b':', after @ ..] = rest {
        (gap, rest) = (Some(0), after);
    }
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b':').unwrap_or(rest.len());
        let (part, after) = rest.split_at_checked(end)?;
        // The last two groups may be in the notation of IPv4.
        let (bits, length) = match has_byte(part, b'.') {
            true if after.is_empty() => (parse_ipv4(part)?.to_bits(), 4),
            true => return None,
            false => (group(part)? << 16, 2),
        };
        for octet in bits.to_be_bytes().iter().take(length) {
            *octets.get_mut(count)? = *octet;
            count = count.checked_add(1)?;
        }
        rest = match after {
            [] => after,
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                after
            }
            [b':', after @ ..] if !after.is_empty() => after,
            _ => return None,
        };
    }
    // Without a gap there are eight groups, with one it stands for one group or more.
    let missing = octets.len().checked_sub(count)?;
    if gap.is_some() == (missing == 0) {
        return None;
    }
    for index in (gap.unwrap_or(count)..count).rev() {
        let octet = core::mem::take(octets.get_mut(index)?);
        *octets.get_mut(index.checked_add(missing)?)? = octet;
    }
    Some(Ipv6Addr::from(octets))
}

/// One to four hexadecimal digits.
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
            "01.2.3.4",
            "1.2.3.00",
            "1.2.3.0004",
            "1.2.3.04",
            ".1.2.3.4",
            "1.2.3.4.",
            "1.2.3.256",
            "1.2.3.999",
            "1.2.3.1000",
            "1.2.3.+4",
            "1.2.3.4\0",
            "::01.2.3.4",
            "00001::",
            "::0001",
            "1:2:3:4::5:6:7",
            "1:2:3:4::5:6:7:8",
            "1:2:3:4:5:6::1.2.3.4",
            "1:2:3:4:5::1.2.3.4",
            "::1:2:3:4:5:6:1.2.3.4",
            "::1:2:3:4:5:1.2.3.4",
            "1::1.2.3.4:",
            "1:1.2.3.4::",
            "::1.2.3.4::",
            "[::1]",
            "::1/128",
            "1 ::",
        ] {
            assert_eq!(parse_ip(text.as_bytes()), text.parse::<IpAddr>().ok(), "{text}");
            assert_eq!(parse_ipv4(text.as_bytes()), text.parse().ok(), "{text}");
            assert_eq!(v6(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    /// Texts of what addresses are made of, many of them addresses: those that core takes, and no other.
    #[test]
    fn what_core_parses_of_many() {
        const PIECES: [&str; 24] = [
            ":",
            ":",
            ":",
            ":",
            "::",
            "::",
            ".",
            ".",
            ".",
            "0",
            "1",
            "9",
            "25",
            "255",
            "256",
            "00",
            "a",
            "F",
            "fe80",
            "1234",
            "12345",
            "g",
            "1.2.3.4",
            "10.20.30.",
        ];
        let (mut state, mut addresses) = (1_u64, 0);
        for _ in 0..2_000_000 {
            let mut next = |end: usize| {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                usize::try_from(state >> 40).unwrap() % end
            };
            let mut text = std::string::String::new();
            // Groups and separators in turn, or whatever comes.
            let regular = next(2) == 0;
            for index in 0..next(17) {
                let from = if regular && index % 2 == 0 {
                    9..21
                } else if regular {
                    0..6
                } else {
                    0..24
                };
                text.push_str(PIECES[from.start + next(from.len())]);
            }
            let expected = text.parse::<IpAddr>().ok();
            addresses += u32::from(expected.is_some());
            assert_eq!(parse_ip(text.as_bytes()), expected, "{text}");
            assert_eq!(parse_ipv4(text.as_bytes()), text.parse().ok(), "{text}");
        }
        assert!(addresses > 10_000, "{addresses}");
    }
}
