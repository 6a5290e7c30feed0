//! A server played from a script, in memory: a transport for the driver, and the machine with a
//! false clock that the driver runs on.
//!
//! The script says what the server waits for and what it sends then. How the bytes travel (in
//! which pieces, with which pauses, cut where) is the [`Delivery`]'s.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use barepg::{NoEntropy, Platform};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// What the server does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Waits for exactly these bytes.
    Expect(Vec<u8>),
    /// Waits for one whole message, whatever it is; `true`: one without a type byte.
    ExpectAny(bool),
    /// Waits for anything at all, and takes all that is there.
    #[allow(dead_code)] // for the fuzz targets
    ExpectSome,
    Send(Vec<u8>),
    /// Waits for nothing any more; what is written from here on is taken and not looked at.
    Deaf,
}

/// How the stream ends after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Eof,
    Reset,
    /// The link stays open and nothing comes.
    Silence,
}

#[derive(Clone, Debug)]
pub struct Script {
    pub steps: Rc<[Step]>,
    pub end: End,
}

impl Script {
    /// All that the server sends.
    pub fn sent(&self) -> Vec<u8> {
        let sends = self.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        sends.flatten().copied().collect()
    }
}

/// How bytes travel.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Most bytes of one read and one write.
    pub read: usize,
    pub write: usize,
    /// Every call first says "nothing yet" once.
    pub pauses: bool,
    /// No read goes across this offset of the server's stream, and there is a pause there.
    pub split: Option<usize>,
    /// The server's stream ends at this offset.
    pub cut: Option<(usize, End)>,
    /// Writes fail when the client has sent this much; what the server sent can still be read.
    pub write_cut: Option<usize>,
}

impl Delivery {
    /// As much as fits in every call.
    pub const WHOLE: Self = Self {
        read: usize::MAX,
        write: usize::MAX,
        pauses: false,
        split: None,
        cut: None,
        write_cut: None,
    };
}

/// More calls than this in one play are a hang.
const MOST_CALLS: u32 = 100_000;

/// How far the clock goes while a read waits for nothing, in milliseconds.
const SLICE: u64 = 200;

#[derive(Debug)]
struct State {
    script: Script,
    at: usize,
    delivery: Delivery,
    clock: Rc<Cell<u64>>,
    /// Sent by the client and not yet expected.
    inbox: Vec<u8>,
    /// Everything that the client sent.
    written: Vec<u8>,
    /// Sent by the server: all of it, and how much the client has read.
    outbox: Vec<u8>,
    delivered: usize,
    /// Where in the stream a ReadyForQuery ends.
    ready: Vec<usize>,
    since_ready: usize,
    deaf: bool,
    paused: bool,
    split_done: bool,
    calls: u32,
}

/// The server's side.
#[derive(Clone, Debug)]
pub struct Peer(Rc<RefCell<State>>);

/// A server's end of a link, as the transport calls it.
pub trait Wire: std::fmt::Debug {
    /// As `embedded_io::Read::read`.
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::write`.
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind>;
    /// As `embedded_io::Write::flush`.
    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
    /// As `embedded_io::ReadReady::read_ready`: `read` would return at once, and not with a pause.
    fn ready(&mut self) -> Result<bool, ErrorKind>;
}

/// The client's side: a transport to whoever serves.
#[derive(Debug)]
pub struct Transport(Rc<RefCell<dyn Wire>>);

impl Transport {
    pub fn new(wire: Rc<RefCell<dyn Wire>>) -> Self {
        Self(wire)
    }
}

impl Peer {
    pub fn new(script: &Script, delivery: Delivery, machine: &Machine) -> Self {
        Self(Rc::new(RefCell::new(State {
            script: script.clone(),
            at: 0,
            delivery,
            clock: machine.now.clone(),
            inbox: Vec::new(),
            written: Vec::new(),
            outbox: Vec::new(),
            delivered: 0,
            ready: Vec::new(),
            since_ready: 0,
            deaf: false,
            paused: false,
            split_done: false,
            calls: 0,
        })))
    }

    pub fn transport(&self) -> Transport {
        Transport(self.0.clone())
    }

    /// Calls of the transport so far.
    pub fn calls(&self) -> u32 {
        self.0.borrow().calls
    }

    /// Everything that the client sent.
    pub fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    /// Bytes that the client sent since it read the last ReadyForQuery.
    pub fn since_ready(&self) -> usize {
        self.0.borrow().since_ready
    }

    /// What is left of the script, if anything.
    pub fn unfinished(&self) -> Option<String> {
        let mut state = self.0.borrow_mut();
        state.advance();
        if state.at < state.script.steps.len() {
            return Some(format!("the server still wants {:?}", state.script.steps[state.at]));
        }
        if !state.inbox.is_empty() && !state.deaf {
            return Some(format!("the client sent more: {}", show(&state.inbox)));
        }
        None
    }
}

impl State {
    fn advance(&mut self) {
        while let Some(step) = self.script.steps.get(self.at) {
            match step {
                Step::Send(bytes) => {
                    self.outbox.extend_from_slice(bytes);
                    if bytes.first() == Some(&b'Z') {
                        self.ready.push(self.outbox.len());
                    }
                }
                Step::Expect(expected) => {
                    let n = expected.len().min(self.inbox.len());
                    assert!(
                        self.inbox[..n] == expected[..n],
                        "the client sent   {}\ninstead of        {}",
                        show(&self.inbox),
                        show(expected),
                    );
                    if n < expected.len() {
                        return;
                    }
                    self.inbox.drain(..n);
                }
                Step::ExpectAny(untagged) => {
                    let head = usize::from(!untagged);
                    let Some(length) = self.inbox.get(head..head + 4) else { return };
                    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + head;
                    if self.inbox.len() < length {
                        return;
                    }
                    self.inbox.drain(..length);
                }
                Step::ExpectSome => {
                    if self.inbox.is_empty() {
                        return;
                    }
                    self.inbox.clear();
                }
                Step::Deaf => self.deaf = true,
            }
            self.at += 1;
        }
    }

    fn count(&mut self) {
        self.calls += 1;
        assert!(self.calls < MOST_CALLS, "the driver goes on and on");
    }

    /// Whether this call is to say "nothing yet".
    fn pause(&mut self) -> bool {
        if self.delivery.pauses {
            self.paused = !self.paused;
        }
        self.paused
    }

    fn over(&mut self, end: End) -> Result<usize, ErrorKind> {
        match end {
            End::Eof => Ok(0),
            End::Reset => Err(ErrorKind::ConnectionReset),
            End::Silence => {
                self.clock.set(self.clock.get() + SLICE);
                Err(ErrorKind::TimedOut)
            }
        }
    }

    fn is_reset(&self) -> bool {
        matches!(self.delivery.cut, Some((at, End::Reset)) if self.delivered >= at)
    }
}

impl Wire for State {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.count();
        assert!(!buf.is_empty(), "the driver reads into nothing");
        if self.pause() {
            return Err(ErrorKind::TimedOut);
        }
        self.advance();
        if let Some((at, end)) = self.delivery.cut
            && self.delivered >= at
        {
            return self.over(end);
        }
        let mut n = (self.outbox.len() - self.delivered).min(buf.len()).min(self.delivery.read);
        if n == 0 {
            let done = self.at == self.script.steps.len();
            return self.over(if done { self.script.end } else { End::Silence });
        }
        if let Some(at) = self.delivery.split {
            if self.delivered == at && !self.split_done {
                self.split_done = true;
                return Err(ErrorKind::Interrupted);
            }
            if self.delivered < at {
                n = n.min(at - self.delivered);
            }
        }
        if let Some((at, _)) = self.delivery.cut {
            n = n.min(at - self.delivered);
        }
        let end = self.delivered + n;
        buf[..n].copy_from_slice(&self.outbox[self.delivered..end]);
        if self.ready.iter().any(|at| (self.delivered + 1..=end).contains(at)) {
            self.since_ready = 0;
        }
        self.delivered = end;
        Ok(n)
    }

    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.count();
        assert!(!buf.is_empty(), "the driver writes nothing");
        if self.pause() {
            return Err(ErrorKind::TimedOut);
        }
        if self.is_reset() {
            return Err(ErrorKind::ConnectionReset);
        }
        let mut n = buf.len().min(self.delivery.write);
        if let Some(at) = self.delivery.write_cut {
            n = n.min(at.saturating_sub(self.written.len()));
            if n == 0 {
                return Err(ErrorKind::BrokenPipe);
            }
        }
        self.written.extend_from_slice(&buf[..n]);
        self.inbox.extend_from_slice(&buf[..n]);
        self.since_ready += n;
        self.advance();
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.count();
        if self.pause() {
            return Err(ErrorKind::TimedOut);
        }
        if self.is_reset() { Err(ErrorKind::ConnectionReset) } else { Ok(()) }
    }

    fn ready(&mut self) -> Result<bool, ErrorKind> {
        self.count();
        if self.pause() {
            return Ok(false);
        }
        self.advance();
        Ok(match self.delivery.cut {
            Some((at, end)) if self.delivered >= at => end != End::Silence,
            _ if self.delivered < self.outbox.len() => true,
            _ => self.at == self.script.steps.len() && self.script.end != End::Silence,
        })
    }
}

impl ErrorType for Transport {
    type Error = ErrorKind;
}

impl Read for Transport {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().read(buf)
    }
}

impl Write for Transport {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.0.borrow_mut().write(buf)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.borrow_mut().flush()
    }
}

impl ReadReady for Transport {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.0.borrow_mut().ready()
    }
}

/// What the driver runs on: the clock only goes while it waits, and the entropy is known.
#[derive(Debug, Default)]
pub struct Machine {
    now: Rc<Cell<u64>>,
    pub idles: Cell<u64>,
}

/// The entropy of every login, and its Base64 text, which is the client's nonce.
pub const ENTROPY: [u8; 18] =
    *b"\0\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97";
pub const NONCE: &str = "ABCDEFGHIJKLMNOPQRSTUVWX";

impl Machine {
    /// Milliseconds that went by.
    pub fn elapsed(&self) -> u64 {
        self.now.get()
    }

    /// The clock itself, for those that let time go by.
    #[allow(dead_code)] // not for the fuzz targets
    pub fn clock(&self) -> Rc<Cell<u64>> {
        self.now.clone()
    }
}

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        self.now.get()
    }

    fn idle(&self) {
        self.idles.set(self.idles.get() + 1);
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        for (to, from) in buf.iter_mut().zip(ENTROPY.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}

/// Bytes as text, the unprintable ones in hexadecimal.
pub fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:02x}")),
        }
    }
    text
}
