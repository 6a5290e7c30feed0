use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::limits;
use crate::platform::{Countdown, Idle, Pulse};
const BOUNDS: (u32, u32) = (2048, 50_000);

/// Known answers on which the server's own verifier and four other implementations agree.
const VECTORS: &str = include_str!("../../tests/data/opengauss-vectors.json");

/// The string or number after `"name":` in a flat JSON object.
fn field(object: &str, name: &str) -> String {
    let start = object.find(&std::format!("\"{name}\":")).expect(name) + name.len() + 3;
    let value = object[start..].trim_start();
    let text = match value.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => value.split(',').next().unwrap(),
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        out.push_str(&rest[..at]);
        let code = u32::from_str_radix(&rest[at + 2..at + 6], 16).unwrap();
        out.push(char::from_u32(code).unwrap());
        rest = &rest[at + 6..];
    }
    out + rest
}

fn bytes(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().unwrap()
}

/// Body of a 3.51 request.
fn body(method: u32, salt: &str, token: &str, iterations: u32) -> Vec<u8> {
    let mut body = method.to_be_bytes().to_vec();
    body.extend_from_slice(salt.as_bytes());
    body.extend_from_slice(token.as_bytes());
    body.extend_from_slice(&iterations.to_be_bytes());
    body
}

fn derive(request: &GaussRequest, password: &[u8]) -> Result<GaussKeys, Fault> {
    let key = request.salted(password, (1, 10_000), &Idle(&|| ()).pulse())?;
    Ok(request.keys(&key))
}

fn sample() -> Vec<u8> {
    body(2, &"0a".repeat(32), "a1b2c3d4", 10_000)
}

#[test]
fn known_answers() {
    let objects: Vec<&str> = VECTORS.split("\"password\"").skip(1).collect();
    assert_eq!(objects.len(), 5);
    for object in objects {
        let object = "\"password\"".to_string() + object;
        let password = field(&object, "password");
        let iterations: u32 = field(&object, "iterations").parse().unwrap();
        let salt = field(&object, "salt_hex");
        let token = field(&object, "token_hex");
        let key =
            pbkdf2(password.as_bytes(), &array(&salt), iterations, &Idle(&|| ()).pulse()).unwrap();
        assert_eq!(key.as_slice(), bytes(&field(&object, "K")));

        let request = GaussRequest::parse(10, &body(2, &salt, &token, iterations)).unwrap();
        let keys = derive(&request, password.as_bytes()).unwrap();
        assert_eq!(keys.client_key().as_slice(), bytes(&field(&object, "client_key")));
        assert_eq!(keys.stored_key().as_slice(), bytes(&field(&object, "stored_key_sha256")));
        let answer = keys.answer(&request).unwrap();
        assert_eq!(answer.as_slice(), field(&object, "proof_sha256").as_bytes());

        // SM3 needs the hash only to derive the keys, not to use them.
        let request = GaussRequest::parse(13, &body(3, &salt, &token, iterations)).unwrap();
        let keys = GaussKeys::new(
            GaussMethod::Sm3,
            array(&salt),
            iterations,
            array(&field(&object, "client_key")),
            array(&field(&object, "stored_key_sm3")),
        );
        let answer = keys.answer(&request).unwrap();
        assert_eq!(answer.as_slice(), field(&object, "proof_sm3").as_bytes());
        let derived = derive(&request, password.as_bytes());
        #[cfg(feature = "sm3")]
        assert_eq!(derived.unwrap(), keys);
        #[cfg(not(feature = "sm3"))]
        assert_eq!(derived, Err(Fault::from(AuthError::UnknownMethod)));
    }
}

/// Passwords around the block's 64 bytes; Python's `hashlib.pbkdf2_hmac` gave the answers.
#[test]
fn pbkdf2_hashes_only_passwords_longer_than_a_block() {
    let salt: [u8; 32] = core::array::from_fn(|i| u8::try_from(i).unwrap());
    for (password, iterations, expected) in [
        ("", 1, PBKDF2_EMPTY),
        ("0123456789012345678901234567890123456789012345678901234567890123", 3, PBKDF2_64),
        ("01234567890123456789012345678901234567890123456789012345678901234", 3, PBKDF2_65),
    ] {
        let key = pbkdf2(password.as_bytes(), &salt, iterations, &Idle(&|| ()).pulse()).unwrap();
        assert_eq!(key.as_slice(), bytes(expected), "{password}");
    }
}

#[test]
fn whole_messages_parse() {
    for (name, code, method) in [
        ("R code10 minor51", 10, AuthMethods::GAUSS_SHA256),
        ("R code13 minor51", 13, AuthMethods::GAUSS_SM3),
    ] {
        let message = bytes(&field(VECTORS, name));
        let request = GaussRequest::parse(code, &message[9..]).unwrap();
        assert_eq!(request.method(), method);
        assert_eq!(request.token, [0xa1, 0xb2, 0xc3, 0xd4]);
        assert_eq!(request.salt[31], 0x1f);
    }
    // The layouts of the older minors, which are never offered.
    for name in ["R code10 minor50", "R code10 minor0"] {
        let message = bytes(&field(VECTORS, name));
        assert_eq!(GaussRequest::parse(10, &message[9..]), Err(AuthError::Dialect));
    }
    let message = bytes(&field(VECTORS, "R code11"));
    assert_eq!(GaussRequest::parse(11, &message[9..]), Err(AuthError::GaussMd5Sha256));
}

#[test]
fn every_other_length_is_malformed() {
    let mut long = sample();
    long.push(0);
    for length in (0..=long.len()).filter(|&n| n != sample().len() && n != OLD_LAYOUTS[0]) {
        let result = GaussRequest::parse(10, &long[..length]);
        assert_eq!(result, Err(AuthError::Malformed), "{length}");
    }
}

#[test]
fn only_lowercase_hexadecimal_is_taken() {
    for at in 4..76 {
        for wrong in [b'A', b'F', b'g', b'/', b':', b'`', 0, 0xff] {
            let mut body = sample();
            body[at] = wrong;
            let result = GaussRequest::parse(10, &body);
            assert_eq!(result, Err(AuthError::Malformed), "{wrong} at {at}");
        }
    }
}

#[test]
fn unknown_methods_are_refused() {
    for (code, method) in [(10, 0), (10, 1), (10, 3), (10, 4), (10, 0x0200_0000), (13, 2), (12, 2)]
    {
        let body = body(method, &"0a".repeat(32), "a1b2c3d4", 10_000);
        let result = GaussRequest::parse(code, &body);
        assert_eq!(result, Err(AuthError::UnknownMethod), "{code} {method}");
    }
}

#[test]
fn iterations_are_bounded_before_anything_is_hashed() {
    let hashed = |count, bounds| {
        let request = GaussRequest::parse(10, &body(2, &"0a".repeat(32), "a1b2c3d4", count));
        request.unwrap().salted(b"x", bounds, &Pulse::new(&Idle(&|| ()), Countdown::OVER))
    };
    let refused = Err(Fault::from(AuthError::Iterations));
    for count in [0, 1, 2047, 50_001, 1 << 31, u32::MAX] {
        assert_eq!(hashed(count, BOUNDS), refused, "{count}");
    }
    for count in [2048, 10_000, 50_000] {
        assert_eq!(hashed(count, BOUNDS), Err(Fault::TIMED_OUT), "{count}");
    }
    assert_eq!(hashed(0, (0, u32::MAX)), refused);
}

#[test]
fn idle_is_called_as_often_as_promised() {
    let calls = core::cell::Cell::new(0_u32);
    let idle = || calls.set(calls.get() + 1);
    pbkdf2(b"x", &[0; 32], 10_000, &Idle(&idle).pulse()).unwrap();
    assert_eq!(calls.get(), 2 * (9_999 / limits::HASH_SLICE));
}

#[test]
fn hashing_stops_when_told() {
    let idle = Idle(&|| ());
    let result = pbkdf2(b"x", &[0; 32], 10_000, &Pulse::new(&idle, Countdown::OVER));
    assert_eq!(result, Err(Fault::TIMED_OUT));
}

#[test]
fn keys_of_another_salt_count_or_method_are_stale() {
    let request = GaussRequest::parse(10, &sample()).unwrap();
    let keys = derive(&request, b"Gauss@123").unwrap();
    assert!(keys.answer(&request).is_ok());
    let mut salt = sample();
    salt[4] = b'1';
    let mut count = sample();
    *count.last_mut().unwrap() ^= 1;
    for other in [(10, salt), (10, count), (13, body(3, &"0a".repeat(32), "a1b2c3d4", 10_000))] {
        let request = GaussRequest::parse(other.0, &other.1).unwrap();
        assert_eq!(keys.answer(&request), Err(AuthError::StaleKeys));
    }
}

#[test]
fn keys_are_read_from_text() {
    let [salt, client, stored] = ["01", "02", "03"].map(|byte| byte.repeat(32));
    let keys = GaussKeys::new(GaussMethod::Sm3, [1; 32], 2048, [2; 32], [3; 32]);
    let text = std::format!("sm3:2048:{salt}:{client}:{stored}");
    assert_eq!(GaussKeys::parse(&text), Some(keys));
    for wrong in [
        std::format!("md5:2048:{salt}:{client}:{stored}"),
        std::format!("sm3:+2048:{salt}:{client}:{stored}"),
        std::format!("sm3:4294967296:{salt}:{client}:{stored}"),
        std::format!("sm3:2048:{salt}:{client}:{stored}:"),
        std::format!("sm3:2048:{salt}:{client}:{}", &stored[2..]),
        std::format!("sm3:2048:{salt}:{client}:{}", stored.replace('3', "A")),
        std::format!("sm3:2048:{salt}:{client}"),
        String::new(),
    ] {
        assert_eq!(GaussKeys::parse(&wrong), None, "{wrong}");
    }
}

#[test]
fn keys_are_never_shown() {
    let keys = GaussKeys::new(GaussMethod::Sha256, [1; 32], 2048, [2; 32], [3; 32]);
    assert_eq!(std::format!("{keys:?}"), "GaussKeys(<redacted>)");
}

const PBKDF2_EMPTY: &str = "f57f3d8fc661a524dd4049b5e50c78a11b49c810f08038a4b618e87e1bd4aa45";
const PBKDF2_64: &str = "6ed98a9c0fb955bbccbe6a576e52f92a27104e983670d65237638071c962b9da";
const PBKDF2_65: &str = "c19aa7cf2ca2d21cd1d7f5dd2cf1c7405209a3f08eceace087fc9204aa0a78f4";
