//! Sessions: transcripts in `golden/`, and what the user makes of them.

use barepg::types::oid;
use barepg::{Error, ErrorKind, Rows, SqlState, limits};

use super::peer::{Delivery, Script};
use super::play::{Conn, Log, Played, Scenario, note};
use super::startup::config;
use super::transcript::read;

pub fn golden(name: &str) -> Script {
    let path = format!("{}/tests/scripted/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let long = "x".repeat(1500);
    read(&text, &[("long", &long)])
}

type Work = fn(&mut Conn<'_, '_>, &mut Log) -> Result<(), Error>;

/// The transcripts, and the work that belongs to each.
pub const SESSIONS: &[(&str, Work)] = &[
    ("query", query),
    ("simple", simple),
    ("batch", batch),
    ("prepare", prepare),
    ("transaction", transaction),
    ("errors", errors),
    ("asynchronous", asynchronous),
    ("copy", copy),
    ("unread", unread),
    ("fatal", fatal),
    ("shutdown", shutdown),
    ("parameters", parameters),
];

pub fn scenario(name: &'static str, work: Work) -> Scenario {
    let leaves_answers = matches!(name, "unread" | "transaction" | "copy");
    let script = golden(name);
    Scenario { name, config: config(), script, rx: 512, tx: 512, work, leaves_answers }
}

fn sweep(name: &'static str, states: &[SqlState]) -> Played {
    let (_, work) = SESSIONS.iter().find(|(known, _)| *known == name).unwrap();
    let mut scenario = scenario(name, *work);
    scenario.sweep(states);
    let played = scenario.play(Delivery::WHOLE);
    // And with the smallest buffers, where they are enough for what the test looks at.
    (scenario.rx, scenario.tx) = (limits::MIN_RX, limits::MIN_TX);
    scenario.sweep(states);
    played
}

/// Notes all rows of the current result as text.
fn rows(rows: &mut Rows<'_, '_>, log: &mut Log) -> Result<(), Error> {
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let mut text = String::from("row");
                for index in 0..row.len() {
                    match row.raw(index)? {
                        Some(value) => {
                            text.push_str(&format!(" {}", super::peer::show(value.bytes)));
                        }
                        None => text.push_str(" NULL"),
                    }
                }
                log.push(text);
            }
            Ok(None) => {
                log.push(format!("{} rows", rows.finish_result()?));
                return Ok(());
            }
            Err(error) if error.is_usable() => {
                log.push(format!("{error}"));
                if !matches!(error.kind(), ErrorKind::Capacity { .. }) {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn query(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let mut result = connection.query("select $1", (7_i32,))?;
    let names: Vec<String> =
        result.columns().map(|c| format!("{} {} {:?}", c.name, c.oid, c.format)).collect();
    log.push(names.join(", "));
    rows(&mut result, log)?;
    // Nothing to describe, nothing to return.
    let mut result = connection.query("create table t ()", ())?;
    rows(&mut result, log)?;
    // A statement without text.
    let mut result = connection.query("", ())?;
    rows(&mut result, log)?;
    let row = connection.query_one("select 'x', null", ())?;
    let decoded: (&str, Option<i32>) = row.decode()?;
    log.push(format!("{decoded:?}"));
    let one = connection.query_opt("select 1 where false", ());
    note(log, one.map(|row| row.is_none()))?;
    let one = connection.query_one("select 1 where false", ());
    note(log, one.map(|_| ()))?;
    let touched = connection.execute("delete from t", ());
    note(log, touched)
}

#[test]
fn queries() {
    let played = sweep("query", &[]);
    assert_eq!(
        played.log,
        [
            "id 23 Binary",
            "row \\00\\00\\00\\07",
            "1 rows",
            "0 rows",
            "0 rows",
            "(\"x\", None)",
            "true",
            "no rows; only reading failed, connection usable",
            "12",
        ]
    );
    assert_eq!(played.result, Ok(()));
}

fn simple(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let mut result = connection.simple_query("select 1; create table t (); ; select 2, null")?;
    loop {
        rows(&mut result, log)?;
        if !result.next_result()? {
            break;
        }
    }
    let all = connection.simple_query("select 1; select 2")?.finish();
    note(log, all)?;
    note(log, connection.batch_execute("create table a (); create table b ()"))?;
    note(log, connection.ping())
}

#[test]
fn simple_queries() {
    let played = sweep("simple", &[]);
    assert_eq!(played.log, ["row 1", "1 rows", "0 rows", "row 2 NULL", "1 rows", "2", "()", "()"]);
    assert_eq!(played.result, Ok(()));
}

fn batch(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let items = [(1_i32, "a"), (2, "b"), (3, "")];
    let touched = connection.execute_many("insert into t values ($1, $2)", items);
    note(log, touched)?;
    log.push(format!("{} done", connection.batch_done()));
    let touched = connection.execute_many("insert into t values ($1, $2)", items);
    note(log, touched)?;
    log.push(format!("{} done", connection.batch_done()));
    let nothing: [(i32,); 0] = [];
    note(log, connection.execute_many("insert into t values ($1)", nothing))
}

#[test]
fn batches() {
    let played = sweep("batch", &[SqlState::UNIQUE_VIOLATION]);
    assert_eq!(
        played.log,
        ["3", "3 done", "server error 23505; refused, connection usable", "1 done", "0",]
    );
}

fn prepare(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let statement = connection.prepare("select $1", &[oid::INT4])?;
    log.push(format!("{:?}", statement.parameter_type(0)));
    for value in [1_i32, 2] {
        let mut result = connection.query(&statement, (value,))?;
        rows(&mut result, log)?;
    }
    note(log, connection.execute(&statement, ("text",)))?;
    note(log, connection.execute(&statement, ()))?;
    note(log, connection.execute_many(&statement, [(5_i32,), (6,)]))?;
    note(log, connection.ping())?;
    let mut result = connection.query(&statement, (7_i32,))?;
    rows(&mut result, log)?;
    note(log, connection.close_statement(&statement))?;
    let refused = connection.prepare("select nonsense", &[]);
    note(log, refused.map(|_| ()))
}

#[test]
fn prepared_statements() {
    let played = sweep("prepare", &["42703"].map(state));
    assert_eq!(
        played.log,
        [
            "Some(23)",
            "row \\00\\00\\00\\01",
            "1 rows",
            "row \\00\\00\\00\\02",
            "1 rows",
            "wrong type of a parameter; not sent, connection usable",
            "wrong number of parameters; not sent, connection usable",
            "2",
            "()",
            "row \\00\\00\\00\\07",
            "1 rows",
            "()",
            "server error 42703; refused, connection usable",
        ]
    );
}

fn transaction(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let mut transaction = connection.transaction()?;
    note(log, transaction.execute("insert", ()))?;
    log.push(format!("{:?}", transaction.transaction_status()));
    note(log, transaction.transaction().map(|_| ()))?;
    note(log, transaction.commit())?;
    let transaction = connection.transaction()?;
    note(log, transaction.rollback())?;
    let mut transaction = connection.transaction()?;
    note(log, transaction.execute("bad", ()))?;
    log.push(format!("{:?}", transaction.transaction_status()));
    note(log, transaction.commit())?;
    drop(connection.transaction()?);
    note(log, connection.ping())
}

#[test]
fn transactions() {
    let played = sweep("transaction", &["42601"].map(state));
    assert_eq!(
        played.log,
        [
            "1",
            "InTransaction",
            "a transaction is open already; not sent, connection usable",
            "()",
            "()",
            "server error 42601; refused, connection usable",
            "Failed",
            "the transaction was rolled back; refused, connection usable",
            "()",
        ]
    );
}

fn errors(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    // At Parse, at Bind, between rows, at the end, in a simple query.
    for sql in ["parse", "bind", "rows", "end"] {
        match connection.query(sql, ()) {
            Ok(mut result) => rows(&mut result, log)?,
            Err(error) if error.is_usable() => log.push(format!("{error}")),
            Err(error) => return Err(error),
        }
        let text = connection.server_error().map(|e| format!("{e} {:?}", e.position()));
        log.push(text.unwrap_or_default());
    }
    note(log, connection.batch_execute("simple"))?;
    note(log, connection.ping())?;
    log.push(format!("{:?}", connection.server_error().is_some()));
    Ok(())
}

#[test]
fn errors_leave_the_connection_usable() {
    let states = ["42601", "22P02", "22012", "23503"].map(state);
    let played = sweep("errors", &states);
    let refused = |state| format!("server error {state}; refused, connection usable");
    assert_eq!(
        played.log,
        [
            &refused("42601"),
            "ERROR 42601: no Some(8)",
            &refused("22P02"),
            "ERROR 22P02: no None",
            "row 1",
            &refused("22012"),
            "ERROR 22012: no None",
            &refused("23503"),
            "ERROR 23503: no None",
            &refused("42601"),
            "()",
            "false",
        ]
    );
}

fn asynchronous(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    let mut result = connection.query("select 1", ())?;
    rows(&mut result, log)?;
    note(log, connection.execute("set TimeZone to 'UTC'", ()))?;
    note(log, connection.ping())
}

#[test]
fn asynchronous_messages_may_stand_anywhere() {
    assert_eq!(sweep("asynchronous", &[]).log, ["row 1", "1 rows", "0", "()"]);
}

fn copy(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    note(log, connection.execute("copy t from stdin", ()))?;
    note(log, connection.execute("copy t to stdout", ()))?;
    note(log, connection.batch_execute("copy t from stdin"))?;
    note(log, connection.batch_execute("copy t to stdout"))?;
    note(log, connection.simple_query("copy t to stdout").map(|_| ()))?;
    note(log, connection.query("copy t to stdout", ())?.finish())?;
    note(log, connection.ping())
}

#[test]
fn unsolicited_copy_is_ended() {
    let played = sweep("copy", &[SqlState::QUERY_CANCELED]);
    let copy = "the statement is a COPY for another verb; only reading failed, connection usable";
    let ended = "the statement is a COPY for another verb; refused, connection usable";
    let refused = "server error 57014; refused, connection usable";
    assert_eq!(played.log, [ended, copy, refused, "()", copy, copy, "()"]);
}

fn unread(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    // Nothing read, one row read, two rows where one was asked for, results of a simple query.
    drop(connection.query("select 1", ())?);
    let mut result = connection.query("select 2", ())?;
    note(log, result.next().map(|row| row.is_some()))?;
    let two = connection.query_one("select 3", ());
    note(log, two.map(|_| ()))?;
    drop(connection.simple_query("select 4; select 5")?);
    // Rows of the last statement fail after they were dropped: the next verb says so, sends
    // nothing, and may be called again.
    drop(connection.query("select 1/0", ())?);
    let earlier = connection.query_one("select 6", ());
    note(log, earlier.map(|_| ()))?;
    let row = connection.query_one("select 6", ())?;
    let (value,): (&str,) = row.decode()?;
    log.push(value.into());
    Ok(())
}

#[test]
fn answers_that_were_not_read_are_not_those_of_the_next_query() {
    let played = sweep("unread", &["22012"].map(state));
    assert_eq!(
        played.log,
        [
            "true",
            "more than one row; only reading failed, connection usable",
            "a statement whose rows were dropped failed: server error 22012; not sent, connection \
             usable",
            "six",
        ]
    );
}

fn fatal(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    note(log, connection.ping())?;
    note(log, connection.execute("select pg_sleep(1000)", ()))
}

#[test]
fn fatal_errors_win_over_the_closed_link() {
    let played = sweep("fatal", &[SqlState::ADMIN_SHUTDOWN]);
    assert_eq!(played.result.unwrap_err().sqlstate(), Some(SqlState::ADMIN_SHUTDOWN));
    assert_eq!(played.result.unwrap_err().outcome(), barepg::Outcome::Unknown);
}

fn shutdown(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    note(log, connection.ping())?;
    note(log, connection.execute("insert", ()))
}

#[test]
fn a_notice_before_the_end_is_the_reason() {
    let played = sweep("shutdown", &["57P02"].map(state));
    let error = played.result.unwrap_err();
    assert_eq!(error.sqlstate(), Some(state("57P02")));
    assert_eq!(error.outcome(), barepg::Outcome::Unknown);
}

fn parameters(connection: &mut Conn<'_, '_>, log: &mut Log) -> Result<(), Error> {
    // A parameter and a statement larger than any send buffer, and what cannot be sent.
    let long = "x".repeat(1500);
    note(log, connection.execute("insert into t values ($1)", (long.as_str(),)))?;
    note(log, connection.batch_execute(&long))?;
    note(log, connection.execute("a\0b", ()))?;
    note(log, connection.execute(&*long.replace('x', "\0"), ()))?;
    note(log, connection.batch_execute("a\0b"))?;
    note(log, connection.ping())
}

#[test]
fn what_is_larger_than_the_send_buffer_goes_out_in_pieces() {
    let played = sweep("parameters", &[]);
    let nul = "cannot be sent: text with a NUL byte; not sent, connection usable";
    assert_eq!(played.log, ["1", "()", nul, nul, nul, "()"]);
}

/// A SQLSTATE by its text.
pub fn state(text: &str) -> SqlState {
    let script = read(&format!("@start\n<<< E 'C{text}' #00 #00\n--- eof"), &[]);
    let refused = Scenario {
        name: "state",
        config: config(),
        script,
        rx: 512,
        tx: 512,
        work: |_, _| Ok(()),
        leaves_answers: false,
    };
    refused.play(Delivery::WHOLE).result.unwrap_err().sqlstate().unwrap()
}
