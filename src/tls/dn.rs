//! Distinguished names: what is in them, and whether two are the same (RFC 5280 section 7.1).
//!
//! The same name may be written in several types of string, in capitals or not, with more or
//! fewer spaces. Where the question is whether something is allowed, names are the same if they
//! are so with ASCII letters of either case and any spaces. Where something is forbidden, all
//! that the RFC may take for the same is the same: what lies beyond ASCII, which would need
//! Unicode's tables, is like anything, and so is a string of a rarer type.

use super::CertificateError;
use super::der::{self, Der, Tlv};
use super::work::Budget;

/// To what end names are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Allow,
    Forbid,
}

pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
pub(super) const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

/// Whether two names (the contents of each) are the same, to allow something.
pub(super) fn same(a: &[u8], b: &[u8], budget: &Budget<'_>) -> Result<bool, CertificateError> {
    if a == b {
        return Ok(true);
    }
    let mut rest = Der::new(a);
    Ok(starts_with(&mut rest, Der::new(b), To::Allow, budget)? && rest.is_empty())
}

/// Whether `name` is `base` or below it.
pub(super) fn within(
    name: &[u8],
    base: &[u8],
    to: To,
    budget: &Budget<'_>,
) -> Result<bool, CertificateError> {
    starts_with(&mut Der::new(name), Der::new(base), to, budget)
}

/// The values of the attributes of one type.
pub(super) fn values<'n>(
    name: &'n [u8],
    oid: &[u8],
    visit: &mut dyn FnMut(Tlv<'n>) -> Result<(), CertificateError>,
) -> Result<(), CertificateError> {
    let mut name = Der::new(name);
    while !name.is_empty() {
        let mut set = name.nested(der::SET)?;
        while !set.is_empty() {
            let (kind, value) = attribute(&mut set)?;
            if kind == oid {
                visit(value)?;
            }
        }
    }
    Ok(())
}

fn attribute<'n>(set: &mut Der<'n>) -> Result<(&'n [u8], Tlv<'n>), CertificateError> {
    let mut fields = set.nested(der::SEQUENCE)?;
    let attribute = (fields.value(der::OID)?, fields.any()?);
    fields.finish()?;
    Ok(attribute)
}

/// Takes the parts of `base` off `name`, one after the other.
fn starts_with(
    name: &mut Der<'_>,
    mut base: Der<'_>,
    to: To,
    budget: &Budget<'_>,
) -> Result<bool, CertificateError> {
    while !base.is_empty() {
        let wanted = base.nested(der::SET)?;
        if name.is_empty() {
            return Ok(false);
        }
        let set = name.nested(der::SET)?;
        // The order of attributes depends on how they are written.
        let same = has_all(set, wanted, to, budget)?
            && (to == To::Forbid || has_all(wanted, set, to, budget)?);
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether each of the wanted attributes is among these.
fn has_all(
    set: Der<'_>,
    mut wanted: Der<'_>,
    to: To,
    budget: &Budget<'_>,
) -> Result<bool, CertificateError> {
    while !wanted.is_empty() {
        let (kind, value) = attribute(&mut wanted)?;
        let (mut found, mut among) = (false, set);
        while !among.is_empty() {
            budget.name()?;
            let (other_kind, other) = attribute(&mut among)?;
            found |= other_kind == kind && same_value(other, value, to);
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_value(a: Tlv<'_>, b: Tlv<'_>, to: To) -> bool {
    if a.whole == b.whole {
        return true;
    }
    let (Some(mut a), Some(mut b)) = (Text::of(a), Text::of(b)) else {
        // A string of a type that is not known, beside one that is.
        return to == To::Forbid && a.tag != b.tag;
    };
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (a, b) if to == To::Forbid && (is_beyond(a) || is_beyond(b)) => return true,
            (Some(a), Some(b)) if a == b => {}
            _ => return false,
        }
    }
}

/// Whether the rules for a character are in Unicode's tables.
fn is_beyond(byte: Option<u8>) -> bool {
    byte.is_some_and(|b| !matches!(b, b' '..=b'~'))
}

/// A string's bytes: small letters, one space where there are some, none at the ends.
struct Text<'n> {
    rest: &'n [u8],
    begun: bool,
}

impl<'n> Text<'n> {
    /// `None` for what is not a string of a byte for each ASCII character.
    const fn of(value: Tlv<'n>) -> Option<Self> {
        match value.tag {
            // UTF8String; NumericString, PrintableString, TeletexString, IA5String, VisibleString
            0x0c | 0x12 | 0x13 | 0x14 | 0x16 | 0x1a => {
                Some(Self { rest: value.value, begun: false })
            }
            _ => None,
        }
    }

    fn next(&mut self) -> Option<u8> {
        let before = self.rest;
        while let [b' ' | b'\t'..=b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        let (first, rest) = self.rest.split_first()?;
        if self.begun && self.rest.len() != before.len() {
            return Some(b' ');
        }
        self.begun = true;
        self.rest = rest;
        Some(first.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn same(a: &[u8], b: &[u8]) -> bool {
        super::same(a, b, &Budget::new(&|| Ok(()))).unwrap()
    }

    fn within(name: &[u8], base: &[u8], to: To) -> Result<bool, CertificateError> {
        super::within(name, base, to, &Budget::new(&|| Ok(())))
    }

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        [&[tag, u8::try_from(value.len()).unwrap()], value].concat()
    }

    /// An attribute organizationName, or with another last byte.
    fn organization(tag: u8, text: &[u8]) -> Vec<u8> {
        tlv(0x30, &[&tlv(6, &[0x55, 4, 10])[..], &tlv(tag, text)].concat())
    }

    fn part(attributes: &[Vec<u8>]) -> Vec<u8> {
        tlv(0x31, &attributes.concat())
    }

    fn name(tag: u8, text: &[u8]) -> Vec<u8> {
        part(&[organization(tag, text)])
    }

    #[test]
    fn strings_are_compared_by_their_meaning() {
        const UTF8: u8 = 0x0c;
        const PRINTABLE: u8 = 0x13;
        let evil = name(PRINTABLE, b"Evil Corp");
        for (other, allow, forbid) in [
            (name(PRINTABLE, b"Evil Corp"), true, true),
            (name(UTF8, b"Evil Corp"), true, true),
            (name(UTF8, b"EVIL corp"), true, true),
            (name(0x16, b"  evil \t corp "), true, true),
            (name(0x14, b"Evil Corp"), true, true),
            (name(UTF8, b"Evil\x0bCorp"), true, true),
            (name(UTF8, b"EvilCorp"), false, false),
            (name(UTF8, b"Evil Cor"), false, false),
            (name(UTF8, b"Evil Corps"), false, false),
            (name(UTF8, b"Good Corp"), false, false),
            (name(UTF8, b""), false, false),
            // Characters that Unicode's rules may drop or fold.
            (name(UTF8, "Evil\u{ad} Corp".as_bytes()), false, true),
            (name(UTF8, "Ev\u{ff49}l Corp".as_bytes()), false, true),
            (name(UTF8, b"Evil\0 Corp"), false, true),
            (name(UTF8, "Gr\u{fc}n".as_bytes()), false, false),
            // Strings of a type that is not compared: BMPString, GeneralString.
            (name(0x1e, b"\0E\0v\0i\0l\0 \0C\0o\0r\0p"), false, true),
            (name(0x1b, b"Evil Corp"), false, true),
            (name(UTF8, b"Evil Corp\xff"), false, true),
            (
                part(&[tlv(
                    0x30,
                    &[&tlv(6, &[0x55, 4, 11])[..], &tlv(UTF8, b"Evil Corp")].concat(),
                )]),
                false,
                false,
            ),
        ] {
            assert_eq!(same(&other, &evil), allow, "{other:02x?}");
            assert_eq!(same(&evil, &other), allow, "{other:02x?}");
            assert_eq!(within(&other, &evil, To::Allow), Ok(allow), "{other:02x?}");
            assert_eq!(within(&other, &evil, To::Forbid), Ok(forbid), "{other:02x?}");
            let below = [&other[..], &name(UTF8, b"below")].concat();
            assert_eq!(within(&below, &evil, To::Allow), Ok(allow), "{other:02x?}");
            assert_eq!(within(&below, &evil, To::Forbid), Ok(forbid), "{other:02x?}");
            assert!(!same(&below, &evil));
        }
        assert_eq!(within(&[], &evil, To::Forbid), Ok(false));
        assert_eq!(within(&evil, &[], To::Allow), Ok(true));
        assert!(within(&evil[..evil.len() - 1], &evil, To::Forbid).is_err());
    }

    #[test]
    fn parts_of_several_attributes_have_no_order() {
        let (a, b) = (organization(0x0c, b"a"), organization(0x0c, b"b"));
        let both = part(&[a.clone(), b.clone()]);
        let turned = part(&[b.clone(), a.clone()]);
        let one = part(&[a]);
        assert!(same(&both, &turned));
        assert!(!same(&both, &one) && !same(&one, &both));
        assert_eq!(within(&both, &one, To::Allow), Ok(false));
        assert_eq!(within(&both, &one, To::Forbid), Ok(true));
        assert_eq!(within(&one, &both, To::Forbid), Ok(false));
    }

    #[test]
    fn work_is_bounded() {
        let nine: Vec<Vec<u8>> = (0..9).map(|n| organization(0x0c, &[n])).collect();
        let enin: Vec<Vec<u8>> = nine.iter().rev().cloned().collect();
        let [a, b] = [part(&nine), part(&enin)];
        assert!(same(&a.repeat(50), &b.repeat(50)));
        let budget = Budget::new(&|| Ok(()));
        let result = super::same(&a.repeat(120), &b.repeat(120), &budget);
        assert_eq!(result, Err(CertificateError::TooMuchWork));
    }
}
