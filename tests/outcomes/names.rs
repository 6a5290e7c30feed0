//! Names of statements and portals do not run out: more of them than 16 bits can count, in one
//! session. A server in memory remembers names as PostgreSQL does, and answers at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use barepg::host::SystemPlatform;
use barepg::{Client, Config, Connection, Storage};
use embedded_io::{ErrorKind, Read, Write};

const MANY: u32 = 70_000;

#[test]
fn statements_without_end() {
    let (server, seen) = Server::new();
    with_session(server, |c| {
        let kept = c.prepare("select 'kept'", &[]).unwrap();
        for n in 0..MANY {
            // The same text again and again, and always another one.
            let text = if n % 2 == 0 { "select 1".to_string() } else { format!("select {n}") };
            let statement = c.prepare(&text, &[]).unwrap();
            c.execute(&statement, ()).unwrap();
            assert_eq!(seen.borrow().executed, text);
            c.close_statement(&statement).unwrap();
            if n % 1000 == 0 {
                let refused = c.prepare("bad", &[]).unwrap_err();
                assert_eq!(refused.sqlstate().unwrap().as_str(), "42601");
            }
        }
        c.execute(&kept, ()).unwrap();
        assert_eq!(seen.borrow().executed, "select 'kept'");
    });
    // Those that were closed are gone.
    assert!(seen.borrow().statements.len() <= 2, "{}", seen.borrow().statements.len());
}

#[test]
fn portals_without_end() {
    let (server, seen) = Server::new();
    with_session(server, |c| {
        let mut tx = c.transaction().unwrap();
        let kept = tx.portal("select 'kept'", ()).unwrap();
        for n in 0..MANY {
            let text = format!("select {}", n % 100);
            let portal = tx.portal(&*text, ()).unwrap();
            tx.fetch(&portal, 1).unwrap().finish().unwrap();
            assert_eq!(seen.borrow().executed, text);
            tx.close_portal(&portal).unwrap();
        }
        tx.fetch(&kept, 1).unwrap().finish().unwrap();
        assert_eq!(seen.borrow().executed, "select 'kept'");
        tx.commit().unwrap();
    });
}

/// Sessions that follow each other on one server connection, as behind a pooler, each with a
/// statement of its own.
#[test]
fn sessions_without_end() {
    let (mut storage, platform) = (Storage::<512, 512>::new(), SystemPlatform::new());
    let config = Config::new().user("trust_user");
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let (_, seen) = Server::new();
    for n in 0..MANY / 10 {
        let mut c = client.connect(Server::with(&seen)).unwrap();
        let text = format!("select {n}");
        let statement = c.prepare(&text, &[]).unwrap();
        c.execute(&statement, ()).unwrap();
        assert_eq!(seen.borrow().executed, text);
    }
}

fn with_session(server: Server, f: impl FnOnce(&mut Connection)) {
    let (mut storage, platform) = (Storage::<512, 512>::new(), SystemPlatform::new());
    let config = Config::new().user("trust_user");
    let mut client = Client::new(storage.buffers(), &config, &platform);
    f(&mut client.connect(server).unwrap());
}

/// What the server remembers.
#[derive(Default)]
struct Seen {
    /// Texts by name.
    statements: HashMap<String, String>,
    portals: HashMap<String, String>,
    /// The text that was executed last.
    executed: String,
}

/// A server and the transport to it. Statements have no columns.
#[derive(Default)]
struct Server {
    seen: Rc<RefCell<Seen>>,
    began: bool,
    in_transaction: bool,
    /// After an error, until Sync.
    skipping: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    read: usize,
}

impl Server {
    fn new() -> (Self, Rc<RefCell<Seen>>) {
        let server = Self::default();
        let seen = Rc::clone(&server.seen);
        (server, seen)
    }

    fn with(seen: &Rc<RefCell<Seen>>) -> Self {
        Self { seen: Rc::clone(seen), ..Self::default() }
    }

    fn say(&mut self, tag: u8, body: &[u8]) {
        self.output.push(tag);
        self.output.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        self.output.extend_from_slice(body);
    }

    fn ready(&mut self) {
        self.say(b'Z', if self.in_transaction { b"T" } else { b"I" });
    }

    fn error(&mut self, state: &str) {
        let body = format!("SERROR\0VERROR\0C{state}\0Mno\0\0");
        self.say(b'E', body.as_bytes());
        self.skipping = true;
    }

    /// Answers all complete messages.
    fn answer(&mut self) {
        loop {
            let head = if self.began { 1 } else { 0 };
            let Some(length) = self.input.get(head..head + 4) else { return };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + head;
            if self.input.len() < length {
                return;
            }
            let message: Vec<u8> = self.input.drain(..length).collect();
            if self.began {
                self.message(message[0], &message[5..]);
            } else {
                self.began = true;
                self.say(b'R', &[0; 4]);
                self.say(b'S', b"client_encoding\0UTF8\0");
                self.say(b'S', b"server_version\x0015.18\0");
                self.say(b'K', &[0, 0, 0, 1, 0, 0, 0, 2]);
                self.ready();
            }
        }
    }

    fn message(&mut self, tag: u8, body: &[u8]) {
        let mut texts = body.split(|&b| b == 0).map(|text| String::from_utf8_lossy(text));
        let mut text = || texts.next().unwrap_or_default().into_owned();
        match tag {
            b'S' => {
                self.skipping = false;
                self.ready();
            }
            _ if self.skipping => {}
            b'Q' => self.simple(&text()),
            b'P' => self.parse(text(), text()),
            b'B' => self.bind(text(), &text()),
            b'D' => self.describe(body[0]),
            b'E' => self.execute(&text()),
            b'C' => {
                let name = text();
                let mut seen = self.seen.borrow_mut();
                let seen = &mut *seen;
                let names = if body[0] == b'S' { &mut seen.statements } else { &mut seen.portals };
                names.remove(&name[1..]);
                self.output.extend_from_slice(b"3\0\0\0\x04");
            }
            _ => {}
        }
    }

    fn simple(&mut self, sql: &str) {
        match sql {
            "" => {
                self.say(b'I', b"");
                return self.ready();
            }
            "BEGIN" => self.in_transaction = true,
            _ => self.in_transaction = false,
        }
        self.say(b'C', &[sql.as_bytes(), b"\0"].concat());
        self.ready();
    }

    fn parse(&mut self, name: String, text: String) {
        if text == "bad" {
            return self.error("42601");
        }
        let taken = !name.is_empty() && self.seen.borrow().statements.contains_key(&name);
        if taken {
            return self.error("42P05");
        }
        self.seen.borrow_mut().statements.insert(name, text);
        self.say(b'1', b"");
    }

    fn bind(&mut self, portal: String, statement: &str) {
        let text = self.seen.borrow().statements.get(statement).cloned();
        let Some(text) = text else { return self.error("26000") };
        if !portal.is_empty() && self.seen.borrow().portals.contains_key(&portal) {
            return self.error("42P03");
        }
        self.seen.borrow_mut().portals.insert(portal, text);
        self.say(b'2', b"");
    }

    fn describe(&mut self, what: u8) {
        if what == b'S' {
            self.say(b't', &[0, 0]);
        }
        self.say(b'n', b"");
    }

    fn execute(&mut self, portal: &str) {
        let text = self.seen.borrow().portals.get(portal).cloned();
        let Some(text) = text else { return self.error("34000") };
        self.seen.borrow_mut().executed = text;
        self.say(b'C', b"SELECT 0\0");
    }
}

impl embedded_io::ErrorType for Server {
    type Error = ErrorKind;
}

impl Read for Server {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let left = &self.output[self.read..];
        if left.is_empty() {
            return Err(ErrorKind::TimedOut);
        }
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.read += n;
        if self.read == self.output.len() {
            self.output.clear();
            self.read = 0;
        }
        Ok(n)
    }
}

impl embedded_io::ReadReady for Server {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.read < self.output.len())
    }
}

impl Write for Server {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.input.extend_from_slice(buf);
        self.answer();
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
