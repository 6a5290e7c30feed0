//! Numbers and bytes as decimal and hexadecimal digits.

use super::WireError;

/// Room for the digits of the largest `u32`.
pub(crate) const DECIMAL: usize = 10;

/// The value of a decimal digit.
#[inline]
pub(crate) const fn decimal_value(digit: u8) -> Option<u8> {
    match digit.wrapping_sub(b'0') {
        value @ 0..=9 => Some(value),
        _ => None,
    }
}

/// The number that decimal digits make; leading zeros are allowed.
///
/// # Errors
/// [`WireError::Malformed`] for anything but digits and for no digits at all,
/// [`WireError::TooLong`] for a number above 2^32 − 1.
pub(crate) fn number(digits: &[u8]) -> Result<u32, WireError> {
    if digits.is_empty() {
        return Err(WireError::Malformed);
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = decimal_value(*digit).ok_or(WireError::Malformed)?;
        let shifted = number.checked_mul(10).ok_or(WireError::TooLong)?;
        shifted.checked_add(digit.into()).ok_or(WireError::TooLong)
    })
}

/// The decimal digits of a number, without leading zeros.
pub(crate) fn decimal(mut number: u32, room: &mut [u8; DECIMAL]) -> &[u8] {
    let mut start = DECIMAL;
    for (at, place) in room.iter_mut().enumerate().rev() {
        *place = b'0' | (number % 10).to_le_bytes()[0];
        number /= 10;
        start = at;
        if number == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or(&[])
}

/// The value of a hexadecimal digit in either case.
pub(crate) const fn hex_value(digit: u8) -> Option<u8> {
    match (digit.wrapping_sub(b'0'), (digit | 0x20).wrapping_sub(b'a')) {
        (value @ 0..=9, _) => Some(value),
        (_, letter @ 0..=5) => Some(letter.wrapping_add(10)),
        _ => None,
    }
}

/// The byte of two hexadecimal digits.
pub(crate) fn hex_byte([high, low]: [u8; 2]) -> Option<u8> {
    Some(hex_value(high)? << 4 | hex_value(low)?)
}

/// The lower-case hexadecimal digit of the low four bits.
pub(crate) const fn hex_digit(nibble: u8) -> u8 {
    match nibble & 15 {
        value @ 0..=9 => b'0'.wrapping_add(value),
        value => b'W'.wrapping_add(value),
    }
}

/// Writes two lower-case hexadecimal digits for each byte, as far as `text` has room.
#[cfg(any(feature = "md5", feature = "opengauss", test))]
pub(crate) fn hex(bytes: &[u8], text: &mut [u8]) {
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [hex_digit(byte >> 4), hex_digit(*byte)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    #[test]
    fn numbers_are_written_out() {
        for number in [0, 1, 9, 10, 409, 9999, 10_000, 65_535, u32::MAX] {
            assert_eq!(decimal(number, &mut [0; DECIMAL]), number.to_string().as_bytes());
        }
    }

    #[test]
    fn numbers_are_read() {
        for value in [0, 7, 10, 429_496_730, u32::MAX - 1, u32::MAX] {
            assert_eq!(number(value.to_string().as_bytes()), Ok(value));
            assert_eq!(number(format!("000{value}").as_bytes()), Ok(value));
        }
        for text in ["4294967296", "4294967300", "9999999999", "99999999999999999999"] {
            assert_eq!(number(text.as_bytes()), Err(WireError::TooLong));
        }
        for text in ["", "-1", "1 ", "0x1", "1:", "/", "１"] {
            assert_eq!(number(text.as_bytes()), Err(WireError::Malformed));
        }
    }

    #[test]
    fn hexadecimal_both_ways() {
        for byte in 0..=255_u8 {
            let (lower, upper) = (format!("{byte:02x}"), format!("{byte:02X}"));
            let mut text = [0; 2];
            hex(&[byte], &mut text);
            assert_eq!(text, lower.as_bytes());
            for text in [lower, upper] {
                assert_eq!(hex_byte(text.as_bytes().try_into().unwrap()), Some(byte));
            }
        }
        for digit in [b'/', b':', b'@', b'G', b'`', b'g'] {
            assert_eq!(hex_value(digit), None);
        }
    }
}
