//! Signatures with a P-256 key: ECDSA with SHA-256 (FIPS 186-5 section 6.4.1).
//!
//! By crate p256's arithmetic, but not its `SigningKey`: that computes the public key each time it is made,
//! which is as much work as the signature. The nonce is RFC 6979's, with fresh random bytes added (its section
//! 3.6).

use ecdsa::hazmat::SignPrimitive as _;
use p256::elliptic_curve::rand_core::RngCore as _;
use p256::{FieldBytes, SecretKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::drbg::Drbg;
use crate::auth;

/// Whether it is a key: not zero, and below the order.
pub(super) fn is_valid(secret: &[u8; 32]) -> bool {
    SecretKey::from_slice(secret).is_ok()
}

/// Whether it is the key of a certificate, whose public key in SEC1's form this is.
#[cfg(feature = "std")]
pub(super) fn belongs_to(secret: &[u8; 32], key: &[u8]) -> bool {
    let (Ok(secret), Ok(public)) =
        (SecretKey::from_slice(secret), p256::PublicKey::from_sec1_bytes(key))
    else {
        return false;
    };
    secret.public_key() == public
}

/// Signs the message (parts, one after the other): `r` and `s`.
pub(super) fn sign(secret: &[u8; 32], message: &[&[u8]], random: &mut Drbg) -> Option<[u8; 64]> {
    let mut fresh = [0; 32];
    random.fill_bytes(&mut fresh);
    sign_with(secret, &auth::Sha256::digest(message), &fresh)
}

#[inline(never)]
fn sign_with(secret: &[u8; 32], digest: &[u8; 32], fresh: &[u8]) -> Option<[u8; 64]> {
    let secret = Zeroizing::new(SecretKey::from_slice(secret).ok()?.to_nonzero_scalar());
    let digest = FieldBytes::from_slice(digest);
    let (signature, _) = secret.try_sign_prehashed_rfc6979::<Sha256>(digest, fresh).ok()?;
    Some(signature.to_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::hex;

    /// RFC 6979 appendix A.2.5, P-256 with SHA-256.
    #[test]
    fn signs_as_rfc_6979_does() {
        let secret = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let secret: &[u8; 32] = secret.as_slice().try_into().unwrap();
        for (message, r, s) in [
            (
                "sample",
                "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
                "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
            ),
            (
                "test",
                "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
                "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
            ),
        ] {
            let digest = auth::Sha256::digest(&[message.as_bytes()]);
            let signature = sign_with(secret, &digest, &[]).unwrap();
            assert_eq!(signature.to_vec(), [hex(r), hex(s)].concat(), "{message}");
            assert_ne!(sign_with(secret, &digest, &[1; 32]).unwrap(), signature);
        }
    }

    #[test]
    fn zero_and_what_is_not_below_the_order_are_no_keys() {
        let order = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
        let mut order: [u8; 32] = order.try_into().unwrap();
        assert!(!is_valid(&[0; 32]) && !is_valid(&order) && !is_valid(&[0xff; 32]));
        order[31] -= 1;
        assert!(is_valid(&order));
    }
}
