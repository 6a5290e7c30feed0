//! The serial line that `boards/nucleo-h743-serial` shows, without the chip: what a transport without a close
//! signal owes the driver.

#[allow(dead_code)] // what only the chip's interrupt calls
#[path = "../boards/nucleo-h743-serial/src/line.rs"]
mod line;

use std::cell::{Cell, RefCell};

use barepg::{Config, Dial as _, DialError, HostSpec, NoEntropy, Platform, Target};
use embedded_io::{ErrorKind, Read as _, ReadReady as _, Write as _};
use line::{Dialler, Line, Received, Wire};

/// Time goes on by being looked at.
#[derive(Default)]
struct Board {
    now: Cell<u64>,
    idle: Cell<u32>,
}

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        self.now.replace(self.now.get() + 1)
    }

    fn idle(&self) {
        self.idle.set(self.idle.get() + 1);
    }

    fn entropy(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

/// A UART whose other end is in a test's hands.
#[derive(Default)]
struct Uart {
    sent: Vec<u8>,
    /// Bytes that the transmitter still takes.
    room: usize,
    ready: bool,
    carrier: bool,
    /// The carrier comes when this end is ready.
    answers: bool,
    hung_up: u32,
}

impl Wire for Uart {
    fn send(&mut self, byte: u8) -> bool {
        let room = self.room > 0;
        if room {
            self.room -= 1;
            self.sent.push(byte);
        }
        room
    }

    fn set_ready(&mut self, on: bool) {
        self.hung_up += u32::from(self.ready && !on);
        self.ready = on;
        self.carrier = on && self.answers;
    }

    fn has_carrier(&mut self) -> bool {
        self.carrier
    }
}

type Session<'l> = Line<'l, Uart, 64>;

/// A session, and what it is made of.
fn session(body: impl FnOnce(&mut Session<'_>, &Received<64>, &RefCell<Uart>, &Board)) {
    let (received, board) = (Received::new(), Board::default());
    let wire = RefCell::new(Uart { answers: true, room: 1000, ..Uart::default() });
    // What the last session left.
    b"left".iter().for_each(|byte| received.put(*byte));
    received.lose();
    let mut dialler = Dialler { received: &received, wire: &wire, board: &board };
    let mut line = dialler.dial(&target()).unwrap();
    body(&mut line, &received, &wire, &board);
}

fn target() -> Target<'static> {
    Target::new(HostSpec { host: "line", hostaddr: "", port: 5432 }, &Config::new())
}

fn put(received: &Received<64>, bytes: &[u8]) {
    bytes.iter().for_each(|byte| received.put(*byte));
}

#[test]
fn a_session_begins_without_what_the_last_one_left() {
    session(|line, received, wire, board| {
        assert!(wire.borrow().ready && board.idle.get() > 100);
        assert_eq!(line.read_ready(), Ok(false));
        assert_eq!(line.read(&mut [0; 8]), Err(ErrorKind::TimedOut));
        put(received, b"R");
        assert_eq!(line.read_ready(), Ok(true));
        let mut buf = [0; 8];
        assert_eq!(line.read(&mut buf), Ok(1));
        assert_eq!(buf[0], b'R');
    });
}

#[test]
fn the_other_end_hears_of_each_session() {
    let (received, board) = (Received::<64>::new(), Board::default());
    let wire = RefCell::new(Uart { answers: true, ..Uart::default() });
    let mut dialler = Dialler { received: &received, wire: &wire, board: &board };
    for hung_up in 0..3 {
        dialler.dial(&target()).unwrap();
        assert_eq!(wire.borrow().hung_up, hung_up);
    }
    wire.borrow_mut().answers = false;
    let before = board.now.get();
    assert_eq!(dialler.dial(&target()).err(), Some(DialError::TimedOut));
    let timeout = u64::from(target().timeout_ms);
    assert!((timeout..timeout + 20).contains(&(board.now.get() - before)));
    let second = Target { address: 1, ..target() };
    assert_eq!(dialler.dial(&second).err(), Some(DialError::NoMoreAddresses));
}

#[test]
fn calls_wait_a_slice() {
    session(|line, _, wire, board| {
        let before = board.now.get();
        assert_eq!(line.read(&mut [0; 8]), Err(ErrorKind::TimedOut));
        assert!(board.now.get() - before <= 50);
        wire.borrow_mut().room = 3;
        assert_eq!(line.write(b"abcdef"), Ok(3));
        let before = board.now.get();
        assert_eq!(line.write(b"def"), Err(ErrorKind::TimedOut));
        assert!(board.now.get() - before <= 50);
        wire.borrow_mut().room = 9;
        assert_eq!(line.write(b"def"), Ok(3));
        assert_eq!(line.flush(), Ok(()));
        assert_eq!(wire.borrow().sent, b"abcdef");
    });
}

/// Every byte that arrived before is read first, then it is a reset and never an orderly end: a result that
/// is cut must not look like a whole one.
#[test]
fn a_lost_carrier_is_a_reset() {
    session(|line, received, wire, _| {
        put(received, b"abc");
        wire.borrow_mut().carrier = false;
        let mut buf = [0; 2];
        assert_eq!(line.read(&mut buf), Ok(2));
        assert_eq!(line.read_ready(), Ok(true));
        assert_eq!(line.read(&mut buf), Ok(1));
        assert_eq!(line.read_ready(), Err(ErrorKind::ConnectionReset));
        assert_eq!(line.read(&mut buf), Err(ErrorKind::ConnectionReset));
        wire.borrow_mut().room = 0;
        assert_eq!(line.write(b"x"), Err(ErrorKind::ConnectionReset));
    });
}

/// What follows a lost byte is not handed on, whether the UART lost it or the queue was full.
#[test]
fn a_lost_byte_ends_the_session() {
    session(|line, received, _, _| {
        put(received, b"abc");
        received.lose();
        put(received, b"def");
        assert_eq!(line.read(&mut [0; 8]), Err(ErrorKind::InvalidData));
    });
    session(|line, received, _, _| {
        put(received, &[7; 64]);
        assert_eq!(line.read_ready(), Ok(true));
        put(received, &[8]);
        for _ in 0..3 {
            assert_eq!(line.read(&mut [0; 8]), Err(ErrorKind::InvalidData));
        }
    });
}
