//! Messages from the frontend, each a function that writes one message.
//!
//! Source: manual, "Message Formats".

use super::digits::hex_digit;
use super::writer::Open;
use super::{Body, Part, WireError, Writer};

/// Protocol 3.0, which every server since 7.4 speaks.
pub const PROTOCOL_3_0: u32 = 0x0003_0000;
/// Protocol 3.51, openGauss's newest. PostgreSQL negotiates it down.
pub const PROTOCOL_3_51: u32 = 0x0003_0033;
#[cfg(feature = "tls")]
const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

type Done = Result<(), WireError>;

/// The name of a portal on the wire, with its NUL: `p` and 8 hexadecimal digits.
pub type PortalName = [u8; 10];

/// The statement or portal without a name.
pub const UNNAMED: &[u8; 1] = b"\0";

/// StartupMessage. `parameters` writes name and value pairs, each as [`Writer::cstr`].
pub fn startup<F: Body>(w: &mut Writer<'_>, version: u32, parameters: &F) -> Done {
    w.untagged(&move |w| {
        w.u32(version)?;
        parameters(w)?;
        w.u8(0)
    })
}

/// SSLRequest
#[cfg(feature = "tls")]
pub fn ssl_request(w: &mut Writer<'_>) -> Done {
    w.u32(8)?;
    w.u32(SSL_REQUEST)
}

/// A parameter of StartupMessage, where it has a value.
#[inline(never)]
pub fn parameter(w: &mut Writer<'_>, name: &str, value: Option<&str>) -> Done {
    match value {
        Some(value) if !value.is_empty() => {
            w.cstr(name)?;
            w.cstr(value)
        }
        _ => Ok(()),
    }
}

/// CancelRequest
pub fn cancel_request(w: &mut Writer<'_>, pid: u32, key: &[u8]) -> Done {
    w.untagged(&move |w| {
        w.u32(CANCEL_REQUEST)?;
        w.u32(pid)?;
        w.bytes(key)
    })
}

/// PasswordMessage, SASLInitialResponse, SASLResponse: `body` decides.
pub fn password<F: Body>(w: &mut Writer<'_>, body: &F) -> Done {
    w.message(b'p', body)
}

/// Query, the simple query protocol.
pub fn query(w: &mut Writer<'_>, sql: &str) -> Done {
    w.message(b'Q', &move |w| w.cstr(sql))
}

/// Query made of several pieces of text.
pub fn query_of(w: &mut Writer<'_>, pieces: &[&str]) -> Done {
    w.message(b'Q', &move |w| {
        pieces.iter().try_for_each(|piece| w.bytes(piece.as_bytes()))?;
        w.u8(0)
    })
}

/// Parse. `types` writes the number of parameters and one OID for each.
pub fn parse<F: Body>(w: &mut Writer<'_>, statement: &[u8], sql: &str, types: F) -> Done {
    w.message(b'P', &move |w| {
        w.bytes(statement)?;
        w.cstr(sql)?;
        types(w)
    })
}

/// Bind: results in binary format. `parameters` writes their formats, their number, and length and
/// value of each.
pub fn bind(w: &mut Writer<'_>, portal: &[u8], statement: &[u8], parameters: Part<'_>) -> Done {
    w.message(b'B', &move |w| {
        w.bytes(portal)?;
        w.bytes(statement)?;
        parameters.encode(w, &[])?;
        w.literal(BINARY)
    })
}

/// As [`bind`], of the unnamed portal.
pub fn bind_unnamed(w: &mut Writer<'_>, statement: &[u8], parameters: Part<'_>) -> Done {
    w.message(b'B', &move |w| {
        w.u8(0)?;
        w.bytes(statement)?;
        parameters.encode(w, &[])?;
        w.literal(BINARY)
    })
}

/// Formats of parameters that are all binary.
#[inline]
pub fn binary_parameters(w: &mut Writer<'_>) -> Done {
    w.literal(BINARY)
}

/// As [`parse`] of the unnamed statement, into a slice, compiled in line. There is no NUL in the
/// text.
#[cfg(not(target_os = "none"))]
#[inline(always)]
pub(crate) fn parse_in_line(w: &mut Writer<'_>, sql: &str, types: &[u32]) -> Done {
    let message = w.open()?;
    w.u8(0)?;
    w.bytes(sql.as_bytes())?;
    let [a, b] = u16::try_from(types.len()).map_err(|_| WireError::TooLong)?.to_be_bytes();
    w.array([0, a, b])?;
    w.words(types)?;
    w.close(b'P', message)
}

/// Bind to the unnamed portal up to its values, as [`parse_in_line`]; [`close_bind`] ends it.
/// Without a name the statement is the unnamed one.
#[cfg(not(target_os = "none"))]
#[inline(always)]
pub(crate) fn open_bind<'w, const N: usize>(
    w: &mut Writer<'w>,
    statement: Option<&[u8; N]>,
    count: usize,
) -> Result<Open<'w>, WireError> {
    let message = w.open()?;
    let [a, b] = u16::try_from(count).map_err(|_| WireError::TooLong)?.to_be_bytes();
    match statement {
        None => w.array([0, 0, 0, 1, 0, 1, a, b])?,
        Some(name) => {
            w.u8(0)?;
            w.array(*name)?;
            w.array([0, 1, 0, 1, a, b])?;
        }
    }
    Ok(message)
}

/// The end of Bind.
#[cfg(not(target_os = "none"))]
#[inline(always)]
pub(crate) fn close_bind(w: &mut Writer<'_>, message: Open<'_>) -> Done {
    w.literal(BINARY)?;
    w.close(b'B', message)
}

/// Bind to the unnamed portal, with parameters that are all binary, up to their values: for bare
/// targets, in words and with one check. `None`: there is no room in the slice, or no slice.
#[cfg(target_os = "none")]
#[inline(always)]
pub(crate) fn open_bind<'w>(
    w: &mut Writer<'w>,
    statement: &[u8; 12],
    count: usize,
) -> Option<Open<'w>> {
    let [a, b] = u16::try_from(count).ok()?.to_be_bytes();
    let (message, body) = w.open_before::<19, 24>()?;
    let &[c, d, e, f, g, h, i, j, k, l, m, n] = statement;
    *body = [0, c, d, e, f, g, h, i, j, k, l, m, n, 0, 1, 0, 1, a, b];
    Some(message)
}

/// The end of that, Describe if it is wanted, Execute and Sync.
#[cfg(target_os = "none")]
#[inline(always)]
pub(crate) fn close_bind_and_run(w: &mut Writer<'_>, message: Open<'_>, describe: bool) -> Done {
    let formats = w.room().ok_or(WireError::Full)?;
    *formats = *BINARY;
    w.close(b'B', message)?;
    if describe {
        describe_portal(w)?;
    }
    let end = w.room::<15>().ok_or(WireError::Full)?;
    *end = [b'E', 0, 0, 0, 9, 0, 0, 0, 0, 0, b'S', 0, 0, 0, 4];
    Ok(())
}

/// One format code for all: binary.
const BINARY: &[u8; 4] = &[0, 1, 0, 1];

/// Describe a portal.
pub fn describe_named_portal(w: &mut Writer<'_>, portal: &PortalName) -> Done {
    w.literal(b"D\0\0\0\x0fP")?;
    w.array(*portal)
}

/// Execute a portal for at most `rows` rows, 0 for all.
pub fn execute_portal(w: &mut Writer<'_>, portal: &PortalName, rows: u32) -> Done {
    w.literal(b"E\0\0\0\x12")?;
    w.array(*portal)?;
    w.u32(rows)
}

/// Close a portal.
pub fn close_portal(w: &mut Writer<'_>, portal: &PortalName) -> Done {
    w.literal(b"C\0\0\0\x0fP")?;
    w.array(*portal)
}

/// Describe the unnamed portal.
#[inline]
pub fn describe_portal(w: &mut Writer<'_>) -> Done {
    w.literal(b"D\0\0\0\x06P\0")
}

/// Describe a statement.
pub fn describe_statement(w: &mut Writer<'_>, statement: &[u8]) -> Done {
    w.message(b'D', &move |w| {
        w.u8(b'S')?;
        w.bytes(statement)
    })
}

/// Execute the unnamed portal to its end.
#[inline]
pub fn execute(w: &mut Writer<'_>) -> Done {
    w.literal(b"E\0\0\0\x09\0\0\0\0\0")
}

/// Execute the unnamed portal to its end, and Sync.
#[inline]
pub fn execute_and_sync(w: &mut Writer<'_>) -> Done {
    w.literal(b"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04")
}

/// Execute a portal that does not exist: makes the server abort what was sent since the last
/// Sync. Used to abort a batch of which a part was sent.
pub fn execute_nothing(w: &mut Writer<'_>) -> Done {
    w.literal(b"E\0\0\0\x0f abort\0\0\0\0\0")
}

/// Close a statement.
pub fn close_statement(w: &mut Writer<'_>, statement: &[u8]) -> Done {
    w.message(b'C', &move |w| {
        w.u8(b'S')?;
        w.bytes(statement)
    })
}

/// CopyFail
pub fn copy_fail(w: &mut Writer<'_>, reason: &str) -> Done {
    w.message(b'f', &move |w| w.cstr(reason))
}

/// CopyDone
pub fn copy_done(w: &mut Writer<'_>) -> Done {
    w.literal(b"c\0\0\0\x04")
}

/// Flush
pub fn flush(w: &mut Writer<'_>) -> Done {
    w.literal(b"H\0\0\0\x04")
}

/// Sync
#[inline(never)]
pub fn sync(w: &mut Writer<'_>) -> Done {
    w.literal(b"S\0\0\0\x04")
}

/// Terminate
pub fn terminate(w: &mut Writer<'_>) -> Done {
    w.literal(b"X\0\0\0\x04")
}

/// The name of a portal.
pub const fn portal_name(number: u32) -> PortalName {
    const fn digit(number: u32, shift: u32) -> u8 {
        hex_digit(number.wrapping_shr(shift).to_le_bytes()[0])
    }
    const fn two(number: u32, shift: u32) -> [u8; 2] {
        [digit(number, shift.wrapping_add(4)), digit(number, shift)]
    }
    let ([a, b], [c, d]) = (two(number, 24), two(number, 16));
    let ([e, f], [g, h]) = (two(number, 8), two(number, 0));
    [b'p', a, b, c, d, e, f, g, h, 0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn bytes(f: impl Fn(&mut Writer<'_>) -> Done) -> Vec<u8> {
        let mut buf = [0; 128];
        let mut w = Writer::new(&mut buf);
        f(&mut w).unwrap();
        let n = w.len();
        buf[..n].to_vec()
    }

    #[test]
    fn messages_have_the_manuals_layout() {
        let startup_message = bytes(|w| {
            startup(w, PROTOCOL_3_51, &|w| {
                for text in ["user", "jack", "database", "postgres", "client_encoding", "UTF8"] {
                    w.cstr(text)?;
                }
                Ok(())
            })
        });
        // 58 bytes: the known answer of the openGauss vectors.
        assert_eq!(&startup_message[..9], b"\0\0\0\x3a\0\x03\0\x33u");
        assert_eq!(startup_message.len(), 0x3a);
        #[cfg(feature = "tls")]
        assert_eq!(bytes(ssl_request), b"\0\0\0\x08\x04\xd2\x16\x2f");
        assert_eq!(
            bytes(|w| bind(w, UNNAMED, b"s1\0", &|w: &mut Writer<'_>| {
                binary_parameters(w)?;
                w.count(1)?;
                w.i32(-1)
            })),
            b"B\0\0\0\x16\0s1\0\0\x01\0\x01\0\x01\xff\xff\xff\xff\0\x01\0\x01"
        );
        assert_eq!(
            bytes(|w| parse(w, UNNAMED, "select 1", |w| w.count(0))),
            b"P\0\0\0\x10\0select 1\0\0\0"
        );
        assert_eq!(bytes(|w| close_statement(w, b"s1\0")), b"C\0\0\0\x08Ss1\0");
        assert_eq!(&portal_name(0x1f), b"p0000001f\0");
        let close = bytes(|w| close_portal(w, &portal_name(u32::MAX)));
        assert_eq!(close, b"C\0\0\0\x0fPpffffffff\0");
        assert_eq!(bytes(|w| execute_portal(w, &portal_name(0), 7)).len(), 0x13);
        assert_eq!(bytes(execute_nothing).len(), 16);
        assert_eq!(bytes(|w| query(w, "")), b"Q\0\0\0\x05\0");
    }
}
