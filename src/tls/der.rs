//! Reading DER (ITU-T X.690) from a slice.
//!
//! Only what certificates and keys need: tags of one byte, definite lengths up to 65,535 bytes
//! in their shortest form. Anything else is refused. Nothing panics, whatever the bytes.

use super::CertificateError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// What was read is no DER, or not what it has to be. Without a field: the value beside it is returned in
/// registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl From<Malformed> for CertificateError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// A cursor over DER values that stand one after the other.
#[derive(Clone, Copy)]
pub(super) struct Der<'a> {
    rest: &'a [u8],
}

/// One value: tag, contents, and all of it with its header.
#[derive(Clone, Copy)]
pub(super) struct Tlv<'a> {
    pub tag: u8,
    pub value: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Der<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that nothing is left.
    pub(super) const fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// The next value, of any tag.
    pub(super) fn any(&mut self) -> Result<Tlv<'a>, Malformed> {
        let all = self.rest;
        let (header, length) = header(all).ok_or(Malformed)?;
        let end = header.checked_add(length).ok_or(Malformed)?;
        let (whole, rest) = all.split_at_checked(end).ok_or(Malformed)?;
        let value = whole.get(header..).ok_or(Malformed)?;
        let tag = *whole.first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(Tlv { tag, value, whole })
    }

    /// The contents of the next value, which must have this tag.
    pub(super) fn value(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let tlv = self.any()?;
        if tlv.tag == tag { Ok(tlv.value) } else { Err(Malformed) }
    }

    /// The values inside the next value, which must have this tag.
    pub(super) fn nested(&mut self, tag: u8) -> Result<Self, Malformed> {
        self.value(tag).map(Self::new)
    }

    /// The contents of the next value if it has this tag; otherwise nothing is read.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.first() == Some(&tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    /// A BOOLEAN with default false. DER writes true as 0xff and leaves the default out, but
    /// certificates with an explicit false are in the field.
    pub(super) fn boolean_or_false(&mut self) -> Result<bool, Malformed> {
        match self.optional(BOOLEAN)? {
            None | Some([0x00]) => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(Malformed),
        }
    }

    /// The bytes of a BIT STRING that holds whole bytes.
    pub(super) fn bit_string(&mut self) -> Result<&'a [u8], Malformed> {
        match self.value(BIT_STRING)?.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// The magnitude of a non-negative INTEGER, without leading zeros (empty for zero).
    pub(super) fn unsigned(&mut self) -> Result<&'a [u8], Malformed> {
        match self.value(INTEGER)? {
            [] => Err(Malformed),
            [0] => Ok(&[]),
            [0, rest @ ..] if rest.first().is_some_and(|&b| b >= 0x80) => Ok(rest),
            [0x00 | 0x80..=0xff, ..] => Err(Malformed),
            all => Ok(all),
        }
    }
}

/// Lengths of header and contents of the value at the start of `bytes`.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        // Tags of more than one byte do not occur in certificates.
        [tag, ..] if tag & 0x1f == 0x1f => None,
        [_, len @ 0..=0x7f, ..] => Some((2, usize::from(len))),
        [_, 0x81, len @ 0x80..=0xff, ..] => Some((3, usize::from(len))),
        [_, 0x82, high @ 1..=0xff, low, ..] => {
            Some((4, usize::from(u16::from_be_bytes([high, low]))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_values_one_after_the_other() {
        let mut der = Der::new(&[0x02, 0x01, 0x05, 0x30, 0x03, 0x01, 0x01, 0xff, 0x04, 0x00]);
        assert_eq!(der.unsigned(), Ok(&[5][..]));
        assert_eq!(der.optional(OCTET_STRING), Ok(None));
        let mut inner = der.nested(SEQUENCE).unwrap();
        assert_eq!(inner.boolean_or_false(), Ok(true));
        assert_eq!(inner.finish(), Ok(()));
        let last = der.any().unwrap();
        assert_eq!((last.tag, last.value, last.whole), (4, &[][..], &[4, 0][..]));
        assert_eq!(der.finish(), Ok(()));
    }

    #[test]
    fn refuses_lengths_that_are_not_der() {
        let long = [0u8; 0x1_0100];
        for bad in [
            &[0x04, 0x80][..],               // indefinite
            &[0x04, 0x81, 0x7f],             // not the shortest form
            &[0x04, 0x82, 0x00, 0xff],       // not the shortest form
            &[0x04, 0x83, 0x01, 0x00, 0x00], // longer than any certificate
            &[0x04, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x04, 0x05, 1, 2, 3, 4], // cut
            &[0x04],
            &[],
            &[0x1f, 0x01, 0x00], // tag of several bytes
        ] {
            let mut padded = bad.to_vec();
            assert!(Der::new(&padded).any().is_err(), "{bad:02x?}");
            if bad.len() > 2 && bad[1] > 0x80 {
                padded.extend_from_slice(&long);
                assert!(Der::new(&padded).any().is_err(), "{bad:02x?} with room");
            }
        }
    }

    #[test]
    fn refuses_integers_that_are_not_der_or_negative() {
        for (bytes, want) in [
            (&[0x02, 1, 0][..], Ok(&[][..])),
            (&[0x02, 2, 0, 0x80], Ok(&[0x80][..])),
            (&[0x02, 1, 0x7f], Ok(&[0x7f][..])),
            (&[0x02, 2, 0, 0x7f], Err(Malformed)),
            (&[0x02, 1, 0x80], Err(Malformed)),
            (&[0x02, 0], Err(Malformed)),
        ] {
            assert_eq!(Der::new(bytes).unsigned(), want, "{bytes:02x?}");
        }
    }
}
