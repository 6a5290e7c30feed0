//! Pgpool-II in front of a cluster. Source: its manual, chapter 5. It refuses every protocol version but
//! 2.0 and 3.0 with an error of its own.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::account::Account;
use crate::child::{Process, signal};
use crate::pg::{Cluster, free_port};
use crate::provision;
use crate::scratch::Scratch;
use crate::sockets;

/// A running Pgpool-II, stopped when dropped. It leaves all questions of passwords to the cluster, and so
/// serves `trust_user`.
#[derive(Debug)]
pub struct Pgpool {
    process: Process,
    port: u16,
    scratch: Scratch,
}

impl Pgpool {
    /// Starts Pgpool-II. Panics with the reason if it cannot.
    pub fn start(cluster: &Cluster) -> Pgpool {
        Pgpool::try_start(cluster).unwrap_or_else(|error| panic!("Pgpool-II: {error}"))
    }

    /// Starts Pgpool-II.
    pub fn try_start(cluster: &Cluster) -> Result<Pgpool, String> {
        // Debian has it where only administrators look.
        let program = match provision::which("pgpool") {
            Some(program) => program,
            None => {
                let usual = std::path::PathBuf::from("/usr/sbin/pgpool");
                if !usual.exists() {
                    provision::apt("Pgpool-II", &["pgpool2"])?;
                }
                usual
            }
        };
        let (port, pcp_port) = (free_port()?, free_port()?);
        let cleanup = "kill -9 \"$(cat \"$D/pid\")\"";
        let scratch = Scratch::new("barepg-pgpool", cleanup).map_err(|error| error.to_string())?;
        let dir = scratch.path();
        let conf = format!(
            "listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{dir}'
pcp_listen_addresses = '127.0.0.1'
pcp_port = {pcp_port}
pcp_socket_dir = '{dir}'
backend_clustering_mode = 'raw'
backend_hostname0 = '127.0.0.1'
backend_port0 = {server}
backend_weight0 = 1
backend_data_directory0 = '{dir}'
enable_pool_hba = off
pool_passwd = ''
num_init_children = 4
max_pool = 1
pid_file_name = '{dir}/pid'
logdir = '{dir}'
work_dir = '{dir}'
health_check_period = 0
sr_check_period = 0
failover_on_backend_error = off
",
            dir = dir.display(),
            server = cluster.port(),
        );
        for (file, text) in [("conf", conf.as_str()), ("pcp", ""), ("hba", "")] {
            let path = dir.join(file);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let log = fs::File::create(dir.join("log")).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("-n").arg("-f").arg(dir.join("conf")).arg("-F").arg(dir.join("pcp"));
        command.arg("-a").arg(dir.join("hba"));
        Account::for_servers().apply(&mut command, dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = Process::start(&mut command)?;
        let pool = Pgpool { process, port, scratch };
        pool.wait()?;
        Ok(pool)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }

    fn wait(&self) -> Result<(), String> {
        let ready = sockets::wait_for(self.port, Duration::from_secs(20));
        ready.map_err(|error| format!("{error}\n{}", self.log()))
    }
}

impl Drop for Pgpool {
    fn drop(&mut self) {
        // Its children go with it when it is asked to stop, not when it is killed.
        signal("INT", &[self.process.id()]);
        let _ = self.process.wait(Duration::from_secs(10));
    }
}
