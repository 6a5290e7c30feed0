//! ECDSA signature checks (FIPS 186-5 section 6.4.2) on P-256 and P-384.
//!
//! The points are those of crates p256, which TLS's key exchange needs anyway, and p384. The
//! scalars are public here: the arithmetic that checks RSA does for them, and one pass over both
//! scalars at once (Shamir's trick) takes the place of two multiplications. For P-256 6 KB of
//! flash and 2 KB of stack less than with crate ecdsa. [`scalars`] serves a signature too (`p384_key`):
//! its steps depend on the order alone, but for the comparison of a scalar with it.

use p256::elliptic_curve::Group;
use p256::elliptic_curve::point::AffineCoordinates as _;

use super::CertificateError;
use super::modular::{Modulus, less, load, subtract};
use super::work::Pulse;
use crate::limits::TLS_SLICE;

/// The points of a curve whose scalars have `N` words.
pub(super) trait Point<const N: usize>: Group {
    /// The order of the group.
    const ORDER: [u32; N];

    fn base() -> &'static Self;

    /// From SEC1's form.
    fn from_key(key: &[u8]) -> Option<Self>;

    /// The first coordinate; 0 for the point at infinity.
    fn x(&self) -> [u32; N];
}

macro_rules! point {
    ($curve:ident, $words:literal, $order:expr) => {
        impl Point<$words> for $curve::ProjectivePoint {
            const ORDER: [u32; $words] = $order;

            fn base() -> &'static Self {
                static BASE: $curve::ProjectivePoint = $curve::ProjectivePoint::GENERATOR;
                &BASE
            }

            #[inline]
            fn from_key(key: &[u8]) -> Option<Self> {
                $curve::PublicKey::from_sec1_bytes(key).ok().map(|key| key.to_projective())
            }

            #[inline]
            fn x(&self) -> [u32; $words] {
                let mut x = [0; $words];
                load(&self.to_affine().x(), &mut x);
                x
            }
        }
    };
}

point!(
    p256,
    8,
    [0xfc63_2551, 0xf3b9_cac2, 0xa717_9e84, 0xbce6_faad, 0xffff_ffff, 0xffff_ffff, 0, 0xffff_ffff]
);
#[cfg(feature = "tls-p384")]
point!(
    p384,
    12,
    [
        0xccc5_2973,
        0xecec_196a,
        0x48b0_a77a,
        0x581a_0db2,
        0xf437_2ddf,
        0xc763_4d81,
        0xffff_ffff,
        0xffff_ffff,
        0xffff_ffff,
        0xffff_ffff,
        0xffff_ffff,
        0xffff_ffff,
    ]
);

/// Checks the signature `r`, `s` (big-endian, without leading zeros) over `digest` by a key in
/// SEC1's form.
pub(super) fn verify<const N: usize, P: Point<N>>(
    key: &[u8],
    digest: &[u8],
    r: &[u8],
    s: &[u8],
    pulse: Pulse<'_>,
) -> Result<(), CertificateError> {
    let key = P::from_key(key).ok_or(CertificateError::BadKey)?;
    let (u1, u2, r) = scalars(&P::ORDER, digest, r, s).ok_or(CertificateError::BadSignature)?;
    let x = sum(&u1, &u2, &key, pulse)?;
    if x == r { Ok(()) } else { Err(CertificateError::BadSignature) }
}

/// `z / s`, `r / s` and `r`. `None` when `r` or `s` is not from 1 to below the order.
#[inline(never)]
pub(super) fn scalars<const N: usize>(
    order: &[u32; N],
    digest: &[u8],
    r: &[u8],
    s: &[u8],
) -> Option<([u32; N], [u32; N], [u32; N])> {
    let modulus = Modulus::new(order)?;
    let (r, s) = (scalar(order, r)?, scalar(order, s)?);
    let bits = N.wrapping_mul(32);
    let mut z = [0; N];
    // A digest that is longer than the order is cut, one that is shorter is a smaller number.
    load(digest.get(..bits / 8).unwrap_or(digest), &mut z);
    let (mut base, mut power, mut scratch) = ([0; N], s, [0; N]);
    modulus.radix_squared(&mut scratch, &mut base)?;
    modulus.multiply(&s, &scratch, &mut base)?; // s in Montgomery form
    // 1 / s is s ^ (order - 2), by Fermat's theorem. The order's highest bit is set.
    let mut exponent = *order;
    let mut two = [0; N];
    *two.first_mut()? = 2;
    subtract(&mut exponent, &two);
    power.copy_from_slice(&base);
    for bit in (0..bits.saturating_sub(1)).rev() {
        modulus.multiply(&power, &power, &mut scratch)?;
        if is_set(&exponent, bit) {
            modulus.multiply(&scratch, &base, &mut power)?;
        } else {
            power = scratch;
        }
    }
    let mut u2 = [0; N];
    modulus.multiply(&z, &power, &mut scratch)?;
    modulus.multiply(&r, &power, &mut u2)?;
    #[cfg(feature = "tls-client-p384")]
    for number in [&mut base, &mut power] {
        zeroize::Zeroize::zeroize(number);
    }
    Some((scratch, u2, r))
}

/// A number from 1 to below the order.
fn scalar<const N: usize>(order: &[u32; N], bytes: &[u8]) -> Option<[u32; N]> {
    let mut words = [0; N];
    if bytes.len() > N.wrapping_mul(4) {
        return None;
    }
    load(bytes, &mut words);
    (words != [0; N] && less(&words, order)).then_some(words)
}

/// The first coordinate of `u1 · G + u2 · Q`, modulo the order; 0 for the point at infinity.
#[inline(never)]
fn sum<const N: usize, P: Point<N>>(
    u1: &[u32; N],
    u2: &[u32; N],
    q: &P,
    pulse: Pulse<'_>,
) -> Result<[u32; N], CertificateError> {
    let mut both = *P::base();
    both.add_assign(q);
    let mut point = P::identity();
    for bit in (0..N.wrapping_mul(32)).rev() {
        if bit % TLS_SLICE == 0 {
            pulse()?;
        }
        point = point.double();
        let addend = match (is_set(u1, bit), is_set(u2, bit)) {
            (true, true) => &both,
            (true, false) => P::base(),
            (false, true) => q,
            (false, false) => continue,
        };
        point.add_assign(addend);
    }
    Ok(first_coordinate(&point))
}

/// The first coordinate of a point, modulo the order.
pub(super) fn first_coordinate<const N: usize, P: Point<N>>(point: &P) -> [u32; N] {
    let mut x = point.x();
    if !less(&x, &P::ORDER) {
        subtract(&mut x, &P::ORDER);
    }
    x
}

fn is_set(scalar: &[u32], bit: usize) -> bool {
    let word = scalar.get(bit.wrapping_shr(5)).copied().unwrap_or(0);
    word.wrapping_shr(u32::try_from(bit & 31).unwrap_or(0)) & 1 == 1
}
