//! Calls that have a deadline each: the time that passes between two of them does not count, and what
//! has begun to arrive when one ends is not lost.

use std::cell::Cell;
use std::rc::Rc;

use barepg::{Client, Config, NoEntropy, Platform, SslMode, Storage};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

use super::model::{At, Damage, Server};
use super::peer::{Machine, Transport};
use super::transcript::message;
use super::verbs::session_of;

/// CopyData with 60 bytes.
fn row() -> Vec<u8> {
    [&[b'd', 0, 0, 0, 64][..], &[b'x'; 60]].concat()
}

/// A device that writes each row to flash. The receive buffer nearly always holds a part of the next.
#[test]
fn the_time_that_rows_of_a_copy_take_here_is_no_deadlines() {
    const ROWS: usize = 200;
    let machine = Machine::default();
    let rows = Damage::Bytes(row().repeat(ROWS));
    let server = Server::damaged(&machine, At::Message(1), rows);
    session_of(256, &server, &machine, |conn| {
        conn.set_timeout_ms(1000);
        server.arm();
        let mut copy = conn.copy_out("copy t to stdout").expect("a copy");
        let (clock, mut taken) = (machine.clock(), 0);
        while let Some(piece) = copy.next().expect("another row") {
            taken += usize::from(piece.len() == 60);
            clock.set(clock.get() + 300);
        }
        assert_eq!(taken, ROWS);
    });
}

/// The same of a COPY in the other direction, that is asked now and then.
#[test]
fn a_copy_may_be_checked_at_any_time() {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session_of(256, &server, &machine, |conn| {
        conn.set_timeout_ms(1000);
        server.delay(100);
        let mut copy = conn.copy_in("copy t from stdin").expect("a copy");
        let clock = machine.clock();
        for _ in 0..5 {
            copy.send(b"1\n").and_then(|()| copy.flush()).expect("a row");
            clock.set(clock.get() + 5000);
            server.later(0, &message("N 'C' \"00000\" #00"));
            assert_eq!(copy.check(), Ok(()));
        }
        assert_eq!(copy.finish(), Ok(2));
    });
}

/// Values that are written to flash while they arrive. The second row comes when the first was dealt
/// with, or that has the time for itself too.
#[test]
fn the_time_that_streamed_rows_take_here_is_no_deadlines() {
    for late_ms in [15_400, 400] {
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Message(4), Damage::Late(late_ms));
        session_of(256, &server, &machine, |conn| {
            conn.set_timeout_ms(1000);
            server.arm();
            let clock = machine.clock();
            let mut rows = conn.query("select 2", ()).expect("rows");
            let mut found = 0;
            while let Some(mut row) = rows.next_streamed().expect("another row") {
                clock.set(clock.get() + 5000);
                let mut column = row.next_column().expect("a column").expect("one");
                clock.set(clock.get() + 5000);
                column.get::<i32>().expect("a value");
                clock.set(clock.get() + 5000);
                found += 1;
            }
            assert_eq!(found, 2, "{late_ms}");
        });
    }
}

/// A notice that does not fit the receive buffer, in two parts: the wait ends between them.
#[test]
fn a_wait_for_notifications_loses_nothing_that_has_begun() {
    for timeout_ms in [0, 100] {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session_of(96, &server, &machine, |conn| {
            let text = format!("N 'C' \"00000\" 'M' \"{}\" #00", "long ".repeat(60));
            let notice = message(&text);
            let (first, second) = notice.split_at(150);
            server.later(0, first);
            server.later(700, second);
            assert_eq!(conn.wait_notification(timeout_ms), Ok(None), "{timeout_ms}");
            server.later(0, &message("A 7 \"c\" \"on\""));
            let found = conn.wait_notification(1000).expect("usable").map(|n| n.payload == "on");
            assert_eq!(found, Some(true), "{timeout_ms}");
        });
    }
}

/// Takes nothing from here until what the server has to say was read.
struct Stuck {
    io: Transport,
    clock: Rc<Cell<u64>>,
    /// Bytes that it wants to be rid of first.
    notices: Rc<Cell<usize>>,
}

impl ErrorType for Stuck {
    type Error = ErrorKind;
}

impl Read for Stuck {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let read = self.io.read(buf)?;
        self.notices.set(self.notices.get().saturating_sub(read));
        Ok(read)
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.notices.get() > 0 {
            self.clock.set(self.clock.get() + 50);
            return Err(ErrorKind::TimedOut);
        }
        self.io.write(bytes)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.io.flush()
    }
}

impl ReadReady for Stuck {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        self.io.read_ready()
    }
}

/// A clock that goes back by an hour at some moment.
struct Clock {
    machine: Machine,
    back_at: Cell<u64>,
}

impl Platform for Clock {
    fn now_ms(&self) -> u64 {
        let now = self.machine.elapsed();
        10_000_000 + now - if now > self.back_at.get() { 3_600_000 } else { 0 }
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.machine.entropy(buf)
    }
}

/// A trigger that reports each row: the server takes no more rows before its notices are read.
#[test]
fn a_clock_that_goes_back_keeps_no_copy_from_listening() {
    static CONFIG: Config<'static> = Config::new().user("postgres").sslmode(SslMode::Disable);
    for after_ms in [0, 10, 60, 110, 1000] {
        let clock = Clock { machine: Machine::default(), back_at: Cell::new(u64::MAX) };
        let server = Server::new(&clock.machine);
        let notices = Rc::new(Cell::new(0));
        let io = server.transport();
        let stuck = Stuck { io, clock: clock.machine.clock(), notices: notices.clone() };
        let mut storage = Storage::<256, 256>::new();
        let mut client = Client::new(storage.buffers(), &CONFIG, &clock);
        client.set_timeout_ms(2000);
        let mut conn = client.connect(stuck).expect("a login");
        let mut copy = conn.copy_in("copy t from stdin").expect("a copy");
        clock.back_at.set(clock.machine.elapsed() + after_ms);
        for _ in 0..3 {
            let notice = message("N 'C' \"00000\" #00").repeat(20);
            server.later(0, &notice);
            notices.set(notice.len());
            let sent = copy.send(b"1\n").and_then(|()| copy.flush());
            assert_eq!(sent.map_err(|e| (e.kind(), e.outcome())), Ok(()), "{after_ms}");
        }
        assert_eq!(copy.finish(), Ok(2), "{after_ms}");
    }
}
