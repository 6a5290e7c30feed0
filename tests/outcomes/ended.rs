//! Transactions that the text of a statement ends: what guards and batches say of their work, held
//! against the table.

use barepg::{Connection, ErrorKind, Outcome, Result, SqlState, Streamed, UsageError};

use crate::table::Table;

/// What a text does to the transaction of a guard.
const TEXTS: &[&str] = &[
    "commit",
    "end",
    "rollback",
    "commit; begin",
    "rollback; begin",
    "commit and chain",
    "rollback and chain",
    "ABORT WORK AND CHAIN",
    "rollback/**/and\nchain; select 1",
    "savepoint s; rollback to s; rollback and chain",
    "commit; select 1/0",
    "rollback; select 1/0",
    "rollback; begin; select 1/0",
    "prepare transaction 'ended'",
    "rollback; begin; commit",
    "commit; begin; rollback",
    "abort; begin; savepoint s1",
    "select 1/0",
];

/// Texts that leave it as it is.
const HARMLESS: &[&str] = &[
    "savepoint s; rollback to s",
    "select 'and chain'",
    "create temporary table supply_chain (i int)",
    "explain select 'rollback and chain'",
    "prepare chain as select 1",
    "do $$ begin perform 'rollback and chain';end $$",
];

/// Runs a text in one of the ways that there are.
fn run(c: &mut Connection, way: u8, text: &str) {
    let _ = match way {
        0 => c.batch_execute(text),
        1 => c.simple_query(text).map(drop),
        2 => c.execute(text, ()).map(|_| ()),
        3 => c.query(text, ()).map(drop),
        4 => c.prepare(text, &[]).and_then(|statement| c.execute(&statement, ()).map(|_| ())),
        _ => c.pipeline().and_then(|mut pipeline| {
            text.split("; ").try_for_each(|sql| pipeline.execute(sql, ()))?;
            pipeline.finish().map(|_| ())
        }),
    };
}

#[test]
fn commit_is_no_success_after_text_has_ended_the_transaction() {
    let table = Table::new(15, "ended_commit");
    for text in TEXTS {
        for way in 0..=5 {
            table.empty();
            let said = table.session(|c| {
                let mut tx = c.transaction()?;
                tx.execute(&*table.insert(1), ())?;
                run(&mut tx, way, text);
                tx.commit()
            });
            assert!(table.holds(1, &said), "{text:?}, way {way}: {said:?}");
        }
    }
}

/// What became of the transaction is known from its own end, not from that of the last one that text
/// has opened in its place.
#[test]
fn what_ends_in_several_verbs_is_not_the_last_end_alone() {
    let table = Table::new(15, "ended_in_verbs");
    for texts in [
        &["commit; begin", "rollback"][..],
        &["commit and chain", "rollback"],
        &["commit and chain", "rollback and chain"],
        &["commit", "begin", "select 1", "rollback"],
        &["commit; begin", "select 1/0", "commit"],
        &["rollback; begin", "rollback"],
        &["rollback and chain", "rollback; begin"],
        &["rollback", "begin", "commit"],
    ] {
        for (way, commits) in [(0, true), (1, true), (4, true), (0, false), (1, false)] {
            table.empty();
            let said = table.session(|c| {
                let mut tx = c.transaction()?;
                tx.execute(&*table.insert(1), ())?;
                texts.iter().for_each(|text| run(&mut tx, way, text));
                if commits { tx.commit() } else { tx.rollback() }
            });
            let context = format!("{texts:?}, way {way}, {commits}: {said:?}");
            match said {
                Ok(()) => assert!(!commits && table.count(1) == 0, "{context}"),
                Err(_) => assert!(table.holds(1, &said), "{context}"),
            }
            // What was rolled back each time is known to be.
            if way != 4 && texts[0].starts_with("rollback") && texts.last() != Some(&"commit") {
                let outcome = said.map_err(|error| error.outcome());
                assert_eq!(
                    outcome,
                    if commits { Err(Outcome::Refused) } else { Ok(()) },
                    "{context}"
                );
            }
        }
    }
}

/// A transaction that is opened on the guard itself, after text has ended the guard's, makes no guard forget
/// what became of that.
#[test]
fn a_guard_on_a_guard_takes_nothing_from_the_outer_ones_fate() {
    let table = Table::new(15, "ended_nested");
    for (text, outcome) in [("commit", Outcome::Unknown), ("rollback", Outcome::Refused)] {
        for commits in [true, false] {
            table.empty();
            let said = table.session(|c| {
                let mut tx = c.transaction()?;
                tx.execute(&*table.insert(1), ())?;
                tx.batch_execute(text)?;
                tx.transaction()?.rollback()?;
                if commits { tx.commit() } else { tx.rollback() }
            });
            let context = format!("{text}, {commits}: {said:?}");
            match said {
                Ok(()) => assert!(!commits && table.count(1) == 0, "{context}"),
                Err(error) => assert_eq!(error.outcome(), outcome, "{context}"),
            }
            assert!(said.is_ok() || table.holds(1, &said), "{context}");
        }
    }
}

#[test]
fn commit_is_a_success_where_text_has_not_ended_the_transaction() {
    let table = Table::new(15, "ended_harmless");
    for text in HARMLESS {
        for way in 0..=5 {
            table.empty();
            let said = table.session(|c| {
                let mut tx = c.transaction()?;
                tx.execute(&*table.insert(1), ())?;
                if way != 5 && text.contains("; ") {
                    tx.batch_execute(text)?;
                } else {
                    run(&mut tx, way, text);
                }
                tx.commit()
            });
            assert_eq!((said, table.count(1)), (Ok(()), 1), "{text:?}, way {way}");
        }
    }
}

#[test]
fn a_savepoint_says_no_more_than_its_transaction() {
    let table = Table::new(15, "ended_savepoint");
    for text in TEXTS {
        for way in 0..=2 {
            for commits in [true, false] {
                table.empty();
                let (inner, outer) = table.session(|c| {
                    let mut tx = c.transaction().unwrap();
                    tx.execute(&*table.insert(1), ()).unwrap();
                    let mut savepoint = tx.savepoint().unwrap();
                    savepoint.execute(&*table.insert(2), ()).unwrap();
                    run(&mut savepoint, way, text);
                    let inner = if commits { savepoint.commit() } else { savepoint.rollback() };
                    (inner, tx.commit())
                });
                let context = format!("{text:?}, way {way}, {commits}: {inner:?}, {outer:?}");
                assert!(table.holds(1, &outer), "{context}");
                match inner {
                    Ok(()) if commits => assert!(table.holds(2, &outer), "{context}"),
                    Ok(()) => assert_eq!(table.count(2), 0, "{context}"),
                    Err(_) => assert!(table.holds(2, &inner), "{context}"),
                }
            }
        }
    }
}

/// A portal runs its statement when rows are fetched, not when it is opened.
#[test]
fn a_portal_may_end_the_transaction() {
    let table = Table::new(15, "ended_portal");
    for text in TEXTS.iter().filter(|text| !text.contains("; ")) {
        table.empty();
        let said = table.session(|c| {
            let mut tx = c.transaction()?;
            tx.execute(&*table.insert(1), ())?;
            let fetched = tx.portal(*text, ()).and_then(|portal| tx.fetch(&portal, 0)?.finish());
            let _ = fetched;
            tx.commit()
        });
        assert!(table.holds(1, &said), "{text:?}: {said:?}");
    }
}

/// A guard that is dropped takes nothing back in a transaction that is not its own.
#[test]
fn a_dropped_savepoint_fails_no_other_transaction() {
    let table = Table::new(15, "ended_dropped");
    for text in ["commit; begin", "rollback; begin", "commit and chain", "rollback and chain"] {
        table.empty();
        table.session(|c| {
            let mut tx = c.transaction().unwrap();
            let mut savepoint = tx.savepoint().unwrap();
            savepoint.batch_execute(text).unwrap();
            drop(savepoint);
            assert!(tx.ping().is_ok(), "{text}");
            assert!(tx.commit().is_err(), "{text}");
            // Also where the answer of that text is still to be read.
            c.ping().unwrap();
            let mut tx = c.transaction().unwrap();
            let mut savepoint = tx.savepoint().unwrap();
            drop(savepoint.simple_query(text).unwrap());
            drop(savepoint);
            tx.ping().unwrap_or_else(|error| panic!("{text}, dropped: {error:?}"));
            let rolled_back = text.starts_with("rollback");
            assert_eq!(tx.rollback().is_ok(), rolled_back, "{text}, dropped");
        });
    }
}

/// Names that a statement's text gives its own savepoints are not those of the guards.
#[test]
fn savepoints_of_the_text_are_not_those_of_the_guards() {
    let table = Table::new(15, "ended_names");
    for name in ["s", "s1", "s2", "sp1", "a", "\"s1\"", "barepg1"] {
        for text in ["savepoint {}", "savepoint {}; savepoint {}", "savepoint {}; release {}"] {
            table.empty();
            table.session(|c| {
                let mut tx = c.transaction().unwrap();
                let mut savepoint = tx.savepoint().unwrap();
                savepoint.execute(&*table.insert(1), ()).unwrap();
                savepoint.batch_execute(&text.replace("{}", name)).unwrap();
                savepoint.execute(&*table.insert(1), ()).unwrap();
                savepoint.rollback().unwrap();
                tx.execute(&*table.insert(2), ()).unwrap();
                tx.commit().unwrap();
            });
            assert_eq!((table.count(1), table.count(2)), (0, 1), "{text}, {name}");
        }
    }
}

/// A transaction goes on after `rollback()` of a savepoint, also where that says that rows that were
/// dropped before had failed.
#[test]
fn a_savepoint_is_rolled_back_after_dropped_rows_that_failed() {
    let table = Table::new(15, "ended_failed_rows");
    let fails = "select 1 / (n - 900) from generate_series(1, 1000) n";
    table.session(|c| {
        let mut tx = c.transaction().unwrap();
        tx.execute(&*table.insert(1), ()).unwrap();
        for nested in [false, true] {
            let mut outer = tx.savepoint().unwrap();
            outer.execute(&*table.insert(2), ()).unwrap();
            let error = if nested {
                let mut inner = outer.savepoint().unwrap();
                drop(inner.query(fails, ()).unwrap());
                let error = inner.rollback().unwrap_err();
                assert_eq!(outer.execute(&*table.insert(3), ()), Ok(1));
                outer.rollback().unwrap();
                error
            } else {
                drop(outer.query(fails, ()).unwrap());
                outer.rollback().unwrap_err()
            };
            assert!(matches!(error.kind(), ErrorKind::EarlierStatement(_)), "{error}");
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
            assert_eq!(tx.execute(&*table.insert(4), ()), Ok(1));
        }
        tx.commit().unwrap();
    });
    let counts = [1, 2, 3, 4].map(|number| table.count(number));
    assert_eq!(counts, [1, 0, 0, 2]);
}

#[test]
fn a_batch_that_was_taken_back_may_have_committed() {
    let table = Table::new(15, "ended_batch");
    table.committing_procedure("ended_call");
    for (sql, commits) in [
        ("call ended_call($1, $2)", true),
        ("insert into ended_batch select $1 where $2 <> ''", false),
    ] {
        table.empty();
        // More than one round trip, and the last item has no encoding.
        let items = (0..300).map(|n| (7, if n == 299 { "a\0b" } else { "x" }));
        let error = table.session(|c| c.execute_many(sql, items)).unwrap_err();
        assert!(error.is_usable(), "{sql}: {error}");
        let expected = if commits { Outcome::Unknown } else { Outcome::Refused };
        assert_eq!(error.outcome(), expected, "{sql}");
        assert_eq!(table.count(7) > 0, commits, "{sql}");
    }
}

#[test]
fn a_batch_that_ends_within_a_value_may_have_committed() {
    let table = Table::new(15, "ended_stream");
    table.committing_procedure("ended_stream_call");
    for (first, commits) in [
        ("do $$ begin insert into ended_stream values (1); commit; end $$", true),
        ("call ended_stream_call(1, '')", true),
        ("insert into ended_stream values (1)", false),
    ] {
        table.empty();
        let error = table.session(|c| {
            let mut pipeline = c.pipeline().unwrap();
            pipeline.execute(first, ()).unwrap();
            // It has left before the value that ends early.
            pipeline.execute("select 1, $1::text", (&*"x".repeat(900),)).unwrap();
            let short = Streamed::text(4000, &b"too short"[..]);
            pipeline.execute("select length($1)", (short,)).unwrap_err()
        });
        table.cluster.wait_until(
            "select not exists (select from pg_stat_activity
             where state <> 'idle' and query like '%ended_stream%' and pid <> pg_backend_pid())",
        );
        let expected = if commits { Outcome::Unknown } else { Outcome::Refused };
        assert_eq!(error.outcome(), expected, "{first}");
        assert!(table.count(1) == 0 || commits, "{first}");
    }
    // The same as items.
    table.empty();
    let error = table.session(|c| {
        let sources: [&[u8]; 3] = [&[b'x'; 900], &[b'x'; 900], b"too short"];
        let items = sources.map(|source| (1, Streamed::text(900, source)));
        c.execute_many("call ended_stream_call($1, $2)", items).unwrap_err()
    });
    assert_eq!(error.outcome(), Outcome::Unknown);
}

/// Before PostgreSQL 11 and its later corrections these commit what came before them in a pipeline.
#[test]
fn what_commits_in_a_pipeline_is_known() {
    let table = Table::new(10, "ended_pipeline");
    for sql in ["analyze ended_pipeline", "discard all", "vacuum ended_pipeline"] {
        table.empty();
        let error = table.session(|c| {
            let mut pipeline = c.pipeline().unwrap();
            pipeline.execute(&*table.insert(1), ()).unwrap();
            pipeline.execute(sql, ()).unwrap();
            pipeline.execute("select 1/0", ()).unwrap();
            pipeline.finish().unwrap_err()
        });
        assert_eq!((error.outcome(), table.count(1)), (Outcome::Unknown, 1), "{sql}");
    }
}

/// A procedure that commits and then fails keeps what came before it in a pipeline.
#[test]
fn what_a_procedure_that_fails_keeps_of_a_pipeline_is_not_refused() {
    let table = Table::new(15, "ended_failing");
    table.psql(
        "create procedure ended_failing(late bool) language plpgsql as $$ begin
           if late then commit; end if;
           raise 'failed';
         end $$",
    );
    let block = "/* */ DO $$ begin commit; raise 'failed'; end $$";
    for (sql, kept, outcome) in [
        ("call ended_failing(true)", 1, Outcome::Unknown),
        (block, 1, Outcome::Unknown),
        // Nothing in the answer tells it from those.
        ("call ended_failing(false)", 0, Outcome::Unknown),
        ("drop table ended_nowhere", 0, Outcome::Refused),
    ] {
        for look in [false, true] {
            table.empty();
            let run = |c: &mut Connection, first: &str, second: &str| {
                let mut pipeline = c.pipeline().unwrap();
                pipeline.execute(first, ()).unwrap();
                pipeline.execute(second, ()).unwrap();
                pipeline.execute(&*table.insert(2), ()).unwrap();
                while look && let Some(mut rows) = pipeline.next()? {
                    while rows.next()?.is_some() {}
                }
                pipeline.finish()
            };
            let insert = table.insert(1);
            let error = table.session(|c| run(c, &insert, sql)).unwrap_err();
            let counts = (table.count(1), table.count(2));
            assert_eq!((error.outcome(), counts), (outcome, (kept, 0)), "{sql}");
            assert!(error.is_usable(), "{sql}");
            // But not what is rolled back with a transaction.
            table.empty();
            let error = table.session(|c| {
                let mut tx = c.transaction().unwrap();
                let error = run(&mut tx, &insert, sql).unwrap_err();
                tx.rollback().unwrap();
                error
            });
            assert_eq!((error.outcome(), table.count(1)), (Outcome::Refused, 0), "{sql}, open");
        }
    }
}

/// A COPY from here that no verb has asked for is made to fail, and what came before it in the text
/// or pipeline with it. That is said at once, or by the next verb.
#[test]
fn what_a_refused_copy_takes_with_it_is_said() {
    type Way = (&'static str, fn(&mut Connection, &str, &str) -> Result<()>);
    let ways: &[Way] = &[
        ("batch_execute", |c, insert, copy| c.batch_execute(&format!("{insert}; {copy}"))),
        ("simple_query", |c, insert, copy| {
            let mut rows = c.simple_query(&format!("{insert}; {copy}"))?;
            while rows.next_result()? {}
            rows.finish().map(|_| ())
        }),
        ("simple_query, dropped", |c, insert, copy| {
            c.simple_query(&format!("{insert}; {copy}")).map(drop)
        }),
        ("copy_in", |c, insert, copy| c.copy_in(&format!("{insert}; {copy}")).map(drop)),
        ("copy_out", |c, insert, copy| c.copy_out(&format!("{insert}; {copy}")).map(drop)),
        ("pipeline", |c, insert, copy| {
            let mut pipeline = c.pipeline()?;
            pipeline.execute(insert, ())?;
            pipeline.execute(copy, ())?;
            pipeline.finish().map(|_| ())
        }),
        ("pipeline, dropped", |c, insert, copy| {
            let mut pipeline = c.pipeline()?;
            pipeline.execute(insert, ())?;
            pipeline.execute(copy, ())?;
            pipeline.next().map(drop)
        }),
        ("pipeline, goes on", |c, insert, copy| {
            let mut pipeline = c.pipeline()?;
            for sql in [insert, copy, insert, copy] {
                pipeline.execute(sql, ())?;
            }
            pipeline.finish().map(|_| ())
        }),
        ("pipeline, goes on, dropped", |c, insert, copy| {
            let mut pipeline = c.pipeline()?;
            for sql in [insert, copy, insert] {
                pipeline.execute(sql, ())?;
            }
            pipeline.next().map(drop)
        }),
        ("pipeline, abandoned", |c, insert, copy| {
            let mut pipeline = c.pipeline()?;
            pipeline.execute(insert, ())?;
            pipeline.execute(copy, ())?;
            pipeline.execute("select $1", (&*"x".repeat(2000),))
        }),
        ("execute_many", |c, _, copy| c.execute_many(copy, [(); 2]).map(|_| ())),
        ("execute_many, more", |c, _, copy| c.execute_many(copy, [(); 300]).map(|_| ())),
        ("transaction", |c, insert, copy| {
            let mut tx = c.transaction()?;
            tx.execute(insert, ())?;
            tx.execute(copy, ()).map(|_| ())
        }),
        ("portal", |c, insert, copy| {
            let mut tx = c.transaction()?;
            tx.execute(insert, ())?;
            let portal = tx.portal(copy, ())?;
            drop(tx.fetch(&portal, 1)?);
            tx.commit()
        }),
    ];
    let copy = "copy ended_by_copy from stdin";
    for (major, (way, run)) in
        [10, 15, 18].into_iter().flat_map(|n| ways.iter().map(move |w| (n, w)))
    {
        let table = Table::again(major, "ended_by_copy");
        let (said, next, after) = table.session(|c| {
            let said = run(c, &table.insert(1), copy);
            // Before anything that comes too late can have arrived, and after.
            let next = c.ping();
            std::thread::sleep(std::time::Duration::from_millis(30));
            (said, next, c.ping())
        });
        let earlier = ErrorKind::EarlierStatement(SqlState::QUERY_CANCELED);
        let ended = ErrorKind::Usage(UsageError::Copy);
        let told = match said.map_err(|error| error.outcome()) {
            Err(Outcome::Refused) => true,
            Ok(()) | Err(Outcome::Local | Outcome::NotSent) => [said, next]
                .iter()
                .any(|r| r.is_err_and(|error| error.kind() == earlier || error.kind() == ended)),
            // The server was the first to end the session, for what came after the COPY (08P01).
            Err(Outcome::Unknown) => said.is_err_and(|error| !error.is_usable()),
        };
        // A connection that is said to be usable is.
        let lives =
            [said, next].iter().all(|r| r.map_or_else(|error| error.is_usable(), |()| true));
        assert!(told && lives == after.is_ok(), "{major}, {way}: {said:?}, {next:?}, {after:?}");
        assert_eq!(table.count(1), 0, "{major}, {way}");
    }
    let table = Table::again(15, "ended_by_copy");
    // What was committed before stays.
    let text = format!("{}; commit; {copy}", table.insert(1));
    let error = table.session(|c| {
        let mut rows = c.simple_query(&text).unwrap();
        while rows.next_result().is_ok_and(|more| more) {}
        rows.finish().unwrap_err()
    });
    assert_eq!((error.outcome(), table.count(1)), (Outcome::Unknown, 1));
}

/// A COPY counts its own rows, not those of the statements after it in the text.
#[test]
fn rows_of_a_copy_are_counted_alone() {
    let table = Table::new(15, "ended_count");
    for after in ["", ";;", "; analyze ended_count", "; update ended_count set i = 2", "; select 1"]
    {
        table.empty();
        table.session(|c| {
            let mut copy = c.copy_in(&format!("copy ended_count from stdin{after}")).unwrap();
            copy.send(b"1\n1\n1\n").unwrap();
            assert_eq!(copy.finish(), Ok(3), "{after}");
            let mut copy = c.copy_out(&format!("copy ended_count to stdout{after}")).unwrap();
            while copy.next().unwrap().is_some() {}
            assert_eq!(copy.rows(), 3, "{after}");
            assert_eq!(c.ping(), Ok(()), "{after}");
        });
    }
}

/// Giving up a transaction gives up what failed in it, not what failed after its text had ended it.
#[test]
fn a_dropped_guard_hides_no_failure_of_what_came_after_its_transaction() {
    let table = Table::new(15, "ended_hidden");
    let insert = table.insert(2);
    for (text, told) in [
        (format!("commit; {insert}; select 1/0"), true),
        (format!("rollback; {insert}; select 1/0"), true),
        (format!("{insert}; select 1/0"), false),
        (format!("commit; begin; {insert}; select 1/0"), false),
    ] {
        for nested in [false, true] {
            table.session(|c| {
                let mut tx = c.transaction().unwrap();
                if nested {
                    drop(tx.savepoint().unwrap().simple_query(&text).unwrap());
                } else {
                    drop(tx.simple_query(&text).unwrap());
                }
                drop(tx);
                match c.ping() {
                    Ok(()) => assert!(!told, "{text}"),
                    Err(error) => {
                        assert!(told, "{text}: {error}");
                        let failed = format!("{error}").contains("failed: server error 22012");
                        assert!(failed, "{text}: {error}");
                        assert_eq!(error.outcome(), Outcome::NotSent, "{text}");
                        assert_eq!(c.ping(), Ok(()), "{text}");
                    }
                }
                assert_eq!(c.transaction_status(), barepg::TransactionStatus::Idle, "{text}");
            });
            assert_eq!(table.count(2), 0, "{text}");
        }
    }
}
