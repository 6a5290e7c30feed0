//! What a pooler says when it gives up, or has lost its server: an error of its own making, of
//! which the driver may believe that the session ended, and nothing else.

use std::thread;
use std::time::{Duration, Instant};

use barepg::{Connection, Error, ErrorKind, Outcome, ProtocolError, Remedy, Result};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::pgbouncer::{Options, PgBouncer};
use barepg_testkit::pgpool::Pgpool;

use crate::session::with_session;
use crate::verbs::SCHEMA;

/// A database of its own and a PgBouncer before it.
pub struct Pooled {
    pub cluster: &'static Cluster,
    pub pooler: PgBouncer,
    pub database: &'static str,
}

impl Pooled {
    pub fn new(database: &'static str, pool_size: u32, extra: &[&str]) -> Self {
        let cluster = pg::shared(15);
        cluster.psql("postgres", &format!("create database {database}"));
        cluster.psql(database, SCHEMA);
        let extra = extra.iter().map(|line| line.to_string()).collect();
        let options = Options { pool_size, extra, ..Options::default() };
        Self { cluster, pooler: PgBouncer::start_with(cluster, &options), database }
    }

    /// Runs `f` on a session through the pooler.
    pub fn session<R>(&self, f: impl FnOnce(&mut Connection) -> R) -> R {
        self.session_at(self.pooler.port(), f)
    }

    /// Runs `f` on a session at the server itself, or at the pooler.
    pub fn session_at<R>(&self, port: u16, f: impl FnOnce(&mut Connection) -> R) -> R {
        with_session(port, self.database, f)
    }

    /// How many rows with the key there are.
    pub fn count(&self, key: i64) -> i64 {
        let sql = format!("select count(*) from work where key = {key}");
        self.cluster.psql(self.database, &sql).parse().unwrap()
    }

    /// The server's sessions for the pooler that a condition holds for.
    pub fn backends(&self, condition: &str) -> String {
        let database = self.database;
        format!(
            "from pg_stat_activity where datname = '{database}' and usename = 'trust_user'
             and ({condition})"
        )
    }

    /// Waits until the pooler has no server connection of this database any more.
    pub fn without_servers(&self) {
        let start = Instant::now();
        while self.pooler.admin("show servers").contains(&format!("|{}|", self.database)) {
            assert!(start.elapsed() < Duration::from_secs(20), "the pooler keeps a connection");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until no statement runs any more.
    fn settle(&self) {
        let running = self.backends("state <> 'idle'");
        self.cluster.wait_until(&format!("select not exists (select {running})"));
    }
}

/// Inserts a row with the key, slowly; says what the first error was.
type Slow = fn(&mut Connection, i64) -> Result<()>;

/// The verbs. COMMIT was sent, or none was needed: the row may appear.
const VERBS: &[(&str, Slow)] = &[
    ("execute", |c, key| c.execute(&*slow(key), ()).map(|_| ())),
    ("batch_execute", |c, key| c.batch_execute(&slow(key))),
    ("simple_query", |c, key| c.simple_query(&slow(key))?.finish().map(|_| ())),
    ("query", |c, key| c.query(&*slow(key), ())?.finish().map(|_| ())),
    ("execute_many", |c, key| c.execute_many(&*slow(key), [()]).map(|_| ())),
    ("pipeline", |c, key| {
        let mut pipeline = c.pipeline()?;
        pipeline.execute(&*slow(key), ())?;
        pipeline.finish().map(|_| ())
    }),
    ("copy_in", |c, key| {
        let mut copy = c.copy_in("copy slow_commit from stdin")?;
        copy.send(format!("{key}\n").as_bytes())?;
        copy.finish().map(|_| ())
    }),
    ("copy_out", |c, key| {
        let mut copy = c.copy_out(&format!("copy ({} returning key) to stdout", slow(key)))?;
        while copy.next()?.is_some() {}
        Ok(())
    }),
    ("commit", |c, key| {
        let mut tx = c.transaction()?;
        tx.execute("insert into slow_commit values ($1)", (key,))?;
        tx.commit()
    }),
];

/// The verbs within a transaction. COMMIT was not sent: the row will not appear.
const INSIDE: &[(&str, Slow)] = &[
    ("execute in a transaction", |c, key| c.transaction()?.execute(&*slow(key), ()).map(|_| ())),
    ("batch_execute in a transaction", |c, key| c.transaction()?.batch_execute(&slow(key))),
    ("execute in a savepoint", |c, key| {
        let mut tx = c.transaction()?;
        let mut savepoint = tx.savepoint()?;
        savepoint.execute(&*slow(key), ()).map(|_| ())
    }),
    ("portal", |c, key| {
        let mut tx = c.transaction()?;
        let portal = tx.portal(&*format!("{} returning key", slow(key)), ())?;
        tx.fetch(&portal, 5)?.finish().map(|_| ())
    }),
];

/// Goes on when the lock is free.
fn slow(key: i64) -> String {
    format!("insert into work select {key}, 'slow' from pg_advisory_xact_lock_shared(42)")
}

/// A commit waits as well, and then puts the row in.
const SLOW_COMMIT: &str = "
    create table slow_commit (key bigint);
    create function slow() returns trigger language plpgsql as $$ begin
        perform pg_advisory_xact_lock_shared(42);
        insert into work values (new.key, 'slow');
        return null;
    end $$;
    create constraint trigger slow after insert on slow_commit deferrable initially deferred
        for each row execute function slow();
    grant all on all tables in schema public to public;
";

/// Runs all verbs at once and does something to the pooler or its servers while they wait. Once
/// they have failed the server may go on. Answers with the number of rows that appeared.
fn all_verbs(pooled: &Pooled, port: u16, meanwhile: impl FnOnce()) -> i64 {
    pooled.cluster.psql(pooled.database, SLOW_COMMIT);
    let errors = pooled.session_at(pooled.cluster.port(), |holder| {
        holder.execute("select pg_advisory_lock(42)", ()).unwrap();
        errors(pooled, port, meanwhile)
    });
    pooled.settle();
    let (mut rows, mut wrong) = (0, Vec::new());
    for ((key, (name, _)), error) in (1..).zip(verbs()).zip(errors) {
        let count = pooled.count(key);
        rows += count;
        let inside = key > VERBS.len() as i64;
        let right = if inside { Outcome::Refused } else { Outcome::Unknown };
        if error.outcome() != right || inside && count > 0 {
            wrong.push(format!("{name}: {error}; {count} rows"));
        }
    }
    assert!(wrong.is_empty(), "outcomes that are not so:\n{}", wrong.join("\n"));
    rows
}

fn errors(pooled: &Pooled, port: u16, meanwhile: impl FnOnce()) -> Vec<Error> {
    let run = |key: i64, name: &str, verb: Slow| {
        pooled.session_at(port, |c| {
            let error = verb(c, key).expect_err(name);
            assert!(!c.is_usable(), "{name}: {error}");
            let then = c.execute("select 1", ()).unwrap_err();
            assert_eq!(then.outcome(), Outcome::NotSent, "{name}: {then}");
            error
        })
    };
    thread::scope(|scope| {
        let start = |(key, &(name, verb))| scope.spawn(move || run(key, name, verb));
        let threads: Vec<_> = (1..).zip(verbs()).map(start).collect();
        let waiting = pooled.backends("wait_event = 'advisory'");
        let all = threads.len();
        pooled.cluster.wait_until(&format!("select count(*) = {all} {waiting}"));
        meanwhile();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn verbs() -> impl Iterator<Item = &'static (&'static str, Slow)> {
    VERBS.iter().chain(INSIDE)
}

const POOL: u32 = 20;

/// The pooler hangs up on both sides, and the server goes on: everything is done all the same.
#[test]
fn a_pooler_that_does_not_wait() {
    let pooled = Pooled::new("impatient", POOL, &["query_timeout = 1"]);
    assert_eq!(all_verbs(&pooled, pooled.pooler.port(), || {}), VERBS.len() as i64);
}

/// As above, on the word of an administrator.
#[test]
fn a_pooler_that_is_told_to_hang_up() {
    let pooled = Pooled::new("hung_up", POOL, &[]);
    let kill = || drop(pooled.pooler.admin("kill hung_up"));
    assert_eq!(all_verbs(&pooled, pooled.pooler.port(), kill), VERBS.len() as i64);
}

/// Nothing is done, and no client can know.
#[test]
fn servers_that_are_ended() {
    for direct in [false, true] {
        let pooled = Pooled::new(if direct { "ended" } else { "ended_pool" }, POOL, &[]);
        let port = if direct { pooled.cluster.port() } else { pooled.pooler.port() };
        let rows = all_verbs(&pooled, port, || {
            let ended = pooled.backends("wait_event = 'advisory'");
            pooled.cluster.psql("test", &format!("select pg_terminate_backend(pid) {ended}"));
        });
        assert_eq!(rows, 0);
    }
}

const INSERT: &str = "insert into work values ($1, 'x')";

/// Errors that wait for the client before it asks, and those of a pool without a free server.
#[test]
fn a_pooler_that_hangs_up_between_verbs() {
    let timeouts = ["client_idle_timeout = 1", "idle_transaction_timeout = 1"];
    let pooled = Pooled::new("idle", 1, &timeouts);
    let hung_up = |reason: &str| {
        let start = Instant::now();
        while !pooled.pooler.log().contains(reason) {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", pooled.pooler.log());
            thread::sleep(Duration::from_millis(20));
        }
    };
    // Nothing was sent, or no one knows.
    let idle = pooled.session(|c| {
        hung_up("closing because: client_idle_timeout");
        c.execute(INSERT, (1_i64,)).unwrap_err()
    });
    assert!(matches!(idle.outcome(), Outcome::NotSent | Outcome::Unknown), "{idle}");
    // COMMIT was not sent; if it is sent then, it is too late.
    let (statement, commit) = pooled.session(|c| {
        let mut tx = c.transaction().unwrap();
        tx.execute(INSERT, (2_i64,)).unwrap();
        hung_up("closing because: idle transaction timeout");
        let statement = tx.execute(INSERT, (3_i64,)).unwrap_err();
        (statement, tx.commit().unwrap_err())
    });
    assert!(matches!(statement.outcome(), Outcome::NotSent | Outcome::Refused), "{statement}");
    assert!(matches!(commit.outcome(), Outcome::NotSent | Outcome::Refused), "{commit}");
    pooled.settle();
    assert_eq!([1, 2, 3].map(|key| pooled.count(key)), [0; 3]);
}

/// No server connection is free in time. The statement was sent, and not on; from its session a
/// client cannot tell this from the other errors of a pooler.
#[test]
fn a_pooler_without_a_free_server() {
    let pooled = Pooled::new("full_pool", 1, &["query_wait_timeout = 1"]);
    let error = pooled.session(|waiting| {
        pooled.session(|busy| {
            let _transaction = busy.transaction().unwrap();
            waiting.execute(INSERT, (1_i64,)).unwrap_err()
        })
    });
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(pooled.count(1), 0);
}

/// Pgpool-II in its mode `raw` opens a transaction before the first Parse in each of its processes, and leaves it
/// open: what it acknowledges then is not committed, and gone with the session.
#[test]
fn a_pooler_that_opens_transactions_by_itself() {
    let pooled = Pooled::new("pgpool", 1, &[]);
    let pgpool = Pgpool::start(pooled.cluster);
    let (mut acknowledged, mut unsolicited, mut refused) = (Vec::new(), 0, 0);
    for session in 0..12 {
        pooled.session_at(pgpool.port(), |c| {
            // In every third one a statement fails first, and what was opened with it.
            let key = "insert into parent values ($1)";
            if session % 3 == 0
                && let Err(error) = c.execute_many(key, [(session,), (session,)])
            {
                assert_eq!(error.outcome(), Outcome::Refused, "{error}");
                refused += i32::from(!error.is_usable());
            }
            for key in 10 * i64::from(session)..10 * i64::from(session) + 3 {
                let error = match c.execute(INSERT, (key,)) {
                    Ok(_) => {
                        acknowledged.push(key);
                        continue;
                    }
                    Err(error) => error,
                };
                assert!(!c.is_usable(), "{error}");
                if error.outcome() == Outcome::Unknown {
                    let kind = ErrorKind::Protocol(ProtocolError::UnsolicitedTransaction);
                    assert_eq!(error.kind(), kind);
                    unsolicited += 1;
                }
            }
        });
    }
    pooled.settle();
    let lost: Vec<_> = acknowledged.iter().filter(|key| pooled.count(**key) == 0).collect();
    assert!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    assert!(unsolicited > 0 && refused > 0, "{unsolicited}, {refused}: what is tested here?");
    assert!(acknowledged.len() > 9, "{acknowledged:?}");
}

/// Pgpool-II says XX000 of a server that it has lost. The next session works.
#[test]
fn a_pooler_that_calls_a_lost_server_an_internal_error() {
    let pooled = Pooled::new("pgpool_lost", 1, &[]);
    let pgpool = Pgpool::start(pooled.cluster);
    let error = pooled.session_at(pgpool.port(), |c| {
        c.ping().unwrap();
        let idle = pooled.backends("state = 'idle'");
        pooled.cluster.psql("test", &format!("select pg_terminate_backend(pid) {idle}"));
        // The pooler has noticed by the second one at the latest.
        c.ping().and_then(|()| c.ping()).unwrap_err()
    });
    assert_eq!((error.is_usable(), error.remedy()), (false, Remedy::Retry), "{error}");
    pooled.session_at(pgpool.port(), |c| c.ping().unwrap());
}
