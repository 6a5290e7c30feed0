//! Work after the login: the usual verbs, batches, time-outs, cancelling.

use std::sync::mpsc::{self, RecvTimeoutError::Timeout};
use std::thread;
use std::time::Duration;

use barepg::{Client, Config, ErrorKind, Outcome, Storage};
use barepg_testkit::gauss::{Front, Hba, Kind, PASSWORD, User};

use crate::common::{Host, tcp, with_session};
use crate::{front, front_with, user};

/// A front whose user logs in quickly.
fn quick() -> Front {
    front_with(|options| {
        options.users = vec![User::new("quick", PASSWORD, Kind::Sha256, 2048, Hba::Sha256)];
    })
}

#[test]
fn the_common_operations() {
    for name in ["sha256_user", "combined_user"] {
        with_session(front().port(), user(name), |c| {
            c.batch_execute("create temporary table t (id int4 primary key, name text)").unwrap();
            assert_eq!(c.execute("insert into t values ($1, $2)", (1_i32, "one")), Ok(1));
            let items = [(2_i32, Some("two")), (3, None)];
            assert_eq!(c.execute_many("insert into t values ($1, $2)", items), Ok(2));
            let mut rows =
                c.query("select id, name from t where id > $1 order by id", (1_i32,)).unwrap();
            let row = rows.next().unwrap().unwrap();
            assert_eq!(row.decode::<(i32, Option<&str>)>(), Ok((2, Some("two"))));
            let row = rows.next().unwrap().unwrap();
            assert_eq!(row.decode::<(i32, Option<&str>)>(), Ok((3, None)));
            assert!(rows.next().unwrap().is_none());
            let mut transaction = c.transaction().unwrap();
            transaction.execute("delete from t", ()).unwrap();
            transaction.rollback().unwrap();
            let statement = c.prepare("select name from t where id = $1", &[23]).unwrap();
            let row = c.query_one(&statement, (1_i32,)).unwrap();
            assert_eq!(row.get::<&str>(0), Ok("one"));
            let mut rows = c.simple_query("select count(*) from t").unwrap();
            assert!(rows.next().unwrap().is_some());
            c.ping().unwrap();
            let failed = c.execute("insert into t values (1, 'again')", ()).unwrap_err();
            assert_eq!(failed.sqlstate().unwrap().as_str(), "23505");
            assert!(failed.is_usable());
            let refused = c.execute("listen c", ()).unwrap_err();
            assert_eq!(refused.sqlstate().unwrap().as_str(), "0A000");
            c.ping().unwrap();
        });
    }
}

/// Many rows, a handful of messages, every size of buffer, and always all of the rows.
#[test]
fn a_batch_is_bound_in_as_many_messages_as_it_fills_buffers() {
    fn insert<const TX: usize>(front: &Front, count: i32) -> (usize, u32) {
        let mut storage = Storage::<512, TX>::new();
        let config = user("quick");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(front.port())).unwrap();
        c.batch_execute("create temporary table t (id int4, name text)").unwrap();
        let before = front.batches();
        let turns = c.stats().round_trips;
        let rows = (0..count).map(|id| (id, "some text"));
        assert_eq!(
            c.execute_many("insert into t values ($1, $2)", rows),
            Ok(u64::try_from(count).unwrap())
        );
        assert_eq!(c.batch_done(), u32::try_from(count).unwrap());
        let turns = c.stats().round_trips - turns;
        let row = c.query_one("select count(distinct id), min(name) from t", ()).unwrap();
        assert_eq!(
            row.decode::<(i64, Option<&str>)>(),
            Ok((i64::from(count), Some("some text").filter(|_| count > 0)))
        );
        (front.batches() - before, turns)
    }
    let front = quick();
    // 21 bytes a row, 25 around them, and the Parse message before the first.
    assert_eq!(insert::<112>(&front, 0).0, 0);
    assert_eq!(insert::<112>(&front, 1).0, 1);
    // One turn for the batch; the other asks, once in a client's life, what '' is in the database.
    assert_eq!(insert::<4096>(&front, 100), (1, 2));
    assert_eq!(insert::<512>(&front, 23).0, 2);
    let (messages, turns) = insert::<512>(&front, 1000);
    assert!((44..=48).contains(&messages), "{messages}");
    assert_eq!(turns, 4);
    let (messages, turns) = insert::<112>(&front, 100);
    assert!((25..=40).contains(&messages), "{messages}");
    assert!((3..=4).contains(&turns), "{turns}");
}

#[test]
fn rows_larger_than_the_buffer_go_alone() {
    let front = quick();
    with_session(front.port(), user("quick"), |c| {
        c.batch_execute("create temporary table t (id int4, name text)").unwrap();
        let long = "x".repeat(3000);
        let rows = [(1, "a"), (2, &long), (3, "c"), (4, &long), (5, &long), (6, "f"), (7, "g")];
        assert_eq!(c.execute_many("insert into t values ($1, $2)", rows), Ok(7));
        let row = c.query_one("select sum(length(name)), count(*) from t", ()).unwrap();
        assert_eq!(row.decode::<(i64, i64)>(), Ok((9004, 7)));
        assert_eq!(front.batches(), 3);
        let statement = c.prepare("update t set name = $2 where id = $1", &[]).unwrap();
        let rows = [(1_i32, "new"), (2, "new"), (99, "new")];
        assert_eq!(c.execute_many(&statement, rows), Ok(2));
        assert_eq!(front.batches(), 4);
    });
}

#[test]
fn a_refused_row_undoes_the_batch() {
    let front = quick();
    with_session(front.port(), user("quick"), |c| {
        c.batch_execute("create temporary table t (id int4 primary key)").unwrap();
        let rows = (0..300).map(|id| (if id == 290 { 5 } else { id },));
        let error = c.execute_many("insert into t values ($1)", rows).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "23505");
        assert_eq!(error.outcome(), Outcome::Refused);
        assert!(error.is_usable());
        assert!((200..=290).contains(&c.batch_done()), "{}", c.batch_done());
        // What cannot be encoded: early, when nothing was sent, and late.
        for bad in [1, 200] {
            let rows = (0..300).map(|id| (if id == bad { "nul\0" } else { "5" },));
            let error = c.execute_many("insert into t values ($1::text::int4)", rows).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Encode(_)), "{error}");
            assert!(error.is_usable());
        }
        let row = c.query_one("select count(*) from t", ()).unwrap();
        assert_eq!(row.get::<i64>(0), Ok(0));
    });
}

#[test]
fn batches_can_do_without_the_message() {
    let front = quick();
    with_session(front.port(), user("quick").batch_bind(false), |c| {
        c.batch_execute("create temporary table t (id int4)").unwrap();
        assert_eq!(c.execute_many("insert into t values ($1)", (0..300).map(|id| (id,))), Ok(300));
        assert_eq!(front.batches(), 0);
    });
}

/// Ten idle minutes, made short: the next verb says why, and a ping in time prevents it.
#[test]
fn idle_sessions_end_unless_they_are_kept_alive() {
    let front = front_with(|options| {
        options.users = vec![User::new("quick", PASSWORD, Kind::Sha256, 2048, Hba::Sha256)];
        options.session_timeout = Duration::from_millis(2500);
    });
    with_session(front.port(), user("quick"), |c| {
        for _ in 0..6 {
            thread::sleep(Duration::from_millis(500));
            c.ping().unwrap();
        }
        c.execute("set session_timeout = 0", ()).unwrap();
        thread::sleep(Duration::from_millis(3500));
        c.ping().unwrap();
    });
    let mut storage = Storage::<512, 512>::new();
    let config = user("quick");
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(front.port())).unwrap();
    thread::sleep(Duration::from_millis(3500));
    let error = c.execute("select 1", ()).unwrap_err();
    assert_eq!(error.sqlstate().expect("the server's message").as_str(), "57P01");
    assert!(!error.is_usable());
    let message = c.server_error().unwrap().message().to_string();
    assert_eq!(message, "terminating connection due to administrator command");
    // The client is as good as new.
    drop(c);
    client.connect(tcp(front.port())).unwrap().ping().unwrap();
}

#[test]
fn a_statement_is_cancelled() {
    let front = quick();
    let port = front.port();
    with_session(port, user("quick"), |c| {
        let token = c.cancel_token().unwrap();
        // A request that comes before the statement is lost; the next one is not.
        let (done, ended) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            while ended.recv_timeout(Duration::from_millis(300)) == Err(Timeout) {
                token.cancel(&mut tcp(port), &Host, 5_000).unwrap();
            }
        });
        let error = c.execute("select pg_sleep(20)", ()).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "57014");
        done.send(()).unwrap();
        other.join().unwrap();
        c.ping().unwrap();
    });
}

#[test]
fn the_smallest_buffers_do() {
    let front = quick();
    let mut storage = Storage::<{ barepg::limits::MIN_RX }, { barepg::limits::MIN_TX }>::new();
    let config = user("quick");
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(front.port())).unwrap();
    assert!(c.is_opengauss());
    let row = c.query_one("select 42, 'text'", ()).unwrap();
    assert_eq!(row.decode::<(i32, &str)>(), Ok((42, "text")));
}

/// 57P03, 3D000 and the rest pass through, with the message.
#[test]
fn a_database_that_is_not_there() {
    let front = quick();
    let config: Config<'_> = user("quick").dbname("nowhere");
    let (error, message) = crate::refused(front.port(), config);
    assert_eq!(error.sqlstate().unwrap().as_str(), "3D000");
    assert!(message.contains("nowhere"), "{message}");
}
