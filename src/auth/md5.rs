//! The MD5 challenge.

use md5::{Digest, Md5};

use crate::wire::digits;

/// `md5` and the hexadecimal MD5 of (hexadecimal MD5 of password and user) and salt. Source:
/// manual, "Start-up", AuthenticationMD5Password.
pub(crate) fn md5_answer(user: &[u8], password: &[u8], salt: [u8; 4]) -> [u8; 35] {
    let mut answer = *b"md5................................";
    let [_, _, _, text @ ..] = &mut answer;
    digits::hex(&Md5::new().chain_update(password).chain_update(user).finalize(), text);
    let outer = Md5::new().chain_update(*text).chain_update(salt).finalize();
    digits::hex(&outer, text);
    answer
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
