//! Base64 with padding (RFC 4648 section 4).

/// Encodes `input` into `out` and returns the text, or `None` when it does not fit.
pub(crate) fn encode<'o>(input: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let length = input.len().div_ceil(3).wrapping_mul(4);
    let text = out.get_mut(..length)?;
    let mut input = input.iter();
    // The bits that wait for their symbol are the lowest ones.
    let (mut bits, mut waiting) = (0_u32, 0_u32);
    for symbol in text.iter_mut() {
        if waiting < 6 {
            match input.next() {
                Some(byte) => {
                    bits = bits << 8 | u32::from(*byte);
                    waiting = waiting.wrapping_add(8);
                }
                None if waiting == 0 => {
                    *symbol = b'=';
                    continue;
                }
                // The last bits of the input: filled up with zeros.
                None => (bits, waiting) = (bits.wrapping_shl(6_u32.wrapping_sub(waiting)), 6),
            }
        }
        waiting = waiting.wrapping_sub(6);
        *symbol = symbol_of(bits.wrapping_shr(waiting).to_le_bytes()[0] & 63);
    }
    Some(text)
}

/// Decodes `input` into `out` and returns the bytes, or `None` when the text is not canonical
/// Base64 or does not fit.
pub(crate) fn decode<'o>(input: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let text = match input {
        [text @ .., b'=', b'='] | [text @ .., b'='] | text => text,
    };
    // Full groups, and padding that belongs to what stands before it.
    if input.len() & 3 != 0 || text.len() & 3 == 1 {
        return None;
    }
    let bytes = out.get_mut(..text.len().wrapping_mul(3) >> 2)?;
    let mut room = bytes.iter_mut();
    let (mut bits, mut rest) = (0_u32, 0_u32);
    for (place, symbol) in (0_u32..).zip(text) {
        bits = bits << 6 | value(*symbol)?;
        // Three of four symbols complete a byte.
        rest = (!place & 3) << 1;
        if rest != 6 {
            *room.next()? = bits.wrapping_shr(rest).to_le_bytes()[0];
        }
    }
    // Bits after the last byte must be zero, or two texts would mean the same bytes.
    if bits & 1_u32.wrapping_shl(rest).wrapping_sub(1) != 0 {
        return None;
    }
    Some(bytes)
}

/// The symbols of three bytes.
#[inline(never)]
pub(crate) const fn symbols([a, b, c]: [u8; 3]) -> [u8; 4] {
    let (second, third) = ((a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6);
    [symbol_of(a >> 2), symbol_of(second), symbol_of(third), symbol_of(c & 63)]
}

const fn symbol_of(index: u8) -> u8 {
    match index {
        0..=25 => b'A'.wrapping_add(index),
        26..=51 => b'a'.wrapping_add(index.wrapping_sub(26)),
        52..=61 => b'0'.wrapping_add(index.wrapping_sub(52)),
        62 => b'+',
        _ => b'/',
    }
}

/// The six bits of a symbol. Padding is none.
#[allow(clippy::as_conversions, reason = "`u32::from` is not const")]
pub(crate) const fn value(symbol: u8) -> Option<u32> {
    let value = match symbol {
        b'A'..=b'Z' => symbol.wrapping_sub(b'A'),
        b'a'..=b'z' => symbol.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => symbol.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 section 10.
    const VECTORS: [(&[u8], &[u8]); 7] = [
        (b"", b""),
        (b"f", b"Zg=="),
        (b"fo", b"Zm8="),
        (b"foo", b"Zm9v"),
        (b"foob", b"Zm9vYg=="),
        (b"fooba", b"Zm9vYmE="),
        (b"foobar", b"Zm9vYmFy"),
    ];

    #[test]
    fn vectors_both_ways() {
        for (plain, text) in VECTORS {
            let mut out = [0; 8];
            assert_eq!(encode(plain, &mut out), Some(text));
            assert_eq!(decode(text, &mut out), Some(plain));
            if !text.is_empty() {
                assert_eq!(encode(plain, &mut out[..text.len() - 1]), None);
            }
        }
    }

    #[test]
    fn three_bytes_are_four_symbols() {
        for (bytes, text) in VECTORS {
            if let (Ok(bytes), Some(text)) = (bytes.try_into(), text.first_chunk()) {
                assert_eq!(symbols(bytes), *text);
            }
        }
        assert_eq!(symbols([0xfb, 0xef, 0xff]), *b"++//");
    }

    #[test]
    fn other_spellings_are_refused() {
        let mut out = [0; 16];
        let bad: [&[u8]; 8] =
            [b"Zg=", b"Zh==", b"Z===", b"====", b"Zm9v\n", b"Zm-v", b"Zg==Zg==", b"="];
        for text in bad {
            assert_eq!(decode(text, &mut out), None, "{text:?}");
        }
        assert_eq!(decode(b"Zm9v", &mut out[..2]), None);
    }
}
