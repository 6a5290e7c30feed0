//! Passwords as openGauss stores them, and the checks of answers against them. Written apart
//! from the driver, on other crates, so that a mistake is not made twice.

use std::fs::File;
use std::io::{self, Read};

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use sm3::Sm3;

/// Kinds of `pg_authid.rolpassword`; `password_encryption_type` 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `md5…`
    Md5,
    /// SHA256 and MD5 together.
    Combined,
    /// `sha256…`, the default.
    Sha256,
    /// `sm3…`
    Sm3,
}

/// A stored password.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its kind.
    pub kind: Kind,
    /// 64 hexadecimal digits.
    pub salt: String,
    /// Iteration count when it was set.
    pub iterations: u32,
    client_key: [u8; 32],
    server_key: [u8; 32],
    stored_key: [u8; 32],
    /// Hexadecimal MD5 of password and user name.
    md5: String,
}

impl Stored {
    /// What `CREATE USER` would store, with a salt of 64 hexadecimal digits.
    pub fn new(kind: Kind, user: &str, password: &str, salt: &str, iterations: u32) -> Stored {
        let key = pbkdf2(password.as_bytes(), &unhex(salt).expect("a salt"), iterations);
        let client_key = hmac(&key, b"Client Key");
        // The missing letter is openGauss's, in this method only.
        let label: &[u8] = if kind == Kind::Sm3 { b"Server Key" } else { b"Sever Key" };
        Stored {
            kind,
            salt: salt.to_string(),
            iterations,
            server_key: hmac(&key, label),
            stored_key: hash(kind, &client_key),
            client_key,
            md5: hex(&Md5::digest([password.as_bytes(), user.as_bytes()].concat())),
        }
    }

    /// As `pg_authid.rolpassword` has it.
    pub fn rolpassword(&self) -> String {
        let keys = format!("{}{}{}", self.salt, hex(&self.server_key), hex(&self.stored_key));
        let count = suffix(self.iterations);
        match self.kind {
            Kind::Md5 => format!("md5{}", self.md5),
            Kind::Sha256 => format!("sha256{keys}{count}"),
            Kind::Combined => format!("sha256{keys}md5{}{count}", self.md5),
            Kind::Sm3 => format!("sm3{keys}{count}"),
        }
    }

    /// Method, iterations, salt, ClientKey and StoredKey, with colons between. The client key is
    /// not stored by a real server; the front knows it from making the user.
    pub fn login_keys(&self) -> Option<String> {
        let method = match self.kind {
            Kind::Md5 => return None,
            Kind::Sha256 | Kind::Combined => "sha256",
            Kind::Sm3 => "sm3",
        };
        let (count, salt) = (self.iterations, &self.salt);
        Some(format!("{method}:{count}:{salt}:{}:{}", hex(&self.client_key), hex(&self.stored_key)))
    }

    /// What protocol minors below 50 show before the client's proof.
    pub fn server_signature(&self, token: [u8; 4]) -> String {
        hex(&hmac(&self.server_key, &token))
    }

    /// Whether `answer` proves the password (codes 10 and 13).
    pub fn accepts_proof(&self, token: [u8; 4], answer: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(answer) else { return false };
        let Some(proof) = unhex(text).filter(|proof| proof.len() == 32) else { return false };
        let mask = hmac(&self.stored_key, &token);
        let client_key: Vec<u8> = proof.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        hash(self.kind, &client_key) == self.stored_key
    }

    /// Whether `answer` is right for code 5.
    pub fn accepts_md5(&self, salt: [u8; 4], answer: &[u8]) -> bool {
        answer == md5_answer(self.md5.as_bytes(), salt).as_bytes()
    }

    /// Whether `answer` is right for code 11: MD5 over the stored string as it is, the suffix
    /// with the iteration count included.
    pub fn accepts_md5_sha256(&self, salt: [u8; 4], answer: &[u8]) -> bool {
        let stored = self.rolpassword();
        stored
            .strip_prefix("sha256")
            .is_some_and(|rest| answer == md5_answer(rest.as_bytes(), salt).as_bytes())
    }
}

/// The salt invented for a user who does not exist: the same at every attempt.
pub(super) fn fake_salt(user: &str) -> String {
    hex(&Sha256::digest(format!("no such user: {user}")))
}

/// Random bytes of the operating system.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Lowercase hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits, or nothing if the text is anything else.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2)
        || digits.iter().any(|d| !matches!(d, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(byte).collect()
}

fn md5_answer(inner: &[u8], salt: [u8; 4]) -> String {
    format!("md5{}", hex(&Md5::digest([inner, &salt].concat())))
}

/// The iteration count as the stored string has it: its digits, the last one first, added to the
/// letters of a constant.
fn suffix(iterations: u32) -> String {
    let mut rest = iterations;
    let letters = b"ecdfdcefade".iter().map(|letter| {
        let digit = u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        char::from(letter + digit)
    });
    letters.collect()
}

fn hash(kind: Kind, client_key: &[u8]) -> [u8; 32] {
    if kind == Kind::Sm3 {
        Sm3::digest(client_key).into()
    } else {
        Sha256::digest(client_key).into()
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA-1, 32 bytes.
fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let keyed = <Hmac<Sha1> as Mac>::new_from_slice(password).expect("any length");
    let mac = |message: &[u8]| keyed.clone().chain_update(message).finalize().into_bytes();
    let mut key = Vec::new();
    for block in 1..=2_u32 {
        let mut last = mac(&[salt, &block.to_be_bytes()].concat());
        let mut sum = last;
        for _ in 1..iterations {
            last = mac(&last);
            sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
        }
        key.extend_from_slice(&sum);
    }
    key.truncate(32);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_what_the_real_server_stores() {
        // The user `jack` of tests/data/opengauss-vectors.json.
        let salt = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let token = [0xa1, 0xb2, 0xc3, 0xd4];
        let stored = |kind| Stored::new(kind, "jack", "Gauss@123", salt, 10_000);
        let sha256 = stored(Kind::Sha256);
        assert_eq!(
            sha256.server_signature(token),
            "f710f57f1f36c34d5ad2213f97675d2a53abeb7b58ed7341e4d5e4e95868b643"
        );
        let proof = b"7c307933e37a994c84eb831cd816a70a24e47d049c9bb591acb2f46790888767";
        assert!(sha256.accepts_proof(token, proof));
        assert!(!sha256.accepts_proof([0; 4], proof));
        assert!(!sha256.accepts_proof(token, &proof.to_ascii_uppercase()));
        let proof = b"4c824da59a9c22f83b74bd6cd4667c0e683b07bca40c6ab6e26776e99f35cc99";
        assert!(stored(Kind::Sm3).accepts_proof(token, proof));
        assert!(!sha256.accepts_proof(token, proof));
        assert_eq!(
            stored(Kind::Sm3).server_signature(token),
            "34d5f3d2d0962017fb4e170931b5684e7550311572c48eccb29ed9abd0b9aef9"
        );
        let md5 = b"md5dbd954a36ca0424bada77dc6c5ad8c3f";
        assert!(stored(Kind::Md5).accepts_md5([1, 2, 3, 4], md5));
        let md5_sha256 = b"md5d641493217a77071673425ecd5b3a34a";
        assert!(sha256.accepts_md5_sha256([1, 2, 3, 4], md5_sha256));
        assert!(sha256.rolpassword().ends_with("ecdfecefade"));
        assert_eq!(suffix(2048), "mgdhdcefade");
    }
}
