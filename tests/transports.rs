//! The transports of this repository keep the rules of `barepg::transport`.

mod common;

use std::time::{Duration, Instant};

use barepg_testkit::child::Process;
use barepg_transport_tests::{Link, Peer, check, tcp, unix};
use common::Std;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// Checks transports over the sockets of the operating system.
fn check_now<S: 'static, P: Peer, L: Link>(pair: impl Fn() -> (S, P), wrap: impl Fn(S) -> L) {
    let start = Instant::now();
    check(&|| start.elapsed().as_millis().try_into().unwrap(), &|run| {
        let (stream, mut peer) = pair();
        run(&mut wrap(stream), &mut peer);
    });
}

#[test]
fn sockets_of_the_tests() {
    let slice = Some(Duration::from_millis(20));
    check_now(tcp, |stream| {
        stream.set_read_timeout(slice).unwrap();
        stream.set_write_timeout(slice).unwrap();
        Std(stream)
    });
    check_now(unix, |stream| {
        stream.set_read_timeout(slice).unwrap();
        stream.set_write_timeout(slice).unwrap();
        Std(stream)
    });
}

#[cfg(feature = "std")]
#[test]
fn links_of_the_host() {
    check_now(tcp, |stream| barepg::host::Link::from_tcp(stream).unwrap());
    check_now(unix, |stream| barepg::host::Link::from_unix(stream).unwrap());
}

/// A transport that breaks one rule, to see that the check notices.
struct Bad<L> {
    link: L,
    fault: usize,
    /// What happens once has happened.
    done: bool,
    held: Vec<u8>,
}

const FAULTS: usize = 29;

/// Longer than any call may take.
fn wait() {
    std::thread::sleep(Duration::from_millis(80));
}

impl<L: Link> ErrorType for Bad<L> {
    type Error = ErrorKind;
}

impl<L: Link> Read for Bad<L> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if !self.held.is_empty() && matches!(self.fault, 18 | 22) {
            let n = buf.len().min(self.held.len());
            buf[..n].copy_from_slice(&self.held[..n]);
            self.held.drain(..n);
            return Ok(n);
        }
        let result = match self.fault {
            // Waits too long, for a full buffer.
            2 => self.link.read(&mut buf[..1]),
            // Takes a datagram, and discards what there is no room for.
            17 => {
                let mut datagram = [0; 2000];
                let result = self.link.read(&mut datagram);
                let n = result.unwrap_or(0).min(buf.len());
                buf[..n].copy_from_slice(&datagram[..n]);
                result.map(|_| n)
            }
            _ => self.link.read(buf),
        };
        match (self.fault, result) {
            (0, _) => wait(),
            // Says "end of stream" for "nothing yet", and the reverse, or for a reset.
            (1, Err(ErrorKind::TimedOut)) => return Ok(0),
            (2, Ok(1)) if buf.len() > 3 && !self.done => {
                self.done = true;
                std::thread::sleep(Duration::from_millis(1100));
            }
            (3, Ok(0)) => return Err(ErrorKind::TimedOut),
            (4, Err(ErrorKind::ConnectionReset)) => return Ok(0),
            // Waits although there are bytes, or the link is over.
            (15, Ok(1..)) => wait(),
            (16, Err(kind)) if kind != ErrorKind::TimedOut => self.done = true,
            (16, Ok(0)) if self.done => wait(),
            (25, Ok(0)) => wait(),
            // The end only once; or once, and then a reset.
            (19, Ok(0)) if std::mem::replace(&mut self.done, true) => {
                return Err(ErrorKind::TimedOut);
            }
            (20, Ok(0)) if std::mem::replace(&mut self.done, true) => {
                return Err(ErrorKind::ConnectionReset);
            }
            (21, Ok(n @ 1..)) => return Ok(n + buf.len()),
            (23, Err(kind)) if kind != ErrorKind::TimedOut => return Err(ErrorKind::TimedOut),
            (24, Ok(n @ 2..)) => buf[..n].reverse(),
            _ => {}
        }
        result
    }
}

impl<L: Link> ReadReady for Bad<L> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        match self.fault {
            // Never says that something has arrived, or always.
            10 => Ok(false),
            11 => Ok(true),
            12 => {
                wait();
                self.link.read_ready()
            }
            // Takes a byte, for good or for itself.
            18 if self.held.is_empty() && self.link.read_ready()? => {
                let mut byte = [0];
                let n = self.link.read(&mut byte)?;
                self.held.extend(&byte[..n.min(usize::from(self.done))]);
                Ok(true)
            }
            18 => Ok(!self.held.is_empty()),
            // Not of the end.
            22 if self.held.is_empty() && self.link.read_ready()? => {
                let mut bytes = [0; 100];
                let n = self.link.read(&mut bytes).unwrap_or(0);
                self.held.extend(&bytes[..n]);
                Ok(n > 0)
            }
            22 => Ok(!self.held.is_empty()),
            // An error for "nothing yet".
            26 if !self.link.read_ready()? => Err(ErrorKind::TimedOut),
            _ => self.link.read_ready(),
        }
    }
}

impl<L: Link> Write for Bad<L> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        match self.fault {
            5 => self.link.write(buf).map(|_| 0),
            // Takes a byte more than it says.
            6 if buf.len() > 1 => self.link.write(buf).map(|n| n - usize::from(n > 1)),
            7 => self.link.write(buf).or(Ok(buf.len())),
            8 => self.link.write(buf).map_err(|_| panic!("no error was expected")),
            // Waits although there is room.
            14 => {
                wait();
                self.link.write(buf)
            }
            // Only a flush sends.
            27 => {
                self.held.extend(buf);
                Ok(buf.len())
            }
            // Has taken some, and says that it has not.
            28 if buf.len() > 1 && !std::mem::replace(&mut self.done, true) => {
                self.link.write(&buf[..1]).and(Err(ErrorKind::TimedOut))
            }
            _ => self.link.write(buf),
        }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        match self.fault {
            9 => return Err(ErrorKind::Other),
            13 => wait(),
            27 => {
                while !self.held.is_empty() {
                    let n = self.link.write(&self.held)?;
                    self.held.drain(..n);
                }
            }
            _ => {}
        }
        self.link.flush()
    }
}

#[test]
fn broken_rules_are_noticed() {
    let slice = Some(Duration::from_millis(20));
    let noticed = |fault| {
        let checked = std::panic::catch_unwind(|| {
            check_now(tcp, |stream| {
                stream.set_read_timeout(slice).unwrap();
                stream.set_write_timeout(slice).unwrap();
                Bad { link: Std(stream), fault, done: false, held: Vec::new() }
            });
        });
        checked.is_err()
    };
    let unnoticed: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..FAULTS).map(|fault| scope.spawn(move || noticed(fault))).collect();
        let noticed = threads.into_iter().map(|thread| thread.join().unwrap());
        noticed.enumerate().filter_map(|(fault, noticed)| (!noticed).then_some(fault)).collect()
    });
    assert_eq!(unnoticed, [0; 0]);
}

/// A call that blocks for ever ends the process with the rule, not the patience of whoever waits for it.
#[test]
fn a_call_that_never_returns_is_noticed() {
    const BLOCKS: &str = "BAREPG_TEST_BLOCKS";
    let slice = Some(Duration::from_millis(20));
    if let Ok(call) = std::env::var(BLOCKS) {
        return check_now(tcp, |stream| {
            stream.set_read_timeout(slice.filter(|_| call != "read")).unwrap();
            stream.set_write_timeout(slice.filter(|_| call != "write")).unwrap();
            Std(stream)
        });
    }
    let both = ["read", "write"].map(|call| {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "a_call_that_never_returns_is_noticed"]).env(BLOCKS, call);
        again.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
        (call, Process::start(&mut again).unwrap())
    });
    for (call, child) in both {
        let output = child.output(&[], Duration::from_secs(120)).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "{said}");
        assert!(said.contains(&format!("rule 1: {call} did not return within 10 s")), "{said}");
    }
}
