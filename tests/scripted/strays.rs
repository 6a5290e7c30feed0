//! What arrives while the connection is idle. An unsolicited answer ends the link
//! before the next verb sends anything; so does the end of the stream. Notices, parameters and
//! notifications are taken, and the verb goes on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use barepg::{Client, Error, ErrorKind, NoReadReady, Outcome, ProtocolError, Storage};
use embedded_io::{ErrorType, Read, Write};

use super::model::{At, Damage, Server, error};
use super::peer::{End, Machine, Transport};
use super::play::Conn;
use super::transcript::message;
use super::verbs::{CONFIG, VERBS, Verb, Within, run, session};

/// What comes, in several messages.
fn bytes(messages: &[&str]) -> Vec<u8> {
    messages.iter().flat_map(|text| message(text)).collect()
}

const NOTICE: &str = "N 'S' \"NOTICE\" 'C' \"00000\" 'M' \"hello\" #00";
const ROW: &str = r#"T 1s "id" 0 0s 23 4s -1 1s"#;

/// Answers to another client.
fn strays() -> Vec<Vec<u8>> {
    let long = format!("D 1s ['{}']", "x".repeat(600));
    let notices = [NOTICE; 40];
    vec![
        bytes(&["D 1s [7]"]),
        bytes(&["C \"SELECT 1\""]),
        bytes(&["Z 'I'"]),
        bytes(&["Z 'T'"]),
        bytes(&["1", "2", ROW, "D 1s [7]", "C \"SELECT 1\"", "Z 'I'"]),
        bytes(&[ROW, "D 1s [7]", "C \"SELECT 1\"", "Z 'I'"]),
        bytes(&["C \"INSERT 0 1\"", "Z 'I'"]),
        bytes(&["I", "Z 'I'"]),
        bytes(&["1"]),
        bytes(&["2"]),
        bytes(&["3"]),
        bytes(&["n"]),
        bytes(&["s"]),
        bytes(&["G 0b 1s 0s"]),
        bytes(&["H 0b 1s 0s"]),
        bytes(&["d 'x'"]),
        bytes(&["c"]),
        bytes(&["R 0"]),
        bytes(&["K 1 2"]),
        // Not whole, too long, none at all.
        b"D".to_vec(),
        b"D\0\0".to_vec(),
        bytes(&["D 1s [7]"])[..9].to_vec(),
        bytes(&[&long]),
        b"\x16\x03\x03\0\x05".to_vec(),
        vec![0; 9],
        // After what may come.
        bytes(&[NOTICE, "D 1s [7]"]),
        bytes(&["S \"application_name\" \"x\"", "Z 'I'"]),
        bytes(&[&notices[..], &["C \"SELECT 1\"", "Z 'I'"]].concat()),
        error("ERROR", "57014"),
        [error("ERROR", "57014"), bytes(&["Z 'I'"])].concat(),
    ]
}

/// Runs a verb to which something has arrived before; returns its first error, and how much it
/// sent.
fn play(verb: &Verb, within: Within, damage: &Damage) -> (Option<Error>, usize, bool) {
    let machine = Machine::default();
    let server = Server::damaged(&machine, At::Idle, damage.clone());
    session(&server, &machine, |conn| {
        let calls = run(verb, within, conn, &server);
        (calls.error(), server.facts().received, conn.is_usable())
    })
}

fn all() -> impl Iterator<Item = (&'static Verb, Within)> {
    VERBS.iter().flat_map(|verb| {
        let within = [Within::Nothing, Within::Text, Within::Guard];
        let alone = verb.own || verb.name == "transaction";
        within.into_iter().take(if alone { 1 } else { 3 }).map(move |within| (verb, within))
    })
}

#[test]
fn an_answer_that_was_not_asked_for_ends_the_link_before_anything_is_sent() {
    for (verb, within) in all() {
        for stray in strays() {
            let damage = Damage::Bytes(stray.clone());
            let context = format!("{} within {within:?}, {damage:?}", verb.name);
            let (error, received, usable) = play(verb, within, &damage);
            let error = error.unwrap_or_else(|| panic!("{context}: Ok"));
            let known = match error.kind() {
                ErrorKind::Protocol(_) => true,
                ErrorKind::Server(_) => stray.starts_with(b"E"),
                _ => false,
            };
            assert!(known, "{context}: {error}");
            assert_eq!(error.outcome(), Outcome::NotSent, "{context}");
            assert_eq!((error.is_usable(), usable, received), (false, false, 0), "{context}");
        }
    }
}

#[test]
fn a_link_that_has_ended_before_is_not_sent() {
    for (verb, within) in all() {
        for end in [End::Eof, End::Reset] {
            let notice = bytes(&[NOTICE]);
            let (fatal, panic) = (error("FATAL", "57P01"), error("PANIC", "XX000"));
            for before in [Vec::new(), notice, fatal, panic] {
                let damage = Damage::Last(before.clone(), end);
                let context = format!("{} within {within:?}, {damage:?}", verb.name);
                let (error, received, usable) = play(verb, within, &damage);
                let error = error.unwrap_or_else(|| panic!("{context}: Ok"));
                let known = match (error.kind(), end) {
                    (ErrorKind::Server(_), _) => before.starts_with(b"E"),
                    (ErrorKind::Closed, End::Eof) => !before.starts_with(b"E"),
                    (ErrorKind::Transport(_), End::Reset) => !before.starts_with(b"E"),
                    _ => false,
                };
                assert!(known, "{context}: {error}");
                assert_eq!(error.outcome(), Outcome::NotSent, "{context}");
                assert_eq!((error.is_usable(), usable, received), (false, false, 0), "{context}");
            }
        }
    }
}

/// A server that ends the session and leaves the link open.
#[test]
fn a_fatal_error_that_came_before_is_not_sent() {
    for (verb, within) in all() {
        let (error, received, usable) = play(verb, within, &Damage::Bytes(error("FATAL", "57P01")));
        let error = error.unwrap_or_else(|| panic!("{}: Ok", verb.name));
        assert!(matches!(error.kind(), ErrorKind::Server(_)), "{}: {error}", verb.name);
        let found = (error.outcome(), usable, received);
        assert_eq!(found, (Outcome::NotSent, false, 0), "{}", verb.name);
    }
}

#[test]
fn what_may_arrive_at_any_time_is_taken_and_the_verb_goes_on() {
    let large = format!("N 'S' \"NOTICE\" 'C' \"00000\" 'M' \"{}\" #00", "x".repeat(900));
    let asynchronous = [
        bytes(&[NOTICE]),
        bytes(&["S \"application_name\" \"x\""]),
        bytes(&["A 7 \"channel\" \"payload\""]),
        bytes(&[NOTICE, "S \"TimeZone\" \"UTC\"", "A 7 \"channel\" \"\"", NOTICE]),
        // More than the buffer holds.
        bytes(&[NOTICE; 100]),
        bytes(&[&large]),
        // Its end comes with the answer.
        bytes(&[NOTICE])[..12].to_vec(),
    ];
    for (verb, within) in all() {
        for damage in asynchronous.iter().take(6).cloned().map(Damage::Bytes) {
            let (error, _, usable) = play(verb, within, &damage);
            assert_eq!(error, None, "{} within {within:?}, {damage:?}", verb.name);
            assert!(usable);
        }
    }
    let (half, rest) = asynchronous[0].split_at(12);
    let machine = Machine::default();
    let server = Server::damaged(&machine, At::Idle, Damage::Bytes(half.to_vec()));
    session(&server, &machine, |conn| {
        server.arm();
        server.later(60, rest);
        assert_eq!(conn.execute("insert", ()), Ok(1));
    });
}

/// Looking costs no time: a verb that finds nothing sends at once.
#[test]
fn nothing_waits_before_a_verb() {
    for (verb, within) in all() {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let calls = run(verb, within, conn, &server);
            assert_eq!(calls.error(), None, "{}", verb.name);
        });
        let waits = if verb.name.starts_with("copy_in") { 200 } else { 0 };
        assert!(machine.elapsed() <= waits, "{}: {} ms", verb.name, machine.elapsed());
    }
}

/// It is asked once whether something has arrived.
#[test]
fn a_verb_looks_once() {
    for verb in VERBS.iter().filter(|verb| !verb.name.starts_with("copy_in")) {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let calls = run(verb, Within::Nothing, conn, &server);
            assert_eq!(calls.error(), None, "{}", verb.name);
            assert_eq!(server.facts().looks, 1, "{}", verb.name);
        });
    }
}

/// A transport that cannot tell whether something has arrived, and what it was asked to do.
struct Plain(Transport, Rc<RefCell<Vec<u8>>>);

impl ErrorType for Plain {
    type Error = embedded_io::ErrorKind;
}

impl Read for Plain {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.1.borrow_mut().push(b'r');
        self.0.read(buf)
    }
}

impl Write for Plain {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.1.borrow_mut().push(b'w');
        self.0.write(buf)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.1.borrow_mut().push(b'f');
        self.0.flush()
    }
}

#[test]
fn a_transport_that_cannot_tell_is_not_waited_for() {
    let machine = Machine::default();
    for verb in VERBS {
        let server = Server::new(&machine);
        let calls = Rc::new(RefCell::new(Vec::new()));
        let mut storage = Storage::<256, 256>::new();
        let mut client = Client::new(storage.buffers(), &CONFIG, &machine);
        let transport = NoReadReady(Plain(server.transport(), calls.clone()));
        let mut conn = client.connect(transport).expect("a login");
        calls.borrow_mut().clear();
        let done = run(verb, Within::Nothing, &mut conn, &server);
        assert_eq!(done.error(), None, "{}", verb.name);
        assert_eq!(calls.borrow().first(), Some(&b'w'), "{}", verb.name);
    }
    // What is lost is said where the type is: the end of the stream is found when it is sent.
    let server = Server::damaged(&machine, At::Idle, Damage::Last(Vec::new(), End::Eof));
    let mut storage = Storage::<256, 256>::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &machine);
    let transport = NoReadReady(Plain(server.transport(), Rc::default()));
    let mut conn = client.connect(transport).expect("a login");
    server.arm();
    let error = conn.execute("insert", ()).expect_err("an end");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Closed, Outcome::Unknown));
}

/// A transport that says that it took more than it was given, of the first bytes that a verb sends.
struct Boasting<'s>(Transport, &'s Server, &'s Cell<u32>);

impl ErrorType for Boasting<'_> {
    type Error = embedded_io::ErrorKind;
}

impl Read for Boasting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.0.read(buf)
    }
}

impl Write for Boasting<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        // After the login nothing was received only since the server was armed.
        let boasts = self.1.facts().received == 0 && buf[0] != 0;
        let taken = self.0.write(buf)?;
        if boasts {
            self.2.set(self.2.get() + 1);
        }
        Ok(if boasts { buf.len() + 1 } else { taken })
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.0.flush()
    }
}

/// The rules of transports forbid it, and what has left has left.
#[test]
fn a_transport_that_takes_too_much_has_sent() {
    for (verb, within) in all() {
        let machine = Machine::default();
        let (server, calls) = (Server::new(&machine), Cell::new(0));
        let mut storage = Storage::<256, 256>::new();
        let mut client = Client::new(storage.buffers(), &CONFIG, &machine);
        let transport = NoReadReady(Boasting(server.transport(), &server, &calls));
        let mut conn = client.connect(transport).expect("a login");
        let error = run(verb, within, &mut conn, &server).error();
        let context = format!("{} within {within:?}: {error:?}", verb.name);
        assert_eq!(calls.get(), 1, "{context}");
        let error = error.expect("an error");
        assert_eq!(error.kind(), ErrorKind::Transport(embedded_io::ErrorKind::Other), "{context}");
        assert!(error.outcome() != Outcome::NotSent && !error.is_usable(), "{context}");
    }
}

/// What has arrived is there for those who wait for it; anything else is not.
#[test]
fn waiting_for_a_notification_finds_strays() {
    for timeout in [0, 100] {
        for stray in strays().into_iter().filter(|stray| stray.len() >= 5) {
            // Looking once takes no more than the buffer holds.
            if timeout == 0 && stray.starts_with(b"N") && stray.len() > 200 {
                continue;
            }
            let damage = Damage::Bytes(stray);
            let machine = Machine::default();
            let server = Server::damaged(&machine, At::Idle, damage.clone());
            session(&server, &machine, |conn| {
                server.arm();
                let result = conn.wait_notification(timeout).map(|_| ());
                let dead = result.is_err_and(|error| !error.is_usable());
                assert!(dead, "{damage:?} {timeout}: {result:?}");
                assert_eq!(server.facts().received, 0, "{damage:?}");
            });
        }
        let damage = Damage::Bytes(bytes(&[NOTICE, "A 7 \"channel\" \"payload\""]));
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Idle, damage);
        session(&server, &machine, |conn: &mut Conn<'_, '_>| {
            server.arm();
            let found = conn.wait_notification(timeout).expect("a notification").is_some();
            // Only looking takes what has been received already.
            assert!(found || timeout == 0);
        });
    }
}

/// What opens a transaction by itself has committed nothing: no verb is `Ok` then, and the link is given up
/// in order.
#[test]
fn a_transaction_that_no_statement_has_begun() {
    // A COPY that is aborted is `Refused` in any case.
    let skipped = ["transaction", "copy_in, aborted"];
    for verb in VERBS.iter().filter(|verb| !verb.own && !skipped.contains(&verb.name)) {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| run(verb, Within::Nothing, conn, &server));
        let last = server.facts().sent - 1;
        for (status, sqlstate) in [("Z 'T'", None), ("Z 'E'", None), ("Z 'E'", Some("23505"))] {
            let machine = Machine::default();
            let mut bytes = sqlstate.map_or(vec![], |state| error("ERROR", state));
            bytes.extend(message(status));
            let server = Server::damaged(&machine, At::Message(last), Damage::Bytes(bytes));
            session(&server, &machine, |conn| {
                let calls = run(verb, Within::Nothing, conn, &server);
                let failure = calls.error().unwrap_or_else(|| panic!("{} {status}", verb.name));
                let unsolicited = ErrorKind::Protocol(ProtocolError::UnsolicitedTransaction);
                match sqlstate {
                    None => {
                        assert_eq!(failure.kind(), unsolicited, "{} {status}", verb.name);
                        assert_eq!(failure.outcome(), Outcome::Unknown, "{} {status}", verb.name);
                    }
                    Some(state) => {
                        let found = failure.sqlstate().map(|state| state.as_str().to_owned());
                        assert_eq!(found.as_deref(), Some(state), "{}: {failure}", verb.name);
                        assert_eq!(failure.outcome(), Outcome::Refused, "{}", verb.name);
                    }
                }
                assert!(!conn.is_usable(), "{} {status}: {failure}", verb.name);
                assert_eq!(server.facts().tags.last(), Some(&b'X'), "{} {status}", verb.name);
            });
        }
    }
}
