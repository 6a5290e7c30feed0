//! SHA-256 and HMAC-SHA-256 with precomputed key states.
//!
//! RustCrypto's compression function does the hashing; this file keeps the chaining values, so
//! that a keyed HMAC costs two compressions per short message instead of four, and nothing is
//! copied that can be hashed where it is.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use zeroize::Zeroize;

/// Initial hash value (FIPS 180-4, section 5.3.3).
pub(super) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

pub(super) const BLOCK: usize = 64;

/// A running SHA-256.
#[derive(Clone)]
pub(crate) struct Sha256 {
    state: [u32; 8],
    block: [u8; BLOCK],
    /// Bytes hashed so far.
    length: u64,
}

impl Drop for Sha256 {
    fn drop(&mut self) {
        wipe(&mut self.block);
        wipe_words(&mut self.state);
    }
}

impl Sha256 {
    #[cfg(any(test, feature = "tls"))]
    pub(crate) const fn new() -> Self {
        Self::resume(INITIAL, 0)
    }

    /// Goes on from where another was: its chaining value, the bytes hashed, and the last of them,
    /// 63 at most, that did not fill a block.
    #[cfg(feature = "tls-client-rsa")]
    pub(crate) fn at(chaining: &[u8; 32], length: u64, rest: &[u8]) -> Option<Self> {
        let mut state = [0; 8];
        for (word, bytes) in state.iter_mut().zip(chaining.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let mut hash = Self::resume(state, length);
        if rest.len() != hash.filled() {
            return None;
        }
        hash.block.get_mut(..rest.len())?.copy_from_slice(rest);
        Some(hash)
    }

    /// What [`at`](Self::at) takes.
    #[cfg(feature = "tls-client-rsa")]
    pub(crate) fn parts(&self) -> ([u8; 32], u64, &[u8]) {
        let mut chaining = [0; 32];
        put(&self.state, &mut chaining);
        (chaining, self.length, self.block.get(..self.filled()).unwrap_or(&[]))
    }

    /// Goes on from a chaining value reached after `length` bytes, a multiple of 64.
    const fn resume(state: [u32; 8], length: u64) -> Self {
        Self { state, block: [0; BLOCK], length }
    }

    /// The hash of the parts, concatenated.
    pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = [0; 32];
        Self::continued((&INITIAL, 0), parts, None, &mut digest);
        digest
    }

    /// As [`digest`](Self::digest), after what led to a chaining value; with another one the hash of the
    /// hash after that. Out of line, and one running hash for both: it is a hundred bytes of stack.
    #[inline(never)]
    fn continued(
        (state, length): (&[u32; 8], u32),
        parts: &[&[u8]],
        mut outer: Option<&[u32; 8]>,
        digest: &mut [u8; 32],
    ) {
        let mut hash = Self::resume(*state, length.into());
        for part in parts {
            hash.update(part);
        }
        loop {
            hash.finish(digest);
            let Some(state) = outer.take() else { return };
            (hash.state, hash.length) = (*state, 64);
            hash.update(digest);
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let filled = self.filled();
            if let Some(room) = self.block.get_mut(filled) {
                *room = byte;
            }
            self.length = self.length.wrapping_add(1);
            if self.filled() == 0 {
                compress(&mut self.state, &self.block);
            }
        }
    }

    pub(crate) fn finish(&mut self, digest: &mut [u8; 32]) {
        let bits = self.length.wrapping_mul(8);
        self.update(&[0x80]);
        while self.filled() != 56 {
            self.update(&[0]);
        }
        self.update(&bits.to_be_bytes());
        put(&self.state, digest);
    }

    fn filled(&self) -> usize {
        usize::try_from(self.length & 63).unwrap_or(0)
    }
}

/// A key for HMAC-SHA-256: the two chaining values after the padded key (RFC 2104).
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        wipe_words(&mut self.inner);
        wipe_words(&mut self.outer);
    }
}

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        pad(key, &mut block);
        let mut this = Self { inner: INITIAL, outer: INITIAL };
        block.iter_mut().for_each(|b| *b ^= 0x36);
        compress(&mut this.inner, &block);
        block.iter_mut().for_each(|b| *b ^= 0x36 ^ 0x5c);
        compress(&mut this.outer, &block);
        wipe(&mut block);
        this
    }

    /// From the chaining values after the padded key.
    pub(super) const fn of_states(inner: [u32; 8], outer: [u32; 8]) -> Self {
        Self { inner, outer }
    }

    /// The MAC of the parts, concatenated.
    #[cfg(any(test, feature = "opengauss", feature = "tls"))]
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = [0; 32];
        self.mac_into(parts, &mut mac);
        mac
    }

    /// The same, where it is to be.
    #[inline]
    pub(crate) fn mac_into(&self, parts: &[&[u8]], mac: &mut [u8; 32]) {
        Sha256::continued((&self.inner, 64), parts, Some(&self.outer), mac);
    }

    /// Replaces the round's 32 bytes with their MAC, in exactly two compressions.
    pub(crate) fn round(&self, round: &mut Round) {
        round.replace(&self.inner);
        round.replace(&self.outer);
    }
}

/// A key in a block of zeros, or its hash where it is longer.
#[inline]
pub(super) fn pad(key: &[u8], block: &mut [u8; BLOCK]) {
    if let Some(room) = block.get_mut(..key.len()) {
        room.copy_from_slice(key);
    } else if let Some(room) = block.first_chunk_mut() {
        *room = Sha256::digest(&[key]);
    }
}

/// What each round of PBKDF2 hashes: a block that holds 32 bytes and the padding of a 96-byte
/// message.
pub(crate) struct Round {
    block: [u8; BLOCK],
    /// The 32 bytes as words, once they were replaced.
    words: [u32; 8],
}

impl Drop for Round {
    fn drop(&mut self) {
        wipe(&mut self.block);
        wipe_words(&mut self.words);
    }
}

impl Round {
    pub(crate) fn new(value: &[u8; 32]) -> Self {
        let mut block = [0; BLOCK];
        if let Some((head, padding)) = block.split_first_chunk_mut::<32>() {
            *head = *value;
            // 0x80, zeros, and the length: 96 bytes are 0x300 bits.
            if let [first, .., high, _] = padding {
                *first = 0x80;
                *high = 3;
            }
        }
        Self { block, words: [0; 8] }
    }

    /// Half a MAC: the value becomes the hash of itself after the padded key.
    #[inline(never)]
    fn replace(&mut self, key: &[u32; 8]) {
        self.words = *key;
        compress(&mut self.words, &self.block);
        put(&self.words, &mut self.block);
    }

    pub(crate) const fn words(&self) -> &[u32; 8] {
        &self.words
    }

    /// Words as bytes, written where the last value was.
    pub(crate) fn bytes(&mut self, words: &[u32; 8]) -> &[u8] {
        put(words, &mut self.block);
        &self.block
    }
}

/// HMAC-SHA-256 of one message under a key used once.
#[cfg(test)]
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    HmacKey::new(key).mac(&[message])
}

pub(super) fn compress(state: &mut [u32; 8], block: &[u8; BLOCK]) {
    compress256(state, core::slice::from_ref(GenericArray::from_slice(block)));
}

/// Overwrites a secret. Out of line, for it is done at many places.
#[inline(never)]
pub(crate) fn wipe(secret: &mut [u8]) {
    secret.zeroize();
}

#[inline(never)]
pub(crate) fn wipe_words(secret: &mut [u32; 8]) {
    secret.zeroize();
}

/// Writes words, big-endian.
#[inline(never)]
pub(crate) fn put(words: &[u32; 8], bytes: &mut [u8]) {
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest;
    use std::vec;

    #[test]
    fn sha256_agrees_with_the_crate_at_every_length() {
        for length in 0..200 {
            let data = vec![0xa5; length];
            let mut hash = Sha256::new();
            hash.update(&data[..length / 3]);
            hash.update(&data[length / 3..]);
            let mut digest = [0; 32];
            hash.finish(&mut digest);
            assert_eq!(digest[..], sha2::Sha256::digest(&data)[..], "{length}");
        }
    }

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        // Test cases 2 and 6 (a key longer than the block).
        let hex = |s: &str| -> vec::Vec<u8> {
            (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
        };
        assert_eq!(
            hmac_sha256(b"Jefe", b"what do ya want for nothing?")[..],
            hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        );
        assert_eq!(
            hmac_sha256(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")[..],
            hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        );
    }

    #[test]
    fn a_round_is_a_mac_of_its_value() {
        let key = HmacKey::new(b"key");
        let mut round = Round::new(&[7; 32]);
        key.round(&mut round);
        let mut value = [0; 32];
        put(round.words(), &mut value);
        assert_eq!(value, key.mac(&[&[7; 32]]));
    }
}
