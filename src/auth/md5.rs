//! The MD5 challenge.

use md5::{Digest, Md5};

/// `md5` and the hexadecimal MD5 of (hexadecimal MD5 of password and user) and salt. Source:
/// manual, "Start-up", AuthenticationMD5Password.
pub(crate) fn md5_answer(user: &[u8], password: &[u8], salt: [u8; 4]) -> [u8; 35] {
    let inner = hex(Md5::new().chain_update(password).chain_update(user));
    let outer = hex(Md5::new().chain_update(inner).chain_update(salt));
    let mut answer = *b"md5................................";
    for (to, from) in answer.iter_mut().skip(3).zip(outer) {
        *to = from;
    }
    answer
}

fn hex(hash: Md5) -> [u8; 32] {
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash.finalize()) {
        let digit = |n: u8| if n < 10 { b'0'.wrapping_add(n) } else { b'W'.wrapping_add(n) };
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // Known answers A and D of the openGauss vectors, whose MD5 is PostgreSQL's.
        assert_eq!(
            md5_answer(b"jack", b"Gauss@123", [1, 2, 3, 4]),
            *b"md5dbd954a36ca0424bada77dc6c5ad8c3f"
        );
        assert_eq!(
            md5_answer(b"u", b"pw", [0xde, 0xad, 0xbe, 0xef]),
            *b"md5c2d25c42b7bf95561529b6ca889357e7"
        );
    }
}
