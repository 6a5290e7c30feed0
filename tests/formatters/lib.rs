//! What the driver's types write through defmt: nothing secret.
//!
//! A crate of its own, for the feature of defmt that gives the bytes back must not be on anywhere
//! else.

#![cfg(test)]

use barepg::{Config, GaussKeys, GaussMethod};
use defmt::Format;

/// The bytes that a value writes.
fn written<T: Format>(value: &T) -> Vec<u8> {
    let _ = defmt::export::fetch_bytes();
    defmt::export::fmt(value);
    defmt::export::fetch_bytes()
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

const PASSWORD: &str = "Tr0ub4dor&3";
const CLIENT_KEY: &str = "Y2xpZW50IGtleSBvZiBleGFjdGx5IDMyIGJ5dGVzISE=";
const SERVER_KEY: &str = "c2VydmVyIGtleSBvZiBleGFjdGx5IDMyIGJ5dGVzISE=";

#[test]
fn passwords_and_keys_are_not_written() {
    let keys = GaussKeys::new(
        GaussMethod::Sha256,
        [1; 32],
        10_000,
        *b"0123456789abcdef0123456789abcdef",
        [7; 32],
    );
    let bytes = written(&keys);
    assert!(!bytes.is_empty());
    for secret in [&b"0123456789abcdef"[..], &[7; 8]] {
        assert!(!has(&bytes, secret));
    }
    let config = Config::new()
        .user("the-user")
        .password(PASSWORD)
        .scram_client_key(CLIENT_KEY)
        .scram_server_key(SERVER_KEY)
        .gauss_keys(&keys);
    let bytes = written(&config);
    // The user is there, so the password would be.
    assert!(has(&bytes, b"the-user"));
    for secret in [PASSWORD.as_bytes(), CLIENT_KEY.as_bytes(), SERVER_KEY.as_bytes()] {
        assert!(!has(&bytes, secret));
    }
    assert!(!has(&bytes, b"0123456789abcdef"));
}

#[test]
fn parse_errors_hold_nothing_of_the_text() {
    for text in [
        "password=Tr0ub4dor&3 port=x",
        "password='Tr0ub4dor&3",
        "Tr0ub4dor&3",
        "postgresql://u:Tr0ub4dor&3@h:x",
    ] {
        let mut scratch = [0; 100];
        let error = Config::parse(text, &mut scratch).unwrap_err();
        assert!(!has(&written(&error), b"Tr0ub4dor"), "{text}");
        assert!(!format!("{error} {error:?}").contains("Tr0ub4dor"), "{text}");
    }
}
