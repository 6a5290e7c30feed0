//! PgBouncer in front of a cluster. Source: pgbouncer.ini(5).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::child::{self, Process};
use crate::pg::{Cluster, free_port};
use crate::provision;
use crate::scratch::Scratch;
use crate::sockets;

/// The longest that a command on the admin console may take.
const LIMIT: Duration = Duration::from_secs(60);

/// When a server connection goes back to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// At the end of each transaction.
    Transaction,
}

/// How to start a PgBouncer.
#[derive(Debug, Clone)]
pub struct Options {
    /// Transaction mode by default.
    pub mode: PoolMode,
    /// Server connections for each pair of user and database; one by default.
    pub pool_size: u32,
    /// A port on 127.0.0.1 that leads to the server, a relay's say. By default the server's UNIX
    /// socket.
    pub upstream: Option<u16>,
    /// Whether `auth_file` has the server's verifiers of SCRAM in place of passwords.
    pub verifiers: bool,
    /// Most open files; as many as this process may have by default.
    pub descriptors: Option<u32>,
    /// More lines for the section `[pgbouncer]`; they win over the testkit's own.
    pub extra: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            mode: PoolMode::Transaction,
            pool_size: 1,
            upstream: None,
            verifiers: false,
            descriptors: None,
            extra: Vec::new(),
        }
    }
}

/// A running PgBouncer, stopped when dropped.
///
/// It serves all databases of the cluster to `trust_user`, `pass_user`, `md5_user` and
/// `scram_user`, and asks each for a password as the cluster does.
#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    descriptors: Option<u32>,
    port: u16,
    scratch: Scratch,
}

impl PgBouncer {
    /// Starts PgBouncer with one server connection per user and database. Panics with the reason
    /// if it cannot.
    pub fn start(cluster: &Cluster, mode: PoolMode) -> PgBouncer {
        PgBouncer::start_with(cluster, &Options { mode, ..Options::default() })
    }

    /// Starts PgBouncer. Panics with the reason if it cannot.
    pub fn start_with(cluster: &Cluster, options: &Options) -> PgBouncer {
        PgBouncer::try_start(cluster, options).unwrap_or_else(|error| panic!("PgBouncer: {error}"))
    }

    /// Starts PgBouncer.
    pub fn try_start(cluster: &Cluster, options: &Options) -> Result<PgBouncer, String> {
        let port = free_port()?;
        // It watches for the end of its own process only, so the reaper ends it by its pid file.
        let cleanup = "kill -9 \"$(cat \"$D/pid\")\"";
        let scratch = Scratch::new("barepg-bouncer", cleanup).map_err(|error| error.to_string())?;
        let dir = scratch.path();
        let ini = ini(cluster, options, dir, port);
        let users = if options.verifiers { verifiers(cluster)? } else { users() };
        for (file, text) in [("ini", ini), ("users", users), ("hba", hba())] {
            let path = dir.join(file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let descriptors = options.descriptors;
        let process = spawn(dir, descriptors)?;
        let bouncer = PgBouncer { process, descriptors, port, scratch };
        bouncer.wait()?;
        Ok(bouncer)
    }

    /// The TCP port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Ends it at once, with all its links.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts one that was ended. Panics with the reason if it cannot.
    pub fn start_again(&mut self) {
        let again = spawn(self.scratch.path(), self.descriptors);
        self.process = again.unwrap_or_else(|error| panic!("PgBouncer: {error}"));
        self.wait().unwrap_or_else(|error| panic!("PgBouncer: {error}"));
    }

    /// The directory with the UNIX socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.scratch.path().to_path_buf()
    }

    /// Runs a command on the admin console: `reconnect`, `show servers`. Returns unaligned rows
    /// with `|` between columns. Panics with PgBouncer's message if it fails.
    pub fn admin(&self, command: &str) -> String {
        let dir = self.scratch.path();
        let psql = provision::client("psql").unwrap_or_else(|error| panic!("{error}"));
        let mut psql = Command::new(psql);
        // Over the UNIX socket the account that it runs under is let in by this name.
        psql.args(["-XAtq", "-U", "pgbouncer", "-d", "pgbouncer", "-c", command]);
        psql.arg("-h").arg(dir).args(["-p", &self.port.to_string()]);
        Account::for_servers().apply(&mut psql, dir);
        let said = child::run(&mut psql, LIMIT).unwrap_or_else(|error| panic!("{error}"));
        said.trim_end().to_string()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn wait(&self) -> Result<(), String> {
        let ready = sockets::wait_for(self.port, Duration::from_secs(10));
        ready.map_err(|error| format!("{error}\n{}", self.log()))
    }
}

/// Starts the program with the files in a directory.
fn spawn(dir: &Path, descriptors: Option<u32>) -> Result<Process, String> {
    let program = provision::program("pgbouncer", "pgbouncer")?;
    let limit = descriptors.map_or("$(ulimit -Hn)".to_string(), |limit| limit.to_string());
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\"")).arg(program);
    command.arg("-q").arg(dir.join("ini"));
    Account::for_servers().apply(&mut command, dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Process::start(&mut command)
}

/// The login roles and how it asks for their passwords. It logs in at the server for them, and so
/// needs every password.
const ROLES: &[(&str, &str)] = &[
    ("trust_user", "trust"),
    ("pass_user", "password"),
    ("md5_user", "md5"),
    ("scram_user", "scram-sha-256"),
];

fn ini(cluster: &Cluster, options: &Options, dir: &Path, port: u16) -> String {
    let upstream = match options.upstream {
        Some(port) => format!("host=127.0.0.1 port={port}"),
        None => format!("host={} port={}", cluster.socket_dir().display(), cluster.port()),
    };
    let mode = match options.mode {
        PoolMode::Session => "session",
        PoolMode::Transaction => "transaction",
    };
    format!(
        "[databases]
* = {upstream}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {dir}
pidfile = {dir}/pid
logfile = {dir}/log
auth_type = hba
auth_file = {dir}/users
auth_hba_file = {dir}/hba
pool_mode = {mode}
default_pool_size = {pool_size}
server_lifetime = 60
{extra}
",
        dir = dir.display(),
        pool_size = options.pool_size,
        extra = options.extra.join("\n"),
    )
}

fn users() -> String {
    ROLES.iter().map(|(role, _)| format!("\"{role}\" \"{role}_pw\"\n")).collect()
}

/// What the server itself keeps of its users' passwords. PgBouncer logs in with it as well, once a
/// client has shown that it knows the password.
fn verifiers(cluster: &Cluster) -> Result<String, String> {
    let sql = "select format('\"%s\" \"%s\"', rolname, rolpassword) from pg_authid
        where rolpassword is not null";
    cluster.try_psql("postgres", sql)
}

fn hba() -> String {
    let lines = |(role, method): &(&str, &str)| {
        format!("local all {role} {method}\nhost all {role} 127.0.0.1/32 {method}\n")
    };
    ROLES.iter().map(lines).collect()
}
