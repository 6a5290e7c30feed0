//! Nothing hangs, and nothing that works is given up: floods of asynchronous messages, one deadline
//! for a verb with all that it has to do before, clocks that wrap, jump or stand still.

use std::cell::Cell;
use std::rc::Rc;

use barepg::{ErrorKind, NoEntropy, Outcome, Platform, Result, StaticStatement};
use embedded_io::Write;

use super::model::{At, Damage, Server};
use super::peer::{End, Machine};
use super::play::Conn;
use super::transcript::message;
use super::verbs::{VERBS, Within, run, session, session_of};

const NOTICE: &str = "N 'C' \"00000\" #00";

/// Messages that may come at any time.
const ASYNCHRONOUS: [&str; 3] = [NOTICE, "A 7 \"c\" \"\"", "S \"application_name\" \"x\""];

#[test]
fn a_flood_of_asynchronous_messages_before_every_message_is_taken() {
    for text in ASYNCHRONOUS {
        for verb in VERBS {
            let machine = Machine::default();
            let server = Server::new(&machine);
            session(&server, &machine, |conn| {
                // More than any count that would fit 10 bits.
                server.flood(&message(text), 1100);
                let calls = run(verb, Within::Nothing, conn, &server);
                assert_eq!(calls.error(), None, "{} {text}", verb.name);
            });
        }
    }
}

#[test]
fn a_hundred_thousand_notices_in_a_row_are_taken() {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session_of(4096, &server, &machine, |conn| {
        server.flood(&message(NOTICE), 100_000);
        assert_eq!(conn.ping(), Ok(()));
    });
}

/// They come as fast as the link is, and no answer: the deadline ends it.
#[test]
fn endless_asynchronous_messages_are_ended_by_the_deadline() {
    for text in ASYNCHRONOUS {
        for verb in VERBS {
            let machine = Machine::default();
            let damage = Damage::Endless(message(text));
            let server = Server::damaged(&machine, At::Message(0), damage);
            session_of(4096, &server, &machine, |conn| {
                conn.set_timeout_ms(40);
                let calls = run(verb, Within::Nothing, conn, &server);
                let error = calls.error().unwrap_or_else(|| panic!("{} {text}", verb.name));
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{} {text}", verb.name);
            });
            assert!(machine.elapsed() <= 300, "{} {text}: {} ms", verb.name, machine.elapsed());
        }
    }
}

/// The same before a verb, where they are taken without an answer to wait for.
#[test]
fn endless_asynchronous_messages_before_a_verb_are_ended_by_the_deadline() {
    for text in ASYNCHRONOUS {
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Idle, Damage::Endless(message(text)));
        session_of(4096, &server, &machine, |conn| {
            conn.set_timeout_ms(100);
            server.arm();
            let before = machine.elapsed();
            let error = conn.execute("insert", ()).expect_err("no answer comes");
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{text}");
            assert!(machine.elapsed() - before <= 200, "{text}: {} ms", machine.elapsed());
        });
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Idle, Damage::Endless(message(NOTICE)));
        session_of(4096, &server, &machine, |conn| {
            server.arm();
            let before = machine.elapsed();
            // None came; whether the link is given up for that is not said.
            let found = conn.wait_notification(100).is_ok_and(|found| found.is_some());
            assert!(!found && machine.elapsed() - before <= 200, "{} ms", machine.elapsed());
        });
    }
}

static INSERT: StaticStatement = StaticStatement::new("insert", &[]);

/// Work that takes several round trips; each alone would be in time.
type Slow = (&'static str, fn(&mut Conn<'_, '_>), fn(&mut Conn<'_, '_>) -> Result<()>);

const SLOW: &[Slow] = &[
    (
        "reset of a transaction",
        |conn| conn.batch_execute("begin").expect("a transaction"),
        |conn| conn.reset(),
    ),
    ("many items", |_| {}, |conn| conn.execute_many("insert", [(); 600]).map(|_| ())),
    (
        "a verb after a dropped transaction",
        |conn| drop(conn.transaction().expect("a transaction")),
        |conn| conn.execute("insert", ()).map(|_| ()),
    ),
    (
        "a transaction after a dropped one",
        |conn| drop(conn.transaction().expect("a transaction")),
        |conn| conn.transaction().map(|_| ()),
    ),
    (
        "a verb after a dropped COPY",
        |conn| {
            let mut copy = conn.copy_in("copy t from stdin").expect("a copy");
            copy.send(b"1\n").and_then(|()| copy.flush()).expect("data");
        },
        |conn| conn.ping(),
    ),
    (
        "a verb after a dropped pipeline",
        |conn| {
            let mut pipeline = conn.pipeline().expect("a pipeline");
            (0..20).for_each(|_| pipeline.execute("insert", ()).expect("a statement"));
        },
        |conn| conn.ping(),
    ),
    (
        "a static statement after a dropped transaction",
        |conn| drop(conn.transaction().expect("a transaction")),
        |conn| conn.execute(&INSERT, ()).map(|_| ()),
    ),
    (
        "a statement that is prepared anew",
        |conn| {
            conn.execute(&INSERT, ()).expect("an insert");
            conn.batch_execute("deallocate all").expect("a command");
        },
        |conn| conn.execute(&INSERT, ()).map(|_| ()),
    ),
];

#[test]
fn one_deadline_holds_for_all_round_trips_of_a_verb() {
    for (name, before, work) in SLOW {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            before(conn);
            conn.set_timeout_ms(1000);
            server.delay(700);
            let start = machine.elapsed();
            let error = work(conn).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{name}");
            let elapsed = machine.elapsed() - start;
            assert!((950..=1100).contains(&elapsed), "{name}: {elapsed} ms");
        });
        // With a deadline that is long enough they work.
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            before(conn);
            server.delay(700);
            assert_eq!(work(conn), Ok(()), "{name}");
        });
    }
}

/// The rest of an earlier answer takes 0.9 s, and then nothing comes.
#[test]
fn one_deadline_holds_for_the_rest_of_an_earlier_answer_and_the_verb() {
    type Verb = (&'static str, fn(&mut Conn<'_, '_>) -> Result<()>);
    let verbs: [Verb; 8] = [
        ("ping", |conn| conn.ping()),
        ("execute", |conn| conn.execute("insert", ()).map(|_| ())),
        ("query", |conn| conn.query("select 1", ()).map(|_| ())),
        ("batch_execute", |conn| conn.batch_execute("insert")),
        ("prepare", |conn| conn.prepare("insert", &[]).map(|_| ())),
        ("static", |conn| conn.execute(&INSERT, ()).map(|_| ())),
        ("copy_in", |conn| conn.copy_in("copy t from stdin").map(|_| ())),
        ("transaction", |conn| conn.transaction().map(|_| ())),
    ];
    for (name, verb) in verbs {
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Message(4), Damage::Late(900));
        session(&server, &machine, |conn| {
            conn.set_timeout_ms(1000);
            server.arm();
            drop(conn.query("select 2", ()).expect("rows"));
            server.end(End::Silence);
            let start = machine.elapsed();
            let error = verb(conn).expect_err(name);
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{name}");
            let elapsed = machine.elapsed() - start;
            assert!((950..=1100).contains(&elapsed), "{name}: {elapsed} ms");
        });
    }
}

#[test]
fn commit_after_dropped_rows_has_one_deadline() {
    let machine = Machine::default();
    let server = Server::damaged(&machine, At::Message(4), Damage::Late(900));
    session(&server, &machine, |conn| {
        conn.set_timeout_ms(1000);
        let mut tx = conn.transaction().expect("a transaction");
        server.arm();
        drop(tx.query("select 2", ()).expect("rows"));
        let start = machine.elapsed();
        let error = tx.commit().expect_err("too late");
        assert_eq!((error.kind(), error.is_usable()), (ErrorKind::TimedOut, false));
        let elapsed = machine.elapsed() - start;
        assert!((950..=1100).contains(&elapsed), "{elapsed} ms");
        // COMMIT was sent, and its answer is on the way.
        assert_eq!(error.outcome(), Outcome::Unknown);
    });
}

/// A clock made of another: what it says when that one says so many milliseconds.
struct Clock {
    machine: Machine,
    says: Box<dyn Fn(u64) -> u64>,
    idles: Cell<u64>,
    most: u64,
}

impl Clock {
    fn new(says: impl Fn(u64) -> u64 + 'static) -> Rc<Self> {
        let machine = Machine::default();
        Rc::new(Self { machine, says: Box::new(says), idles: Cell::new(0), most: 5_000_000 })
    }
}

impl Platform for Clock {
    fn now_ms(&self) -> u64 {
        (self.says)(self.machine.elapsed())
    }

    fn idle(&self) {
        self.idles.set(self.idles.get() + 1);
        assert!(self.idles.get() < self.most, "the driver goes on and on");
    }

    fn entropy(&self, buf: &mut [u8]) -> core::result::Result<(), NoEntropy> {
        self.machine.entropy(buf)
    }
}

/// Clocks that wrap or jump somewhere within the first 20 seconds.
fn odd_clocks() -> Vec<(String, Rc<Clock>)> {
    let mut all: Vec<(String, Rc<Clock>)> = Vec::new();
    for bits in [24, 32] {
        for before in [0, 1, 50, 99, 150, 999, 3000] {
            let (mask, start) = ((1 << bits) - 1, (1 << bits) - before);
            let clock = Clock::new(move |now| (start + now) & mask);
            all.push((format!("wraps at 2^{bits} after {before} ms"), clock));
        }
    }
    for at in [0, 40, 500] {
        for back in [1, 600, 1_000_000] {
            let clock = Clock::new(move |now| 2_000_000 + now - if now > at { back } else { 0 });
            all.push((format!("goes back by {back} after {at} ms"), clock));
        }
    }
    all
}

/// A peer that is silent: the verb ends within its deadline, and what the jump cost.
#[test]
fn a_clock_that_wraps_or_jumps_hangs_no_verb() {
    for (name, clock) in odd_clocks() {
        let server = Server::new(&clock.machine);
        session_of(256, &server, &*clock, |conn| {
            conn.set_timeout_ms(1000);
            server.end(End::Silence);
            let error = conn.ping().expect_err(&name);
            assert_eq!(error.outcome(), Outcome::Unknown, "{name}");
            assert!(!error.is_usable(), "{name}");
            assert!(clock.machine.elapsed() <= 2200, "{name}: {} ms", clock.machine.elapsed());
        });
    }
}

/// A server that answers in time: no verb ends before its deadline because of the jump.
#[test]
fn a_clock_that_wraps_or_jumps_fails_no_verb() {
    for (name, clock) in odd_clocks() {
        let server = Server::new(&clock.machine);
        session_of(256, &server, &*clock, |conn| {
            conn.set_timeout_ms(1000);
            server.delay(300);
            for _ in 0..12 {
                assert_eq!(conn.execute("insert", ()), Ok(1), "{name}");
            }
        });
    }
}

/// The same for COPY, which looks at the clock to see whether the server takes data.
#[test]
fn a_clock_that_wraps_or_jumps_fails_no_copy() {
    for (name, clock) in odd_clocks() {
        let server = Server::new(&clock.machine);
        session_of(256, &server, &*clock, |conn| {
            let mut copy = conn.copy_in("copy t from stdin").expect(&name);
            for _ in 0..200 {
                copy.send(b"0123456789\n").expect(&name);
                copy.check().expect(&name);
            }
            assert_eq!(copy.finish(), Ok(2), "{name}");
        });
    }
}

/// A clock that stands still, and a peer that sends nothing, or only what is no answer: an error.
#[test]
fn a_clock_that_stands_still_is_an_error() {
    type Verb = (&'static str, fn(&mut Conn<'_, '_>) -> Result<()>);
    let verbs: [Verb; 5] = [
        ("ping", |conn| conn.ping()),
        ("execute", |conn| conn.execute("insert", ()).map(|_| ())),
        ("transaction", |conn| conn.transaction().map(|_| ())),
        ("copy_in", |conn| conn.copy_in("copy t from stdin").map(|_| ())),
        ("wait_notification", |conn| conn.wait_notification(1000).map(|_| ())),
    ];
    for (name, verb) in verbs {
        for stands_at in [0, 7, u64::MAX] {
            let clock = Clock::new(move |_| stands_at);
            let server = Server::new(&clock.machine);
            session_of(256, &server, &*clock, |conn| {
                server.end(End::Silence);
                let error = verb(conn).map_err(|error| error.kind());
                assert_eq!(error, Err(ErrorKind::ClockStopped), "{name} at {stands_at}");
                assert!(!conn.is_usable(), "{name} at {stands_at}");
            });
        }
    }
}

/// A server that answers is served, whatever the clock says.
#[test]
fn a_clock_that_stands_still_fails_no_verb_that_is_answered() {
    for verb in VERBS {
        let clock = Clock::new(|_| 7);
        let server = Server::new(&clock.machine);
        session_of(256, &server, &*clock, |conn| {
            let calls = run(verb, Within::Nothing, conn, &server);
            assert_eq!(calls.error(), None, "{}", verb.name);
        });
    }
}
