//! A server that knows the protocol, in memory: it answers what the client sends, keeps a table of
//! what was committed, and fails where it is made to.
//!
//! Its SQL is small: `select N` gives N rows of one `int4`, `insert` adds to the table, with
//! `returning` it gives a row as well, `copy … from` and `copy … to` copy two rows, `fail 23505`
//! fails; transactions and savepoints are those of PostgreSQL. Of other commands it only knows
//! the tag, and which of them commit by themselves.

mod sql;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use embedded_io::ErrorKind;

use super::peer::{End, Machine, Transport, Wire, show};
use super::transcript::message;

pub use sql::COMMITTING;

/// What goes wrong, in the place of one message of the server.
#[derive(Clone)]
pub enum Damage {
    /// An ERROR with this SQLSTATE; the session goes on.
    Error(&'static str),
    /// These bytes, and then the stream ends.
    Last(Vec<u8>, End),
    /// These bytes.
    Bytes(Vec<u8>),
    /// It, and what follows, so many milliseconds later.
    Late(u64),
    /// These bytes, again and again, for ever.
    Endless(Vec<u8>),
}

impl std::fmt::Debug for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Error(state) => write!(f, "ERROR {state}"),
            Self::Last(bytes, end) if bytes.is_empty() => write!(f, "{end:?}"),
            Self::Last(bytes, end) => {
                let field = |n| string(bytes, n)[1..].to_string();
                write!(f, "{} {}, {end:?}", field(4), field(5))
            }
            Self::Bytes(bytes) => write!(f, "{}", show(bytes)),
            Self::Late(ms) => write!(f, "{ms} ms late"),
            Self::Endless(bytes) => write!(f, "{} for ever", show(bytes)),
        }
    }
}

/// When it goes wrong, counted from [`Server::arm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At once, before anything is asked for.
    Idle,
    Message(usize),
    /// So many bytes were received: the link breaks, in both directions.
    Received(usize),
    /// The first CopyData arrives.
    CopyData,
    Never,
}

/// An ErrorResponse.
pub fn error(severity: &str, state: &str) -> Vec<u8> {
    message(&format!("E 'S' \"{severity}\" 'V' \"{severity}\" 'C' \"{state}\" 'M' \"made to\" #00"))
}

/// The server's side.
#[derive(Clone, Debug)]
pub struct Server(Rc<RefCell<Model>>);

#[derive(Debug)]
struct Model {
    clock: Rc<Cell<u64>>,
    /// What was sent to it and not understood yet; the first message has no type byte.
    inbox: Vec<u8>,
    started: bool,
    /// What it sends, up to where it was read, and from when on which part of it can be.
    outbox: Vec<u8>,
    taken: usize,
    due: VecDeque<(usize, u64)>,
    over: Option<End>,
    facts: Facts,
    damage: Option<(At, Damage)>,
    armed: bool,
    /// Milliseconds from a request to its answer.
    delay: u64,
    /// What comes before every message, and how often.
    flood: (Vec<u8>, usize),
    endless: Option<Vec<u8>>,
    status: u8,
    /// After an error, up to Sync.
    skipping: bool,
    copying: bool,
    /// The COPY is one of the extended protocol: a Sync follows it.
    bound: bool,
    /// Statements of a Query that are still to be run.
    rest: VecDeque<String>,
    statements: BTreeMap<String, String>,
    portals: BTreeMap<String, (String, u32)>,
    /// Work of the open transaction, and where its savepoints are.
    pending: Vec<String>,
    savepoints: Vec<(String, usize)>,
}

/// What a test may want to know.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Bytes received, messages sent and whether CopyDone came, since it was armed.
    pub received: usize,
    pub sent: usize,
    pub copy_done: bool,
    /// Types of the messages received since it was armed.
    pub tags: Vec<u8>,
    /// Calls of `write` in all.
    pub writes: usize,
    /// Calls of `read_ready` since it was armed.
    pub looks: usize,
    /// Names of the statements that were parsed, in order.
    pub names: Vec<String>,
    pub committed: Vec<String>,
}

impl Server {
    pub fn new(machine: &Machine) -> Self {
        Self(Rc::new(RefCell::new(Model {
            clock: machine.clock(),
            inbox: Vec::new(),
            started: false,
            outbox: Vec::new(),
            taken: 0,
            due: VecDeque::new(),
            over: None,
            facts: Facts::default(),
            damage: None,
            armed: false,
            delay: 0,
            flood: (Vec::new(), 0),
            endless: None,
            status: b'I',
            skipping: false,
            copying: false,
            bound: false,
            rest: VecDeque::new(),
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            pending: Vec::new(),
            savepoints: Vec::new(),
        })))
    }

    /// With something that will go wrong once it is armed.
    pub fn damaged(machine: &Machine, at: At, damage: Damage) -> Self {
        let server = Self::new(machine);
        server.0.borrow_mut().damage = Some((at, damage));
        server
    }

    pub fn transport(&self) -> Transport {
        Transport::new(self.0.clone())
    }

    /// From here on it counts, and goes wrong.
    pub fn arm(&self) {
        let mut model = self.0.borrow_mut();
        model.armed = true;
        let facts = &mut model.facts;
        (facts.received, facts.sent, facts.copy_done) = (0, 0, false);
        facts.looks = 0;
        facts.tags.clear();
        if let Some(damage) = model.take_damage(At::Idle) {
            let _ = model.damage(damage, &[]);
        }
    }

    #[allow(dead_code)] // not for the fuzz targets
    pub fn is_armed(&self) -> bool {
        self.0.borrow().armed
    }

    pub fn facts(&self) -> Facts {
        self.0.borrow().facts.clone()
    }

    /// Work that is part of the open transaction.
    pub fn pending(&self) -> Vec<String> {
        self.0.borrow().pending.clone()
    }

    /// Answers from here on take this long.
    pub fn delay(&self, ms: u64) {
        self.0.borrow_mut().delay = ms;
    }

    /// So many of these messages come before every other from here on.
    pub fn flood(&self, message: &[u8], count: usize) {
        self.0.borrow_mut().flood = (message.to_vec(), count);
    }

    /// Sends bytes that were not asked for, in so many milliseconds.
    pub fn later(&self, ms: u64, bytes: &[u8]) {
        let mut model = self.0.borrow_mut();
        model.delay = ms;
        model.push(bytes);
        model.delay = 0;
    }

    /// The stream ends now.
    pub fn end(&self, end: End) {
        self.0.borrow_mut().over = Some(end);
    }

    /// It forgets prepared statements, as a pooler that gives the client another server.
    pub fn forget_statements(&self) {
        self.0.borrow_mut().statements.clear();
    }
}

impl Wire for Model {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let now = self.clock.get();
        if let Some(endless) = self.endless.clone()
            && self.outbox.len() - self.taken < buf.len()
        {
            // As fast as the link is.
            self.clock.set(now + 1);
            self.queue(&endless.repeat(buf.len() / endless.len() + 1), now);
        }
        let n = self.available().min(buf.len());
        if n > 0 {
            buf[..n].copy_from_slice(&self.outbox[self.taken..self.taken + n]);
            self.taken += n;
            self.due.retain(|(end, _)| *end > self.taken);
            if self.due.is_empty() {
                self.outbox.clear();
                self.taken = 0;
            }
            return Ok(n);
        }
        match self.over {
            Some(End::Eof) if self.due.is_empty() => Ok(0),
            Some(End::Reset) if self.due.is_empty() => Err(ErrorKind::ConnectionReset),
            _ => {
                self.clock.set(now + 50);
                Err(ErrorKind::TimedOut)
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.over == Some(End::Reset) {
            return Err(ErrorKind::ConnectionReset);
        }
        let mut taken = bytes.len();
        if let (true, Some((At::Received(most), _))) = (self.armed, &self.damage) {
            taken = taken.min(most - self.facts.received);
        }
        if taken == 0 {
            self.due.clear();
            self.over = Some(End::Reset);
            return Err(ErrorKind::BrokenPipe);
        }
        self.facts.received += taken;
        self.facts.writes += 1;
        self.inbox.extend_from_slice(&bytes[..taken]);
        self.serve();
        Ok(taken)
    }

    fn ready(&mut self) -> Result<bool, ErrorKind> {
        self.facts.looks += 1;
        let ended = self.due.is_empty() && matches!(self.over, Some(End::Eof | End::Reset));
        Ok(ended || self.available() > 0)
    }
}

/// Why a statement failed.
type Refusal = &'static str;

impl Model {
    fn serve(&mut self) {
        loop {
            let head = usize::from(self.started);
            let Some(length) = self.inbox.get(head..head + 4) else { return };
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + head;
            if self.inbox.len() < length {
                return;
            }
            let all: Vec<u8> = self.inbox.drain(..length).collect();
            if self.started {
                self.facts.tags.push(all[0]);
                self.handle(all[0], &all[5..]);
            } else {
                self.started = true;
                // No two sessions have the same key.
                static KEYS: AtomicU32 = AtomicU32::new(0x0102_0304);
                let key = format!("K 77 #{:08x}", KEYS.fetch_add(1, Ordering::Relaxed));
                for text in ["R 0", "S \"server_version\" \"15.18\"", &key, "Z 'I'"] {
                    self.push(&message(text));
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.over.is_none() && self.endless.is_none() && !bytes.is_empty() {
            let due = self.clock.get() + self.delay;
            self.queue(bytes, due);
        }
    }

    fn queue(&mut self, bytes: &[u8], due: u64) {
        self.outbox.extend_from_slice(bytes);
        self.due.push_back((self.outbox.len(), due));
    }

    /// Bytes that can be read now.
    fn available(&self) -> usize {
        let now = self.clock.get();
        let parts = self.due.iter().take_while(|(_, due)| *due <= now);
        parts.last().map_or(0, |(end, _)| end - self.taken)
    }

    fn take_damage(&mut self, at: At) -> Option<Damage> {
        let due = self.armed && self.damage.as_ref().is_some_and(|(when, _)| *when == at);
        if due { self.damage.take().map(|(_, damage)| damage) } else { None }
    }

    /// Sends a message, or what comes in its place.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let flood = self.flood.0.repeat(self.flood.1);
        self.push(&flood);
        let damage = self.take_damage(At::Message(self.facts.sent));
        self.facts.sent += 1;
        match damage {
            None => self.push(bytes),
            Some(damage) => self.damage(damage, bytes)?,
        }
        Ok(())
    }

    fn damage(&mut self, damage: Damage, bytes: &[u8]) -> Result<(), Refusal> {
        match damage {
            Damage::Bytes(bytes) => self.push(&bytes),
            Damage::Error(state) => return Err(state),
            Damage::Last(bytes, end) => {
                self.push(&bytes);
                self.over = Some(end);
            }
            Damage::Late(ms) => {
                self.delay = ms;
                self.push(bytes);
            }
            Damage::Endless(bytes) => self.endless = Some(bytes),
        }
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<(), Refusal> {
        self.send(&message(text))
    }

    fn fail(&mut self, state: Refusal) {
        self.push(&error("ERROR", state));
        self.rest.clear();
        self.copying = false;
        if self.status == b'I' {
            self.pending.clear();
        } else {
            self.status = b'E';
        }
    }

    /// Commits what is in no transaction block, and sends ReadyForQuery.
    fn ready_for_query(&mut self) {
        self.skipping = false;
        // A deferred constraint, for example.
        let at = At::Message(self.facts.sent);
        match self.take_damage(at) {
            Some(Damage::Error(state)) => self.fail(state),
            damage => self.damage = damage.map(|damage| (at, damage)).or(self.damage.take()),
        }
        if self.status == b'I' {
            self.commit();
        }
        let ready = [b'Z', 0, 0, 0, 5, self.status];
        let _ = self.send(&ready);
    }

    fn commit(&mut self) {
        self.facts.committed.append(&mut self.pending);
    }
}

/// The string number `index` of a message's body.
fn string(body: &[u8], index: usize) -> String {
    let bytes = body.split(|byte| *byte == 0).nth(index).unwrap_or(&[]);
    String::from_utf8_lossy(bytes).into_owned()
}
