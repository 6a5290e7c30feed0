//! Verbs that are not the right ones, values that cannot be sent, deadlines that are missed.

use barepg::{Connection, ErrorKind, Outcome, Result, Streamed};

use crate::program::Odd;
use crate::run::{Ended, Run};
use crate::server::{Op, Together};
use crate::verbs::abandon;

const INSERT: &str = "insert into work values ($1, null, null, $2, $3)";

/// The row of [`Values::of`](crate::rows::Values::of) without parameters and without rows returned.
fn plain(key: i64) -> String {
    crate::rows::text(Op::Insert(key)).replace(" returning key, t", "")
}

pub fn odd(run: &mut Run, c: &mut Connection, what: String, odd: Odd, key: i64) {
    use Together::{Alone, Batch};
    if run.has_ended() {
        return;
    }
    run.start();
    let row = plain(key);
    let complete = |()| Ended::Complete;
    match odd {
        // Bind of it is refused where the transaction has failed.
        Odd::Empty => {
            let ops = &[Op::Select(0)][..(key % 4).min(1) as usize];
            run.call(c, what, ops, Alone, |c, _| {
                match key % 4 {
                    0 => c.simple_query("/* nothing */")?.finish(),
                    1 => c.execute("-- nothing", ()),
                    _ => c.query(" ; ", ())?.finish(),
                }
                .map(|_| Ended::Complete)
            });
        }
        Odd::TooManyRows => {
            run.call(c, what, &[Op::Select(0)], Alone, |c, faults| {
                match c.query_one("select generate_series(1, 300)", ()) {
                    Err(error) => Err(error),
                    Ok(row) => {
                        faults.push(format!("{row:?}"));
                        Ok(Ended::Complete)
                    }
                }
            });
        }
        Odd::NoRows => {
            run.call(c, what, &[Op::Insert(key)], Alone, |c, _| {
                if key % 2 == 0 {
                    c.query_opt(&*row, ()).map(|_| Ended::Complete)
                } else {
                    c.query_one(&*row, ()).map(|_| Ended::Complete)
                }
            });
        }
        Odd::CopyIn => {
            run.call(c, what, &[Op::Fail], Alone, |c, _| {
                let sql = "copy work from stdin";
                match key % 3 {
                    0 => c.execute(sql, ()).map(|_| Ended::Complete),
                    1 => c.batch_execute(sql).map(complete),
                    _ => c.query(sql, ()).and_then(|rows| rows.finish()).map(|_| Ended::Complete),
                }
            });
        }
        Odd::CopyInText => {
            let ops = [Op::Insert(key), Op::Fail];
            let text = format!("{row}; copy work from stdin; {}", plain(key + 1_000_000));
            run.call(c, what, &ops, Batch, |c, _| {
                if key % 2 == 0 {
                    c.batch_execute(&text).map(complete)
                } else {
                    c.simple_query(&text)?.finish().map(|_| Ended::Complete)
                }
            });
        }
        Odd::CopyOut => {
            {
                run.call(c, what, &[Op::Select(0)], Alone, |c, faults| {
                    let sql = "copy (select generate_series(1, 50)) to stdout";
                    let result = if key % 2 == 0 {
                        c.execute(sql, ()).map(drop)
                    } else {
                        c.query(sql, ()).and_then(|rows| rows.finish()).map(drop)
                    };
                    match result {
                        // The statement goes on, and succeeds.
                        Err(error) if matches!(error.kind(), ErrorKind::Usage(_)) => {
                            if error.outcome() != Outcome::Local || !error.is_usable() {
                                faults.push(format!("{error}"));
                            }
                            Ok(Ended::Dropped)
                        }
                        result => result.map(complete),
                    }
                });
            }
        }
        Odd::NotCopy => {
            run.call(c, what, &[Op::Insert(key)], Alone, |c, _| {
                c.copy_in(&row)?.finish().map(|_| Ended::Complete)
            });
        }
        Odd::NotCopyOut => {
            run.call(c, what, &[Op::Insert(key)], Alone, |c, _| {
                c.copy_out(&row).map(|_| Ended::Complete)
            });
        }
        Odd::Nul => {
            unsent(run, c, what, |c| c.execute(INSERT, (key, "a\0b", None::<&[u8]>)).map(drop))
        }
        Odd::NulInMany if run.server.is_failed() => {}
        Odd::NulInMany => {
            let before = run.server.clone();
            let done = run.call(c, what, &[], Alone, |c, faults| {
                let texts = ["x".repeat(key as usize % 400), "y".into(), "a\0b".into()];
                let items = texts
                    .iter()
                    .zip(0..)
                    .map(|(text, n)| (key + n * 1_000_000, &**text, None::<&[u8]>));
                let result = c.execute_many(INSERT, items);
                match result {
                    Err(error)
                        if matches!(error.kind(), ErrorKind::Encode(_)) && error.is_usable() =>
                    {
                        if !matches!(error.outcome(), Outcome::NotSent | Outcome::Refused) {
                            faults.push(format!("{error}"));
                        }
                        Ok(Ended::Dropped)
                    }
                    result => result.map(|_| Ended::Complete),
                }
            });
            if done && before.open().is_some() {
                abandon(run, c);
            }
        }
        Odd::NulInPipeline => {
            run.call(c, what, &[Op::Insert(key)], Batch, |c, faults| {
                let mut pipeline = c.pipeline()?;
                let long = "x".repeat(key as usize % 700);
                pipeline.execute(&*row, ())?;
                let error =
                    pipeline.execute(INSERT, (key, (&*long, "a\0b").1, None::<&[u8]>)).unwrap_err();
                if error.outcome() != Outcome::NotSent && error.is_usable() {
                    faults.push(format!("{error}"));
                }
                pipeline.finish().map(|_| Ended::Complete)
            });
        }
        Odd::NulInCopy => {
            run.call(c, what, &[Op::Insert(key)], Batch, |c, faults| {
                let v = crate::rows::Values::of(key);
                let mut copy = c.copy_in("copy work from stdin with (format binary)")?;
                copy.send_row((v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref()))?;
                match copy.send_row((key, v.n, v.f, "a\0b", v.b.as_deref())) {
                    Err(error) if error.outcome() == Outcome::NotSent => {}
                    Err(error) if !error.is_usable() => return Err(error),
                    other => faults.push(format!("{other:?}")),
                }
                copy.finish().map(|_| Ended::Complete)
            });
        }
        Odd::Source => {
            run.cut = true;
            run.call(c, what, &[Op::Insert(key)], Alone, |c, faults| {
                // More than any buffer here holds.
                let b = Streamed::new(9000, &[7_u8; 8000][..]);
                let result = c.execute(INSERT, (key, "x", b)).map(|_| Ended::Complete);
                if let Err(error) = &result
                    && matches!(error.kind(), ErrorKind::Encode(_))
                    && error.outcome() != Outcome::Refused
                {
                    faults.push(format!("{error}"));
                }
                result
            });
        }
        Odd::SourceInCopy => {
            run.call(c, what, &[Op::Fail], Batch, |c, faults| {
                let mut copy = c.copy_in("copy work from stdin with (format binary)")?;
                let b = Streamed::new(9000, &[7_u8; 8000][..]);
                let Err(error) = copy.send_row((key, None::<i32>, None::<f64>, "x", b)) else {
                    faults.push("sent".into());
                    return Ok(Ended::Complete);
                };
                match copy.finish() {
                    Err(again) if again == error => {}
                    other => faults.push(format!("{error}, and then {other:?}")),
                }
                Err(error)
            });
        }
        Odd::ManyRefused => {
            let count = 100 + key * 37 % 250;
            let bad = 1 + key * 31 % (count - 1);
            run.call(c, what, &[Op::Fail], Batch, |c, faults| {
                let items = (0..count).map(|n| {
                    let n = if n == bad { 0 } else { n };
                    (if n == 0 { -1 } else { key + (n + 1) * 1_000_000 }, "x", None::<&[u8]>)
                });
                let result = c.execute_many(INSERT, items);
                if let Err(error) = &result
                    && matches!(error.kind(), ErrorKind::Server(state) if state.as_str() == "23505")
                    && i64::from(c.batch_done()) != bad
                {
                    faults.push(format!("{} done of {count}, and {bad} is wrong", c.batch_done()));
                }
                result.map(|_| Ended::Complete)
            });
        }
        Odd::CopyRefused => {
            run.call(c, what, &[Op::Fail], Batch, |c, faults| {
                let mut copy = c.copy_in("copy work from stdin")?;
                let mut error = copy.send(b"this is\tno row\n").err();
                for n in 0..key * 13 % 2000 {
                    let row = format!("{}\t1\t1\tx\t\\\\x00\n", key + (n + 1) * 1_000_000);
                    let result = copy.send(row.as_bytes());
                    if error.is_some() && result.err() != error {
                        faults.push(format!("first {error:?}, then {result:?}"));
                    }
                    error = error.or(result.err());
                }
                let result = copy.finish();
                if error.is_some() && result.err() != error {
                    faults.push(format!("first {error:?}, then {result:?}"));
                }
                result.map(|_| Ended::Complete)
            });
        }
        Odd::Call => {
            let open = run.server.open().is_some();
            let op = if open { Op::Fail } else { Op::Insert(key) };
            run.server.doubt();
            run.call(c, what, &[op], Alone, |c, _| {
                let v = crate::rows::Values::of(key);
                let params = (v.key, v.n, v.f, v.t.as_deref(), v.b.as_deref());
                c.execute("call commits($1, $2, $3, $4, $5)", params).map(|_| Ended::Complete)
            });
        }
        Odd::Notify if run.notifies || run.server.open().is_some() => {}
        Odd::Notify => {
            let payload = "p".repeat(key as usize % 60);
            let wait = |c: &mut Connection, faults: &mut Vec<String>| {
                match c.wait_notification(2_000)? {
                    Some(told) if told.payload == payload => {}
                    told => faults.push(format!("{told:?}")),
                }
                Ok(Ended::Complete)
            };
            let listened = run.call(c, what, &[Op::Select(0)], Batch, |c, _| {
                let sql = format!("unlisten *; listen c{key}; notify c{key}, '{payload}'");
                c.batch_execute(&sql).map(complete)
            });
            if listened {
                let rows = "select generate_series(1, 50)";
                let first = |c: &mut Connection| c.query(rows, ())?.next().map(|_| Ended::Dropped);
                run.call(c, "rows".into(), &[Op::Select(0)], Alone, |c, _| first(c));
                run.call(c, "wait".into(), &[], Alone, wait);
            }
        }
        Odd::Deadline => {
            run.cut = true;
            run.call(c, what, &[Op::Insert(key)], Alone, |c, _| {
                c.set_timeout_ms(60);
                let row = row.replace("values (", "select ");
                let sql = format!("{} from pg_sleep(0.15)", row.trim_end_matches(')'));
                let result = c.execute(&*sql, ()).map(|_| Ended::Complete);
                c.set_timeout_ms(8_000);
                result
            });
        }
    }
}

/// A call that fails before anything is sent.
fn unsent(
    run: &mut Run,
    c: &mut Connection,
    what: String,
    f: impl FnOnce(&mut Connection) -> Result<()>,
) {
    run.call(c, what, &[], Together::Alone, |c, faults| match f(c) {
        Err(error) if matches!(error.kind(), ErrorKind::Encode(_)) && error.is_usable() => {
            if error.outcome() != Outcome::NotSent {
                faults.push(format!("{error}"));
            }
            Ok(Ended::Complete)
        }
        result => result.map(|()| Ended::Complete),
    });
}
