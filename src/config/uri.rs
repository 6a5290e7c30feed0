//! Connection strings in the form of a URI, read as libpq 18 reads them.
//!
//! `postgresql://[user[:password]@][host[:port][,host[:port]…]][/dbname][?keyword=value[&…]]`

use super::error::{ParseError, ParseReason};
use super::keyword;
use super::parse::Sink;
use crate::wire::digits;

/// What follows the scheme, if `text` begins with one.
pub(super) fn scheme(text: &str) -> Option<&str> {
    ["postgresql://", "postgres://", "opengauss://"].iter().find_map(|s| text.strip_prefix(s))
}

pub(super) fn parse<'a>(sink: &mut Sink<'a>, rest: &'a str) -> Result<(), ParseError> {
    let rest = credentials(sink, rest)?;
    let (end, tail) = netlocs(sink, rest)?;
    let mut query = (end == Some('?')).then_some(tail);
    if end == Some('/') {
        let (dbname, parameters) = split_once(tail, '?');
        query = parameters;
        if !dbname.is_empty() {
            store(sink, "dbname", dbname)?;
        }
    }
    match query {
        Some(query) => parameters(sink, query),
        None => Ok(()),
    }
}

/// The part before `@`, where there is one.
fn credentials<'a>(sink: &mut Sink<'a>, rest: &'a str) -> Result<&'a str, ParseError> {
    let end = rest.find(['@', '/']).and_then(|at| rest.split_at_checked(at));
    let Some((credentials, after)) =
        end.and_then(|(before, tail)| tail.strip_prefix('@').map(|after| (before, after)))
    else {
        return Ok(rest);
    };
    let (user, password) = split_once(credentials, ':');
    if !user.is_empty() {
        store(sink, "user", user)?;
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        store(sink, "password", password)?;
    }
    Ok(after)
}

/// The hosts and ports. Answers with what ended them (`/`, `?` or nothing) and what follows.
fn netlocs<'a>(sink: &mut Sink<'a>, text: &'a str) -> Result<(Option<char>, &'a str), ParseError> {
    let first = Netloc::read(text).map_err(|reason| sink.error(text, reason))?;
    if first.end != Some(',') {
        if !first.host.is_empty() {
            store(sink, "host", first.host)?;
        }
        if !first.port.is_empty() {
            store(sink, "port", first.port)?;
        }
        return Ok((first.end, first.tail));
    }
    // Several: libpq joins them with commas and unescapes the whole.
    let mut last = first;
    while last.end == Some(',') {
        last = Netloc::read(last.tail).map_err(|reason| sink.error(last.tail, reason))?;
    }
    let host = sink.scratch.store(&|put| joined(text, |netloc| netloc.host, put));
    sink.set("host", text, host)?;
    let port = sink.scratch.store(&|put| joined(text, |netloc| netloc.port, put));
    sink.set("port", text, port)?;
    Ok((last.end, last.tail))
}

/// One `host[:port]`.
#[derive(Clone, Copy)]
struct Netloc<'a> {
    host: &'a str,
    port: &'a str,
    end: Option<char>,
    tail: &'a str,
}

impl<'a> Netloc<'a> {
    fn read(text: &'a str) -> Result<Self, ParseReason> {
        let (host, after) = match text.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']').ok_or(ParseReason::Brackets)?;
                if host.is_empty() || !(after.is_empty() || after.starts_with([':', '/', '?', ',']))
                {
                    return Err(ParseReason::Brackets);
                }
                (host, after)
            }
            None => split_before(text, [':', '/', '?', ','].as_slice()),
        };
        let (port, after) = match after.strip_prefix(':') {
            Some(port) => split_before(port, ['/', '?', ','].as_slice()),
            None => ("", after),
        };
        let mut tail = after.chars();
        Ok(Self { host, port, end: tail.next(), tail: tail.as_str() })
    }
}

/// One field of every netloc, joined with commas, unescaped.
fn joined<'a>(
    text: &'a str,
    field: impl Fn(&Netloc<'a>) -> &'a str,
    put: &mut dyn FnMut(u8),
) -> Result<(), ParseReason> {
    let mut decoder = Decoder::new(put);
    let mut tail = text;
    loop {
        let netloc = Netloc::read(tail)?;
        decoder.feed(field(&netloc))?;
        if netloc.end != Some(',') {
            return decoder.finish();
        }
        decoder.feed(",")?;
        tail = netloc.tail;
    }
}

fn parameters<'a>(sink: &mut Sink<'a>, query: &'a str) -> Result<(), ParseError> {
    let mut rest = query;
    while !rest.is_empty() {
        let (part, next) = split_once(rest, '&');
        rest = next.unwrap_or("");
        let (name, Some(value)) = split_once(part, '=') else {
            return Err(sink.error(part, ParseReason::MissingEquals));
        };
        if value.contains('=') {
            return Err(sink.error(part, ParseReason::ExtraEquals));
        }
        parameter(sink, name, value)?;
    }
    Ok(())
}

fn parameter<'a>(sink: &mut Sink<'a>, name: &'a str, value: &'a str) -> Result<(), ParseError> {
    // A longer name is unknown.
    let mut buffer = [0_u8; keyword::LONGEST];
    let mut length = 0_usize;
    decode(name, &mut |byte| {
        if let Some(place) = buffer.get_mut(length) {
            *place = byte;
        }
        length = length.saturating_add(1);
    })
    .map_err(|reason| sink.error(name, reason))?;
    let decoded = buffer.get(..length).and_then(|bytes| core::str::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(|| sink.error(name, ParseReason::UnknownKeyword))?;
    let value = unescaped(sink, value);
    match (decoded, value) {
        // As in libpq, for the sake of JDBC's URIs.
        ("ssl", Ok("true")) => sink.set("sslmode", name, Ok("require")),
        (decoded, value) => sink.set(decoded, name, value),
    }
}

/// Stores a part of the URI under its keyword.
fn store<'a>(sink: &mut Sink<'a>, keyword: &str, part: &'a str) -> Result<(), ParseError> {
    let value = unescaped(sink, part);
    sink.set(keyword, part, value)
}

/// The value a part stands for: the part itself where it can be.
fn unescaped<'a>(sink: &mut Sink<'a>, part: &'a str) -> Result<&'a str, ParseReason> {
    let bare = part.trim_matches(' ');
    if bare.contains('%') {
        sink.scratch.store(&|put| decode(bare, put))
    } else if bare.contains(' ') {
        Err(ParseReason::Blank)
    } else {
        Ok(bare)
    }
}

fn decode(part: &str, put: &mut dyn FnMut(u8)) -> Result<(), ParseReason> {
    let mut decoder = Decoder::new(put);
    decoder.feed(part)?;
    decoder.finish()
}

/// Percent-decoding, piece by piece. Blanks are allowed at both ends and dropped.
struct Decoder<'p> {
    put: &'p mut dyn FnMut(u8),
    state: State,
}

enum State {
    Before,
    Inside,
    After,
    Percent,
    Digit(u8),
}

impl<'p> Decoder<'p> {
    fn new(put: &'p mut dyn FnMut(u8)) -> Self {
        Self { put, state: State::Before }
    }

    fn feed(&mut self, piece: &str) -> Result<(), ParseReason> {
        for byte in piece.bytes() {
            self.state = match (&self.state, byte) {
                (State::Percent, _) => State::Digit(hex(byte)?),
                (State::Digit(high), _) => match (high << 4) | hex(byte)? {
                    0 => return Err(ParseReason::Nul),
                    byte => {
                        (self.put)(byte);
                        State::Inside
                    }
                },
                (State::Before, b' ') => State::Before,
                (State::Inside | State::After, b' ') => State::After,
                (State::After, _) => return Err(ParseReason::Blank),
                (_, b'%') => State::Percent,
                (_, byte) => {
                    (self.put)(byte);
                    State::Inside
                }
            };
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ParseReason> {
        match self.state {
            State::Percent | State::Digit(_) => Err(ParseReason::PercentEncoding),
            _ => Ok(()),
        }
    }
}

fn hex(digit: u8) -> Result<u8, ParseReason> {
    digits::hex_value(digit).ok_or(ParseReason::PercentEncoding)
}

fn split_once(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn split_before<'a>(text: &'a str, separators: &[char]) -> (&'a str, &'a str) {
    let end = text.find(separators).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
