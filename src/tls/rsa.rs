//! RSA signature checks: PKCS#1 v1.5 and PSS (RFC 8017), 2048 to 4096 bits, no heap.
//!
//! Works on public data only, so nothing here is constant time. Numbers are little-endian
//! 32-bit words; multiplication is Montgomery's (coarsely integrated operand scanning).

use super::CertificateError;
use super::der::{self, Der};
use super::signature::Hash;
use crate::limits::{RSA_MAX_BYTES, RSA_MIN_BYTES};

const WORDS: usize = RSA_MAX_BYTES / 4;

/// A public key, borrowed from a certificate.
pub(super) struct PublicKey<'a> {
    /// Big-endian, without leading zeros.
    modulus: &'a [u8],
    exponent: u32,
}

/// How the digest is padded.
#[derive(Clone, Copy)]
pub(super) enum Padding {
    /// EMSA-PKCS1-v1_5.
    Pkcs1,
    /// EMSA-PSS with MGF1 over the same hash and this many salt bytes.
    Pss { salt: usize },
}

impl<'a> PublicKey<'a> {
    /// Reads an RSAPublicKey. Refused: below 2048 bits, which is no longer secure, above 4096,
    /// whose arithmetic has no room, even numbers, exponents below 3 or above 32 bits.
    pub(super) fn parse(key: &'a [u8]) -> Result<Self, CertificateError> {
        let mut outer = Der::new(key);
        let mut fields = outer.nested(der::SEQUENCE)?;
        outer.finish()?;
        let (modulus, exponent) = (fields.unsigned()?, fields.unsigned()?);
        fields.finish()?;
        if exponent.len() > 4 {
            return Err(CertificateError::UnsupportedAlgorithm);
        }
        let exponent = exponent.iter().fold(0, |e: u32, &b| e.wrapping_shl(8) | u32::from(b));
        if !(RSA_MIN_BYTES..=RSA_MAX_BYTES).contains(&modulus.len()) {
            return Err(CertificateError::UnsupportedAlgorithm);
        }
        let odd = modulus.last().is_some_and(|&b| b & 1 == 1) && exponent & 1 == 1;
        if !odd || exponent < 3 {
            return Err(CertificateError::BadKey);
        }
        Ok(Self { modulus, exponent })
    }

    /// Checks `signature` over a message whose `hash` is `digest`.
    pub(super) fn verify(
        &self,
        padding: Padding,
        hash: Hash,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), CertificateError> {
        let mut buffer = [0; RSA_MAX_BYTES];
        let encoded = buffer.get_mut(..self.modulus.len()).unwrap_or(&mut []);
        if signature.len() != self.modulus.len() {
            return Err(CertificateError::BadSignature);
        }
        self.public_operation(signature, encoded).ok_or(CertificateError::BadSignature)?;
        let good = match padding {
            Padding::Pkcs1 => is_pkcs1(encoded, hash, digest),
            Padding::Pss { salt } => {
                // The encoded message has one bit less than the modulus.
                let top = self.modulus.first().copied().unwrap_or(0);
                let mask = 0x7fu8.checked_shr(top.leading_zeros()).unwrap_or(0);
                is_pss(encoded, mask, hash, digest, salt)
            }
        };
        if good { Ok(()) } else { Err(CertificateError::BadSignature) }
    }

    /// `out = signature ^ exponent mod modulus`. `None` when the signature is not below it.
    #[inline(never)]
    fn public_operation(&self, signature: &[u8], out: &mut [u8]) -> Option<()> {
        let words = self.modulus.len().div_ceil(4);
        let (mut n, mut base) = ([0u32; WORDS], [0u32; WORDS]);
        let (mut power, mut scratch) = ([0u32; WORDS], [0u32; WORDS]);
        let n = n.get_mut(..words)?;
        let base = base.get_mut(..words)?;
        let power = power.get_mut(..words)?;
        let scratch = scratch.get_mut(..words)?;
        load(self.modulus, n);
        load(signature, base);
        if !less(base, n) {
            return None;
        }
        let inverse = negative_inverse(*n.first()?);

        radix_squared(self.modulus, n, inverse, power, scratch)?;
        multiply(base, power, n, inverse, scratch)?;
        base.copy_from_slice(scratch); // the signature in Montgomery form
        power.copy_from_slice(scratch);
        let below_top = 31u32.checked_sub(self.exponent.leading_zeros())?;
        for bit in (0..below_top).rev() {
            multiply(power, power, n, inverse, scratch)?;
            power.copy_from_slice(scratch);
            if self.exponent.checked_shr(bit)? & 1 == 1 {
                multiply(power, base, n, inverse, scratch)?;
                power.copy_from_slice(scratch);
            }
        }
        base.fill(0);
        *base.first_mut()? = 1;
        multiply(power, base, n, inverse, scratch)?;
        store(scratch, out);
        Some(())
    }
}

/// Big-endian bytes to words.
fn load(bytes: &[u8], words: &mut [u32]) {
    words.fill(0);
    for (chunk, word) in bytes.rchunks(4).zip(words) {
        *word = chunk.iter().fold(0, |w, &b| w.wrapping_shl(8) | u32::from(b));
    }
}

/// Words to big-endian bytes.
fn store(words: &[u32], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.rchunks_mut(4)) {
        for (from, to) in word.to_le_bytes().iter().zip(chunk.iter_mut().rev()) {
            *to = *from;
        }
    }
}

fn less(a: &[u32], b: &[u32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// `a -= b`, modulo the words' range.
fn subtract(a: &mut [u32], b: &[u32]) {
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (difference, under) = a.overflowing_sub(*b);
        let (difference, under_too) = difference.overflowing_sub(u32::from(borrow));
        *a = difference;
        borrow = under || under_too;
    }
}

/// `a = 2a mod n`.
fn double(a: &mut [u32], n: &[u32]) {
    let mut carry = 0;
    for word in a.iter_mut() {
        let next = word.wrapping_shr(31);
        *word = word.wrapping_shl(1) | carry;
        carry = next;
    }
    if carry != 0 || !less(a, n) {
        subtract(a, n);
    }
}

/// `-1 / n mod 2^32` for odd `n`, by Newton's iteration.
fn negative_inverse(n: u32) -> u32 {
    let inverse = (0..5).fold(1u32, |x, _| x.wrapping_mul(2u32.wrapping_sub(n.wrapping_mul(x))));
    inverse.wrapping_neg()
}

/// `power = R² mod n` with `R = 2^(32 · words)`, by squaring and doubling `2R` up to `2^(32 ·
/// words) R`: a dozen multiplications instead of thousands of doublings.
fn radix_squared(
    modulus: &[u8],
    n: &[u32],
    inverse: u32,
    power: &mut [u32],
    scratch: &mut [u32],
) -> Option<()> {
    let radix_bits = u32::try_from(n.len()).ok()?.checked_mul(32)?;
    let padding_bytes = n.len().checked_mul(4)?.checked_sub(modulus.len())?;
    let padding_bits = u32::try_from(padding_bytes)
        .ok()?
        .checked_mul(8)?
        .checked_add(modulus.first()?.leading_zeros())?;
    // The highest power of two below n, doubled up to R and once more to 2R.
    let top = 31u32.checked_sub(padding_bits)?;
    power.fill(0);
    *power.last_mut()? = 1u32.checked_shl(top)?;
    for _ in 0..padding_bits.checked_add(2)? {
        double(power, n);
    }
    // Now power = 2^1 · R; the exponent of two grows to radix_bits, bit by bit.
    let below_top = 31u32.checked_sub(radix_bits.leading_zeros())?;
    for bit in (0..below_top).rev() {
        multiply(power, power, n, inverse, scratch)?;
        power.copy_from_slice(scratch);
        if radix_bits.checked_shr(bit)? & 1 == 1 {
            double(power, n);
        }
    }
    Some(())
}

/// `out = a · b / R mod n`.
#[inline(never)]
fn multiply(a: &[u32], b: &[u32], n: &[u32], inverse: u32, out: &mut [u32]) -> Option<()> {
    // The running sum is `out` plus `high` above it.
    out.fill(0);
    let mut high = 0u32;
    for &digit in b {
        let mut carry = 0u32;
        for (sum, &a) in out.iter_mut().zip(a) {
            (*sum, carry) = multiply_add(*sum, a, digit, carry);
        }
        let (top, mut over) = high.overflowing_add(carry);
        // One word of the sum becomes zero and is shifted out.
        let factor = out.first()?.wrapping_mul(inverse);
        let (_, mut carry) = multiply_add(*out.first()?, *n.first()?, factor, 0);
        let mut previous: Option<&mut u32> = None;
        for (sum, &n) in out.iter_mut().zip(n) {
            if let Some(previous) = previous {
                (*previous, carry) = multiply_add(*sum, n, factor, carry);
            }
            previous = Some(sum);
        }
        let (low, over_too) = top.overflowing_add(carry);
        *previous? = low;
        over |= over_too;
        high = u32::from(over);
    }
    if high != 0 || !less(out, n) {
        subtract(out, n);
    }
    Some(())
}

/// `sum + a · b + carry` as low and high word; it cannot exceed two words.
#[inline(always)]
fn multiply_add(sum: u32, a: u32, b: u32, carry: u32) -> (u32, u32) {
    let wide = u64::from(a)
        .wrapping_mul(u64::from(b))
        .wrapping_add(u64::from(sum))
        .wrapping_add(u64::from(carry));
    let [l0, l1, l2, l3, h0, h1, h2, h3] = wide.to_le_bytes();
    (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([h0, h1, h2, h3]))
}

/// Builds nothing: the one valid encoding is compared piece by piece.
fn is_pkcs1(encoded: &[u8], hash: Hash, digest: &[u8]) -> bool {
    let Ok(length) = u8::try_from(digest.len()) else { return false };
    let info = [
        0x00,
        0x30,
        length.wrapping_add(17),
        0x30,
        13,
        0x06,
        9,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        hash.oid_byte(),
        0x05,
        0x00,
        0x04,
        length,
    ];
    encoded
        .strip_prefix(&[0x00, 0x01])
        .and_then(|rest| rest.strip_suffix(digest))
        .and_then(|rest| rest.strip_suffix(&info))
        .is_some_and(|fill| fill.len() >= 8 && fill.iter().all(|&b| b == 0xff))
}

/// RFC 8017 section 9.1.2. `encoded` is unmasked in place.
fn is_pss(encoded: &mut [u8], mask: u8, hash: Hash, digest: &[u8], salt_length: usize) -> bool {
    // Where the encoded message is a whole byte shorter than the modulus, that byte is zero.
    let (encoded, mask) = match (mask, encoded) {
        (0, [0, rest @ ..]) => (rest, 0xff),
        (0, _) => return false,
        (mask, all) => (all, mask),
    };
    let Some((0xbc, rest)) = encoded.split_last_mut().map(|(&mut last, rest)| (last, rest)) else {
        return false;
    };
    let Some(split) = rest.len().checked_sub(digest.len()) else { return false };
    let Some((masked, h)) = rest.split_at_mut_checked(split) else { return false };
    if masked.first().is_none_or(|&b| b & !mask != 0) {
        return false;
    }
    let mut buffer = [0; 64];
    let mut counter = 0u32;
    for chunk in masked.chunks_mut(digest.len()) {
        let Some(bits) = hash.digest(&[h, &counter.to_be_bytes()], &mut buffer) else {
            return false;
        };
        chunk.iter_mut().zip(bits).for_each(|(byte, bit)| *byte ^= bit);
        counter = counter.wrapping_add(1);
    }
    if let Some(first) = masked.first_mut() {
        *first &= mask;
    }
    let Some(split) = masked.len().checked_sub(salt_length) else { return false };
    let Some((head, salt)) = masked.split_at_checked(split) else { return false };
    let Some((0x01, zeros)) = head.split_last().map(|(&last, rest)| (last, rest)) else {
        return false;
    };
    zeros.iter().all(|&b| b == 0)
        && hash.digest(&[&[0; 8], digest, salt], &mut buffer).is_some_and(|d| d == h)
}
