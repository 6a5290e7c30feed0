//! Messages from the frontend, each a function that writes one message.
//!
//! Source: manual, "Message Formats".

use super::{Body, WireError, Writer};

/// Protocol 3.0, which every server since 7.4 speaks.
pub const PROTOCOL_3_0: u32 = 0x0003_0000;
/// Protocol 3.51, openGauss's newest. PostgreSQL negotiates it down.
pub const PROTOCOL_3_51: u32 = 0x0003_0033;
#[cfg(feature = "tls")]
const SSL_REQUEST: u32 = 80_877_103;
const CANCEL_REQUEST: u32 = 80_877_102;

type Done = Result<(), WireError>;

/// The name of a statement or portal on the wire, with its NUL.
pub type Name = [u8; 6];

/// The statement or portal without a name.
pub const UNNAMED: &[u8] = b"\0";

/// StartupMessage. `parameters` writes name and value pairs, each as [`Writer::cstr`].
pub fn startup<F: Body>(w: &mut Writer<'_>, version: u32, parameters: &F) -> Done {
    w.untagged(&|w| {
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
    w.untagged(&|w| {
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
    w.message(b'Q', &|w| w.cstr(sql))
}

/// Query made of several pieces of text.
pub fn query_of(w: &mut Writer<'_>, pieces: &[&str]) -> Done {
    w.message(b'Q', &|w| {
        pieces.iter().try_for_each(|piece| w.bytes(piece.as_bytes()))?;
        w.u8(0)
    })
}

/// Parse. `types` writes one OID per parameter, `count` of them.
pub fn parse<F: Body>(
    w: &mut Writer<'_>,
    statement: &[u8],
    sql: &str,
    count: usize,
    types: &F,
) -> Done {
    w.message(b'P', &|w| {
        w.bytes(statement)?;
        w.cstr(sql)?;
        w.count(count)?;
        types(w)
    })
}

/// Bind to the unnamed portal: parameters and results in binary format. `values` writes length
/// and value of `count` parameters.
pub fn bind<F: Body>(w: &mut Writer<'_>, statement: &[u8], count: usize, values: &F) -> Done {
    w.message(b'B', &|w| {
        w.u8(0)?;
        w.bytes(statement)?;
        // One format code for all parameters: binary.
        w.u32(0x0001_0001)?;
        w.count(count)?;
        values(w)?;
        w.u32(0x0001_0001)
    })
}

/// As [`bind`], to the portal with this number.
pub fn bind_portal<F: Body>(
    w: &mut Writer<'_>,
    portal: u16,
    statement: &[u8],
    count: usize,
    values: &F,
) -> Done {
    w.message(b'B', &|w| {
        w.bytes(&name(b'p', portal))?;
        w.bytes(statement)?;
        w.u32(0x0001_0001)?;
        w.count(count)?;
        values(w)?;
        w.u32(0x0001_0001)
    })
}

/// Describe a portal.
pub fn describe_numbered(w: &mut Writer<'_>, portal: u16) -> Done {
    w.message(b'D', &|w| {
        w.u8(b'P')?;
        w.bytes(&name(b'p', portal))
    })
}

/// Execute a portal for at most `rows` rows, 0 for all.
pub fn execute_portal(w: &mut Writer<'_>, portal: u16, rows: u32) -> Done {
    w.message(b'E', &|w| {
        w.bytes(&name(b'p', portal))?;
        w.u32(rows)
    })
}

/// Close a portal.
pub fn close_portal(w: &mut Writer<'_>, portal: u16) -> Done {
    w.message(b'C', &|w| {
        w.u8(b'P')?;
        w.bytes(&name(b'p', portal))
    })
}

/// Describe the unnamed portal.
pub fn describe_portal(w: &mut Writer<'_>) -> Done {
    w.bytes(b"D\0\0\0\x06P\0")
}

/// Describe a statement.
pub fn describe_statement(w: &mut Writer<'_>, statement: &[u8]) -> Done {
    w.message(b'D', &|w| {
        w.u8(b'S')?;
        w.bytes(statement)
    })
}

/// Execute the unnamed portal to its end.
pub fn execute(w: &mut Writer<'_>) -> Done {
    w.bytes(b"E\0\0\0\x09\0\0\0\0\0")
}

/// Execute a portal that does not exist: makes the server abort what was sent since the last
/// Sync. Used to take back a batch of which a part was sent.
pub fn execute_nothing(w: &mut Writer<'_>) -> Done {
    w.bytes(b"E\0\0\0\x0f abort\0\0\0\0\0")
}

/// Close a statement.
pub fn close_statement(w: &mut Writer<'_>, statement: &[u8]) -> Done {
    w.message(b'C', &|w| {
        w.u8(b'S')?;
        w.bytes(statement)
    })
}

/// CopyFail
pub fn copy_fail(w: &mut Writer<'_>, reason: &str) -> Done {
    w.message(b'f', &|w| w.cstr(reason))
}

/// CopyDone
pub fn copy_done(w: &mut Writer<'_>) -> Done {
    w.bytes(b"c\0\0\0\x04")
}

/// Flush
pub fn flush(w: &mut Writer<'_>) -> Done {
    w.bytes(b"H\0\0\0\x04")
}

/// Sync
#[inline(never)]
pub fn sync(w: &mut Writer<'_>) -> Done {
    w.bytes(b"S\0\0\0\x04")
}

/// Terminate
pub fn terminate(w: &mut Writer<'_>) -> Done {
    w.bytes(b"X\0\0\0\x04")
}

/// A letter and four hexadecimal digits.
pub const fn name(letter: u8, number: u16) -> Name {
    const fn digit(number: u16, shift: u32) -> u8 {
        match number.wrapping_shr(shift).to_le_bytes()[0] & 15 {
            n @ 0..=9 => b'0'.wrapping_add(n),
            n => b'W'.wrapping_add(n),
        }
    }
    [letter, digit(number, 12), digit(number, 8), digit(number, 4), digit(number, 0), 0]
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
            bytes(|w| bind(w, &name(b's', 0x1f), 1, &|w| w.i32(-1))),
            b"B\0\0\0\x19\0s001f\0\0\x01\0\x01\0\x01\xff\xff\xff\xff\0\x01\0\x01"
        );
        assert_eq!(
            bytes(|w| parse(w, UNNAMED, "select 1", 0, &|_| Ok(()))),
            b"P\0\0\0\x10\0select 1\0\0\0"
        );
        assert_eq!(bytes(|w| close_statement(w, &name(b's', 0xab))), b"C\0\0\0\x0bSs00ab\0");
        assert_eq!(bytes(execute_nothing).len(), 16);
        assert_eq!(bytes(|w| query(w, "")), b"Q\0\0\0\x05\0");
    }
}
