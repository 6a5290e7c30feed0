//! Each step of a program, by the driver's verbs.

use barepg::types::oid;
use barepg::{
    Connection, ErrorKind, Outcome, Result, Savepoint, Sql, StaticStatement, Streamed, Transaction,
};

use crate::answers::{check, copy_out, read, stream};
use crate::guards::{savepoint, transaction};
use crate::program::{CopyEnd, Reading, Step, Way};
use crate::rows::{DEFERRED, INSERT, Values, text};
use crate::run::{Ended, Run};
use crate::server::{Op, Together};

const TYPES: &[u32] = &[oid::INT8, oid::INT4, oid::FLOAT8, oid::TEXT, oid::BYTEA];
static IN_FLASH: [StaticStatement; 2] =
    [StaticStatement::new(INSERT, TYPES), StaticStatement::new(DEFERRED, TYPES)];

/// What a step is done on.
pub enum On<'g, 't, 'c, 'b> {
    Connection(&'g mut Connection<'c, 'b>),
    Transaction(&'g mut Transaction<'t, 'c, 'b>),
    Savepoint(&'g mut Savepoint<'t, 'c, 'b>),
}

impl<'c, 'b> On<'_, '_, 'c, 'b> {
    pub fn c(&mut self) -> &mut Connection<'c, 'b> {
        match self {
            On::Connection(c) => c,
            On::Transaction(tx) => tx,
            On::Savepoint(savepoint) => savepoint,
        }
    }
}

pub fn steps(run: &mut Run, on: &mut On, steps: &[Step]) {
    for step in steps {
        if run.has_ended() {
            return;
        }
        self::step(run, on, step);
    }
}

fn step(run: &mut Run, on: &mut On, step: &Step) {
    let what = format!("{step:?}");
    match step {
        Step::Batch(ops) => {
            let sql = texts(ops);
            run.call(on.c(), what, ops, together(ops), |c, _| {
                c.batch_execute(&sql).map(|()| Ended::Complete)
            });
        }
        Step::Simple(ops, reading) => {
            let sql = texts(ops);
            run.call(on.c(), what, ops, together(ops), |c, faults| {
                let rows = c.simple_query(&sql)?;
                read(rows, *reading, true, None, faults)
            });
        }
        Step::Execute(op, way) => {
            statement(run, on.c(), what, *op, *way, |c, sql, values, faults| {
                let affected = execute(c, sql, values, *op, *way)?;
                if op.key().is_some() && affected != 1 {
                    faults.push(format!("{affected} rows"));
                }
                Ok(Ended::Complete)
            });
        }
        Step::Query(op, way, reading) => {
            statement(run, on.c(), what, *op, *way, |c, sql, values, faults| {
                let rows = match (values, op) {
                    (Some(v), _) if *way == Way::Streamed => c.query(sql, streamed(v))?,
                    (Some(v), _) => {
                        c.query(sql, (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref()))?
                    }
                    (None, Op::Select(n)) => c.query(sql, (i64::from(*n),))?,
                    _ => c.query(sql, ())?,
                };
                read(rows, *reading, false, Some(*op), faults)
            });
        }
        Step::QueryOne(op, way) => {
            statement(run, on.c(), what, *op, *way, |c, sql, values, faults| {
                let row = match (values, op) {
                    (Some(v), _) if *way == Way::Streamed => c.query_one(sql, streamed(v))?,
                    (Some(v), _) => {
                        c.query_one(sql, (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref()))?
                    }
                    (None, Op::Select(n)) => {
                        c.query_one("select $1::int8, 'x'", (i64::from(*n),))?
                    }
                    _ => c.query_one(sql, ())?,
                };
                check(&row, Some(*op), 0, faults);
                Ok(Ended::Complete)
            });
        }
        Step::Many(keys, bad) => many(run, on.c(), what, keys, *bad),
        Step::Pipeline(ops, reading) => pipeline(run, on.c(), what, ops, *reading),
        Step::CopyIn(keys, end) => copy_in(run, on.c(), what, keys, *end),
        Step::CopyOut(rows, reading) => {
            run.call(on.c(), what, &[Op::Select(0)], Together::Alone, |c, faults| {
                copy_out(c, *rows, *reading, faults)
            });
        }
        Step::Stream(length, some) => {
            run.call(on.c(), what, &[Op::Select(0)], Together::Alone, |c, faults| {
                stream(c, *length, *some, faults)
            });
        }
        Step::Portal(rows, slice) => {
            let On::Transaction(tx) = on else { return };
            portal(run, tx, what, *rows, *slice);
        }
        Step::Odd(odd, key) => crate::odd::odd(run, on.c(), what, *odd, *key),
        Step::Ping => {
            run.call(on.c(), what, &[], Together::Alone, |c, _| c.ping().map(|()| Ended::Complete));
        }
        Step::Reset => {
            run.call(on.c(), what, &[Op::Rollback, Op::DiscardAll], Together::Alone, |c, _| {
                c.reset().map(|()| Ended::Complete)
            });
        }
        Step::Notify => {
            run.call(on.c(), what, &[], Together::Alone, |c, _| {
                c.wait_notification(1).map(|_| Ended::Complete)
            });
        }
        Step::Transaction(inner, end) => transaction(run, on.c(), inner, *end),
        Step::Savepoint(inner, end) => savepoint(run, on, inner, *end),
    }
}

fn together(ops: &[Op]) -> Together {
    if ops.len() > 1 { Together::Batch } else { Together::Alone }
}

fn texts(ops: &[Op]) -> String {
    let texts: Vec<String> = ops.iter().map(|op| text(*op)).collect();
    texts.join("; ")
}

/// A statement, given in its way. Preparing it is a call of its own.
fn statement(
    run: &mut Run,
    c: &mut Connection,
    what: String,
    op: Op,
    way: Way,
    f: impl FnOnce(&mut Connection, Sql<'_>, Option<&Values>, &mut Vec<String>) -> Result<Ended>,
) {
    let values = op.key().map(Values::of);
    let index = usize::from(matches!(op, Op::Deferred(_)));
    let sql = [INSERT, DEFERRED][index];
    let plain = text(op);
    let given: Sql = match (&values, way) {
        (Some(_), Way::Prepared) => {
            if run.prepared[index].is_none() {
                let mut made = None;
                run.call(c, "prepare".into(), &[Op::Select(0)], Together::Alone, |c, _| {
                    made = Some(c.prepare(sql, TYPES)?);
                    Ok(Ended::Complete)
                });
                run.prepared[index] = made;
            }
            match run.prepared[index] {
                None => return,
                Some(_) => "".into(),
            }
        }
        (Some(_), Way::Flash) => (&IN_FLASH[index]).into(),
        (Some(_), _) => sql.into(),
        (None, _) => match op {
            Op::Select(_) => "select $1::int8 + g, 'x' from generate_series(0, 9) g".into(),
            _ => plain.as_str().into(),
        },
    };
    let prepared = run.prepared[index];
    let given = match (&prepared, way) {
        (Some(statement), Way::Prepared) if values.is_some() => statement.into(),
        _ => given,
    };
    run.call(c, what, &[op], Together::Alone, |c, faults| f(c, given, values.as_ref(), faults));
}

type Parts<'v> = (i64, Option<i32>, Option<f64>, Option<&'v str>, Option<Streamed<&'v [u8]>>);

fn streamed(v: &Values) -> Parts<'_> {
    let b = v.b.as_deref().map(|b| Streamed::new(b.len(), b));
    (v.key, v.n, v.f, v.t.as_deref(), b)
}

fn execute(
    c: &mut Connection,
    sql: Sql<'_>,
    values: Option<&Values>,
    op: Op,
    way: Way,
) -> Result<u64> {
    match (values, op) {
        (Some(v), _) if way == Way::Streamed => c.execute(sql, streamed(v)),
        (Some(v), _) => c.execute(sql, (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref())),
        (None, Op::Select(n)) => c.execute(sql, (i64::from(n),)),
        _ => c.execute(sql, ()),
    }
}

fn many(run: &mut Run, c: &mut Connection, what: String, keys: &[i64], bad: bool) {
    let mut ops: Vec<Op> = keys.iter().map(|key| Op::Insert(*key)).collect();
    let mut values: Vec<Values> = keys.iter().map(|key| Values::of(*key)).collect();
    if bad {
        values.extend(values.first().cloned());
        ops.push(Op::Fail);
    }
    let count = values.len() as u64;
    run.call(c, what, &ops, Together::Batch, |c, faults| {
        let sql = "insert into work values ($1, $2, $3, $4, $5)";
        let items = values.iter().map(|v| (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref()));
        let result = c.execute_many(sql, items);
        match &result {
            Ok(affected) if *affected != count => faults.push(format!("{affected} rows")),
            Err(error) if error.is_usable() && matches!(error.kind(), ErrorKind::Server(_)) => {
                let done = u64::from(c.batch_done());
                if bad && done != 0 && done != count - 1 {
                    faults.push(format!("batch_done {done}"));
                }
            }
            _ => {}
        }
        result.map(|_| Ended::Complete)
    });
}

fn pipeline(run: &mut Run, c: &mut Connection, what: String, ops: &[Op], reading: Reading) {
    run.start();
    let open = run.server.open().is_some();
    // Dropped before its results were asked for, it is abandoned: how much of it ran is not known.
    let abandoned = reading == Reading::Some(0);
    if abandoned && ops.iter().any(|op| op.key().is_none() && !matches!(op, Op::Select(_))) {
        return;
    }
    let expected = if abandoned { &[][..] } else { ops };
    let done = run.call(c, what, expected, Together::Batch, |c, faults| {
        let mut pipeline = c.pipeline()?;
        for op in ops {
            match (op.key().map(Values::of), op) {
                (Some(v), op) => {
                    let sql = if matches!(op, Op::Deferred(_)) { DEFERRED } else { INSERT };
                    let params = (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref());
                    pipeline.execute(sql, params)?;
                }
                (None, Op::Select(n)) => {
                    pipeline.execute("select $1::int8, 'x'", (i64::from(*n),))?;
                }
                (None, op) => pipeline.execute(text(*op).as_str(), ())?,
            }
        }
        let most = match reading {
            Reading::Finish => return pipeline.finish().map(|_| Ended::Complete),
            Reading::All => usize::MAX,
            Reading::Some(n) => n.into(),
        };
        let mut at = 0;
        while at < most {
            let Some(mut rows) = pipeline.next()? else { return Ok(Ended::Complete) };
            match rows.next() {
                Ok(Some(row)) => check(&row, ops.get(at).copied(), 0, faults),
                Ok(None) => {}
                Err(error) if error.outcome() == Outcome::Local => {}
                Err(error) => {
                    match pipeline.finish() {
                        Err(other) if other == error => {}
                        other => faults.push(format!("first {error}, then {other:?}")),
                    }
                    return Err(error);
                }
            }
            at += 1;
        }
        Ok(Ended::Dropped)
    });
    if done && abandoned && open {
        abandon(run, c);
    }
}

/// Within a transaction a pipeline that was abandoned makes it fail, if any of it had left.
pub fn abandon(run: &mut Run, c: &mut Connection) {
    let before = run.server.clone();
    if let Err(error) = c.ping() {
        run.log.push(format!("ping -> {error}"));
        return run.die(c, error, &[]);
    }
    if c.transaction_status() == barepg::TransactionStatus::Failed && !before.is_failed() {
        run.server.fail();
    }
    run.look(c);
}

fn copy_in(run: &mut Run, c: &mut Connection, what: String, keys: &[i64], end: CopyEnd) {
    let mut ops: Vec<Op> = keys.iter().map(|key| Op::Insert(*key)).collect();
    match end {
        CopyEnd::Finish => {}
        CopyEnd::Refused => ops.push(Op::Fail),
        CopyEnd::Abort | CopyEnd::Drop => {}
    }
    let count = keys.len() as u64;
    run.call(c, what, &ops, Together::Batch, |c, faults| {
        let mut copy = c.copy_in("copy work from stdin with (format binary)")?;
        let send = |copy: &mut barepg::CopyIn, key| {
            let v = Values::of(key);
            copy.send_row((v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref()))
        };
        for key in keys {
            send(&mut copy, *key)?;
        }
        match end {
            CopyEnd::Finish => {
                let rows = copy.finish()?;
                if rows != count {
                    faults.push(format!("{rows} rows"));
                }
            }
            CopyEnd::Abort => {
                copy.abort("as it was to be")?;
                return Ok(Ended::Aborted);
            }
            CopyEnd::Drop => return Ok(Ended::Aborted),
            CopyEnd::Refused => {
                send(&mut copy, keys[0])?;
                copy.finish()?;
            }
        }
        Ok(Ended::Complete)
    });
}

fn portal(run: &mut Run, tx: &mut Transaction, what: String, total: u32, slice: u32) {
    if run.has_ended() {
        return;
    }
    run.start();
    // As several calls, of which the first that fails ends it.
    let mut found = Vec::new();
    let mut ended = || -> Result<Ended> {
        let sql = "select g, 'x' from generate_series(1, $1) g";
        let portal = tx.portal(sql, (total as i32,))?;
        let drops = slice.is_multiple_of(3);
        let mut at = 0;
        loop {
            let mut rows = tx.fetch(&portal, slice)?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += 1;
                if row.get::<i32>(0)? != at + count {
                    found.push(format!("row {} is {row:?}", at + count));
                }
                // The rest of the slice is dropped.
                if drops && count == 1 && at + slice as i32 <= total as i32 {
                    break;
                }
            }
            let dropped = drops && count == 1 && at + slice as i32 <= total as i32;
            at += if dropped { slice as i32 } else { count };
            if !dropped && !rows.is_suspended() {
                break;
            }
            if at as u32 % 5 == 4 {
                tx.close_portal(&portal)?;
                return Ok(Ended::Complete);
            }
        }
        if at != total as i32 {
            found.push(format!("{at} rows of {total}"));
        }
        Ok(Ended::Complete)
    };
    let ended = ended();
    // Outside of a transaction block there is no portal to fetch from.
    let ops = if run.server.open().is_some() { [Op::Select(0)] } else { [Op::Fail] };
    run.call(tx, what, &ops, Together::Alone, |_, faults| {
        faults.extend(found);
        ended
    });
}
