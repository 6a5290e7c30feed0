//! The programs of the boards: what each shows, what it needs besides a server, and what other
//! sessions do meanwhile.

use std::net::Ipv4Addr;

use barepg_testkit::pg::Cluster;
use barepg_testkit::{faults, names};

use crate::boards::{Board, Link};
use crate::measure::Server;

/// The name that [`HOSTS`] looks up where the board has a resolver of its own.
const NAME: &str = "db.plant.test";

/// One program, `show=NAME` on a board's command line.
#[derive(Debug, PartialEq, Eq)]
pub struct Show {
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// The feature of the board's crate that brings it; `None` where it is always there.
    pub feature: Option<&'static str>,
    /// Which server it works with.
    pub server: Needs,
}

/// Which server a program works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Any.
    Any,
    /// One to which another session of ours can connect.
    Private,
    /// PostgreSQL without TLS.
    Plain,
    /// Both: our own, and PostgreSQL without TLS.
    PrivatePlain,
}

/// All of them, the usual one first.
pub const SHOWS: &[Show] = &[
    Show {
        name: "common_operations",
        about: "a table, rows in and out, transactions, an error (the usual one)",
        feature: None,
        server: Needs::Any,
    },
    Show {
        name: "faults",
        about: "servers that are silent, dying or not there; a row of 10 MB",
        feature: Some("faults"),
        server: Needs::PrivatePlain,
    },
    Show {
        name: "hosts",
        about: "bad connection strings; two hosts, the first of them dead",
        feature: Some("hosts"),
        server: Needs::Plain,
    },
    Show {
        name: "big_values",
        about: "10 MB each way through small buffers",
        feature: Some("verbs"),
        server: Needs::Any,
    },
    Show {
        name: "upload",
        about: "100,000 rows by COPY",
        feature: Some("verbs"),
        server: Needs::Any,
    },
    Show {
        name: "command",
        about: "notifications switch a lamp",
        feature: Some("verbs"),
        server: Needs::Private,
    },
    Show {
        name: "cancelled",
        about: "a statement is cancelled by another session",
        feature: Some("verbs"),
        server: Needs::Private,
    },
    Show {
        name: "survive",
        about: "link cut, readings queue, plug pulled, power back, server back: all there",
        feature: Some("survive"),
        server: Needs::PrivatePlain,
    },
];

/// The program of that name.
pub fn find(name: &str) -> Result<&'static Show, String> {
    SHOWS.iter().find(|show| show.name == name).ok_or_else(|| {
        let names: Vec<&str> = SHOWS.iter().map(|show| show.name).collect();
        format!("no show {name}; there are {}", names.join(", "))
    })
}

impl Show {
    /// An error, in words, unless the board can run it.
    pub fn check(&self, board: &Board) -> Result<(), String> {
        self.feature.map_or(Ok(()), |feature| board.check(feature, self.name))
    }

    /// Whether it works with a server that was there before.
    pub fn goes_with_existing(&self) -> bool {
        matches!(self.server, Needs::Any | Needs::Plain)
    }

    /// Whether it works over TLS, and with openGauss.
    pub fn goes_with_others(&self) -> bool {
        matches!(self.server, Needs::Any | Needs::Private)
    }

    /// Starts what it needs besides the server, and makes `server` what it expects.
    pub fn prepare(&self, board: &Board, server: &mut Server) -> Result<Prepared, String> {
        let mut prepared = Prepared { arguments: vec![("show", self.name.to_string())], ..NOTHING };
        let failed = |error| format!("misbehaving server: {error}");
        match self.name {
            "faults" => {
                let silent = faults::silent().map_err(failed)?;
                let dying = faults::dying(server.port()).map_err(failed)?;
                let closed = faults::closed_port().map_err(failed)?;
                for (name, port) in
                    [("silent", silent.port()), ("dying", dying.port()), ("closed", closed)]
                {
                    prepared.arguments.push((name, port.to_string()));
                }
                prepared.servers = vec![silent, dying];
            }
            "hosts" => {
                server.before = Some(faults::closed_port().map_err(failed)?);
                if board.link == Link::Ethernet {
                    // The board's name server is this machine's loopback, on the usual port.
                    match names::Server::start(NAME, Ipv4Addr::new(10, 0, 2, 2)) {
                        Ok(names) => {
                            prepared.names = Some(names);
                            prepared.arguments.push(("dns", "10.0.2.2".to_string()));
                            server.name = Some(NAME);
                        }
                        Err(error) => println!(
                            "no name server on port 53 of 127.0.0.1 ({error}): \
                             the board gets addresses instead of a name"
                        ),
                    }
                }
            }
            _ => {}
        }
        Ok(prepared)
    }
}

/// What a program needs besides the server, for as long as this lives.
#[derive(Debug)]
pub struct Prepared {
    arguments: Vec<(&'static str, String)>,
    servers: Vec<faults::Server>,
    names: Option<names::Server>,
}

const NOTHING: Prepared = Prepared { arguments: Vec::new(), servers: Vec::new(), names: None };

impl Prepared {
    /// What the board is told besides the connection string.
    pub fn arguments(&self) -> Vec<(&str, &str)> {
        self.arguments.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// How often the board looked the name up.
    pub fn names_answered(&self) -> u32 {
        self.names.as_ref().map_or(0, names::Server::answered)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards::BOARDS;

    /// What a board cannot do is said in words; all else its crate has a feature for.
    #[test]
    fn every_board_runs_every_show_or_says_why_not() {
        for board in BOARDS {
            let features = board.features().unwrap();
            let wanted = SHOWS.iter().filter_map(|show| Some((show.feature?, show.name)));
            for (feature, name) in wanted.chain([("tls", "TLS")]) {
                match board.check(feature, name) {
                    Ok(()) => assert!(
                        features.iter().any(|has| has == feature),
                        "{}: no feature {feature}, and no word of it",
                        board.name
                    ),
                    Err(words) => assert!(words.contains(board.name), "{words}"),
                }
            }
        }
    }

    #[test]
    fn unknown_shows_are_answered_with_the_list() {
        assert_eq!(find("upload").map(|show| show.name), Ok("upload"));
        assert!(find("uplaod").unwrap_err().contains("big_values"));
    }
}
