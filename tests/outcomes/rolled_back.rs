//! COMMIT as a text of the program's own, where the transaction has failed: the server answers
//! ROLLBACK, and reports no error.

use barepg::{Connection, ErrorKind, Outcome, Result, TransactionStatus, UsageError};

use crate::table::Table;

type Way = (&'static str, fn(&mut Connection, &str) -> Result<()>);

const WAYS: &[Way] = &[
    ("execute", |c, end| c.execute(end, ()).map(|_| ())),
    ("batch_execute", |c, end| c.batch_execute(end)),
    ("query, read", |c, end| c.query(end, ())?.next().map(drop)),
    ("query, finished", |c, end| c.query(end, ())?.finish().map(|_| ())),
    ("rows of a text", |c, end| {
        let mut rows = c.simple_query(end)?;
        while rows.next_result()? {}
        Ok(())
    }),
    ("query_opt", |c, end| c.query_opt(end, ()).map(drop)),
    ("many", |c, end| c.execute_many(end, [(); 1]).map(|_| ())),
];

/// A transaction in which a row was inserted and another statement failed.
fn failed(c: &mut Connection, insert: &str) {
    c.batch_execute("begin").unwrap();
    c.execute(insert, ()).unwrap();
    c.execute("select 1 / 0", ()).unwrap_err();
    assert_eq!(c.transaction_status(), TransactionStatus::Failed);
}

#[test]
fn a_commit_that_was_answered_with_rollback_is_no_success() {
    let table = Table::again(15, "rolled_back");
    let ends = [
        ("commit", TransactionStatus::Idle),
        (" COMMIT work", TransactionStatus::Idle),
        ("end", TransactionStatus::Idle),
        ("\nEnd transaction", TransactionStatus::Idle),
        ("prepare transaction 'x'", TransactionStatus::Idle),
        ("commit and chain", TransactionStatus::InTransaction),
        ("END AND\nCHAIN", TransactionStatus::InTransaction),
        ("/* device 17 */ commit", TransactionStatus::Idle),
        ("-- rollback?\r\t--\n/* a /* of a */ */end", TransactionStatus::Idle),
    ];
    for (number, (way, run)) in (1..).zip(WAYS) {
        for (end, status) in ends {
            table.session(|c| {
                failed(c, &table.insert(number));
                let said = run(c, end);
                let told = said.map_err(|e| (e.kind(), e.outcome(), e.is_usable()));
                let expected = (ErrorKind::Usage(UsageError::RolledBack), Outcome::Refused, true);
                assert_eq!(told, Err(expected), "{way}: {end}");
                assert_eq!(c.transaction_status(), status, "{way}: {end}");
                // Said once.
                c.ping().unwrap();
            });
            assert_eq!(table.count(number), 0, "{way}: {end}");
        }
    }
}

/// The next call says it of a text that was dropped, with what had failed.
#[test]
fn a_commit_that_was_dropped_unread_is_no_success() {
    let table = Table::again(15, "rolled_back_dropped");
    let ways: &[Way] = &[
        ("query", |c, end| c.query(end, ()).map(drop)),
        ("simple_query", |c, end| c.simple_query(end).map(drop)),
        ("a text of several", |c, end| c.simple_query(&format!("{end}; select 1")).map(drop)),
    ];
    for (number, (way, run)) in (1..).zip(ways) {
        table.session(|c| {
            failed(c, &table.insert(number));
            run(c, "commit").unwrap();
            let error = c.ping().unwrap_err();
            let ErrorKind::EarlierStatement(state) = error.kind() else {
                panic!("{way}: {error:?}");
            };
            let told = (state.as_str(), error.outcome(), error.is_usable());
            assert_eq!(told, ("22012", Outcome::NotSent, true), "{way}");
            c.ping().unwrap();
        });
        assert_eq!(table.count(number), 0, "{way}");
    }
}

/// What comes after such a COMMIT is committed by itself, so the outcome of all of it is open.
#[test]
fn of_a_commit_among_others_the_outcome_is_open() {
    let table = Table::again(15, "rolled_back_more");
    let ways: &[Way] = &[
        ("text", |c, insert| c.batch_execute(&format!("commit; {insert}"))),
        ("rows", |c, insert| c.simple_query(&format!("end; {insert}"))?.finish().map(|_| ())),
        ("pipeline", |c, insert| pipeline(c, &["commit", insert])),
        ("a commit of its own", |c, insert| {
            c.batch_execute(&format!("/**/ commit; begin; {insert}; end"))
        }),
        ("in a pipeline", |c, insert| pipeline(c, &["end", "begin", insert, "commit"])),
        ("a chain", |c, insert| c.batch_execute(&format!("end and chain; {insert}; commit"))),
    ];
    for (number, (way, run)) in (1..).zip(ways) {
        let before = 100 + number;
        table.session(|c| {
            failed(c, &table.insert(before));
            let told = run(c, &table.insert(number)).map_err(|e| (e.kind(), e.outcome()));
            let expected = (ErrorKind::Usage(UsageError::RolledBack), Outcome::Unknown);
            assert_eq!(told, Err(expected), "{way}");
            c.ping().unwrap();
        });
        assert_eq!([before, number].map(|number| table.count(number)), [0, 1], "{way}");
    }
}

fn pipeline(c: &mut Connection, statements: &[&str]) -> Result<()> {
    let mut pipeline = c.pipeline()?;
    for statement in statements {
        pipeline.execute(*statement, ())?;
    }
    pipeline.finish().map(|_| ())
}

/// Nor is it where the text goes on with another transaction, whatever becomes of that one.
#[test]
fn a_transaction_that_follows_in_the_text_hides_no_such_commit() {
    let table = Table::again(15, "rolled_back_hidden");
    let ways: &[Way] = &[
        ("text", |c, text| c.batch_execute(text)),
        ("rows", |c, text| c.simple_query(text)?.finish().map(|_| ())),
        ("pipeline", |c, text| pipeline(c, &text.split("; ").collect::<Vec<_>>())),
    ];
    for (number, (way, run)) in (1..).zip(ways) {
        for (then, status) in [
            ("begin", TransactionStatus::InTransaction),
            ("begin; select 1; commit", TransactionStatus::Idle),
            ("begin; rollback", TransactionStatus::Idle),
        ] {
            table.session(|c| {
                failed(c, &table.insert(number));
                let told = run(c, &format!("commit; {then}"));
                let told = told.map_err(|e| (e.kind(), e.outcome(), e.is_usable()));
                let expected = (ErrorKind::Usage(UsageError::RolledBack), Outcome::Unknown, true);
                assert_eq!(told, Err(expected), "{way}: {then}");
                assert_eq!(c.transaction_status(), status, "{way}: {then}");
                c.ping().unwrap();
            });
            assert_eq!(table.count(number), 0, "{way}: {then}");
        }
    }
}

/// The error is what the user wants to see, and the connection goes on.
#[test]
fn an_error_after_such_a_commit_is_the_one_reported() {
    let table = Table::again(15, "rolled_back_error");
    let ways: &[Way] = &[
        ("text", |c, insert| c.batch_execute(&format!("commit; {insert}; select 1 / 0"))),
        ("rows", |c, insert| {
            let mut rows = c.simple_query(&format!("commit; {insert}; select 1 / 0"))?;
            while rows.next_result()? {}
            Ok(())
        }),
        ("pipeline", |c, insert| pipeline(c, &["commit", insert, "select 1 / 0"])),
    ];
    for (number, (way, run)) in (1..).zip(ways) {
        table.session(|c| {
            failed(c, &table.insert(number));
            let error = run(c, &table.insert(100 + number)).unwrap_err();
            let told = (error.sqlstate().map(|s| s.as_str().to_owned()), error.is_usable());
            assert_eq!(told, (Some("22012".to_owned()), true), "{way}: {error:?}");
            assert_eq!(error.outcome(), Outcome::Refused, "{way}");
            c.ping().unwrap();
        });
        assert_eq!([number, 100 + number].map(|number| table.count(number)), [0, 0], "{way}");
    }
}

/// A pipeline that begins with ROLLBACK has no COMMIT of the transaction that had failed.
#[test]
fn a_pipeline_that_rolls_back_first_is_a_success() {
    let table = Table::again(15, "rolled_back_first");
    table.session(|c| {
        for then in ["explain select 1", "prepare p as select 1", "close all", "execute p"] {
            failed(c, &table.insert(1));
            pipeline(c, &["rollback", then]).unwrap_or_else(|error| panic!("{then}: {error:?}"));
            c.ping().unwrap();
        }
    });
}

/// The rollback of a guard that was dropped is none of the text's before it.
#[test]
fn a_guard_is_rolled_back_after_whatever_failed() {
    let table = Table::again(15, "rolled_back_guard");
    table.session(|c| {
        for text in ["create table rolled_back_guard ()", "call none()", "execute none", "close x"]
        {
            let mut tx = c.transaction().unwrap();
            tx.execute(text, ()).unwrap_err();
            drop(tx);
            c.ping().unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let mut tx = c.transaction().unwrap();
            tx.execute(text, ()).unwrap_err();
            tx.rollback().unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let mut tx = c.transaction().unwrap();
            let mut savepoint = tx.savepoint().unwrap();
            savepoint.execute(text, ()).unwrap_err();
            savepoint.rollback().unwrap();
            tx.commit().unwrap();
            c.batch_execute(&format!("begin; {text}")).unwrap_err();
            c.reset().unwrap_or_else(|error| panic!("{text}: {error:?}"));
        }
    });
}

/// What was asked for.
#[test]
fn a_rollback_of_a_failed_transaction_is_a_success() {
    let table = Table::again(15, "rolled_back_asked");
    for (number, (way, run)) in (1..).zip(WAYS) {
        for end in [
            "rollback",
            " ROLLBACK",
            "abort",
            "Abort work",
            "/* */ rollback",
            "--commit\nabort",
            "/*end*/rollback",
        ] {
            table.session(|c| {
                failed(c, &table.insert(number));
                run(c, end).unwrap_or_else(|error| panic!("{way}: {end}: {error:?}"));
                c.ping().unwrap();
            });
        }
    }
    // A savepoint's too, and what is committed then is there.
    table.session(|c| {
        c.batch_execute("begin; savepoint s").unwrap();
        c.execute("select 1 / 0", ()).unwrap_err();
        c.execute("rollback to s", ()).unwrap();
        c.execute(&*table.insert(50), ()).unwrap();
        c.execute("commit", ()).unwrap();
        c.batch_execute("begin; savepoint s").unwrap();
        c.execute("select 1 / 0", ()).unwrap_err();
        pipeline(c, &["rollback to s", &table.insert(53), "commit"]).unwrap();
        // One that commits after the other was given up.
        failed(c, &table.insert(51));
        c.batch_execute(&format!("rollback; begin; {}; commit", table.insert(52))).unwrap();
    });
    assert_eq!([50, 51, 52, 53].map(|number| table.count(number)), [1, 0, 1, 1]);
}
