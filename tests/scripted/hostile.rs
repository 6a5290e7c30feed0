//! Servers that break the rules in the middle of a session.

use barepg::types::oid;
use barepg::{Error, ErrorKind, Outcome, ProtocolError, SqlState};

use super::hostile_login::{Class, class};
use super::peer::{Delivery, Machine, Peer, Script, Step, show};
use super::play::{Conn, Log, Scenario, again, dead, note};
use super::startup::{CONFIG, config};
use super::transcript::{message, read};

/// A verb, its right answer, and which types may stand in the place of each message of it.
struct Verb {
    name: &'static str,
    run: fn(&mut Conn<'_, '_>, &mut Log) -> Result<(), Error>,
    answer: &'static [(&'static str, &'static [u8])],
}

const ROW: &str = r#"T 1s "id" 0 0s 23 4s -1 1s"#;
const TEXT_ROW: &str = r#"T 1s "id" 0 0s 23 4s -1 0s"#;
const DONE: &str = r#"C "SELECT 1""#;

const VERBS: &[Verb] = &[
    Verb {
        name: "query",
        run: |connection, log| {
            let mut rows = connection.query("select", ())?;
            loop {
                match rows.next() {
                    Ok(Some(row)) => log.push(format!("{:?}", row.get::<i32>(0)?)),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        // The rows of a dead connection are dead too, for the same reason.
                        if !error.is_usable() {
                            assert_eq!(rows.next().map(|_| ()), Err(error));
                            assert_eq!(rows.next_result(), Err(error));
                        }
                        return note(log, Err::<(), Error>(error));
                    }
                }
            }
        },
        answer: &[
            ("1", b"1"),
            ("2", b"2"),
            (ROW, b"Tn"),
            ("D 1s [7]", b"DCIGH"),
            (DONE, b"DCIGH"),
            ("Z 'I'", b"Z"),
        ],
    },
    Verb {
        name: "query_one",
        run: |connection, log| {
            let row = connection.query_one("select", ()).and_then(|row| row.get::<i32>(0));
            note(log, row)
        },
        answer: &[
            ("1", b"1"),
            ("2", b"2"),
            (ROW, b"Tn"),
            ("D 1s [7]", b"DCIGH"),
            (DONE, b"DCIGH"),
            ("Z 'I'", b"Z"),
        ],
    },
    Verb {
        name: "execute",
        run: |connection, log| note(log, connection.execute("insert", ())),
        answer: &[("1", b"1"), ("2", b"2"), (DONE, b"DCIGH"), ("Z 'I'", b"Z")],
    },
    Verb {
        name: "execute_many",
        run: |connection, log| note(log, connection.execute_many("insert", [(), ()])),
        answer: &[
            ("1", b"1"),
            ("2", b"2"),
            (DONE, b"DCIGH"),
            ("2", b"2"),
            (DONE, b"DCIGH"),
            ("Z 'I'", b"Z"),
        ],
    },
    Verb {
        name: "simple_query",
        run: |connection, log| {
            let mut rows = connection.simple_query("select")?;
            while let Some(row) = rows.next()? {
                log.push(format!("{:?}", row.raw(0)?.map(|value| show(value.bytes))));
            }
            let result = rows.finish();
            note(log, result)
        },
        answer: &[
            (TEXT_ROW, b"TCIGH"),
            ("D 1s ['7']", b"TDC"),
            (DONE, b"TDC"),
            (DONE, b"TCIGHZ"),
            ("Z 'I'", b"TCIGHZ"),
        ],
    },
    Verb {
        name: "batch_execute",
        run: |connection, log| note(log, connection.batch_execute("select")),
        answer: &[
            (TEXT_ROW, b"TCIGH"),
            ("D 1s ['7']", b"TDC"),
            (DONE, b"TDC"),
            (DONE, b"TCIGHZ"),
            ("Z 'I'", b"TCIGHZ"),
        ],
    },
    Verb {
        name: "ping",
        run: |connection, log| note(log, connection.ping()),
        // ReadyForQuery alone answers a text without a statement too.
        answer: &[("I", b"TCIGHZ"), ("Z 'I'", b"TCIGHZ")],
    },
    Verb {
        name: "prepare",
        run: |connection, log| {
            note(log, connection.prepare("select", &[oid::INT4]).map(|s| s.parameters()))
        },
        answer: &[("3", b"3"), ("1", b"1"), ("t 1s 23", b"t"), (ROW, b"Tn"), ("Z 'I'", b"Z")],
    },
    Verb {
        name: "copy_out",
        run: |connection, log| {
            let mut copy = connection.copy_out("copy t to stdout")?;
            loop {
                match copy.next() {
                    Ok(Some(bytes)) => log.push(show(bytes)),
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        if !error.is_usable() {
                            assert_eq!(copy.next().map(|_| ()), Err(error));
                        }
                        return note(log, Err::<(), Error>(error));
                    }
                }
            }
        },
        answer: &[
            ("H 0b 1s 0s", b"HTCIG"),
            ("d '1'", b"dc"),
            ("c", b"dc"),
            // After the data another statement's result is as good.
            ("C \"COPY 1\"", b"TCIGH"),
            ("Z 'I'", b"TCIGHZ"),
        ],
    },
    Verb {
        name: "copy_in",
        run: |connection, log| {
            let mut copy = connection.copy_in("copy t from stdin")?;
            copy.send(b"1\n")?;
            note(log, copy.finish())
        },
        answer: &[("G 0b 1s 0s", b"GTCIH"), ("C \"COPY 1\"", b"TCIGH"), ("Z 'I'", b"TCIGHZ")],
    },
    Verb {
        name: "pipeline",
        run: |connection, log| {
            let mut pipeline = connection.pipeline()?;
            pipeline.execute("select", ())?;
            pipeline.execute("insert", ())?;
            let result = pipeline.finish();
            note(log, result)
        },
        answer: &[
            ("1", b"12"),
            ("2", b"2"),
            (ROW, b"Tn"),
            ("D 1s [7]", b"DCIGH"),
            (DONE, b"DCIGH"),
            ("1", b"12"),
            ("2", b"2"),
            ("n", b"Tn"),
            (DONE, b"CIGH"),
            ("Z 'I'", b"Z"),
        ],
    },
    Verb {
        name: "streamed",
        run: |connection, log| {
            let mut rows = connection.query("select", ())?;
            loop {
                match rows.next_streamed() {
                    Ok(Some(mut row)) => {
                        while let Some(mut column) = row.next_column()? {
                            log.push(format!("{:?}", column.get::<Option<i32>>()));
                        }
                    }
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        if !error.is_usable() {
                            assert_eq!(rows.next_streamed().map(|_| ()), Err(error));
                        }
                        return note(log, Err::<(), Error>(error));
                    }
                }
            }
        },
        answer: &[
            ("1", b"1"),
            ("2", b"2"),
            (ROW, b"Tn"),
            ("D 1s [7]", b"DCIGH"),
            (DONE, b"DCIGH"),
            ("Z 'I'", b"Z"),
        ],
    },
    Verb {
        name: "transaction",
        run: |connection, log| note(log, connection.transaction().map(|_| ())),
        answer: &[("C \"BEGIN\"", b"TCIGH"), ("Z 'T'", b"TCIGHZ")],
    },
];

const ASYNCHRONOUS: &[u8] = b"NSAE";

/// A body that the type's own bounds accept, so that only the place is wrong.
fn fitting(tag: u8) -> Vec<u8> {
    match tag {
        b'T' => message(ROW),
        b'D' => message("D 1s [7]"),
        b'C' => message(DONE),
        b'Z' => message("Z 'I'"),
        b'K' => message("K 1 2"),
        b'R' => message("R 0"),
        b't' => message("t 0s"),
        b'v' => message("v 196608 0"),
        b'd' => message("d 'x'"),
        b'G' => message("G 0b 0s"),
        b'H' => message("H 0b 0s"),
        b'W' => message("W 0b 0s"),
        _ => vec![tag, 0, 0, 0, 4],
    }
}

/// What a play of one verb gave.
struct Ending {
    error: Option<Error>,
    log: Log,
}

/// Lets a verb run against an answer; whatever comes of it, a connection that died is dead, and
/// the client logs in again.
fn run(verb: &Verb, answer: &[u8], delivery: Delivery) -> Ending {
    let machine = Machine::default();
    let script = session(verb, answer);
    let peer = Peer::new(&script, delivery, &machine);
    let mut storage = barepg::Storage::<256, 256>::new();
    let mut client = barepg::Client::new(storage.buffers(), &CONFIG, &machine);
    let mut log = Log::new();
    let mut connection = client.connect(peer.transport()).expect("a login");
    let mut error = (verb.run)(&mut connection, &mut log).err();
    if error.is_none_or(|error| error.is_usable()) {
        // The damage may be what the next verb finds.
        error = connection.ping().err().or(error);
    }
    if let Some(error) = error.filter(|error| !error.is_usable()) {
        assert!(!connection.is_usable(), "{}: {error}", verb.name);
        dead(&mut connection, &peer);
    }
    drop(connection);
    again(&mut client, &machine);
    Ending { error, log }
}

fn session(verb: &Verb, answer: &[u8]) -> Script {
    let mut script = read("@login\n>>> deaf", &[]);
    let mut steps = script.steps.to_vec();
    let deaf = steps.pop().unwrap();
    // The first message of the verb, whatever it is, is answered.
    steps.push(Step::ExpectAny(false));
    let first = message(verb.answer[0].0);
    match answer.strip_prefix(first.as_slice()) {
        Some(rest) if verb.name == "copy_in" => {
            steps.push(Step::Send(first));
            // CopyData, CopyDone.
            steps.extend([Step::ExpectAny(false), Step::ExpectAny(false)]);
            steps.push(Step::Send(rest.to_vec()));
        }
        _ => steps.push(Step::Send(answer.to_vec())),
    }
    steps.push(deaf);
    script.steps = steps.into();
    script
}

const WAYS: [Delivery; 2] = [Delivery::WHOLE, Delivery { read: 1, ..Delivery::WHOLE }];

/// Runs a verb against an answer that must end the connection.
fn must_die(verb: &Verb, answer: &[u8], expected: Class) {
    for way in WAYS {
        let ending = run(verb, answer, way);
        let context = format!("{}: {}: {:?}", verb.name, show(answer), ending.error);
        let error = ending.error.expect(&context);
        assert!(!error.is_usable(), "{context}");
        assert_eq!(class(error.kind()), Some(expected), "{context}");
        assert_ne!(error.outcome(), Outcome::Refused, "{context}");
    }
}

fn prefix(verb: &Verb, messages: usize) -> Vec<u8> {
    verb.answer[..messages].iter().flat_map(|(text, _)| message(text)).collect()
}

#[test]
fn right_answers_are_right() {
    for verb in VERBS {
        for way in WAYS {
            let ending = run(verb, &prefix(verb, verb.answer.len()), way);
            assert!(!ending.log.is_empty(), "{}", verb.name);
            // The ping after it has no answer.
            assert_eq!(ending.error.map(|e| e.kind()), Some(ErrorKind::TimedOut), "{}", verb.name);
        }
    }
}

#[test]
fn types_that_have_no_place_there() {
    let mut cases = 0;
    for verb in VERBS {
        for (index, (_, legal)) in verb.answer.iter().enumerate() {
            for tag in 0..=255 {
                if legal.contains(&tag) || ASYNCHRONOUS.contains(&tag) {
                    continue;
                }
                let answer = [prefix(verb, index), fitting(tag)].concat();
                must_die(verb, &answer, Class::Protocol);
                cases += 1;
            }
        }
    }
    assert!(cases > 8000, "{cases}");
}

#[test]
fn lengths_that_are_no_lengths() {
    for verb in VERBS {
        for index in 0..verb.answer.len() {
            for tag in *b"12CDEGHINSTZAdcntsKR" {
                for length in [0, 1, 2, 3, 0x4000_0004_u32, 0x8000_0000, u32::MAX] {
                    let wrong = [&[tag][..], &length.to_be_bytes()].concat();
                    must_die(verb, &[prefix(verb, index), wrong].concat(), Class::Protocol);
                }
            }
        }
    }
}

fn verb(name: &str) -> &'static Verb {
    VERBS.iter().find(|verb| verb.name == name).unwrap()
}

#[test]
fn rows_that_do_not_fit_their_description() {
    for (name, row) in [("query", 3), ("query_one", 3), ("streamed", 3), ("simple_query", 1)] {
        let verb = verb(name);
        for content in [
            "D 0s",
            "D 2s [7] [8]",
            "D 65535s",
            "D -1s",
            "D 1s",
            "D 1s #0000",
            "D 1s -2",
            "D 1s -2147483648",
            "D 1s -5 #00000007",
            "D 1s 4 #000000",
            "D 1s 4 #0000000000",
            "D 1s 2147483647",
            "D 1s [7] #00",
            "D 1s -1 #00",
            "D 1s 0 #00",
        ] {
            // A row is read when the caller reads it, which `query_one` lets it do at the end.
            let rest = verb.answer[row + 1..].iter().flat_map(|(text, _)| message(text)).collect();
            let answer = [prefix(verb, row), message(content), rest].concat();
            must_die(verb, &answer, Class::Protocol);
        }
    }
    // No row may come where none was announced.
    let answer = ["1", "2", "n", "D 0s"].map(message).concat();
    must_die(verb("query"), &answer, Class::Protocol);
}

#[test]
fn descriptions_that_describe_nothing() {
    for (name, place) in [("query", 2), ("query_one", 2), ("simple_query", 0)] {
        for content in [
            "T 1s",
            "T 65535s",
            "T -1s",
            "T 0s #00",
            "T 1s 'id'",
            "T 1s \"id\"",
            "T 1s \"id\" 0 0s 23 4s -1",
            "T 1s \"id\" 0 0s 23 4s -1 #00",
            "T 1s \"id\" 0 0s 23 4s -1 2s",
            "T 1s \"id\" 0 0s 23 4s -1 -1s",
            "T 1s \"id\" 0 0s 23 4s -1 1s #00",
            "T 2s \"id\" 0 0s 23 4s -1 1s",
            "T 2s \"id\" 0 0s 23 4s -1 1s 'x'",
            "T 0s \"id\" 0 0s 23 4s -1 1s",
        ] {
            let verb = verb(name);
            let answer = [prefix(verb, place), message(content)].concat();
            must_die(verb, &answer, Class::Protocol);
        }
    }
    for content in ["t 1s", "t 0s 23", "t 1s 23 #00", "t 2s 23", "t -1s", "t 1s #000000"] {
        let answer = [prefix(verb("prepare"), 2), message(content)].concat();
        must_die(verb("prepare"), &answer, Class::Protocol);
    }
}

#[test]
fn ends_that_are_no_ends() {
    for verb in VERBS {
        let last = verb.answer.len() - 1;
        for content in ["Z 'X'", "Z #00", "Z 'i'", "Z 'III'", "Z #ff", "raw #5a00000004"] {
            let answer = [prefix(verb, last), message(content)].concat();
            must_die(verb, &answer, Class::Protocol);
        }
    }
    for content in ["C 'SELECT'", "C \"SELECT\" #00", "C \"SELECT\" 'x'", "raw #4300000004"] {
        for name in ["execute", "batch_execute", "ping"] {
            let verb = verb(name);
            let place = if name == "execute" { 2 } else { 0 };
            let answer = [prefix(verb, place), message(content)].concat();
            must_die(verb, &answer, Class::Protocol);
        }
    }
    let long = format!("C \"{}\"", "x".repeat(30_000));
    must_die(verb("ping"), &message(&long), Class::Protocol);
}

#[test]
fn asynchronous_messages_malformed_and_many() {
    let verb = verb("execute");
    for content in [
        "S 'a'",
        "S \"a\"",
        "S \"a\" 'b'",
        "S \"a\" \"b\" #00",
        "S \"client_encoding\" \"LATIN1\"",
        "raw #5300000004",
        "raw #4100000008 0",
        "raw #4e00000004",
    ] {
        for place in 0..verb.answer.len() {
            let answer = [prefix(verb, place), message(content)].concat();
            must_die(verb, &answer, Class::Protocol);
        }
    }
    for content in ["S \"a\" \"b\"", "N 'Mx' #00 #00", "A 1 \"a\" \"b\""] {
        for place in 0..verb.answer.len() {
            // However many there are, the deadline is the only bound.
            let many = message(content).repeat(5000);
            must_die(verb, &[prefix(verb, place), many.clone()].concat(), Class::TimedOut);
            let rest: Vec<u8> =
                verb.answer[place..].iter().flat_map(|(text, _)| message(text)).collect();
            let answer = [prefix(verb, place), many, rest].concat();
            assert_eq!(run(verb, &answer, Delivery::WHOLE).log, ["1"]);
        }
    }
}

#[test]
fn silence_ends_at_the_deadline() {
    for verb in VERBS {
        for place in 0..verb.answer.len() {
            must_die(verb, &prefix(verb, place), Class::TimedOut);
        }
    }
    // A row that never ends, larger than any buffer: reported as such, and then nothing comes.
    let endless = [prefix(verb("query"), 3), message("raw #44 1000000000 1s")].concat();
    must_die(verb("query"), &endless, Class::TimedOut);
}

/// What arrives between two verbs: everything but asynchronous messages and a FATAL error ends
/// the connection before anything of the next verb is sent.
#[test]
fn leftovers_are_never_an_answer() {
    let ping = verb("ping");
    let right = prefix(ping, 2);
    for tag in 0..=255_u8 {
        if b"NSAE".contains(&tag) {
            continue;
        }
        let ending = run(ping, &[right.clone(), fitting(tag)].concat(), Delivery::WHOLE);
        let error = ending.error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol(ProtocolError::Unsolicited), "{tag}");
        assert_eq!(error.outcome(), Outcome::NotSent);
        // One stray byte.
        let ending = run(ping, &[right.clone(), vec![tag]].concat(), Delivery::WHOLE);
        assert_eq!(ending.error.unwrap().outcome(), Outcome::NotSent, "{tag}");
    }
    for verb in VERBS {
        // The whole answer, twice: the second is not the answer to the next verb.
        let whole = prefix(verb, verb.answer.len());
        let ending = run(verb, &whole.repeat(2), Delivery::WHOLE);
        let error = ending.error.expect(verb.name);
        assert_eq!(error.kind(), ErrorKind::Protocol(ProtocolError::Unsolicited), "{}", verb.name);
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    let fatal = message("E 'SFATAL' #00 'VFATAL' #00 'C57P01' #00 #00");
    let ending = run(ping, &[right.clone(), fatal].concat(), Delivery::WHOLE);
    let error = ending.error.unwrap();
    assert_eq!(error.sqlstate(), Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, false));
}

#[test]
fn what_follows_an_error_is_ready_for_query() {
    let error = message("E 'SERROR' #00 'VERROR' #00 'C42601' #00 #00");
    for verb in VERBS {
        for tag in 0..=255_u8 {
            if b"NSAZ".contains(&tag) {
                continue;
            }
            for way in WAYS {
                let answer = [error.clone(), fitting(tag)].concat();
                let ending = run(verb, &answer, way);
                // The error is the server's, and the connection is dead; that nothing stays was
                // never confirmed.
                let error = ending.error.unwrap();
                assert_eq!(class(error.kind()), Some(Class::Server), "{} {tag}", verb.name);
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::Unknown, false));
            }
        }
    }
}

/// Only an ordinary error takes a statement back: a session that dies may have committed, whoever
/// wrote its last message.
#[test]
fn the_outcome_is_not_claimed_to_be_known() {
    let fatal = message("E 'SFATAL' #00 'VFATAL' #00 'C57P01' #00 #00");
    let panic = message("E 'SPANIC' #00 'VPANIC' #00 'CXX000' #00 #00");
    for verb in VERBS {
        for (place, _) in verb.answer.iter().enumerate() {
            let before = prefix(verb, place);
            let ending = run(verb, &[before.clone(), fatal.clone()].concat(), Delivery::WHOLE);
            let error = ending.error.unwrap();
            assert_eq!(error.outcome(), Outcome::Unknown, "{} at {place}", verb.name);
            assert_eq!(error.sqlstate(), Some(SqlState::ADMIN_SHUTDOWN));
            let ending = run(verb, &[before, panic.clone()].concat(), Delivery::WHOLE);
            assert!(!ending.error.unwrap().is_usable());
        }
    }
}

#[test]
fn scripts_reach_the_server() {
    // The machinery itself: a scenario whose server wants what the client never sends.
    let scenario = Scenario {
        name: "unfinished",
        config: config(),
        script: read("@login\n>>> Q \"never\"", &[]),
        rx: 256,
        tx: 256,
        work: |_, _| Ok(()),
        leaves_answers: false,
    };
    let played = std::panic::catch_unwind(|| scenario.play(Delivery::WHOLE));
    assert!(played.is_err());
}
