//! A process that is killed at random moments while it logs to a file, and started again: what the
//! operating system makes of a plug that is pulled.
//!
//! `BAREPG_KILLS` is how often.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use barepg::host::FileFlash;
use barepg_testkit::child::Process;
use barepg_testkit::random::Random;
use barepg_testkit::scratch::Scratch;

use crate::device::{INSERT, database, options, with_outbox, with_session};

/// Kills, unless the environment says otherwise.
const KILLS: u32 = 60;

/// Where the process that is killed finds its file and the server's port.
const FILE: &str = "BAREPG_KILLED_FILE";
const PORT: &str = "BAREPG_KILLED_PORT";

/// The process that is killed: pushes and sends rows until then. In the run of all tests it does
/// nothing: `a_killed_process_loses_nothing` starts it.
#[test]
fn victim() {
    let (Ok(file), Ok(port)) = (std::env::var(FILE), std::env::var(PORT)) else { return };
    let written = Path::new(&file).with_extension("pushed");
    with_outbox(open(Path::new(&file)), options(), |outbox| {
        for value in 1.. {
            let key = outbox.push(&INSERT, (value, "")).unwrap();
            // What it knows to be safe, for the test: one write, whole or not at all.
            append(&written, &format!("{key:020} {value:010}\n"));
            if value % 7 == 0 {
                let port = port.parse().unwrap();
                // The session that the last victim left may end this one.
                let _ = with_session(port, "killed", |conn| outbox.drain(conn));
            }
        }
    })
    .unwrap();
}

fn open(file: &Path) -> FileFlash {
    FileFlash::open(file, 64 * 1024).unwrap().without_sync()
}

fn append(path: &Path, line: &str) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    file.unwrap().write_all(line.as_bytes()).unwrap();
}

#[test]
fn a_killed_process_loses_nothing() {
    let cluster = database("killed");
    let scratch = Scratch::new("barepg-killed", "").unwrap();
    let file = scratch.path().join("flash");
    let mut random = Random(7);
    let kills = std::env::var("BAREPG_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for _ in 0..kills {
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim.args(["--exact", "killed::victim", "--nocapture"]).stdout(Stdio::null());
        victim.env(FILE, &file).env(PORT, cluster.port().to_string());
        let victim = Process::start(&mut victim).unwrap();
        std::thread::sleep(Duration::from_millis(5 + random.below(90)));
        // Killed.
        drop(victim);
    }
    with_outbox(open(&file), options(), |outbox| {
        with_session(cluster.port(), "killed", |conn| outbox.drain(conn)).unwrap();
        assert_eq!((outbox.counters().dropped, outbox.set_aside()), (0, 0));
    })
    .unwrap();
    let found = cluster.psql("killed", "select key, value from reading order by arrived");
    let found: Vec<(i64, i32)> = found.lines().map(|line| pair(line, '|')).collect();
    assert!(found.is_sorted(), "the order of arrival is that of the keys");
    let pushed = std::fs::read_to_string(file.with_extension("pushed")).unwrap();
    let pushed: Vec<(i64, i32)> = pushed.lines().map(|line| pair(line, ' ')).collect();
    println!("{kills} kills: {} rows pushed, {} in the table", pushed.len(), found.len());
    assert!(pushed.len() > kills as usize);
    for row in &pushed {
        assert!(found.binary_search(row).is_ok(), "{row:?} is lost");
    }
    // Pushed, and killed before that was noted: one for each kill at most.
    assert!(found.len() - pushed.len() <= kills as usize);
}

fn pair(line: &str, between: char) -> (i64, i32) {
    let (key, value) = line.split_once(between).unwrap();
    (key.parse().unwrap(), value.parse().unwrap())
}
