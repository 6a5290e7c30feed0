//! The server's side of the logins, on code apart from the driver's but for the hash itself.

use std::sync::OnceLock;

use super::peer::NONCE;
use sha2::{Digest, Sha256};

pub const PASSWORD: &str = "Tr0ub4dor&3";
const SALT: &[u8] = b"a salt of sixtee";

/// Server-first, client-final without its length, server-final of a login as user `u` with
/// [`PASSWORD`] and [`ENTROPY`](super::peer::ENTROPY).
pub struct Scram {
    pub server_first: String,
    pub client_final: String,
    pub server_final: String,
}

/// The exchange with 4096 iterations, computed once.
pub fn scram() -> &'static Scram {
    static SCRAM: OnceLock<Scram> = OnceLock::new();
    SCRAM.get_or_init(|| exchange(4096))
}

pub fn exchange(iterations: u32) -> Scram {
    let nonce = format!("{NONCE}the server's nonce%").replace([' ', '\''], "-");
    let server_first = format!("r={nonce},s={},i={iterations}", base64(SALT));
    let without_proof = format!("c=biws,r={nonce}");
    let auth_message = format!("n=,r={NONCE},{server_first},{without_proof}");
    let mut u = hmac(PASSWORD.as_bytes(), &[SALT, &[0, 0, 0, 1]].concat());
    let mut salted = u;
    for _ in 1..iterations {
        u = hmac(PASSWORD.as_bytes(), &u);
        for (sum, byte) in salted.iter_mut().zip(u) {
            *sum ^= byte;
        }
    }
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: [u8; 32] = Sha256::digest(client_key).into();
    let signature = hmac(&stored_key, auth_message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server_key = hmac(&salted, b"Server Key");
    let verifier = hmac(&server_key, auth_message.as_bytes());
    Scram {
        server_first,
        client_final: format!("{without_proof},p={}", base64(&proof)),
        server_final: format!("v={}", base64(&verifier)),
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

/// What answers AuthenticationMD5Password.
pub fn md5_answer(salt: [u8; 4]) -> String {
    use md5::Md5;
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let inner = hex(&Md5::digest(format!("{PASSWORD}u")));
    format!("md5{}", hex(&Md5::new().chain_update(inner).chain_update(salt).finalize()))
}

pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, b| bits << 8 | u32::from(*b));
        let bits = bits << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[test]
fn the_entropy_of_the_machine_is_the_nonce() {
    assert_eq!(base64(&super::peer::ENTROPY), NONCE);
    assert_eq!(base64(b"a"), "YQ==");
}
