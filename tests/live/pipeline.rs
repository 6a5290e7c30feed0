//! Pipelines, statements in flash, the reset of a session.

use barepg::types::oid;
use barepg::{
    Client, Connection, ErrorKind, Outcome, Remedy, SqlState, StaticStatement, StaticStatements,
    Storage, TransactionStatus, UsageError, limits,
};

use crate::common::{Host, role, tcp, with_session};
use crate::on_each;

fn count(c: &mut Connection) -> i64 {
    c.query_one("select count(*) from t", ()).unwrap().get(0).unwrap()
}

#[test]
fn different_statements_in_one_round_trip() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int primary key, name text)").unwrap();
            let prepared = c.prepare("select name from t where id = $1", &[oid::INT4]).unwrap();
            let before = c.stats();
            let mut pipeline = c.pipeline().unwrap();
            pipeline.execute("insert into t values ($1, $2), (2, 'two')", (1, "one")).unwrap();
            pipeline.execute(&prepared, (2,)).unwrap();
            pipeline.execute("select id, name from t order by id", ()).unwrap();
            pipeline.execute("", ()).unwrap();
            pipeline.execute("update t set name = name || '!'", ()).unwrap();
            let mut rows = pipeline.next().unwrap().unwrap();
            assert!(rows.next().unwrap().is_none());
            assert_eq!(rows.finish(), Ok(2));
            let mut rows = pipeline.next().unwrap().unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get::<&str>(0), Ok("two"));
            // What is left of it is read over.
            let mut rows = pipeline.next().unwrap().unwrap();
            let row = rows.next().unwrap().unwrap();
            assert_eq!(row.get::<i32>("id"), Ok(1));
            assert!(pipeline.next().unwrap().unwrap().next().unwrap().is_none());
            assert_eq!(pipeline.next().unwrap().unwrap().finish(), Ok(2));
            assert!(pipeline.next().unwrap().is_none());
            assert!(pipeline.next().unwrap().is_none());
            let error = pipeline.execute("select 1", ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::PipelineFull));

            let after = c.stats();
            assert_eq!(after.round_trips - before.round_trips, 1);
            assert_eq!(c.batch_done(), 5);
            // Finished without looking.
            let mut pipeline = c.pipeline().unwrap();
            for id in 100..200 {
                pipeline.execute("insert into t values ($1, 'many')", (id,)).unwrap();
            }
            assert_eq!(pipeline.finish(), Ok(100));
            assert_eq!(c.pipeline().unwrap().finish(), Ok(0));
            assert_eq!(count(c), 102);
            // Full.
            let mut pipeline = c.pipeline().unwrap();
            for _ in 0..limits::PIPELINE_WINDOW {
                pipeline.execute("select 1", ()).unwrap();
            }
            let error = pipeline.execute("select 1", ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::PipelineFull));
            assert_eq!(pipeline.finish(), Ok(u64::from(limits::PIPELINE_WINDOW)));
        });
    });
}

#[test]
fn the_statement_that_was_refused_is_blamed() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int primary key)").unwrap();
            // At the parser, at the parameters, at the execution, among the rows.
            let bad = [
                ("insert nowhere", "42601"),
                ("insert into t values ('x'::text::int)", "22P02"),
                ("insert into t values (0)", "23505"),
                ("select 1 / (n - 5) from generate_series(1, 9) n", "22012"),
            ];
            c.execute("insert into t values (0)", ()).unwrap();
            for (sql, state) in bad {
                for at in 0..20 {
                    for look in [true, false] {
                        let mut pipeline = c.pipeline().unwrap();
                        for n in 1..=20 {
                            if n - 1 == at {
                                pipeline.execute(sql, ()).unwrap();
                            } else {
                                pipeline.execute("insert into t values ($1)", (n,)).unwrap();
                            }
                        }
                        let error = if look {
                            loop {
                                let rows = match pipeline.next() {
                                    Ok(rows) => rows.expect("a statement is refused"),
                                    Err(error) => break error,
                                };
                                if let Err(error) = rows.finish() {
                                    break error;
                                }
                            }
                        } else {
                            pipeline.finish().unwrap_err()
                        };
                        assert_eq!(error.sqlstate().unwrap().as_str(), state);
                        assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
                        assert_eq!(c.batch_done(), at as u32, "{sql}");
                        assert_eq!(c.transaction_status(), TransactionStatus::Idle);
                        assert_eq!(count(c), 1);
                    }
                }
            }
            // The commit itself: all statements succeeded.
            c.batch_execute(
                "create temp table d (id int references t deferrable initially deferred)",
            )
            .unwrap();
            let mut pipeline = c.pipeline().unwrap();
            pipeline.execute("insert into d values (77)", ()).unwrap();
            pipeline.execute("insert into t values (5)", ()).unwrap();
            let error = pipeline.finish().unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "23503");
            assert_eq!((c.batch_done(), count(c)), (2, 1));
        });
    });
}

#[test]
fn statements_left_out_and_pipelines_abandoned() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int, name text)").unwrap();
            let prepared = c.prepare("insert into t values ($1)", &[oid::INT4]).unwrap();
            let long = "x".repeat(3000);
            for name in ["short", &long] {
                let mut pipeline = c.pipeline().unwrap();
                pipeline.execute("insert into t values (1, $1)", (name,)).unwrap();
                let error = pipeline.execute("insert into t values (2, $1)", ("nul\0",));
                let error = error.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Encode(_)), "{error}");
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
                let error = pipeline.execute(&prepared, ("text",)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterType));
                pipeline.execute(&prepared, (3,)).unwrap();
                assert_eq!(pipeline.finish(), Ok(2));
                assert_eq!(count(c), 2);
                c.execute("delete from t", ()).unwrap();
                // Abandoned, sent in part or not at all.
                for statements in 0..3 {
                    let mut pipeline = c.pipeline().unwrap();
                    for _ in 0..statements {
                        pipeline.execute("insert into t values (1, $1)", (name,)).unwrap();
                    }

                    assert_eq!(count(c), 0);
                    assert!(c.server_error().is_none());
                    // Nothing is owed to the server any more.
                    assert!(c.execute("select 1 / 0", ()).is_err());
                    assert_eq!(c.query_one("select 5", ()).unwrap().get::<i32>(0), Ok(5));
                }
                // Its results not looked at: done all the same.
                let mut pipeline = c.pipeline().unwrap();
                pipeline.execute("insert into t values (1, $1)", (name,)).unwrap();
                pipeline.execute("select generate_series(1, 100)", ()).unwrap();
                pipeline.next().unwrap();

                assert_eq!(count(c), 1);
                c.execute("delete from t", ()).unwrap();
                // Within a transaction the abandoned pipeline fails it.
                let mut transaction = c.transaction().unwrap();
                let mut pipeline = transaction.pipeline().unwrap();
                for _ in 0..200 / name.len() + 2 {
                    pipeline.execute("insert into t values (1, $1)", (name,)).unwrap();
                }

                if name.len() > 512 {
                    let error = transaction.execute("select 1", ()).unwrap_err();
                    assert_eq!(error.sqlstate(), Some(SqlState::IN_FAILED_TRANSACTION));
                }
                drop(transaction);
                assert_eq!(count(c), 0);
            }
        });
    });
}

static INSERT: StaticStatement =
    StaticStatement::new("insert into t values ($1, $2)", &[oid::INT4, oid::TEXT]);
static COUNT: StaticStatement = StaticStatement::new("select count(*) from t", &[]);
static MANY: [StaticStatement; 12] =
    [const { StaticStatement::new("select $1 + 1", &[oid::INT4]) }; 12];

#[test]
fn statements_in_flash_are_prepared_once_per_session() {
    on_each(|cluster| {
        let mut known = StaticStatements::new();
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        client.set_static_statements(&mut known);
        for _ in 0..2 {
            let mut connection = client.connect(tcp(cluster.port())).unwrap();
            {
                let c = &mut connection;
                c.batch_execute("create temp table t (id int primary key, name text)").unwrap();
                let trips = |c: &Connection| c.stats().round_trips;
                let start = trips(c);
                for id in 0..10 {
                    assert_eq!(c.execute(&INSERT, (id, "x")), Ok(1));
                }
                assert_eq!(trips(c) - start, 10);
                let items = (10..50).map(|id| (id, "y"));
                assert_eq!(c.execute_many(&INSERT, items), Ok(40));
                assert_eq!(trips(c) - start, 11);
                assert_eq!(c.query_one(&COUNT, ()).unwrap().get::<i64>(0), Ok(50));
                assert_eq!(c.query_one(&COUNT, ()).unwrap().get::<i64>(0), Ok(50));
                assert_eq!(trips(c) - start, 13);
                let error = c.execute(&INSERT, (7_i64, "x")).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterType));
                // Not sent, so no reading is given up for it.
                let error = c.execute(&INSERT, (7,)).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount));
                assert_eq!((error.outcome(), error.remedy()), (Outcome::NotSent, Remedy::Operator));
                let error = c.execute_many(&INSERT, [(7,), (8,)]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount));
                // More than are remembered: parsed each time.
                for _ in 0..2 {
                    for (n, statement) in (0..).zip(&MANY) {
                        assert_eq!(c.query_one(statement, (n,)).unwrap().get(0), Ok(n + 1));
                    }
                }
                let mut pipeline = c.pipeline().unwrap();
                pipeline.execute(&INSERT, (60, "x")).unwrap();
                pipeline.execute(&MANY[0], (1,)).unwrap();
                pipeline.execute(&MANY[11], (1,)).unwrap();
                assert_eq!(pipeline.finish(), Ok(3));
                // Refused when it is prepared, and again when it is tried again.
                c.batch_execute("drop table t").unwrap();
                c.reset().unwrap();
                for _ in 0..2 {
                    let error = c.query_one(&COUNT, ()).map(|_| ()).unwrap_err();
                    assert_eq!(error.sqlstate().unwrap().as_str(), "42P01");
                }
                c.batch_execute("create temp table t (id int)").unwrap();
                assert_eq!(c.query_one(&COUNT, ()).unwrap().get::<i64>(0), Ok(0));
            }
            connection.close().unwrap();
        }
    });
}

/// Without a place to remember them statements in flash are parsed each time.
#[test]
fn statements_in_flash_need_no_memory() {
    let cluster = &crate::usual();
    with_session(cluster.port(), role("scram_user"), |c| {
        c.batch_execute("create temp table t (id int primary key, name text)").unwrap();
        let before = c.stats().round_trips;
        for id in 0..3 {
            assert_eq!(c.execute(&INSERT, (id, "x")), Ok(1));
        }
        assert_eq!(c.query_one(&COUNT, ()).unwrap().get::<i64>(0), Ok(3));
        assert_eq!(c.stats().round_trips - before, 4);
    });
}

#[test]
fn a_reset_session_is_as_after_the_login() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let before = c.query_one("show timezone", ()).unwrap();
            let before = before.get::<&str>(0).unwrap().to_string();
            let statement = c.prepare("select 1", &[]).unwrap();
            c.batch_execute(
                "set timezone to 'Asia/Tokyo'; create temp table t (id int); listen reset;
                begin; select 1",
            )
            .unwrap();
            assert_eq!(c.transaction_status(), TransactionStatus::InTransaction);
            c.reset().unwrap();
            assert_eq!(c.transaction_status(), TransactionStatus::Idle);
            let after = c.query_one("show timezone", ()).unwrap();
            assert_eq!(after.get::<&str>(0).unwrap(), before);
            assert!(c.execute("select * from t", ()).is_err());
            // Prepared anew.
            assert_eq!(c.execute(&statement, ()), Ok(1));
            let row = c.query_one("select count(*) from pg_listening_channels()", ()).unwrap();
            assert_eq!(row.get::<i64>(0), Ok(0));
        });
    });
}

/// A statement whose types are known takes no fewer values than types: the server would say 08P01, which looks like
/// the row's fault.
#[test]
fn too_few_values_are_not_sent() {
    static SUM: StaticStatement = StaticStatement::new("select $1 + $2 + $3", &[oid::INT4; 3]);
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let terms: Vec<String> = (1..=17).map(|n| format!("${n}")).collect();
            let sql = format!("select {}", terms.join(" + "));
            // More than a statement remembers the types of.
            let long = c.prepare(&sql, &[oid::INT4; 17]).unwrap();
            let sixteen = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
            let mut transaction = c.transaction().unwrap();
            let portal = transaction.portal(&SUM, (1, 2)).map(|_| 0);
            transaction.rollback().unwrap();
            let mut pipeline = c.pipeline().unwrap();
            let piped = [pipeline.execute(&SUM, (1, 2)), pipeline.execute(&long, sixteen)];
            assert_eq!(pipeline.finish(), Ok(0));
            let [first, second] = piped.map(|result| result.map(|()| 0));
            for (way, result) in [
                ("flash", c.execute(&SUM, (1, 2))),
                ("none", c.execute(&SUM, ())),
                ("prepared", c.execute(&long, sixteen)),
                ("many in flash", c.execute_many(&SUM, [(1, 2)])),
                ("many prepared", c.execute_many(&long, [sixteen])),
                ("portal", portal),
                ("piped", first),
                ("piped, prepared", second),
            ] {
                let error = result.expect_err(way);
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount), "{way}");
                assert_eq!(error.outcome(), Outcome::NotSent, "{way}");
            }
            assert_eq!(c.query_one(&SUM, (1, 2, 3)).unwrap().get(0), Ok(6));
        });
    });
}

/// Items that take more than all socket buffers, and answers that do: neither side waits for the other.
#[test]
fn large_items_with_large_answers_do_not_hang() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(
                "create temp table t (v bytea);
                 create function pg_temp.tell() returns trigger language plpgsql as $$
                 begin
                   for n in 1..100 loop raise notice '% %', n, repeat('x', 1000); end loop;
                   return new;
                 end $$;
                 create trigger tell before insert on t for each row execute procedure pg_temp.tell()",
            )
            .unwrap();
            let value = vec![7_u8; 100_000];
            let items = || (0..150).map(|_| (&value[..],));
            let touched = c.execute_many("insert into t values ($1)", items());
            assert_eq!(touched, Ok(150), "notices");
            c.batch_execute("set client_min_messages = error").unwrap();
            let touched = c.execute_many("insert into t values ($1) returning v", items());
            assert_eq!(touched, Ok(150), "rows");
        });
    });
}
