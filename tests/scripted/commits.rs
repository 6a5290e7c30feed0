//! What ends transactions: COMMIT within a verb, commands that commit by themselves, transactions
//! that end by something else than their guard.

use barepg::{Error, ErrorKind, Outcome, Result, TransactionStatus, UsageError};

use super::model::{At, COMMITTING, Damage, Server};
use super::peer::{End, Machine};
use super::play::Conn;
use super::transcript::message;
use super::verbs::session;

/// A way to run several statements in one verb.
type Way = (&'static str, fn(&mut Conn<'_, '_>, &[&str]) -> Result<()>);

const WAYS: [Way; 4] = [
    ("batch_execute", |conn, sql| conn.batch_execute(&sql.join("; "))),
    ("simple_query", |conn, sql| {
        let mut rows = conn.simple_query(&sql.join("; "))?;
        while rows.next_result()? {}
        rows.finish().map(|_| ())
    }),
    ("pipeline, finish", |conn, sql| {
        let mut pipeline = conn.pipeline()?;
        sql.iter().try_for_each(|sql| pipeline.execute(*sql, ()))?;
        pipeline.finish().map(|_| ())
    }),
    ("pipeline, next", |conn, sql| {
        let mut pipeline = conn.pipeline()?;
        sql.iter().try_for_each(|sql| pipeline.execute(*sql, ()))?;
        while let Some(mut rows) = pipeline.next()? {
            while rows.next()?.is_some() {}
        }
        Ok(())
    }),
];

/// Runs statements in one way, after `before`; returns the error and what was committed.
fn run(way: &Way, before: &str, sql: &[&str]) -> (Error, Vec<String>) {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        if !before.is_empty() {
            conn.batch_execute(before).expect("a transaction");
        }
        let error = (way.1)(conn, sql).expect_err("an error");
        (error, server.facts().committed)
    })
}

/// An error after something was acknowledged as committed: not Refused.
#[test]
fn an_error_after_a_commit_in_the_same_verb_is_unknown() {
    let committing = |sql: &&'static str| vec![*sql, "fail 23505"];
    let mut all: Vec<Vec<&str>> = COMMITTING.iter().map(committing).collect();
    all.push(vec!["begin", "insert", "commit", "fail 23505"]);
    all.push(vec!["begin", "insert", "end", "select 2", "fail 40001"]);
    all.push(vec!["begin", "insert", "commit", "begin", "insert", "fail 23505"]);
    all.push(vec!["begin", "insert", "commit and chain", "insert", "fail 23505"]);
    all.push(vec!["begin", "insert", "prepare transaction 'x'", "fail 23505"]);
    all.push(vec!["commit prepared 'x'", "fail 23505"]);
    all.push(vec!["rollback prepared 'x'", "fail 23505"]);
    // Those that several statements in one Query can hold.
    const SIMPLE: [&str; 5] = ["call", "cluster", "do", "reindex", "vacuum"];
    for way in &WAYS {
        for sql in &all {
            let by_itself = COMMITTING.contains(&sql[0]) && !SIMPLE.contains(&sql[0]);
            let alone = by_itself || sql[0].starts_with("rollback prepared");
            if alone && !way.0.starts_with("pipeline") {
                continue;
            }
            let (error, _) = run(way, "", sql);
            let found = (error.outcome(), error.is_usable());
            assert_eq!(found, (Outcome::Unknown, true), "{} {sql:?}: {error}", way.0);
        }
        // One that was begun before.
        for end in ["commit", "end", "commit and chain", "prepare transaction 'x'"] {
            let sql = [end, "insert", "fail 23505"];
            let (error, committed) = run(way, "begin; insert before", &sql);
            assert_eq!(error.outcome(), Outcome::Unknown, "{} {sql:?}", way.0);
            assert_eq!(committed, ["insert before"], "{} {sql:?}", way.0);
        }
    }
}

/// What commits nothing leaves an error what it is.
#[test]
fn an_error_without_a_commit_before_is_refused() {
    const HARMLESS: &[&str] = &[
        "insert",
        "select 2",
        "set x to 1",
        "comment on table t is 'x'",
        "create table x (i int)",
        "lock table t",
        "listen x",
        "truncate t",
        "prepare p as select 1",
        "begin",
        "savepoint s",
    ];
    for way in &WAYS {
        for sql in HARMLESS {
            // Of CREATE, a pipeline cannot know whether it commits.
            if sql.starts_with("create") && way.0.starts_with("pipeline") {
                continue;
            }
            let (error, committed) = run(way, "", &[sql, "fail 23505"]);
            assert_eq!(error.outcome(), Outcome::Refused, "{} {sql}", way.0);
            assert_eq!(committed, [""; 0]);
        }
        // ROLLBACK commits nothing, and so does COMMIT of what has failed.
        let (error, _) = run(way, "begin; insert", &["rollback", "insert", "fail 23505"]);
        assert_eq!(error.outcome(), Outcome::Refused, "{} rollback", way.0);
        let (error, _) = run(way, "begin; savepoint s", &["insert", "rollback to s", "fail 23505"]);
        assert_eq!(error.outcome(), Outcome::Refused, "{} rollback to s", way.0);
    }
}

/// Within a transaction block nothing commits by itself.
#[test]
fn within_a_transaction_no_command_commits_by_itself() {
    for sql in COMMITTING.iter().chain(&["create table x (i int)", "comment on table t is 'x'"]) {
        for way in &WAYS {
            let machine = Machine::default();
            let server = Server::new(&machine);
            session(&server, &machine, |conn| {
                let mut tx = conn.transaction().expect("a transaction");
                (way.1)(&mut tx, &[sql]).expect("a command");
                tx.execute("insert", ()).expect("an insert");
                assert_eq!(tx.commit(), Ok(()), "{} {sql}", way.0);
                assert_eq!(server.facts().committed, [*sql, "insert"]);
            });
            let (error, committed) = run(way, "begin", &[sql, "fail 23505"]);
            assert_eq!(error.outcome(), Outcome::Refused, "{} {sql}", way.0);
            assert_eq!(committed, [""; 0]);
        }
    }
}

/// As a batch of items.
#[test]
fn items_that_commit_by_themselves_are_unknown_after_an_error() {
    for sql in ["call p()", "do 'x'", "vacuum", "create database x"] {
        let machine = Machine::default();
        // ParseComplete, two items of two messages; the third fails.
        let server = Server::damaged(&machine, At::Message(5), Damage::Error("23505"));
        session(&server, &machine, |conn| {
            server.arm();
            let error = conn.execute_many(sql, [(); 3]).expect_err("an error");
            assert_eq!(error.outcome(), Outcome::Unknown, "{sql}");
            assert_eq!(server.facts().committed, [sql; 2]);
        });
    }
}

/// A link lost within a transaction: only what may end it leaves doubt.
#[test]
fn a_link_lost_within_a_transaction_is_refused_unless_it_may_have_ended() {
    const REFUSED: &[&str] = &[
        "insert",
        "INSERT",
        "\n insert",
        "select 1",
        "update t set x = 1",
        "delete from t",
        "with x as (select 1) insert",
        "insert ;",
        "lock table t",
    ];
    const UNKNOWN: &[&str] = &[
        "commit",
        " COMMIT",
        "commit;",
        "Commit",
        "end",
        "commit and chain",
        ";commit",
        "prepare transaction 'x'",
        "/* x */ commit",
        "-- x\ncommit",
    ];
    type Verb = (&'static str, fn(&mut Conn<'_, '_>, &str) -> Result<()>);
    let verbs: [Verb; 5] = [
        ("execute", |conn, sql| conn.execute(sql, ()).map(|_| ())),
        ("query", |conn, sql| conn.query(sql, ())?.finish().map(|_| ())),
        ("batch_execute", |conn, sql| conn.batch_execute(sql)),
        ("execute_many", |conn, sql| conn.execute_many(sql, [()]).map(|_| ())),
        ("pipeline", |conn, sql| {
            let mut pipeline = conn.pipeline()?;
            pipeline.execute("insert", ())?;
            pipeline.execute(sql, ())?;
            pipeline.finish().map(|_| ())
        }),
    ];
    for (name, verb) in verbs {
        for end in [End::Eof, End::Reset, End::Silence] {
            let outcome = |sql: &str| {
                let machine = Machine::default();
                let lost = Damage::Last(Vec::new(), end);
                let server = Server::damaged(&machine, At::Message(0), lost);
                session(&server, &machine, |conn| {
                    conn.batch_execute("begin; insert").expect("a transaction");
                    server.arm();
                    verb(conn, sql).expect_err("a lost link").outcome()
                })
            };
            for sql in REFUSED {
                assert_eq!(outcome(sql), Outcome::Refused, "{name} {sql:?} {end:?}");
            }
            let simple = if name == "batch_execute" { "insert; commit" } else { "commit" };
            for sql in UNKNOWN.iter().chain(&[simple]) {
                assert_eq!(outcome(sql), Outcome::Unknown, "{name} {sql:?} {end:?}");
            }
        }
    }
}

/// Ways to end a guard's transaction without the guard, and whether its work is kept.
const ENDINGS: &[(&str, bool)] = &[
    ("rollback", false),
    ("abort", false),
    ("rollback; begin", false),
    ("rollback and chain", false),
    ("commit", true),
    ("end", true),
    ("commit; begin", true),
    ("commit and chain", true),
    ("prepare transaction 'x'", true),
    ("commit; begin; insert; commit", true),
    ("rollback; begin; insert; commit", false),
];

/// Runs the text in pieces or as one.
fn end(tx: &mut Conn<'_, '_>, text: &str, pieces: bool) {
    match pieces {
        true => text.split("; ").for_each(|sql| assert!(tx.execute(sql, ()).is_ok(), "{sql}")),
        false => tx.batch_execute(text).expect("an end"),
    }
}

#[test]
fn commit_of_a_transaction_that_text_has_ended_is_an_error() {
    for (text, kept) in ENDINGS {
        for (pieces, more) in [(false, false), (false, true), (true, false), (true, true)] {
            let context = format!("{text}, in pieces {pieces}, with more {more}");
            let machine = Machine::default();
            let server = Server::new(&machine);
            session(&server, &machine, |conn| {
                let mut tx = conn.transaction().expect("a transaction");
                tx.execute("insert", ()).expect("an insert");
                end(&mut tx, text, pieces);
                if more {
                    tx.execute("insert", ()).expect("an insert");
                }
                let error = tx.commit().expect_err(&context);
                assert!(error.is_usable(), "{context}: {error}");
                // It must not look as if it could be done again.
                assert!(!kept || error.outcome() == Outcome::Unknown, "{context}: {error}");
                is_outside(conn, &server, &context);
            });
        }
    }
}

/// After the guard has gone, verbs commit by themselves.
fn is_outside(conn: &mut Conn<'_, '_>, server: &Server, context: &str) {
    conn.execute("insert late", ()).expect(context);
    assert!(server.facts().committed.contains(&"insert late".to_string()), "{context}");
    assert_eq!(conn.transaction_status(), TransactionStatus::Idle, "{context}");
    let tx = conn.transaction().expect(context);
    assert_eq!(tx.commit(), Ok(()), "{context}");
}

#[test]
fn rollback_of_a_transaction_that_text_has_committed_is_an_error() {
    for (text, kept) in ENDINGS {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let mut tx = conn.transaction().expect("a transaction");
            tx.execute("insert", ()).expect("an insert");
            end(&mut tx, text, false);
            assert!(tx.rollback().is_err() || !kept, "{text}");
            is_outside(conn, &server, text);
        });
    }
}

#[test]
fn a_guard_dropped_after_text_has_ended_its_transaction_leaves_none_open() {
    for (text, _) in ENDINGS {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let mut tx = conn.transaction().expect("a transaction");
            end(&mut tx, text, false);
            drop(tx);
            is_outside(conn, &server, text);
        });
    }
}

#[test]
fn savepoints_of_a_transaction_that_text_has_ended_are_errors() {
    for (text, _) in ENDINGS.iter().chain(&[("rollback to _barepg1; release _barepg1", false)]) {
        for commits in [true, false] {
            let machine = Machine::default();
            let server = Server::new(&machine);
            session(&server, &machine, |conn| {
                let mut tx = conn.transaction().expect("a transaction");
                let mut savepoint = tx.savepoint().expect("a savepoint");
                end(&mut savepoint, text, false);
                let result = if commits { savepoint.commit() } else { savepoint.rollback() };
                assert!(result.is_err(), "{text}, commit {commits}");
            });
        }
    }
}

/// What COMMIT may be answered with, and what then is known.
#[test]
fn a_strange_answer_to_commit_is_not_ok() {
    let answers = [
        (0, "C \"ROLLBACK\"", Outcome::Refused),
        (0, "C \"BEGIN\"", Outcome::Unknown),
        (0, "C \"SET\"", Outcome::Unknown),
        (0, "C \"INSERT 0 1\"", Outcome::Unknown),
        (0, "C \"\"", Outcome::Unknown),
        (0, "I", Outcome::Unknown),
        (1, "Z 'T'", Outcome::Unknown),
        (1, "Z 'E'", Outcome::Unknown),
    ];
    for (at, answer, outcome) in answers {
        let machine = Machine::default();
        let damage = Damage::Bytes(message(answer));
        let server = Server::damaged(&machine, At::Message(at), damage);
        session(&server, &machine, |conn| {
            let mut tx = conn.transaction().expect("a transaction");
            tx.execute("insert", ()).expect("an insert");
            server.arm();
            let error = tx.commit().expect_err(answer);
            assert_eq!(error.outcome(), outcome, "{answer}: {error}");
            let rolled_back = ErrorKind::Usage(UsageError::RolledBack);
            assert_eq!(error.kind() == rolled_back, outcome == Outcome::Refused, "{answer}");
        });
    }
}

#[test]
fn a_strange_answer_to_begin_opens_no_transaction() {
    for answer in ["Z 'I'", "Z 'E'"] {
        let machine = Machine::default();
        let damage = Damage::Bytes(message(answer));
        let server = Server::damaged(&machine, At::Message(1), damage);
        session(&server, &machine, |conn| {
            server.arm();
            assert!(conn.transaction().map(|_| ()).is_err(), "{answer}");
        });
    }
}

/// ReadyForQuery says in the middle of a guard that no transaction is open.
#[test]
fn a_transaction_that_the_server_lost_is_not_committed() {
    for sql in ["insert", "select 1", "set x to 1"] {
        for status in ["Z 'I'", "Z 'E'"] {
            let machine = Machine::default();
            let clean = Server::new(&machine);
            let at = session(&clean, &machine, |conn| {
                clean.arm();
                conn.execute(sql, ()).expect("a statement");
                clean.facts().sent - 1
            });
            let damage = Damage::Bytes(message(status));
            let server = Server::damaged(&machine, At::Message(at), damage);
            session(&server, &machine, |conn| {
                let mut tx = conn.transaction().expect("a transaction");
                server.arm();
                let ran = tx.execute(sql, ());
                let committed = tx.commit();
                let lost = status == "Z 'I'";
                assert!(!lost || ran.is_err() || committed.is_err(), "{sql} {status}");
            });
        }
    }
}
