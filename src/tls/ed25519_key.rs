//! Signatures with an Ed25519 key (RFC 8032 section 5.1.6).
//!
//! The nonce is a hash of the key and the message, so no generator can give the key away; and as every
//! handshake is another message, neither can a fault that is provoked in one of two signatures of the same.

use ed25519_dalek::{Signer as _, SigningKey};

/// What is signed: 64 spaces, the context and a NUL, the hash of the handshake (RFC 8446 section 4.4.3).
const MESSAGE: usize = 64 + 33 + 1 + 32;

/// Whether it is the key of a certificate, whose public key this is.
#[cfg(feature = "std")]
pub(super) fn belongs_to(secret: &[u8; 32], key: &[u8]) -> bool {
    SigningKey::from_bytes(secret).verifying_key().as_bytes() == key
}

/// Signs the message (parts, one after the other). `None` when it is longer than [`MESSAGE`].
#[inline(never)]
pub(super) fn sign(secret: &[u8; 32], message: &[&[u8]]) -> Option<[u8; 64]> {
    let mut whole = [0; MESSAGE];
    let mut length = 0usize;
    for part in message {
        let end = length.checked_add(part.len())?;
        whole.get_mut(length..end)?.copy_from_slice(part);
        length = end;
    }
    let key = SigningKey::from_bytes(secret);
    Some(key.try_sign(whole.get(..length)?).ok()?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::tests::hex;

    /// RFC 8032 section 7.1, tests 1 to 3 and SHA(abc).
    #[test]
    fn signs_as_rfc_8032_does() {
        let long = "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A\
             2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F";
        for (secret, public, message, wanted) in [
            (
                "9D61B19DEFFD5A60BA844AF492EC2CC44449C5697B326919703BAC031CAE7F60",
                "D75A980182B10AB7D54BFED3C964073A0EE172F3DAA62325AF021A68F707511A",
                "",
                "E5564300C360AC729086E2CC806E828A84877F1EB8E5D974D873E06522490155\
                 5FB8821590A33BACC61E39701CF9B46BD25BF5F0595BBE24655141438E7A100B",
            ),
            (
                "4CCD089B28FF96DA9DB6C346EC114E0F5B8A319F35ABA624DA8CF6ED4FB8A6FB",
                "3D4017C3E843895A92B70AA74D1B7EBC9C982CCF2EC4968CC0CD55F12AF4660C",
                "72",
                "92A009A9F0D4CAB8720E820B5F642540A2B27B5416503F8FB3762223EBDB69DA\
                 085AC1E43E15996E458F3613D0F11D8C387B2EAEB4302AEEB00D291612BB0C00",
            ),
            (
                "C5AA8DF43F9F837BEDB7442F31DCB7B166D38535076F094B85CE3A2E0B4458F7",
                "FC51CD8E6218A1A38DA47ED00230F0580816ED13BA3303AC5DEB911548908025",
                "AF82",
                "6291D657DEEC24024827E69C3ABE01A30CE548A284743A445E3680D7DB5AC3AC\
                 18FF9B538D16F290AE67F760984DC6594A7C15E9716ED28DC027BECEEA1EC40A",
            ),
            (
                "833FE62409237B9D62EC77587520911E9A759CEC1D19755B7DA901B96DCA3D42",
                "EC172B93AD5E563BF4932C70E1245034C35467EF2EFD4D64EBF819683467E2BF",
                long,
                "DC2A4459E7369633A52B1BF277839A00201009A3EFBF3ECB69BEA2186C26B589\
                 09351FC9AC90B3ECFDFBC7C66431E0303DCA179C138AC17AD9BEF1177331A704",
            ),
        ] {
            let secret: &[u8; 32] = &hex(secret).try_into().unwrap();
            let message = hex(message);
            for cut in [0, message.len() / 2, message.len()] {
                let (start, rest) = message.split_at(cut);
                assert_eq!(sign(secret, &[start, rest]).unwrap().to_vec(), hex(wanted));
            }
            let public = hex(public);
            assert_eq!(SigningKey::from_bytes(secret).verifying_key().as_bytes(), &public[..]);
            #[cfg(feature = "std")]
            {
                assert!(belongs_to(secret, &public));
                assert!(!belongs_to(secret, &public[1..]) && !belongs_to(&[7; 32], &public));
            }
        }
    }

    #[test]
    fn a_longer_message_is_none_of_tls() {
        assert!(sign(&[7; 32], &[&[0; 98], &[0; 32]]).is_some());
        assert!(sign(&[7; 32], &[&[0; 98], &[0; 32], &[0]]).is_none());
    }
}
