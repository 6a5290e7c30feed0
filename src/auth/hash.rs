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
    /// Bytes hashed so far: less than 4 GiB, of which the messages hashed here are far.
    length: u32,
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
        let mut hash = Self::resume(state, u32::try_from(length).ok()?);
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
        (chaining, self.length.into(), self.block.get(..self.filled()).unwrap_or(&[]))
    }

    /// Goes on from a chaining value reached after `length` bytes, a multiple of 64.
    const fn resume(state: [u32; 8], length: u32) -> Self {
        Self { state, block: [0; BLOCK], length }
    }

    /// The hash of the parts, concatenated.
    #[inline]
    pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = [0; 32];
        Self::digest_into(parts, &mut digest);
        digest
    }

    /// Out of line: a running hash is a hundred bytes of stack, which several in one function would
    /// take at once.
    #[inline(never)]
    fn digest_into(parts: &[&[u8]], digest: &mut [u8; 32]) {
        let mut hash = Self::resume(INITIAL, 0);
        hash.take(parts);
        put(&hash.state, digest);
    }

    /// Hashes parts, concatenated, and the padding at their end.
    #[inline(never)]
    fn take(&mut self, parts: &[&[u8]]) {
        for part in parts {
            self.update(part);
        }
        let bits = u64::from(self.length).wrapping_mul(8);
        self.update(&[0x80]);
        while self.filled() != 56 {
            self.update(&[0]);
        }
        self.update(&bits.to_be_bytes());
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

    #[cfg(any(test, feature = "tls"))]
    pub(crate) fn finish(&mut self, digest: &mut [u8; 32]) {
        self.take(&[]);
        put(&self.state, digest);
    }

    /// Half a round of PBKDF2: what was hashed is hashed after another chaining value. The block holds
    /// the padding already.
    #[inline(never)]
    fn replace(&mut self, chaining: &[u32; 8]) {
        put(&self.state, &mut self.block);
        self.state = *chaining;
        compress(&mut self.state, &self.block);
    }

    fn filled(&self) -> usize {
        usize::try_from(self.length & 63).unwrap_or(0)
    }
}

/// A key for HMAC-SHA-256: the two chaining values after the padded key (RFC 2104), and the hash that
/// works with them.
pub(crate) struct HmacKey {
    inner: [u32; 8],
    outer: [u32; 8],
    /// After a MAC its state is the MAC, and its block holds 32 bytes and the padding of a message of
    /// 96 bytes.
    hash: Sha256,
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        wipe_words(&mut self.inner);
        wipe_words(&mut self.outer);
    }
}

impl HmacKey {
    /// None yet. It gets its key where it is to stay: what is returned would be copied.
    pub(crate) const NONE: Self =
        Self { inner: [0; 8], outer: [0; 8], hash: Sha256::resume([0; 8], 0) };

    /// Its key.
    #[inline(never)]
    pub(crate) fn set(&mut self, key: &[u8]) {
        let Self { inner, outer, hash } = self;
        pad(key, &mut hash.block);
        for (state, change) in [(inner, 0x36), (outer, 0x36 ^ 0x5c)] {
            hash.block.iter_mut().for_each(|byte| *byte ^= change);
            *state = INITIAL;
            compress(state, &hash.block);
        }
    }

    /// Its chaining values after the padded key, of which something else knows them.
    pub(super) const fn set_states(&mut self, inner: [u32; 8], outer: [u32; 8]) {
        (self.inner, self.outer) = (inner, outer);
    }

    /// The MAC of the parts, concatenated.
    pub(crate) fn mac(&mut self, parts: &[&[u8]], mac: &mut [u8; 32]) {
        let hash = &mut self.hash;
        (hash.state, hash.length) = (self.inner, 64);
        hash.take(parts);
        // Of the hash the same, after the other chaining value.
        put(&hash.state, &mut hash.block);
        (hash.state, hash.length) = (self.outer, 96);
        hash.take(&[]);
        put(&hash.state, mac);
    }

    /// The MAC of the last MAC, in exactly two compressions: a round of PBKDF2.
    #[inline]
    pub(crate) fn round(&mut self) -> &[u32; 8] {
        self.hash.replace(&self.inner);
        self.hash.replace(&self.outer);
        &self.hash.state
    }

    /// The MAC of a value, after a MAC was made.
    pub(super) fn mac_of(&mut self, value: &[u32; 8]) -> &[u32; 8] {
        self.hash.state = *value;
        self.round()
    }

    /// What [`mac`](Self::mac) made last.
    pub(super) const fn last(&self) -> &[u32; 8] {
        &self.hash.state
    }
}

/// A key becomes the MAC of the parts under it. Out of line, for it takes 200 bytes of stack.
#[inline(never)]
pub(crate) fn mac_under(key: &mut [u8; 32], parts: &[&[u8]]) {
    let mut hmac = HmacKey::NONE;
    hmac.set(key);
    hmac.mac(parts, key);
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

/// HMAC-SHA-256 of one message under a key used once.
#[cfg(test)]
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let (mut hmac, mut mac) = (HmacKey::NONE, [0; 32]);
    hmac.set(key);
    hmac.mac(&[message], &mut mac);
    mac
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
        let mut key = HmacKey::NONE;
        key.set(b"key");
        let (mut first, mut second, mut value) = ([0; 32], [0; 32], [0; 32]);
        key.mac(&[b"salt"], &mut first);
        put(key.round(), &mut value);
        key.mac(&[&first], &mut second);
        assert_eq!(value, second);
        put(key.mac_of(&[0x0707_0707; 8]), &mut value);
        key.mac(&[&[7; 32]], &mut second);
        assert_eq!(value, second);
    }
}
