//! What the text of a statement may do to the open transaction.

use super::Session;

/// How what is sent may end the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Ending(u8);

/// With another transaction opened in its place.
const CHAINED: u8 = 2;
/// As COMMIT, END or PREPARE TRANSACTION do: it begins as they do, and nothing else that does is
/// answered with ROLLBACK.
const COMMIT: u8 = 4;
/// It is one of several statements: what comes after it may be committed.
const MORE: u8 = 8;

impl Ending {
    /// Not.
    pub(crate) const NO: Self = Self(0);
    /// As COMMIT or ROLLBACK do.
    pub(crate) const POSSIBLE: Self = Self(1);

    /// How a statement may, by its first word, where there is only one statement. In doubt it may.
    /// `alone`: no transaction is open, and it may commit by itself.
    pub(crate) fn of(sql: &str, alone: bool) -> Self {
        // Of a constant that begins with a word, the answer is a constant.
        let sql = match sql.as_bytes() {
            sql @ [first, ..] if *first >= b'A' => sql,
            sql => after_comments(sql),
        };
        let lower = |at| sql.get(at).map(|byte: &u8| *byte | 0x20);
        // COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION; CALL and EXECUTE are in doubt. By itself
        // also DO, DROP DATABASE, VACUUM, but not DELETE.
        match lower(0) {
            // COPY, alone in that letter.
            Some(b'c') if lower(2) == Some(b'p') => Self::NO,
            Some(b'd') if alone && lower(1) != Some(b'e') => Self::POSSIBLE,
            Some(b'v') if alone => Self::POSSIBLE,
            Some(b'c' | b'e' | b'p') => Self(Self::in_words(sql).0 | COMMIT),
            Some(b'b'..=b'o' | b'q' | b's'..=b'z') => Self::NO,
            _ => Self::in_words(sql),
        }
    }

    /// As [`of`](Self::of), of a text that may hold several statements, in a transaction.
    pub(crate) fn of_many(sql: &str) -> Self {
        let one = sql.trim_ascii_end();
        let one = one.strip_suffix(';').unwrap_or(one);
        let ending = Self::of(one, false);
        match ending {
            _ if one.bytes().all(|byte| byte != b';') => ending,
            Self::NO => Self::in_words(one.as_bytes()),
            _ => ending.and_more(),
        }
    }

    /// Of one of several statements.
    pub(crate) fn and_more(self) -> Self {
        if self == Self::NO { self } else { Self(self.0 | MORE) }
    }

    /// With the letters of CHAIN in it, but for the first, it may chain.
    #[cold]
    fn in_words(sql: &[u8]) -> Self {
        let mut letters = 0_u32;
        for byte in sql {
            letters = letters << 8 | u32::from(byte | 0x20);
            if letters == u32::from_be_bytes(*b"hain") {
                return Self(Self::POSSIBLE.0 | CHAINED);
            }
        }
        Self::POSSIBLE
    }

    /// And then as `next` may. In a transaction that has failed nothing runs before the first that may.
    pub(super) const fn then(self, next: Self) -> Self {
        if self.0 == Self::NO.0 { next } else { Self(self.0 | next.0 & CHAINED) }
    }

    pub(super) const fn may_chain(self) -> bool {
        self.0 & CHAINED != 0
    }

    /// The first that may, would by committing.
    pub(super) const fn is_commit(self) -> bool {
        self.0 & COMMIT != 0
    }

    /// Others may come after it.
    pub(super) const fn is_of_many(self) -> bool {
        self.0 & MORE != 0
    }

    /// In doubt, where the server's rules are not known.
    #[inline]
    pub(crate) fn or_possible(self, doubt: bool) -> Self {
        if doubt && self == Self::NO { Self::POSSIBLE } else { self }
    }
}

impl Session<'_> {
    /// openGauss has commands of its own.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn note_ending(&mut self, ending: Ending) {
        self.ledger.sending(ending.or_possible(self.server.is_opengauss()));
    }
}

/// Whether a statement is CALL or DO, which may commit what came before it, and then fail.
pub(crate) fn may_commit_and_fail(sql: &str) -> bool {
    match after_comments(sql.as_bytes()) {
        [first, second, ..] => matches!([first | 0x20, second | 0x20], [b'c', b'a'] | [b'd', b'o']),
        _ => false,
    }
}

/// What is left of a text after white space, comments and the ends of empty statements.
fn after_comments(sql: &[u8]) -> &[u8] {
    const fn pair(bytes: [u8; 2]) -> u16 {
        u16::from_be_bytes(bytes)
    }
    // Comments within comments.
    let mut depth = 0_u32;
    let mut bytes = sql.iter();
    loop {
        let left = bytes.as_slice();
        let Some(&byte) = bytes.next() else { return left };
        let two = pair([byte, bytes.as_slice().first().copied().unwrap_or(0)]);
        if two == pair(*b"/*") {
            depth = depth.wrapping_add(1);
            bytes.next();
        } else if depth != 0 {
            if two == pair(*b"*/") {
                depth = depth.wrapping_sub(1);
                bytes.next();
            }
        } else if two == pair(*b"--") {
            bytes.any(|byte| matches!(byte, b'\n' | b'\r'));
        } else if byte > b' ' && byte != b';' {
            return left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_end_a_transaction_is_found_by_its_first_word() {
        let is = |sql, ending| (Ending::of(sql, false), Ending::of_many(sql)) == (ending, ending);
        let possible = Ending::POSSIBLE.0;
        for sql in ["rollback", "abort", "(select 1)", "", "/* commit */rollback", "--end\rabort"] {
            assert!(is(sql, Ending::POSSIBLE), "{sql}");
        }
        for sql in [
            "commit",
            " COMMIT;",
            "end",
            "prepare transaction 'x'",
            "call p()",
            "execute x",
            "/* /* */ -- */ commit",
            "--\r\n\x0bend",
        ] {
            assert!(is(sql, Ending(possible | COMMIT)), "{sql}");
        }
        for sql in [
            "insert into t values (1)",
            "\n select 1",
            "copy t from stdin",
            "with x as (…)",
            "/* */ select 1",
            "--commit\nselect 1",
        ] {
            assert!(is(sql, Ending::NO), "{sql}");
        }
        for sql in ["commit and chain", "/**/END/**/and\nCHAIN;"] {
            assert!(is(sql, Ending(possible | COMMIT | CHAINED)), "{sql}");
        }
        for sql in ["ROLLBACK AND CHAIN;", "/**/abort/**/and\nCHAIN"] {
            assert!(is(sql, Ending(possible | CHAINED)), "{sql}");
        }
        assert_eq!(Ending::of("insert into chain values (1)", false), Ending::NO);
    }

    #[test]
    fn of_several_statements_the_first_that_may_end_it_counts() {
        let possible = Ending::POSSIBLE.0;
        for (sql, ending) in [
            ("insert into t values (1); ", 0),
            ("insert into t values (1); commit", possible),
            ("insert into t values (';')", possible),
            ("commit; insert into t values (1)", possible | COMMIT | MORE),
            (";commit; begin", possible | COMMIT | MORE),
            ("select 1; rollback and chain; select 2", possible | CHAINED),
            ("commit and chain; select 2", possible | COMMIT | CHAINED | MORE),
        ] {
            assert_eq!(Ending::of_many(sql), Ending(ending), "{sql}");
        }
        let each = ["select 1", "rollback to s", "commit", "rollback and chain"];
        let all = each.map(|sql| Ending::of(sql, false).and_more());
        let all = all.into_iter().reduce(Ending::then);
        assert_eq!(all, Some(Ending(possible | MORE | CHAINED)));
    }

    /// No text is too odd, and none goes past its end.
    #[test]
    fn comments_that_do_not_end_are_the_end() {
        for sql in ["/*", "/* /* */ commit", "--", "-- commit", " \r;; ", "/*/", "/**"] {
            assert_eq!(after_comments(sql.as_bytes()), b"", "{sql}");
        }
        for sql in ["/", "-", "*/", "- -", "/ *", "*/ commit"] {
            assert_eq!(after_comments(sql.as_bytes()), sql.as_bytes());
        }
    }

    #[test]
    fn procedures_are_found_by_two_letters() {
        for sql in ["call p()", "\n/* */CALL p()", "do $$ $$", "--\nDo 'x'"] {
            assert!(may_commit_and_fail(sql), "{sql}");
        }
        for sql in ["", "c", "commit", "drop table t", "create table t ()", "-- call", "(call)"] {
            assert!(!may_commit_and_fail(sql), "{sql}");
        }
    }

    #[test]
    fn what_may_commit_by_itself_is_found_by_its_first_word() {
        for sql in ["do 'x'", " DROP DATABASE x", "discard all", "vacuum", "call p()", "analyze"] {
            assert_ne!(Ending::of(sql, true), Ending::NO, "{sql}");
        }
        for sql in
            ["delete from t", "insert into t values (1)", "select 1", "deallocate x", "with x"]
        {
            assert_eq!(Ending::of(sql, true), Ending::NO, "{sql}");
        }
    }
}
