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

/// SQL for PostgreSQL that does what openGauss does with `sql`.
pub(super) fn sql(sql: &str) -> Cow<'_, str> {
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
        assert_eq!(sql("select 'listen'; select 1"), "select 'listen'; select 1");
        assert_eq!(sql("SET session_timeout = 0"), "SET gauss.session_timeout = 0");
        assert!(sql("  Notify c, 'x'").contains("NOFITY statement is not yet supported."));
        assert!(sql("select 1; LISTEN c").starts_with("select 1;do 'begin"));
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
