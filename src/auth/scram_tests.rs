//! Tests of SCRAM, with the known answers of RFC 7677.

use super::super::hmac_sha256;
use super::*;
use crate::credentials::{Credentials, Secret};
use crate::platform::{Countdown, Idle, Pulse};
use std::string::{String, ToString};
use std::vec::Vec;

/// RFC 7677 section 3.
const SALT: &[u8] = b"W22ZaJ0SNY7soEsUEjb6gQ==";

#[test]
fn salted_password_and_signatures_agree_with_rfc_7677() {
    let mut salt = [0; 16];
    let salt = base64::decode(SALT, &mut salt).unwrap();
    let mut salted = [0; 32];
    salted_password(b"pencil", salt, 4096, &Idle(&|| ()).pulse(), &mut salted).unwrap();
    let message: &[u8] = b"n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let server_key = hmac_sha256(&salted, b"Server Key");
    let mut text = [0; 44];
    assert_eq!(
        base64::encode(&hmac_sha256(&server_key, message), &mut text).unwrap(),
        b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    );
    let client_key = hmac_sha256(&salted, b"Client Key");
    let signature = hmac_sha256(&Sha256::digest(&[&client_key]), message);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    assert_eq!(
        base64::encode(&proof, &mut text).unwrap(),
        b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    );
}

fn secrets() -> Secrets<'static, 'static> {
    static CREDENTIALS: Credentials<'static> =
        Credentials { password: Some(Secret::new("pw")), ..Credentials::NONE };
    Secrets { credentials: &CREDENTIALS, cache: None }
}

fn begun() -> Scram<'static> {
    let mut scram = Scram::IDLE;
    scram.begin(&[0; NONCE], Binding::None);
    scram
}

fn exchange(server_first: &str) -> (Scram<'static>, Result<(), Fault>) {
    let mut scram = begun();
    let message = server_first.as_bytes();
    let result = scram.server_first(message, &mut secrets(), &Idle(&|| ()).pulse());
    (scram, result)
}

fn first(rest: &str) -> String {
    let mut text = "r=AAAAAAAAAAAAAAAAAAAAAAAA".to_string();
    text.push_str(rest);
    text
}

#[test]
fn what_the_server_may_not_say() {
    let auth = |e: AuthError| Err(Fault::from(e));
    for (rest, expected) in [
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", Ok(())),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,x=ext", Ok(())),
        (",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", auth(AuthError::Nonce)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=20001", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2147483647", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4294971392", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=9999999999", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=10000000000", auth(AuthError::Iterations)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=04096", auth(AuthError::Malformed)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=+4096", auth(AuthError::Malformed)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=", auth(AuthError::Malformed)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096", auth(AuthError::Malformed)),
        ("x,s=,i=4096", auth(AuthError::Malformed)),
        ("x,s=W22ZaJ0SNY7soEsUEjb6gQ==", auth(AuthError::Malformed)),
    ] {
        assert_eq!(exchange(&first(rest)).1, expected, "{rest}");
    }
    assert_eq!(exchange("m=x,r=AAAA,s=AAAA,i=4096").1, auth(AuthError::Malformed));
    let other = "r=BAAAAAAAAAAAAAAAAAAAAAAAx,s=AAAA,i=4096";
    assert_eq!(exchange(other).1, auth(AuthError::Nonce));
}

#[test]
fn the_server_must_prove_itself_once_and_in_order() {
    let message = first("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    let (mut scram, _) = exchange(&message);
    let mut text = [0; 44];
    let signature = base64::encode(&scram.keys.server, &mut text).unwrap();
    let mut good = b"v=".to_vec();
    good.extend_from_slice(signature);
    assert!(!scram.is_verified());
    assert_eq!(scram.server_final(&good), Ok(()));
    assert!(scram.is_verified());
    assert_eq!(scram.server_final(&good), Err(AuthError::Malformed));
    assert!(!scram.is_verified());

    let (mut scram, _) = exchange(&message);
    let mut bad = good.clone();
    bad[5] ^= 1;
    assert_eq!(scram.server_final(&bad), Err(AuthError::ServerSignature));
    let (mut scram, _) = exchange(&message);
    assert_eq!(scram.server_final(b"e=invalid-proof"), Err(AuthError::Rejected));
    assert_eq!(begun().server_final(&good), Err(AuthError::Malformed));
}

#[cfg(feature = "tls")]
#[test]
fn the_binding_is_its_header_and_hash_in_base64() {
    let hash = [0x5a; 32];
    for binding in [Binding::None, Binding::NotOffered, Binding::EndPoint(&hash)] {
        let mut whole = binding.gs2().to_vec();
        if let Binding::EndPoint(hash) = binding {
            whole.extend_from_slice(hash);
        }
        let mut want = [0; 120];
        let want = base64::encode(&whole, &mut want).unwrap();
        let text = binding.text(&mut [0; HASH_TEXT]).concat();
        assert_eq!(text.strip_prefix(b"c="), Some(want), "{binding:?}");
    }
    let mut buf = [0; HASH_TEXT];
    assert_eq!(Binding::EndPoint(&[1; 64]).text(&mut buf).concat().len(), 122);
}

#[test]
fn hashing_stops_when_told() {
    let mut scram = begun();
    let message = first("x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    let idle = Idle(&|| ());
    let tick = Pulse::new(&idle, Countdown::OVER);
    let result = scram.server_first(message.as_bytes(), &mut secrets(), &tick);
    assert_eq!(result, Err(Fault::TIMED_OUT));
}
