//! Whole numbers as libpq reads them, and the base64 of the SCRAM keys.

use crate::wire::{base64, digits};

/// What [`int`] takes.
pub(super) const TAKES_INT: &str = "a whole number";

/// libpq's integer: blanks, a sign, decimal digits, blanks; within `i32`.
pub(super) fn int(text: &str) -> Option<i32> {
    let text = text.trim_matches(super::parse::is_space);
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let number = digits::number(digits).ok()?;
    if negative { 0_i32.checked_sub_unsigned(number) } else { i32::try_from(number).ok() }
}

/// As [`int`]; what is below zero counts as zero.
pub(super) fn unsigned(text: &str) -> Option<u32> {
    int(text).map(|value| u32::try_from(value).unwrap_or(0))
}

/// Seconds to milliseconds; 0 means "for ever", which is 49 days here.
pub(super) const fn milliseconds(seconds: u32) -> u32 {
    if seconds == 0 { u32::MAX } else { seconds.saturating_mul(1000) }
}

/// A port: 1 to 65535.
pub(super) fn port(text: &str) -> Option<u16> {
    int(text).and_then(|value| u16::try_from(value).ok()).filter(|&port| port != 0)
}

/// A SCRAM key: 32 bytes in base64. `None` for anything else.
pub(crate) fn key(text: &str) -> Option<[u8; 32]> {
    // One byte of room too much: a longer key must not pass for its beginning.
    let mut bytes = [0; 33];
    base64::decode(text.as_bytes(), &mut bytes)?.try_into().ok()
}

/// As [`key`], to where the key is to be.
#[inline(never)]
pub(crate) fn key_into(text: &str, place: &mut [u8; 32]) -> Option<()> {
    *place = key(text)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_libpqs() {
        for (text, value) in [
            ("5", Some(5)),
            (" \t+5 \n", Some(5)),
            ("-5", Some(-5)),
            ("-2147483648", Some(i32::MIN)),
            ("-2147483649", None),
            ("00000000000012", Some(12)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("", None),
            (" ", None),
            ("+", None),
            ("5s", None),
            ("0x5", None),
            ("+-5", None),
            ("- 5", None),
        ] {
            assert_eq!(int(text), value, "{text:?}");
        }
        assert_eq!(unsigned("-5"), Some(0));
        assert_eq!((port("0"), port("65535"), port("65536")), (None, Some(65535), None));
    }

    #[test]
    fn keys_are_32_bytes() {
        assert_eq!(key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), {
            let mut bytes = [0; 32];
            bytes.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
            Some(bytes)
        });
        assert_eq!(key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="), None);
        assert_eq!(key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh"), None);
        assert_eq!(key("AAEC"), None);
    }
}
