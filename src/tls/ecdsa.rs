//! ECDSA signature checks on P-256 (FIPS 186-5 section 6.4.2).
//!
//! The points are crate p256's, which TLS's key exchange needs anyway. The scalars are public
//! here: the arithmetic that checks RSA does for them, and one pass over both scalars at once
//! (Shamir's trick) takes the place of two multiplications. 6 KB of flash and 2 KB of stack less
//! than with crate ecdsa.

use core::ops::AddAssign as _;

use p256::elliptic_curve::Group as _;
use p256::elliptic_curve::point::AffineCoordinates as _;
use p256::{ProjectivePoint, PublicKey};

use super::CertificateError;
use super::modular::{Modulus, less, load, subtract};

type Scalar = [u32; 8];

/// The order of the group.
const ORDER: Scalar =
    [0xfc63_2551, 0xf3b9_cac2, 0xa717_9e84, 0xbce6_faad, 0xffff_ffff, 0xffff_ffff, 0, 0xffff_ffff];

static GENERATOR: ProjectivePoint = ProjectivePoint::GENERATOR;

/// Checks the signature `r`, `s` (big-endian, without leading zeros) over `digest`, of 32 bytes or
/// more, by a key in SEC1's form.
pub(super) fn verify(
    key: &[u8],
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Result<(), CertificateError> {
    let key = PublicKey::from_sec1_bytes(key).map_err(|_| CertificateError::BadKey)?;
    let (u1, u2, r) = scalars(digest, r, s).ok_or(CertificateError::BadSignature)?;
    let x = sum(&u1, &u2, &key.to_projective());
    if x == r { Ok(()) } else { Err(CertificateError::BadSignature) }
}

/// `z / s`, `r / s` and `r`. `None` when `r` or `s` is not from 1 to below the order.
#[inline(never)]
fn scalars(digest: &[u8], r: &[u8], s: &[u8]) -> Option<(Scalar, Scalar, Scalar)> {
    let order = Modulus::new(&ORDER)?;
    let (r, s) = (scalar(r)?, scalar(s)?);
    let mut z = Scalar::default();
    load(digest.get(..32)?, &mut z);
    let (mut base, mut power, mut scratch) = (Scalar::default(), s, Scalar::default());
    order.radix_squared(&mut scratch, &mut base)?;
    order.multiply(&s, &scratch, &mut base)?; // s in Montgomery form
    // 1 / s is s ^ (order - 2), by Fermat's theorem.
    let mut exponent = ORDER;
    subtract(&mut exponent, &[2, 0, 0, 0, 0, 0, 0, 0]);
    power.copy_from_slice(&base);
    for bit in (0..255).rev() {
        order.multiply(&power, &power, &mut scratch)?;
        if is_set(&exponent, bit) {
            order.multiply(&scratch, &base, &mut power)?;
        } else {
            power = scratch;
        }
    }
    let mut u2 = Scalar::default();
    order.multiply(&z, &power, &mut scratch)?;
    order.multiply(&r, &power, &mut u2)?;
    Some((scratch, u2, r))
}

/// A number from 1 to below the order.
fn scalar(bytes: &[u8]) -> Option<Scalar> {
    let mut words = Scalar::default();
    if bytes.len() > 32 {
        return None;
    }
    load(bytes, &mut words);
    (words != Scalar::default() && less(&words, &ORDER)).then_some(words)
}

/// The first coordinate of `u1 · G + u2 · Q`, modulo the order; 0 for the point at infinity.
#[inline(never)]
fn sum(u1: &Scalar, u2: &Scalar, q: &ProjectivePoint) -> Scalar {
    let mut both = GENERATOR;
    both.add_assign(q);
    let mut point = ProjectivePoint::IDENTITY;
    for bit in (0..256).rev() {
        point = point.double();
        let addend = match (is_set(u1, bit), is_set(u2, bit)) {
            (true, true) => &both,
            (true, false) => &GENERATOR,
            (false, true) => q,
            (false, false) => continue,
        };
        point.add_assign(addend);
    }
    let mut x = Scalar::default();
    load(&point.to_affine().x(), &mut x);
    if !less(&x, &ORDER) {
        subtract(&mut x, &ORDER);
    }
    x
}

fn is_set(scalar: &Scalar, bit: usize) -> bool {
    let word = scalar.get(bit.wrapping_shr(5)).copied().unwrap_or(0);
    word.wrapping_shr(u32::try_from(bit & 31).unwrap_or(0)) & 1 == 1
}
