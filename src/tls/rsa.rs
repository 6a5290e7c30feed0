//! RSA signature checks: PKCS#1 v1.5 and PSS (RFC 8017), 2048 to 4096 bits, no heap.
//!
//! Works on public data only. With a private key: `rsa_key`.

use super::CertificateError;
use super::der::{self, Der};
use super::modular::{Modulus, load, store, words_of};
use super::signature::{DIGEST_MAX, Hash};
use super::work::Pulse;
use crate::limits::{RSA_MAX_BYTES, RSA_MIN_BYTES};

const WORDS: usize = RSA_MAX_BYTES / 4;

/// A public key, borrowed from a certificate.
#[derive(PartialEq)]
pub(super) struct PublicKey<'a> {
    /// Big-endian, without leading zeros.
    modulus: &'a [u8],
    exponent: u32,
}

const BAD: Result<(), CertificateError> = Err(CertificateError::BadSignature);

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
        Self::new(modulus, exponent)
    }

    /// From its numbers, big-endian and without leading zeros.
    pub(super) fn new(modulus: &'a [u8], exponent: &[u8]) -> Result<Self, CertificateError> {
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

    #[cfg(feature = "tls-client-rsa")]
    pub(super) const fn modulus(&self) -> &'a [u8] {
        self.modulus
    }

    /// The bits that the first byte of an encoded message may have: it has one bit less than the
    /// modulus. 0 where it is a whole byte shorter.
    pub(super) fn mask(&self) -> u8 {
        let top = self.modulus.first().copied().unwrap_or(0);
        0x7fu8.checked_shr(top.leading_zeros()).unwrap_or(0)
    }

    /// Checks `signature` over a message whose `hash` is `digest`.
    // Out of line, as its two halves are: none of the three adds to the stack of another.
    #[inline(never)]
    pub(super) fn verify(
        &self,
        padding: Padding,
        hash: Hash,
        digest: &[u8],
        signature: &[u8],
        pulse: Pulse<'_>,
    ) -> Result<(), CertificateError> {
        let mut power = [0; WORDS];
        let words = self.modulus.len().div_ceil(4);
        let power = power.get_mut(..words).ok_or(CertificateError::BadSignature)?;
        if signature.len() != self.modulus.len() {
            return Err(CertificateError::BadSignature);
        }
        self.public_operation(signature, power, pulse)?;
        match self.is_encoded(power, padding, hash, digest) {
            true => Ok(()),
            false => Err(CertificateError::BadSignature),
        }
    }

    /// `power = signature ^ exponent mod modulus`. Fails when the signature is not below it.
    #[inline(never)]
    fn public_operation(
        &self,
        signature: &[u8],
        power: &mut [u32],
        pulse: Pulse<'_>,
    ) -> Result<(), CertificateError> {
        // Of the same length, so their bytes compare as the numbers do.
        if signature >= self.modulus {
            return BAD;
        }
        let words = power.len();
        let (mut n, mut scratch) = ([0u32; WORDS], [0u32; WORDS]);
        let (Some(n), Some(scratch)) = (n.get_mut(..words), scratch.get_mut(..words)) else {
            return BAD;
        };
        load(self.modulus, n);
        let Some(n) = Modulus::new(n) else { return BAD };

        let in_montgomery_form = n
            .radix_squared(power, scratch)
            .and_then(|()| n.multiply_by(power, &mut words_of(signature), scratch));
        if in_montgomery_form.is_none() {
            return BAD;
        }
        power.copy_from_slice(scratch);
        if self.exponent.count_ones() == 2 {
            return self.raise(&n, signature, &[], power, scratch, pulse);
        }
        self.raise_to_any(&n, signature, power, scratch, pulse)
    }

    /// The exponents in use are 3 and 65537, whose bits but the first and the last are zero. The
    /// others need the signature in Montgomery form once more, and have it apart.
    #[inline(never)]
    fn raise_to_any(
        &self,
        n: &Modulus<'_>,
        signature: &[u8],
        power: &mut [u32],
        scratch: &mut [u32],
        pulse: Pulse<'_>,
    ) -> Result<(), CertificateError> {
        let mut base = [0; WORDS];
        let Some(base) = base.get_mut(..power.len()) else { return BAD };
        base.copy_from_slice(power);
        self.raise(n, signature, base, power, scratch, pulse)
    }

    /// `power ^ exponent` out of Montgomery form, which the last multiplication, by the signature
    /// as it came, takes the number out of.
    fn raise(
        &self,
        n: &Modulus<'_>,
        signature: &[u8],
        base: &[u32],
        power: &mut [u32],
        scratch: &mut [u32],
        pulse: Pulse<'_>,
    ) -> Result<(), CertificateError> {
        let below_top = 31u32.saturating_sub(self.exponent.leading_zeros());
        // The lowest bit is the last: the exponent is odd.
        for bit in (0..below_top).rev() {
            // Two multiplications of 4096 bits are 700,000 instructions.
            pulse()?;
            let Some(()) = n.multiply(power, power, scratch) else { return BAD };
            if bit == 0 {
                break;
            }
            power.copy_from_slice(scratch);
            if self.exponent.wrapping_shr(bit) & 1 == 1 {
                let Some(()) = n.multiply(power, base, scratch) else { return BAD };
                power.copy_from_slice(scratch);
            }
        }
        n.multiply_by(scratch, &mut words_of(signature), power)
            .ok_or(CertificateError::BadSignature)
    }

    /// Whether `power` is the digest, padded.
    #[inline(never)]
    fn is_encoded(&self, power: &[u32], padding: Padding, hash: Hash, digest: &[u8]) -> bool {
        let mut buffer = [0; RSA_MAX_BYTES];
        let encoded = buffer.get_mut(..self.modulus.len()).unwrap_or(&mut []);
        store(power, encoded);
        match padding {
            Padding::Pkcs1 => is_pkcs1(encoded, hash, digest),
            Padding::Pss { salt } => is_pss(encoded, self.mask(), hash, digest, salt),
        }
    }
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
    let mut buffer = [0; DIGEST_MAX];
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `base ^ exponent`, in bytes.
    fn raise(modulus: &[u8], base: &[u8], exponent: u32) -> std::vec::Vec<u8> {
        let mut power = std::vec![0; modulus.len().div_ceil(4)];
        let key = PublicKey { modulus, exponent };
        key.public_operation(base, &mut power, &|| Ok(())).unwrap();
        let mut out = std::vec![0; modulus.len()];
        store(&power, &mut out);
        out
    }

    #[test]
    fn powers_of_powers_agree_for_exponents_of_every_form() {
        for length in [256, 257, 384, 510, 512] {
            // Any odd number will do.
            let modulus: std::vec::Vec<u8> =
                (0..length).map(|i: usize| (i.wrapping_mul(89) as u8) | 1).collect();
            let mut base: std::vec::Vec<u8> = (0..length).map(|i: usize| (i * 31) as u8).collect();
            base[0] = 0;
            let of = |base: &[u8], exponent| raise(&modulus, base, exponent);
            let fifth = of(&base, 5);
            assert_eq!(of(&fifth, 7), of(&base, 35), "{length}");
            assert_eq!(of(&of(&base, 7), 5), of(&base, 35), "{length}");
            assert_eq!(of(&of(&base, 3), 0x5555_5555), of(&base, 0xffff_ffff), "{length}");
            assert_eq!(of(&of(&base, 17), 257), of(&base, 17 * 257), "{length}");
        }
    }

    #[test]
    fn nothing_that_is_not_below_the_modulus_is_raised() {
        let modulus = [0xff; 256];
        let mut power = [0; 64];
        let key = PublicKey { modulus: &modulus, exponent: 3 };
        assert_eq!(key.public_operation(&modulus, &mut power, &|| Ok(())), BAD);
    }
}
