//! Transcripts: sessions as text, read into scripts.
//!
//! ```text
//! # a comment
//! >>> Q "select 1"                      the server waits for this message
//! <<< T 1s "n" 0 0s 23 4s -1 0s         and sends this one
//! <<< raw 'HTTP/1.1 400'                bytes that are no message
//! >>> start 196608 "user" "u" #00       a message without a type byte
//! >>> any                               waits for one message, whatever it is
//! >>> deaf                              waits for nothing any more
//! --- eof                               how it ends: eof, reset, silence
//! ```
//! Content: `"text"` with its NUL, `'text'` without; `7` 32 bits, `7s` 16 bits, `7b` one byte;
//! `#0aff` hexadecimal; `[…]` content after its 32-bit length, as a value is; `{name}` bytes
//! given by the test. `@name` on a line stands for the lines of that name.

use super::peer::{End, Script, Step};

/// Names and what they stand for: lines for `@name`, bytes for `{name}`.
pub type Names<'n> = &'n [(&'n str, &'n str)];

/// Reads a transcript. Panics where it is no transcript: it is part of the test.
pub fn read(text: &str, names: Names<'_>) -> Script {
    let mut steps = Vec::new();
    let mut end = End::Silence;
    lines(text, names, &mut steps, &mut end);
    Script { steps: steps.into(), end }
}

/// One message of the server: `T 1s "n" …`, or `raw …`.
pub fn message(text: &str) -> Vec<u8> {
    encode(text, &[])
}

fn lines(text: &str, names: Names<'_>, steps: &mut Vec<Step>, end: &mut End) {
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('@') {
            lines(find(names, name), names, steps, end);
            continue;
        }
        let (direction, content) = line.split_once(' ').unwrap_or_else(|| panic!("{line}"));
        match (direction, content) {
            (">>>", "any") => steps.push(Step::ExpectAny(false)),
            (">>>", "any start") => steps.push(Step::ExpectAny(true)),
            (">>>", "deaf") => steps.push(Step::Deaf),
            (">>>", _) => steps.push(Step::Expect(encode(content, names))),
            ("<<<", _) => steps.push(Step::Send(encode(content, names))),
            ("---", "eof") => *end = End::Eof,
            ("---", "reset") => *end = End::Reset,
            ("---", "silence") => *end = End::Silence,
            _ => panic!("what is this: {line}"),
        }
    }
}

fn find<'n>(names: Names<'n>, wanted: &str) -> &'n str {
    let common = COMMON.iter().find(|(name, _)| *name == wanted);
    let found = names.iter().find(|(name, _)| *name == wanted).or(common);
    found.unwrap_or_else(|| panic!("no name {wanted}")).1
}

/// Lines of every test.
const COMMON: &[(&str, &str)] = &[
    (
        "start",
        r#">>> start 196659 "user" "u" "database" "d" "client_encoding" "UTF8" "DateStyle" "ISO" #00"#,
    ),
    (
        "settle",
        r#"
        <<< R 0
        <<< S "client_encoding" "UTF8"
        <<< S "server_version" "15.18"
        <<< K 77 #01020304
        <<< Z 'I'
        "#,
    ),
    ("login", "@start\n@settle"),
    ("bye", ">>> X"),
];

fn encode(text: &str, names: Names<'_>) -> Vec<u8> {
    let (tag, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut rest = rest;
    let body = tokens(&mut rest, names, false);
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    match tag {
        "raw" => body,
        "start" => [&length[..], &body].concat(),
        _ => {
            assert_eq!(tag.len(), 1, "a message's type is one character: {text}");
            [tag.as_bytes(), &length, &body].concat()
        }
    }
}

fn tokens(rest: &mut &str, names: Names<'_>, nested: bool) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            assert!(!nested, "a bracket is open");
            return out;
        };
        match first {
            ']' => {
                assert!(nested, "a bracket too many");
                *rest = &rest[1..];
                return out;
            }
            '[' => {
                *rest = &rest[1..];
                let content = tokens(rest, names, true);
                out.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
                out.extend(content);
            }
            '"' | '\'' => {
                out.extend(quoted(rest, first));
                if first == '"' {
                    out.push(0);
                }
            }
            '{' => {
                let (name, after) = rest[1..].split_once('}').expect("a closing brace");
                *rest = after;
                out.extend(find(names, name).bytes());
            }
            _ => {
                let end = rest.find([' ', ']']).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                *rest = after;
                number(word, &mut out);
            }
        }
    }
}

fn quoted(rest: &mut &str, quote: char) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next().expect("an escaped character").1 {
                'n' => out.push(b'\n'),
                'x' => {
                    let digits: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    out.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                other => out.extend(other.to_string().bytes()),
            },
            c if c == quote => {
                *rest = &rest[at + 1..];
                return out;
            }
            c => out.extend(c.to_string().bytes()),
        }
    }
    panic!("no closing quote: {rest}");
}

fn number(word: &str, out: &mut Vec<u8>) {
    let bad = || -> ! { panic!("no number: {word}") };
    if let Some(digits) = word.strip_prefix('#') {
        for at in (0..digits.len()).step_by(2) {
            let digits = digits.get(at..at + 2).unwrap_or_else(|| bad());
            out.push(u8::from_str_radix(digits, 16).unwrap_or_else(|_| bad()));
        }
    } else if let Some(short) = word.strip_suffix('s') {
        let value: i32 = short.parse().unwrap_or_else(|_| bad());
        out.extend(&value.to_be_bytes()[2..]);
    } else if let Some(byte) = word.strip_suffix('b') {
        out.push(byte.parse().unwrap_or_else(|_| bad()));
    } else {
        let value: i64 = word.parse().unwrap_or_else(|_| bad());
        out.extend(&value.to_be_bytes()[4..]);
    }
}

#[test]
fn transcripts_become_bytes() {
    assert_eq!(message("Z 'I'"), b"Z\0\0\0\x05I");
    assert_eq!(message("D 2s [7] -1"), b"D\0\0\0\x12\0\x02\0\0\0\x04\0\0\0\x07\xff\xff\xff\xff");
    assert_eq!(message(r#"raw #0aff 7b "a\x1b\"" 'x'"#), b"\x0a\xff\x07a\x1b\"\0x");
    assert_eq!(message("C \"SELECT 1\""), b"C\0\0\0\x0dSELECT 1\0");
    let script = read("@login\n--- eof", &[]);
    assert_eq!(script.end, End::Eof);
    assert_eq!(script.steps.len(), 6);
}
