//! The client's CertificateVerify where its signature is larger than the record layer's room for one
//! (104 bytes): RSA's.
//!
//! The record layer asks for a signature, hashes the message that it makes of it, encrypts it and
//! writes it. With the signature elsewhere, in [`Shared`](super::shared::Shared), each of these steps gets
//! what it needs from the one before, through the bytes that the record layer passes on anyway:
//!
//! 1. After the client's Certificate the [`transcript`](super::transcript::Transcript) gives, where it is asked
//!    for its hash, the chaining value that it has reached. The signer knows how many bytes that are
//!    and the last of them, so it can go on hashing: [`Covered`].
//! 2. What it returns as the signature is a stand-in of 104 bytes: the state of the hash once the true
//!    message is in it ([`stand_in`]). The transcript, which gets the message next, takes that state over
//!    ([`after`]).
//! 3. The [`cipher`](super::cipher) gets the message last. It knows no signature either, and puts the record's
//!    key and nonce in its place ([`hand_over`]): handshake keys, good for three records, in a
//!    buffer that the record layer overwrites with the next one.
//! 4. The [`guard`](super::guard), which is given the record to send, has both, and makes the true one ([`Proof::seal`]).
//!    It sends nothing else there: a record that is not from step 3 ends the link.

use aes_gcm::aead::{AeadInPlace as _, KeyInit as _};
use aes_gcm::{Aes128Gcm, Key, Nonce};

use super::bundle;
use crate::auth::Sha256;
use crate::limits::RSA_MAX_BYTES;

/// Bytes of a stand-in: what the record layer holds.
pub(super) const STAND_IN: usize = 104;
/// What it begins with: no signature of ECDSA does.
const MARK: u8 = 0;
/// The message with a stand-in: type, length, and, not looked at, scheme; length of the signature.
const MESSAGE: usize = 4 + 2 + 2 + STAND_IN;
/// Bytes around a signature in its record: the record's header, the message's, the content's type and
/// the tag.
const RECORD: usize = HEADER + 8 + RSA_MAX_BYTES + 1 + TAG;
const HEADER: usize = 5;
const TAG: usize = 16;
const KEY: usize = 16;
const NONCE: usize = 12;

/// The handshake that a client's signature covers, as far as a signer needs to know it.
pub(super) struct Covered {
    hash: Sha256,
}

impl Covered {
    /// From what the transcript gives, the bytes before the client's Certificate, and the
    /// certificates in that.
    pub(super) fn new(chaining: &[u8; 32], before: u64, certificates: &[u8]) -> Option<Self> {
        let (length, end) = bundle::tail(certificates)?;
        let length = before.checked_add(length)?;
        let rest = usize::try_from(length & 63).ok()?;
        let rest = end.get(end.len().checked_sub(rest)?..)?;
        Some(Self { hash: Sha256::at(chaining, length, rest)? })
    }

    /// The hash of it.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        self.hash.clone().finish(&mut digest);
        digest
    }

    /// What stands in for a signature.
    pub(super) fn stand_in(mut self, proof: &Proof) -> Option<[u8; STAND_IN]> {
        self.hash.update(&proof.header()?);
        self.hash.update(proof.signature()?);
        let (chaining, length, rest) = self.hash.parts();
        let mut out = [0; STAND_IN];
        let (mark, place) = out.split_first_mut()?;
        *mark = MARK;
        let (place, block) = place.split_first_chunk_mut::<32>()?;
        *place = chaining;
        let (place, block) = block.split_first_chunk_mut::<8>()?;
        *place = length.to_be_bytes();
        block.get_mut(..rest.len())?.copy_from_slice(rest);
        Some(out)
    }
}

/// The stand-in in a CertificateVerify.
fn stand_in(message: &[u8]) -> Option<&[u8; STAND_IN]> {
    let message: &[u8; MESSAGE] = message.try_into().ok()?;
    let ([15, 0, 0, 108, _, _, 0, 104], stand_in) = message.split_first_chunk::<8>()? else {
        return None;
    };
    stand_in.first_chunk().filter(|stand_in| stand_in.first() == Some(&MARK))
}

/// The hash after this message, if that has a stand-in.
pub(super) fn after(message: &[u8]) -> Option<Sha256> {
    let (_, place) = stand_in(message)?.split_first()?;
    let (chaining, place) = place.split_first_chunk()?;
    let (length, block) = place.split_first_chunk()?;
    let length = u64::from_be_bytes(*length);
    Sha256::at(chaining, length, block.get(..usize::try_from(length & 63).ok()?)?)
}

/// Makes the content of the record with the stand-in the key and nonce that it is to be encrypted
/// with. `false` where it is another record.
pub(super) fn hand_over(content: &mut [u8], key: &[u8; KEY], nonce: &[u8; NONCE]) -> bool {
    let Some((22, message)) = content.split_last() else { return false };
    if stand_in(message).is_none() {
        return false;
    }
    let secrets = content.split_first_chunk_mut().and_then(|(place, rest)| {
        *place = *key;
        rest.first_chunk_mut().map(|place| *place = *nonce)
    });
    secrets.is_some()
}

/// A signature that is to be sent.
#[derive(Clone, Copy)]
pub(super) struct Proof {
    scheme: u16,
    signature: [u8; RSA_MAX_BYTES],
    length: u16,
}

impl Proof {
    pub(super) fn new(scheme: u16, signature: &[u8]) -> Option<Self> {
        let mut this = Self { scheme, signature: [0; RSA_MAX_BYTES], length: 0 };
        this.signature.get_mut(..signature.len())?.copy_from_slice(signature);
        this.length = u16::try_from(signature.len()).ok()?;
        Some(this)
    }

    fn signature(&self) -> Option<&[u8]> {
        self.signature.get(..usize::from(self.length))
    }

    /// What stands before the signature in the message.
    fn header(&self) -> Option<[u8; 8]> {
        let [high, low] = self.length.to_be_bytes();
        let [upper, lower] = self.length.checked_add(4)?.to_be_bytes();
        let [scheme, number] = self.scheme.to_be_bytes();
        Some([15, 0, upper, lower, scheme, number, high, low])
    }

    /// The record to send in place of `written`, which holds key and nonce.
    pub(super) fn seal<'o>(&self, written: &[u8], out: &'o mut Sealed) -> Option<&'o [u8]> {
        let (header, body) = written.split_first_chunk::<HEADER>()?;
        let (key, rest) = body.split_first_chunk::<KEY>()?;
        let nonce = rest.first_chunk::<NONCE>()?;
        // The record has the length of its content: no tag was added to it.
        if *header != [23, 3, 3, 0, 113] || body.len() != MESSAGE.saturating_add(1) {
            return None;
        }
        let signature = self.signature()?;
        let content = signature.len().checked_add(8 + 1)?;
        let [high, low] = u16::try_from(content.checked_add(TAG)?).ok()?.to_be_bytes();
        let header = [23, 3, 3, high, low];
        let (place, body) = out.0.split_first_chunk_mut()?;
        *place = header;
        let (text, tag) = body.split_at_mut_checked(content)?;
        let (place, text_after) = text.split_first_chunk_mut()?;
        *place = self.header()?;
        let (last, place) = text_after.split_last_mut()?;
        *last = 22;
        place.copy_from_slice(signature);
        let cipher = Aes128Gcm::new(Key::<Aes128Gcm>::from_slice(key));
        let made =
            cipher.encrypt_in_place_detached(Nonce::from_slice(nonce), &header, text).ok()?;
        *tag.first_chunk_mut::<TAG>()? = made.into();
        out.0.get(..HEADER.checked_add(content)?.checked_add(TAG)?)
    }
}

/// Room for a record that was made anew.
pub(super) struct Sealed([u8; RECORD]);

impl Sealed {
    pub(super) const fn new() -> Self {
        Self([0; RECORD])
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use sha2::digest::FixedOutput as _;
    use sha2::{Digest, Sha256};

    use super::super::transcript::Transcript;
    use super::*;

    fn certificate(length: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        [&[0x30, 0x82, high, low][..], &vec(length, 7)].concat()
    }

    fn vec(length: usize, byte: u8) -> Vec<u8> {
        core::iter::repeat_n(byte, length).collect()
    }

    /// A client's Certificate as the record layer makes it, and as it is sent.
    fn messages(certificates: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let message = |entries: &[Vec<u8>]| {
            let size = |n: usize| [0, (n >> 8) as u8, n as u8];
            let entry = |der: &Vec<u8>| [&size(der.len())[..], der, &[0, 0]].concat();
            let list: Vec<u8> = entries.iter().flat_map(entry).collect();
            let body = [&[0][..], &size(list.len()), &list].concat();
            [&[11][..], &size(body.len()), &body].concat()
        };
        (message(&[certificates.concat()]), message(certificates))
    }

    fn hash(transcript: &Transcript) -> [u8; 32] {
        transcript.clone().finalize_fixed().into()
    }

    /// Whatever came before, at every place in a block: what is signed, hashed and sent is as if the
    /// record layer had room.
    #[test]
    fn the_handshake_is_as_with_room() {
        for before in 0..70 {
            for count in [1, 2] {
                let certificates =
                    vec(count, 0).iter().map(|_| certificate(260)).collect::<Vec<_>>();
                let (given, sent) = messages(&certificates);
                let earlier = vec(before, 9);
                let (mut transcript, mut plain) = (Transcript::default(), Sha256::new());
                transcript.update(&earlier);
                Digest::update(&mut plain, &earlier);
                assert_eq!(hash(&transcript)[..], plain.clone().finalize()[..]);
                transcript.update(&given);
                Digest::update(&mut plain, &sent);

                let chaining = hash(&transcript);
                let covered =
                    Covered::new(&chaining, before as u64, &certificates.concat()).unwrap();
                assert_eq!(covered.digest()[..], plain.clone().finalize()[..], "{before}");

                let signature = vec(256 + before, 3);
                let proof = Proof::new(0x0804, &signature).unwrap();
                let stand_in = covered.stand_in(&proof).unwrap();
                let message = [&[15, 0, 0, 108, 8, 4, 0, 104][..], &stand_in].concat();
                transcript.update(&message);
                let [high, low] = u16::try_from(signature.len()).unwrap().to_be_bytes();
                let [upper, lower] = u16::try_from(signature.len() + 4).unwrap().to_be_bytes();
                let true_message =
                    [&[15, 0, upper, lower, 8, 4, high, low][..], &signature].concat();
                Digest::update(&mut plain, &true_message);
                assert_eq!(hash(&transcript)[..], plain.clone().finalize()[..], "{before}");
                transcript.update(b"more");
                Digest::update(&mut plain, b"more");
                assert_eq!(hash(&transcript)[..], plain.finalize()[..], "{before}");

                let mut content = [&message[..], &[22]].concat();
                let (key, nonce) = ([1; 16], [2; 12]);
                assert!(hand_over(&mut content, &key, &nonce));
                let mut out = Sealed::new();
                let written = [&[23, 3, 3, 0, 113][..], &content].concat();
                let record = proof.seal(&written, &mut out).unwrap();
                let (header, body) = record.split_at(5);
                assert_eq!(usize::from(u16::from_be_bytes([header[3], header[4]])), body.len());
                let (body, tag) = body.split_at(body.len() - 16);
                let mut body = body.to_vec();
                Aes128Gcm::new(&key.into())
                    .decrypt_in_place_detached(&nonce.into(), header, &mut body, tag.into())
                    .unwrap();
                assert_eq!(body, [&true_message[..], &[22]].concat());
            }
        }
    }

    /// Signatures that the record layer has room for are its own to hash and to send.
    #[test]
    fn nothing_else_is_taken_for_a_stand_in() {
        let (key, nonce) = ([1; 16], [2; 12]);
        let mut longest = [&[15, 0, 0, 108, 5, 3, 0, 104, 0x30, 102][..], &vec(102, 0)].concat();
        assert!(after(&longest).is_none());
        for kind in [22, 23] {
            let content = [&longest[..], &[kind]].concat();
            let mut after = content.clone();
            assert!(!hand_over(&mut after, &key, &nonce));
            assert_eq!(after, content);
        }
        // Data that looks like one.
        longest[8] = MARK;
        let content = [&longest[..], &[23]].concat();
        assert!(!hand_over(&mut content.clone(), &key, &nonce));
        // Another message after the certificate is hashed as it is.
        let certificates = certificate(260);
        let (given, sent) = messages(core::slice::from_ref(&certificates));
        let mut transcript = Transcript::default();
        transcript.update(&given);
        transcript.update(b"another");
        let plain = Sha256::digest([&sent[..], b"another"].concat());
        assert_eq!(hash(&transcript)[..], plain[..]);
    }

    /// What is not from the cipher's hands is never sent in place of the proof, and neither are keys.
    #[test]
    fn only_a_record_that_was_handed_over_is_sealed() {
        let proof = Proof::new(0x0804, &[3; 256]).unwrap();
        let mut out = Sealed::new();
        for written in [
            &[][..],
            &[23, 3, 3, 0, 113],
            &[&[21, 3, 3, 0, 113][..], &[0; 113]].concat(),
            &[&[23, 3, 3, 0, 113][..], &[0; 112]].concat(),
            &[&[23, 3, 3, 0, 129][..], &[0; 129]].concat(),
        ] {
            assert!(proof.seal(written, &mut out).is_none());
        }
        assert!(Proof::new(0x0804, &[3; RSA_MAX_BYTES + 1]).is_none());
    }
}
