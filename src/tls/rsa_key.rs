//! Signatures with an RSA key (RFC 8017): PSS, 2048 to 4096 bits, no heap.
//!
//! The two halves of the Chinese remainder theorem, each with the arithmetic that checks signatures,
//! which takes the same steps whatever the numbers are: windows of two bits, every entry of the table
//! read for each. A random multiple of `prime - 1` is added to each exponent. A signature that does
//! not verify is not given away: from one with a fault in a half, the key could be computed.
//!
//! Crate rsa needs a heap, and crypto-bigint a copy of its code for each length and more stack than
//! boards have, without a place to feed a watchdog.

use p256::elliptic_curve::rand_core::RngCore;
use zeroize::Zeroizing;

use super::CertificateError;
use super::der::{self, Der};
use super::drbg::Drbg;
use super::modular::{Modulus, add, load, multiply_add, store, subtract, words_of};
use super::rsa::{Padding, PublicKey};
use super::signature::{DIGEST_MAX, Hash};
use super::work::Pulse;
use crate::limits::RSA_MAX_BYTES;

/// Words of a prime.
const HALF: usize = RSA_MAX_BYTES / 8;
/// Bytes of digest and salt.
const DIGEST: usize = 32;

/// A private key, borrowed from its file.
pub(super) struct PrivateKey<'a> {
    public: PublicKey<'a>,
    first: Prime<'a>,
    second: Prime<'a>,
    /// `second ^ -1 mod first`.
    coefficient: &'a [u8],
}

struct Prime<'a> {
    prime: &'a [u8],
    /// The private exponent modulo `prime - 1`.
    exponent: &'a [u8],
}

impl<'a> PrivateKey<'a> {
    /// Reads an RSAPrivateKey (RFC 8017 appendix A.1.2) of two primes of equal length, as every tool
    /// makes them.
    pub(super) fn parse(key: &'a [u8]) -> Result<Self, CertificateError> {
        let mut fields = Der::new(key).nested(der::SEQUENCE)?;
        // Version 1 has more than two primes.
        if !fields.unsigned()?.is_empty() {
            return Err(CertificateError::UnsupportedAlgorithm);
        }
        let public = PublicKey::new(fields.unsigned()?, fields.unsigned()?)?;
        fields.unsigned()?;
        let (p, q) = (fields.unsigned()?, fields.unsigned()?);
        let (dp, dq) = (fields.unsigned()?, fields.unsigned()?);
        let coefficient = fields.unsigned()?;
        fields.finish()?;
        let words = p.len().div_ceil(4);
        if q.len().div_ceil(4) != words
            || public.modulus().len().div_ceil(4).div_ceil(2) != words
            || words > HALF
        {
            return Err(CertificateError::UnsupportedAlgorithm);
        }
        let fits = |number: &[u8]| number.len() <= words.wrapping_mul(4);
        let odd = |number: &[u8]| number.last().is_some_and(|&b| b & 1 == 1);
        if !([dp, dq, coefficient].into_iter().all(fits) && odd(p) && odd(q)) {
            return Err(CertificateError::BadKey);
        }
        Ok(Self {
            public,
            first: Prime { prime: p, exponent: dp },
            second: Prime { prime: q, exponent: dq },
            coefficient,
        })
    }

    /// Whether it is the key of a certificate, whose RSAPublicKey this is.
    #[cfg(feature = "std")]
    pub(super) fn belongs_to(&self, key: &[u8]) -> bool {
        PublicKey::parse(key).is_ok_and(|key| key == self.public)
    }

    /// Signs a SHA-256 digest by PSS, with MGF1 over the same hash and as long a salt. The signature
    /// is as long as the modulus. `None`: the key's numbers do not belong together, the
    /// arithmetic failed, or `pulse` did.
    #[inline(never)]
    pub(super) fn sign<'o>(
        &self,
        digest: &[u8; DIGEST],
        random: &mut Drbg,
        out: &'o mut [u8; RSA_MAX_BYTES],
        pulse: Pulse<'_>,
    ) -> Option<&'o [u8]> {
        let out = out.get_mut(..self.public.modulus().len())?;
        let mut salt = [0; DIGEST];
        random.fill_bytes(&mut salt);
        self.encode(digest, &salt, out)?;
        self.raise(out, random, pulse)?;
        let padding = Padding::Pss { salt: DIGEST };
        self.public.verify(padding, Hash::Sha256, digest, out, pulse).ok()?;
        Some(out)
    }

    /// EMSA-PSS (RFC 8017 section 9.1.1), as long as the modulus.
    #[inline(never)]
    fn encode(&self, digest: &[u8], salt: &[u8], out: &mut [u8]) -> Option<()> {
        let (encoded, mask) = match self.public.mask() {
            0 => {
                let (first, rest) = out.split_first_mut()?;
                *first = 0;
                (rest, 0xff)
            }
            mask => (out, mask),
        };
        let mut buffer = [0; DIGEST_MAX];
        let (last, rest) = encoded.split_last_mut()?;
        *last = 0xbc;
        let (data, h) = rest.split_last_chunk_mut::<DIGEST>()?;
        h.copy_from_slice(Hash::Sha256.digest(&[&[0; 8], digest, salt], &mut buffer)?);
        let (head, place) = data.split_at_mut_checked(data.len().checked_sub(salt.len())?)?;
        place.copy_from_slice(salt);
        let (one, zeros) = head.split_last_mut()?;
        zeros.fill(0);
        *one = 1;
        for (counter, chunk) in (0u32..).zip(data.chunks_mut(DIGEST)) {
            let bits = Hash::Sha256.digest(&[&*h, &counter.to_be_bytes()], &mut buffer)?;
            chunk.iter_mut().zip(bits).for_each(|(byte, bit)| *byte ^= bit);
        }
        let first = data.first_mut()?;
        *first &= mask;
        Some(())
    }

    /// `message ^ private exponent`, in place.
    #[inline(never)]
    pub(super) fn raise(
        &self,
        message: &mut [u8],
        random: &mut Drbg,
        pulse: Pulse<'_>,
    ) -> Option<()> {
        let words = self.first.prime.len().div_ceil(4);
        let mut memory = Zeroizing::new([[0; HALF]; 2]);
        let [one, other] = &mut *memory;
        let (one, other) = (one.get_mut(..words)?, other.get_mut(..words)?);
        self.second.raise(message, other, random, pulse)?;
        self.first.raise(message, one, random, pulse)?;
        self.combine(one, other, message)
    }

    /// From both halves to the whole (Garner's formula): `other + q · ((one - other) / q mod p)`.
    #[inline(never)]
    fn combine(&self, one: &mut [u32], other: &[u32], out: &mut [u8]) -> Option<()> {
        let words = one.len();
        let mut memory = Zeroizing::new([[0; HALF]; 3]);
        let [p, square, scratch] = &mut *memory;
        let (p, square) = (p.get_mut(..words)?, square.get_mut(..words)?);
        let scratch = scratch.get_mut(..words)?;
        load(self.first.prime, p);
        let modulus = Modulus::new(p)?;
        modulus.radix_squared(square, scratch)?;
        // Both in Montgomery form: the difference times the coefficient leaves it.
        modulus.multiply(one, square, scratch)?;
        one.copy_from_slice(scratch);
        modulus.multiply(other, square, scratch)?;
        let under = subtract(one, scratch);
        add(one, p, core::hint::black_box(under.wrapping_neg()));
        load(self.coefficient, square);
        modulus.multiply(square, one, scratch)?;
        let mut whole = Zeroizing::new([0; HALF * 2]);
        let whole = whole.get_mut(..words.checked_mul(2)?)?;
        whole.get_mut(..words)?.copy_from_slice(other);
        for (at, digit) in words_of(self.second.prime).enumerate() {
            let mut carry = 0;
            let place = whole.get_mut(at..)?;
            for (to, &from) in place.iter_mut().zip(scratch.iter()) {
                (*to, carry) = multiply_add(*to, from, digit, carry);
            }
            for to in place.iter_mut().skip(words) {
                let over;
                (*to, over) = to.overflowing_add(carry);
                carry = u32::from(over);
            }
        }
        store(whole, out);
        Some(())
    }
}

impl Prime<'_> {
    /// `out = message ^ exponent mod prime`.
    #[inline(never)]
    fn raise(
        &self,
        message: &[u8],
        out: &mut [u32],
        random: &mut Drbg,
        pulse: Pulse<'_>,
    ) -> Option<()> {
        let words = out.len();
        let mut memory = Zeroizing::new([[0u32; HALF]; 7]);
        let [n, scratch, powers @ ..] = &mut *memory;
        let (n, scratch) = (n.get_mut(..words)?, scratch.get_mut(..words)?);
        load(self.prime, n);
        let modulus = Modulus::new(n)?;
        let mut exponent = Zeroizing::new([0; HALF + 1]);
        let exponent = exponent.get_mut(..words.checked_add(1)?)?;
        self.blind(exponent, random.next_u32())?;

        // The powers 0 to 3 of the message, in Montgomery form.
        let [zeroth, first, second, third, entry] = powers;
        let (zeroth, first) = (zeroth.get_mut(..words)?, first.get_mut(..words)?);
        let (second, third) = (second.get_mut(..words)?, third.get_mut(..words)?);
        let entry = entry.get_mut(..words)?;
        // The message is two numbers of the prime's length: high · R + low.
        modulus.radix_squared(second, scratch)?;
        modulus.multiply(second, second, third)?;
        let split = message.len().checked_sub(words.checked_mul(4)?)?;
        let (high, low) = message.split_at_checked(split)?;
        load(high, entry);
        modulus.multiply(entry, third, first)?;
        load(low, entry);
        modulus.multiply(entry, second, scratch)?;
        modulus.add(first, scratch);
        entry.fill(0);
        *entry.first_mut()? = 1;
        modulus.multiply(entry, second, zeroth)?;
        modulus.multiply(first, first, second)?;
        modulus.multiply(first, second, third)?;

        out.copy_from_slice(zeroth);
        for &word in exponent.iter().rev() {
            // A word is 48 multiplications: with a key of 4096 bits 4 million instructions.
            pulse().ok()?;
            for shift in (0..32).step_by(2).rev() {
                modulus.multiply(out, out, scratch)?;
                modulus.multiply(scratch, scratch, out)?;
                select(word.wrapping_shr(shift) & 3, [zeroth, first, second, third], entry);
                modulus.multiply(out, entry, scratch)?;
                out.copy_from_slice(scratch);
            }
        }
        entry.fill(0);
        *entry.first_mut()? = 1;
        modulus.multiply(out, entry, scratch)?;
        out.copy_from_slice(scratch);
        Some(())
    }

    /// `exponent + factor · (prime - 1)`, with a word more than the prime has.
    fn blind(&self, out: &mut [u32], factor: u32) -> Option<()> {
        load(self.exponent, out);
        let mut carry = 0;
        let mut places = out.iter_mut();
        for (index, word) in words_of(self.prime).enumerate() {
            // The prime is odd.
            let word = if index == 0 { word ^ 1 } else { word };
            let place = places.next()?;
            (*place, carry) = multiply_add(*place, word, factor, carry);
        }
        *places.next()? = carry;
        Some(())
    }
}

/// Copies one of four numbers, and reads all of them.
fn select(index: u32, powers: [&[u32]; 4], out: &mut [u32]) {
    out.fill(0);
    for (number, power) in (0u32..).zip(powers) {
        let other = number ^ index;
        let same = other.wrapping_sub(1).wrapping_shr(31);
        let mask = core::hint::black_box(same.wrapping_neg());
        for (to, from) in out.iter_mut().zip(power) {
            *to |= from & mask;
        }
    }
}
