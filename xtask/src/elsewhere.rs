//! What other sessions do while a board runs: give it commands, cancel its statement.

use barepg_testkit::pg::Cluster;

/// The programs of the boards of the feature `verbs`.
pub const SHOWS: &[&str] = &["big_values", "upload", "command", "cancelled"];

/// Those of them that wait for another session.
pub const WAITING: &[&str] = &["command", "cancelled"];

/// Does what a line that the board printed waits for.
pub fn answer(cluster: &Cluster, line: &str) {
    match line {
        "waiting for a command" => {
            for payload in ["on", "off", "end"] {
                cluster.psql("test", &format!("notify lamp, '{payload}'"));
            }
        }
        "a statement that takes a minute" => {
            let running = "from pg_stat_activity where query like '%pg_sleep(60)%'
                and pid <> pg_backend_pid() and state = 'active'";
            for _ in 0..100 {
                let sql = format!("select count(pg_cancel_backend(pid)) {running}");
                if cluster.psql("test", &sql).trim() != "0" {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        _ => {}
    }
}
