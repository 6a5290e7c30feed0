//! CommandComplete: how many rows, and what kind of command.

use crate::wire::{WireError, has_nul};

/// What CommandComplete says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandTag<'a> {
    /// Rows touched, 0 where the tag names none.
    pub rows: u64,
    text: &'a [u8],
}

/// What a command without a count of rows did to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// COMMIT, PREPARE TRANSACTION, COMMIT PREPARED.
    Commits,
    /// It may have committed, where no transaction was open: in one these commands either fail or
    /// are part of it (manual, "CALL", "VACUUM", "CREATE DATABASE" and others).
    MayCommit,
    /// ROLLBACK, also to a savepoint: what COMMIT of a failed transaction is answered with.
    Rollback,
    /// BEGIN or START TRANSACTION.
    Begin,
    /// DEALLOCATE, DISCARD: prepared statements are gone.
    Forgets,
    /// DISCARD where it may have committed too.
    ForgetsAndMayCommit,
    /// Anything else.
    Other,
}

impl<'a> CommandTag<'a> {
    /// Reads the body of CommandComplete: the number is the last word, if it is one.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when the body is not one string.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        let [text @ .., 0] = body else { return Err(WireError::Malformed) };
        let (mut rows, mut place, mut rest) = (0_u64, 1_u64, text);
        while let [head @ .., digit @ b'0'..=b'9'] = rest {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            rows = rows.wrapping_add(digit.wrapping_mul(place));
            place = place.wrapping_mul(10);
            rest = head;
        }
        // Digits are none, so all of it is looked at, in words.
        if has_nul(text) { Err(WireError::Malformed) } else { Ok(Self { rows, text }) }
    }

    /// The count of the commands that small firmware runs most, of nine digits at most. `None`:
    /// [`decode`](Self::decode) must look. Their names are known, so that no NUL is looked for.
    #[cfg(any(target_os = "none", test))]
    #[inline]
    pub fn common_count(body: &[u8]) -> Option<u64> {
        let digits = match body.split_first_chunk() {
            Some((b"SELECT ", digits)) => digits,
            _ => match body.split_first_chunk() {
                Some((b"INSERT 0 ", digits)) => digits,
                _ => return None,
            },
        };
        let [digits @ .., 0] = digits else { return None };
        if digits.is_empty() || digits.len() > 9 {
            return None;
        }
        let mut rows = 0_u32;
        for digit in digits {
            let digit = digit.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            rows = rows.wrapping_mul(10).wrapping_add(digit.into());
        }
        Some(rows.into())
    }

    /// Whether it names a count of rows.
    #[inline]
    pub const fn counts(&self) -> bool {
        matches!(self.text, [.., b'0'..=b'9'])
    }

    /// What kind of command it was; `None` for those that count rows, which never end a
    /// transaction. In a Query with several statements those that cannot be part of a transaction
    /// are not legal, so `simple` spares the usual DDL.
    #[inline]
    pub fn kind(&self, simple: bool) -> Option<CommandKind> {
        if self.counts() { None } else { Some(kind(self.text, simple)) }
    }
}

#[cold]
#[inline(never)]
fn kind(text: &[u8], simple: bool) -> CommandKind {
    // By their first three letters, and what that says: `m` for may commit, `d` for what defines an
    // object. Of databases, tablespaces, subscriptions and, concurrently, indexes the latter commits.
    static KNOWN: [u32; 16] = [
        word(b"ROLr"),
        word(b"BEGb"),
        word(b"STAb"),
        word(b"COMc"),
        word(b"PREp"),
        word(b"CALm"),
        word(b"DO\0m"),
        word(b"VACm"),
        word(b"REIm"),
        word(b"CLUm"),
        word(b"CREd"),
        word(b"DROd"),
        word(b"ALTd"),
        word(b"ANAd"),
        word(b"DISg"),
        word(b"DEAf"),
    ];
    let letter = |at| text.get(at).copied().unwrap_or(0);
    let letters = word(&[letter(0), letter(1), letter(2), 0]);
    let known = KNOWN.iter().find(|known| **known & 0x00ff_ffff == letters);
    match known.map_or(0, |known| known.to_le_bytes()[3]) {
        // ROLLBACK PREPARED.
        b'r' if text.len() > b"ROLLBACK".len() => CommandKind::MayCommit,
        b'r' => CommandKind::Rollback,
        b'b' => CommandKind::Begin,
        // COMMENT and PREPARE begin as they do.
        b'c' if text.get(4) == Some(&b'I') => CommandKind::Commits,
        b'p' if text.len() > b"PREPARE".len() => CommandKind::Commits,
        b'm' => CommandKind::MayCommit,
        b'd' if !simple => CommandKind::MayCommit,
        b'g' if !simple => CommandKind::ForgetsAndMayCommit,
        b'f' | b'g' => CommandKind::Forgets,
        _ => CommandKind::Other,
    }
}

const fn word(letters: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_give_their_counts() {
        let rows = |text: &[u8]| CommandTag::decode(text).unwrap().rows;
        assert_eq!(rows(b"INSERT 0 5\0"), 5);
        assert_eq!(rows(b"INSERT 0 100\0"), 100);
        assert_eq!(rows(b"SELECT 18446744073709551615\0"), u64::MAX);
        assert_eq!(rows(b"CREATE TABLE\0"), 0);
        assert_eq!(rows(b"\0"), 0);
        assert!(CommandTag::decode(b"INSERT 0 5").is_err());
        assert!(CommandTag::decode(b"INSERT\0x").is_err());
        assert!(CommandTag::decode(b"IN\0SERT 5\0").is_err());
        assert!(CommandTag::decode(b"").is_err());
    }

    #[test]
    fn what_is_counted_quickly_is_counted_alike() {
        for text in [
            &b"SELECT 0\0"[..],
            b"SELECT 1\0",
            b"SELECT 999999999\0",
            b"INSERT 0 100\0",
            b"INSERT 0 7\0",
        ] {
            let counted = CommandTag::decode(text).unwrap();
            assert!(counted.counts());
            assert_eq!(CommandTag::common_count(text), Some(counted.rows));
        }
        for text in [
            &b""[..],
            b"\0",
            b"SELECT 1",
            b"SELECT \0",
            b"SELECT 1 \0",
            b"SELECT -1\0",
            b"SELECT 1\x002\0",
            b"SELECT 1\0\0",
            b"SELECTS 1\0",
            b"SELECT 1000000000\0",
            b"INSERT 0 \0",
            b"INSERT 1 1\0",
            b"INSERT 0 1:\0",
            b"INSERT 0 1/\0",
            b"UPDATE 1\0",
        ] {
            assert_eq!(CommandTag::common_count(text), None, "{text:?}");
        }
    }

    #[test]
    fn commands_that_commit_are_known() {
        let kind = |text: &[u8], simple| CommandTag::decode(text).unwrap().kind(simple);
        for simple in [false, true] {
            for text in [&b"COMMIT\0"[..], b"COMMIT PREPARED\0", b"PREPARE TRANSACTION\0"] {
                assert_eq!(kind(text, simple), Some(CommandKind::Commits));
            }
            for text in [&b"CALL\0"[..], b"DO\0", b"VACUUM\0", b"ROLLBACK PREPARED\0"] {
                assert_eq!(kind(text, simple), Some(CommandKind::MayCommit));
            }
            for text in [&b"COMMENT\0"[..], b"PREPARE\0"] {
                assert_eq!(kind(text, simple), Some(CommandKind::Other));
            }
            assert_eq!(kind(b"INSERT 0 1\0", simple), None);
            assert_eq!(kind(b"ROLLBACK\0", simple), Some(CommandKind::Rollback));
            assert_eq!(kind(b"BEGIN\0", simple), Some(CommandKind::Begin));
            assert_eq!(kind(b"START TRANSACTION\0", simple), Some(CommandKind::Begin));
            assert_eq!(kind(b"DEALLOCATE ALL\0", simple), Some(CommandKind::Forgets));
            assert_eq!(kind(b"DECLARE CURSOR\0", simple), Some(CommandKind::Other));
            assert_eq!(kind(b"SET\0", simple), Some(CommandKind::Other));
            assert_eq!(kind(b"\0", simple), Some(CommandKind::Other));
        }
        assert_eq!(kind(b"DISCARD ALL\0", false), Some(CommandKind::ForgetsAndMayCommit));
        assert_eq!(kind(b"DISCARD ALL\0", true), Some(CommandKind::Forgets));
        assert_eq!(kind(b"CREATE DATABASE\0", false), Some(CommandKind::MayCommit));
        assert_eq!(kind(b"CREATE TABLE\0", true), Some(CommandKind::Other));
    }
}
