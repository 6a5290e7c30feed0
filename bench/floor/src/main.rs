//! The floor, for the bench: bytes made beforehand, answers cut into messages and no further.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bench_common as common;

fn main() {
    let common::Arguments { port, work, n } = common::arguments();
    match work.as_str() {
        "connect" => {
            let mut session = Session::open(port);
            (1..n).for_each(|_| session.reopen(port));
            session.close();
        }
        "simple" => trips(port, &[], &query(common::SIMPLE), n),
        "prepared" => {
            let setup = [parse("s", common::SIMPLE), sync()].concat();
            let run = [bind("s", &[]), execute(), sync()].concat();
            trips(port, &[setup], &run, n);
        }
        "adhoc" => {
            let parse = parse("", common::ONE_PARAMETER);
            let bind = bind("", &[&7_i32.to_be_bytes()]);
            let describe = message(b'D', b"P\0");
            trips(port, &[], &[parse, bind, describe, execute(), sync()].concat(), n);
        }
        "row_binary" => {
            let parse = parse("", &common::rows(n));
            results(port, &[], &[parse, bind("", &[]), execute(), sync()].concat(), 1);
        }
        "row_text" => results(port, &[], &query(&common::rows(n)), 1),
        "copy_out" => results(port, &[], &query(&common::copy_out(n)), 1),
        "insert" => trips(port, &inserting(), &[item(), sync()].concat(), n),
        "execute_many" | "pipeline" => batches(port, n),
        "copy_in" => copy_in(port, n),
        "read_10mb" => {
            let setup = [parse("s", common::BLOB), sync()].concat();
            results(port, &[setup], &[bind("s", &[]), execute(), sync()].concat(), n);
        }
        _ => panic!("unknown work: {work}"),
    }
    println!("done");
}

/// Sends `run` `n` times and waits for ReadyForQuery at the end of each answer.
fn trips(port: u16, setup: &[Vec<u8>], run: &[u8], n: u32) {
    let mut session = Session::prepared(port, setup);
    for _ in 0..n {
        session.send(run);
        loop {
            let length = session.read();
            if session.buf[..length].last_chunk() == Some(b"Z\0\0\0\x05I") {
                break;
            }
            assert!(length > 0 && session.buf[0] != b'E');
        }
    }
    session.close();
}

/// Sends `run` `n` times and cuts the answers, which are long, into messages.
fn results(port: u16, setup: &[Vec<u8>], run: &[u8], n: u32) {
    let mut session = Session::prepared(port, setup);
    for _ in 0..n {
        session.send(run);
        session.until(b'Z');
    }
    session.close();
}

/// Sends hundreds of inserts before a Sync and counts the bytes of the answers.
fn batches(port: u16, n: u32) {
    // BindComplete and CommandComplete of each, ReadyForQuery.
    let answers = common::BATCH as usize * (5 + 16) + 6;
    let batch = [item().repeat(common::BATCH as usize), sync()].concat();
    let mut session = Session::prepared(port, &inserting());
    for _ in 0..n / common::BATCH {
        session.send(&batch);
        let mut seen = 0;
        while seen < answers {
            seen += session.read();
        }
    }
    session.close();
}

/// A COPY in pieces of about 16 KB.
fn copy_in(port: u16, n: u32) {
    const ROWS: u32 = 200;
    let mut session = Session::prepared(port, &[query(common::CREATE)]);
    session.send(&query(common::COPY_IN));
    session.until(b'G');
    session.send(&message(b'd', b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"));
    let row = [&5_u16.to_be_bytes()[..], &values(&row())].concat();
    let piece = message(b'd', &row.repeat(ROWS as usize));
    for _ in 0..n / ROWS {
        session.send(&piece);
    }
    session.send(&[message(b'd', b"\xff\xff"), message(b'c', b"")].concat());
    session.until(b'Z');
    session.close();
}

struct Session {
    stream: TcpStream,
    buf: Box<[u8; 16384]>,
    /// Bytes of the buffer that hold something.
    filled: usize,
}

impl Session {
    fn open(port: u16) -> Session {
        let stream = connect(port);
        let mut session = Session { stream, buf: Box::new([0; 16384]), filled: 0 };
        session.log_in();
        session
    }

    /// Another session in the same memory.
    fn reopen(&mut self, port: u16) {
        self.send(b"X\0\0\0\x04");
        self.stream = connect(port);
        self.log_in();
    }

    fn log_in(&mut self) {
        self.send(b"\0\0\0\x27\0\x03\0\0user\0trust_user\0database\0test\0\0");
        self.until(b'Z');
    }

    /// A session that has done `setup`, one ReadyForQuery each.
    fn prepared(port: u16, setup: &[Vec<u8>]) -> Session {
        let mut session = Session::open(port);
        for bytes in setup {
            session.send(bytes);
            session.until(b'Z');
        }
        session
    }

    fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream.write(bytes).expect("the server reads");
        assert!(sent == bytes.len(), "the socket's buffer is large");
    }

    /// Reads once, over what was there.
    fn read(&mut self) -> usize {
        self.stream.read(&mut self.buf[..]).expect("the server answers")
    }

    /// Takes messages to the first of type `last`. Those that do not fit are skipped.
    fn until(&mut self, last: u8) {
        let mut at = 0;
        loop {
            while let Some(&[tag, a, b, c, d]) = self.buf[at..self.filled].first_chunk() {
                assert!(tag != b'E', "{}", String::from_utf8_lossy(&self.buf[at..self.filled]));
                let end = at + 1 + u32::from_be_bytes([a, b, c, d]) as usize;
                if end > self.filled {
                    if end - at > self.buf.len() {
                        self.skip(end - self.filled);
                        (at, self.filled) = (0, 0);
                        continue;
                    }
                    break;
                }
                at = end;
                if tag == last {
                    self.filled = 0;
                    return;
                }
            }
            self.buf.copy_within(at..self.filled, 0);
            self.filled -= at;
            at = 0;
            let length = self.stream.read(&mut self.buf[self.filled..]);
            let length = length.expect("the server answers");
            assert!(length > 0, "the server hung up");
            self.filled += length;
        }
    }

    /// Reads `length` bytes of a large message in pieces of 4 KB.
    fn skip(&mut self, mut length: usize) {
        while length > 0 {
            let most = length.min(4096);
            length -= self.stream.read(&mut self.buf[..most]).expect("the server answers");
        }
    }

    fn close(mut self) {
        self.send(b"X\0\0\0\x04");
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)));
    let stream = stream.expect("the server listens");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn query(sql: &str) -> Vec<u8> {
    message(b'Q', &[sql.as_bytes(), b"\0"].concat())
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0\0\0"].concat())
}

fn bind(name: &str, parameters: &[&[u8]]) -> Vec<u8> {
    let count = (parameters.len() as u16).to_be_bytes();
    let body = [&b"\0"[..], name.as_bytes(), b"\0\0\x01\0\x01", &count, &values(parameters)];
    message(b'B', &[&body.concat()[..], b"\0\x01\0\x01"].concat())
}

fn values(values: &[&[u8]]) -> Vec<u8> {
    let prefixed = |value: &&[u8]| [&(value.len() as u32).to_be_bytes()[..], *value].concat();
    values.iter().flat_map(prefixed).collect()
}

fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// The row that is written, always the same.
fn row() -> [&'static [u8]; 5] {
    let zero = &[0; 8];
    [&[0; 4], zero, zero, zero, common::NAME.as_bytes()]
}

/// Bind and Execute of an insert.
fn item() -> Vec<u8> {
    [bind("s", &row()), execute()].concat()
}

/// The table and the statement that the inserts use.
fn inserting() -> [Vec<u8>; 2] {
    [query(common::CREATE), [parse("s", common::INSERT), sync()].concat()]
}
