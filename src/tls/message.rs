//! The server's handshake messages as the record layer may see them.
//!
//! The record layer finds the end of a message by the lengths inside it, and knows a few
//! extensions, groups and signature schemes by heart: a value that is new to it would end the
//! handshake, although RFC 8446 section 4.2 has unknown ones skipped. So a message is handed on
//! only if every length in it is exact ([`walk`]), and then with the types of its extensions
//! changed to unknown ones ([`hide`]): what they say is read here, or by the hash of the
//! handshake's messages, [`Transcript`](super::transcript::Transcript), which changes them back.

use core::cell::Cell;

/// In the place of the highest byte of a message's length, which is always 0: its extensions are
/// hidden.
pub(super) const HIDDEN: u8 = 0xa5;
/// What the high byte of an extension's type is changed by. No type that is assigned, reserved or
/// for private use becomes one that the record layer knows.
pub(super) const CHANGE: u8 = 0xa5;
/// The type of application_layer_protocol_negotiation.
const ALPN: usize = 16;
/// A list with the one protocol `postgresql` (RFC 7301 section 3.1).
const POSTGRESQL: &[u8; 13] = b"\x00\x0b\x0apostgresql";

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Good,
    Malformed,
    /// EncryptedExtensions that select another protocol than was offered, or none where one must be.
    NoAlpn,
}

/// Hides the extensions of a whole message of the server's. `must_select`: the protocol that was
/// offered; otherwise it may also select none, as servers before PostgreSQL 17 do.
#[inline(never)]
pub(super) fn hide(message: &mut [u8], must_select: bool) -> Look {
    let is_extensions = message.first() == Some(&8);
    let message = Cell::from_mut(message).as_slice_of_cells();
    let byte = |at: usize| message.get(at).map_or(0, Cell::get);
    let (mut selected, mut others) = (0u8, 0u8);
    let walked = walk(&byte, message.len(), &mut |at, kind, data| {
        if is_extensions && kind == ALPN {
            let same = data.len() == POSTGRESQL.len()
                && (data.at..).zip(POSTGRESQL).all(|(at, &b)| byte(at) == b);
            let count = if same { &mut selected } else { &mut others };
            *count = count.saturating_add(1);
        }
        if let Some(high) = message.get(at) {
            high.set(high.get() ^ CHANGE);
        }
    });
    if let (Some(()), Some(length)) = (walked, message.get(1)) {
        length.set(HIDDEN);
        match (selected, others) {
            (1, 0) => Look::Good,
            (0, 0) if !(is_extensions && must_select) => Look::Good,
            _ => Look::NoAlpn,
        }
    } else {
        Look::Malformed
    }
}

/// Whether this is a whole NewSessionTicket.
pub(super) fn is_ticket(message: &[u8]) -> bool {
    let byte = |at: usize| message.get(at).copied().unwrap_or(0);
    message.first() == Some(&4) && walk(&byte, message.len(), &mut |_, _, _| {}).is_some()
}

/// A part of a message, wherever its bytes lie.
pub(super) struct Part<'m> {
    byte: &'m dyn Fn(usize) -> u8,
    at: usize,
    end: usize,
}

impl<'m> Part<'m> {
    const fn len(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> Option<Part<'m>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.end)?;
        Some(Part { byte: self.byte, at: core::mem::replace(&mut self.at, end), end })
    }

    /// A number of `width` bytes.
    pub(super) fn number(&mut self, width: usize) -> Option<usize> {
        let Part { at, end, .. } = self.take(width)?;
        Some((at..end).fold(0, |n: usize, at| n.wrapping_shl(8) | usize::from((self.byte)(at))))
    }

    /// What a length of `width` bytes stands before.
    #[inline(never)]
    pub(super) fn part(&mut self, width: usize) -> Option<Part<'m>> {
        let length = self.number(width)?;
        self.take(length)
    }

    pub(super) fn finish(&self) -> Option<()> {
        (self.at == self.end).then_some(())
    }
}

/// Gets the place and the number of an extension's type, and its data.
pub(super) type Visit<'v> = &'v mut dyn FnMut(usize, usize, Part<'_>);

/// Goes through a handshake message of the server's, which fills `0..end` to the last byte, and
/// visits its extensions. `None` where a length in it is not exact.
#[inline(never)]
pub(super) fn walk(byte: &dyn Fn(usize) -> u8, end: usize, visit: Visit<'_>) -> Option<()> {
    let mut message = Part { byte, at: 0, end };
    let kind = message.number(1)?;
    let mut body = message.part(3)?;
    message.finish()?;
    match kind {
        // NewSessionTicket: lifetime and age_add, then nonce, ticket, extensions.
        4 => {
            body.take(8)?;
            body.part(1)?;
            body.part(2)?;
            extensions(&mut body, visit)?;
        }
        // EncryptedExtensions
        8 => extensions(&mut body, visit)?,
        // Certificate. The context is empty, in a request too, while the handshake lasts.
        11 => {
            body.part(1)?.finish()?;
            let mut entries = body.part(3)?;
            while entries.finish().is_none() {
                entries.part(3)?;
                extensions(&mut entries, visit)?;
            }
        }
        // CertificateRequest
        13 => {
            body.part(1)?.finish()?;
            extensions(&mut body, visit)?;
        }
        // CertificateVerify
        15 => {
            body.number(2)?;
            body.part(2)?;
        }
        // Finished
        20 => {
            body.take(32)?;
        }
        _ => return None,
    }
    body.finish()
}

#[inline(never)]
fn extensions(part: &mut Part<'_>, visit: Visit<'_>) -> Option<()> {
    let mut list = part.part(2)?;
    while list.finish().is_none() {
        let at = list.at;
        let kind = list.number(2)?;
        visit(at, kind, list.part(2)?);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use sha2::digest::{FixedOutput as _, Update};
    use sha2::{Digest as _, Sha256};

    use super::super::transcript::Transcript;
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    fn sized(body: &[u8]) -> Vec<u8> {
        [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], body].concat()
    }

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &sized(data)].concat()
    }

    /// Two extensions of the server's each, with values that are in no standard.
    fn good() -> [Vec<u8>; 5] {
        let groups = extension(10, b"\0\x04\0\x17\x7a\x7a");
        let list = sized(&[groups, extension(0xfafa, b"x")].concat());
        [
            message(8, &list),
            message(13, &[&[0][..], &list].concat()),
            message(11, &[&[0, 0, 0, 23, 0, 0, 3, 1, 2, 3][..], &list].concat()),
            message(15, b"\x04\x03\0\x02ab"),
            message(20, &[7; 32]),
        ]
    }

    #[test]
    fn a_hidden_message_is_hashed_as_it_was() {
        for message in good() {
            let mut hidden = message.clone();
            assert_eq!(hide(&mut hidden, false), Look::Good, "{message:02x?}");
            assert_eq!(hidden[1], HIDDEN);
            let shown = hidden.windows(2).filter(|pair| *pair == [0, 10]).count();
            assert_eq!(shown, 0, "{hidden:02x?}");
            let mut transcript = Transcript::default();
            Update::update(&mut transcript, &hidden);
            assert_eq!(transcript.finalize_fixed(), Sha256::digest(&message), "{message:02x?}");
        }
        // What is no message is hashed as it is.
        let noise = [HIDDEN; 64];
        let mut transcript = Transcript::default();
        Update::update(&mut transcript, &noise);
        assert_eq!(transcript.finalize_fixed(), Sha256::digest(noise));
    }

    /// Any cut, and one more or less in any byte but those of data and of extensions' types.
    #[test]
    fn lengths_are_exact() {
        let list =
            |at: usize| [at + 2..at + 4, at + 6..at + 12, at + 12..at + 14, at + 16..at + 17];
        let certificate = Vec::from_iter(core::iter::once(11..14).chain(list(14)));
        let free = [
            list(4).to_vec(),
            list(5).to_vec(),
            certificate,
            Vec::from([4..6, 8..10]),
            Vec::from_iter(core::iter::once(4..36)),
        ];
        for (message, free) in good().iter().zip(free) {
            for cut in 0..message.len() {
                assert_eq!(hide(&mut message[..cut].to_vec(), false), Look::Malformed, "{cut}");
            }
            let mut longer = message.clone();
            longer.push(0);
            assert_eq!(hide(&mut longer, false), Look::Malformed);
            for at in 0..message.len() {
                for by in [1, 255] {
                    let mut bent = message.clone();
                    bent[at] = bent[at].wrapping_add(by);
                    let free = free.iter().any(|range| range.contains(&at));
                    let want = if free { Look::Good } else { Look::Malformed };
                    assert_eq!(hide(&mut bent, false), want, "{message:02x?} at {at}");
                }
            }
        }
    }

    #[test]
    fn the_protocol_is_the_one_that_was_offered() {
        let right = extension(16, b"\0\x0b\x0apostgresql");
        let other = extension(16, b"\0\x0b\x0apostgresqk");
        let two = extension(16, b"\0\x0d\x0apostgresql\x01x");
        for (extensions, wanted) in [
            (Vec::new(), Look::NoAlpn),
            (right.clone(), Look::Good),
            (other.clone(), Look::NoAlpn),
            (two, Look::NoAlpn),
            (extension(16, b""), Look::NoAlpn),
            ([&right[..], &right].concat(), Look::NoAlpn),
            ([&right[..], &other].concat(), Look::NoAlpn),
            ([&right[..], &extension(0, b"")].concat(), Look::Good),
        ] {
            let message = message(8, &sized(&extensions));
            assert_eq!(hide(&mut message.clone(), true), wanted, "{extensions:02x?}");
            // None is as well where none need be.
            let wanted = if extensions.is_empty() { Look::Good } else { wanted };
            assert_eq!(hide(&mut message.clone(), false), wanted, "{extensions:02x?}");
        }
    }
}
