//! PgBouncer in front of a cluster. Source: pgbouncer.ini(5).

use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::pg::{Cluster, free_port};
use crate::provision;
use crate::scratch::Scratch;

/// When a server connection goes back to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// At the end of each transaction.
    Transaction,
}

/// A running PgBouncer with one server connection per user, stopped when dropped.
///
/// It asks its clients for SCRAM and knows `scram_user`; the only database is `test`.
#[derive(Debug)]
pub struct PgBouncer {
    child: Child,
    port: u16,
    scratch: Scratch,
}

impl PgBouncer {
    /// Starts PgBouncer. Panics with the reason if it cannot.
    pub fn start(cluster: &Cluster, mode: PoolMode) -> PgBouncer {
        PgBouncer::try_start(cluster, mode).unwrap_or_else(|error| panic!("PgBouncer: {error}"))
    }

    /// Starts PgBouncer.
    pub fn try_start(cluster: &Cluster, mode: PoolMode) -> Result<PgBouncer, String> {
        let program = provision::program("pgbouncer", "pgbouncer")?;
        let port = free_port()?;
        // It watches for the end of its own process only, so the reaper ends it by its pid file.
        let wish = "kill -9 \"$(cat \"$D/pid\")\"";
        let scratch = Scratch::new("barepg-bouncer", wish).map_err(|error| error.to_string())?;
        let dir = scratch.path();
        let mode = match mode {
            PoolMode::Session => "session",
            PoolMode::Transaction => "transaction",
        };
        let ini = format!(
            "[databases]
test = host={sockets} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {dir}
pidfile = {dir}/pid
logfile = {dir}/log
auth_type = scram-sha-256
auth_file = {dir}/users
pool_mode = {mode}
default_pool_size = 1
server_lifetime = 60
",
            sockets = cluster.socket_dir().display(),
            server_port = cluster.port(),
            dir = dir.display(),
        );
        for (file, text) in [("ini", &*ini), ("users", "\"scram_user\" \"scram_user_pw\"\n")] {
            let path = dir.join(file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let mut command = Command::new(program);
        command.arg("-q").arg(dir.join("ini"));
        Account::for_servers().apply(&mut command, dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| error.to_string())?;
        let bouncer = PgBouncer { child, port, scratch };
        bouncer.wait()?;
        Ok(bouncer)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory with the UNIX socket.
    pub fn socket_dir(&self) -> PathBuf {
        self.scratch.path().to_path_buf()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn wait(&self) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            match TcpStream::connect(("127.0.0.1", self.port)) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("not ready after 10 s\n{}", self.log()))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
