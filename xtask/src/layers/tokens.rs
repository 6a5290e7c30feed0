//! Rust source as words: without comments, and without what is in strings.

/// A word, `::`, or another sign.
#[derive(Debug, Clone, Copy)]
pub struct Token<'s> {
    pub text: &'s str,
    pub line: usize,
    /// Where it begins in the text.
    pub offset: usize,
}

/// The words of a text, which [`blanked`] has gone over.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut line, mut rest) = (1, code);
    while let Some(first) = rest.chars().next() {
        let offset = code.len() - rest.len();
        let length = if is_letter(first) {
            rest.find(|c| !is_letter(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(Token { text, line, offset });
        }
        line += usize::from(first == '\n');
        rest = after;
    }
    tokens
}

/// Whether a token is a name or a keyword.
pub fn is_word(text: &str) -> bool {
    text.starts_with(is_letter)
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The text with blanks in place of comments, strings and characters; every other byte stays where
/// it is, and so do the ends of lines.
pub fn blanked(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (length, keep) = piece(rest, blanked.chars().next_back());
        let (piece, after) = rest.split_at(length);
        if keep {
            blanked.push_str(piece);
        } else {
            blanked.extend(piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    blanked
}

/// The length of the next piece, and whether it is code.
fn piece(rest: &str, before: Option<char>) -> (usize, bool) {
    let end = |pattern: &str, from: usize| {
        rest.get(from..).and_then(|rest| rest.find(pattern)).map_or(rest.len(), |at| from + at)
    };
    if rest.starts_with("//") {
        return (end("\n", 2), false);
    }
    if rest.starts_with("/*") {
        return (comment(rest), false);
    }
    if let Some(length) = raw_string(rest).filter(|_| !before.is_some_and(is_letter)) {
        return (length, false);
    }
    if rest.starts_with('"') {
        return (quoted(rest, '"'), false);
    }
    let mut chars = rest.chars();
    match (chars.next(), chars.next(), chars.next()) {
        // A lifetime has no quote after it.
        (Some('\''), Some('\\'), _) | (Some('\''), Some(_), Some('\'')) => {
            (quoted(rest, '\''), false)
        }
        (Some(c), ..) => (c.len_utf8(), true),
        _ => (rest.len(), true),
    }
}

/// A block comment; they nest.
fn comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(two) = rest.as_bytes().get(at..at + 2) {
        match two {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#` and so on, with `b` or `c` before it.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let inside = after.trim_start_matches('#');
    let hashes = &after[..after.len() - inside.len()];
    let inside = inside.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let length = inside.find(&end)? + end.len();
    Some(rest.len() - inside.len() + length)
}

/// From a quote to the next that has no backslash before it.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank() {
        let code =
            "a /* b /* c */ d */ e // f\n\"g \\\" h\" i r#\"j \" k\"# l '\\'' m '\"' n br\"o\" p";
        let code_only = blanked(code);
        let words: Vec<&str> = tokens(&code_only).iter().map(|token| token.text).collect();
        assert_eq!(words, ["a", "e", "i", "l", "m", "n", "p"]);
        assert_eq!(blanked(code).len(), code.len());
    }

    #[test]
    fn lifetimes_are_no_characters() {
        let code = "fn f<'a>(x: &'a str) -> Option<&'static str> { 'x' }";
        assert_eq!(blanked(code), code.replace("'x'", "   "));
    }

    #[test]
    fn a_path_is_words_and_signs() {
        let tokens = tokens("use a::b;\n  c_1");
        let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
        assert_eq!(texts, ["use", "a", "::", "b", ";", "c_1"]);
        assert_eq!(tokens.last().map(|token| (token.line, token.offset)), Some((2, 12)));
    }
}
