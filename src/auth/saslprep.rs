//! The form in which SCRAM hashes a password: SASLprep (RFC 4013), or its bytes where SASLprep
//! does not take it. PostgreSQL's server and libpq do the same when it is set and when it is used.

#[cfg(feature = "saslprep")]
use stringprep::tables;
#[cfg(feature = "saslprep")]
use unicode_normalization::UnicodeNormalization as _;

use crate::credentials::Credentials;
use crate::error::{ConfigError, Fault};

/// Longest prepared password, in bytes: NFKC makes some texts longer.
#[cfg(feature = "saslprep")]
const LONGEST: usize = 4096;

/// Calls `hash` with the form to be hashed.
pub(super) fn prepared<T>(
    password: &[u8],
    credentials: &Credentials<'_>,
    hash: impl FnOnce(&[u8]) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if credentials.password_prepared || is_its_own_form(password) {
        return hash(password);
    }
    #[cfg(feature = "saslprep")]
    return match core::str::from_utf8(password) {
        Ok(text) if is_taken(text) => {
            let mut place = zeroize::Zeroizing::new([0; LONGEST]);
            let length = normalize(text, &mut place).ok_or(ConfigError::PasswordForm)?;
            hash(place.get(..length).unwrap_or(&[]))
        }
        _ => hash(password),
    };
    #[cfg(not(feature = "saslprep"))]
    Err(ConfigError::PasswordForm.into())
}

/// A text with its characters mapped (RFC 4013 section 2.1).
#[cfg(feature = "saslprep")]
fn mapped(text: &str) -> impl DoubleEndedIterator<Item = char> + Clone {
    let spaces = |c| if tables::non_ascii_space_character(c) { ' ' } else { c };
    text.chars().map(spaces).filter(|c| !tables::commonly_mapped_to_nothing(*c))
}

/// Whether SASLprep takes a text. Like PostgreSQL, and unlike RFC 4013, this looks at the characters
/// before they are normalized.
#[cfg(feature = "saslprep")]
fn is_taken(text: &str) -> bool {
    let is_prohibited = |c| {
        tables::ascii_control_character(c)
            || tables::non_ascii_control_character(c)
            || tables::private_use(c)
            || tables::non_character_code_point(c)
            || tables::inappropriate_for_plain_text(c)
            || tables::inappropriate_for_canonical_representation(c)
            || tables::change_display_properties_or_deprecated(c)
            || tables::tagging_character(c)
            || tables::unassigned_code_point(c)
    };
    let mut ends = mapped(text);
    let Some(first) = ends.next() else { return false };
    let last = ends.next_back().unwrap_or(first);
    let right_to_left = mapped(text).any(tables::bidi_r_or_al);
    let one_direction = !right_to_left
        || tables::bidi_r_or_al(first)
            && tables::bidi_r_or_al(last)
            && !mapped(text).any(tables::bidi_l);
    one_direction && !mapped(text).any(is_prohibited)
}

/// Writes the normalized text (NFKC). Returns its length; `None` where it does not fit.
#[cfg(feature = "saslprep")]
fn normalize(text: &str, place: &mut [u8; LONGEST]) -> Option<usize> {
    let mut length = 0_usize;
    for c in mapped(text).nfkc() {
        let end = length.checked_add(c.len_utf8())?;
        c.encode_utf8(place.get_mut(length..end)?);
        length = end;
    }
    Some(length)
}

/// Whether SASLprep leaves a text as it is, without a look at Unicode's tables: ASCII (with control
/// characters it is not taken, and its bytes are hashed), and the letters of Latin-1 (U+00C0 to
/// U+00FF), which NFKC keeps and none of which combines with what stands before it.
fn is_its_own_form(password: &[u8]) -> bool {
    // Of UTF-8: all but those of two bytes that begin with another one, and of three and four.
    password.iter().all(|byte| *byte < 0xc0 || *byte == 0xc3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn form(password: &str, credentials: &Credentials<'_>) -> Result<String, Fault> {
        prepared(password.as_bytes(), credentials, |bytes| {
            Ok(String::from_utf8(bytes.into()).unwrap())
        })
    }

    #[test]
    fn what_needs_no_tables_is_taken_as_it_is() {
        for text in ["", "secret", "a b", "tab\t", "Zoë", "Müller÷×", "ÀÿÐ"] {
            assert_eq!(form(text, &Credentials::NONE).as_deref(), Ok(text));
        }
    }

    /// Each of these has another form, or may have one.
    const OTHERS: [&str; 7] =
        ["\u{a0}", "a\u{ad}b", "\u{aa}", "e\u{301}", "\u{2168}", "пароль", "\u{e000}x"];

    #[cfg(not(feature = "saslprep"))]
    #[test]
    fn what_may_have_another_form_is_refused() {
        for text in OTHERS {
            assert_eq!(form(text, &Credentials::NONE), Err(ConfigError::PasswordForm.into()));
        }
    }

    #[test]
    fn what_is_declared_prepared_is_taken_as_it_is() {
        for text in OTHERS {
            let declared = Credentials { password_prepared: true, ..Credentials::NONE };
            assert_eq!(form(text, &declared).as_deref(), Ok(text));
        }
    }

    /// RFC 4013 section 3, and what PostgreSQL does with what SASLprep does not take.
    #[cfg(feature = "saslprep")]
    #[test]
    fn what_has_another_form_is_prepared() {
        for (text, prepared) in [
            ("I\u{ad}X", "IX"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            ("a\u{a0}b", "a b"),
            ("e\u{301}", "é"),
            ("пароль", "пароль"),
            // Prohibited, of mixed directions, nothing left: as it is.
            ("\u{e000}\u{aa}", "\u{e000}\u{aa}"),
            ("\u{627}1\u{aa}", "\u{627}1\u{aa}"),
            ("\u{ad}", "\u{ad}"),
        ] {
            assert_eq!(form(text, &Credentials::NONE).as_deref(), Ok(prepared), "{text:?}");
        }
        assert!(form(&"\u{fdfa}".repeat(150), &Credentials::NONE).is_err());
    }
}
