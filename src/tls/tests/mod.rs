//! Tests of the pure parts. The certificate matrix, judged beside libpq, is in `tests/tls`.

mod chain;
mod pkits;
#[cfg(feature = "tls-client-rsa")]
mod rsa_key;
mod wycheproof;

/// Bytes of hexadecimal digits.
#[cfg(feature = "tls-client-cert")]
pub(super) fn hex(digits: &str) -> std::vec::Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}
