//! The servers that the tests work with: PostgreSQL itself, or PgBouncer before it.
//!
//! ```text
//! BAREPG_POOLER=1 cargo test --test live -- --test-threads=2
//! ```
//! runs them all through PgBouncer in transaction mode, with one server connection that another
//! client uses between the test's transactions. Tests of what such a pooler cannot do are listed
//! in [`SESSION`] with the reason, and get PgBouncer in session mode; those in [`DIRECT`] get the
//! server itself.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use barepg::types::oid;
use barepg::{Client, Result, Storage};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::pgbouncer::{Options, PgBouncer, PoolMode};

use crate::common::{Host, role, tcp};

/// The major versions that every test here runs on: the oldest obtainable, the one of the
/// machine, the newest.
pub const MAJORS: [u16; 3] = [10, 15, 18];

/// Tests of what needs a server session of its own.
const SESSION: &[(&str, &str)] = &[
    ("notify::notifications_are_waited_for", LISTEN),
    ("notify::what_arrives_meanwhile_is_queued_or_counted", LISTEN),
    ("notify::a_notification_larger_than_the_buffer_is_skipped", LISTEN),
    ("notify::the_session_ends_while_waiting", LISTEN),
    (
        "work::an_administrator_ends_the_session",
        "in transaction mode an idle client has no server session that could be ended",
    ),
    (
        "pipeline::statements_in_flash_are_prepared_once_per_session",
        "its second session makes a temporary table again, which the first one's server session \
         still has",
    ),
];

const LISTEN: &str = "LISTEN holds for a server session, which others use meanwhile";

/// Tests that reach the server itself.
const DIRECT: &[(&str, &str)] = &[
    (
        "login::every_dialect_that_postgresql_speaks",
        "PgBouncer hangs up on openGauss's protocol version",
    ),
    ("login::unknown_database_and_user", OWN_CODE),
    ("login::wrong_and_missing_passwords", OWN_CODE),
    (
        "login::the_servers_limits_hold_from_the_first_statement",
        "PgBouncer refuses them as parameters of the start-up packet",
    ),
    ("hardware::a_peripheral_does_the_hashing", "PgBouncer makes a new salt for every login"),
    ("hardware::a_single_wrong_hash_logs_nobody_in_and_is_not_kept", OWN_CODE),
    ("login::the_smallest_buffers_log_in", PIECES),
    ("copy::the_smallest_buffers_and_rows_larger_than_them", PIECES),
    ("login::nothing_is_sent_with_a_configuration_that_cannot_work", "it does not log in"),
    (
        "weak::a_few_bytes_at_a_time",
        "PgBouncer before 1.23 hangs up on a start-up packet in pieces, and it listens",
    ),
    (
        "weak::a_link_that_breaks_at_any_call",
        "it waits for the end of server sessions, which a pooler keeps; tests/outcomes cuts links \
         before and after a pooler",
    ),
];

const PIECES: &str =
    "PgBouncer refuses a login message that arrives in pieces: see `limits::MIN_TX`";

const OWN_CODE: &str = "PgBouncer refuses logins with a code of its own, 08P01";

/// A server, and what stands before it. Used as the [`Cluster`], but for its port.
pub struct Server {
    cluster: &'static Cluster,
    pooled: Option<Pooled>,
}

struct Pooled {
    pooler: PgBouncer,
    /// In transaction mode.
    other: Option<Other>,
}

impl Server {
    /// The server of a major version, after PgBouncer if that is asked for and the test that
    /// calls this can do with it.
    fn new(major: u16) -> Self {
        let cluster = pg::shared(major);
        let start = |mode| {
            // A session takes a server connection until its end.
            let pool_size = if mode == PoolMode::Session { 4 } else { 1 };
            let options = Options { mode, pool_size, ..Options::default() };
            let pooler = PgBouncer::start_with(cluster, &options);
            let other = (mode == PoolMode::Transaction).then(|| Other::start(pooler.port()));
            Pooled { pooler, other }
        };
        Self { cluster, pooled: mode().map(start) }
    }

    /// The server itself, for other threads.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Where the driver connects to, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.pooled.as_ref().map_or(self.cluster.port(), |pooled| pooled.pooler.port())
    }
}

impl Deref for Server {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.cluster
    }
}

/// The test is over: it must have come by here.
impl Drop for Server {
    fn drop(&mut self) {
        let Some(Pooled { pooler, other }) = &mut self.pooled else { return };
        let others = other.as_mut().map_or(0, Other::stop);
        let log = pooler.log();
        let logins = log.matches("login attempt").count();
        assert!(logins > others || thread::panicking(), "it went past the pooler:\n{log}");
    }
}

/// Runs a test on each of [`MAJORS`].
pub fn on_each(test: impl Fn(&Server)) {
    for major in MAJORS {
        println!("PostgreSQL {major}");
        test(&Server::new(major));
    }
}

/// The machine's own major version.
pub fn usual() -> Server {
    Server::new(15)
}

/// How PgBouncer is to work for the current test, if at all.
fn mode() -> Option<PoolMode> {
    std::env::var_os("BAREPG_POOLER")?;
    let thread = thread::current();
    let name = thread.name().filter(|name| *name != "main");
    let name = name.expect("each test has a thread of its name with --test-threads=2");
    let listed = |list: &[(&str, &str)]| list.iter().any(|(test, _)| *test == name);
    if listed(DIRECT) {
        return None;
    }
    Some(if listed(SESSION) { PoolMode::Session } else { PoolMode::Transaction })
}

/// Another client of the pooler, which uses the same server connection whenever it is free.
struct Other {
    stop: Arc<AtomicBool>,
    logins: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Other {
    fn start(port: u16) -> Self {
        let (stop, logins) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&logins));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                counted.fetch_add(1, Ordering::SeqCst);
                // Some tests end server sessions, and hold them for longer than it waits.
                let _ = work(port, &stopped);
            }
        });
        Self { stop, logins, thread: Some(thread) }
    }

    /// Stops it. Answers with how often it has logged in at most.
    fn stop(&mut self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || thread::panicking(), "another client got a strange answer");
        self.logins.load(Ordering::SeqCst)
    }
}

/// Statements of every kind, each with an answer that is no one else's.
fn work(port: u16, stopped: &AtomicBool) -> Result<()> {
    let mut storage = Storage::<512, 512>::new();
    let config = role("scram_user");
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(port))?;
    let prepared = c.prepare("select $1 - 1000", &[oid::INT4])?;
    for n in 0.. {
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        assert_eq!(c.query_one("select $1 - 2000", (n,))?.get::<i32>(0), Ok(n - 2000));
        assert_eq!(c.query_one(&prepared, (n,))?.get::<i32>(0), Ok(n - 1000));
        c.batch_execute("select 1; select 2")?;
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[test]
fn every_test_in_the_lists_is_there() {
    for (test, reason) in SESSION.iter().chain(DIRECT) {
        let (module, name) = test.split_once("::").unwrap();
        let path = format!("{}/tests/live/{module}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(&format!("\nfn {name}()")), "{path} has no {name}");
        assert!(!reason.is_empty());
    }
}
