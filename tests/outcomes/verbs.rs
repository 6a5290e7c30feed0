//! Every verb, as work that puts rows into the table `work` and says what became of them.

use barepg::types::oid;
use barepg::{Connection, Error, ErrorKind, Outcome, Result, Rows, StaticStatement, Streamed};

use crate::ledger::Ledger;

/// One kind of work.
#[derive(Clone, Copy)]
pub struct Work {
    pub name: &'static str,
    pub run: fn(&mut Connection, &mut Ledger),
    /// Whether it is one call of one verb: then `NotSent` means that no byte left at all.
    pub single: bool,
}

const fn work(name: &'static str, run: fn(&mut Connection, &mut Ledger)) -> Work {
    Work { name, run, single: false }
}

const fn single(name: &'static str, run: fn(&mut Connection, &mut Ledger)) -> Work {
    Work { name, run, single: true }
}

pub const WORK: &[Work] = &[
    single("execute", execute),
    single("query_one", query_one),
    single("execute_many", execute_many),
    single("streamed parameter", streamed),
    single("batch_execute", batch),
    single("batch_execute with COMMIT", batch_commit),
    single("batch_execute that fails after COMMIT", batch_commit_fails),
    single("procedure that commits", procedure),
    work("query", rows),
    work("query, streamed rows", streamed_rows),
    work("query that is refused at its commit", refused_at_commit),
    work("simple_query", simple_query),
    work("simple_query with COMMIT", simple_query_commit),
    work("simple_query that fails after COMMIT", simple_query_commit_fails),
    work("prepared statement", prepared),
    work("statement in flash", in_flash),
    work("pipeline", pipeline),
    work("pipeline with COMMIT", pipeline_commit),
    work("pipeline that fails after COMMIT", pipeline_commit_fails),
    work("transaction", transaction),
    work("transaction of every verb", transaction_of_all),
    work("transaction with commands that define", transaction_that_defines),
    work("transaction ended by text", ended_by_text),
    work("transaction dropped", transaction_dropped),
    work("savepoints", savepoints),
    work("portal", portal),
    work("copy_in, bytes", copy_bytes),
    work("copy_in, rows", copy_rows),
    work("copy_in, aborted", copy_aborted),
    work("copy_out", copy_out),
    work("rows dropped", rows_dropped),
    work("rows dropped of a statement that fails", rows_dropped_fails),
    work("ping, reset", ping_reset),
];

/// The table, and what some of the work needs beside it.
pub const SCHEMA: &str = "
    create table work (key bigint, part text);
    create table parent (id int primary key);
    create table child (key bigint, id int references parent deferrable initially deferred);
    create procedure commits(a bigint, b bigint) language plpgsql as $$ begin
        insert into work values (a, 'a');
        commit;
        insert into work values (b, 'b');
    end $$;
    grant all on all tables in schema public to public;
";

const INSERT: &str = "insert into work values ($1, $2)";
const PART: &str = "a value that is long enough to be cut in its middle now and then";
const RETURNING: &str =
    "insert into work select $1, repeat('x', 60) from generate_series(1, 30) returning key, part";

static IN_FLASH: StaticStatement = StaticStatement::new(INSERT, &[oid::INT8, oid::TEXT]);

/// The value, or: the rows with the key were never asked for.
macro_rules! or_never {
    ($ledger:expr, $key:expr, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return $ledger.never($key, error),
        }
    };
}

/// The value, or: the transaction failed before its COMMIT.
macro_rules! or_inside {
    ($ledger:expr, $key:expr, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return $ledger.inside($key, error),
        }
    };
}

fn execute(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let result = c.execute(INSERT, (key, PART));
    l.says(key, 1, &result);
}

fn query_one(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let sql = "insert into work values ($1, $2) returning key, part";
    let result = c.query_one(sql, (key, PART)).map(|_| ());
    l.says(key, 1, &result);
}

fn execute_many(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let result = c.execute_many(INSERT, (0..40).map(|_| (key, PART)));
    l.says(key, 40, &result);
}

fn streamed(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let long = [b'x'; 3000];
    let result = c.execute(INSERT, (key, Streamed::text(long.len(), &long[..])));
    l.says(key, 1, &result);
}

fn batch(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let insert = format!("insert into work values ({key}, '{PART}')");
    let result = c.batch_execute(&format!("{insert}; {insert}; select 1"));
    l.says(key, 2, &result);
}

fn batch_commit(c: &mut Connection, l: &mut Ledger) {
    let (a, b) = (l.key(), l.key());
    let result = c.batch_execute(&committing(a, b, "select 1"));
    l.says(a, 1, &result);
    l.says(b, 1, &result);
}

fn batch_commit_fails(c: &mut Connection, l: &mut Ledger) {
    let (a, b) = (l.key(), l.key());
    let result = c.batch_execute(&committing(a, b, "select 1 / 0"));
    l.says(a, 1, &result);
    l.says(b, 1, &result);
}

fn committing(a: i64, b: i64, last: &str) -> String {
    format!(
        "begin; insert into work values ({a}, '{PART}'); commit; \
         insert into work values ({b}, '{PART}') returning key; {last}"
    )
}

fn procedure(c: &mut Connection, l: &mut Ledger) {
    let (a, b) = (l.key(), l.key());
    let result = c.execute("call commits($1, $2)", (a, b));
    l.says(a, 1, &result);
    l.says(b, 1, &result);
}

fn rows(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let rows = or_failed(l, key, 30, c.query(RETURNING, (key,)));
    let Some(mut rows) = rows else { return };
    let some = if l.random.below(2) == 0 { 7 } else { 1000 };
    let result = read(&mut rows, some);
    end(l, key, 30, rows, result);
}

fn streamed_rows(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let sql = "insert into work select $1, repeat('y', 2000) from generate_series(1, 3) \
        returning key, part";
    let rows = or_failed(l, key, 3, c.query(sql, (key,)));
    let Some(mut rows) = rows else { return };
    let result = read_streamed(&mut rows);
    end(l, key, 3, rows, result);
}

fn refused_at_commit(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let sql = "with c as (insert into child values ($1, 77)) \
        insert into work values ($1, 'x') returning key";
    let Some(mut rows) = or_failed(l, key, 1, c.query(sql, (key,))) else { return };
    let result = read(&mut rows, 1000);
    if result.is_ok() {
        l.fault("a violated constraint goes unseen".to_string());
    }
    end(l, key, 1, rows, result);
}

fn simple_query(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let insert = format!("insert into work values ({key}, '{PART}') returning key, part");
    let sql = format!("{insert}; {insert}; select generate_series(1, 20)");
    let Some(mut rows) = or_failed(l, key, 2, c.simple_query(&sql)) else { return };
    let result = read_results(&mut rows);
    end(l, key, 2, rows, result);
}

fn simple_query_commit(c: &mut Connection, l: &mut Ledger) {
    simple_query_of(c, l, "select generate_series(1, 20)");
}

fn simple_query_commit_fails(c: &mut Connection, l: &mut Ledger) {
    simple_query_of(c, l, "select 1 / 0");
}

fn simple_query_of(c: &mut Connection, l: &mut Ledger, last: &str) {
    let (a, b) = (l.key(), l.key());
    let mut rows = match c.simple_query(&committing(a, b, last)) {
        Ok(rows) => rows,
        Err(error) => {
            l.failed(a, 1, error);
            return l.failed(b, 1, error);
        }
    };
    let result = read_results(&mut rows);
    l.says(a, 1, &result);
    end(l, b, 1, rows, result);
}

fn prepared(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let statement = or_never!(l, key, c.prepare(INSERT, &[oid::INT8, oid::TEXT]));
    let result = c.execute(&statement, (key, PART));
    l.says(key, 1, &result);
    if result.is_err() {
        return;
    }
    let (many, last) = (l.key(), l.key());
    let result = c.execute_many(&statement, (0..5).map(|_| (many, PART)));
    l.says(many, 5, &result);
    if result.is_err() {
        return;
    }
    or_never!(l, last, c.close_statement(&statement));
    execute(c, l);
}

fn in_flash(c: &mut Connection, l: &mut Ledger) {
    for _ in 0..3 {
        let key = l.key();
        let result = c.execute(&IN_FLASH, (key, PART));
        l.says(key, 1, &result);
        if result.is_err() {
            return;
        }
    }
}

fn pipeline(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let result = run_pipeline(c, l, &[(INSERT, key); 6]);
    l.says(key, 6, &result);
}

fn pipeline_commit(c: &mut Connection, l: &mut Ledger) {
    let (a, b) = (l.key(), l.key());
    let result = run_pipeline(c, l, &[(INSERT, a), (INSERT, a), ("commit", 0), (INSERT, b)]);
    l.says(a, 2, &result);
    l.says(b, 1, &result);
}

fn pipeline_commit_fails(c: &mut Connection, l: &mut Ledger) {
    let (a, b) = (l.key(), l.key());
    let statements = [(INSERT, a), ("commit", 0), (INSERT, b), ("select 1 / 0", 0)];
    let result = run_pipeline(c, l, &statements);
    l.says(a, 1, &result);
    l.says(b, 1, &result);
}

/// Statements with their key, 0 for those without parameters.
fn run_pipeline(c: &mut Connection, l: &mut Ledger, statements: &[(&str, i64)]) -> Result<()> {
    let mut pipeline = c.pipeline()?;
    let mut fill = || {
        for &(sql, key) in statements {
            match key {
                0 => pipeline.execute(sql, ())?,
                key => pipeline.execute(sql, (key, PART))?,
            }
        }
        Ok(())
    };
    let mut result: Result<()> = fill();
    if result.is_ok() && l.random.below(3) == 0 {
        return pipeline.finish().map(|_| ());
    }
    let look = l.random.below(2) == 0;
    while result.is_ok() {
        result = match pipeline.next() {
            Ok(None) => break,
            Err(error) => Err(error),
            Ok(Some(mut rows)) if look => read(&mut rows, 1000),
            Ok(Some(rows)) => rows.finish().map(|_| ()),
        };
    }
    match result {
        Err(error) => {
            l.again("Pipeline::next", error, pipeline.next().map(|_| ()));
            l.again("Pipeline::next", error, pipeline.next().map(|_| ()));
            l.again("Pipeline::finish", error, pipeline.finish());
        }
        Ok(()) => result = pipeline.finish().map(|_| ()),
    }
    result
}

fn transaction(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let mut tx = or_never!(l, key, c.transaction());
    for _ in 0..3 {
        or_inside!(l, key, tx.execute(INSERT, (key, PART)));
    }
    let result = tx.commit();
    l.says(key, 3, &result);
}

fn transaction_of_all(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let mut tx = or_never!(l, key, c.transaction());
    let mut inside = || {
        tx.query_one("insert into work values ($1, $2) returning key", (key, PART))?;
        tx.execute_many(INSERT, (0..5).map(|_| (key, PART)))?;
        let mut pipeline = tx.pipeline()?;
        pipeline.execute(INSERT, (key, PART))?;
        pipeline.execute(INSERT, (key, PART))?;
        pipeline.finish()?;
        let mut copy = tx.copy_in("copy work from stdin with (format binary)")?;
        for _ in 0..10 {
            copy.send_row((key, PART))?;
        }
        copy.finish()?;
        tx.query(RETURNING, (key,))?.finish()?;
        tx.batch_execute(&format!("insert into work values ({key}, 'batch')"))
    };
    or_inside!(l, key, inside());
    let result = tx.commit();
    l.says(key, 1 + 5 + 2 + 10 + 30 + 1, &result);
}

/// Commands of which some cannot run in a transaction, or end it; these do not.
fn transaction_that_defines(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let mut tx = or_never!(l, key, c.transaction());
    let mut inside = || {
        tx.execute("create temp table passing (n int) on commit drop", ())?;
        tx.execute(INSERT, (key, PART))?;
        tx.execute("create index on passing (n)", ())?;
        tx.execute("alter table passing add column m int", ())?;
        tx.execute("comment on table passing is 'passing'", ())?;
        tx.execute("drop table passing", ())?;
        tx.execute("set local work_mem = '1MB'", ())?;
        tx.execute("prepare passing as select 1", ())?;
        tx.execute("deallocate passing", ())?;
        tx.execute("do 'begin end'", ())?;
        tx.execute(INSERT, (key, PART)).map(|_| ())
    };
    if let Err(error) = inside() {
        // DO may have ended it, in words that the driver does not read.
        return l.never(key, error);
    }
    let result = tx.commit();
    l.says(key, 2, &result);
    if result.is_ok() {
        execute(c, l);
    }
}

fn ended_by_text(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let commits = l.random.below(2) == 0;
    let mut tx = or_never!(l, key, c.transaction());
    or_inside!(l, key, tx.execute(INSERT, (key, PART)));
    let result = tx.batch_execute(if commits { "select 1; commit" } else { "rollback" });
    if commits {
        l.says(key, 1, &result);
    } else {
        l.undone(key);
    }
    // No transaction is open that could be committed.
    if tx.commit().is_ok() {
        l.fault("commit of a transaction that was ended by text: Ok".to_string());
    }
}

fn transaction_dropped(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let mut tx = or_never!(l, key, c.transaction());
    or_inside!(l, key, tx.execute(INSERT, (key, PART)));
    drop(tx);
    l.undone(key);
    execute(c, l);
}

fn savepoints(c: &mut Connection, l: &mut Ledger) {
    let (kept, undone) = (l.key(), l.key());
    l.undone(undone);
    let mut tx = or_never!(l, kept, c.transaction());
    let mut inside = || {
        tx.execute(INSERT, (kept, PART))?;
        let mut savepoint = tx.savepoint()?;
        savepoint.execute(INSERT, (undone, PART))?;
        savepoint.rollback()?;
        let mut savepoint = tx.savepoint()?;
        savepoint.execute(INSERT, (kept, PART))?;
        savepoint.commit()?;
        let mut savepoint = tx.savepoint()?;
        savepoint.execute(INSERT, (undone, PART))?;
        drop(savepoint);
        tx.execute(INSERT, (kept, PART)).map(|_| ())
    };
    or_inside!(l, kept, inside());
    let result = tx.commit();
    l.says(kept, 3, &result);
}

fn portal(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let mut tx = or_never!(l, key, c.transaction());
    let portal = or_inside!(l, key, tx.portal(RETURNING, (key,)));
    loop {
        let mut rows = or_inside!(l, key, tx.fetch(&portal, 8));
        if let Err(error) = read(&mut rows, 1000) {
            l.again("Rows::next", error, rows.next().map(|_| ()));
            l.again("Rows::finish", error, rows.finish());
            return l.inside(key, error);
        }
        if !rows.is_suspended() {
            break;
        }
        or_inside!(l, key, tx.execute(INSERT, (key, PART)));
    }
    or_inside!(l, key, tx.close_portal(&portal));
    let result = tx.commit();
    l.says(key, 30 + 3, &result);
}

fn copy_bytes(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let line = format!("{key}\t{PART}\n");
    let copy = or_failed(l, key, 20, c.copy_in("copy work from stdin"));
    let Some(mut copy) = copy else { return };
    for _ in 0..20 {
        if let Err(error) = copy.send(line.as_bytes()) {
            l.again("CopyIn::send", error, copy.send(line.as_bytes()));
            l.again("CopyIn::check", error, copy.check());
            l.again("CopyIn::finish", error, copy.finish());
            return l.copied(key, 20, &Err::<(), _>(error));
        }
    }
    let result = copy.finish();
    l.copied(key, 20, &result);
}

fn copy_rows(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let copy = or_failed(l, key, 30, c.copy_in("copy work from stdin with (format binary)"));
    let Some(mut copy) = copy else { return };
    for n in 0..30 {
        let sent = copy.send_row((key, PART)).and_then(|()| match n {
            20 => copy.check(),
            _ => Ok(()),
        });
        if let Err(error) = sent {
            l.again("CopyIn::send_row", error, copy.send_row((key, PART)));
            l.again("CopyIn::finish", error, copy.finish());
            return l.copied(key, 30, &Err::<(), _>(error));
        }
    }
    let result = copy.finish();
    l.copied(key, 30, &result);
}

fn copy_aborted(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    l.undone(key);
    {
        let copy = c.copy_in("copy work from stdin with (format binary)");
        let mut copy = or_never!(l, key, copy);
        for _ in 0..10 {
            or_never!(l, key, copy.send_row((key, PART)));
        }
        // Aborted, or just dropped.
        if l.random.below(2) == 0 {
            or_never!(l, key, copy.abort("enough"));
        }
    }
    execute(c, l);
}

fn copy_out(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    let sql = format!(
        "copy (insert into work select {key}, repeat('z', 50) from generate_series(1, 30) \
         returning key, part) to stdout"
    );
    let Some(mut copy) = or_failed(l, key, 30, c.copy_out(&sql)) else { return };
    let result = loop {
        match copy.next() {
            Ok(Some(_)) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    match result {
        Err(error) => l.again("CopyOut::next", error, copy.next().map(|_| ())),
        Ok(()) => assert!(matches!(copy.next(), Ok(None))),
    }
    l.says(key, 30, &result);
}

fn rows_dropped(c: &mut Connection, l: &mut Ledger) {
    let (key, next) = (l.key(), l.key());
    {
        let rows = or_failed(l, key, 30, c.query(RETURNING, (key,)));
        let Some(mut rows) = rows else { return };
        if let Err(error) = rows.next().map(|_| ()) {
            return l.failed(key, 30, error);
        }
    }
    let result = c.execute(INSERT, (next, PART));
    l.says(next, 1, &result);
    match result {
        // Its answer was read before that of the next.
        Ok(_) => l.says(key, 30, &result),
        Err(_) => l.unsaid(key, 30),
    }
}

/// The next verb reports what became of the statement, and sends nothing of its own.
fn rows_dropped_fails(c: &mut Connection, l: &mut Ledger) {
    let (key, next) = (l.key(), l.key());
    let sql = "with c as (insert into child values ($1, 77)) \
        insert into work select $1, repeat('x', 60) from generate_series(1, 30) returning key, part";
    l.undone(key);
    {
        let Some(mut rows) = or_failed(l, key, 30, c.query(sql, (key,))) else { return };
        if let Err(error) = rows.next().map(|_| ()) {
            return l.failed(key, 30, error);
        }
    }
    let result = c.execute(INSERT, (next, PART));
    match result {
        Ok(_) => l.fault("a dropped statement failed, and that was not reported".to_string()),
        Err(error) if matches!(error.kind(), ErrorKind::EarlierStatement(_)) => {
            if (error.outcome(), error.is_usable()) != (Outcome::NotSent, true) {
                l.fault(format!("of the statement before: {error}"));
            }
            let result = c.execute(INSERT, (next, PART));
            return l.says(next, 1, &result);
        }
        Err(_) => {}
    }
    l.says(next, 1, &result);
}

fn ping_reset(c: &mut Connection, l: &mut Ledger) {
    let key = l.key();
    or_never!(l, key, c.ping());
    or_never!(l, key, c.wait_notification(0).map(|_| ()));
    or_never!(l, key, c.reset());
    let result = c.execute(INSERT, (key, PART));
    l.says(key, 1, &result);
}

/// The value; its error is noted for the rows with the key.
fn or_failed<T>(l: &mut Ledger, key: i64, rows: i64, result: Result<T>) -> Option<T> {
    result.map_err(|error| l.failed(key, rows, error)).ok()
}

/// Reads rows to the end, or so many of them.
fn read(rows: &mut Rows<'_, '_>, most: u32) -> Result<()> {
    for _ in 0..most {
        if rows.next()?.is_none() {
            break;
        }
    }
    Ok(())
}

fn read_results(rows: &mut Rows<'_, '_>) -> Result<()> {
    loop {
        read(rows, 1000)?;
        if !rows.next_result()? {
            return Ok(());
        }
    }
}

fn read_streamed(rows: &mut Rows<'_, '_>) -> Result<()> {
    let mut buffer = [0; 300];
    while let Some(mut row) = rows.next_streamed()? {
        while let Some(mut column) = row.next_column()? {
            let read = |column: &mut _, buffer: &mut [u8]| embedded_io::Read::read(column, buffer);
            while read(&mut column, &mut buffer)? > 0 {}
        }
    }
    Ok(())
}

/// The end of rows that were read so far: whatever failed fails again in the same way.
fn end(l: &mut Ledger, key: i64, count: i64, mut rows: Rows<'_, '_>, result: Result<()>) {
    let finished = match result {
        Ok(()) => rows.finish().map(|_| ()),
        Err(error) => {
            l.again("Rows::next", error, rows.next().map(|_| ()));
            l.again("Rows::next_result", error, rows.next_result());
            l.again("Rows::finish", error, rows.finish());
            Err(error)
        }
    };
    l.says(key, count, &finished);
}

/// What a dead connection says to any verb.
pub fn is_dead(c: &mut Connection) -> std::result::Result<(), Option<Error>> {
    match c.execute("select 1", ()) {
        Err(error) if error.outcome() == Outcome::NotSent && !error.is_usable() => Ok(()),
        Err(error) => Err(Some(error)),
        Ok(_) => Err(None),
    }
}
