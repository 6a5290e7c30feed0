//! Every verb, run to its end against [`model`](super::model), guards with all their calls.

use barepg::{Client, Config, Error, Result, Rows, SslMode, StaticStatement, StaticStatements};
use embedded_io::{Read, Write};

use super::model::Server;
use super::peer::Machine;
use super::play::Conn;

/// What the calls of a verb returned, in order; without their values.
#[derive(Debug, Default)]
pub struct Calls(pub Vec<(&'static str, Result<()>)>);

impl Calls {
    pub fn note<T>(&mut self, name: &'static str, result: Result<T>) -> Option<T> {
        self.0.push((name, result.as_ref().map(|_| ()).map_err(|error| *error)));
        result.ok()
    }

    /// The first error.
    pub fn error(&self) -> Option<Error> {
        self.0.iter().find_map(|(_, result)| result.err())
    }
}

/// In which transaction a verb runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Nothing,
    /// One that was begun by SQL text.
    Text,
    /// One that the guard opened.
    Guard,
}

/// Whether what a verb sends may end the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    No,
    /// Not if one looks closely: both outcomes are right.
    InDoubt,
    Yes,
}

type Run = fn(&mut Conn<'_, '_>, &Server, &mut Calls);

pub struct Verb {
    pub name: &'static str,
    pub ends: Ends,
    /// It opens its transaction itself.
    pub own: bool,
    /// What it adds to the table.
    pub effect: &'static [&'static str],
    /// Arms the server right before the verb.
    pub run: Run,
}

const fn verb(name: &'static str, run: Run) -> Verb {
    Verb { name, ends: Ends::No, own: false, effect: &[], run }
}

/// One that adds rows.
const fn adds(effect: &'static [&'static str], verb: Verb) -> Verb {
    Verb { effect, ..verb }
}

/// One within a transaction of its own.
const fn own(name: &'static str, run: Run) -> Verb {
    Verb { own: true, ..verb(name, run) }
}

const fn ends(ends: Ends, verb: Verb) -> Verb {
    Verb { ends, ..verb }
}

static INSERT: StaticStatement = StaticStatement::new("insert", &[]);

pub const VERBS: &[Verb] = &[
    adds(&["insert"], verb("execute", execute)),
    verb("query", query),
    adds(&["insert returning"], verb("query, finish", query_finish)),
    verb("query, streamed", query_streamed),
    verb("query_one", |conn, server, calls| {
        server.arm();
        calls.note("query_one", conn.query_one("select 1", ()).map(|_| ()));
    }),
    verb("query_opt", |conn, server, calls| {
        server.arm();
        calls.note("query_opt", conn.query_opt("select 0", ()).map(|_| ()));
    }),
    adds(&["insert", "insert", "insert"], verb("execute_many", execute_many)),
    verb("prepare", |conn, server, calls| {
        server.arm();
        calls.note("prepare", conn.prepare("select 1", &[]).map(|_| ()));
    }),
    adds(&["insert"], verb("prepared", prepared)),
    verb("prepared query", prepared_query),
    adds(
        &["insert"],
        verb("static, first time", |conn, server, calls| {
            server.arm();
            calls.note("execute", conn.execute(&INSERT, ()));
        }),
    ),
    adds(
        &["insert", "insert"],
        verb("static, second time", |conn, server, calls| {
            conn.execute(&INSERT, ()).expect("an insert");
            server.arm();
            calls.note("execute", conn.execute(&INSERT, ()));
        }),
    ),
    verb("close_statement", close_statement),
    adds(&["insert", "insert returning"], verb("pipeline, next", pipeline_next)),
    adds(&["insert", "insert"], verb("pipeline, finish", pipeline_finish)),
    adds(&["insert", "insert"], ends(Ends::InDoubt, verb("simple_query", simple_query))),
    adds(&["insert"], verb("simple_query, one statement", simple_query_of_one)),
    adds(
        &["insert"],
        verb("batch_execute", |conn, server, calls| {
            server.arm();
            calls.note("batch_execute", conn.batch_execute("insert"));
        }),
    ),
    verb("ping", |conn, server, calls| {
        server.arm();
        calls.note("ping", conn.ping());
    }),
    adds(&["copy"], verb("copy_in", copy_in)),
    verb("copy_in, aborted", copy_in_aborted),
    verb("copy_out", copy_out),
    verb("transaction", |conn, server, calls| {
        server.arm();
        calls.note("transaction", conn.transaction().map(|_| ()));
    }),
    adds(&["insert"], ends(Ends::Yes, own("commit", commit))),
    ends(Ends::InDoubt, own("rollback", rollback)),
    own("savepoint", |conn, server, calls| {
        let mut tx = conn.transaction().expect("a transaction");
        server.arm();
        calls.note("savepoint", tx.savepoint().map(|_| ()));
    }),
    own("savepoint, commit", savepoint_commit),
    own("portal", |conn, server, calls| {
        let mut tx = conn.transaction().expect("a transaction");
        server.arm();
        calls.note("portal", tx.portal("select 3", ()).map(|_| ()));
    }),
    own("fetch", fetch),
    own("close_portal", close_portal),
    ends(
        Ends::InDoubt,
        verb("reset", |conn, server, calls| {
            server.arm();
            calls.note("reset", conn.reset());
        }),
    ),
    own("savepoint, rollback", savepoint_rollback),
];

fn execute(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    calls.note("execute", conn.execute("insert", ()));
}

fn query(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(mut rows) = calls.note("query", conn.query("select 3", ())) else { return };
    read(&mut rows, calls);
    calls.note("finish", rows.finish());
}

fn query_finish(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(mut rows) = calls.note("query", conn.query("insert returning", ())) else { return };
    calls.note("next", rows.next().map(|_| ()));
    calls.note("finish", rows.finish());
}

fn query_streamed(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(mut rows) = calls.note("query", conn.query("select 2", ())) else { return };
    stream(&mut rows, calls);
    read(&mut rows, calls);
    calls.note("finish", rows.finish());
}

fn execute_many(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    calls.note("execute_many", conn.execute_many("insert", [(); 3]));
}

fn prepared(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let statement = conn.prepare("insert", &[]).expect("a statement");
    server.arm();
    calls.note("execute", conn.execute(&statement, ()));
}

fn prepared_query(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let statement = conn.prepare("select 2", &[]).expect("a statement");
    server.arm();
    let Some(mut rows) = calls.note("query", conn.query(&statement, ())) else { return };
    read(&mut rows, calls);
    calls.note("finish", rows.finish());
}

fn close_statement(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let statement = conn.prepare("insert", &[]).expect("a statement");
    server.arm();
    calls.note("close_statement", conn.close_statement(&statement));
}

fn pipeline_next(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(mut pipeline) = calls.note("pipeline", conn.pipeline()) else { return };
    for sql in ["insert", "select 2", "insert returning"] {
        if calls.note("execute", pipeline.execute(sql, ())).is_none() {
            break;
        }
    }
    while let Some(Some(mut rows)) = calls.note("next", pipeline.next()) {
        while let Some(Some(())) = calls.note("row", rows.next().map(|row| row.map(|_| ()))) {}
        calls.note("rows finished", rows.finish());
    }
    calls.note("next again", pipeline.next().map(|_| ()));
    calls.note("finish", pipeline.finish());
}

fn pipeline_finish(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(mut pipeline) = calls.note("pipeline", conn.pipeline()) else { return };
    calls.note("execute", pipeline.execute("insert", ()));
    calls.note("execute", pipeline.execute("insert", ()));
    calls.note("finish", pipeline.finish());
}

fn simple_query(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let rows = calls.note("simple_query", conn.simple_query("insert; select 2; insert"));
    let Some(mut rows) = rows else { return };
    loop {
        while let Some(Some(())) = calls.note("next", rows.next().map(|row| row.map(|_| ()))) {}
        if calls.note("next_result", rows.next_result()) != Some(true) {
            break;
        }
    }
    read(&mut rows, calls);
    calls.note("next_result again", rows.next_result());
    calls.note("finish", rows.finish());
}

fn simple_query_of_one(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let Some(rows) = calls.note("simple_query", conn.simple_query("insert")) else { return };
    calls.note("finish", rows.finish());
}

fn copy_in(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let copy = calls.note("copy_in", conn.copy_in("copy t from stdin"));
    let Some(mut copy) = copy else { return };
    for _ in 0..3 {
        calls.note("send", copy.send(b"1\n"));
        calls.note("flush", copy.flush());
        calls.note("check", copy.check());
    }
    calls.note("finish", copy.finish());
}

fn copy_in_aborted(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let copy = calls.note("copy_in", conn.copy_in("copy t from stdin"));
    let Some(mut copy) = copy else { return };
    calls.note("send", copy.send(b"1\n"));
    calls.note("flush", copy.flush());
    calls.note("check", copy.check());
    calls.note("abort", copy.abort("no more"));
}

fn copy_out(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    server.arm();
    let copy = calls.note("copy_out", conn.copy_out("copy t to stdout"));
    let Some(mut copy) = copy else { return };
    while let Some(Some(())) = calls.note("next", copy.next().map(|row| row.map(|_| ()))) {}
    calls.note("next again", copy.next().map(|_| ()));
    calls.note("read", copy.read(&mut [0; 8]));
}

fn commit(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    tx.execute("insert", ()).expect("an insert");
    server.arm();
    calls.note("commit", tx.commit());
}

fn rollback(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    tx.execute("insert", ()).expect("an insert");
    server.arm();
    calls.note("rollback", tx.rollback());
}

fn savepoint_commit(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    let mut savepoint = tx.savepoint().expect("a savepoint");
    savepoint.execute("insert", ()).expect("an insert");
    server.arm();
    calls.note("commit", savepoint.commit());
}

fn savepoint_rollback(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    let mut savepoint = tx.savepoint().expect("a savepoint");
    savepoint.execute("insert", ()).expect("an insert");
    server.arm();
    calls.note("rollback", savepoint.rollback());
}

fn fetch(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    let portal = tx.portal("select 3", ()).expect("a portal");
    server.arm();
    let Some(mut rows) = calls.note("fetch", tx.fetch(&portal, 2)) else { return };
    read(&mut rows, calls);
    calls.note("finish", rows.finish());
}

fn close_portal(conn: &mut Conn<'_, '_>, server: &Server, calls: &mut Calls) {
    let mut tx = conn.transaction().expect("a transaction");
    let portal = tx.portal("select 3", ()).expect("a portal");
    server.arm();
    calls.note("close_portal", tx.close_portal(&portal));
}

/// Reads rows to the end of a result, and asks once more in each way.
fn read(rows: &mut Rows<'_, '_>, calls: &mut Calls) {
    while let Some(Some(())) = calls.note("next", rows.next().map(|row| row.map(|_| ()))) {}
    calls.note("next again", rows.next().map(|_| ()));
    calls.note("next_streamed again", rows.next_streamed().map(|_| ()));
}

/// Reads rows column by column.
fn stream(rows: &mut Rows<'_, '_>, calls: &mut Calls) {
    while let Some(Some(mut row)) = calls.note("next_streamed", rows.next_streamed()) {
        while let Some(Some(mut column)) = calls.note("next_column", row.next_column()) {
            while calls.note("read", column.read(&mut [0; 3])).is_some_and(|n| n > 0) {}
        }
        if calls.error().is_some() {
            calls.note("next_column again", row.next_column().map(|_| ()));
        }
    }
}

pub const CONFIG: Config<'static> =
    Config::new().user("u").password("p").dbname("d").sslmode(SslMode::Disable);

/// A login at `server` with buffers of 256 bytes, and work.
pub fn session<R>(
    server: &Server,
    machine: &Machine,
    work: impl FnOnce(&mut Conn<'_, '_>) -> R,
) -> R {
    session_of(256, server, machine, work)
}

/// As [`session`], with another size of the buffers.
pub fn session_of<R>(
    size: usize,
    server: &Server,
    platform: &dyn barepg::Platform,
    work: impl FnOnce(&mut Conn<'_, '_>) -> R,
) -> R {
    let (mut rx, mut tx) = (vec![0; size], vec![0; size]);
    let mut statics = StaticStatements::new();
    let buffers = barepg::Buffers::new(&mut rx, &mut tx);
    let mut client = Client::new(buffers, &CONFIG, platform);
    client.set_static_statements(&mut statics);
    let mut connection = client.connect(server.transport()).expect("a login");
    work(&mut connection)
}

/// Runs a verb within a transaction or none.
pub fn run(verb: &Verb, within: Within, conn: &mut Conn<'_, '_>, server: &Server) -> Calls {
    let mut calls = Calls::default();
    match within {
        Within::Nothing => (verb.run)(conn, server, &mut calls),
        Within::Text => {
            conn.batch_execute("begin").expect("a transaction");
            (verb.run)(conn, server, &mut calls);
        }
        Within::Guard => {
            let mut tx = conn.transaction().expect("a transaction");
            (verb.run)(&mut tx, server, &mut calls);
        }
    }
    calls
}
