//! Transactions with properties, savepoints, portals.

use barepg::{Connection, IsolationLevel, Outcome, SqlState, TransactionStatus};

use crate::common::{role, with_session};
use crate::on_each;

fn text(c: &mut Connection, sql: &str) -> String {
    c.query_one(sql, ()).unwrap().get::<&str>(0).unwrap().to_string()
}

fn count(c: &mut Connection) -> i64 {
    c.query_one("select count(*) from t", ()).unwrap().get(0).unwrap()
}

#[test]
fn transactions_have_the_properties_asked_for() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let levels = [
                (IsolationLevel::ReadUncommitted, "read uncommitted"),
                (IsolationLevel::ReadCommitted, "read committed"),
                (IsolationLevel::RepeatableRead, "repeatable read"),
                (IsolationLevel::Serializable, "serializable"),
            ];
            for (level, name) in levels {
                let mut tx = c.build_transaction().isolation_level(level).start().unwrap();
                assert_eq!(text(&mut tx, "show transaction_isolation"), name);
                assert_eq!(text(&mut tx, "show transaction_read_only"), "off");
                tx.commit().unwrap();
            }
            let builder = c.build_transaction().isolation_level(IsolationLevel::Serializable);
            let mut tx = builder.read_only(true).deferrable(true).start().unwrap();
            assert_eq!(text(&mut tx, "show transaction_read_only"), "on");
            assert_eq!(text(&mut tx, "show transaction_deferrable"), "on");
            tx.rollback().unwrap();
            let mut tx = c.build_transaction().read_only(true).start().unwrap();
            let error = tx.execute("create table public.x ()", ()).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "25006");
            assert_eq!(tx.transaction_status(), TransactionStatus::Failed);
            assert!(tx.commit().is_err());
            let tx = c.build_transaction().read_only(false).deferrable(false).start().unwrap();
            tx.commit().unwrap();
        });
    });
}

#[test]
fn savepoints_keep_and_roll_back() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int primary key)").unwrap();
            let mut tx = c.transaction().unwrap();
            let insert = "insert into t values ($1)";
            tx.execute(insert, (1,)).unwrap();
            let mut kept = tx.savepoint().unwrap();
            kept.execute(insert, (2,)).unwrap();
            kept.commit().unwrap();
            let mut back = tx.savepoint().unwrap();
            back.execute(insert, (3,)).unwrap();
            back.rollback().unwrap();
            assert_eq!(count(&mut tx), 2);
            // Dropped after a failure: the transaction goes on.
            let mut failed = tx.savepoint().unwrap();
            failed.execute(insert, (4,)).unwrap();
            assert!(failed.execute(insert, (1,)).is_err());
            assert_eq!(failed.transaction_status(), TransactionStatus::Failed);
            drop(failed);
            assert_eq!(count(&mut tx), 2);
            assert_eq!(tx.transaction_status(), TransactionStatus::InTransaction);
            // Committed after a failure: refused, and taken back.
            let mut failed = tx.savepoint().unwrap();
            assert!(failed.execute(insert, (1,)).is_err());
            let error = failed.commit().unwrap_err();
            assert_eq!(error.sqlstate(), Some(SqlState::IN_FAILED_TRANSACTION));
            assert_eq!(count(&mut tx), 2);
            // Nested: the inner kept, the outer dropped; then the other way round.
            let mut outer = tx.savepoint().unwrap();
            outer.execute(insert, (5,)).unwrap();
            let mut inner = outer.savepoint().unwrap();
            inner.execute(insert, (6,)).unwrap();
            inner.commit().unwrap();
            drop(outer);
            assert_eq!(count(&mut tx), 2);
            let mut outer = tx.savepoint().unwrap();
            outer.execute(insert, (7,)).unwrap();
            let mut inner = outer.savepoint().unwrap();
            inner.execute(insert, (8,)).unwrap();
            let mut innermost = inner.savepoint().unwrap();
            innermost.execute(insert, (9,)).unwrap();
            drop(innermost);
            drop(inner);
            assert_eq!(count(&mut outer), 3);
            outer.commit().unwrap();
            tx.commit().unwrap();
            assert_eq!(count(c), 3);
            // All of them dropped at once.
            {
                let mut tx = c.transaction().unwrap();
                tx.execute(insert, (10,)).unwrap();
                let mut outer = tx.savepoint().unwrap();
                outer.execute(insert, (11,)).unwrap();
                let mut inner = outer.savepoint().unwrap();
                inner.execute(insert, (12,)).unwrap();
            }
            assert_eq!(count(c), 3);
            assert_eq!(c.transaction_status(), TransactionStatus::Idle);
        });
    });
}

#[test]
fn portals_give_slices_with_other_statements_between() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let sql = "select n, 'row ' || n as label from generate_series(1, $1) n";
            for (all, slice) in [(0, 10), (1, 10), (10, 10), (11, 10), (1000, 7), (1000, 0)] {
                let mut tx = c.transaction().unwrap();
                let portal = tx.portal(sql, (all,)).unwrap();
                let (mut seen, mut slices) = (0, 0);
                loop {
                    let mut rows = tx.fetch(&portal, slice).unwrap();
                    slices += 1;
                    let mut here = 0;
                    while let Some(row) = rows.next().unwrap() {
                        seen += 1;
                        here += 1;
                        assert_eq!(row.get::<i32>(0), Ok(seen));
                        assert_eq!(row.get::<&str>("label").unwrap(), format!("row {seen}"));
                    }
                    assert!(slice == 0 || here <= slice);
                    assert!(rows.next().unwrap().is_none());
                    let more = rows.is_suspended();
                    let other = tx.query_one("select $1 + 1", (slices,)).unwrap();
                    assert_eq!(other.get::<i32>(0), Ok(slices + 1));
                    if !more {
                        break;
                    }
                }
                assert_eq!(seen, all);
                tx.close_portal(&portal).unwrap();
                tx.commit().unwrap();
            }
        });
    });
}

#[test]
fn portals_two_at_once_dropped_slices_and_errors() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let mut tx = c.transaction().unwrap();
            let a = tx.portal("select generate_series(1, 100)", ()).unwrap();
            let b = tx.portal("select 'x'::text, generate_series(1, 100)", ()).unwrap();
            // 512 bytes without the reserve and the names; 15 bytes a row, and 51 with a text.
            assert_eq!((a.fitting(), b.fitting()), (30, 8));
            for turn in 0..10 {
                let mut rows = tx.fetch(&a, 10).unwrap();
                assert_eq!(rows.next().unwrap().unwrap().get::<i32>(0), Ok(turn * 10 + 1));
                // The other nine are read over.
                let mut rows = tx.fetch(&b, 1).unwrap();
                assert_eq!(rows.next().unwrap().unwrap().get::<i32>(1), Ok(turn + 1));
            }
            tx.close_portal(&a).unwrap();
            let error = tx.fetch(&a, 1).map(|_| ()).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "34000");
            assert_eq!(tx.transaction_status(), TransactionStatus::Failed);
            tx.rollback().unwrap();

            for at in 1..30 {
                let mut tx = c.transaction().unwrap();
                let portal =
                    tx.portal("select 1 / (n - $1) from generate_series(1, 50) n", (at,)).unwrap();
                let mut seen = 0;
                let error = 'slices: loop {
                    let mut rows = tx.fetch(&portal, 4).unwrap();
                    loop {
                        match rows.next() {
                            Ok(Some(_)) => seen += 1,
                            Ok(None) => break,
                            Err(error) => break 'slices error,
                        }
                    }
                    assert!(rows.is_suspended());
                };
                assert_eq!(seen, at - 1);
                assert_eq!(error.sqlstate().unwrap().as_str(), "22012");
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
            }
            assert_eq!(c.transaction_status(), TransactionStatus::Failed);
            // Prepared, without rows, of another session.
            let statement = c.prepare("select $1::int", &[]).unwrap();
            let mut tx = c.transaction().unwrap();
            let portal = tx.portal(&statement, (7,)).unwrap();
            let mut rows = tx.fetch(&portal, 2).unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get::<i32>(0), Ok(7));
            assert!(rows.next().unwrap().is_none() && !rows.is_suspended());
            let portal = tx.portal("create temp table nothing ()", ()).unwrap();
            assert_eq!(tx.fetch(&portal, 2).unwrap().finish(), Ok(0));
            tx.commit().unwrap();
            c.reset().unwrap();
            let mut tx = c.transaction().unwrap();
            // None of them has its name.
            for _ in 0..50 {
                tx.portal("select 8", ()).unwrap();
            }
            let error = tx.fetch(&portal, 2).map(|_| ()).unwrap_err();
            // It ended with its transaction.
            assert_eq!(error.sqlstate().unwrap().as_str(), "34000");
        });
    });
}
