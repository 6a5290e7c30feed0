#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
//! Checks that a transport keeps the rules of `barepg::transport`.
//!
//! For every author of a transport: write a [`Peer`] that does at the far end what it is asked, and
//! call [`check`] in a test of yours.
//!
//! ```
//! use barepg_transport_tests::{check, tcp};
//! # use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
//! # struct Mine(std::net::TcpStream);
//! # impl ErrorType for Mine { type Error = ErrorKind; }
//! # fn kind(error: std::io::Error) -> ErrorKind {
//! #     match error.kind() {
//! #         std::io::ErrorKind::WouldBlock => ErrorKind::TimedOut,
//! #         std::io::ErrorKind::Interrupted => ErrorKind::Interrupted,
//! #         _ => ErrorKind::Other,
//! #     }
//! # }
//! # impl Read for Mine {
//! #     fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
//! #         std::io::Read::read(&mut self.0, buf).map_err(kind)
//! #     }
//! # }
//! # impl ReadReady for Mine {
//! #     fn read_ready(&mut self) -> Result<bool, ErrorKind> {
//! #         self.0.set_nonblocking(true).map_err(kind)?;
//! #         let peeked = self.0.peek(&mut [0]);
//! #         self.0.set_nonblocking(false).map_err(kind)?;
//! #         Ok(!peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock))
//! #     }
//! # }
//! # impl Write for Mine {
//! #     fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
//! #         std::io::Write::write(&mut self.0, buf).map_err(kind)
//! #     }
//! #     fn flush(&mut self) -> Result<(), ErrorKind> { Ok(()) }
//! # }
//! # fn wrap(stream: std::net::TcpStream) -> Mine {
//! #     stream.set_read_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
//! #     stream.set_write_timeout(Some(std::time::Duration::from_millis(20))).unwrap();
//! #     Mine(stream)
//! # }
//! let start = std::time::Instant::now();
//! check(&|| start.elapsed().as_millis() as u64, &|run| {
//!     let (stream, mut peer) = tcp();
//!     run(&mut wrap(stream), &mut peer);
//! });
//! ```

mod link;
mod sockets;
mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use embedded_io::ErrorKind;

pub use link::{Link, Peer};
pub use sockets::{SocketPeer, tcp, unix};

/// Longest that a call may wait, in milliseconds (rule 1).
const SLICE_MS: u64 = 50;

/// Longest that `read_ready` may take, in milliseconds: it does not wait, and the machine may be
/// busy.
const READY_MS: u64 = 10;

/// How long something that must happen may take to happen, in milliseconds.
const PATIENCE_MS: u64 = 5_000;

/// Runs one check on a new link.
pub type Run<'r> = &'r mut dyn FnMut(&mut dyn Link, &mut dyn Peer);

/// Checks all the rules, each on links of its own.
///
/// `now_ms` is the clock that the transport waits by, real or simulated; `open` opens a link and
/// calls what it is given with both ends.
///
/// # Panics
/// When a rule is broken; the message begins with the rule. A call that has not returned after 10 s ends the whole
/// process, with such a message: nothing else can end it.
pub fn check(now_ms: &dyn Fn() -> u64, open: &dyn Fn(Run<'_>)) {
    let watch = watch::Watch::start();
    let bench = Bench { now_ms, open: &|run| watch.over(open, run) };
    bench.reads_wait_a_slice();
    bench.writes_wait_a_slice();
    bench.reads_return_what_is_there();
    bench.the_end_of_the_stream();
    bench.a_reset();
    bench.writes();
    bench.readiness();
    bench.nothing_panics();
}

struct Bench<'b> {
    now_ms: &'b dyn Fn() -> u64,
    open: &'b dyn Fn(Run<'_>),
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Bench<'_> {
    /// Shortest time that a call took, out of a few: the machine may be busy, but not always.
    fn shortest(&self, mut call: impl FnMut()) -> u64 {
        let times = (0..5).map(|_| {
            let start = (self.now_ms)();
            call();
            (self.now_ms)() - start
        });
        times.min().unwrap_or(0)
    }

    /// Repeats a call until it says something other than "nothing yet".
    fn retry<R>(
        &self,
        what: &str,
        mut call: impl FnMut() -> Result<R, ErrorKind>,
    ) -> Result<R, ErrorKind> {
        let deadline = (self.now_ms)() + PATIENCE_MS;
        loop {
            match call() {
                Err(kind) if is_pause(kind) => {
                    assert!((self.now_ms)() < deadline, "{what}: nothing came of it");
                }
                result => return result,
            }
        }
    }

    fn read_some(&self, link: &mut dyn Link, size: usize) -> Result<Vec<u8>, ErrorKind> {
        let mut buf = vec![0; size];
        let n = self.retry("read", || link.read(&mut buf))?;
        assert!(n <= size, "read returned more than the buffer holds");
        buf.truncate(n);
        Ok(buf)
    }

    /// Reads exactly `n` bytes.
    fn read_all(&self, link: &mut dyn Link, n: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < n {
            let some = self.read_some(link, (n - all.len()).min(300));
            let some =
                some.unwrap_or_else(|kind| panic!("{} of {n} bytes, then {kind:?}", all.len()));
            assert!(!some.is_empty(), "rule 3: the stream ended after {} of {n} bytes", all.len());
            all.extend(some);
        }
        all
    }

    fn write_all(&self, link: &mut dyn Link, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.retry("write", || link.write(bytes)).expect("write");
            assert!(n >= 1 && n <= bytes.len(), "rule 5: write took {n} bytes");
            bytes = &bytes[n..];
        }
    }

    /// What arrives at the peer, until there are `n` bytes of it.
    fn arrive(&self, peer: &mut dyn Peer, n: usize) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS);
        let mut all = peer.received();
        while all.len() < n {
            assert!(Instant::now() < deadline, "rule 6: {} of {n} bytes arrived", all.len());
            all.extend(peer.received());
        }
        all
    }

    fn reads_wait_a_slice(&self) {
        (self.open)(&mut |link, peer| {
            let mut buf = [0; 16];
            let took = self.shortest(|| {
                let result = link.read(&mut buf);
                assert!(
                    matches!(result, Err(kind) if is_pause(kind)),
                    "rule 1: a read with nothing to read gave {result:?}"
                );
            });
            assert!(took <= SLICE_MS, "rule 1: a read waited {took} ms");
            peer.send(b"abc");
            assert_eq!(self.read_all(link, 3), b"abc", "rule 1: bytes were lost while waiting");
        });
    }

    fn writes_wait_a_slice(&self) {
        (self.open)(&mut |link, peer| {
            // The peer takes nothing: sooner or later there is no room any more.
            const CHUNK: usize = 64 << 10;
            const MOST: usize = 16 << 20;
            let bytes = pattern(CHUNK);
            let (mut taken, mut full) = (0, 0);
            let mut shortest = u64::MAX;
            while full < 3 {
                assert!(taken < MOST, "rule 1: write takes everything for ever");
                let start = (self.now_ms)();
                match link.write(&bytes[taken % CHUNK..]) {
                    Ok(n) => {
                        assert!((1..=CHUNK).contains(&n), "rule 5: write took {n} bytes");
                        taken += n;
                    }
                    Err(kind) if is_pause(kind) => {
                        shortest = shortest.min((self.now_ms)() - start);
                        full += 1;
                    }
                    Err(kind) => panic!("rule 1: a write without room gave {kind:?}"),
                }
            }
            assert!(shortest <= SLICE_MS, "rule 1: a write waited {shortest} ms");
            // After a pause nothing more may have gone out than was said.
            let end = b"the end";
            let mut arrived = Vec::new();
            let mut rest: &[u8] = end;
            let deadline = (self.now_ms)() + PATIENCE_MS;
            while !rest.is_empty() {
                arrived.extend(peer.received());
                match link.write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(kind) if is_pause(kind) && (self.now_ms)() < deadline => {}
                    Err(kind) => panic!("rule 1: no write after there was room: {kind:?}"),
                }
            }
            let left = (taken + end.len()).saturating_sub(arrived.len());
            arrived.extend(self.arrive(peer, left));
            let (arrived, last) = arrived.split_at(taken);
            let same = arrived.chunks(CHUNK).all(|chunk| chunk == &bytes[..chunk.len()]);
            assert!(same, "rule 1: other bytes than were taken");
            assert!(last == end, "rule 1: a write that took nothing sent something");
        });
    }

    fn reads_return_what_is_there(&self) {
        (self.open)(&mut |link, peer| {
            let mut shortest = u64::MAX;
            for length in [1, 2, 3] {
                peer.send(&pattern(length));
                let start = (self.now_ms)();
                let some = self.read_some(link, 64).expect("read");
                assert!(!some.is_empty() && some.len() <= length, "rule 2: {some:?}");
                // Generous: the peer's own sending is in it.
                let took = (self.now_ms)() - start;
                assert!(took < 1000, "rule 2: a read waited {took} ms for a full buffer");
                shortest = shortest.min(took);
                let mut all = some;
                all.extend(self.read_all(link, length - all.len()));
                assert_eq!(all, pattern(length), "rule 2");
            }
            assert!(shortest <= SLICE_MS, "rule 1: a read of what is there waited {shortest} ms");
        });
    }

    fn the_end_of_the_stream(&self) {
        for length in [0, 5, 3000] {
            (self.open)(&mut |link, peer| {
                peer.send(&pattern(length));
                peer.close();
                assert_eq!(self.read_all(link, length), pattern(length), "rule 4");
                let took = self.shortest(|| {
                    let end = self.read_some(link, 16);
                    assert_eq!(end, Ok(Vec::new()), "rule 3: the end of the stream");
                });
                assert!(took <= SLICE_MS, "rule 1: a read at the end waited {took} ms");
            });
        }
    }

    fn a_reset(&self) {
        for length in [0, 100] {
            (self.open)(&mut |link, peer| {
                // Not taken by the peer.
                self.write_all(link, b"xx");
                peer.send(&pattern(length));
                peer.reset();
                let mut before = Vec::new();
                let kind = loop {
                    match self.read_some(link, 30) {
                        Ok(bytes) => {
                            assert!(!bytes.is_empty(), "rule 7: a reset looks like an end");
                            before.extend(bytes);
                        }
                        Err(kind) => break kind,
                    }
                };
                assert!(!is_pause(kind), "rule 7");
                assert!(pattern(length).starts_with(&before), "rule 4: other bytes than were sent");
                let took = self.shortest(|| {
                    let read = link.read(&mut [0; 16]);
                    assert!(
                        !matches!(read, Ok(1..)) && !matches!(read, Err(kind) if is_pause(kind)),
                        "rule 7: a read after the reset was reported gave {read:?}"
                    );
                    let written = link.write(b"x");
                    assert!(
                        matches!(written, Err(kind) if !is_pause(kind)),
                        "rule 7: a write after the reset was reported gave {written:?}"
                    );
                    let flushed = link.flush();
                    assert!(
                        !matches!(flushed, Err(kind) if is_pause(kind)),
                        "rule 7: a flush after the reset was reported gave {flushed:?}"
                    );
                });
                assert!(took <= SLICE_MS, "rule 7: calls after the reset waited {took} ms");
            });
        }
    }

    fn writes(&self) {
        (self.open)(&mut |link, peer| {
            let took = self.shortest(|| self.write_all(link, b"a"));
            assert!(took <= SLICE_MS, "rule 1: a write with room waited {took} ms");
            assert_eq!(self.arrive(peer, 5), b"aaaaa", "rule 6: without a flush");
            let bytes = pattern(3000);
            self.write_all(link, &bytes);
            self.retry("flush", || link.flush()).expect("rule 6: flush");
            assert!(self.arrive(peer, 3000) == bytes, "rule 6");
            // A flush of nothing.
            let took = self.shortest(|| {
                self.retry("flush", || link.flush()).expect("rule 6: flush");
            });
            assert!(took <= SLICE_MS, "rule 6: a flush waited {took} ms");
        });
    }

    fn readiness(&self) {
        (self.open)(&mut |link, peer| {
            let took = self.shortest(|| {
                let ready = link.read_ready();
                assert_eq!(ready, Ok(false), "rule 9: nothing was sent");
            });
            assert!(took <= READY_MS, "rule 9: read_ready waited {took} ms");
            // Two bytes, sent as one: when the first is read, the second is there.
            peer.send(b"ab");
            assert_eq!(self.read_all(link, 1), b"a");
            for _ in 0..2 {
                assert_eq!(link.read_ready(), Ok(true), "rule 9: a byte is there");
            }
            assert_eq!(self.read_all(link, 1), b"b", "rule 9: read_ready took a byte");
            assert_eq!(link.read_ready(), Ok(false), "rule 9: all was read");
            peer.close();
            assert_eq!(self.read_some(link, 16), Ok(Vec::new()));
            assert_eq!(link.read_ready(), Ok(true), "rule 9: the stream has ended");
        });
        (self.open)(&mut |link, peer| {
            // Not taken by the peer.
            self.write_all(link, b"xx");
            peer.reset();
            let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS);
            while link.read_ready() == Ok(false) {
                assert!(Instant::now() < deadline, "rule 9: never ready after a reset");
            }
            let read = link.read(&mut [0; 4]);
            assert!(
                matches!(read, Ok(0)) || matches!(read, Err(kind) if !is_pause(kind)),
                "rule 9: ready after a reset, and then a read gave {read:?}"
            );
            assert_ne!(link.read_ready(), Ok(false), "rule 9: the reset was reported");
        });
    }

    fn nothing_panics(&self) {
        for reset in [false, true] {
            (self.open)(&mut |link, peer| {
                self.write_all(link, b"xx");
                if reset {
                    peer.reset();
                } else {
                    peer.close();
                }
                for round in 0..20 {
                    let call = AssertUnwindSafe(|| match round % 5 {
                        0 => link.write(b"xyz").map(|_| ()),
                        1 => link.flush(),
                        2 => link.read(&mut [0; 1]).map(|_| ()),
                        3 => link.read_ready().map(|_| ()),
                        _ => link.read(&mut [0; 500]).map(|_| ()),
                    });
                    assert!(catch_unwind(call).is_ok(), "rule 8: call {round} panicked");
                }
            });
        }
    }
}
