//! Whose a statement is, and what it is called: handles of other sessions and other clients are
//! refused before anything is sent; a name says the same statement wherever it was prepared, and
//! does not run out.

use std::collections::BTreeSet;

use barepg::types::oid;
use barepg::{Client, Error, ErrorKind, Outcome, Result, Statement, Storage, UsageError};

use super::model::{At, Damage, Facts, Server};
use super::peer::Machine;
use super::play::Conn;
use super::verbs::{CONFIG, session};

const STALE: ErrorKind = ErrorKind::Usage(UsageError::StaleStatement);

fn is_stale(result: Result<()>, server: &Server, context: &str) {
    let error = result.expect_err(context);
    assert_eq!(error.kind(), STALE, "{context}");
    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true), "{context}");
    assert_eq!(server.facts().tags, [0_u8; 0], "{context}");
}

/// Every verb that takes a statement refuses this one.
fn all_refuse(conn: &mut Conn<'_, '_>, server: &Server, statement: &Statement, context: &str) {
    server.arm();
    is_stale(conn.execute(statement, ()).map(|_| ()), server, context);
    is_stale(conn.query(statement, ()).map(|_| ()), server, context);
    is_stale(conn.query_one(statement, ()).map(|_| ()), server, context);
    is_stale(conn.query_opt(statement, ()).map(|_| ()), server, context);
    is_stale(conn.execute_many(statement, [()]).map(|_| ()), server, context);
    is_stale(conn.close_statement(statement), server, context);
    let mut pipeline = conn.pipeline().expect(context);
    is_stale(pipeline.execute(statement, ()), server, context);
    drop(pipeline);
    let mut tx = conn.transaction().expect(context);
    server.arm();
    is_stale(tx.portal(statement, ()).map(|_| ()), server, context);
    assert_eq!(tx.rollback(), Ok(()), "{context}");
    assert_eq!(conn.execute("insert", ()), Ok(1), "{context}");
}

#[test]
fn statements_of_another_client_are_refused() {
    for (first, second) in [("insert a", "insert b"), ("insert", "insert")] {
        let machine = Machine::default();
        let (left, right) = (Server::new(&machine), Server::new(&machine));
        session(&left, &machine, |one| {
            let statement = one.prepare(first, &[]).expect("a statement");
            session(&right, &machine, |other| {
                all_refuse(other, &right, &statement, "nothing prepared here");
                let own = other.prepare(second, &[]).expect("a statement");
                all_refuse(other, &right, &statement, "one prepared here");
                assert_eq!(other.execute(&own, ()), Ok(1));
                all_refuse(one, &left, &own, "that of the other");
            });
            assert_eq!(one.execute(&statement, ()), Ok(1));
        });
    }
}

/// A client that was dropped, and one that stands in its place in memory.
#[test]
fn statements_of_a_client_that_is_gone_are_refused() {
    let machine = Machine::default();
    let prepare = || {
        let server = Server::new(&machine);
        session(&server, &machine, |conn| conn.prepare("insert", &[]).expect("a statement"))
    };
    let old = [prepare(), prepare()];
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        conn.prepare("insert", &[]).expect("a statement");
        for statement in &old {
            all_refuse(conn, &server, statement, "a client that is gone");
        }
    });
}

/// The same client on its next link.
#[test]
fn statements_of_an_earlier_session_are_refused() {
    let machine = Machine::default();
    let mut storage = Storage::<256, 256>::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &machine);
    let mut old = Vec::new();
    for _ in 0..5 {
        let server = Server::new(&machine);
        let mut conn = client.connect(server.transport()).expect("a login");
        for statement in &old {
            all_refuse(&mut conn, &server, statement, "an earlier session");
        }
        let statement = conn.prepare("insert", &[]).expect("a statement");
        assert_eq!(conn.execute(&statement, ()), Ok(1));
        // DISCARD ALL forgets statements; they are prepared anew.
        conn.reset().expect("a reset");
        assert_eq!(conn.execute(&statement, ()), Ok(1));
        old.push(statement);
    }
}

#[test]
fn portals_of_another_client_are_refused() {
    let machine = Machine::default();
    let (left, right) = (Server::new(&machine), Server::new(&machine));
    session(&left, &machine, |one| {
        let mut tx = one.transaction().expect("a transaction");
        let portal = tx.portal("select 3", ()).expect("a portal");
        session(&right, &machine, |other| {
            let mut tx = other.transaction().expect("a transaction");
            for prepared in [false, true] {
                if prepared {
                    tx.portal("select 2", ()).expect("a portal");
                }
                right.arm();
                is_stale(tx.fetch(&portal, 1).map(|_| ()), &right, "fetch");
                is_stale(tx.close_portal(&portal), &right, "close_portal");
            }
        });
        assert!(tx.fetch(&portal, 2).is_ok());
    });
}

/// The name under which a fresh session prepares a statement.
fn name(sql: &str, types: &[u32]) -> String {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| named(conn, &server, sql, types))
}

fn named(conn: &mut Conn<'_, '_>, server: &Server, sql: &str, types: &[u32]) -> String {
    conn.prepare(sql, types).expect("a statement");
    server.facts().names.last().cloned().expect("a name")
}

#[test]
fn a_name_is_a_function_of_text_and_types() {
    let first = name("insert", &[]);
    assert_eq!(first, name("insert", &[]));
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        for n in 0..300 {
            conn.prepare(&format!("select {n}"), &[]).expect("a statement");
        }
        assert_eq!(named(conn, &server, "insert", &[]), first);
        // Twice in one session.
        assert_eq!(named(conn, &server, "insert", &[]), first);
    });
}

#[test]
fn other_texts_and_other_types_have_other_names() {
    let texts = ["insert", "insert ", "Insert", "insert a", "select 1", "select 2", ""];
    let types: [&[u32]; 7] = [
        &[],
        &[0],
        &[0, 0],
        &[oid::INT4],
        &[oid::INT8],
        &[oid::INT4, oid::INT8],
        &[oid::INT8, oid::INT4],
    ];
    let all: Vec<_> = texts.iter().flat_map(|text| types.iter().map(|t| name(text, t))).collect();
    for name in &all {
        let (first, symbols) = name.split_at(1);
        assert!(("a"..="p").contains(&first), "{name}");
        let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        assert!(symbols.len() == 10 && symbols.bytes().all(is_symbol), "{name}");
    }
    let different: BTreeSet<_> = all.iter().collect();
    // Types that are inferred are types that were not given.
    assert!(different.len() + 2 * texts.len() >= all.len(), "{all:?}");
    assert!(different.len() >= 5 * texts.len(), "{all:?}");
}

/// More than a counter of 16 bits has values, one statement kept all the while.
const MANY: u32 = 65_540;

#[test]
fn statements_do_not_run_out() {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        let kept = conn.prepare("insert", &[]).expect("a statement");
        for n in 0..MANY {
            let statement = conn.prepare("select 1", &[]).unwrap_or_else(|e| panic!("{n}: {e}"));
            conn.close_statement(&statement).expect("a close");
        }
        // And at whatever place the count is then.
        for n in 0..300 {
            let sql = format!("select {n}");
            let result = conn.prepare(&sql, &[]).map(|_| ());
            assert_eq!(result, Ok(()), "{n}");
        }
        assert_eq!(conn.execute(&kept, ()), Ok(1));
    });
}

#[test]
fn portals_do_not_run_out() {
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        let kept = conn.prepare("insert", &[]).expect("a statement");
        let mut tx = conn.transaction().expect("a transaction");
        let first = tx.portal("select 1", ()).expect("a portal");
        for n in 0..MANY {
            let portal = tx.portal("select 1", ()).unwrap_or_else(|e| panic!("{n}: {e}"));
            tx.close_portal(&portal).expect("a close");
        }
        assert_eq!(tx.fetch(&first, 0).and_then(|rows| rows.finish()), Ok(1));
        // Portals take no names from statements.
        let others = (0..300).all(|n| tx.prepare(&format!("select {n}"), &[]).is_ok());
        assert!(others && tx.execute(&kept, ()) == Ok(1));
    });
}

/// What was prepared and is gone is prepared again, where that is possible, and the caller does not notice.
#[test]
fn a_statement_that_the_server_has_forgotten_is_prepared_anew() {
    type Verb = (&'static str, fn(&mut Conn<'_, '_>, &Statement) -> Result<()>);
    let verbs: [Verb; 4] = [
        ("execute", |conn, sql| conn.execute(sql, ()).map(|_| ())),
        ("query", |conn, sql| conn.query(sql, ())?.finish().map(|_| ())),
        ("query_opt", |conn, sql| conn.query_opt(sql, ()).map(|_| ())),
        ("execute_many", |conn, sql| conn.execute_many(sql, [()]).map(|_| ())),
    ];
    for (name, verb) in verbs {
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let statement = conn.prepare("insert returning", &[]).expect("a statement");
            for round in 1..4 {
                server.forget_statements();
                assert_eq!(verb(conn, &statement), Ok(()), "{name}");
                assert_eq!(server.facts().committed, vec!["insert returning"; round], "{name}");
            }
        });
        // A plan that does not fit the table any more is found when it is bound.
        let machine = Machine::default();
        let server = Server::damaged(&machine, At::Message(0), Damage::Error("0A000"));
        session(&server, &machine, |conn| {
            let statement = conn.prepare("insert returning", &[]).expect("a statement");
            server.arm();
            let result = verb(conn, &statement);
            let committed = server.facts().committed;
            if name == "execute_many" && result.is_err() {
                // Its items are gone.
                assert_eq!(result.map_err(|error| error.outcome()), Err(Outcome::Refused));
                assert_eq!(committed, [""; 0]);
                return;
            }
            assert_eq!(result, Ok(()), "{name}");
            assert_eq!(committed, ["insert returning"], "{name}");
        });
        // Within a transaction, which has failed then, it is an error like others.
        let machine = Machine::default();
        let server = Server::new(&machine);
        session(&server, &machine, |conn| {
            let statement = conn.prepare("insert", &[]).expect("a statement");
            conn.batch_execute("begin").expect("a transaction");
            server.forget_statements();
            // Many items may be sent with the statement.
            let error: Option<Error> = verb(conn, &statement).err();
            assert!(error.is_some() || name == "execute_many", "{name}");
            assert!(error.is_none_or(|error| error.outcome() == Outcome::Refused), "{error:?}");
            conn.batch_execute("rollback").expect("an end");
            assert_eq!(verb(conn, &statement), Ok(()), "{name}");
        });
    }
}

/// A static statement behind a pooler that changes servers.
#[test]
fn a_static_statement_that_the_server_has_forgotten_is_prepared_anew() {
    static INSERT: barepg::StaticStatement = barepg::StaticStatement::new("insert", &[]);
    let machine = Machine::default();
    let server = Server::new(&machine);
    session(&server, &machine, |conn| {
        for round in 1..4 {
            assert_eq!(conn.execute(&INSERT, ()), Ok(1));
            let Facts { committed, .. } = server.facts();
            assert_eq!(committed, vec!["insert"; round]);
            server.forget_statements();
        }
    });
}
