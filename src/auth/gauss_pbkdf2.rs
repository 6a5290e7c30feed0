//! PBKDF2 with HMAC-SHA-1, which openGauss's passwords use whatever the method's name says.
//!
//! Used by [`gauss`](super::gauss) alone; pure.

use sha1::{Digest, Sha1, Sha1Core};
use zeroize::{Zeroize, Zeroizing};

use super::Tick;
use crate::error::Fault;
use crate::limits;

/// PBKDF2 with HMAC-SHA-1, 32 bytes: all of the first block and 12 bytes of the second.
#[inline(never)]
pub(super) fn pbkdf2(
    password: &[u8],
    salt: &[u8; 32],
    iterations: u32,
    tick: Tick<'_>,
) -> Result<Zeroizing<[u8; 32]>, Fault> {
    let hmac = HmacSha1::new(password);
    let mut key = Zeroizing::new([0; 32]);
    let (blocks, _) = key.as_chunks_mut::<4>();
    let (first, second) = blocks.split_at_mut(5);
    for (index, part) in [(1_u32, first), (2, second)] {
        let mut words = hmac.block(salt, index, iterations, tick)?;
        for (bytes, word) in part.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        words.zeroize();
    }
    Ok(key)
}

/// A SHA-1 state.
type State = [u32; 5];
/// One block of SHA-1's input.
type Block = sha1::digest::core_api::Block<Sha1Core>;

/// SHA-1's initial state. Source: FIPS 180-4 section 5.3.1.
const SHA1_INIT: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// HMAC-SHA-1 with the key's two blocks hashed in advance, which halves the work and serves both
/// blocks of the output. Source: RFC 2104 section 4, RFC 8018 section 5.2.
struct HmacSha1 {
    inner: State,
    outer: State,
}

impl HmacSha1 {
    #[inline(never)]
    fn new(key: &[u8]) -> Self {
        let mut hashed;
        let key = if key.len() > 64 {
            hashed = Zeroizing::new([0; 20]);
            *hashed = Sha1::digest(key).into();
            hashed.as_slice()
        } else {
            key
        };
        let mut block = Block::default();
        for (byte, key) in block.iter_mut().zip(key) {
            *byte = *key;
        }
        let mut hmac = Self { inner: SHA1_INIT, outer: SHA1_INIT };
        block.iter_mut().for_each(|byte| *byte ^= 0x36);
        compress(&mut hmac.inner, &block);
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        compress(&mut hmac.outer, &block);
        block.as_mut_slice().zeroize();
        hmac
    }

    /// One block of PBKDF2's output.
    #[inline(never)]
    fn block(
        &self,
        salt: &[u8; 32],
        index: u32,
        rounds: u32,
        tick: Tick<'_>,
    ) -> Result<State, Fault> {
        // The first message is the salt and the block's number: 64 + 36 bytes with the key.
        let mut block = padded(36);
        for (byte, salt) in block.iter_mut().zip(salt.iter().chain(&index.to_be_bytes())) {
            *byte = *salt;
        }
        let mut inner = self.inner;
        compress(&mut inner, &block);
        // Every other message is a digest: 64 + 20 bytes with the key. The padding never changes.
        let mut block = padded(20);
        put(&mut block, &inner);
        let mut state = self.outer;
        compress(&mut state, &block);
        let mut sum = state;
        for round in 1..rounds {
            if round & limits::HASH_SLICE.wrapping_sub(1) == 0 {
                tick.turn()?;
            }
            put(&mut block, &state);
            inner = self.inner;
            compress(&mut inner, &block);
            put(&mut block, &inner);
            state = self.outer;
            compress(&mut state, &block);
            for (sum, word) in sum.iter_mut().zip(state) {
                *sum ^= word;
            }
        }
        state.zeroize();
        inner.zeroize();
        block.as_mut_slice().zeroize();
        Ok(sum)
    }
}

impl Drop for HmacSha1 {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// An empty last block whose message ends after `length` bytes of it, one block before included.
fn padded(length: u8) -> Block {
    let mut block = Block::default();
    if let Some(end) = block.get_mut(usize::from(length)) {
        *end = 0x80;
    }
    let bits = (u64::from(length) | 64) << 3;
    if let Some(tail) = block.last_chunk_mut::<8>() {
        *tail = bits.to_be_bytes();
    }
    block
}

/// Writes a digest to the start of a block.
fn put(block: &mut Block, state: &State) {
    let (words, _) = block.as_chunks_mut::<4>();
    for (bytes, word) in words.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
}

fn compress(state: &mut State, block: &Block) {
    sha1::compress(state, core::slice::from_ref(block));
}
