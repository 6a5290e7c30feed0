//! The signature schemes that ClientHello offers: those that this build checks, and no others.
//!
//! The record layer has a list of its own, with more in it, and the server chooses: OpenSSL the first that fits its
//! key, rustls its own favourite, which for an RSA key is the one with SHA-512. So another list takes its place, of the
//! same length, where the message is sent ([`guard`](super::guard)) and where it is hashed
//! ([`transcript`](super::transcript)).

/// Bytes of ClientHello before the list: type and length, version, random, session, suite, compression, length of the
/// extensions, supported_versions, and what the list's own extension begins with.
const BEFORE: usize = 4 + 2 + 32 + 1 + 4 + 2 + 2 + 7 + 6;

/// ecdsa_secp256r1_sha256, ecdsa_secp384r1_sha384 and ed25519, which the record layer always lists; after them RSA's,
/// where it is told to: PKCS#1 v1.5, for the signatures in certificates, and PSS.
#[cfg(not(feature = "tls-sha512"))]
const LISTED: [u8; 6] = [4, 3, 5, 3, 8, 7];
#[cfg(feature = "tls-sha512")]
const LISTED: [u8; 18] = [4, 3, 5, 3, 8, 7, 4, 1, 5, 1, 6, 1, 8, 4, 8, 5, 8, 6];

/// What is offered instead. RSA keys can sign with SHA-256 in any case.
#[cfg(not(feature = "tls-sha512"))]
const OFFERED: [u8; 6] = [4, 3, 8, 4, 4, 1];
/// What is not checked is in the list as the first one, which is there twice or three times then.
#[cfg(feature = "tls-sha512")]
const OFFERED: [u8; 18] = {
    let mut list = LISTED;
    if cfg!(not(feature = "tls-p384")) {
        (list[2], list[3]) = (list[0], list[1]);
    }
    if cfg!(not(feature = "tls-ed25519")) {
        (list[4], list[5]) = (list[0], list[1]);
    }
    list
};

/// Makes the record layer's ClientHello the one that is meant.
pub(super) fn replace(message: &mut [u8]) {
    if let [1, ..] = message
        && let Some(list) = message.get_mut(BEFORE..).and_then(<[u8]>::first_chunk_mut)
        && *list == LISTED
    {
        *list = OFFERED;
    }
}

/// What [`replace`] makes of it, in pieces; `None` of any other message.
pub(super) fn pieces(message: &[u8]) -> Option<[&[u8]; 3]> {
    let (before, rest) = message.split_at_checked(BEFORE)?;
    let after = rest.strip_prefix(&LISTED)?;
    matches!(before, [1, ..]).then_some([before, &OFFERED, after])
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn hello(list: &[u8]) -> Vec<u8> {
        let mut message = [7; BEFORE];
        message[0] = 1;
        [&message[..], list, &[9; 20]].concat()
    }

    #[test]
    fn what_is_sent_is_what_is_hashed() {
        let mut sent = hello(&LISTED);
        let hashed = pieces(&sent).unwrap().concat();
        replace(&mut sent);
        assert_eq!(sent, hashed);
        assert_eq!(sent, hello(&OFFERED));
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        let mut other = hello(&LISTED);
        other[0] = 2;
        for message in [other, hello(&OFFERED[1..]), hello(&LISTED)[1..].to_vec(), vec![1], vec![]]
        {
            let mut same = message.clone();
            replace(&mut same);
            assert_eq!(same, message);
            assert_eq!(pieces(&message), None);
        }
    }
}
