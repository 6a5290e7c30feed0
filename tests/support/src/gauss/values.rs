//! Values that openGauss has otherwise: its `xid` of 8 bytes, `''` as NULL, the text of numbers and
//! of bytes. PostgreSQL's messages on one side, openGauss's on the other.

use std::collections::HashMap;

pub(super) const XID: u32 = 28;
pub(super) const XID8: u32 = 5069;
const VARCHAR: u32 = 1043;
const NUMERIC: u32 = 1700;
const BLOB: u32 = 88;
const RAW: u32 = 86;
const INT1: u32 = 5545;
const INT16: u32 = 34;
/// In place of `xid8`, which openGauss does not have: no type in PostgreSQL either.
pub(super) const NO_TYPE: u32 = 99_905_069;

/// A prepared statement, as PostgreSQL described it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) parameters: Vec<u32>,
    pub(super) columns: Vec<u32>,
}

/// A column of a result: its type, and whether it is binary.
pub(super) type Column = (u32, bool);

/// The statements and portals of a session, by their names.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) statements: HashMap<Vec<u8>, Statement>,
    pub(super) portals: HashMap<Vec<u8>, Vec<Column>>,
}

/// The types of a Parse message that PostgreSQL calls otherwise.
pub(super) fn declared(body: &mut [u8], types_at: usize) {
    let Some((_, types)) = body.split_at_mut_checked(types_at) else { return };
    for oid in types.chunks_exact_mut(4) {
        let theirs = match u32::from_be_bytes(oid.try_into().expect("4 bytes")) {
            XID => XID8,
            XID8 => NO_TYPE,
            other => other,
        };
        oid.copy_from_slice(&theirs.to_be_bytes());
    }
}

/// Bind, rewritten, and the columns of its portal.
pub(super) fn bind(body: &[u8], names: &Names, nulls: bool) -> Option<(Vec<u8>, Vec<Column>)> {
    let mut rest = body;
    let _portal = cstr(&mut rest)?;
    let statement = names.statements.get(cstr(&mut rest)?)?;
    codes(&mut rest)?;
    let count = usize::from(u16(&mut rest)?);
    let mut out = body[..body.len() - rest.len()].to_vec();
    out.extend_from_slice(&parameters(&mut rest, count, statement, nulls)?);
    let tail = rest;
    let formats = codes(&mut rest)?;
    out.extend_from_slice(tail);
    Some((out, columns(statement, &formats)))
}

/// The columns of a statement in these formats.
pub(super) fn columns(statement: &Statement, formats: &[u16]) -> Vec<Column> {
    let format = |index: usize| match formats {
        [] => 0,
        [all] => *all,
        each => each.get(index).copied().unwrap_or(0),
    };
    let columns = statement.columns.iter().enumerate();
    columns.map(|(index, oid)| (*oid, format(index) == 1)).collect()
}

/// The values of `count` parameters, rewritten.
pub(super) fn parameters(
    rest: &mut &[u8],
    count: usize,
    statement: &Statement,
    nulls: bool,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for index in 0..count {
        let oid = statement.parameters.get(index).copied().unwrap_or(0);
        match value(rest)? {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some([]) if nulls && oid == VARCHAR => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(&[a, b, c, d, e, f, g, h]) if oid == XID8 => {
                put(&mut out, &[e, f, g, h, a, b, c, d])
            }
            Some(&[a, b, c, d, _, _, _, _]) if oid == XID => put(&mut out, &[a, b, c, d]),
            Some(bytes) => put(&mut out, bytes),
        }
    }
    Some(out)
}

/// DataRow, rewritten.
pub(super) fn row(body: &[u8], columns: &[Column]) -> Option<Vec<u8>> {
    let mut rest = body;
    let count = u16(&mut rest)?;
    let mut out = body[..2].to_vec();
    for index in 0..usize::from(count) {
        let bytes = match value(&mut rest)? {
            None => {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            }
            Some(bytes) => bytes,
        };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let shown = match columns.get(index) {
            Some((XID, true)) => [bytes, &[0; 4]].concat(),
            Some((XID8, true)) if bytes.len() == 8 => [&bytes[4..], &bytes[..4]].concat(),
            Some((NUMERIC, false)) => without_zero(&text()).into_bytes(),
            Some((BLOB | RAW, false)) => {
                text().trim_start_matches("\\x").to_uppercase().into_bytes()
            }
            Some((INT1, false)) => tinyint(bytes).to_string().into_bytes(),
            Some((INT16, false)) => {
                let value = u128::from_str_radix(&text().replace('-', ""), 16).unwrap_or(0);
                value.cast_signed().to_string().into_bytes()
            }
            _ => bytes.to_vec(),
        };
        put(&mut out, &shown);
    }
    Some(out)
}

/// openGauss prints `0.05` as `.05`, in databases of every compatibility.
fn without_zero(text: &str) -> String {
    match text.strip_prefix("0.").or(text.strip_prefix("-0.")) {
        Some(fraction) if text.starts_with('-') => format!("-.{fraction}"),
        Some(fraction) => format!(".{fraction}"),
        None => text.to_string(),
    }
}

/// What PostgreSQL prints of a `"char"`, as the number that it is.
fn tinyint(text: &[u8]) -> u8 {
    match text {
        [] => 0,
        [byte] => *byte,
        [b'\\', digits @ ..] => {
            u8::from_str_radix(&String::from_utf8_lossy(digits), 8).unwrap_or_default()
        }
        _ => 0,
    }
}

/// The types of a ParameterDescription.
pub(super) fn parameter_description(body: &mut [u8]) -> Vec<u32> {
    let Some((_, types)) = body.split_at_mut_checked(2) else { return Vec::new() };
    let mut all = Vec::new();
    for oid in types.chunks_exact_mut(4) {
        let theirs = u32::from_be_bytes(oid.try_into().expect("4 bytes"));
        all.push(theirs);
        let shown = if theirs == XID8 { XID } else { theirs };
        oid.copy_from_slice(&shown.to_be_bytes());
    }
    all
}

/// The columns of a RowDescription.
pub(super) fn row_description(body: &mut [u8]) -> Vec<Column> {
    let mut all = Vec::new();
    let mut at = 2;
    while let Some(name) = body.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
        at += name + 1;
        let Some(tail) = body.get_mut(at..at + 18) else { break };
        let oid = u32::from_be_bytes(tail[6..10].try_into().expect("4 bytes"));
        if let XID | XID8 = oid {
            tail[6..10].copy_from_slice(&XID.to_be_bytes());
            tail[10..12].copy_from_slice(&8_u16.to_be_bytes());
        }
        if oid == RAW {
            tail[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
        }
        all.push((oid, tail[17] == 1));
        at += 18;
    }
    all
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).expect("a short value").to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest, 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// A count and as many codes.
pub(super) fn codes(rest: &mut &[u8]) -> Option<Vec<u16>> {
    let count = u16(rest)?;
    (0..count).map(|_| u16(rest)).collect()
}

fn value<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = i32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    match usize::try_from(length) {
        Ok(length) => take(rest, length).map(Some),
        Err(_) => Some(None),
    }
}

fn cstr<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|&byte| byte == 0)?;
    let text = take(rest, end)?;
    take(rest, 1)?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_without_a_zero_in_front() {
        for (theirs, ours) in
            [("0.05", ".05"), ("-0.5", "-.5"), ("0", "0"), ("10.05", "10.05"), ("0.", ".")]
        {
            assert_eq!(without_zero(theirs), ours);
        }
    }

    #[test]
    fn strings_without_characters_become_null_as_varchar_only() {
        let statement = |oid| Statement { parameters: vec![oid], columns: Vec::new() };
        let empty = &[0; 4][..];
        let bound = |oid, nulls| parameters(&mut &*empty, 1, &statement(oid), nulls).unwrap();
        assert_eq!(bound(VARCHAR, true), [255; 4]);
        assert_eq!(bound(VARCHAR, false), empty);
        assert_eq!(bound(25, true), empty);
        let swapped = parameters(&mut &b"\0\0\0\x08abcdefgh"[..], 1, &statement(XID8), true);
        assert_eq!(swapped.as_deref(), Some(&b"\0\0\0\x08efghabcd"[..]));
    }
}
