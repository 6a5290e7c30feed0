//! A device that is left alone: sessions that are kept running over cut links and dead servers.

use core::ops::ControlFlow;
use std::time::{Duration, Instant};

use barepg::host::{Dialler, FileFlash, Host, Link, SystemPlatform};
use barepg::outbox::{Full, Outbox};
use barepg::{
    Backoff, Client, Config, Connection, Dial, DialError, Dialect, ErrorKind, Health, Pause,
    Policy, Remedy, Result, Storage, Supervisor, Target,
};
use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
use barepg_testkit::pg;
use barepg_testkit::pgbouncer::{self, PgBouncer};
use barepg_testkit::scratch::Scratch;

use crate::device::{INSERT, database, options};

/// Short enough for a test.
const QUICK: Policy = {
    let pause = Backoff { first_ms: 20, spread_ms: 20, steady: 3, longest_ms: 200 };
    Policy { lost: pause, overloaded: pause, ..Policy::DEFAULT }
};

fn config(port: &str) -> Config<'_> {
    let config = Config::new().user("trust_user").host("127.0.0.1").port(port);
    config.application_name("device 7").dialect(Dialect::PostgreSql)
}

/// A device that samples, and what it has to work with.
struct Device<'d> {
    outbox: Outbox<'d, FileFlash>,
    relay: &'d Relay,
    sampled: i32,
    rounds: u32,
}

impl Device<'_> {
    fn sample(&mut self) {
        self.sampled += 1;
        self.outbox.push(&INSERT, (self.sampled, "")).unwrap();
    }

    /// A session: samples, and sends what waits; its link is cut after a while.
    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<()>> {
        self.rounds += 1;
        if self.rounds > 30 {
            self.outbox.drain(conn)?;
            return Ok(ControlFlow::Break(()));
        }
        self.relay.arm(Cut {
            direction: Direction::ToClient,
            after: u64::from(self.rounds) * 37,
            ending: Ending::Reset,
        });
        loop {
            self.sample();
            self.outbox.drain(conn)?;
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        if pause.begins {
            assert_eq!(pause.error.unwrap().remedy(), Remedy::Retry, "{:?}", pause.error);
            self.sample();
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn a_device_keeps_sampling_and_loses_nothing() {
    let cluster = database("supervised");
    let relay = Relay::start(cluster.port()).unwrap();
    let scratch = Scratch::new("barepg-supervised", "").unwrap();
    let flash = FileFlash::open(scratch.path().join("flash"), 128 * 1024).unwrap().without_sync();
    let (mut buffer, platform) = ([0; 128], SystemPlatform::new());
    let options = options().full(Full::Refuse);
    let outbox = Outbox::open(flash, &mut buffer, options, &platform).unwrap();
    let mut device = Device { outbox, relay: &relay, sampled: 0, rounds: 0 };
    let port = relay.port().to_string();
    let mut host = Host::new();
    let mut client = host.client_for(config(&port).dbname("supervised"));
    let mut supervisor = Supervisor::new(QUICK);
    client.supervise(&mut supervisor, &mut device, Device::session, Device::pause);
    let found = cluster.psql("supervised", "select value from reading order by arrived");
    let found: Vec<i32> = found.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found, (1..=device.sampled).collect::<Vec<_>>());
    let Health { logins, lost, hopeless, longest_gap_ms, .. } = *supervisor.health();
    assert!((31..40).contains(&logins) && lost >= 30 && hopeless == 0, "{:?}", supervisor.health());
    assert!((10..2000).contains(&longest_gap_ms), "{longest_gap_ms}");
}

/// Supervises a session until `pause` breaks.
fn until(
    config: Config<'_>,
    policy: Policy,
    pause: impl FnMut(&mut (), &Pause<'_>) -> ControlFlow<Health>,
) -> Health {
    let mut host = Host::new();
    let mut client = host.client_for(config);
    let session = |(): &mut (), conn: &mut Connection| {
        conn.execute("select 1", ())?;
        conn.execute("select 1", ())?;
        Ok(ControlFlow::Continue(()))
    };
    client.supervise(&mut Supervisor::new(policy), &mut (), session, pause)
}

#[test]
fn a_login_that_cannot_succeed_is_told_and_tried_rarely() {
    let port = pg::shared(15).port().to_string();
    let start = Instant::now();
    let user = config(&port).user("scram_user").password("wrong").dbname("test");
    let health = until(user, Policy::DEFAULT, |(), pause| {
        assert!(matches!(pause.error.unwrap().kind(), ErrorKind::Server(_)));
        assert_eq!(pause.message.unwrap().sqlstate().as_str(), "28P01");
        assert_eq!(pause.error.unwrap().remedy(), Remedy::Operator);
        assert!(pause.left_ms > 25_000, "{}", pause.left_ms);
        // Asked to stop: at once.
        let stop = start.elapsed() > Duration::from_millis(300);
        if stop { ControlFlow::Break(*pause.health) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((health.attempts, health.logins, health.hopeless), (1, 0, 1));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn pauses_grow_while_nothing_answers() {
    let relay = Relay::start(1).unwrap();
    let port = relay.port().to_string();
    let mut pauses = Vec::new();
    let health = until(config(&port), QUICK, |(), pause| {
        if pause.begins {
            pauses.push(pause.left_ms);
        }
        let stop = pause.health.attempts == 9;
        if stop { ControlFlow::Break(*pause.health) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((health.logins, health.lost, health.failures), (0, 9, 9));
    assert!((10..=30).contains(&pauses[0]), "{pauses:?}");
    assert_eq!(pauses[1..3], [20, 20]);
    assert!(pauses[3] <= 40 && (100..=200).contains(&pauses[8]), "{pauses:?}");
}

#[test]
fn a_pooler_that_lets_everyone_in_is_no_success() {
    // PgBouncer answers logins itself, and its server is not there.
    let options = pgbouncer::Options {
        upstream: Some(1),
        extra: vec!["query_wait_timeout = 1".to_string()],
        ..pgbouncer::Options::default()
    };
    let pooler = PgBouncer::start_with(pg::shared(15), &options);
    let port = pooler.port().to_string();
    let health = until(config(&port).dbname("test"), QUICK, |(), pause| {
        let stop = pause.health.attempts == 3;
        if stop { ControlFlow::Break(*pause.health) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(health.failures, 3, "{health:?}");
}

/// Sessions of the device at the server that are at work, or were left in the middle of it.
fn at_work(database: &str) -> String {
    let sql = "select count(*) from pg_stat_activity where application_name = 'device 7'
        and datname = current_database() and state <> 'idle'";
    pg::shared(15).psql(database, sql)
}

/// The first session loses its link in the middle of a statement that holds a row, and ends with the error
/// or without; the next ones insert the same row. Returns what happened, and how many sessions are at work
/// at the end.
fn repeat_what_is_held(database: &str, cancel: bool, tells: bool) -> (Health, String) {
    let cluster = crate::device::database(database);
    let relay = Relay::start(cluster.port()).unwrap();
    let port = relay.port().to_string();
    let mut host = Host::new();
    let mut client = host.client_for(config(&port).dbname(database));
    client.set_timeout_ms(500);
    let mut supervisor = Supervisor::new(Policy { cancel, ..QUICK });
    let session = |sessions: &mut u32, conn: &mut Connection| {
        *sessions += 1;
        if *sessions == 1 {
            let held = "with row as (insert into reading values (7, 1, 1, '') returning 1)
                select pg_sleep(60) from row";
            let error = conn.execute(held, ()).unwrap_err();
            relay.arm(Cut { direction: Direction::ToServer, after: 0, ending: Ending::Silent });
            return if tells { Err(error) } else { Ok(ControlFlow::Continue(())) };
        }
        conn.execute("insert into reading values (7, 1, 2, '') on conflict do nothing", ())?;
        Ok(ControlFlow::Break(()))
    };
    let pause = |sessions: &mut u32, _: &Pause<'_>| match *sessions {
        4 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    client.supervise(&mut supervisor, &mut 0, session, pause);
    (*supervisor.health(), at_work(database))
}

#[test]
fn what_a_lost_session_left_running_is_cancelled() {
    let (health, at_work) = repeat_what_is_held("left_running", true, true);
    assert_eq!((health.logins, health.unknown, at_work.as_str()), (2, 1, "0"), "{health:?}");
    let value = pg::shared(15).psql("left_running", "select value from reading");
    assert_eq!(value, "2");
    let (health, at_work) = repeat_what_is_held("left_in_silence", true, false);
    assert_eq!((health.logins, health.unknown, at_work.as_str()), (2, 0, "0"), "{health:?}");
    // Without, each repetition waits for it, and leaves one more waiting.
    let (health, at_work) = repeat_what_is_held("left_waiting", false, true);
    assert_eq!((health.logins, health.unknown, at_work.as_str()), (4, 4, "4"), "{health:?}");
}

#[test]
fn a_batch_that_was_cut_before_its_end_does_not_block_its_repetition() {
    let cluster = database("half_sent");
    let relay = Relay::start(cluster.port()).unwrap();
    let port = relay.port().to_string();
    let (mut memory, mut buffer) = ([0; 8192], [0; 128]);
    let flash = barepg::outbox::RamFlash::new(&mut memory);
    let mut outbox = Outbox::open(flash, &mut buffer, options(), &SystemPlatform::new()).unwrap();
    let note = "x".repeat(60);
    for value in 0..8 {
        outbox.push(&INSERT, (value, &*note)).unwrap();
    }
    let mut host = Host::<512, 256>::with_buffers();
    let mut client = host.client_for(config(&port).dbname("half_sent"));
    client.set_timeout_ms(500);
    let mut supervisor = Supervisor::new(QUICK);
    let session = |sessions: &mut u32, conn: &mut Connection| {
        *sessions += 1;
        if *sessions == 1 {
            // Some rows are there, their Sync is not.
            relay.arm(Cut { direction: Direction::ToServer, after: 700, ending: Ending::Silent });
        }
        outbox.drain(conn).map(|_| ControlFlow::Break(()))
    };
    client.supervise(&mut supervisor, &mut 0, session, |_, _| ControlFlow::Continue(()));
    let health = supervisor.health();
    assert_eq!((health.logins, health.unknown), (2, 1), "{health:?}");
    let found = cluster.psql("half_sent", "select count(*), max(value) from reading");
    assert_eq!((found.as_str(), at_work("half_sent").as_str()), ("8|7", "0"));
}

/// Counts the links that are dialled.
struct Counted(Dialler, u32);

impl Dial for Counted {
    type Transport = Link;

    fn dial(&mut self, target: &Target<'_>) -> Result<Link, DialError> {
        self.1 += 1;
        self.0.dial(target)
    }
}

/// Links for two sessions, the first of which ends with this work.
fn links(work: impl Fn(&mut Connection) -> Result<()>, timeout_ms: u32) -> u32 {
    let port = pg::shared(15).port().to_string();
    let (config, platform) = (config(&port).dbname("test"), SystemPlatform::new());
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_timeout_ms(timeout_ms);
    let mut dialler = Counted(Dialler::new(), 0);
    let session = |sessions: &mut u32, conn: &mut Connection| {
        *sessions += 1;
        if *sessions == 1 {
            work(conn)?;
        }
        Ok(ControlFlow::Break(()))
    };
    let mut supervisor = Supervisor::new(QUICK);
    let pause = |_: &mut u32, _: &Pause<'_>| ControlFlow::Continue(());
    client.supervise(&mut dialler, &mut supervisor, &mut 0, session, pause);
    dialler.1
}

#[test]
fn no_link_is_spent_on_a_session_that_the_server_has_ended() {
    let run = |statement| move |conn: &mut Connection| conn.execute(statement, ()).map(|_| ());
    assert_eq!(links(run("select pg_terminate_backend(pg_backend_pid())"), 10_000), 2);
    assert_eq!(links(run("select pg_sleep(30)"), 300), 3);
}

/// Nothing is left running by a session that ends on a connection that is usable.
#[test]
fn no_link_is_spent_on_a_session_that_owes_nothing() {
    let nothing = |conn: &mut Connection| conn.query_one("select 1 limit 0", ()).map(|_| ());
    assert_eq!(links(nothing, 10_000), 2);
    // Rows that were not read are owed: the statement may run on.
    let owed = |conn: &mut Connection| {
        let mut rows = conn.query("select n, pg_sleep(n) from generate_series(0, 30) n", ())?;
        rows.next()?;
        drop(rows);
        conn.query_one("select 1", (0_i16, 0_i16)).map(|_| ())
    };
    assert_eq!(links(owed, 2_000), 3);
}

/// What a session left running that gave up for good is cancelled where the next one begins.
#[test]
fn what_a_session_that_stopped_left_running_is_cancelled_by_the_next() {
    let port = pg::shared(15).port().to_string();
    let (config, platform) = (config(&port).dbname("test"), SystemPlatform::new());
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_timeout_ms(300);
    let (mut dialler, mut supervisor) = (Counted(Dialler::new(), 0), Supervisor::new(QUICK));
    // Stopped where it has failed, in the session or in the pause after it.
    for (statement, in_pause, links) in [
        ("select 1", false, 1),
        ("select pg_sleep(30)", false, 2),
        ("select 1", false, 4),
        ("select pg_sleep(30)", true, 5),
        ("select 1", false, 7),
    ] {
        let session = |(): &mut (), conn: &mut Connection| match conn.execute(statement, ()) {
            Err(error) if in_pause => Err(error),
            result => Ok(ControlFlow::Break(result.is_ok())),
        };
        let pause = |(): &mut (), _: &Pause<'_>| ControlFlow::Break(false);
        let is_done = client.supervise(&mut dialler, &mut supervisor, &mut (), session, pause);
        assert_eq!((is_done, dialler.1), (statement == "select 1", links), "{statement}");
    }
}

/// A session that asks something first, as an outbox with `resend` does, and whose work is refused each
/// time: logins do not come at the shortest pause for ever.
#[test]
fn pauses_grow_while_the_work_is_refused() {
    let port = pg::shared(15).port().to_string();
    // The last two: a server that is read-only, a table that is locked.
    let policy = Policy { hopeless: QUICK.lost, ..QUICK };
    for state in ["53100", "42P01", "25006", "55P03"] {
        let mut host = Host::new();
        let mut client = host.client_for(config(&port).dbname("test"));
        let refuse = format!("do $$ begin raise 'no' using errcode = '{state}'; end $$");
        let session = |(): &mut (), conn: &mut Connection| {
            conn.execute("select 1", ())?;
            conn.execute(&*refuse, ())?;
            Ok(ControlFlow::Continue(()))
        };
        let mut supervisor = Supervisor::new(policy);
        let health = client.supervise(&mut supervisor, &mut (), session, |(), pause| {
            let stop = pause.health.attempts == 6;
            if stop { ControlFlow::Break(*pause.health) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((health.logins, health.failures), (6, 6), "{state}: {health:?}");
    }
}

/// What the server said of a statement whose error the session got over is no reason for the pause.
#[test]
fn a_pause_shows_the_message_of_its_own_error() {
    let port = pg::shared(15).port().to_string();
    let user = config(&port).dbname("test");
    let mut host = Host::new();
    let mut client = host.client_for(user);
    let pause = Backoff { first_ms: 1, spread_ms: 1, steady: 1, longest_ms: 1 };
    let policy = Policy { lost: pause, overloaded: pause, hopeless: pause, cancel: false };
    let (mut turn, seen) = (0, std::cell::RefCell::new(vec![]));
    let session = |turn: &mut u32, conn: &mut Connection| {
        *turn += 1;
        let refused = conn.batch_execute("select 1/0").unwrap_err();
        match *turn {
            1 => Ok(ControlFlow::Continue(())),
            2 => Err(DialError::TimedOut.into()),
            3 => Err(refused),
            4 => {
                let rows = conn.query("select 1/(3-g) from generate_series(1,9000) g", ())?;
                drop(rows);
                conn.ping()?;
                Ok(ControlFlow::Continue(()))
            }
            _ => Ok(ControlFlow::Break(())),
        }
    };
    client.supervise(&mut Supervisor::new(policy), &mut turn, session, |_, pause| {
        if pause.begins {
            let state = pause.message.map(|message| message.sqlstate().as_str().to_string());
            seen.borrow_mut().push((pause.error.map(|error| error.kind()), state));
        }
        ControlFlow::Continue(())
    });
    let said = Some("22012".to_string());
    let seen = seen.into_inner();
    assert_eq!(seen[..2], [(None, None), (Some(ErrorKind::Dial(DialError::TimedOut)), None),]);
    let [(Some(ErrorKind::Server(_)), third), (Some(ErrorKind::EarlierStatement(_)), fourth)] =
        &seen[2..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!((third, fourth), (&said, &said));
}

#[test]
fn a_session_that_was_stopped_is_neither_a_failure_nor_a_gap() {
    /// Longer than a login takes on a machine that works on something else.
    const WORK: Duration = Duration::from_millis(1500);
    let port = pg::shared(15).port().to_string();
    let mut host = Host::new();
    let mut client = host.client_for(config(&port).dbname("test"));
    let mut supervisor = Supervisor::new(QUICK);
    let mut run = |sessions: u32| {
        let session = |left: &mut u32, conn: &mut Connection| {
            *left -= 1;
            if *left > 0 {
                conn.execute("select pg_terminate_backend(pg_backend_pid())", ())?;
            }
            // Work, which is time with a session.
            std::thread::sleep(WORK);
            Ok(ControlFlow::Break(()))
        };
        let mut left = sessions;
        client.supervise(&mut supervisor, &mut left, session, |_, _| ControlFlow::Continue(()));
        *supervisor.health()
    };
    let health = run(2);
    assert_eq!((health.logins, health.lost, health.failures), (2, 1, 0), "{health:?}");
    // What was not supervised is no gap either.
    std::thread::sleep(WORK);
    let health = run(1);
    assert_eq!((health.logins, health.failures), (3, 0), "{health:?}");
    assert!(u128::from(health.longest_gap_ms) < WORK.as_millis(), "{health:?}");
}
