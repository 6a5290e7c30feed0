//! openGauss's batch bind ('U'): one statement, many rows of parameters, one answer.

use super::fields::message;
use super::values::{self, Column, Statement};

/// A batch bind, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch<'a> {
    statement: &'a [u8],
    /// Count and codes of the parameters' formats, then of the results', as on the wire.
    parameter_formats: &'a [u8],
    result_formats: &'a [u8],
    /// Count of parameters of one row, as on the wire.
    parameters: &'a [u8],
    rows: Vec<&'a [u8]>,
    describe: Option<(u8, &'a [u8])>,
}

impl<'a> Batch<'a> {
    /// Parses the body of a 'U' message; nothing if it breaks the layout.
    pub(super) fn parse(body: &'a [u8]) -> Option<Batch<'a>> {
        let mut rest = body;
        let count = usize::try_from(i32::from_be_bytes(*take_array(&mut rest)?)).ok()?;
        if count == 0 || !cstr(&mut rest)?.is_empty() {
            return None;
        }
        let statement = cstr(&mut rest)?;
        let parameter_formats = counted(&mut rest)?;
        let result_formats = counted(&mut rest)?;
        let parameters = take(&mut rest, 2)?;
        let columns = u16::from_be_bytes(parameters.try_into().ok()?);
        let mut rows = Vec::new();
        for _ in 0..count {
            let start = rest;
            for _ in 0..columns {
                let length = i32::from_be_bytes(*take_array(&mut rest)?);
                if length != -1 {
                    take(&mut rest, usize::try_from(length).ok()?)?;
                }
            }
            rows.push(&start[..start.len() - rest.len()]);
        }
        let mut describe = None;
        if rest.first() == Some(&b'D') {
            let &[_, kind] = take_array(&mut rest)?;
            describe = Some((kind, cstr(&mut rest)?)).filter(|(kind, _)| b"SP".contains(kind));
            describe?;
        }
        // Execute on the unnamed portal without a row limit.
        (rest == b"E\0\0\0\0\0").then_some(())?;
        Some(Batch { statement, parameter_formats, result_formats, parameters, rows, describe })
    }

    /// Rows of parameters.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The name of its statement.
    pub(super) fn statement(&self) -> &[u8] {
        self.statement
    }

    /// The columns of its results.
    pub(super) fn columns(&self, statement: &Statement) -> Vec<Column> {
        let formats = values::codes(&mut &*self.result_formats).unwrap_or_default();
        values::columns(statement, &formats)
    }

    /// The same work for PostgreSQL: Bind and Execute for every row.
    pub(super) fn translate(&self, statement: &Statement, nulls: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let count = usize::from(u16::from_be_bytes(self.parameters.try_into().expect("2 bytes")));
        for (index, row) in self.rows.iter().enumerate() {
            let row = &values::parameters(&mut &**row, count, statement, nulls)
                .expect("rows that were parsed")[..];
            let bind = [
                b"\0",
                self.statement,
                b"\0",
                self.parameter_formats,
                self.parameters,
                row,
                self.result_formats,
            ];
            out.extend_from_slice(&message(b'B', &bind.concat()));
            if let Some((kind, name)) = self.describe.filter(|_| index == 0) {
                out.extend_from_slice(&message(b'D', &[&[kind], name, b"\0"].concat()));
            }
            out.extend_from_slice(&message(b'E', b"\0\0\0\0\0"));
        }
        out
    }
}

/// The sum of the answers: openGauss's one tag for the batch.
pub(super) fn tag(last: &[u8], total: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(last.strip_suffix(b"\0").unwrap_or(last)).into_owned();
    let words = text.trim_end_matches(|c: char| c.is_ascii_digit());
    // The misspelling is openGauss's.
    let words = if words == "SELECT " { "SELETE " } else { words };
    format!("{words}{total}\0").into_bytes()
}

/// The count at the end of a command tag.
pub(super) fn count(tag: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(tag.strip_suffix(b"\0").unwrap_or(tag)).into_owned();
    text.rsplit(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

fn take_array<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    take(rest, N)?.first_chunk()
}

fn cstr<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|&byte| byte == 0)?;
    let text = take(rest, end)?;
    take(rest, 1)?;
    Some(text)
}

/// A 16-bit count and as many 16-bit codes, all of it.
fn counted<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let all = *rest;
    let count = usize::from(u16::from_be_bytes(*take_array(rest)?));
    take(rest, count * 2)?;
    Some(&all[..2 + count * 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_become_two_binds() {
        let body = b"\0\0\0\x02\0s\0\0\x01\0\x01\0\0\0\x01\0\0\0\x02ab\xff\xff\xff\xffE\0\0\0\0\0";
        let batch = Batch::parse(body).unwrap();
        assert_eq!((batch.rows(), batch.describe), (2, None));
        let execute = b"E\0\0\0\x09\0\0\0\0\0".as_slice();
        let first = b"B\0\0\0\x15\0s\0\0\x01\0\x01\0\x01\0\0\0\x02ab\0\0".as_slice();
        let second = b"B\0\0\0\x13\0s\0\0\x01\0\x01\0\x01\xff\xff\xff\xff\0\0".as_slice();
        assert_eq!(
            batch.translate(&Statement::default(), true),
            [first, execute, second, execute].concat()
        );
        for end in 0..body.len() {
            assert_eq!(Batch::parse(&body[..end]), None, "{end}");
        }
    }

    #[test]
    fn tags_are_summed() {
        assert_eq!(count(b"INSERT 0 3\0"), 3);
        assert_eq!(tag(b"INSERT 0 3\0", 12), b"INSERT 0 12\0");
        assert_eq!(tag(b"SELECT 1\0", 2), b"SELETE 2\0");
    }
}
