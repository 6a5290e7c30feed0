//! Prepared statements through a pooler that keeps them itself, by text and types and not by name: what
//! is outdated on the server stays so, and who asks for a name that was given up is sent away.

use std::sync::{Mutex, MutexGuard, PoisonError};

use barepg::{Connection, Result, StaticStatement};

use crate::poolers::Pooled;
use crate::session::{link, with_session_over};
use crate::table::Table;
use crate::tracker::Tracker;

const TEXT: &str = "select * from tracked where i = $1";
static IN_FLASH: StaticStatement = StaticStatement::new(TEXT, &[barepg::types::oid::INT4]);

fn session<R>(table: &Table, f: impl FnOnce(&mut Connection) -> R) -> R {
    with_session_over(Tracker::new(link(table.cluster.port())), "test", f)
}

/// How many columns the rows of a statement have, by each way to run it.
type Way = (&'static str, fn(&mut Connection, &barepg::Sql<'_>) -> Result<usize>);

const WAYS: &[Way] = &[
    ("query_one", |c, sql| Ok(c.query_one(*sql, (1,))?.len())),
    ("query", |c, sql| {
        let mut rows = c.query(*sql, (1,))?;
        let columns = rows.next()?.unwrap().len();
        rows.finish().map(|_| columns)
    }),
    ("execute", |c, sql| {
        assert_eq!(c.execute(*sql, (1,))?, 1);
        Ok(c.query_one(*sql, (1,))?.len())
    }),
    ("in a transaction", |c, sql| {
        let mut tx = c.transaction()?;
        let columns = tx.query_one(*sql, (1,))?.len();
        tx.commit().map(|()| columns)
    }),
    ("portal", |c, sql| {
        let mut tx = c.transaction()?;
        let portal = tx.portal(*sql, (1,))?;
        let mut rows = tx.fetch(&portal, 1)?;
        let columns = rows.next()?.unwrap().len();
        rows.finish()?;
        tx.commit().map(|()| columns)
    }),
];

/// Both kinds of statements, and each way to run them.
fn on_each(table: &Table, f: impl Fn(&mut Connection, &barepg::Sql<'_>, &Way, &str)) {
    for way in WAYS {
        session(table, |c| f(c, &(&IN_FLASH).into(), way, "in flash"));
        session(table, |c| {
            let prepared = c.prepare(TEXT, &[barepg::types::oid::INT4]).unwrap();
            f(c, &(&prepared).into(), way, "prepared");
        });
        session(table, |c| {
            let prepared = c.prepare(TEXT, &[]).unwrap();
            f(c, &(&prepared).into(), way, "inferred");
        });
    }
}

/// The table that all tests here use, one after the other.
fn table() -> (Table, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let table = Table::again(15, "tracked");
    table.psql("insert into tracked values (1)");
    (table, turn)
}

#[test]
fn rows_that_have_other_columns_are_read() {
    let (table, _turn) = table();
    on_each(&table, |c, sql, (way, run), kind| {
        for columns in 1..4 {
            // Outside of a transaction at once. In one that was open it fails once, for the transaction
            // has failed then; the driver knows after that.
            let found = match run(c, sql) {
                Err(error) if error.sqlstate().is_some_and(|state| state.as_str() == "0A000") => {
                    assert!(matches!(*way, "in a transaction" | "portal"), "{way}, {kind}");
                    assert_eq!(columns, 2, "{way}, {kind}");
                    run(c, sql)
                }
                found => found,
            };
            assert_eq!(found, Ok(columns), "{way}, {kind}");
            // A statement that is prepared now.
            let prepared = c.prepare(TEXT, &[]).unwrap();
            assert_eq!(run(c, &(&prepared).into()), Ok(columns), "{way}, {kind}");
            table.psql(&format!("alter table tracked add column c{columns} int"));
        }
        table.psql("alter table tracked drop column c1, drop column c2, drop column c3");
    });
}

#[test]
fn nobody_asks_for_a_statement_that_was_given_up() {
    let (table, _turn) = table();
    type Forget = fn(&mut Connection) -> Result<()>;
    let ways: [(&str, Forget); 5] = [
        ("reset", |c| c.reset()),
        ("deallocate all", |c| c.batch_execute("deallocate all")),
        ("discard all", |c| c.execute("discard all", ()).map(|_| ())),
        ("in a text", |c| c.simple_query("select 1; Deallocate all")?.finish().map(|_| ())),
        ("in a transaction", |c| {
            let mut tx = c.transaction()?;
            tx.execute("deallocate all", ())?;
            tx.commit()
        }),
    ];
    on_each(&table, |c, sql, (way, run), kind| {
        for (name, forget) in ways {
            assert_eq!(run(c, sql), Ok(1), "{way}, {kind}");
            forget(c).unwrap();
            assert_eq!(run(c, sql), Ok(1), "{name}: {way}, {kind}");
        }
    });
    session(&table, |c| {
        let prepared = c.prepare(TEXT, &[]).unwrap();
        for _ in 0..2 {
            c.close_statement(&prepared).unwrap();
            assert_eq!(c.execute(&prepared, (1,)), Ok(1));
        }
    });
}

/// Without a pooler the same: what is in the way of one transaction is not in that of the next.
#[test]
fn a_portal_of_a_statement_that_was_outdated_opens_in_the_next_transaction() {
    let (table, _turn) = table();
    let (_, portal) = WAYS.iter().find(|(name, _)| *name == "portal").unwrap();
    for forget in ["deallocate all", "alter table tracked add column d int"] {
        table.session(|c| {
            let prepared = c.prepare(TEXT, &[]).unwrap();
            let before = portal(c, &(&prepared).into()).unwrap();
            assert_eq!(portal(c, &(&IN_FLASH).into()), Ok(before));
            match forget.strip_prefix("alter") {
                Some(_) => drop(table.psql(forget)),
                None => c.batch_execute(forget).unwrap(),
            }
            let columns = c.query_one("select * from tracked", ()).unwrap().len();
            let _ = portal(c, &(&prepared).into());
            assert_eq!(portal(c, &(&prepared).into()), Ok(columns), "{forget}");
            assert_eq!(portal(c, &(&IN_FLASH).into()), Ok(columns), "{forget}");
        });
    }
}

/// The same pooler as is installed: it sends no client away.
#[test]
fn a_pooler_that_mixes_sessions_does_the_same() {
    let pooled = Pooled::new("tracked", 1, &[]);
    pooled.cluster.psql(
        "tracked",
        "drop table if exists tracked; create table tracked (i int); insert into tracked values (1);
         grant all on tracked to public",
    );
    pooled.session(|c| {
        for (way, run) in WAYS {
            for forget in ["deallocate all", "discard all"] {
                assert_eq!(run(c, &(&IN_FLASH).into()), Ok(1), "{way}");
                c.batch_execute(forget).unwrap();
                assert_eq!(run(c, &(&IN_FLASH).into()), Ok(1), "{way} after {forget}");
            }
        }
    });
}
