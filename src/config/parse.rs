//! Connection strings: `keyword=value` pairs, and what both forms have in common.

use super::error::{ParseError, ParseReason};
use super::scratch::Scratch;
use super::{Config, keyword, keywords, uri};

/// What a text said, and which keywords it named.
pub(crate) struct Parsed<'a> {
    pub(crate) config: Config<'a>,
    pub(crate) named: keywords::Keywords,
}

/// Reads `text`, and notes which keywords it named.
#[cfg(feature = "provision")]
pub(super) fn parse_named<'a>(
    text: &'a str,
    scratch: &'a mut [u8],
    named: &mut keywords::Keywords,
) -> Result<Config<'a>, ParseError> {
    parse_with(text, scratch, |sink| {
        *named = sink.parsed.named;
        Ok(())
    })
}

/// Reads `text`; what it leaves out, `rest` may fill in before the whole is checked.
pub(crate) fn parse_with<'a>(
    text: &'a str,
    scratch: &'a mut [u8],
    rest: impl FnOnce(&mut Sink<'a>) -> Result<(), ParseError>,
) -> Result<Config<'a>, ParseError> {
    if let Some(position) = text.bytes().position(|byte| byte == 0) {
        return Err(ParseError::new(None, position, ParseReason::Nul));
    }
    let mut sink = Sink {
        text,
        parsed: Parsed { config: Config::new(), named: keywords::Keywords::default() },
        scratch: Scratch::new(scratch),
    };
    match uri::scheme(text) {
        Some(after) => uri::parse(&mut sink, after)?,
        None => pairs(&mut sink)?,
    }
    rest(&mut sink)?;
    if let Some((keyword, reason)) = sink.scratch.miss() {
        return Err(ParseError::new(keyword, 0, reason));
    }
    keyword::check(&mut sink.parsed)?;
    Ok(sink.parsed.config)
}

/// The keyword of `keyword=value`, and the value as it is written.
#[cfg(feature = "provision")]
pub(crate) fn halves(text: &str) -> Result<(keyword::Keyword, &str), ParseError> {
    let wrong = |reason| ParseError::new(None, 0, reason);
    let (name, value) = text.split_once('=').ok_or(wrong(ParseReason::MissingEquals))?;
    let keyword = keyword::find(name.trim_ascii());
    Ok((keyword.ok_or(wrong(ParseReason::UnknownKeyword))?, value.trim_ascii()))
}

/// Checks `keyword=value`, but not what other parameters may say to it. `None`: there is more in it
/// than one keyword.
#[cfg(feature = "provision")]
pub(crate) fn single(
    text: &str,
    scratch: &mut [u8],
) -> Result<Option<keyword::Keyword>, ParseError> {
    let (keyword, _) = halves(text)?;
    let mut named = keywords::Keywords::default();
    if let Err(error) = parse_named(text, scratch, &mut named) {
        let of_others =
            matches!(error.reason(), ParseReason::Conflict(_) | ParseReason::HostCount { .. });
        if !of_others {
            return Err(error);
        }
    }
    Ok(named.is_only(keyword).then_some(keyword))
}

/// Where both forms put what they read.
pub(crate) struct Sink<'a> {
    text: &'a str,
    parsed: Parsed<'a>,
    pub(super) scratch: Scratch<'a>,
}

impl<'a> Sink<'a> {
    /// Stores a value under its keyword. `part` is where the text says so.
    pub(super) fn set(
        &mut self,
        name: &str,
        part: &str,
        value: Result<&'a str, ParseReason>,
    ) -> Result<(), ParseError> {
        let position = self.position(part);
        let Some(keyword) = keyword::find(name) else {
            return Err(ParseError::new(None, position, ParseReason::UnknownKeyword));
        };
        let named = Some(keyword.name());
        let value = value.map_err(|reason| ParseError::new(named, position, reason))?;
        if !self.scratch.fits(named) {
            return Ok(());
        }
        keyword
            .set(&mut self.parsed, value)
            .map_err(|reason| ParseError::new(named, position, reason))
    }

    /// Whether the text, or who came after it, said anything of a keyword.
    #[cfg(feature = "std")]
    pub(crate) fn names(&self, name: &str) -> bool {
        self.parsed.named.has(name)
    }

    /// Whether there is no user, or an empty one, which is none to libpq either.
    #[cfg(feature = "std")]
    pub(crate) fn lacks_user(&self) -> bool {
        self.parsed.config.credentials.user.is_none_or(str::is_empty)
    }

    /// As [`set`](Self::set) for a value that is not part of the text: it is copied.
    #[cfg(feature = "std")]
    pub(crate) fn set_copy(&mut self, name: &str, value: &[u8]) -> Result<(), ParseError> {
        let value = self.scratch.store(&|put| {
            value.iter().for_each(|byte| put(*byte));
            Ok(())
        });
        self.set(name, self.text, value)
    }

    /// An error that is not yet about a keyword.
    pub(super) fn error(&self, part: &str, reason: ParseReason) -> ParseError {
        ParseError::new(None, self.position(part), reason)
    }

    /// Where `part`, a tail or piece of the text, begins.
    fn position(&self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()).min(self.text.len())
    }
}

/// C's `isspace`, as libpq uses it.
pub(crate) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

fn pairs(sink: &mut Sink<'_>) -> Result<(), ParseError> {
    let mut rest = sink.text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let word = rest;
        let end = rest.find(|c| c == '=' || is_space(c)).unwrap_or(rest.len());
        let (name, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let Some(tail) = tail.trim_start_matches(is_space).strip_prefix('=') else {
            return Err(sink.error(word, ParseReason::MissingEquals));
        };
        let tail = tail.trim_start_matches(is_space);
        let (raw, tail) = match tail.strip_prefix('\'') {
            None => until(tail, is_space).unwrap_or((tail, "")),
            Some(quoted) => until(quoted, |c| c == '\'')
                .ok_or_else(|| sink.error(word, ParseReason::UnterminatedQuote))?,
        };
        let value = if raw.contains('\\') {
            sink.scratch.store(&|put| {
                unescape(raw, put);
                Ok(())
            })
        } else {
            Ok(raw)
        };
        sink.set(name, word, value)?;
        rest = tail.trim_start_matches(is_space);
    }
    Ok(())
}

/// The text before and after the first `end` that has no backslash in front of it.
fn until(text: &str, end: impl Fn(char) -> bool) -> Option<(&str, &str)> {
    let mut escaped = false;
    let at = text.find(|c| {
        let found = !escaped && end(c);
        escaped = !escaped && c == '\\';
        found
    })?;
    let (before, after) = text.split_at_checked(at)?;
    // `end` matches ASCII characters only, of one byte.
    Some((before, after.get(1..)?))
}

/// A backslash takes the next character as it is; at the end it stands for nothing.
fn unescape(raw: &str, put: &mut dyn FnMut(u8)) {
    let mut escaped = false;
    for byte in raw.bytes() {
        escaped = byte == b'\\' && !escaped;
        if !escaped {
            put(byte);
        }
    }
}
