//! Transactions that statements of the program's own begin, by every verb: none of them is taken for one
//! that a pooler has opened.

use barepg::{Connection, Result, TransactionStatus};

use crate::table::Table;

type Way = (&'static str, fn(&mut Connection) -> Result<()>);

#[test]
fn a_transaction_that_text_begins_is_its_own_however_its_answer_is_read() {
    let ways: &[Way] = &[
        ("execute", |c| c.execute("begin", ()).map(|_| ())),
        ("start transaction", |c| c.execute("start transaction read write", ()).map(|_| ())),
        ("batch_execute", |c| c.batch_execute("begin")),
        ("text, more", |c| c.batch_execute("select 1; begin; select 2")),
        ("text, again", |c| c.batch_execute("commit; begin")),
        ("text, chained", |c| c.batch_execute("begin; commit and chain")),
        ("text, rolled back and chained", |c| c.batch_execute("begin; rollback and chain")),
        ("text, savepoint", |c| c.batch_execute("begin; savepoint a; rollback to a")),
        ("rows dropped", |c| c.simple_query("select 1; begin").map(drop)),
        ("rows dropped, begin first", |c| c.simple_query("begin; select 1").map(drop)),
        ("a row read", |c| {
            let mut rows = c.simple_query("begin; select generate_series(1, 9)")?;
            rows.next_result()?;
            rows.next().map(drop)
        }),
        ("rows to their end", |c| {
            let mut rows = c.simple_query("begin; select 1; select 2")?;
            while rows.next_result()? {
                while rows.next()?.is_some() {}
            }
            Ok(())
        }),
        ("rows finished", |c| c.simple_query("begin; select 1")?.finish().map(|_| ())),
        ("query, dropped", |c| c.query("begin", ()).map(drop)),
        ("query, read", |c| c.query("begin", ())?.next().map(drop)),
        ("prepared", |c| {
            let begin = c.prepare("begin", &[])?;
            c.execute(&begin, ()).map(|_| ())
        }),
        ("pipeline", |c| {
            let mut pipeline = c.pipeline()?;
            pipeline.execute("begin", ())?;
            pipeline.execute("select 1", ())?;
            pipeline.finish().map(|_| ())
        }),
        ("pipeline, its first answer read", |c| {
            let mut pipeline = c.pipeline()?;
            pipeline.execute("begin", ())?;
            pipeline.execute("select 1", ())?;
            pipeline.next().map(drop)
        }),
        ("copied after it", |c| {
            let mut copy = c.copy_in("begin; copy begun from stdin")?;
            copy.send(b"1\n")?;
            copy.finish().map(|_| ())
        }),
        ("copied before it", |c| {
            let mut copy = c.copy_in("copy begun from stdin; begin")?;
            copy.send(b"1\n")?;
            copy.finish().map(|_| ())
        }),
        ("copied from, dropped", |c| c.copy_out("begin; copy begun to stdout").map(drop)),
        ("copied from, begun later, dropped", |c| {
            c.copy_out("copy begun to stdout; begin").map(drop)
        }),
        ("copied to, dropped", |c| c.copy_in("begin; copy begun from stdin").map(drop)),
    ];
    // AND CHAIN is of PostgreSQL 12.
    for major in [15, 18] {
        let table = Table::again(major, "begun");
        for (way, begin) in ways {
            let (said, ping, status) = table.session(|c| {
                let said = begin(c);
                // What is owed is read by the next verb.
                (said, c.ping(), c.transaction_status())
            });
            let open =
                matches!(status, TransactionStatus::InTransaction | TransactionStatus::Failed);
            let usable = |r: &Result<()>| r.is_ok_and(|()| true) || r.is_err_and(|e| e.is_usable());
            assert!(
                usable(&said) && usable(&ping) && open,
                "{major}, {way}: {said:?}, {ping:?}, {status:?}"
            );
        }
    }
}

/// The command before a COPY that `copy_in` and `copy_out` do not take counts as every other does.
#[test]
fn what_comes_before_a_copy_is_counted() {
    let table = Table::again(15, "begun_before");
    for (number, text) in [
        (1, "commit; copy begun_before from stdin"),
        (2, "commit; copy begun_before to stdout"),
        (3, "rollback; copy begun_before from stdin"),
    ] {
        let said = table.session(|c| {
            let mut tx = c.transaction()?;
            tx.execute(&*table.insert(number), ())?;
            let copied = if text.ends_with("stdin") {
                tx.copy_in(text).map(drop)
            } else {
                tx.copy_out(text).map(drop)
            };
            assert!(copied.is_err_and(|error| error.is_usable()), "{text}");
            tx.commit()
        });
        assert!(table.holds(number, &said), "{text}: {said:?}");
    }
}
