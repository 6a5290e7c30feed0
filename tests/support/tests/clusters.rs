//! The testkit on itself: servers start, do what the tests rely on, and remove what they made.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Process, signal};
use barepg_testkit::pg::{self, Cluster, Options, StopMode};
use barepg_testkit::provision::{self, newest_major, oldest_major};

/// Logs in with psql over TCP, as a user of the tests would.
fn login(cluster: &Cluster, user: &str, more: &str) -> Result<String, String> {
    let mut command = Command::new(provision::client("psql")?);
    let conninfo = format!("{} {more}", cluster.conninfo(user));
    command.args(["-XAtq", "-c", "select current_user", &conninfo]);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    provision::run(&mut command).map(|out| out.trim().to_string())
}

fn every_role_logs_in(major: u16) {
    let cluster = pg::shared(major);
    let version: u32 = cluster.psql("test", "show server_version_num").parse().unwrap();
    assert_eq!(version / 10_000, u32::from(major));
    for user in ["trust_user", "pass_user", "md5_user", "scram_user"] {
        assert_eq!(login(cluster, user, "sslmode=disable").unwrap(), user, "on {major}");
    }
    for user in ["pass_user", "md5_user", "scram_user"] {
        let refused = login(cluster, user, "sslmode=disable password=wrong").unwrap_err();
        assert!(refused.contains("password authentication failed"), "{refused}");
    }
    let ca = cluster.authority().path("ca.crt");
    let verified = format!("sslmode=verify-full host=localhost sslrootcert={}", ca.display());
    assert_eq!(login(cluster, "scram_user", &verified).unwrap(), "scram_user");
    // psql refuses a key file that others may read, and the key is the server account's.
    let keys = tempdir();
    for file in ["cert_user.crt", "cert_user.key"] {
        std::fs::copy(cluster.authority().path(file), keys.join(file)).unwrap();
    }
    let key = keys.join("cert_user.key").display().to_string();
    let certificate = keys.join("cert_user.crt").display().to_string();
    let with_key = format!("{verified} sslcert={certificate} sslkey={key}");
    assert_eq!(login(cluster, "cert_user", &with_key).unwrap(), "cert_user");
    assert!(login(cluster, "cert_user", &verified).is_err());
    std::fs::remove_dir_all(keys).unwrap();
}

fn tempdir() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("barepg-keys-{}", std::process::id()));
    let path = path.with_extension(format!("{:?}", thread::current().id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn the_usual_major_starts_and_every_role_logs_in() {
    every_role_logs_in(15);
}

#[test]
fn the_oldest_major_starts_and_every_role_logs_in() {
    every_role_logs_in(oldest_major());
}

#[test]
fn the_newest_major_starts_and_every_role_logs_in() {
    every_role_logs_in(newest_major());
}

#[test]
fn stops_and_starts_again_with_its_data() {
    let cluster = Cluster::start(Options { ssl: false, ..Options::default() });
    cluster.psql("test", "create table kept (id integer); insert into kept values (7)");
    let port = cluster.port();
    cluster.stop(StopMode::Immediate);
    assert!(cluster.try_psql("test", "select 1").is_err());
    cluster.start_again();
    assert_eq!((cluster.port(), cluster.psql("test", "table kept").as_str()), (port, "7"));
    cluster.restart(StopMode::Fast);
    assert_eq!(cluster.psql("test", "table kept"), "7");
    let path = cluster.dir().to_path_buf();
    drop(cluster);
    assert!(!path.exists());
}

/// A scenario that fails while the server stands still leaves no process either.
#[test]
fn a_server_that_stands_still_is_stopped() {
    let cluster = Cluster::start(Options { ssl: false, ..Options::default() });
    let (pids, path) = (cluster.pids(), cluster.dir().to_path_buf());
    assert!(pids.len() > 3);
    signal("STOP", &pids);
    drop(cluster);
    assert!(!path.exists());
    let gone = |pid: &u32| !Path::new("/proc").join(pid.to_string()).exists();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !pids.iter().all(gone) {
        assert!(Instant::now() < deadline, "some of {pids:?} are still there");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn extra_lines_win() {
    let cluster = Cluster::start(Options {
        extra_conf: vec!["max_connections = 9".into()],
        extra_hba: vec!["host all scram_user all reject".into()],
        ..Options::default()
    });
    assert_eq!(cluster.psql("test", "show max_connections"), "9");
    let refused = login(&cluster, "scram_user", "sslmode=disable").unwrap_err();
    assert!(refused.contains("pg_hba.conf rejects connection"), "{refused}");
}

#[test]
fn a_standby_follows_and_is_promoted() {
    let primary = Cluster::start(Options::default());
    let standby = Cluster::standby_of(&primary);
    assert_eq!(standby.psql("test", "select pg_is_in_recovery()"), "t");
    primary.psql("test", "create table followed (id integer); insert into followed values (1)");
    let deadline = Instant::now() + Duration::from_secs(20);
    while standby.try_psql("test", "table followed").as_deref() != Ok("1") {
        assert!(Instant::now() < deadline, "the standby does not follow:\n{}", standby.log());
        thread::sleep(Duration::from_millis(50));
    }
    standby.promote();
    assert_eq!(standby.psql("test", "select pg_is_in_recovery()"), "f");
    standby.psql("test", "insert into followed values (2)");
}

/// Runs this test binary once more as a process that starts a cluster and is killed.
#[test]
fn a_killed_owner_leaves_no_trace() {
    const ROLE: &str = "BAREPG_TESTKIT_OWNER";
    if std::env::var_os(ROLE).is_some() {
        let cluster = pg::shared(15);
        println!("\nowner of {} {}", cluster.pid(), cluster.dir().display());
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap());
    owner.args(["--exact", "a_killed_owner_leaves_no_trace", "--nocapture"]);
    let mut owner = Process::start(owner.env(ROLE, "1").stdout(Stdio::piped())).unwrap();
    let (lines, deadline) = (owner.lines().unwrap(), Instant::now() + Duration::from_secs(60));
    let line = loop {
        let Heard::Line(line) = lines.next(deadline) else { panic!("no server") };
        if let Some(rest) = line.strip_prefix("owner of ") {
            break rest.trim().to_string();
        }
    };
    let (pid, dir) = line.split_once(' ').unwrap();
    assert!(Path::new("/proc").join(pid).exists());
    owner.kill();
    let deadline = Instant::now() + Duration::from_secs(20);
    while Path::new("/proc").join(pid).exists() || Path::new(dir).exists() {
        assert!(Instant::now() < deadline, "{line} is still there");
        thread::sleep(Duration::from_millis(50));
    }
}
