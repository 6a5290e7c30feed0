//! SQL that openGauss treats otherwise: statements it does not support, settings PostgreSQL does
//! not have.

use std::borrow::Cow;
use std::time::Duration;

/// Settings of openGauss, which PostgreSQL takes as custom ones under a prefix.
const SETTINGS: &[&str] = &["session_timeout", "connection_info"];

/// Statements refused with 0A000; the second one's misspelling is openGauss's.
const REFUSED: &[(&str, &str)] =
    &[("listen", "LISTEN"), ("notify", "NOFITY"), ("unlisten", "UNLISTEN"), ("discard", "DISCARD")];

/// Adds the prefix to openGauss's own settings.
pub(super) fn settings(text: &str) -> Cow<'_, str> {
    SETTINGS.iter().fold(Cow::Borrowed(text), |text, name| match text.contains(name) {
        true => Cow::Owned(text.replace(name, &format!("gauss.{name}"))),
        false => text,
    })
}

/// SQL for PostgreSQL that does what openGauss does with `sql`. `nulls`: `''` is NULL.
pub(super) fn sql(sql: &str, nulls: bool) -> Cow<'_, str> {
    match words(sql, nulls) {
        Cow::Borrowed(same) => statements(same),
        Cow::Owned(other) => Cow::Owned(statements(&other).into_owned()),
    }
}

fn statements(sql: &str) -> Cow<'_, str> {
    let refused = |piece: &str| {
        let word = piece.split_whitespace().next()?.to_ascii_lowercase();
        REFUSED.iter().find(|(keyword, _)| *keyword == word).map(|(_, name)| name)
    };
    if !sql.split(';').any(|piece| refused(piece).is_some()) {
        return settings(sql);
    }
    // PostgreSQL makes the error itself, so that transaction state and order are its own.
    let pieces = sql.split(';').map(|piece| match refused(piece) {
        Some(name) => format!(
            "do 'begin raise exception using errcode = ''0A000'', \
             message = ''{name} statement is not yet supported.''; end'"
        ),
        None => settings(piece).into_owned(),
    });
    Cow::Owned(pieces.collect::<Vec<_>>().join(";"))
}

/// Words and literals that mean something else there.
fn words(sql: &str, nulls: bool) -> Cow<'_, str> {
    let lower = sql.to_ascii_lowercase();
    let table = lower.split_once("insert into ").map_or("", |(_, rest)| rest);
    let table = table.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    let mut out = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find('\'') {
        let (code, literal) = rest.split_at(at);
        let escapes = code.ends_with(['e', 'E']);
        let end = literal_end(literal, escapes);
        let (literal, after) = literal.split_at(end);
        let bytes = ["::blob", "::raw"].iter().any(|cast| after.starts_with(cast));
        out.push_str(&code_words(code, table, nulls));
        match literal {
            "''" if nulls => out.push_str("null"),
            // Bytes are hexadecimal digits alone.
            _ if bytes && !literal.starts_with("'\\") => {
                out.push_str(&format!("'\\x{}", &literal[1..]));
            }
            _ => out.push_str(literal),
        }
        rest = after;
    }
    out.push_str(&code_words(rest, table, nulls));
    if out == sql { Cow::Borrowed(sql) } else { Cow::Owned(out) }
}

/// Where a literal that begins with a quote ends.
fn literal_end(literal: &str, escapes: bool) -> usize {
    let bytes = literal.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return at + 1,
            _ => at += 1,
        }
    }
    literal.len()
}

/// What lies between literals. `table`: the one that the statement inserts into. `dates`: they have
/// hours, minutes and seconds, as in a database of compatibility A.
fn code_words<'c>(code: &'c str, table: &str, dates: bool) -> Cow<'c, str> {
    let lower = code.to_ascii_lowercase();
    let known = ["tinyint", "on conflict", "on duplicate key update", "::date"];
    if !known.iter().any(|word| lower.contains(word)) {
        return Cow::Borrowed(code);
    }
    let mut out = code.to_string();
    let mut replace = |what: &str, with: &str| {
        while let Some(at) = out.to_ascii_lowercase().find(what) {
            out.replace_range(at..at + what.len(), with);
        }
    };
    // A syntax error there, and so made one here.
    replace("on conflict", "conflicts");
    replace("on duplicate key update nothing", "on conflict do nothing");
    let update = format!("on conflict on constraint {table}_pkey do update set");
    replace("on duplicate key update", &update);
    replace("tinyint", "int1");
    if !dates {
        return Cow::Owned(out);
    }
    let mut pieces = out.split("::date");
    let mut text = pieces.next().unwrap_or("").to_string();
    for piece in pieces {
        // A daterange is none.
        let whole = !piece.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        text.push_str(if whole { "::timestamp(0)" } else { "::date" });
        text.push_str(piece);
    }
    Cow::Owned(text)
}

/// The new session time-out, if the SQL sets it.
pub(super) fn session_timeout(sql: &str) -> Option<Duration> {
    let sql = sql.to_ascii_lowercase();
    let (_, value) = sql.trim_start().strip_prefix("set ")?.split_once("session_timeout")?;
    let value = value.trim_start().trim_start_matches('=').trim_start_matches("to");
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\'' || c == ';');
    let (number, unit) =
        value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "" | "s" => Some(Duration::from_secs(number)),
        "ms" => Some(Duration::from_millis(number)),
        "min" => Some(Duration::from_secs(number * 60)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_rewritten() {
        let sql = |text| sql(text, true).into_owned();
        assert_eq!(sql("select 'listen'; select 1"), "select 'listen'; select 1");
        assert_eq!(sql("SET session_timeout = 0"), "SET gauss.session_timeout = 0");
        assert!(sql("  Notify c, 'x'").contains("NOFITY statement is not yet supported."));
        assert!(sql("select 1; LISTEN c").starts_with("select 1;do 'begin"));
    }

    #[test]
    fn literals_and_words_mean_what_they_mean_there() {
        for (theirs, ours) in [
            ("select ''::text is null", "select null::text is null"),
            ("select 'it''s', '', e'\\''", "select 'it''s', null, e'\\''"),
            ("select '00FF'::blob, '0a'::raw(10)", "select '\\x00FF'::blob, '\\x0a'::raw(10)"),
            ("select 7::tinyint, ", "select 7::int1, "),
            (
                "insert into t values ($1) on duplicate key update nothing",
                "insert into t values ($1) on conflict do nothing",
            ),
            (
                "insert into t values ($1) ON DUPLICATE KEY UPDATE s='d'",
                "insert into t values ($1) on conflict on constraint t_pkey do update set s='d'",
            ),
            (
                "insert into t values ($1) on conflict do nothing",
                "insert into t values ($1) conflicts do nothing",
            ),
            ("select '2024-02-29'::date", "select '2024-02-29'::timestamp(0)"),
        ] {
            assert_eq!(sql(theirs, true), ours);
        }
        assert_eq!(sql("select ''", false), "select ''");
    }

    #[test]
    fn reads_the_time_out() {
        for (sql, time) in [
            ("set session_timeout = 2", Some(2000)),
            ("SET session_timeout TO '10min'", Some(600_000)),
            ("SET session_timeout to '10min';", Some(600_000)),
            ("set session_timeout='150ms'", Some(150)),
            ("select session_timeout = 2", None),
        ] {
            assert_eq!(session_timeout(sql), time.map(Duration::from_millis), "{sql}");
        }
    }
}
