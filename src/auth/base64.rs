//! Base64 with padding (RFC 4648 section 4), as SCRAM uses it.

/// Encodes `input` into `out` and returns the text, or `None` when it does not fit.
pub(crate) fn encode<'o>(input: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let length = input.len().div_ceil(3).checked_mul(4)?;
    let out = out.get_mut(..length)?;
    for (chunk, quad) in input.chunks(3).zip(out.chunks_exact_mut(4)) {
        let mut bytes = [0; 4];
        for (to, from) in bytes.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(bytes);
        for (i, (symbol, shift)) in quad.iter_mut().zip([18, 12, 6, 0_u32]).enumerate() {
            let index = bits.wrapping_shr(shift).to_le_bytes()[0] & 63;
            *symbol = if i > chunk.len() { b'=' } else { symbol_of(index) };
        }
    }
    Some(out)
}

/// Decodes `input` into `out` and returns the bytes, or `None` when the text is not canonical
/// Base64 or does not fit.
pub(crate) fn decode<'o>(input: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    if input.len() & 3 != 0 {
        return None;
    }
    let text = match input {
        [text @ .., b'=', b'='] | [text @ .., b'='] | text => text,
    };
    let mut length = 0_usize;
    for chunk in text.chunks(4) {
        let mut bits = 0_u32;
        for &symbol in chunk {
            bits = bits.wrapping_shl(6) | value_of(symbol)?;
        }
        let n = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        for _ in chunk.len()..4 {
            bits = bits.wrapping_shl(6);
        }
        let [_, raw @ ..] = bits.to_be_bytes();
        let (bytes, rest) = raw.split_at_checked(n)?;
        // Bits behind the last byte must be zero, or two texts would mean the same bytes.
        if rest.iter().any(|&b| b != 0) {
            return None;
        }
        let end = length.checked_add(n)?;
        out.get_mut(length..end)?.copy_from_slice(bytes);
        length = end;
    }
    out.get(..length)
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

fn value_of(symbol: u8) -> Option<u32> {
    let value = match symbol {
        b'A'..=b'Z' => symbol.wrapping_sub(b'A'),
        b'a'..=b'z' => symbol.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => symbol.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
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
