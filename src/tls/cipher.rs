//! TLS_AES_128_GCM_SHA256 with a look at what comes out: the record layer gets only decrypted
//! records whose content is legal at the moment.
//!
//! Ciphers are made anew for every record and know nothing of the connection. What they must
//! know, the [`guard`](super::guard) tells them in the header that is authenticated with a record:
//! it marks those that come after the handshake. The mark is undone before the check. In the other
//! direction, a handshake message that is larger than its record is replaced by a certificate that
//! is none but says how large the message is; the [`verifier`](super::verifier) reads that.

use aes_gcm::aead::{self, AeadCore, AeadInPlace, KeyInit, KeySizeUser};
use aes_gcm::{Aes128Gcm, Key, Nonce, Tag};
use embedded_tls::blocking::{Aes128GcmSha256, TlsCipherSuite};

/// Low byte of the version in the header of a record that comes after the handshake.
pub(super) const AFTER_HANDSHAKE: u8 = 0x7f;

/// The cipher suite.
pub(super) struct Suite;

impl TlsCipherSuite for Suite {
    const CODE_POINT: u16 = Aes128GcmSha256::CODE_POINT;
    type Cipher = Cipher;
    type KeyLen = <Aes128GcmSha256 as TlsCipherSuite>::KeyLen;
    type IvLen = <Aes128GcmSha256 as TlsCipherSuite>::IvLen;
    type Hash = <Aes128GcmSha256 as TlsCipherSuite>::Hash;
    type LabelBufferSize = <Aes128GcmSha256 as TlsCipherSuite>::LabelBufferSize;
}

/// AES-128-GCM that refuses plaintexts out of place as it refuses forged ones.
pub(super) struct Cipher(Aes128Gcm);

impl KeySizeUser for Cipher {
    type KeySize = <Aes128Gcm as KeySizeUser>::KeySize;
}

impl KeyInit for Cipher {
    // Without inlining the key schedule, 700 bytes, would be on the stack twice.
    #[inline(always)]
    fn new(key: &Key<Self>) -> Self {
        Self(Aes128Gcm::new(key))
    }
}

impl AeadCore for Cipher {
    type NonceSize = <Aes128Gcm as AeadCore>::NonceSize;
    type TagSize = <Aes128Gcm as AeadCore>::TagSize;
    type CiphertextOverhead = <Aes128Gcm as AeadCore>::CiphertextOverhead;
}

impl AeadInPlace for Cipher {
    #[inline(always)]
    fn encrypt_in_place_detached(
        &self,
        nonce: &Nonce<Self::NonceSize>,
        header: &[u8],
        content: &mut [u8],
    ) -> aead::Result<Tag<Self::TagSize>> {
        self.0.encrypt_in_place_detached(nonce, header, content)
    }

    #[inline(always)]
    fn decrypt_in_place_detached(
        &self,
        nonce: &Nonce<Self::NonceSize>,
        header: &[u8],
        content: &mut [u8],
        tag: &Tag<Self::TagSize>,
    ) -> aead::Result<()> {
        let &[kind, major, minor, high, low] = header else { return Err(aead::Error) };
        let open = minor == AFTER_HANDSHAKE;
        let true_minor = if open { 3 } else { minor };
        let header = [kind, major, true_minor, high, low];
        self.0.decrypt_in_place_detached(nonce, &header, content, tag)?;
        if is_legal(content, open) { Ok(()) } else { Err(aead::Error) }
    }
}

/// Whether a TLSInnerPlaintext (RFC 8446 section 5.2) may come now.
fn is_legal(content: &mut [u8], open: bool) -> bool {
    let Some(end) = content.iter().rposition(|&b| b != 0) else { return false };
    let Some((content, [kind, ..])) = content.split_at_mut_checked(end) else { return false };
    match (*kind, open) {
        (21, _) | (23, true) => true,
        (22, _) => are_legal(content, open),
        _ => false,
    }
}

/// Whether these handshake messages may come now. One that is not whole is for the verifier to
/// refuse, or for the record layer.
fn are_legal(mut messages: &mut [u8], open: bool) -> bool {
    while let [kind, a, b, c, rest @ ..] = &*messages {
        let legal = match kind {
            4 | 24 => open,                 // NewSessionTicket, KeyUpdate
            8 | 11 | 13 | 15 | 20 => !open, // EncryptedExtensions … Finished
            _ => false,
        };
        let (kind, length) = (*kind, [*a, *b, *c]);
        let [a, b, c] = length;
        let end = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        if legal && !open && end > rest.len() {
            stand_in(messages, length);
            return true;
        }
        let next = end.saturating_add(4);
        messages = core::mem::take(&mut messages).get_mut(next..).unwrap_or_default();
        // Nothing follows Finished under the same keys.
        if !legal || kind == 20 && !messages.is_empty() {
            return false;
        }
    }
    true
}

/// Makes a message that does not fit its record a Certificate with one entry of three bytes: the
/// length of the message, without its header. No certificate is as short.
fn stand_in(message: &mut [u8], [a, b, c]: [u8; 3]) {
    let certificate = [11, 0, 0, 12, 0, 0, 0, 8, 0, 0, 3, a, b, c, 0, 0];
    // In a record with less room than that the rest is the record layer's to refuse.
    if let Some(start) = message.get_mut(..certificate.len()) {
        start.copy_from_slice(&certificate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_legal_in_its_phase_only() {
        for (content, handshake, after) in [
            (&b""[..], false, false),
            (b"\0\0\0", false, false),
            (b"data\x17", false, true),
            (b"\x17\0\0", false, true),
            (b"\x02\x28\x15", true, true),
            (b"\x01\x14", false, false),
            (b"\x08\0\0\x02\0\0\x16", true, false),
            (b"\x08\0\0\x02\0\0\x14\0\0\0\x16\0", true, false),
            (b"\x14\0\0\0\x0b\0\0\0\x16", false, false),
            (b"\x04\0\0\x01x\x16", false, true),
            (b"\x04\0\0\x01x\x08\0\0\0\x16", false, false),
            (b"\x18\0\0\x01\0\x16", false, true),
            (b"\x02\0\0\0\x16", false, false),
            (b"\x0b\0\xff\xff\x16", true, false),
        ] {
            assert_eq!(is_legal(&mut content.to_vec(), false), handshake, "{content:02x?}");
            assert_eq!(is_legal(&mut content.to_vec(), true), after, "{content:02x?}");
        }
    }

    #[test]
    fn a_message_that_is_not_whole_says_how_long_it_is() {
        // EncryptedExtensions, then the first bytes of a Certificate.
        let mut content = [&b"\x08\0\0\x02\0\0\x0b\0\x10\x02"[..], &[7; 13], &[22]].concat();
        assert!(is_legal(&mut content, false));
        let stands = b"\x0b\0\0\x0c\0\0\0\x08\0\0\x03\0\x10\x02\0\0";
        assert_eq!(content[6..22], stands[..]);
        assert_eq!(content[22..], [7, 22]);
        // After the handshake, and where there is no room, nothing is changed.
        let ticket = [&b"\x04\0\x10\x02"[..], &[7; 13], &[22]].concat();
        let mut content = ticket.clone();
        assert!(is_legal(&mut content, true));
        assert_eq!(content, ticket);
        let mut content = *b"\x0b\0\x10\x02\x01\x16";
        assert!(is_legal(&mut content, false));
        assert_eq!(content, *b"\x0b\0\x10\x02\x01\x16");
    }
}
