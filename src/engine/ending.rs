//! What the text of a statement may do to the open transaction.

use super::Session;

/// How a statement may end the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Ending {
    /// Not.
    No,
    /// As COMMIT or ROLLBACK do.
    Possible,
    /// As COMMIT, END or PREPARE TRANSACTION do: it begins as they do, and nothing else that does is
    /// answered with ROLLBACK.
    Commit,
    /// So, and something else may come after it, that is committed.
    CommitAndMore,
    /// With another one opened in its place: `AND CHAIN`.
    Chained,
}

impl Ending {
    /// How a statement may, by its first word, where there is only one statement. In doubt it may.
    /// `alone`: no transaction is open, and it may commit by itself.
    pub(crate) fn of(sql: &str, alone: bool) -> Self {
        let sql = sql.as_bytes().trim_ascii_start();
        let lower = |at| sql.get(at).map(u8::to_ascii_lowercase);
        // COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION; CALL and EXECUTE are in doubt. By itself
        // also DO, DROP DATABASE, VACUUM.
        match lower(0) {
            Some(b'c') if matches!(sql, [_, b'o' | b'O', b'p' | b'P', b'y' | b'Y', ..]) => Self::No,
            Some(b'd') if alone && lower(1) != Some(b'e') => Self::Possible,
            Some(b'v') if alone => Self::Possible,
            Some(b'b' | b'd' | b'f'..=b'o' | b'q' | b's'..=b'z') => Self::No,
            Some(b'c' | b'e' | b'p') => Self::in_words(sql).max(Self::Commit),
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
            Self::No => Self::in_words(one.as_bytes()),
            _ => ending.and_more(),
        }
    }

    /// Of one of several statements.
    pub(crate) fn and_more(self) -> Self {
        if self == Self::Commit { Self::CommitAndMore } else { self }
    }

    /// With the letters of CHAIN in it, but for the first, it may chain.
    #[cold]
    fn in_words(sql: &[u8]) -> Self {
        let mut letters = 0_u32;
        for byte in sql {
            letters = letters << 8 | u32::from(byte | 0x20);
            if letters == u32::from_be_bytes(*b"hain") {
                return Self::Chained;
            }
        }
        Self::Possible
    }

    /// In doubt, where the server's rules are not known.
    #[inline]
    pub(crate) fn or_possible(self, doubt: bool) -> Self {
        if doubt && self == Self::No { Self::Possible } else { self }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_end_a_transaction_is_found_by_its_first_word() {
        let is = |sql, ending| (Ending::of(sql, false), Ending::of_many(sql)) == (ending, ending);
        for sql in ["rollback", "abort", "/* */ select 1", "(select 1)", ""] {
            assert!(is(sql, Ending::Possible), "{sql}");
        }
        for sql in ["commit", " COMMIT;", "end", "prepare transaction 'x'", "call p()", "execute x"]
        {
            assert!(is(sql, Ending::Commit), "{sql}");
        }
        for sql in ["insert into t values (1)", "\n select 1", "copy t from stdin", "with x as (…)"]
        {
            assert!(is(sql, Ending::No), "{sql}");
        }
        for sql in ["commit and chain", "ROLLBACK AND CHAIN;", "/**/abort/**/and\nCHAIN"] {
            assert!(is(sql, Ending::Chained), "{sql}");
        }
        assert_eq!(Ending::of("insert into chain values (1)", false), Ending::No);
        assert_eq!(Ending::of_many("insert into t values (1); "), Ending::No);
        assert_eq!(Ending::of_many("insert into t values (1); commit"), Ending::Possible);
        assert_eq!(Ending::of_many("insert into t values (';')"), Ending::Possible);
        assert_eq!(Ending::of_many("commit; insert into t values (1)"), Ending::CommitAndMore);
        assert_eq!(Ending::of_many("select 1; rollback and chain; select 2"), Ending::Chained);
    }

    #[test]
    fn what_may_commit_by_itself_is_found_by_its_first_word() {
        for sql in ["do 'x'", " DROP DATABASE x", "discard all", "vacuum", "call p()", "analyze"] {
            assert!(Ending::of(sql, true) >= Ending::Possible, "{sql}");
        }
        for sql in
            ["delete from t", "insert into t values (1)", "select 1", "deallocate x", "with x"]
        {
            assert_eq!(Ending::of(sql, true), Ending::No, "{sql}");
        }
    }
}
