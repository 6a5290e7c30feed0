//! COPY in both directions, its errors at every point, guards dropped early.

use barepg::types::oid;
use barepg::{
    Client, Connection, ErrorKind, Outcome, SqlState, Storage, TransactionStatus, UsageError,
    limits,
};
use embedded_io::{Read, Write};

use crate::common::{Host, role, tcp, with_counted_session, with_session};
use crate::on_each;

const TABLE: &str = "create temp table t (id int4 check (id >= 0), v float8, name text)";

fn one<T: for<'r> barepg::FromSql<'r>>(c: &mut Connection, sql: &str) -> T {
    c.query_one(sql, ()).unwrap().get(0).unwrap()
}

#[test]
fn text_csv_and_binary_go_in() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            let mut copy = c.copy_in("copy t from stdin").unwrap();
            assert_eq!((copy.columns(), copy.is_binary()), (3, false));
            copy.send(b"1\t1.5\tone\n2\t").unwrap();
            copy.send(b"\\N\t\\N\n").unwrap();
            assert_eq!(copy.finish(), Ok(2));
            let mut copy = c.copy_in("copy t from stdin with (format csv)").unwrap();
            for id in 3..1000 {
                writeln!(Text(&mut copy), "{id},{id}.25,\"name, {id}\"").unwrap();
            }
            copy.flush().unwrap();
            assert_eq!(copy.finish(), Ok(997));
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            assert!(copy.is_binary());
            for id in 1000..5000_i32 {
                let name = (id % 2 == 0).then_some("even");
                copy.send_row((id, f64::from(id) + 0.25, name)).unwrap();
            }
            assert_eq!(copy.finish(), Ok(4000));
            assert_eq!(one::<i64>(c, "select count(*) from t"), 4999);
            assert_eq!(one::<i64>(c, "select count(name) from t"), 2998);
            assert_eq!(one::<f64>(c, "select v from t where id = 4711"), 4711.25);
            // Nothing sent: no rows.
            for sql in ["copy t from stdin", "copy t from stdin with (format binary)"] {
                assert_eq!(c.copy_in(sql).unwrap().finish(), Ok(0));
            }
            assert_eq!(c.transaction_status(), TransactionStatus::Idle);
        });
    });
}

/// A COPY stream for `write!`.
struct Text<W>(W);

impl<W: Write> Text<W> {
    fn write_fmt(&mut self, arguments: std::fmt::Arguments<'_>) -> Result<(), W::Error> {
        let text = arguments.to_string();
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            let n = self.0.write(bytes)?;
            bytes = &bytes[n..];
        }
        Ok(())
    }
}

#[test]
fn the_smallest_buffers_and_rows_larger_than_them() {
    on_each(|cluster| {
        let mut storage = Storage::<{ limits::MIN_RX }, { limits::MIN_TX }>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(cluster.port())).unwrap();
        c.batch_execute(TABLE).unwrap();
        let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
        for (id, length) in [(0, 0), (1, 50), (2, 100_000), (3, 111), (4, 3)] {
            copy.send_row((id, 0.5, &*"x".repeat(length))).unwrap();
        }
        assert_eq!(copy.finish(), Ok(5));
        let sum: i64 = one(&mut c, "select sum(length(name)) from t");
        assert_eq!(sum, 100_164);

        let mut copy = c.copy_out("copy (select name from t order by id) to stdout").unwrap();
        let mut all = Vec::new();
        while let Some(piece) = copy.next().unwrap() {
            all.extend_from_slice(piece);
        }
        assert_eq!(copy.rows(), 5);
        assert_eq!(all.len(), 100_164 + 5);
        let sql = "copy (select id, name from t order by id) to stdout with (format binary)";
        let mut copy = c.copy_out(sql).unwrap();
        assert_eq!(copy.next_row::<(i32, &str)>().unwrap(), Some((0, "")));
        assert!(copy.next_row::<(i32, &str)>().unwrap().is_some());
        for _ in 0..2 {
            let error = copy.next_row::<(i32, &str)>().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Capacity { .. }), "{error}");
            assert!(error.is_usable());
        }
        assert_eq!(copy.next_row::<(i32, &str)>().unwrap(), Some((4, "xxx")));
        assert_eq!(copy.next_row::<(i32, &str)>().unwrap(), None);
        assert_eq!(copy.next_row::<(i32, &str)>().unwrap(), None);
        c.ping().unwrap();
    });
}

#[test]
fn a_refused_row_is_blamed_wherever_it_stands() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            for bad in 0..60 {
                let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
                for id in 0..60 {
                    copy.send_row((if id == bad { -1 } else { id }, 1.5, "name")).unwrap();
                }
                let error = copy.finish().unwrap_err();
                assert_eq!(error.sqlstate(), Some(SqlState::CHECK_VIOLATION));
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
                let place = c.server_error().unwrap().field(b'W').unwrap();
                let place = String::from_utf8_lossy(place).to_string();
                assert!(place.contains(&format!("line {}", bad + 1)), "{place}");
                assert_eq!(one::<i64>(c, "select count(*) from t"), 0);
            }
        });
    });
}

#[test]
fn an_early_error_is_told_and_never_a_deadlock() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            // Megabytes after the error: the server drops them.
            let mut copy = c.copy_in("copy t from stdin").unwrap();
            let mut sent = copy.send(b"no number\t1\tx\n");
            for _ in 0..5000 {
                sent = sent.and_then(|()| copy.send(&[b'x'; 1000]));
            }
            let error = sent.and_then(|()| copy.finish().map(|_| ())).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "22P02");
            assert_eq!(one::<i32>(c, "select 1"), 1);
            // Asked for, it is reported early, and again by every further call.
            let mut copy = c.copy_in("copy t from stdin").unwrap();
            copy.send(b"no number\t1\tx\n").unwrap();
            copy.check().unwrap();
            copy.flush().unwrap();
            let error = (0..100).find_map(|_| copy.check().err()).unwrap();
            assert_eq!(error.sqlstate().unwrap().as_str(), "22P02");
            assert_eq!(copy.send(b"more"), Err(error));
            assert_eq!(copy.finish(), Err(error));
            assert_eq!(one::<i32>(c, "select 1"), 1);
            // A notice for every row: the server would block if they were not read.
            c.batch_execute(
                "create function pg_temp.shout() returns trigger language plpgsql as $$ begin
                    raise warning 'row % %', new.id, repeat('!', 20000); return new; end $$;
                create trigger shout before insert on t
                    for each row execute procedure pg_temp.shout()",
            )
            .unwrap();
            c.set_timeout_ms(60_000);
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            let name = "y".repeat(20_000);
            for id in 0..900 {
                copy.send_row((id, 0.0, &*name)).unwrap();
            }
            assert_eq!(copy.finish(), Ok(900));
        });
    });
}

#[test]
fn guards_that_are_aborted_or_dropped_leave_no_row() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            for rows in [0, 1, 100] {
                for format in ["", " with (format binary)"] {
                    let sql = format!("copy t from stdin{format}");
                    for abort in [true, false] {
                        let mut copy = c.copy_in(&sql).unwrap();
                        for id in 0..rows {
                            if copy.is_binary() {
                                copy.send_row((id, 0.5, "x")).unwrap();
                            } else {
                                copy.send(b"1\t2\tx\n").unwrap();
                            }
                        }
                        if abort {
                            copy.abort("enough").unwrap();
                        }
                        // Else it is dropped here, and the next statement finishes it.
                        assert_eq!(one::<i64>(c, "select count(*) from t"), 0);
                    }
                }
            }
            // In a transaction the failed COPY fails the transaction.
            let mut transaction = c.transaction().unwrap();
            transaction.copy_in("copy t from stdin").unwrap().abort("enough").unwrap();
            assert_eq!(transaction.transaction_status(), TransactionStatus::Failed);
            drop(transaction);
            let mut transaction = c.transaction().unwrap();
            let mut copy = transaction.copy_in("copy t from stdin").unwrap();
            copy.send(b"1\t2\tx\n").unwrap();
            drop(transaction);
            assert_eq!(one::<i64>(c, "select count(*) from t"), 0);
            let mut transaction = c.transaction().unwrap();
            let mut copy = transaction.copy_in("copy t from stdin").unwrap();
            copy.send(b"1\t2\tx\n").unwrap();
            copy.finish().unwrap();
            transaction.commit().unwrap();
            assert_eq!(one::<i64>(c, "select count(*) from t"), 1);
        });
    });
}

#[test]
fn rows_that_cannot_be_sent_are_left_out() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            copy.send_row((1, 0.5, "x")).unwrap();
            let error = copy.send_row((2, 0.5)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ParameterCount));
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
            let error = copy.send_row((2, 0.5, "nul\0")).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Encode(_)), "{error}");
            copy.send_row((3, 0.5, "x")).unwrap();
            assert_eq!(copy.finish(), Ok(2));
            let mut copy = c.copy_in("copy t from stdin").unwrap();
            let error = copy.send_row((1, 0.5, "x")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::CopyFormat));
            copy.send(b"1\t2\tx\n").unwrap();
            assert_eq!(copy.finish(), Ok(1));
        });
    });
}

#[test]
fn text_csv_and_binary_come_out() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            c.batch_execute(
                "insert into t select n, n + 0.5, case n when 2 then null else 'name ' || n end
                    from generate_series(1, 1000) n",
            )
            .unwrap();
            let mut copy = c.copy_out("copy t to stdout").unwrap();
            assert_eq!((copy.columns(), copy.is_binary()), (3, false));
            assert_eq!(copy.next().unwrap(), Some(&b"1\t1.5\tname 1\n"[..]));
            assert_eq!(copy.next().unwrap(), Some(&b"2\t2.5\t\\N\n"[..]));
            let mut more = 0;
            while let Some(row) = copy.next().unwrap() {
                assert_eq!(row.last(), Some(&b'\n'));
                more += 1;
            }
            assert_eq!((more, copy.rows()), (998, 1000));
            assert!(copy.next().unwrap().is_none());

            let mut copy = c.copy_out("copy t to stdout with (format csv)").unwrap();
            let (mut text, mut buf) = (Vec::new(), [0; 7]);
            loop {
                match copy.read(&mut buf).unwrap() {
                    0 => break,
                    n => text.extend_from_slice(&buf[..n]),
                }
            }
            let text = String::from_utf8(text).unwrap();
            assert!(text.starts_with("1,1.5,name 1\n2,2.5,\n"), "{text}");
            assert_eq!(text.lines().count(), 1000);

            let mut copy = c.copy_out("copy t to stdout with (format binary)").unwrap();
            let mut expected = 0;
            while let Some((id, v, name)) = copy.next_row::<(i32, f64, Option<&str>)>().unwrap() {
                expected += 1;
                assert_eq!((id, v), (expected, f64::from(expected) + 0.5));
                assert_eq!(name.is_none(), id == 2);
            }
            assert_eq!((expected, copy.rows()), (1000, 1000));

            // What does not fit the types is reported, and the COPY goes on.
            let mut copy = c.copy_out("copy t to stdout with (format binary)").unwrap();
            let error = copy.next_row::<(i64, f64, Option<&str>)>().unwrap_err();
            let ErrorKind::Column { column: 0, wanted: oid::INT8, .. } = error.kind() else {
                panic!("{error}")
            };
            let error = copy.next_row::<(i32, f64, &str)>().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Column { column: 2, .. }), "{error}");
            let error = copy.next_row::<(i32, f64)>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::ColumnCount));
            assert!(copy.next_row::<(i32, f64, &str)>().unwrap().is_some());
            assert_eq!(one::<i32>(c, "select 1"), 1);
        });
    });
}

#[test]
fn an_error_within_the_stream_and_an_early_drop() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            for at in 1..40 {
                let sql = format!(
                    "copy (select n, 1 / (n - {at}) from generate_series(1, 50) n) to stdout"
                );
                let mut copy = c.copy_out(&sql).unwrap();
                let mut rows = 0;
                let error = loop {
                    match copy.next() {
                        Ok(piece) => rows += piece.map(|_| 1).unwrap(),
                        Err(error) => break error,
                    }
                };
                assert_eq!(rows, at - 1);
                assert_eq!(error.sqlstate().unwrap().as_str(), "22012");
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
                assert_eq!(copy.next(), Err(error));
                if at % 2 == 0 {
                    assert_eq!(one::<i32>(c, "select 1"), 1);
                }
                let sql = "copy (select generate_series(1, 5000)) to stdout";
                let mut copy = c.copy_out(sql).unwrap();
                for _ in 0..at {
                    copy.next().unwrap();
                }
            }
            assert_eq!(one::<i32>(c, "select 1"), 1);
        });
    });
}

#[test]
fn what_is_no_copy_is_reported() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(TABLE).unwrap();
            let not_copy = ErrorKind::Usage(UsageError::NotCopy);
            let error = c.copy_in("select generate_series(1, 100)").err().unwrap();
            assert_eq!((error.kind(), error.is_usable()), (not_copy, true));
            let error = c.copy_out("insert into t values (1)").err().unwrap();
            assert_eq!((error.kind(), error.is_usable()), (not_copy, true));
            let wrong = ErrorKind::Usage(UsageError::Copy);
            let error = c.copy_in("copy t to stdout").err().unwrap();
            assert_eq!((error.kind(), error.is_usable()), (wrong, true));
            let error = c.copy_out("copy t from stdin").err().unwrap();
            assert_eq!((error.kind(), error.is_usable()), (wrong, true));
            let error = c.copy_in("copy nowhere from stdin").err().unwrap();
            assert_eq!(error.sqlstate().unwrap().as_str(), "42P01");
            // Statements after the COPY; those before it are not for this verb.
            let error = c.copy_in("select 1; copy t from stdin").err().unwrap();
            assert_eq!((error.kind(), error.is_usable()), (not_copy, true));
            let error = c.ping().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::EarlierStatement(SqlState::QUERY_CANCELED));
            let mut copy = c.copy_in("copy t from stdin; select 2, 3").unwrap();
            copy.send(b"5\t5\t5\n").unwrap();
            copy.finish().unwrap();
            assert_eq!(one::<i64>(c, "select count(*) from t"), 2);
        });
    });
}

#[test]
fn the_server_ends_the_session_in_the_middle() {
    on_each(|cluster| {
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(cluster.port())).unwrap();
        c.batch_execute(TABLE).unwrap();
        let pid: i32 = one(&mut c, "select pg_backend_pid()");
        let mut copy = c.copy_in("copy t from stdin").unwrap();
        copy.send(b"1\t1\tx\n").unwrap();
        copy.flush().unwrap();
        cluster.psql("test", &format!("select pg_terminate_backend({pid})"));
        let error = (0..200_000).find_map(|_| copy.send(b"1\t1\tx\n").err()).unwrap();
        // Without its end the server keeps nothing of a COPY.
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, false), "{error}");
        assert_eq!(copy.finish(), Err(error));
        assert!(!c.is_usable());
    });
}

#[test]
fn few_writes_and_one_round_trip_to_start() {
    let cluster = &crate::usual();
    with_counted_session(cluster.port(), role("scram_user"), |c, calls| {
        c.batch_execute(TABLE).unwrap();
        let (before, calls_before) = (c.stats(), calls.get());
        let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
        for id in 0..1000 {
            copy.send_row((id, 0.5, "0123456789")).unwrap();
        }
        copy.finish().unwrap();
        let after = c.stats();
        assert_eq!(after.round_trips - before.round_trips, 2);
        // 36 bytes a row, 507 in a message.
        let made = calls.get() - calls_before;
        assert_eq!((made.writes, made.flushes), (1 + 72 + 1, 2));
    });
}
