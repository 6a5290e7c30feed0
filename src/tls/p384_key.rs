//! Signatures with a P-384 key: ECDSA with SHA-384 (FIPS 186-5 section 6.4.1).
//!
//! The nonce is RFC 6979's, with fresh random bytes added (its section 3.6): neither a generator that
//! repeats itself nor a fault that is provoked gives the key away. It is multiplied here and
//! not by crate p384, which would compute a second long without a place to feed a watchdog; and what
//! is computed modulo the order is by the arithmetic that checks signatures, in place of 50 KB more of that
//! crate's.

use core::ops::AddAssign as _;

use p384::elliptic_curve::group::Group as _;
use p384::elliptic_curve::rand_core::RngCore as _;
use p384::{FieldBytes, ProjectivePoint};
use sha2::{Digest as _, Sha384};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::drbg::Drbg;
use super::ecdsa::{Point, first_coordinate, scalars};
use super::modular::{Modulus, less, load, store, subtract};
use super::work::Pulse;

const WORDS: usize = 12;
const ORDER: [u32; WORDS] = <ProjectivePoint as Point<WORDS>>::ORDER;

/// Whether it is a key: not zero, and below the order.
pub(super) fn is_valid(secret: &[u8; 48]) -> bool {
    let mut words = Zeroizing::new([0; WORDS]);
    load(secret, &mut *words);
    *words != [0; WORDS] && less(&*words, &ORDER)
}

/// Whether it is the key of a certificate, whose public key in SEC1's form this is.
#[cfg(feature = "std")]
pub(super) fn belongs_to(secret: &[u8; 48], key: &[u8]) -> bool {
    let (Ok(secret), Ok(public)) =
        (p384::SecretKey::from_slice(secret), p384::PublicKey::from_sec1_bytes(key))
    else {
        return false;
    };
    secret.public_key() == public
}

/// Signs the message (parts, one after the other): `r` and `s`. `None` when `pulse` fails.
#[inline(never)]
pub(super) fn sign(
    secret: &[u8; 48],
    message: &[&[u8]],
    random: &mut Drbg,
    pulse: Pulse<'_>,
) -> Option<[u8; 96]> {
    let mut hash = Sha384::new();
    message.iter().for_each(|part| hash.update(part));
    let digest = hash.finalize();
    let mut fresh = [0; 32];
    random.fill_bytes(&mut fresh);
    let nonce = nonce(secret, &digest, &fresh);
    sign_with(secret, &digest, &nonce, pulse)
}

/// The nonce for this digest.
#[inline(never)]
fn nonce(secret: &[u8; 48], digest: &FieldBytes, fresh: &[u8]) -> Zeroizing<FieldBytes> {
    let (mut number, mut order) = (FieldBytes::default(), FieldBytes::default());
    let mut words = [0; WORDS];
    load(digest, &mut words);
    if !less(&words, &ORDER) {
        subtract(&mut words, &ORDER);
    }
    store(&words, &mut number);
    store(&ORDER, &mut order);
    let secret = FieldBytes::from_slice(secret);
    Zeroizing::new(rfc6979::generate_k::<Sha384, _>(secret, &order, &number, fresh))
}

#[inline(never)]
fn sign_with(
    secret: &[u8; 48],
    digest: &FieldBytes,
    nonce: &FieldBytes,
    pulse: Pulse<'_>,
) -> Option<[u8; 96]> {
    let point = multiply(nonce, pulse)?;
    let mut signature = [0; 96];
    let (r, s) = signature.split_at_mut_checked(48)?;
    store(&first_coordinate::<WORDS, ProjectivePoint>(&point), r);
    // s = digest / nonce + secret · (r / nonce)
    let (sum, quotient, _) = scalars(&ORDER, digest, r, nonce)?;
    let mut numbers = Zeroizing::new([sum, quotient, [0; WORDS], [0; WORDS], [0; WORDS]]);
    let [sum, quotient, key, square, scratch] = &mut *numbers;
    load(secret, key);
    let modulus = Modulus::new(&ORDER)?;
    modulus.radix_squared(square, scratch)?;
    modulus.multiply(quotient, key, scratch)?;
    modulus.multiply(scratch, square, key)?;
    modulus.add(sum, key);
    if *sum == [0; WORDS] {
        return None;
    }
    store(sum, s);
    Some(signature)
}

/// `nonce · G`, in windows of two bits. The crate's operations take the same steps for all points, and
/// of the table every entry is read.
#[inline(never)]
fn multiply(nonce: &FieldBytes, pulse: Pulse<'_>) -> Option<ProjectivePoint> {
    let one = ProjectivePoint::GENERATOR;
    let two = one.double();
    let mut three = two;
    three.add_assign(&one);
    let table = [one, two, three];
    let mut point = ProjectivePoint::IDENTITY;
    for word in nonce.chunks(4) {
        // 16 steps, each of three operations: 6 million instructions.
        pulse().ok()?;
        for byte in word {
            for shift in [6, 4, 2, 0] {
                let digit = byte.wrapping_shr(shift) & 3;
                let mut addend = ProjectivePoint::IDENTITY;
                for (number, entry) in (1u8..).zip(&table) {
                    let same = number.ct_eq(&digit);
                    addend.conditional_assign(entry, same);
                }
                point = point.double().double();
                point.add_assign(&addend);
            }
        }
    }
    Some(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::hex;

    /// RFC 6979 appendix A.2.6, P-384 with SHA-384.
    #[test]
    fn signs_as_rfc_6979_does() {
        let secret = hex("6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D8\
             96D5724E4C70A825F872C9EA60D2EDF5");
        for (message, k, r, s) in [
            (
                "sample",
                "94ED910D1A099DAD3254E9242AE85ABDE4BA15168EAF0CA87A555FD56D10FBCA\
                 2907E3E83BA95368623B8C4686915CF9",
                "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C\
                 81A648152E44ACF96E36DD1E80FABE46",
                "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94F\
                 A329C145786E679E7B82C71A38628AC8",
            ),
            (
                "test",
                "015EE46A5BF88773ED9123A5AB0807962D193719503C527B031B4C2D225092AD\
                 A71F4A459BC0DA98ADB95837DB8312EA",
                "8203B63D3C853E8D77227FB377BCF7B7B772E97892A80F36AB775D509D7A5FEB\
                 0542A7F0812998DA8F1DD3CA3CF023DB",
                "DDD0760448D42D8A43AF45AF836FCE4DE8BE06B485E9B61B827C2F13173923E0\
                 6A739F040649A667BF3B828246BAA5A5",
            ),
        ] {
            let secret: &[u8; 48] = secret.as_slice().try_into().unwrap();
            let digest = Sha384::digest(message);
            let nonce = nonce(secret, &digest, &[]);
            assert_eq!(nonce.as_slice(), hex(k), "{message}");
            let signature = sign_with(secret, &digest, &nonce, &|| Ok(())).unwrap();
            assert_eq!(signature.to_vec(), [hex(r), hex(s)].concat(), "{message}");
        }
    }

    #[test]
    fn fresh_bytes_make_another_nonce() {
        let digest = FieldBytes::from([1; 48]);
        let of = |fresh: &[u8]| nonce(&[7; 48], &digest, fresh);
        assert_ne!(of(&[0; 32]), of(&[1; 32]));
        assert_ne!(of(&[0; 32]), of(&[]));
    }

    #[test]
    fn zero_and_what_is_not_below_the_order_are_no_keys() {
        let mut order = [0; 48];
        store(&ORDER, &mut order);
        let mut largest = order;
        largest[47] -= 1;
        assert!(!is_valid(&[0; 48]) && !is_valid(&order) && !is_valid(&[0xff; 48]));
        assert!(is_valid(&largest));
    }

    #[test]
    fn stops_when_it_may_not_go_on() {
        let calls = core::cell::Cell::new(0);
        let pulse = || {
            calls.set(calls.get() + 1);
            if calls.get() < 5 { Ok(()) } else { Err(crate::tls::CertificateError::TooMuchWork) }
        };
        assert!(
            sign_with(&[7; 48], &FieldBytes::from([1; 48]), &FieldBytes::from([2; 48]), &pulse)
                .is_none()
        );
        assert_eq!(calls.get(), 5);
    }
}
