//! The gateway to copy, at work on this machine: its readings arrive, also after the server has ended its
//! session, and it tells systemd that it lives. This systemd does not listen for long: the gateway must not wait
//! for it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use barepg_testkit::child::{Process, with_parent};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::provision::USUAL_MAJOR;
use barepg_testkit::scratch::Scratch;

use super::Checked;

/// The longest to wait for two readings, which come once a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program, and ends it whatever comes.
pub fn run(program: &Path) -> Checked {
    let cluster = pg::shared(USUAL_MAJOR);
    cluster.psql("postgres", "create database gateway owner scram_user");
    let table = "set role scram_user; create table reading
        (device integer, key bigint, at timestamptz, celsius real, primary key (device, key))";
    cluster.psql("gateway", table);
    let scratch = Scratch::new("barepg-gateway", "").map_err(|e| format!("scratch: {e}"))?;
    let address = scratch.path().join("notify");
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let systemd = UnixDatagram::bind(&address).map_err(failed)?;
    systemd.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut command = with_parent(program);
    for word in cluster.conninfo("scram_user").split_whitespace() {
        let Some((keyword, value)) = word.split_once('=') else { continue };
        if keyword == "password" {
            // As in its unit: a file that its owner alone may read.
            let file = scratch.path().join("pgpass");
            fs::write(&file, format!("*:*:*:*:{value}\n")).map_err(failed)?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(failed)?;
            command.env("PGPASSFILE", file);
            continue;
        }
        let value = if keyword == "dbname" { "gateway" } else { value };
        let names = [("dbname", "PGDATABASE"), ("host", "PGHOST"), ("hostaddr", "PGHOSTADDR")];
        let more = [("port", "PGPORT"), ("user", "PGUSER")];
        let name = names.iter().chain(&more).find(|(known, _)| *known == keyword);
        command.env(name.ok_or(format!("no variable for {keyword}"))?.1, value);
    }
    command.env("DEVICE", "7").env("STATE_DIRECTORY", scratch.path());
    command.env("NOTIFY_SOCKET", &address).stdin(Stdio::null()).stderr(Stdio::null());
    let mut gateway = Process::start(&mut command)?;
    let result = watch(cluster, &systemd, &mut gateway);
    drop(gateway);
    cluster.psql("postgres", "drop database gateway with (force)");
    result
}

fn watch(cluster: &Cluster, systemd: &UnixDatagram, gateway: &mut Process) -> Checked {
    for wanted in ["READY=1", "WATCHDOG=1"] {
        let mut heard = [0; 64];
        let n = systemd.recv(&mut heard).map_err(|error| format!("no {wanted}: {error}"))?;
        if heard[..n] != *wanted.as_bytes() {
            let heard = String::from_utf8_lossy(&heard[..n]);
            return Err(format!("{heard} in place of {wanted}"));
        }
    }
    let after = |seen: i64| {
        let begun = Instant::now();
        loop {
            let count = cluster.psql("gateway", "select count(*) from reading where device = 7");
            match count.parse() {
                Ok(count) if count >= seen + 2 => return Ok(count),
                _ if begun.elapsed() > PATIENCE => return Err(format!("only {count} readings")),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    };
    let seen = after(0)?;
    cluster.psql(
        "gateway",
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gateway-7'",
    );
    after(seen)?;
    match gateway.ended() {
        Ok(None) => Ok(4),
        other => Err(format!("it ended: {other:?}")),
    }
}
