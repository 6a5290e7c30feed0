//! NUL bytes, which end strings on the wire and so may not be in them. They are looked for a word at
//! a time (core's search by words would be 230 bytes of flash).

#[cfg(not(target_os = "none"))]
type Word = u64;
#[cfg(target_os = "none")]
type Word = u32;

/// 1 in each byte.
const ONES: Word = Word::MAX / 0xff;

/// Whether there is such a byte in a short text: in a loop, for the same reason.
#[inline(never)]
#[allow(clippy::manual_contains, reason = "that is core's search by words")]
pub(crate) fn has_byte(bytes: &[u8], wanted: u8) -> bool {
    bytes.iter().any(|&byte| byte == wanted)
}

/// Whether there is a NUL among the bytes.
#[cfg(target_os = "none")]
#[inline(never)]
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks();
    words.iter().any(|word| zeros(word) != 0) || rest.iter().any(|&byte| byte == 0)
}

/// What [`copy`] refuses: nothing.
#[cfg(target_os = "none")]
pub(super) const NOTHING: u32 = 0;
/// What [`copy`] refuses: NUL.
#[cfg(target_os = "none")]
pub(super) const NUL: u32 = ONES << 7;

/// Copies a word at a time, `false` at a byte that is `refused`. The compiler's routine takes 130
/// instructions for 20 bytes; because this loop can end early it is not made a call of that.
#[cfg(target_os = "none")]
#[inline(always)]
pub(super) fn copy(to: &mut [u8], from: &[u8], refused: u32) -> bool {
    let (places, last) = to.as_chunks_mut();
    let (words, rest) = from.as_chunks();
    for (place, word) in places.iter_mut().zip(words) {
        let bits = Word::from_le_bytes(*word);
        if bits.wrapping_sub(ONES) & !bits & refused != 0 {
            return false;
        }
        *place = *word;
    }
    for (place, &byte) in last.iter_mut().zip(rest) {
        if byte == 0 && refused != NOTHING {
            return false;
        }
        *place = byte;
    }
    true
}

/// The place of the first NUL.
#[cfg(target_os = "none")]
#[inline(never)]
pub(crate) fn first_nul(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|&byte| byte == 0)
}

/// Whether there is a NUL among the bytes.
#[cfg(not(target_os = "none"))]
#[inline(always)]
#[allow(clippy::manual_contains, reason = "of so few bytes a loop is shorter")]
pub(crate) fn has_nul(bytes: &[u8]) -> bool {
    // The last word overlaps; of less than 8 bytes a loop.
    let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) else {
        return bytes.iter().any(|&byte| byte == 0);
    };
    // Of the usual lengths: words that overlap, and one branch.
    if bytes.len() <= 16 {
        return zeros(first) | zeros(last) != 0;
    }
    if let (Some(first), Some(last), true) =
        (bytes.first_chunk(), bytes.last_chunk(), bytes.len() <= 32)
    {
        return zeros_of_two(first) | zeros_of_two(last) != 0;
    }
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk() {
        if zeros(word) != 0 {
            return true;
        }
        rest = tail;
    }
    zeros(last) != 0
}

/// The place of the first NUL.
#[cfg(not(target_os = "none"))]
#[inline]
pub(crate) fn first_nul(bytes: &[u8]) -> Option<usize> {
    let (mut rest, mut at) = (bytes, 0_usize);
    while let Some((word, tail)) = rest.split_first_chunk() {
        let zeros = zeros(word);
        if zeros != 0 {
            let byte = usize::try_from(zeros.trailing_zeros() / 8).unwrap_or(0);
            return Some(at.wrapping_add(byte));
        }
        (rest, at) = (tail, at.wrapping_add(8));
    }
    rest.iter().position(|&byte| byte == 0).map(|byte| at.wrapping_add(byte))
}

/// Not 0 where one of the bytes is; the lowest bit that is set is the first's. (Taking one from each
/// byte borrows there.)
#[inline]
const fn zeros(word: &[u8; size_of::<Word>()]) -> Word {
    let word = Word::from_le_bytes(*word);
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// The same of two words.
#[cfg(not(target_os = "none"))]
#[inline(always)]
fn zeros_of_two(words: &[u8; 2 * size_of::<Word>()]) -> Word {
    let (words, _) = words.as_chunks();
    words.iter().fold(0, |found, word| found | zeros(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_wherever_it_is() {
        for length in 0..40 {
            let mut bytes = std::vec![0xff_u8; length];
            assert!(!has_nul(&bytes) && first_nul(&bytes).is_none());
            bytes.fill(1);
            assert!(!has_nul(&bytes) && first_nul(&bytes).is_none());
            for at in 0..length {
                bytes[at] = 0;
                // After it another one, and what a borrow would change.
                for after in at + 1..length {
                    for other in [0, 1, 0x80] {
                        bytes[after] = other;
                        assert!(has_nul(&bytes));
                        assert_eq!(first_nul(&bytes), Some(at));
                    }
                    bytes[after] = 1;
                }
                assert!(has_nul(&bytes));
                assert_eq!(first_nul(&bytes), Some(at));
                bytes[at] = 1;
            }
        }
    }
}
