//! TLS_AES_128_GCM_SHA256 with a look at what comes out: the record layer gets only decrypted
//! records whose content is legal at the moment.
//!
//! Ciphers are made anew for every record and know nothing of the connection. What they must
//! know, the [`guard`](super::guard) writes them into the header that is authenticated with a record:
//! it marks what may come first in it. The mark is undone before the check. In the other
//! direction, a handshake message that is larger than its record is replaced by a certificate that
//! is none but says how large the message is; the [`verifier`](super::verifier) reads that.

use aes_gcm::aead::{self, AeadCore, AeadInPlace, KeyInit, KeySizeUser};
use aes_gcm::{Aes128Gcm, Key, Nonce, Tag};
use embedded_tls::blocking::{Aes128GcmSha256, TlsCipherSuite};

use super::message::{self, Look};
use super::transcript::Transcript;

/// What the guard puts in the place of the version's low byte in the header of an encrypted record:
/// the handshake message that may come next, in the order of RFC 8446 section 4.4.
pub(super) mod expect {
    /// EncryptedExtensions that must select the protocol (ALPN) that was offered.
    pub(in super::super) const PROTOCOL: u8 = 0x79;
    /// EncryptedExtensions.
    pub(in super::super) const EXTENSIONS: u8 = 0x7a;
    /// CertificateRequest or Certificate.
    pub(in super::super) const REQUEST: u8 = 0x7b;
    /// Certificate.
    pub(in super::super) const CERTIFICATE: u8 = 0x7c;
    /// CertificateVerify.
    pub(in super::super) const PROOF: u8 = 0x7d;
    /// Finished.
    pub(in super::super) const FINISHED: u8 = 0x7e;
    /// Application data, and messages that come after the handshake.
    pub(in super::super) const DATA: u8 = 0x7f;
}

/// The cipher suite.
pub(super) struct Suite;

impl TlsCipherSuite for Suite {
    const CODE_POINT: u16 = Aes128GcmSha256::CODE_POINT;
    type Cipher = Cipher;
    type KeyLen = <Aes128GcmSha256 as TlsCipherSuite>::KeyLen;
    type IvLen = <Aes128GcmSha256 as TlsCipherSuite>::IvLen;
    type Hash = Transcript;
    type LabelBufferSize = <Aes128GcmSha256 as TlsCipherSuite>::LabelBufferSize;
}

/// AES-128-GCM that refuses plaintexts out of place as it refuses forged ones.
pub(super) struct Cipher {
    cipher: Aes128Gcm,
    /// For [`proof`](super::proof).
    #[cfg(feature = "tls-client-rsa")]
    key: zeroize::Zeroizing<[u8; 16]>,
}

impl KeySizeUser for Cipher {
    type KeySize = <Aes128Gcm as KeySizeUser>::KeySize;
}

impl KeyInit for Cipher {
    // Without inlining the key schedule, 700 bytes, would be on the stack twice.
    #[inline(always)]
    fn new(key: &Key<Self>) -> Self {
        Self {
            cipher: Aes128Gcm::new(key),
            #[cfg(feature = "tls-client-rsa")]
            key: zeroize::Zeroizing::new((*key).into()),
        }
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
        self.cipher.encrypt_in_place_detached(nonce, header, content)
    }

    /// The one place where a message can still grow: the client's intermediates get their entries. A
    /// proof that is elsewhere is encrypted by the guard.
    #[cfg(feature = "tls-client-cert")]
    fn encrypt_in_place(
        &self,
        nonce: &Nonce<Self::NonceSize>,
        header: &[u8],
        content: &mut dyn aead::Buffer,
    ) -> aead::Result<()> {
        #[cfg(feature = "tls-client-rsa")]
        if super::proof::hand_over(content.as_mut(), &self.key, nonce.as_ref()) {
            return Ok(());
        }
        super::bundle::spread(content)?;
        let length = content.as_ref().len().saturating_add(16);
        let [high, low] = u16::try_from(length).map_err(|_| aead::Error)?.to_be_bytes();
        let &[kind, major, minor, ..] = header else { return Err(aead::Error) };
        let header = [kind, major, minor, high, low];
        let tag = self.encrypt_in_place_detached(nonce, &header, content.as_mut())?;
        content.extend_from_slice(&tag)
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
        let header = [kind, major, 3, high, low];
        self.cipher.decrypt_in_place_detached(nonce, &header, content, tag)?;
        if is_legal(content, minor) { Ok(()) } else { Err(aead::Error) }
    }
}

/// Whether a TLSInnerPlaintext (RFC 8446 section 5.2) may come now.
fn is_legal(plaintext: &mut [u8], expected: u8) -> bool {
    let Some(end) = plaintext.iter().rposition(|&b| b != 0) else { return false };
    let padding = plaintext.len().saturating_sub(end);
    let Some((content, [kind, ..])) = plaintext.split_at_mut_checked(end) else { return false };
    match (*kind, expected) {
        // Once the handshake is over the record layer says only that there was an alert. Data of
        // one byte in a record for two is taken for its description: see `stream`.
        (21, expect::DATA) => {
            if let ([first, second], 1) = (content, padding)
                && *second != 0
            {
                (*first, *second, *kind) = (*second, 23, 0);
            }
            true
        }
        (21, _) => true,
        (22, expect::DATA) => {
            let legal = are_tickets(content);
            // Tickets are of no use here: what is left is a record without data.
            content.fill(0);
            *kind = 0;
            retype(content, 23);
            legal
        }
        (22, _) => are_legal(content, expected),
        (23, expect::DATA) => !(content.len() == 1 && padding == 2),
        _ => false,
    }
}

/// Whether these messages can all be NewSessionTicket. One with the client's certificate in it is larger than a
/// fragment, and comes in parts: what is not whole can be one of those, for it cannot be said where a ticket began.
fn are_tickets(mut messages: &[u8]) -> bool {
    let mut all = !messages.is_empty();
    while let [_, a, b, c, ..] = messages {
        let Some((message, rest)) = messages.split_at_checked(whole([*a, *b, *c])) else { break };
        all &= message::is_ticket(message);
        messages = rest;
    }
    all || !messages.is_empty()
}

/// Bytes of a message with its header.
fn whole([a, b, c]: [u8; 3]) -> usize {
    usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX).saturating_add(4)
}

/// Whether these handshake messages may come now. One that is out of order or not whole is made
/// something that the record layer refuses as a message, not as a record.
fn are_legal(mut messages: &mut [u8], mut expected: u8) -> bool {
    // Every record of the handshake has at least a part of a message (RFC 8446 section 5.1).
    let mut some = false;
    while let [kind, a, b, c, ..] = &mut *messages {
        let must_select = expected == expect::PROTOCOL;
        expected = match (expected, *kind) {
            (expect::PROTOCOL | expect::EXTENSIONS, 8) => expect::REQUEST,
            (expect::REQUEST, 13) => expect::CERTIFICATE,
            (expect::REQUEST | expect::CERTIFICATE, 11) => expect::PROOF,
            (expect::PROOF, 15) => expect::FINISHED,
            // Without the proof it leads to nothing either, and there is an error for that.
            (_, 20) => expect::DATA,
            (_, 8 | 11 | 13 | 15) => {
                retype(messages, 0);
                return true;
            }
            _ => return false,
        };
        let length = [*a, *b, *c];
        if whole(length) > messages.len() {
            stand_in(messages, length);
            return true;
        }
        let (message, rest) =
            core::mem::take(&mut messages).split_at_mut_checked(whole(length)).unwrap_or_default();
        match message::hide(message, must_select) {
            Look::Good => {}
            Look::Malformed => retype(message, 0),
            Look::NoAlpn => retype(message, NO_ALPN),
        }
        // Nothing follows Finished under the same keys.
        if expected == expect::DATA && !rest.is_empty() {
            return false;
        }
        some = true;
        messages = rest;
    }
    // The beginning of a message that goes on in the next record.
    retype(messages, 0);
    some || !messages.is_empty()
}

/// The type of a message that the record layer answers with an error of its own,
/// `Unimplemented`: EndOfEarlyData. In the place of EncryptedExtensions.
const NO_ALPN: u8 = 5;

/// Changes the first byte, if there is one.
fn retype(message: &mut [u8], kind: u8) {
    if let Some(first) = message.first_mut() {
        *first = kind;
    }
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
    use std::vec::Vec;

    use super::*;

    const TICKET: &[u8] = &[4, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 2, 1, 9, 0, 1, 8, 0, 0];

    /// Well-formed messages with nothing in them.
    fn message(kind: u8) -> Vec<u8> {
        let body = match kind {
            8 => &[0, 0][..],
            13 => &[0, 0, 0],
            11 => &[0, 0, 0, 0],
            15 => &[4, 3, 0, 0],
            _ => &[9; 32],
        };
        [&[kind, 0, 0, body.len() as u8], body].concat()
    }

    #[test]
    fn content_is_legal_in_its_phase_only() {
        let ticket = [TICKET, &[22]].concat();
        let finished_and_more = [message(20), Vec::from([4, 0, 0, 0, 22])].concat();
        for (content, handshake, after) in [
            (&b""[..], false, false),
            (b"\0\0\0", false, false),
            (b"data\x17", false, true),
            (b"\x17\0\0", false, true),
            (b"\x02\x28\x15", true, true),
            (b"\x01\x14", false, false),
            (b"\x16", false, false),
            (b"\x08\0\0\x02\0\0\x16", true, false),
            (&finished_and_more, false, false),
            (&ticket, false, true),
            (b"\x04\0\0\x13\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\x02\0\0\x16", false, false),
            (b"\x04\0\0\x02x\x16", false, true),
            (b"x\x16", true, true),
            (b"\x18\0\0\x01\0\x16", false, false),
            (b"\x02\0\0\0\x16", false, false),
        ] {
            let is = |expected| is_legal(&mut content.to_vec(), expected);
            assert_eq!(is(expect::EXTENSIONS), handshake, "{content:02x?}");
            assert_eq!(is(expect::DATA), after, "{content:02x?}");
        }
    }

    /// One message after the other, in one record or in several: the first that is out of order
    /// has lost its type.
    #[test]
    fn messages_come_in_order() {
        let record = |kinds: &[u8]| {
            let mut record: Vec<u8> = kinds.iter().flat_map(|kind| message(*kind)).collect();
            record.push(22);
            record
        };
        for (expected, kinds, good) in [
            (expect::EXTENSIONS, &[8, 13, 11, 15, 20][..], 5),
            (expect::EXTENSIONS, &[8, 11, 15, 20], 4),
            (expect::EXTENSIONS, &[11, 15, 20], 0),
            (expect::EXTENSIONS, &[13], 0),
            (expect::EXTENSIONS, &[8, 8], 1),
            (expect::EXTENSIONS, &[8, 13, 13], 2),
            (expect::EXTENSIONS, &[8, 15], 1),
            (expect::REQUEST, &[13, 11], 2),
            (expect::REQUEST, &[8], 0),
            (expect::CERTIFICATE, &[13], 0),
            (expect::CERTIFICATE, &[11, 11], 1),
            (expect::CERTIFICATE, &[11, 13], 1),
            (expect::PROOF, &[15, 15], 1),
            (expect::PROOF, &[15, 8], 1),
            (expect::PROOF, &[11], 0),
            (expect::FINISHED, &[15], 0),
            (expect::FINISHED, &[20], 1),
        ] {
            let mut content = record(kinds);
            assert!(is_legal(&mut content, expected));
            let mut at = 0;
            for (index, kind) in kinds.iter().enumerate() {
                let is = if index < good { *kind } else { 0 };
                assert_eq!(content[at], is, "{kinds:?}");
                if index == good {
                    break;
                }
                at += message(*kind).len();
            }
        }
    }

    /// What comes after the handshake reaches the record layer as data or as the end.
    #[test]
    fn after_the_handshake_there_is_data_or_the_end() {
        for (content, is) in [
            (&b"\x02\x28\x15"[..], &b"\x28\x17\0"[..]),
            (b"\x01\0\x15", b"\x01\0\x15"),
            (b"\x02\x28\x15\0", b"\x02\x28\x15\0"),
            (&[TICKET, &[22, 0]].concat(), &[&[23][..], &[0; 20]].concat()),
            (b"x\x17", b"x\x17"),
            (b"x\x17\0\0", b"x\x17\0\0"),
        ] {
            let mut content = content.to_vec();
            assert!(is_legal(&mut content, expect::DATA));
            assert_eq!(content, is);
        }
        // The one form of data that an alert is handed on in.
        assert!(!is_legal(&mut b"x\x17\0".to_vec(), expect::DATA));
    }

    #[test]
    fn a_message_that_is_not_whole_says_how_long_it_is() {
        // EncryptedExtensions, then the first bytes of a Certificate.
        let mut content = [&b"\x08\0\0\x02\0\0\x0b\0\x10\x02"[..], &[7; 13], &[22]].concat();
        assert!(is_legal(&mut content, expect::EXTENSIONS));
        let stands = b"\x0b\0\0\x0c\0\0\0\x08\0\0\x03\0\x10\x02\0\0";
        assert_eq!(content[6..22], stands[..]);
        assert_eq!(content[22..], [7, 22]);
        // Where there is no room, nothing is changed.
        let mut content = *b"\x0b\0\x10\x02\x01\x16";
        assert!(is_legal(&mut content, expect::CERTIFICATE));
        assert_eq!(content, *b"\x0b\0\x10\x02\x01\x16");
    }
}
