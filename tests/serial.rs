//! The serial line that `boards/nucleo-h743-serial` shows, without the chip: what a transport without a close
//! signal owes the driver.

#[allow(dead_code)] // what only the chip's interrupt calls
#[path = "../boards/nucleo-h743-serial/src/line.rs"]
mod line;
#[path = "../boards/nucleo-h743-serial/src/modem.rs"]
mod modem;

use std::cell::{Cell, RefCell};

use barepg::{Config, Dial as _, DialError, HostSpec, NoEntropy, Platform, Target};
use embedded_io::{ErrorKind, Read as _, ReadReady as _, Write as _};
use line::{Dialler, Line, Received, Wire};
use modem::{Commands, Modem, SIM7600};

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
        assert_eq!(line.write(b"x"), Err(ErrorKind::ConnectionReset));
    });
}

/// A modem without a carrier takes what it is sent for commands.
#[test]
fn nothing_is_sent_without_a_carrier() {
    session(|line, received, wire, _| {
        put(received, b"\r\nNO CARRIER\r\n");
        wire.borrow_mut().carrier = false;
        assert_eq!(line.write(b"ATD0900"), Err(ErrorKind::ConnectionReset));
        assert_eq!(wire.borrow().sent, b"");
        // What came before it can still be read.
        assert_eq!(line.read(&mut [0; 64]), Ok(14));
    });
    session(|line, received, wire, _| {
        received.lose();
        assert_eq!(line.write(b"x"), Err(ErrorKind::InvalidData));
        assert_eq!(wire.borrow().sent, b"");
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

/// A modem: what it answers to each command, in order, as a test says. It echoes, and sends unsolicited codes.
struct Script<'l> {
    received: &'l Received<64>,
    answers: &'static [(&'static str, &'static str)],
    heard: Vec<u8>,
    begun: u32,
    carrier: bool,
}

impl Wire for Script<'_> {
    fn send(&mut self, byte: u8) -> bool {
        self.heard.push(byte);
        if byte != b'\r' {
            return true;
        }
        let heard = String::from_utf8(std::mem::take(&mut self.heard)).unwrap();
        let ((command, answer), rest) = self.answers.split_first().expect("a call that was over");
        assert_eq!(heard.trim_end(), *command);
        self.answers = rest;
        self.carrier = answer.contains("CONNECT");
        put(self.received, answer.as_bytes());
        true
    }

    fn set_ready(&mut self, on: bool) {
        self.begun += u32::from(on);
        self.carrier = false;
    }

    fn has_carrier(&mut self) -> bool {
        self.carrier
    }
}

const SHORT: Commands<'static> =
    Commands { tidy: &[["ATH", "OK"]], setup: &[["AT+M=1", "OK"]], call: ["AT+C=\"", "\",", ""] };

/// A call with such answers: how it ends, and what the session reads first.
fn call(
    commands: Commands<'static>,
    answers: &'static [(&'static str, &'static str)],
    host: HostSpec<'static>,
) -> (Result<Vec<u8>, DialError>, u64) {
    let (received, board) = (Received::new(), Board::default());
    let script = Script { received: &received, answers, heard: vec![], begun: 0, carrier: false };
    let wire = RefCell::new(script);
    let line = Dialler { received: &received, wire: &wire, board: &board };
    let target = Target { timeout_ms: 10_000, ..Target::new(host, &Config::new()) };
    let result = Modem { line, commands }.dial(&target).map(|mut session| {
        let mut buf = [0; 64];
        let n = session.read(&mut buf).unwrap_or(0);
        buf[..n].to_vec()
    });
    let left = wire.borrow().answers;
    assert!(left.is_empty() || result.is_err(), "not said: {left:?}");
    (result, board.now.get())
}

fn plant() -> HostSpec<'static> {
    HostSpec { host: "db.plant.example", hostaddr: "", port: 5432 }
}

#[test]
fn a_modem_is_told_to_connect_and_hands_bytes_through() {
    let answers = &[
        ("ATE0", "ATE0\r\r\nOK\r\n"),
        ("AT+CIPCLOSE=0", "\r\n+CIPCLOSE: 0,4\r\n\r\nERROR\r\n"),
        ("AT+NETCLOSE", "\r\nOK\r\n\r\n+NETCLOSE: 0\r\n"),
        ("AT&D1", "\r\nOK\r\n"),
        ("AT+CIPMODE=1", "\r\n+CREG: 1\r\n\r\nOK\r\n"),
        ("AT+NETOPEN", "\r\nOK\r\n\r\n+NETOPEN: 0\r\n"),
        ("AT+CIPOPEN=0,\"TCP\",\"db.plant.example\",5432", "\r\nCONNECT 115200\r\nN\n"),
    ];
    let (result, took) = call(SIM7600, answers, plant());
    assert_eq!(result, Ok(b"N\n".to_vec()));
    assert!(took < 1000, "{took} ms");
}

/// What is no connection in transparent mode is none, whatever it begins with.
#[test]
fn a_modem_without_a_connection_is_believed() {
    const REFUSED: Result<Vec<u8>, DialError> =
        Err(DialError::Failed(ErrorKind::ConnectionRefused));
    macro_rules! end {
        ($setup:literal, $call:literal) => {
            call(
                SHORT,
                &[("ATH", "OK\n"), ("AT+M=1", $setup), ("AT+C=\"db.plant.example\",5432", $call)],
                plant(),
            )
            .0
        };
    }
    assert_eq!(end!("OK\n", "OK\r\n\r\nCONNECT\r\n"), Ok(vec![]));
    for refused in [
        end!("ERROR\n", ""),
        end!("+CME ERROR: 10\n", ""),
        end!("OK\n", "CONNECT OK\r\n"),
        end!("OK\n", "CONNECT FAIL\r\n"),
        end!("OK\n", "CONNECT 115200 FAIL\r\n"),
        end!("OK\n", "OK\r\n\r\nERROR\r\n"),
        end!("OK\n", "NO CARRIER\r\n"),
    ] {
        assert_eq!(refused, REFUSED);
    }
    // A line that only begins like a result, or is too long to be one, is none.
    for silent in [end!("OKAY\n", ""), end!("OK\n", "CONNECT AND A LOT OF TEXT THAT GOES ON\n")] {
        assert_eq!(silent, Err(DialError::TimedOut));
    }
}

/// One deadline covers all commands; the time for those that may fail is a part of it.
#[test]
fn a_silent_modem_ends_at_the_deadline() {
    for answers in [
        &[("ATH", ""), ("AT+M=1", "")][..],
        &[("ATH", ""), ("AT+M=1", "OK\n"), ("AT+C=\"db.plant.example\",5432", "\n\nCONN")],
    ] {
        let (result, took) = call(SHORT, answers, plant());
        assert_eq!(result, Err(DialError::TimedOut));
        assert!((10_000..10_050).contains(&took), "{took} ms");
    }
}

/// A host cannot say a command of its own.
#[test]
fn a_host_that_is_no_name_is_not_said() {
    for host in ["", "a\"b", "a\rATD0123", "a\nb", "a,b", "a b", "/run/postgresql", "ä"] {
        let host = HostSpec { host, hostaddr: "", port: 5432 };
        let (result, _) = call(SHORT, &[], host);
        assert_eq!(result, Err(DialError::Failed(ErrorKind::InvalidInput)), "{host:?}");
    }
    let answers =
        &[("ATH", "OK\n"), ("AT+M=1", "OK\n"), ("AT+C=\"192.0.2.7\",1", "CONNECT 9600\n")];
    // An address is never looked up, by the modem neither.
    for hostaddr in ["db.plant.example", "cafe.de", "192.0.2.7,"] {
        let host = HostSpec { host: "db", hostaddr, port: 5432 };
        assert_eq!(call(SHORT, &[], host).0, Err(DialError::NotAnAddress), "{hostaddr}");
    }
    let host = HostSpec { host: "a\"b", hostaddr: "192.0.2.7", port: 1 };
    assert_eq!(call(SHORT, answers, host).0, Ok(vec![]));
}
