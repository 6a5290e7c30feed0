//! The examples as programs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use barepg::limits;
use barepg_testkit::pg;

/// One of the examples, built before its first use.
pub fn example(name: &str) -> Command {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["build", "--quiet", "--examples", "--all-features"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(command.status().expect("cargo runs").success(), "the examples do not build");
        // This test lies in target/<profile>/deps, the examples in target/<profile>/examples.
        let this = std::env::current_exe().expect("the path of this test");
        this.ancestors().nth(2).expect("a profile's directory").join("examples")
    });
    let mut command = Command::new(directory.join(name));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

/// Exit status, standard output, standard error.
pub fn outcome(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs to the end.
pub fn run(command: &mut Command) -> (Option<i32>, String, String) {
    outcome(&command.output().expect("the example runs"))
}

fn sql(arguments: &[&str]) -> (Option<i32>, String, String) {
    let conninfo = pg::shared(15).conninfo("scram_user");
    let fill = |argument: &&str| {
        if *argument == "CONNINFO" { conninfo.clone() } else { argument.to_string() }
    };
    run(example("sql").args(arguments.iter().map(fill)))
}

#[test]
fn the_common_operations_print_what_every_board_prints() {
    let conninfo = pg::shared(15).conninfo("scram_user");
    let (status, out, err) = run(example("common_operations").arg(&conninfo));
    assert_eq!((status, &*err), (Some(0), ""), "{out}");
    assert_eq!(out, include_str!("../../boards/expected/common_operations.out"));
}

#[test]
fn sql_prints_tables() {
    let (status, out, err) = sql(&[
        "CONNINFO",
        "create temp table t (id int, name text, price numeric)",
        "insert into t values (1, 'Zoë', 2.50), (20, null, 10), (3, E'tab\\there', null)",
        "select * from t order by id; select count(*) as n from t",
    ]);
    assert_eq!((status, &*err), (Some(0), ""), "{out}");
    let expected = r"ok, 0 rows
ok, 3 rows
 id |   name    | price
----+-----------+-------
  1 | Zoë       |  2.50
  3 | tab\there |
 20 |           |    10
(3 rows)

 n
---
 3
(1 row)

";
    assert_eq!(out, expected);
}

#[test]
fn sql_tells_a_refusal_from_a_lost_session_by_its_exit_status() {
    let (status, out, err) = sql(&["CONNINFO", "select 1 as one", "select 1/0", "select 2 as two"]);
    assert_eq!(status, Some(1));
    assert!(out.contains("one") && !out.contains("two"), "{out}");
    assert_eq!(err, "ERROR 22012: division by zero\n");

    let (status, _, err) = sql(&["CONNINFO", "selekt"]);
    let said = "ERROR 42601: syntax error at or near \"selekt\"\nPOSITION: 1\n";
    assert_eq!((status, &*err), (Some(1), said));

    let (status, _, err) = sql(&["CONNINFO", "select pg_terminate_backend(pg_backend_pid())"]);
    assert_eq!(status, Some(2));
    assert!(err.starts_with("FATAL 57P01"), "{err}");

    let start = Instant::now();
    let (status, _, err) = sql(&["--timeout", "0.5", "CONNINFO", "select pg_sleep(30)"]);
    assert_eq!(status, Some(2), "{err}");
    assert!(err.contains("the deadline passed"), "{err}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn sql_says_why_there_is_no_session() {
    let (status, _, err) = run(example("sql").args(["host=127.0.0.1 user=u port=1", "select 1"]));
    assert_eq!(status, Some(2));
    assert!(err.contains("ConnectionRefused"), "{err}");
    let (status, _, err) = run(example("sql").args(["user=u prot=1", "select 1"]));
    assert_eq!(status, Some(2));
    assert!(err.contains("byte 7") && err.contains("no such connection parameter"), "{err}");
    assert_eq!(run(example("sql").arg("user=u")).0, Some(64));
    let (status, _, err) = sql(&["CONNINFO", "select 1"]);
    assert_eq!((status, &*err), (Some(0), ""));
}

#[test]
fn each_says_how_it_is_used() {
    for name in ["common_operations", "conninfo", "error", "keys", "provision", "sql"] {
        for word in ["--help", "-h"] {
            let (status, out, err) = run(example(name).arg(word));
            assert_eq!((status, &*err), (Some(0), ""), "{name} {word}: {out}");
            assert!(out.starts_with(&format!("usage: {name}")), "{name} {word}: {out}");
        }
        let (status, out, err) = run(example(name).arg("--nosuch"));
        assert!(status != Some(0) && (out + &err).contains("usage: "), "{name}: {err}");
    }
}

/// What is as long as a stored password is none for that.
#[test]
fn stored_passwords_are_looked_at() {
    for end in ["\u{e9}1234567890", "\u{e9}", "", "ecdfdcefadf", "eeeeeeeeeee"] {
        let stored = format!("sha256{}{end}", "a".repeat(192));
        let (status, out, err) = run(example("keys").args(["--stored", &stored, "password=p"]));
        assert_eq!((status, &*out), (Some(1), ""), "{end}");
        assert!(err.starts_with("keys: this is n"), "{end}: {err}");
    }
}

/// While the server is away the gateway says nothing to systemd for as long as a search for it takes.
#[test]
fn the_gateways_watchdog_outlives_a_search_for_the_server() {
    let unit = include_str!("../../boards/gateway/gateway.service");
    let seconds = |setting: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(setting)?.strip_prefix('='));
        line.and_then(|value| value.parse::<u32>().ok())
    };
    let attempt = seconds("Environment=PGCONNECT_TIMEOUT");
    let attempt = attempt.unwrap_or(limits::DEFAULT_CONNECT_TIMEOUT_MS / 1000);
    // A cancel request, then three addresses, each of which may be asked by guess first.
    let search = limits::CANCEL_MS / 1000 + 3 * (attempt + limits::GUESS_MS / 1000);
    assert!(seconds("WatchdogSec").unwrap() > search, "a search takes {search} s");
}
