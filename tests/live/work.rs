//! Statements, rows, batches, transactions, errors.

use std::time::{Duration, Instant};

use barepg::types::oid;
use barepg::{
    Buffer, Client, EncodedParams, ErrorKind, Outcome, Parameter, Params, Remedy, SqlState,
    Storage, TransactionStatus, UsageError,
};

use crate::common::{Calls, Host, role, tcp, with_counted_session, with_session};
use crate::on_each;

#[test]
fn values_go_both_ways() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let row = c
                .query_one(
                    "select $1, $2, $3, $4, $5::oid, $6, $7, $8::text, $9, $10, $11::text",
                    (
                        true,
                        i16::MIN,
                        i32::MIN,
                        i64::MIN,
                        u32::MAX,
                        1.5_f32,
                        -2.5e300_f64,
                        "héllo",
                        &b"\x00\xff"[..],
                        None::<i32>,
                        Some("x"),
                    ),
                )
                .unwrap();
            type All<'a> = (
                bool,
                i16,
                i32,
                i64,
                u32,
                f32,
                f64,
                &'a str,
                &'a [u8],
                Option<i32>,
                Option<&'a str>,
            );
            let all: All<'_> = row.decode().unwrap();
            assert_eq!(
                all,
                (
                    true,
                    i16::MIN,
                    i32::MIN,
                    i64::MIN,
                    u32::MAX,
                    1.5,
                    -2.5e300,
                    "héllo",
                    &b"\x00\xff"[..],
                    None,
                    Some("x")
                )
            );
        });
    });
}

#[test]
fn rows_by_index_name_and_tuple() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let mut rows = c
                .query("select n, n::text as label from generate_series(1, $1) n", (100_i32,))
                .unwrap();
            let names: Vec<String> = rows.columns().map(|c| c.name.to_string()).collect();
            assert_eq!(names, ["n", "label"]);
            let mut count = 0;
            while let Some(row) = rows.next().unwrap() {
                count += 1;
                assert_eq!(row.len(), 2);
                assert_eq!(row.get(0), Ok(count));
                assert_eq!(row.get::<&str>("label").unwrap(), count.to_string());
                let error = row.get::<&str>(0).unwrap_err();
                assert!(matches!(
                    error.kind(),
                    ErrorKind::Column { column: 0, wanted: oid::TEXT, found: oid::INT4, .. }
                ));
                assert!(error.is_usable());
                assert!(row.get::<i32>(2).is_err());
                assert!(row.decode::<(i32,)>().is_err());
            }
            assert_eq!(count, 100);
            assert_eq!(rows.finish(), Ok(100));
        });
    });
}

#[test]
fn a_small_statement_is_one_write_one_flush_one_read() {
    let cluster = &crate::usual();
    with_counted_session(cluster.port(), role("scram_user"), |c, calls| {
        let (stats, before) = (c.stats(), calls.get());
        c.query_one("select $1 + 1", (1_i32,)).unwrap();
        assert_eq!(calls.get() - before, Calls { reads: 1, writes: 1, flushes: 1 });
        assert_eq!(c.stats().round_trips - stats.round_trips, 1);
    });
}

#[test]
fn batches_prepared_statements_and_their_errors() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int primary key, name text)").unwrap();
            let items = (1..=1000).map(|i| (i, "name"));
            assert_eq!(c.execute_many("insert into t values ($1, $2)", items), Ok(1000));
            // Item 300 is refused: nothing of the batch stays, and the index is reported.
            let items = (2001..).map(|i| (if i == 2301 { 1 } else { i }, "x")).take(500);
            let error = c.execute_many("insert into t values ($1, $2)", items).unwrap_err();
            assert_eq!(error.sqlstate(), Some(SqlState::UNIQUE_VIOLATION));
            assert_eq!(error.outcome(), Outcome::Refused);
            assert_eq!(c.batch_done(), 300);
            assert_eq!(c.server_error().unwrap().constraint(), Some("t_pkey"));
            // Item 200 cannot be sent: those before it are taken back.
            let items = (2001..2500).map(|i| (i, if i == 2201 { "nul\0" } else { "x" }));
            let error = c.execute_many("insert into t values ($1, $2)", items).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Encode(_)), "{error}");
            assert_eq!(error.outcome(), Outcome::Refused);
            assert!(error.is_usable());
            let row = c.query_one("select count(*) from t", ()).unwrap();
            assert_eq!(row.get::<i64>(0), Ok(1000));

            let statement = c.prepare("select name from t where id = $1", &[]).unwrap();
            assert_eq!(statement.parameter_type(0), Some(oid::INT4));
            assert_eq!(c.query_one(&statement, (7,)).unwrap().get::<&str>(0), Ok("name"));
            assert!(c.query_opt(&statement, (-7,)).unwrap().is_none());
            // A type that was not given is the value's, as when the text is executed.
            assert_eq!(c.execute(&statement, (7_i64,)), Ok(1));
            let given = c.prepare("select name from t where id = $1", &[oid::INT4]).unwrap();
            let error = c.execute(&given, (7_i64,)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterType));
            let error = c.execute(&statement, ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount));
            assert_eq!(error.outcome(), Outcome::NotSent);
            c.close_statement(&statement).unwrap();
            // The server has forgotten it: it is prepared anew.
            assert_eq!(c.execute(&statement, (7,)), Ok(1));
            c.ping().unwrap();

            let error = c.query_one("select id from t", ()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::TooManyRows));
            let error = c.query_one("select id from t where false", ()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::NoRows));
            let values: [&dyn Parameter; 2] = [&1_i32, &"a"];
            let row = c.query_one("select $1::int, $2::text", &values[..]).unwrap();
            assert_eq!(row.decode::<(i32, &str)>(), Ok((1, "a")));
        });
    });
}

#[test]
fn transactions_commit_roll_back_and_fail() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int primary key)").unwrap();
            let count = |c: &mut barepg::Connection| {
                c.query_one("select count(*) from t", ()).unwrap().get::<i64>(0).unwrap()
            };
            let mut transaction = c.transaction().unwrap();
            transaction.execute("insert into t values ($1)", (1,)).unwrap();
            assert_eq!(transaction.transaction_status(), TransactionStatus::InTransaction);
            transaction.commit().unwrap();
            let mut transaction = c.transaction().unwrap();
            transaction.execute("insert into t values ($1)", (2,)).unwrap();
            transaction.rollback().unwrap();
            assert_eq!(count(c), 1);
            let mut transaction = c.transaction().unwrap();
            transaction.execute("insert into t values ($1)", (3,)).unwrap();
            drop(transaction);
            assert_eq!(count(c), 1);
            assert_eq!(c.transaction_status(), TransactionStatus::Idle);
            let mut transaction = c.transaction().unwrap();
            transaction.execute("insert into t values ($1)", (4,)).unwrap();
            let error = transaction.execute("insert into t values ($1)", (1,)).unwrap_err();
            assert_eq!(error.sqlstate(), Some(SqlState::UNIQUE_VIOLATION));
            assert_eq!(transaction.transaction_status(), TransactionStatus::Failed);
            let error = transaction.commit().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::RolledBack));
            assert_eq!(error.outcome(), Outcome::Refused);
            assert_eq!(count(c), 1);
        });
    });
}

#[test]
fn what_is_larger_than_the_buffers() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            // A statement and parameters larger than the send buffer go out in pieces.
            let long = "x".repeat(100_000);
            let sql = format!("select length($1), '{}'::text = 'a'", "y".repeat(5000));
            let row = c.query_one(&*sql, (&*long,)).unwrap();
            assert_eq!(row.decode::<(i32, bool)>(), Ok((100_000, false)));
            // A row larger than the receive buffer is skipped, with both numbers.
            let mut rows = c
                .query("select repeat('z', case n when 2 then 10485760 else 3 end) from generate_series(1, 3) n", ())
                .unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get::<&str>(0), Ok("zzz"));
            let error = rows.next().err().unwrap();
            assert!(error.is_usable());
            let ErrorKind::Capacity { buffer: Buffer::Rx, have: 512, needed } = error.kind() else {
                panic!("{error}")
            };
            assert!((10_485_760..10_486_000).contains(&needed));
            assert_eq!(rows.next().unwrap().unwrap().get::<&str>(0), Ok("zzz"));
            assert!(rows.next().unwrap().is_none());
            // Descriptions of 60 columns with long names: the names are dropped.
            let columns: Vec<String> =
                (0..60).map(|i| format!("{i} as a_column_with_a_rather_long_name_{i}")).collect();
            let row = c.query_one(&*format!("select {}", columns.join(", ")), ()).err().unwrap();
            assert!(matches!(row.kind(), ErrorKind::Capacity { .. }));
            let columns = columns[..25].join(", ");
            assert_eq!(c.query_one(&*format!("select {columns}"), ()).unwrap().len(), 25);
            c.ping().unwrap();
            // An error larger than the receive buffer is cut, its first fields are there.
            let error =
                c.batch_execute("do $$ begin raise exception '%', repeat('e', 100000); end $$");
            assert_eq!(error.unwrap_err().sqlstate().unwrap().as_str(), "P0001");
            let message = c.server_error().unwrap();
            assert!(message.is_truncated() && message.message().starts_with("eeee"));
            c.ping().unwrap();
        });
    });
}

#[test]
fn simple_queries_give_every_result_as_text() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let mut rows = c
                .simple_query("select 1 as a; create temp table s (x int); insert into s values (1), (2); select x from s; ;")
                .unwrap();
            assert_eq!(rows.next().unwrap().unwrap().get::<i32>(0), Ok(1));
            assert!(rows.next().unwrap().is_none());
            assert!(rows.next_result().unwrap());
            assert!(rows.next_result().unwrap());
            assert_eq!(rows.finish_result(), Ok(2));
            assert!(rows.next_result().unwrap());
            let mut sum = 0;
            while let Some(row) = rows.next().unwrap() {
                sum += row.get::<i32>(0).unwrap();
            }
            assert_eq!(sum, 3);
            assert!(!rows.next_result().unwrap());
            // Dropped early, failing late: the next verb says so.
            let mut rows = c.simple_query("select generate_series(1, 1000); select 1/0").unwrap();
            rows.next().unwrap();
            let error = c.ping().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::EarlierStatement(_)), "{error}");
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert_eq!(c.query_one("select 5", ()).unwrap().get::<i32>(0), Ok(5));
            assert!(c.server_error().is_none());
        });
    });
}

#[test]
fn unsolicited_copy_does_not_hang() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table t (id int)").unwrap();
            for _ in 0..2 {
                let error = c.batch_execute("copy t from stdin").unwrap_err();
                assert_eq!(error.sqlstate(), Some(SqlState::QUERY_CANCELED));
                let error = c.execute("copy t from stdin", ()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::Copy));
                assert_eq!(c.query_one("select 1", ()).unwrap().get::<i32>(0), Ok(1));
                c.batch_execute("copy (select 1) to stdout").unwrap();
                let mut rows = c.query("copy (select 1) to stdout", ()).unwrap();
                let error = rows.next().err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::Copy));
                assert_eq!(c.query_one("select 1", ()).unwrap().get::<i32>(0), Ok(1));
            }
        });
    });
}

#[test]
fn deadlines_end_and_kill() {
    let cluster = &crate::usual();
    let mut storage = Storage::<512, 512>::new();
    let config = role("scram_user");
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(cluster.port())).unwrap();
    c.set_timeout_ms(300);
    let start = Instant::now();
    let error = c.execute("select pg_sleep(30)", ()).unwrap_err();
    let took = start.elapsed();
    // The platform's clock counts whole milliseconds.
    assert!(took > Duration::from_millis(299) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::TimedOut, Outcome::Unknown));
    assert!(!c.is_usable());
    let error = c.ping().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Broken, Outcome::NotSent));
}

#[test]
fn an_administrator_ends_the_session() {
    on_each(|cluster| {
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(cluster.port())).unwrap();
        let row = c.query_one("select pg_backend_pid()", ()).unwrap();
        let pid: i32 = row.get(0).unwrap();
        cluster.psql("test", &format!("select pg_terminate_backend({pid})"));
        let gone = format!("select not exists (select from pg_stat_activity where pid = {pid})");
        cluster.wait_until(&gone);
        let error = c.execute("select 1", ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::ADMIN_SHUTDOWN), "{error}");
        assert!(!error.is_usable());
        assert_eq!(c.server_error().unwrap().severity(), "FATAL");
        assert_eq!(c.ping().unwrap_err().kind(), ErrorKind::Broken);
    });
}

#[test]
fn a_statement_is_cancelled_from_elsewhere() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let token = c.cancel_token().unwrap();
            let (port, server) = (cluster.port(), cluster.cluster());
            let canceller = std::thread::spawn(move || {
                // A request that comes before the statement is lost.
                server.wait_until(
                    "select exists (select from pg_stat_activity
                        where query = 'select pg_sleep(60)' and state = 'active')",
                );
                token.cancel(&mut tcp(port), &Host, 5000).unwrap();
            });
            let error = c.execute("select pg_sleep(60)", ()).unwrap_err();
            assert_eq!(error.sqlstate(), Some(SqlState::QUERY_CANCELED));
            assert!(error.is_usable());
            canceller.join().unwrap();
            c.ping().unwrap();
        });
    });
}

#[test]
fn errors_say_what_helps() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table item (id int8 primary key, kind text not null)")
                .unwrap();
            let insert = "insert into item values ($1, $2)";
            let mut of = |sql: &str, params: &dyn Params| {
                let error = c.execute(sql, params).unwrap_err();
                assert!(error.is_usable(), "{error}");
                error.remedy()
            };
            // Four bytes where eight are declared: 08P01, and the connection lives.
            let block = [0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, b'a'];
            let short = EncodedParams::new(&[oid::INT8, oid::TEXT], &block).unwrap();
            assert_eq!(of(insert, &short), Remedy::SetAside);
            assert_eq!(of(insert, &(1_i64, None::<&str>)), Remedy::SetAside);
            assert_eq!(of("select $1::int2 + 1::int2", &(i16::MAX,)), Remedy::SetAside);
            assert_eq!(of("insert into items values (1, 'a')", &()), Remedy::Operator);
            assert_eq!(of("select from pg_authid", &()), Remedy::Operator);
            for (code, remedy) in
                [("53100", Remedy::Retry), ("57014", Remedy::Retry), ("P0001", Remedy::Operator)]
            {
                let sql = format!("do $$ begin raise 'no' using errcode = '{code}'; end $$");
                assert_eq!(of(&sql, &()), remedy, "{code}");
            }
        });
    });
}
