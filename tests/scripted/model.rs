//! A server that knows the protocol, in memory: it answers what the client sends, keeps a table of
//! what was committed, and fails where it is told to.
//!
//! Its SQL is small: `select N` gives N rows of one `int4`, `insert` adds to the table, with
//! `returning` it gives a row as well, `copy … from` and `copy … to` copy two rows, `fail 23505`
//! fails; transactions and savepoints are those of PostgreSQL. Of other commands it only knows
//! the tag, and which of them commit by themselves.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use embedded_io::ErrorKind;

use super::peer::{End, Machine, Transport, Wire, show};
use super::transcript::message;

/// What goes wrong, in the place of one message of the server.
#[derive(Clone)]
pub enum Damage {
    /// An ERROR with this SQLSTATE; the session goes on.
    Error(&'static str),
    /// These bytes, and then the stream ends.
    Last(Vec<u8>, End),
    /// These bytes.
    Bytes(Vec<u8>),
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
        }
    }
}

/// When it goes wrong, counted from [`Server::arm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Message(usize),
    /// The first CopyData arrives.
    CopyData,
    Never,
}

/// An ErrorResponse.
pub fn error(severity: &str, state: &str) -> Vec<u8> {
    message(&format!("E 'S' \"{severity}\" 'V' \"{severity}\" 'C' \"{state}\" 'M' \"told to\" #00"))
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
    /// What it sends, and from when on it can be read.
    outbox: VecDeque<(u64, u8)>,
    over: Option<End>,
    facts: Facts,
    damage: Option<(At, Damage)>,
    armed: bool,
    /// Milliseconds from a request to its answer.
    delay: u64,
    /// Notices before every message.
    notices: usize,
    status: u8,
    /// After an error, up to Sync.
    skipping: bool,
    copying: bool,
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
            outbox: VecDeque::new(),
            over: None,
            facts: Facts::default(),
            damage: None,
            armed: false,
            delay: 0,
            notices: 0,
            status: b'I',
            skipping: false,
            copying: false,
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
        facts.tags.clear();
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

    /// So many notices come before every message from here on.
    pub fn notices(&self, count: usize) {
        self.0.borrow_mut().notices = count;
    }

    /// Sends bytes that nobody asked for.
    pub fn push(&self, bytes: &[u8]) {
        self.0.borrow_mut().push(bytes);
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
        let due = self.outbox.iter().take(buf.len()).take_while(|(due, _)| *due <= now).count();
        if due == 0 && (self.over.is_none() || !self.outbox.is_empty()) {
            self.clock.set(now + 50);
            return Err(ErrorKind::TimedOut);
        }
        for (place, (_, byte)) in buf.iter_mut().zip(self.outbox.drain(..due)) {
            *place = byte;
        }
        match self.over {
            _ if due > 0 => Ok(due),
            Some(End::Eof) => Ok(0),
            Some(End::Reset) => Err(ErrorKind::ConnectionReset),
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
        self.facts.received += bytes.len();
        self.facts.writes += 1;
        self.inbox.extend_from_slice(bytes);
        self.serve();
        Ok(bytes.len())
    }

    fn ready(&mut self) -> Result<bool, ErrorKind> {
        let now = self.clock.get();
        let ended = self.outbox.is_empty() && matches!(self.over, Some(End::Eof | End::Reset));
        Ok(ended || self.outbox.front().is_some_and(|(due, _)| *due <= now))
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
                for text in ["R 0", "S \"server_version\" \"15.18\"", "K 77 #01020304", "Z 'I'"] {
                    self.push(&message(text));
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.over.is_none() {
            let due = self.clock.get() + self.delay;
            self.outbox.extend(bytes.iter().map(|byte| (due, *byte)));
        }
    }

    fn take_damage(&mut self, at: At) -> Option<Damage> {
        let due = self.armed && self.damage.as_ref().is_some_and(|(when, _)| *when == at);
        if due { self.damage.take().map(|(_, damage)| damage) } else { None }
    }

    /// Sends a message, or what comes in its place.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        for _ in 0..self.notices {
            self.push(b"N\0\0\0\x0cC00000\0\0");
        }
        let damage = self.take_damage(At::Message(self.facts.sent));
        self.facts.sent += 1;
        match damage {
            None => self.push(bytes),
            Some(Damage::Bytes(bytes)) => self.push(&bytes),
            Some(Damage::Error(state)) => return Err(state),
            Some(Damage::Last(bytes, end)) => {
                self.push(&bytes);
                self.over = Some(end);
            }
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

    fn handle(&mut self, tag: u8, body: &[u8]) {
        match tag {
            b'Q' => {
                let text = string(body, 0).to_lowercase();
                self.rest = text.split(';').map(|text| text.trim().to_string()).collect();
                self.rest.retain(|text| !text.is_empty());
                let empty = if self.rest.is_empty() { self.say("I") } else { Ok(()) };
                empty.unwrap_or_else(|state| self.fail(state));
                self.run_rest();
            }
            b'S' => self.ready_for_query(),
            b'd' if self.copying => match self.take_damage(At::CopyData) {
                Some(Damage::Error(state)) => {
                    self.fail(state);
                    self.ready_for_query();
                }
                Some(Damage::Last(bytes, end)) => {
                    self.push(&bytes);
                    self.over = Some(end);
                }
                _ => {}
            },
            b'c' if self.copying => {
                self.copying = false;
                self.facts.copy_done = true;
                self.pending.push("copy".into());
                match self.say("C \"COPY 2\"") {
                    Ok(()) => self.run_rest(),
                    Err(state) => {
                        self.fail(state);
                        self.ready_for_query();
                    }
                }
            }
            b'f' if self.copying => {
                self.fail("57014");
                self.ready_for_query();
            }
            b'P' | b'B' | b'D' | b'E' | b'C' if !self.skipping => {
                if let Err(state) = self.extended(tag, body) {
                    self.fail(state);
                    self.skipping = true;
                }
            }
            _ => {}
        }
    }

    fn run_rest(&mut self) {
        while let Some(text) = self.rest.pop_front() {
            match self.run(&text, None) {
                Ok(()) if self.copying => return,
                Ok(()) => {}
                Err(state) => self.fail(state),
            }
        }
        self.ready_for_query();
    }

    fn extended(&mut self, tag: u8, body: &[u8]) -> Result<(), Refusal> {
        let (first, second) = (string(body, 0), string(body, 1));
        match (tag, first.split_at_checked(1)) {
            (b'P', _) => {
                if !first.is_empty() && self.statements.contains_key(&first) {
                    return Err("42P05");
                }
                self.facts.names.push(first.clone());
                self.statements.insert(first, second);
                self.say("1")
            }
            (b'B', _) => {
                let text = self.statements.get(&second).ok_or("26000")?.clone();
                self.portals.insert(first, (text, 0));
                self.say("2")
            }
            (b'D', Some(("S", name))) => {
                let text = self.statements.get(name).ok_or("26000")?.clone();
                self.say("t 0s")?;
                self.describe(&text, 0)
            }
            (b'D', Some((_, name))) => {
                let text = self.portals.get(name).ok_or("34000")?.0.clone();
                self.describe(&text, 1)
            }
            (b'C', Some((kind, name))) => {
                if kind == "S" {
                    self.statements.remove(name);
                } else {
                    self.portals.remove(name);
                }
                self.say("3")
            }
            (b'E', _) => {
                let most = body.get(first.len() + 1..).and_then(|rest| rest.try_into().ok());
                let most = u32::from_be_bytes(most.unwrap_or_default());
                let (text, from) = self.portals.get(&first).ok_or("34000")?.clone();
                let all = rows(&text);
                if most > 0 && most < all - from.min(all) {
                    self.portals.insert(first, (text, from + most));
                    self.rows(from..from + most, 1)?;
                    return self.say("s");
                }
                self.run(&text, Some(from))
            }
            _ => Err("08P01"),
        }
    }

    fn describe(&mut self, text: &str, format: u8) -> Result<(), Refusal> {
        match rows(text) > 0 || text.starts_with("select") {
            true => self.say(&format!("T 1s \"id\" 0 0s 23 4s -1 {format}s")),
            false => self.say("n"),
        }
    }

    fn rows(&mut self, range: std::ops::Range<u32>, format: u8) -> Result<(), Refusal> {
        for row in range {
            match format {
                0 => self.say(&format!("D 1s ['{row}']"))?,
                _ => self.say(&format!("D 1s [{row}]"))?,
            }
        }
        Ok(())
    }

    /// Runs a statement; `bound`: of the extended protocol, from that row on.
    fn run(&mut self, text: &str, bound: Option<u32>) -> Result<(), Refusal> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let second = words.get(1).copied().unwrap_or("");
        let (all, format) = (rows(text), u8::from(bound.is_some()));
        let first = words.first().copied().unwrap_or("");
        if self.status == b'E' && !["commit", "end", "rollback", "abort"].contains(&first) {
            return Err("25P02");
        }
        if format == 0 && all > 0 {
            self.describe(text, 0)?;
        }
        self.rows(bound.unwrap_or(0)..all, format)?;
        match first {
            "select" => self.say(&format!("C \"SELECT {all}\"")),
            "insert" => {
                self.pending.push(text.into());
                self.say("C \"INSERT 0 1\"")
            }
            "copy" if text.contains("from") => {
                self.say("G 0b 1s 0s")?;
                self.copying = true;
                Ok(())
            }
            "copy" => {
                for line in ["H 0b 1s 0s", "d '1\\n'", "d '2\\n'", "c", "C \"COPY 2\""] {
                    self.say(line)?;
                }
                Ok(())
            }
            "fail" => Err(FAILURES.iter().find(|state| **state == second).expect("a SQLSTATE")),
            _ => self.control(text, &words),
        }
    }

    /// Commands without rows.
    fn control(&mut self, text: &str, words: &[&str]) -> Result<(), Refusal> {
        let known = words.iter().take_while(|word| WORDS.contains(word));
        let mut tag = known.copied().collect::<Vec<_>>().join(" ").to_uppercase();
        let last = words.last().copied().unwrap_or("").to_string();
        let (failed, second) = (self.status == b'E', words.get(1).copied().unwrap_or(""));
        let at = match (words[0], second) {
            ("release", _) | ("rollback", "to") => {
                let at = self.savepoints.iter().rposition(|(name, _)| *name == last);
                at.ok_or("3B001")?
            }
            _ => 0,
        };
        match words[0] {
            "commit" | "end" if second != "prepared" => {
                tag = if failed { "ROLLBACK" } else { "COMMIT" }.into();
            }
            "rollback" | "abort" if second != "prepared" => tag = "ROLLBACK".into(),
            _ => {}
        }
        self.say(&format!("C \"{tag}\"")).inspect_err(|_| {
            if tag == "COMMIT" {
                self.roll_back();
            }
        })?;
        match (words[0], second) {
            ("begin" | "start", _) => self.status = b'T',
            ("commit" | "rollback", "prepared") => self.commit(),
            ("rollback", "to") => {
                self.pending.truncate(self.savepoints[at].1);
                self.savepoints.truncate(at + 1);
                self.status = b'T';
            }
            ("commit" | "end" | "rollback" | "abort", _) => {
                if tag == "COMMIT" {
                    self.commit();
                }
                self.roll_back();
            }
            ("prepare", "transaction") => {
                self.commit();
                self.status = b'I';
            }
            ("savepoint", _) => self.savepoints.push((last, self.pending.len())),
            ("release", _) => self.savepoints.truncate(at),
            _ if self.status == b'I' && COMMITTING.iter().any(|sql| text.starts_with(sql)) => {
                self.pending.push(text.into());
                self.commit();
            }
            _ => self.pending.push(text.into()),
        }
        if text.ends_with("and chain") {
            self.status = b'T';
        }
        Ok(())
    }

    fn roll_back(&mut self) {
        self.pending.clear();
        self.savepoints.clear();
        self.status = b'I';
    }
}

/// Words of command tags.
const WORDS: &[&str] = &[
    "abort",
    "alter",
    "begin",
    "call",
    "cluster",
    "comment",
    "commit",
    "create",
    "database",
    "deallocate",
    "discard",
    "do",
    "drop",
    "index",
    "listen",
    "lock",
    "prepare",
    "prepared",
    "reindex",
    "release",
    "rollback",
    "role",
    "savepoint",
    "set",
    "start",
    "subscription",
    "system",
    "table",
    "tablespace",
    "transaction",
    "truncate",
    "vacuum",
    "all",
];

/// Commands that commit by themselves, outside of a transaction block.
pub const COMMITTING: &[&str] = &[
    "alter database",
    "alter system",
    "call",
    "cluster",
    "create database",
    "create index concurrently",
    "create subscription",
    "create tablespace",
    "discard all",
    "do",
    "drop database",
    "drop index concurrently",
    "drop subscription",
    "drop tablespace",
    "reindex",
    "vacuum",
];

/// What `fail` can fail with.
const FAILURES: &[&str] = &["23505", "40001", "40003", "08006", "26000", "0A000"];

/// How many rows a statement gives.
fn rows(text: &str) -> u32 {
    if text.starts_with("select") {
        return text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    }
    u32::from(text.contains("returning"))
}

/// The string number `index` of a message's body.
fn string(body: &[u8], index: usize) -> String {
    let bytes = body.split(|byte| *byte == 0).nth(index).unwrap_or(&[]);
    String::from_utf8_lossy(bytes).into_owned()
}
