//! A server in memory, and the transport to it.
//!
//! Each work runs twice. The first time the server reads the requests and records its answers; the
//! second time, the one that is counted, it replays them: an answer is there once as many bytes
//! have been written as had been when it was recorded. So the counted run is paid neither for a
//! server that thinks nor for a network, and what is replayed always fits what is sent.

use core::cell::RefCell;
use core::sync::atomic::{Ordering, compiler_fence};

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

use crate::replies::{self, Replies};

/// Bytes of recorded answers.
const BYTES: usize = 24 * 1024;
/// Most answers in one recording.
const ANSWERS: usize = 320;

/// A part of the recording that was sent at once.
#[derive(Clone, Copy)]
struct Answer {
    /// How many bytes had been written to the server by then.
    after: u32,
    /// Where it ends in the recording.
    end: usize,
}

/// What went over the wire.
#[derive(Clone, Copy, Default)]
pub struct Wire {
    /// Times that the server answered.
    pub trips: u32,
    /// Bytes to the server, and from it.
    pub sent: u32,
    pub received: u32,
    /// Calls of `write`: the fewest segments that it takes.
    pub writes: u32,
}

/// The server.
pub struct Server(RefCell<State>);

struct State {
    recording: Recording,
    replaying: bool,
    /// Bytes written in this run, and in the one that was recorded.
    written: u32,
    recorded: u32,
    /// Calls of `write` in the run that was recorded.
    writes: u32,
    /// Next byte to be read, and the answer it belongs to.
    read: usize,
    answer: usize,
    /// The message being received: its first bytes and how many there were so far.
    head: [u8; 9],
    received: usize,
    /// Password messages of this connection.
    passwords: u32,
    replies: &'static Replies,
}

struct Recording {
    bytes: [u8; BYTES],
    length: usize,
    answers: [Answer; ANSWERS],
    count: usize,
}

impl Server {
    /// With nothing recorded.
    pub const fn new() -> Self {
        Self(RefCell::new(State {
            recording: Recording {
                bytes: [0; BYTES],
                length: 0,
                answers: [Answer { after: 0, end: 0 }; ANSWERS],
                count: 0,
            },
            replaying: false,
            written: 0,
            recorded: 0,
            writes: 0,
            read: 0,
            answer: 0,
            head: [0; 9],
            received: 0,
            passwords: 0,
            replies: &replies::TRUST,
        }))
    }

    /// From now on the server answers for itself, in this way, and records.
    pub fn record(&self, replies: &'static Replies) {
        let mut state = self.0.borrow_mut();
        (state.recording.length, state.recording.count) = (0, 0);
        state.replies = replies;
        state.replaying = false;
        state.writes = 0;
        state.rewind();
    }

    /// From now on it replays.
    pub fn replay(&self) {
        let mut state = self.0.borrow_mut();
        state.recorded = state.written;
        state.replaying = true;
        state.rewind();
    }

    /// Whether the replay was used up: as many bytes written as recorded, and all answers read.
    pub fn used_up(&self) -> bool {
        let state = self.0.borrow();
        state.written == state.recorded && state.read == state.recording.length
    }

    /// What went over the wire in the run that was recorded last.
    pub fn wire(&self) -> Wire {
        let state = self.0.borrow();
        let Recording { length, count, .. } = state.recording;
        Wire {
            trips: count as u32,
            sent: state.written,
            received: length as u32,
            writes: state.writes,
        }
    }

    /// A new connection.
    pub fn dial(&'static self) -> Transport {
        let mut state = self.0.borrow_mut();
        // A start-up packet has no type byte: as if one had been received.
        (state.head[0], state.received, state.passwords) = (0, 1, 0);
        Transport(self)
    }
}

impl State {
    fn rewind(&mut self) {
        (self.written, self.read, self.answer) = (0, 0, 0);
    }

    /// The answer that can be read now.
    fn ready(&self) -> Option<Answer> {
        let answers = self.recording.answers.get(..self.recording.count)?;
        answers.get(self.answer).copied().filter(|answer| self.written >= answer.after)
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let answer = self.ready().ok_or(ErrorKind::TimedOut)?;
        let left = self.recording.bytes.get(self.read..answer.end).unwrap_or(&[]);
        let length = left.len().min(buf.len());
        copy(&mut buf[..length], &left[..length]);
        self.read += length;
        if self.read == answer.end {
            self.answer += 1;
        }
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        self.written += bytes.len() as u32;
        if !self.replaying {
            self.writes += 1;
            self.receive(bytes);
        }
        bytes.len()
    }

    #[cold]
    fn receive(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(place) = self.head.get_mut(self.received) {
                *place = byte;
            }
            self.received += 1;
            let [tag, a, b, c, d, body @ ..] = self.head;
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if self.received >= 5 && self.received == 1 + length {
                self.received = 0;
                let reply = &mut |tag, parts: &[&[u8]]| self.recording.message(tag, parts);
                let passwords = &mut self.passwords;
                if self.replies.answer(tag, body, passwords, reply) {
                    self.recording.send(self.written);
                }
            }
        }
    }
}

impl Recording {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn message(&mut self, tag: u8, parts: &[&[u8]]) {
        let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
        self.push(&[tag]);
        self.push(&(length as u32).to_be_bytes());
        parts.iter().for_each(|part| self.push(part));
    }

    /// What was answered since the last time leaves.
    fn send(&mut self, written: u32) {
        self.answers[self.count] = Answer { after: written, end: self.length };
        self.count += 1;
    }
}

/// Copies bytes at a price that does not depend on where they lie: the usual routine takes twice as
/// many instructions where the two places are not aligned alike, and every change of an answer's
/// length would move the figures.
fn copy(to: &mut [u8], from: &[u8]) {
    let (to, from) = copy_blocks::<4>(to, from);
    copy_blocks::<1>(to, from);
}

/// Copies blocks of `N` bytes, each with unaligned loads and stores. Returns what is left.
fn copy_blocks<'t, 'f, const N: usize>(
    to: &'t mut [u8],
    from: &'f [u8],
) -> (&'t mut [u8], &'f [u8]) {
    let (to, to_rest) = to.as_chunks_mut::<N>();
    let (from, from_rest) = from.as_chunks::<N>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
        // Or the compiler makes a call of the usual routine out of it.
        compiler_fence(Ordering::SeqCst);
    }
    (to_rest, from_rest)
}

/// A connection to the server.
pub struct Transport(&'static Server);

impl ErrorType for Transport {
    type Error = ErrorKind;
}

impl Read for Transport {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.0.borrow_mut().read(buf)
    }
}

impl ReadReady for Transport {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(self.0.0.borrow().ready().is_some())
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(self.0.0.borrow_mut().write(bytes))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
