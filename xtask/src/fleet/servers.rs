//! The servers: with room for the devices, their time, and what is in the table.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use barepg_testkit::child::children;
use barepg_testkit::pg::{Cluster, Options};
use barepg_testkit::pgbouncer::{self, PgBouncer};

use super::devices::Device;

/// The role of the devices.
pub const ROLE: &str = "scram_user";

/// Clock ticks a second in /proc: the same on all common systems.
const TICKS: u64 = 100;

/// Connections that only the superuser gets: `superuser_reserved_connections`.
pub const SUPERUSER: u64 = 3;

/// A server with the table, for so many sessions and what the testkit asks.
pub fn server(sessions: u64) -> Result<Cluster, String> {
    with_connections(sessions + 10)
}

/// A server with the table and so many connections, those of the superuser among them.
pub fn with_connections(count: u64) -> Result<Cluster, String> {
    let extra_conf = vec![
        format!("max_connections = {count}"),
        "shared_buffers = 128MB".to_string(),
        "authentication_timeout = 60".to_string(),
        "log_checkpoints = off".to_string(),
    ];
    let server = Cluster::try_start(Options { ssl: false, extra_conf, ..Options::default() })?;
    server.try_psql("test", SCHEMA)?;
    Ok(server)
}

const SCHEMA: &str = "create table reading (
        device integer, key bigint, value integer, primary key (device, key));
    grant all on reading to public";

/// A pooler in transaction mode, as docs/fleet.md has it.
pub fn pooler(server: &Cluster, devices: u64) -> Result<PgBouncer, String> {
    pooler_with(server, pgbouncer::Options { extra: extra(devices), ..options() })
}

/// A pooler with other options.
pub fn pooler_with(server: &Cluster, options: pgbouncer::Options) -> Result<PgBouncer, String> {
    PgBouncer::try_start(server, &options)
}

/// Transaction mode, 20 server connections, verifiers.
pub fn options() -> pgbouncer::Options {
    pgbouncer::Options { pool_size: 20, verifiers: true, ..pgbouncer::Options::default() }
}

/// For so many devices.
pub fn extra(devices: u64) -> Vec<String> {
    vec![
        format!("max_client_conn = {}", devices + 100),
        "listen_backlog = 4096".to_string(),
        "log_connections = 0".to_string(),
        "log_disconnections = 0".to_string(),
        "server_login_retry = 1".to_string(),
        "tcp_keepidle = 60".to_string(),
        "tcp_keepintvl = 10".to_string(),
        "tcp_keepcnt = 3".to_string(),
    ]
}

/// A connection string of the devices.
pub fn conninfo(port: u16) -> String {
    format!(
        "host=127.0.0.1 port={port} dbname=test user={ROLE} password={ROLE}_pw dialect=postgresql"
    )
}

/// Rows that are not what the devices have pushed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    pub rows: u64,
    pub lost: u64,
    pub doubled: u64,
}

/// Compares the table with what the devices have pushed.
pub fn compare(server: &Cluster, devices: &[Device]) -> Result<Compared, String> {
    let sql = "select device, count(*), count(distinct value) from reading group by device";
    let mut there = BTreeMap::new();
    for line in server.try_psql("test", sql)?.lines() {
        let numbers: Option<Vec<u64>> = line.split('|').map(|word| word.parse().ok()).collect();
        let Some([device, count, distinct]) = numbers.as_deref() else {
            return Err(format!("psql said {line}"));
        };
        there.insert(*device, (*count, *distinct));
    }
    let mut compared = Compared::default();
    for device in devices {
        let (count, distinct) = there.get(&device.index).copied().unwrap_or_default();
        compared.rows += count;
        compared.doubled += count - distinct;
        let expected = device.pushed.saturating_sub(device.waiting + device.dropped);
        compared.lost += expected.saturating_sub(distinct);
    }
    Ok(compared)
}

/// The time that processes had, from a moment on.
pub struct Spent {
    pid: u32,
    before: u64,
    start: Instant,
}

impl Spent {
    /// From now on, of a process and its children, those that have ended among them.
    pub fn since_now(pid: u32) -> Spent {
        Spent { pid, before: cpu_ms(pid), start: Instant::now() }
    }

    /// Milliseconds since then.
    pub fn ms(&self) -> u64 {
        cpu_ms(self.pid).saturating_sub(self.before)
    }

    /// Of the time of all cores since then, in percent.
    pub fn percent(&self) -> u64 {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
        let all = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX) * cores;
        self.ms() * 100 / all.max(1)
    }
}

/// Time of a process, of its children that have ended, and of those that have not.
fn cpu_ms(pid: u32) -> u64 {
    let running: u64 = children(pid)
        .into_iter()
        .filter_map(|child| times(child).map(|[user, system, ..]| user + system))
        .sum();
    let own: u64 = times(pid).map_or(0, |times| times.iter().sum());
    (own + running) * 1000 / TICKS
}

/// utime, stime, cutime, cstime: proc(5).
fn times(pid: u32) -> Option<[u64; 4]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split(' ').collect();
    let times: Vec<u64> = fields.get(11..15)?.iter().filter_map(|word| word.parse().ok()).collect();
    times.try_into().ok()
}
