//! The client's certificate with its intermediates.
//!
//! The record layer sends one certificate. It is given all of them, concatenated, as one: here the
//! message becomes what RFC 8446 section 4.4.2 wants, an entry for each. Where the message is
//! encrypted it grows in its place ([`spread`]); where it is hashed, its pieces are ([`pieces`]).
//! The server's Certificate is never taken for one: its extensions are hidden.

use aes_gcm::aead::{self, Buffer};

use super::der::Der;

/// Type, length, context, length of the list, length of the first entry.
const HEADER: usize = 4 + 1 + 3 + 3;
/// Extensions, which there are none of, and the next entry's length.
const BETWEEN: usize = 2 + 3;

/// The certificates in a client's Certificate with one entry. `None` if it is no such message.
fn certificates(message: &[u8]) -> Option<(Der<'_>, usize)> {
    let (header, body) = message.split_at_checked(HEADER)?;
    let &[11, 0, a, b, 0, 0, c, d, 0, e, f] = header else { return None };
    let total = body.len().checked_sub(2)?;
    let length = |high, low| usize::from(u16::from_be_bytes([high, low]));
    if length(e, f) != total || length(c, d) != total.checked_add(5)? {
        return None;
    }
    let (list, [0, 0]) = body.split_at_checked(total)? else { return None };
    if length(a, b) != total.checked_add(9)? {
        return None;
    }
    let (mut rest, mut count) = (Der::new(list), 0usize);
    while !rest.is_empty() {
        rest.any().ok()?;
        count = count.checked_add(1)?;
    }
    (count > 0).then_some((Der::new(list), count))
}

/// The header of the message with so many bytes more, whose first certificate is this long.
fn header(message: &[u8], more: usize, first: usize) -> Option<[u8; HEADER]> {
    let mut out: [u8; HEADER] = message.get(..HEADER)?.try_into().ok()?;
    for (at, value) in [(2, None), (6, None), (9, Some(first))] {
        let place = out.get_mut(at..)?.first_chunk_mut::<2>()?;
        let was = usize::from(u16::from_be_bytes(*place));
        let value = value.unwrap_or(was.checked_add(more)?);
        *place = u16::try_from(value).ok()?.to_be_bytes();
    }
    Some(out)
}

/// What stands before a certificate that is not the first.
fn between(length: usize) -> Option<[u8; BETWEEN]> {
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    Some([0, 0, 0, high, low])
}

/// The message with an entry for each certificate, piece by piece. `false`, and nothing, where it is no
/// client's Certificate.
pub(super) fn pieces(message: &[u8], visit: &mut dyn FnMut(&[u8])) -> bool {
    let run = |visit: &mut dyn FnMut(&[u8])| {
        let (mut list, count) = certificates(message)?;
        let first = list.any().ok()?.whole;
        let more = count.checked_sub(1)?.checked_mul(BETWEEN)?;
        visit(&header(message, more, first.len())?);
        visit(first);
        while let Ok(next) = list.any() {
            visit(&between(next.whole.len())?);
            visit(next.whole);
        }
        visit(&[0, 0]);
        Some(())
    };
    run(visit).is_some()
}

/// How long the message with these certificates is, and its last bytes.
#[cfg(feature = "tls-client-rsa")]
pub(super) fn tail(certificates: &[u8]) -> Option<(u64, [u8; 63])> {
    let (mut list, mut length) = (Der::new(certificates), 4usize + 1 + 3);
    let mut last: &[u8] = &[];
    while !list.is_empty() {
        last = list.any().ok()?.whole;
        length = length.checked_add(last.len())?.checked_add(BETWEEN)?;
    }
    let mut end = [0; 63];
    // No certificate is shorter.
    *end.first_chunk_mut()? = *last.last_chunk::<61>()?;
    Some((u64::try_from(length).ok()?, end))
}

/// The same in a record's content, which ends with the type of what is in it.
///
/// # Errors
/// When the record has no room.
pub(super) fn spread(content: &mut dyn Buffer) -> aead::Result<()> {
    let Some((message, [22])) = content
        .as_ref()
        .len()
        .checked_sub(1)
        .and_then(|end| content.as_ref().split_at_checked(end))
    else {
        return Ok(());
    };
    let Some((mut list, count)) = certificates(message).filter(|(_, count)| *count > 1) else {
        return Ok(());
    };
    let end = message.len();
    let more = count.saturating_sub(1).saturating_mul(BETWEEN);
    let first = list.any().map_or(0, |first| first.whole.len());
    let header = header(message, more, first).ok_or(aead::Error)?;
    for _ in 1..count {
        content.extend_from_slice(&[0; BETWEEN])?;
    }
    // From the end on, so that nothing is written over before it was moved.
    let content = content.as_mut();
    let tail = end.saturating_sub(2);
    shift(content, tail, 3, more).ok_or(aead::Error)?;
    for entry in (1..count).rev() {
        let moved = entry.saturating_mul(BETWEEN);
        let (start, length) = place(content, tail, entry).ok_or(aead::Error)?;
        shift(content, start, length, moved).ok_or(aead::Error)?;
        let at = start.saturating_add(moved).saturating_sub(BETWEEN);
        let before = between(length).ok_or(aead::Error)?;
        *content.get_mut(at..).and_then(|to| to.first_chunk_mut()).ok_or(aead::Error)? = before;
    }
    *content.first_chunk_mut().ok_or(aead::Error)? = header;
    Ok(())
}

/// Where a certificate stands that was not moved yet, and how long it is.
fn place(content: &[u8], tail: usize, entry: usize) -> Option<(usize, usize)> {
    let mut list = Der::new(content.get(HEADER..tail)?);
    let mut start = HEADER;
    for _ in 0..entry {
        start = start.checked_add(list.any().ok()?.whole.len())?;
    }
    Some((start, list.any().ok()?.whole.len()))
}

fn shift(content: &mut [u8], start: usize, length: usize, by: usize) -> Option<()> {
    let to = start.checked_add(by)?;
    let end = start.checked_add(length)?;
    if to.checked_add(length)? > content.len() {
        return None;
    }
    content.copy_within(start..end, to);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn message(certificates: &[&[u8]]) -> Vec<u8> {
        let list = certificates.concat();
        let length = |more: usize| u16::try_from(list.len() + more).unwrap().to_be_bytes();
        let parts: [&[u8]; 8] =
            [&[11, 0], &length(9), &[0, 0], &length(5), &[0], &length(0), &list, &[0, 0]];
        parts.concat()
    }

    struct Content(Vec<u8>);

    impl AsRef<[u8]> for Content {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl AsMut<[u8]> for Content {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }

    impl Buffer for Content {
        fn extend_from_slice(&mut self, other: &[u8]) -> aead::Result<()> {
            self.0.extend_from_slice(other);
            Ok(())
        }

        fn truncate(&mut self, length: usize) {
            self.0.truncate(length);
        }
    }

    fn entries(certificates: &[&[u8]]) -> Vec<u8> {
        let size = |n: usize| u16::try_from(n).unwrap().to_be_bytes();
        let list: Vec<u8> = certificates
            .iter()
            .flat_map(|der| [&[0][..], &size(der.len()), der, &[0, 0]].concat())
            .collect();
        [&[11, 0][..], &size(list.len() + 4), &[0, 0], &size(list.len()), &list].concat()
    }

    #[test]
    fn each_certificate_gets_its_entry() {
        let (a, b, c) = (
            [0x30, 3, 1, 2, 3],
            [0x30, 1, 9],
            [[0x30, 0x82, 1, 0].to_vec(), [7; 256].to_vec()].concat(),
        );
        for certificates in [&[&a[..]][..], &[&a, &b], &[&a, &c], &[&c, &a], &[&b, &c, &a, &a]] {
            let (message, wanted) = (message(certificates), entries(certificates));
            let mut hashed = Vec::new();
            let changed = pieces(&message, &mut |piece| hashed.extend_from_slice(piece));
            assert!(changed);
            assert_eq!(hashed, wanted);
            #[cfg(feature = "tls-client-rsa")]
            {
                let is_long = certificates.last().unwrap().len() > 61;
                let tail = tail(&certificates.concat());
                assert_eq!(tail.is_some(), is_long);
                if let Some((length, end)) = tail {
                    assert_eq!(length, wanted.len() as u64);
                    assert!(wanted.ends_with(&end));
                }
            }
            let mut content = Content([&message[..], &[22]].concat());
            assert!(spread(&mut content).is_ok());
            assert_eq!(content.0, [&wanted[..], &[22]].concat());
        }
    }
}
