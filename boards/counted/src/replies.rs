//! What the server says: the messages of PostgreSQL 15.

/// How the server answers the statements of one work.
pub struct Replies {
    /// Whether a login needs a password.
    pub scram: bool,
    /// What a statement is.
    pub kind: Kind,
    /// Types of its parameters.
    pub parameters: &'static [u32],
    /// Name, type and size of each column.
    pub columns: &'static [(&'static str, u32, i16)],
    /// A row's values, as in DataRow and in a binary COPY, in the format that the work asks for.
    pub row: &'static [u8],
    /// How many rows.
    pub rows: u32,
}

/// What a statement is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Select,
    Insert,
    CopyIn,
    CopyOut,
}

/// Rows of the two runs of a work that is about rows.
pub const FEW: u32 = 20;
pub const MANY: u32 = 260;

const INT4: u32 = 23;
const INT8: u32 = 20;
const TEXT: u32 = 25;
const FLOAT8: u32 = 701;
const BOOL: u32 = 16;
const TYPES: &[u32] = &[INT4, INT8, TEXT, FLOAT8, BOOL];
const COLUMNS: &[(&str, u32, i16)] =
    &[("id", INT4, 4), ("at", INT8, 8), ("name", TEXT, -1), ("value", FLOAT8, 8), ("ok", BOOL, 1)];
const TEXT_COLUMNS: &[(&str, u32, i16)] =
    &[("id", INT4, 4), ("at", INT8, 8), ("name", TEXT, -1), ("value", TEXT, -1), ("ok", BOOL, 1)];

/// 1, 1234567890123, 'temperature, hall 4a', 21.5, true.
const BINARY_ROW: &[u8] = b"\0\x05\
    \0\0\0\x04\0\0\0\x01\
    \0\0\0\x08\0\0\x01\x1f\x71\xfb\x04\xcb\
    \0\0\0\x14temperature, hall 4a\
    \0\0\0\x08\x40\x35\x80\0\0\0\0\0\
    \0\0\0\x01\x01";
const TEXT_ROW: &[u8] = b"\0\x05\
    \0\0\0\x011\
    \0\0\0\x0d1234567890123\
    \0\0\0\x14temperature, hall 4a\
    \0\0\0\x0421.5\
    \0\0\0\x01t";

/// Logins by trust; `select 1`, as text.
pub static TRUST: Replies = Replies {
    scram: false,
    kind: Kind::Select,
    parameters: &[],
    columns: &[("?column?", INT4, 4)],
    row: b"\0\x01\0\0\0\x011",
    rows: 1,
};
/// Logins by SCRAM.
pub static SCRAM: Replies = Replies { scram: true, ..TRUST };
/// `select 1`, binary.
pub static BINARY_1: Replies = Replies { row: b"\0\x01\0\0\0\x04\0\0\0\x01", ..TRUST };
/// Five columns, a few rows and many.
pub static ROWS: [Replies; 2] = [table(Kind::Select, FEW), table(Kind::Select, MANY)];
/// The same as text; the number with a fraction stays one.
pub static TEXT_ROWS: [Replies; 2] = [
    Replies { columns: TEXT_COLUMNS, row: TEXT_ROW, ..ROWS[0] },
    Replies { columns: TEXT_COLUMNS, row: TEXT_ROW, ..ROWS[1] },
];
/// An insert of five values.
pub static INSERT: Replies =
    Replies { kind: Kind::Insert, parameters: TYPES, columns: &[], ..TRUST };
/// COPY into a table and out of it, binary.
pub static COPY_IN: [Replies; 2] = [table(Kind::CopyIn, FEW), table(Kind::CopyIn, MANY)];
pub static COPY_OUT: [Replies; 2] = [table(Kind::CopyOut, FEW), table(Kind::CopyOut, MANY)];

const fn table(kind: Kind, rows: u32) -> Replies {
    Replies { kind, columns: COLUMNS, row: BINARY_ROW, rows, ..TRUST }
}

/// Takes a message to be sent: its type and the parts of its body.
type Reply<'r> = &'r mut dyn FnMut(u8, &[&[u8]]);

impl Replies {
    /// Answers a message of the client, by its type and the first bytes of its body. True if the
    /// server now sends what it has.
    pub fn answer(&self, tag: u8, body: [u8; 4], passwords: &mut u32, reply: Reply<'_>) -> bool {
        match tag {
            // A start-up packet.
            0 => self.greet(body, reply),
            b'p' if *passwords == 0 => {
                *passwords = 1;
                reply(b'R', &[&[0, 0, 0, 11], SERVER_FIRST]);
            }
            b'p' => {
                reply(b'R', &[&[0, 0, 0, 12], SERVER_FINAL]);
                settle(reply);
            }
            b'Q' => self.simple(reply),
            b'P' => reply(b'1', &[]),
            b'B' => reply(b'2', &[]),
            b'C' => reply(b'3', &[]),
            b'D' if body[0] == b'S' => {
                self.describe_parameters(reply);
                self.describe(0, reply);
            }
            b'D' => self.describe(1, reply),
            b'E' => {
                self.send_rows(b'D', reply);
                self.complete(reply);
            }
            b'S' => ready(reply),
            // CopyDone.
            b'c' => {
                self.complete(reply);
                ready(reply);
            }
            // CopyData, Flush, Terminate.
            _ => {}
        }
        matches!(tag, 0 | b'p' | b'Q' | b'S' | b'H' | b'c')
    }

    fn greet(&self, version: [u8; 4], reply: Reply<'_>) {
        if version != [0, 3, 0, 0] {
            // The newest version spoken is 3.0; no option is unknown.
            reply(b'v', &[&[0, 3, 0, 0], &[0; 4]]);
        }
        if self.scram {
            reply(b'R', &[&[0, 0, 0, 10], b"SCRAM-SHA-256\0\0"]);
        } else {
            settle(reply);
        }
    }

    fn simple(&self, reply: Reply<'_>) {
        match self.kind {
            Kind::Select | Kind::Insert => {
                self.describe(0, reply);
                self.send_rows(b'D', reply);
            }
            Kind::CopyIn => return reply(b'G', &[COPY_FORMAT]),
            Kind::CopyOut => {
                reply(b'H', &[COPY_FORMAT]);
                reply(b'd', &[b"PGCOPY\n\xff\r\n\0", &[0; 8]]);
                self.send_rows(b'd', reply);
                reply(b'd', &[&[0xff; 2]]);
                reply(b'c', &[]);
            }
        }
        self.complete(reply);
        ready(reply);
    }

    fn describe_parameters(&self, reply: Reply<'_>) {
        let mut body = [0; 64];
        let (count, types) = body.split_at_mut(2);
        count.copy_from_slice(&(self.parameters.len() as u16).to_be_bytes());
        for (place, oid) in types.chunks_exact_mut(4).zip(self.parameters) {
            place.copy_from_slice(&oid.to_be_bytes());
        }
        reply(b't', &[&body[..2 + 4 * self.parameters.len()]]);
    }

    fn describe(&self, format: u8, reply: Reply<'_>) {
        if self.columns.is_empty() {
            return reply(b'n', &[]);
        }
        let mut body = [0; 256];
        let mut length = 0;
        let mut push = |bytes: &[u8]| {
            body[length..][..bytes.len()].copy_from_slice(bytes);
            length += bytes.len();
        };
        push(&(self.columns.len() as u16).to_be_bytes());
        for (number, (name, oid, size)) in (1_u16..).zip(self.columns) {
            push(name.as_bytes());
            push(&[0]);
            push(&16_384_u32.to_be_bytes());
            push(&number.to_be_bytes());
            push(&oid.to_be_bytes());
            push(&size.to_be_bytes());
            push(&(-1_i32).to_be_bytes());
            push(&[0, format]);
        }
        reply(b'T', &[&body[..length]]);
    }

    fn send_rows(&self, tag: u8, reply: Reply<'_>) {
        if !self.columns.is_empty() {
            (0..self.rows).for_each(|_| reply(tag, &[self.row]));
        }
    }

    fn complete(&self, reply: Reply<'_>) {
        let digits = [100, 10, 1].map(|unit| b'0' + (self.rows / unit % 10) as u8);
        let zeros = digits.iter().take(2).take_while(|digit| **digit == b'0').count();
        let command: &[u8] = match self.kind {
            Kind::Select => b"SELECT ",
            Kind::Insert => b"INSERT 0 ",
            Kind::CopyIn | Kind::CopyOut => b"COPY ",
        };
        reply(b'C', &[command, &digits[zeros..], &[0]]);
    }
}

/// Binary, and five columns of that format.
const COPY_FORMAT: &[u8] = &[1, 0, 5, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1];

fn ready(reply: Reply<'_>) {
    reply(b'Z', &[b"I"]);
}

/// AuthenticationOk and what follows it: what PostgreSQL 15 reports.
fn settle(reply: Reply<'_>) {
    reply(b'R', &[&[0; 4]]);
    for parameter in [
        "application_name\0\0",
        "client_encoding\0UTF8\0",
        "DateStyle\0ISO, MDY\0",
        "default_transaction_read_only\0off\0",
        "in_hot_standby\0off\0",
        "integer_datetimes\0on\0",
        "IntervalStyle\0postgres\0",
        "is_superuser\0off\0",
        "server_encoding\0UTF8\0",
        "server_version\x0015.18\0",
        "session_authorization\0u\0",
        "standard_conforming_strings\0on\0",
        "TimeZone\0Etc/UTC\0",
    ] {
        reply(b'S', &[parameter.as_bytes()]);
    }
    reply(b'K', &[&[0, 0, 0x12, 0x34], &[1, 2, 3, 4]]);
    ready(reply);
}

/// What the client's nonce is made of, its password, and the server's messages that belong to them:
/// RFC 5802 with 4096 iterations.
pub const ENTROPY: [u8; 18] =
    *b"\0\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97";
pub const PASSWORD: &str = "pencil and paper";
/// What the password, salt and count below make (RFC 5802, section 3), in base64.
pub const CLIENT_KEY: &str = "tcuUUBNdFHnRkAKR9kffJRwifyjTQ421X9VtN6rl7o8=";
pub const SERVER_KEY: &str = "Uet+8O8y3i+mve/A+ZUDxeFNJH1/H1b1Vu6BtNOH3q4=";
const SERVER_FIRST: &[u8] =
    b"r=ABCDEFGHIJKLMNOPQRSTUVWXabcdefghijklmnopqrstuvwx,s=YSBzYWx0IG9mIHNpeHRlZQ==,i=4096";
const SERVER_FINAL: &[u8] = b"v=oSygtvg85ixEMftNf8UfVuA8Ce3vY4fVjofQzKUtWrU=";
