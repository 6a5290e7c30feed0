//! The transports of this repository keep the rules of `barepg::transport`.

mod common;

use std::time::{Duration, Instant};

use barepg_transport_tests::{Link, Peer, check, tcp, unix};
use common::Std;

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
struct Bad<L>(L, u8, bool);

impl<L: Link> embedded_io::ErrorType for Bad<L> {
    type Error = embedded_io::ErrorKind;
}

impl<L: Link> embedded_io::Read for Bad<L> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, embedded_io::ErrorKind> {
        use embedded_io::ErrorKind::TimedOut;
        match self.1 {
            // Waits too long.
            0 => {
                std::thread::sleep(Duration::from_millis(60));
                self.0.read(buf)
            }
            // Says "end of stream" for "nothing yet".
            1 => match self.0.read(buf) {
                Err(TimedOut) => Ok(0),
                other => other,
            },
            // Waits for a full buffer.
            2 => match self.0.read(&mut buf[..1]) {
                Ok(1) if buf.len() > 3 && !self.2 => {
                    self.2 = true;
                    std::thread::sleep(Duration::from_millis(1100));
                    Ok(1)
                }
                other => other,
            },
            // Says "nothing yet" at the end of the stream, or for a reset.
            3 => match self.0.read(buf) {
                Ok(0) => Err(TimedOut),
                other => other,
            },
            4 => match self.0.read(buf) {
                Err(embedded_io::ErrorKind::ConnectionReset) => Ok(0),
                other => other,
            },
            _ => self.0.read(buf),
        }
    }
}

impl<L: Link> embedded_io::ReadReady for Bad<L> {
    fn read_ready(&mut self) -> Result<bool, embedded_io::ErrorKind> {
        match self.1 {
            // Never says that something has arrived, or always.
            10 => Ok(false),
            11 => Ok(true),
            // Waits.
            12 => {
                std::thread::sleep(Duration::from_millis(60));
                self.0.read_ready()
            }
            _ => self.0.read_ready(),
        }
    }
}

impl<L: Link> embedded_io::Write for Bad<L> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, embedded_io::ErrorKind> {
        match self.1 {
            5 => self.0.write(buf).map(|_| 0),
            // Takes a byte more than it says.
            6 if buf.len() > 1 => self.0.write(buf).map(|n| n - usize::from(n > 1)),
            7 => self.0.write(buf).or(Ok(buf.len())),
            8 => self.0.write(buf).map_err(|_| panic!("no error was expected")),
            _ => self.0.write(buf),
        }
    }

    fn flush(&mut self) -> Result<(), embedded_io::ErrorKind> {
        if self.1 == 9 { Err(embedded_io::ErrorKind::Other) } else { self.0.flush() }
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
                Bad(Std(stream), fault, false)
            });
        });
        checked.is_err()
    };
    std::thread::scope(|scope| {
        let threads = (0..=12).map(|fault| scope.spawn(move || noticed(fault)));
        let results: Vec<bool> =
            threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(results, [true; 13]);
    });
}
