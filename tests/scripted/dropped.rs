//! Guards that are dropped: a statement that fails after its rows were given up is reported by the
//! next verb, once, and that verb sends nothing of its own. What the driver itself made to fail is
//! not reported.

use barepg::{Error, ErrorKind, Outcome, Result, UsageError};
use embedded_io::Write;

use super::model::{At, Damage, Server, error};
use super::peer::{End, Machine};
use super::play::Conn;
use super::transcript::message;
use super::verbs::{Calls, VERBS, Within, run, session};

/// Something whose answer is not read to its end, and the message at which that happens at the
/// earliest.
struct Dropped {
    name: &'static str,
    run: fn(&mut Conn<'_, '_>) -> Result<()>,
    /// Messages that were read before the guard was dropped.
    read: usize,
}

const DROPPED: &[Dropped] = &[
    Dropped { name: "query", run: |conn| conn.query("select 3", ()).map(|_| ()), read: 3 },
    Dropped {
        name: "query, one row read",
        run: |conn| conn.query("insert returning", ())?.next().map(|_| ()),
        read: 4,
    },
    Dropped {
        name: "query, a row read in part",
        run: |conn| {
            let mut rows = conn.query("select 3", ())?;
            let mut row = rows.next_streamed()?.expect("a row");
            row.next_column().map(|_| ())
        },
        read: 4,
    },
    Dropped {
        name: "query_one of many",
        run: |conn| match conn.query_one("select 3", ()).map(|_| ()) {
            Err(error) if error.kind() == ErrorKind::Usage(UsageError::TooManyRows) => Ok(()),
            result => result,
        },
        read: 5,
    },
    Dropped {
        name: "simple_query",
        run: |conn| conn.simple_query("select 2").map(|_| ()),
        read: 1,
    },
    Dropped {
        name: "simple_query of many",
        run: |conn| conn.simple_query("select 2; insert; select 1").map(|_| ()),
        read: 1,
    },
    Dropped {
        name: "pipeline, one answer read",
        run: |conn| {
            let mut pipeline = conn.pipeline()?;
            pipeline.execute("select 2", ())?;
            pipeline.execute("insert", ())?;
            pipeline.next().map(|_| ())
        },
        read: 3,
    },
    Dropped {
        name: "copy_out",
        run: |conn| conn.copy_out("copy t to stdout")?.next().map(|_| ()),
        read: 2,
    },
    Dropped {
        name: "prepared",
        run: |conn| {
            let statement = conn.prepare("select 3", &[])?;
            conn.query(&statement, ()).map(|_| ())
        },
        read: usize::MAX,
    },
    Dropped {
        name: "fetch",
        run: |conn| {
            let mut tx = conn.transaction()?;
            let portal = tx.portal("select 3", ())?;
            tx.fetch(&portal, 2).map(|_| ())
        },
        read: usize::MAX,
    },
];

/// The messages of the answer that come after the guard was dropped.
fn places(dropped: &Dropped) -> std::ops::Range<usize> {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        server.arm();
        (dropped.run)(conn).expect(dropped.name);
        let sent = server.facts().sent;
        dropped.read.min(sent - 2)..sent
    })
}

/// Drops a guard whose statement is damaged at a message.
fn play<R>(
    dropped: &Dropped,
    at: usize,
    damage: Damage,
    work: impl FnOnce(&mut Conn<'_, '_>, &Server) -> R,
) -> R {
    let machine = Machine::default();
    let server = Server::damaged(&machine, At::Message(at), damage);
    session(&server, &machine, |conn| {
        server.arm();
        (dropped.run)(conn).expect(dropped.name);
        work(conn, &server)
    })
}

fn is_earlier(error: Error, state: &str) -> bool {
    let kind = format!("{:?}", error.kind());
    kind.starts_with("EarlierStatement") && kind.contains(state)
        || kind.starts_with("EarlierStatement") && error.to_string().contains(state)
}

#[test]
fn the_next_verb_reports_that_a_dropped_statement_failed() {
    // With the guard of a transaction, what failed in it was given up.
    for dropped in DROPPED.iter().filter(|dropped| dropped.name != "fetch") {
        for at in places(dropped) {
            for state in ["23505", "40003", "08006"] {
                let context = format!("{}, {state} at {at}", dropped.name);
                play(dropped, at, Damage::Error(state), |conn, server| {
                    server.arm();
                    let error = conn.execute("insert late", ()).expect_err(&context);
                    assert!(is_earlier(error, state), "{context}: {error}");
                    let found = (error.outcome(), error.is_usable());
                    assert_eq!(found, (Outcome::NotSent, true), "{context}");
                    let tags = server.facts().tags;
                    assert!(!tags.iter().any(|tag| b"PBE".contains(tag)), "{context}: {tags:?}");
                    works(conn, server, &context);
                });
            }
        }
    }
}

/// It was reported, and now the connection is as ever.
fn works(conn: &mut Conn<'_, '_>, server: &Server, context: &str) {
    conn.execute("insert later", ()).expect(context);
    let committed = server.facts().committed;
    assert!(committed.contains(&"insert later".to_string()), "{context}: {committed:?}");
    assert!(!committed.contains(&"insert late".to_string()), "{context}: {committed:?}");
    let row = conn.query_one("select 1", ()).expect(context);
    assert_eq!(row.get::<i32>(0), Ok(0), "{context}");
}

/// Whatever the next verb is.
#[test]
fn every_verb_reports_that_a_dropped_statement_failed() {
    let dropped = &DROPPED[0];
    for verb in VERBS.iter().filter(|verb| !verb.own && !NEED_ANOTHER.contains(&verb.name)) {
        play(dropped, places(dropped).start, Damage::Error("23505"), |conn, server| {
            let calls = run(verb, Within::Nothing, conn, server);
            let error = calls.error().expect(verb.name);
            assert!(is_earlier(error, "23505"), "{}: {error}", verb.name);
            assert_eq!(error.outcome(), Outcome::NotSent, "{}", verb.name);
            assert_eq!(server.facts().received, 0, "{}", verb.name);
            works(conn, server, verb.name);
        });
    }
}

/// Verbs that begin with another, to which it would be reported.
const NEED_ANOTHER: &[&str] =
    &["prepared", "prepared query", "static, second time", "close_statement"];

#[test]
fn a_dropped_statement_that_succeeds_is_not_mentioned() {
    for dropped in DROPPED {
        play(dropped, usize::MAX, Damage::Error("23505"), |conn, server| {
            works(conn, server, dropped.name);
        });
    }
}

/// Within a transaction it is COMMIT that is not sent.
#[test]
fn commit_reports_that_a_dropped_statement_failed() {
    for dropped in DROPPED.iter().filter(|dropped| dropped.name != "fetch") {
        for at in places(dropped) {
            let machine = Machine::default();
            let server = Server::damaged(&machine, At::Message(at), Damage::Error("23505"));
            session(&server, &machine, |conn| {
                let context = format!("{} at {at}", dropped.name);
                let mut tx = conn.transaction().expect("a transaction");
                tx.execute("insert", ()).expect("an insert");
                server.arm();
                (dropped.run)(&mut tx).expect(&context);
                let error = tx.commit().expect_err(&context);
                assert!(is_earlier(error, "23505"), "{context}: {error}");
                assert_eq!(server.facts().committed, [""; 0], "{context}");
                works(conn, &server, &context);
            });
        }
    }
}

#[test]
fn an_end_of_the_session_after_a_dropped_statement_is_not_sent() {
    for dropped in DROPPED {
        for at in places(dropped) {
            for end in [End::Eof, End::Reset, End::Silence] {
                for bytes in [Vec::new(), error("FATAL", "57P01"), error("PANIC", "XX000")] {
                    let context = format!("{}, {end:?} at {at}", dropped.name);
                    let fatal = !bytes.is_empty();
                    play(dropped, at, Damage::Last(bytes, end), |conn, server| {
                        let error = conn.execute("insert late", ()).expect_err(&context);
                        assert_eq!(error.outcome(), Outcome::NotSent, "{context}: {error}");
                        assert!(!error.is_usable(), "{context}");
                        assert_eq!(error.sqlstate().is_some(), fatal, "{context}: {error}");
                        let committed = server.facts().committed;
                        assert!(!committed.contains(&"insert late".to_string()), "{context}");
                    });
                }
            }
        }
    }
}

/// What the driver made the server refuse is no news.
#[test]
fn what_the_driver_aborted_is_not_reported() {
    type Aborted = (&'static str, fn(&mut Conn<'_, '_>));
    let aborted: [Aborted; 6] = [
        ("copy_in", |conn| {
            let mut copy = conn.copy_in("copy t from stdin").expect("a copy");
            copy.send(b"1\n").expect("data");
        }),
        ("copy_in, flushed", |conn| {
            let mut copy = conn.copy_in("copy t from stdin").expect("a copy");
            copy.send(b"1\n").and_then(|()| copy.flush()).expect("data");
        }),
        ("pipeline", |conn| {
            let mut pipeline = conn.pipeline().expect("a pipeline");
            pipeline.execute("insert", ()).expect("a statement");
        }),
        ("pipeline, sent in part", |conn| {
            let mut pipeline = conn.pipeline().expect("a pipeline");
            for _ in 0..20 {
                pipeline.execute("insert", ()).expect("a statement");
            }
        }),
        ("execute of a COPY", |conn| {
            let error = conn.execute("copy t from stdin", ()).expect_err("no copy");
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::Copy));
        }),
        ("transaction", |conn| drop(conn.transaction().expect("a transaction"))),
    ];
    for (name, abort) in aborted {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            abort(conn);
            works(conn, &server, name);
            assert_eq!(server.facts().committed, ["insert later"], "{name}");
        });
    }
}

/// A text of several statements of which one is a COPY, and one whose columns do not fit: an error
/// of this side. What follows is not lost.
#[test]
fn an_error_of_this_side_hides_none_of_the_server() {
    for sql in
        ["copy t from stdin; insert", "select 1; copy t from stdin", "insert; copy t to stdout"]
    {
        for at in 0..6 {
            let machine = Machine::default();
            let server = Server::damaged(&machine, At::Message(at), Damage::Error("23505"));
            session(&server, &machine, |conn| {
                server.arm();
                let mut errors = Vec::new();
                match conn.simple_query(sql) {
                    Ok(mut rows) => {
                        for _ in 0..4 {
                            errors.extend(rows.next_result().err());
                            errors.extend(rows.next().err());
                        }
                        errors.extend(rows.finish().err());
                    }
                    Err(error) => errors.push(error),
                }
                let context = format!("{sql} at {at}: {errors:?}");
                let all_same = errors.windows(2).all(|pair| pair[0] == pair[1]);
                assert!(!errors.is_empty() && all_same, "{context}");
                let server_failed = errors[0].sqlstate().is_some();
                let next = conn.execute("insert late", ());
                let reported = next.err().is_some_and(|error| is_earlier(error, "23505"));
                let damaged = server.facts().sent > at;
                assert!(server_failed || reported || !damaged || aborted(sql), "{context}");
            });
        }
    }
}

/// Whether the driver itself ends it with an error, so that one more is no news.
fn aborted(sql: &str) -> bool {
    sql.contains("from stdin")
}

/// Columns that do not fit are an error of this side, too.
#[test]
fn columns_that_do_not_fit_hide_no_error() {
    let names: Vec<String> =
        (0..200).map(|n| format!("\"a column with a name {n}\" 0 0s 23 4s -1 0s")).collect();
    let large = message(&format!("T 200s {}", names.join(" ")));
    // Which message describes the columns.
    for (sql, at) in [("select 0; fail 23505", 0), ("select 1; select 0; fail 23505", 3)] {
        let machine = Machine::default();
        let damage = Damage::Bytes(large.clone());
        let server = Server::damaged(&machine, At::Message(at), damage);
        session(&server, &machine, |conn| {
            server.arm();
            let mut calls = Calls::default();
            if let Some(mut rows) = calls.note("simple_query", conn.simple_query(sql)) {
                for _ in 0..3 {
                    calls.note("next", rows.next().map(|_| ()));
                    calls.note("next_result", rows.next_result());
                }
                calls.note("finish", rows.finish());
            }
            let first = calls.error().expect("a large description");
            assert!(matches!(first.kind(), ErrorKind::Capacity { .. }), "{first}");
            assert_eq!((first.outcome(), first.is_usable()), (Outcome::Local, true));
            assert!(calls.0.last().is_some_and(|(_, result)| result.is_err()), "{calls:?}");
            let next = conn.execute("insert late", ()).err();
            let mut errors = calls.0.iter().filter_map(|(_, result)| result.err());
            let reported = errors.any(|error| error.sqlstate().is_some());
            let later = next.is_some_and(|error| is_earlier(error, "23505"));
            assert!(reported || later, "{calls:?}");
        });
    }
}
