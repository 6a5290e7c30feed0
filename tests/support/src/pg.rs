//! Private PostgreSQL servers.
//!
//! ```no_run
//! use barepg_testkit::pg;
//! let server = pg::shared(15);
//! server.psql("test", "create table t (id integer)");
//! let address = ("127.0.0.1", server.port());
//! ```
//!
//! Every cluster has the superuser `postgres` (trusted on the UNIX socket, refused over TCP), the
//! database `test`, and one login role per authentication method: `trust_user`, `pass_user`,
//! `md5_user`, `scram_user` (4,096 iterations) and `cert_user` (TLS only). The method holds over
//! TCP and over the UNIX socket. A role's password is its name followed by `_pw`.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

mod conf;

use crate::account::Account;
use crate::certs::Authority;
use crate::child::{Process, children, signal};
use crate::provision::{self, USUAL_MAJOR};
use crate::scratch::Scratch;

/// How to start a cluster.
#[derive(Debug, Clone)]
pub struct Options {
    /// The major version; [`USUAL_MAJOR`] by default.
    pub major: u16,
    /// Whether the server offers TLS; it does by default.
    pub ssl: bool,
    /// More lines for `postgresql.conf`; they win over the testkit's own.
    pub extra_conf: Vec<String>,
    /// More lines for `pg_hba.conf`, placed before the testkit's own, so that they win.
    pub extra_hba: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options { major: USUAL_MAJOR, ssl: true, extra_conf: Vec::new(), extra_hba: Vec::new() }
    }
}

impl Options {
    /// The defaults with another major version.
    pub fn major(major: u16) -> Options {
        Options { major, ..Options::default() }
    }
}

/// How a server is made to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Waits for the sessions to end.
    Smart,
    /// Ends the sessions in order: `FATAL` 57P01, then end of file.
    Fast,
    /// As a crash: `WARNING` 57P02, then end of file.
    Immediate,
}

/// A running PostgreSQL server, stopped and removed when dropped, and also when the process that
/// started it is killed.
#[derive(Debug)]
pub struct Cluster {
    scratch: Scratch,
    bin: PathBuf,
    major: u16,
    port: u16,
    certs: Option<Authority>,
    extra_conf: Vec<String>,
}

/// The longest that what `psql` is given may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Stops the server that a killed owner left running, also one that stands still (SIGSTOP).
const CLEANUP: &str = r#"pid=$(head -n 1 "$D/data/postmaster.pid")
kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
"$PG_BIN/pg_ctl" stop -D "$D/data" -m immediate -w -t 10"#;

/// One cluster per major version and process, with the default options, started by the first
/// caller and stopped when the process ends.
pub fn shared(major: u16) -> &'static Cluster {
    static SHARED: OnceLock<Mutex<HashMap<u16, &'static Cluster>>> = OnceLock::new();
    let mut clusters =
        SHARED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    clusters.entry(major).or_insert_with(|| {
        // Never dropped: the reaper sees the end of the process.
        Box::leak(Box::new(Cluster::start(Options::major(major))))
    })
}

impl Cluster {
    /// Starts a cluster. Panics with the reason if it cannot.
    pub fn start(options: Options) -> Cluster {
        let major = options.major;
        Cluster::try_start(options).unwrap_or_else(|error| panic!("PostgreSQL {major}: {error}"))
    }

    /// Starts a cluster.
    pub fn try_start(options: Options) -> Result<Cluster, String> {
        let mut cluster = Cluster::directory(&options)?;
        let data = cluster.data_dir();
        cluster.tool("initdb", |command| {
            command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"]);
            command.arg(&data);
        })?;
        if options.ssl {
            let authority = Authority::new(&cluster.certs_dir(), "barepg-test-ca")?;
            authority.issue("server", &["DNS:localhost", "IP:127.0.0.1"], "serverAuth")?;
            authority.issue("cert_user", &[], "clientAuth")?;
            cluster.certs = Some(authority);
        }
        cluster.write("data/pg_hba.conf", &conf::hba(&options))?;
        cluster.append_conf(&conf::settings(&cluster))?;
        cluster.append_conf(&options.extra_conf.join("\n"))?;
        cluster.launch()?;
        cluster.try_psql("postgres", &conf::roles())?;
        cluster.try_psql("postgres", "create database test")?;
        // From PostgreSQL 15 on, only the owner may create in the schema public.
        cluster.try_psql("test", "grant all on schema public to public")?;
        Ok(cluster)
    }

    /// Starts a streaming standby of `primary`, with its certificates and settings.
    pub fn standby_of(primary: &Cluster) -> Cluster {
        Cluster::try_standby_of(primary).unwrap_or_else(|error| panic!("standby: {error}"))
    }

    /// Starts a streaming standby of `primary`.
    pub fn try_standby_of(primary: &Cluster) -> Result<Cluster, String> {
        let mut cluster = Cluster::directory(&Options::major(primary.major))?;
        cluster.extra_conf.clone_from(&primary.extra_conf);
        let data = cluster.data_dir();
        if provision::client_major("pg_basebackup")? >= primary.major {
            let mut command = Command::new(provision::client("pg_basebackup")?);
            command.arg("-h").arg(primary.socket_dir()).args(["-p", &primary.port.to_string()]);
            command.args(["-U", "postgres", "-c", "fast", "-X", "stream", "-N", "-R", "-D"]);
            command.arg(&data);
            Account::for_servers().apply(&mut command, cluster.dir());
            provision::run(&mut command)?;
        } else {
            cluster.copy_cold(primary)?;
        }
        if let Some(authority) = &primary.certs {
            let copies = cluster.certs_dir();
            let mut command = Command::new("cp");
            command.arg("-a").arg(authority.path(".")).arg(&copies);
            Account::for_servers().apply(&mut command, cluster.dir());
            provision::run(&mut command)?;
            cluster.certs = Some(Authority::existing(&copies));
        }
        cluster.append_conf(&conf::settings(&cluster))?;
        cluster.append_conf(&cluster.extra_conf.join("\n"))?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// The TCP port on 127.0.0.1; the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The major version.
    pub fn major(&self) -> u16 {
        self.major
    }

    /// The directory with the UNIX socket `.s.PGSQL.<port>`.
    pub fn socket_dir(&self) -> PathBuf {
        self.dir().join("sock")
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join("data")
    }

    /// The cluster's directory, for files of a test; removed with it.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The authority of the server's certificate, which names `localhost` and 127.0.0.1, and
    /// of that of `cert_user`. Panics if the cluster was started without `ssl`.
    pub fn authority(&self) -> &Authority {
        self.certs.as_ref().expect("the cluster was started with ssl")
    }

    /// A libpq connection string for one of the roles over TCP, database `test`, no `sslmode`.
    pub fn conninfo(&self, user: &str) -> String {
        let port = self.port;
        format!("host=127.0.0.1 port={port} dbname=test user={user} password={user}_pw")
    }

    /// Runs SQL as `postgres`, each statement on its own, and returns unaligned rows with `|`
    /// between columns. Panics with the server's message if a statement fails.
    pub fn psql(&self, db: &str, sql: &str) -> String {
        self.try_psql(db, sql).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`psql`](Cluster::psql), with the failure as a value.
    pub fn try_psql(&self, db: &str, sql: &str) -> Result<String, String> {
        let mut command = Command::new(provision::client("psql")?);
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-f", "-", "-d", db]);
        command.arg("-h").arg(self.socket_dir()).args(["-p", &self.port.to_string()]);
        Account::for_servers().apply(&mut command, self.dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = Process::start(&mut command)?.output(sql.as_bytes(), LIMIT)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_string());
        }
        Err(format!("psql: {}\nin: {sql}", String::from_utf8_lossy(&output.stderr).trim_end()))
    }

    /// Asks again and again until the answer is true; the database is `test`. Panics after 20 s.
    pub fn wait_until(&self, sql: &str) {
        let start = Instant::now();
        while self.psql("test", sql) != "t" {
            assert!(start.elapsed() < Duration::from_secs(20), "it did not come about: {sql}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the server and waits until it is gone. The port and the data stay.
    pub fn stop(&self, mode: StopMode) {
        let mode = match mode {
            StopMode::Smart => "smart",
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        self.pg_ctl(&["stop", "-w", "-t", "60", "-m", mode]).unwrap_or_else(|e| panic!("{e}"));
    }

    /// Starts a server that was stopped.
    pub fn start_again(&self) {
        self.begin().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Stops and starts the server.
    pub fn restart(&self, mode: StopMode) {
        self.stop(mode);
        self.start_again();
    }

    /// Makes the server read its configuration files again.
    pub fn reload(&self) {
        self.pg_ctl(&["reload"]).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Ends recovery of a standby and waits until it takes writes.
    pub fn promote(&self) {
        self.pg_ctl(&["promote", "-w", "-t", "60"]).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The process id of the postmaster, for tests that pause it.
    pub fn pid(&self) -> u32 {
        let file = fs::read_to_string(self.data_dir().join("postmaster.pid"));
        let file = file.expect("the server is running");
        file.lines().next().and_then(|line| line.trim().parse().ok()).expect("a process id")
    }

    /// All processes of the server, the postmaster first.
    pub fn pids(&self) -> Vec<u32> {
        let postmaster = self.pid();
        std::iter::once(postmaster).chain(children(postmaster)).collect()
    }

    /// Ends all processes of the server at once, as a loss of power does.
    pub fn kill(&self) {
        signal("KILL", &self.pids());
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    /// Adds lines to `postgresql.conf`. They hold after a reload or restart.
    pub fn append_conf(&self, lines: &str) -> Result<(), String> {
        let path = self.data_dir().join("postgresql.conf");
        let failed = |error| format!("{}: {error}", path.display());
        let mut file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        writeln!(file, "\n{lines}").map_err(failed)
    }

    /// A standby of a primary that is newer than the programs for it: a copy of its files while
    /// it is stopped.
    fn copy_cold(&self, primary: &Cluster) -> Result<(), String> {
        let data = self.data_dir();
        primary.stop(StopMode::Fast);
        let mut command = Command::new("cp");
        command.arg("-a").arg(primary.data_dir().join(".")).arg(&data);
        Account::for_servers().apply(&mut command, self.dir());
        let copied = provision::run(&mut command);
        primary.start_again();
        copied?;
        let signal = data.join("standby.signal");
        fs::write(&signal, "").map_err(|error| format!("{}: {error}", signal.display()))?;
        let (dir, port) = (primary.socket_dir(), primary.port);
        let source = format!("host={} port={port} user=postgres", dir.display());
        self.append_conf(&format!("primary_conninfo = '{source}'"))
    }

    fn directory(options: &Options) -> Result<Cluster, String> {
        let installed = provision::postgres(options.major)?;
        let cleanup = CLEANUP.replace("$PG_BIN", &installed.display().to_string());
        let account = Account::for_servers();
        let reachable = account.can_run(&installed.join("postgres"));
        let cleanup = if reachable { cleanup } else { CLEANUP.replace("$PG_BIN", "$D/pg/bin") };
        let failed = |error| format!("temporary directory: {error}");
        let scratch = Scratch::new("barepg-pg", &cleanup).map_err(failed)?;
        let dir = scratch.path().to_path_buf();
        for name in ["data", "sock", "certs"] {
            let path = dir.join(name);
            fs::create_dir(&path).map_err(failed)?;
            account.own(&path).map_err(failed)?;
        }
        // initdb and pg_basebackup insist on this.
        let mut command = Command::new("chmod");
        command.arg("700").arg(dir.join("data"));
        provision::run(&mut command)?;
        let bin = if reachable { installed } else { copy_in(&installed, &dir)? };
        let (major, certs, extra_conf) = (options.major, None, options.extra_conf.clone());
        Ok(Cluster { scratch, bin, major, port: free_port()?, certs, extra_conf })
    }

    /// Starts the server, on another port if the chosen one was taken meanwhile.
    fn launch(&mut self) -> Result<(), String> {
        for _ in 0..3 {
            let Err(error) = self.begin() else { return Ok(()) };
            if !self.log().contains("could not bind") && !error.contains("could not bind") {
                return Err(error);
            }
            self.port = free_port()?;
            self.append_conf(&format!("port = {}", self.port))?;
        }
        Err(format!("no free port found\n{}", self.log()))
    }

    fn begin(&self) -> Result<(), String> {
        let log = self.dir().join("log");
        let log = log.display().to_string();
        self.pg_ctl(&["start", "-w", "-t", "60", "-l", &log])
            .map_err(|error| format!("{error}\nserver log:\n{}", self.log()))
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<(), String> {
        let data = self.data_dir();
        self.tool("pg_ctl", |command| {
            command.args(arguments).arg("-D").arg(data);
        })
    }

    fn tool(&self, name: &str, arguments: impl FnOnce(&mut Command)) -> Result<(), String> {
        let mut command = Command::new(self.bin.join(name));
        arguments(&mut command);
        Account::for_servers().apply(&mut command, self.dir());
        provision::run(&mut command).map(|_| ())
    }

    fn certs_dir(&self) -> PathBuf {
        self.dir().join("certs")
    }

    fn write(&self, file: &str, text: &str) -> Result<(), String> {
        let path = self.dir().join(file);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Copies a server that its account cannot reach, in a private home directory say.
fn copy_in(bin: &Path, dir: &Path) -> Result<PathBuf, String> {
    let home = bin.parent().ok_or("a server outside a directory")?;
    let copy = dir.join("pg");
    provision::run(Command::new("cp").arg("-R").arg(home).arg(&copy))?;
    provision::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy))?;
    Ok(copy.join("bin"))
}

pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|error| format!("port: {error}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|error| format!("port: {error}"))
}
