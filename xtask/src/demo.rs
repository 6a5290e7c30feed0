//! `cargo xtask demo`: a microcontroller works with a PostgreSQL server, and what it costs.

use std::path::Path;
use std::time::{Duration, Instant};

use barepg_testkit::gauss;
use barepg_testkit::pg::{self, Cluster};

use crate::boards::{self, BOARDS, Board};
use crate::existing::{self, Access};
use crate::measure::{self, Costs, Plan, Server, Words};
use crate::plugs::{self, Event};
use crate::proxy::Traffic;
use crate::setup;
use crate::shows::{self, SHOWS, Show};

/// The longest that a session may take. An emulated login hashes for a second or two.
const LIMIT: Duration = Duration::from_secs(120);

/// The help, with the boards and the shows there are.
pub fn usage() -> String {
    let mut text = "\
cargo xtask demo [options]

Builds a board's firmware, runs it against a real PostgreSQL, shows the session and what it cost.

  --board NAME        one of the boards below; without it the first that can
  --show NAME         one of the shows below
  --server CONNINFO   an existing server instead of a private one, keyword=value;
                      nothing stays there
  --tls               over TLS, the server's certificate verified: with --server by the
                      sslrootcert=FILE of CONNINFO, sslmode=verify-full or verify-ca
  --opengauss         an openGauss front before the private server; with --server: it is one
  --keys              with login keys instead of a password (openGauss, or --server)

boards
"
    .to_string();
    for board in BOARDS {
        text.push_str(&format!("  {:20}{}\n", board.name, board.about));
        for (feature, reason) in board.cannot {
            let what = SHOWS.iter().filter(|show| show.feature == Some(feature));
            let mut what: Vec<&str> = what.map(|show| show.name).collect();
            if what.is_empty() {
                what.push("--tls");
            }
            text.push_str(&format!("  {:20}not {}: {reason}\n", "", what.join(", ")));
        }
    }
    text.push_str("\nshows\n");
    for show in SHOWS {
        text.push_str(&format!("  {:20}{}\n", show.name, show.about));
    }
    text
}

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    board: &'static Board,
    server: Option<String>,
    show: &'static Show,
    features: Vec<&'static str>,
    user: Option<&'static str>,
    /// An openGauss front before the private server; with keys instead of the password.
    opengauss: bool,
    keys: bool,
    tls: bool,
}

impl Options {
    /// Whether board, server and show go together.
    fn check_show(&self) -> Result<(), String> {
        let show = self.show;
        show.check(self.board)?;
        if self.tls {
            self.board.check("tls", "TLS")?;
        }
        if self.server.is_some() && !show.goes_with_existing() {
            return Err(format!("show {} goes with the private server only", show.name));
        }
        if (self.tls || self.opengauss) && !show.goes_with_others() {
            return Err(format!("show {} goes with PostgreSQL without TLS only", show.name));
        }
        Ok(())
    }

    /// Reads the arguments after `demo`. What they ask for can be done.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options {
            board: BOARDS.first().ok_or("no boards")?,
            server: None,
            show: SHOWS.first().ok_or("no shows")?,
            features: Vec::new(),
            user: None,
            opengauss: false,
            keys: false,
            tls: false,
        };
        let (mut words, mut board) = (arguments.iter(), None);
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|v| v.to_string()).ok_or(format!("{word} what?"));
            match *word {
                "--board" => board = Some(boards::find(&value()?)?),
                "--server" => {
                    let conninfo = value()?;
                    Words::of(&conninfo).map_err(|error| format!("--server: {error}"))?;
                    options.server = Some(conninfo);
                }
                "--show" => options.show = shows::find(&value()?)?,
                "--tls" => {
                    options.features.extend(["tls", "depth"]);
                    options.tls = true;
                }
                "--opengauss" => {
                    options.features.push("opengauss");
                    options.opengauss = true;
                }
                "--keys" => options.keys = true,
                other => return Err(format!("unknown argument of demo: {other}")),
            }
        }
        // The first that can.
        let able = || BOARDS.iter().find(|board| options.show.check(board).is_ok());
        options.board = board.or_else(able).unwrap_or(options.board);
        if options.tls && (options.opengauss || options.server.is_some()) {
            // Login keys and the other keywords that only the parser knows.
            options.features.push("conninfo");
        }
        if options.keys && !options.opengauss && options.server.is_none() {
            return Err("--keys goes with --opengauss, or with --server".to_string());
        }
        options.check_show()?;
        options.features.extend(options.show.feature);
        Ok(options)
    }
}

/// Does all that is needed to show the session and the costs.
pub fn run(options: &Options) -> Result<(), String> {
    let Options { board, show, features, .. } = options;
    // One that is not there is found before minutes of building.
    let access = Access { tls: options.tls, keys: options.keys };
    let existing = options.server.as_ref().map(|conninfo| existing::server(conninfo, access));
    let existing = existing.transpose()?;
    let compiler = setup::all()?;
    println!("building {}: {}", board.name, board.about);
    let flash_without_tls = measure::flash_without_tls(board, &compiler, features)?;
    let image = board.build(&compiler, features, true)?;
    if show.name == "survive" {
        return survive(board, &image);
    }
    let (mut cluster, mut front) = (None, None);
    let mut server = match existing {
        Some(server) => server,
        None => {
            let begun = Instant::now();
            let started = cluster.insert(Cluster::try_start(pg::Options::default())?);
            let version = started.psql("test", "show server_version");
            println!(
                "started a private PostgreSQL {version} in {:.1} s",
                begun.elapsed().as_secs_f32()
            );
            if options.opengauss {
                let mut front_options = gauss::Options::before(started);
                front_options.tls = options.tls;
                let front = front.insert(gauss::Front::try_start(front_options)?);
                let user = options.user.unwrap_or("sha256_user");
                println!("started an openGauss front before it, user {user}");
                Server::opengauss(front, user, options.keys)?
            } else {
                let server = Server::private(started, options.user.unwrap_or("scram_user"))?;
                if options.tls { server.over_tls(started) } else { server }
            }
        }
    };
    let prepared = show.prepare(board, &mut server)?;
    println!("running\n");
    let arguments = &prepared.arguments();
    let plan = Plan { board, image: &image, server: &server, arguments, limit: LIMIT };
    let (outcome, mut costs) = measure::run(&plan, &mut |line| {
        if !line.starts_with('@') {
            println!("    {line}");
        }
        if let Some(cluster) = &cluster {
            shows::answer(cluster, line);
        }
    })?;
    costs.without_tls(flash_without_tls);
    outcome.check().map_err(|error| format!("the session on {} failed: {error}", board.name))?;
    if options.tls {
        let seen = match &front {
            None => outcome.value("tls").unwrap_or("?"),
            Some(front) if front.attempts().iter().all(|login| login.tls) => "yes",
            Some(_) => "no",
        };
        println!("\nencrypted as the server sees it: {seen}");
    }
    println!("\nthe costs, {:.1} s in all", outcome.elapsed.as_secs_f32());
    print!("{}", table(board, &costs));
    Ok(())
}

/// The show in which the link is cut and the plug is pulled.
fn survive(board: &Board, image: &Path) -> Result<(), String> {
    let cluster = Cluster::try_start(pg::Options::default())?;
    println!("started a private PostgreSQL\n\nrunning\n");
    let lines = plugs::round(board, image, &cluster, &mut |event| match event {
        Event::Line(line) => println!("    {line}"),
        Event::Deed(what) => println!("[{what}]"),
    })?;
    let costs = Costs { stack: lines.number("stack"), ..Costs::of_image(board, image)? };
    println!("\nthe costs");
    print!("{}", table(board, &costs));
    Ok(())
}

fn table(board: &Board, costs: &Costs) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text.push_str(&format!("    {name:28}{value}\n"));
    let of = |value: u64, all: Option<u32>| match all {
        Some(all) => format!("{:>12} of {} bytes", digits(value), digits(all.into())),
        None => format!("{:>12} bytes", digits(value)),
    };
    if let Some(flash) = costs.flash {
        row("flash", of(flash, board.memory.map(|memory| memory.0)));
    }
    if let Some(flash) = costs.flash_of_tls {
        row("flash that TLS takes", of(flash, None));
    }
    if let Some(ram) = costs.static_ram {
        row("static RAM", of(ram, board.memory.map(|memory| memory.1)));
    }
    if let Some(stack) = costs.stack {
        row("stack, the most in use", of(stack, None));
    }
    for (name, stack) in [
        ("stack of the driver's login", costs.login_stack),
        ("stack of a query", costs.query_stack),
    ] {
        if let Some(stack) = stack {
            row(name, of(stack, None));
        }
    }
    for (name, count) in [
        ("instructions of the login", costs.login_instructions),
        ("instructions of a query", costs.query_instructions),
    ] {
        if let Some(count) = count {
            row(name, format!("{:>12}", digits(count)));
        }
    }
    if let Some(session) = &costs.session {
        if let Some(login) = &session.login {
            row("login on the wire", wire(login));
        }
        row("session on the wire", wire(&session.total));
    }
    text
}

fn wire(traffic: &Traffic) -> String {
    let Traffic { sent, received, round_trips } = traffic;
    let (sent, received) = (digits(*sent), digits(*received));
    format!("{sent:>12} bytes sent, {received} received, {round_trips} round trips")
}

/// A number with commas between its thousands.
pub fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(digits(7), "7");
        assert_eq!(digits(1000), "1,000");
        assert_eq!(digits(123_456), "123,456");
        assert_eq!(digits(20_431_007), "20,431,007");
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let options = Options::parse(&["--board", "host", "--server", "host=h"]).unwrap();
        assert_eq!((options.board.name, options.server.as_deref()), ("host", Some("host=h")));
        assert!(Options::parse(&["--keys"]).is_err());
        assert!(Options::parse(&["--keys", "--opengauss"]).unwrap().opengauss);
        assert!(Options::parse(&["--board"]).is_err());
        for more in [&["--tls"][..], &["--opengauss", "--keys"], &["--keys", "--tls"]] {
            assert!(Options::parse(&[&["--server", "host=h"], more].concat()).is_ok(), "{more:?}");
        }
        assert!(Options::parse(&["--server", "host=h", "--show", "command"]).is_err());
        assert!(Options::parse(&["--server", "host=h", "--show", "upload"]).is_ok());
        assert!(Options::parse(&["--bored"]).is_err());
    }

    /// Before anything is installed, built or started.
    #[test]
    fn what_cannot_be_done_is_said_in_words() {
        for (arguments, words) in [
            (&["--show", "uplaod"][..], "there are common_operations, faults, hosts"),
            (&["--board", "pico-w5500"], "cargo xtask pico"),
            (&["--board", "qemu-microbit-uart", "--tls"], "more RAM"),
            (&["--board", "qemu-microbit-uart", "--show", "faults"], "serial line"),
            (&["--board", "qemu-microbit-uart", "--show", "upload"], "serial line"),
            (&["--board", "qemu-lm3s6965", "--show", "survive"], "cannot be written"),
            (&["--board", "qemu-microbit-uart", "--show", "survive"], "cut and mended"),
            (&["--board", "host", "--show", "survive", "--server", "host=h"], "private server"),
            (&["--show", "faults", "--server", "host=h"], "private server"),
            (&["--show", "faults", "--tls"], "without TLS"),
            (&["--show", "hosts", "--opengauss"], "without TLS"),
            (&["--server", "garbage"], "keyword=value"),
            (&["--server", "postgresql://u@localhost/x"], "keyword=value"),
            (&["--server", "host=h port=99999"], "not a port: 99999"),
        ] {
            let error = Options::parse(arguments).unwrap_err();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
        // Nothing of what may be half of a password.
        let error = Options::parse(&["--server", "host=h password=half secret"]).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(Options::parse(&["--show", "faults"]).unwrap().features, ["faults"]);
        // The first board that can.
        for (show, board) in [("faults", "qemu-lm3s6965"), ("survive", "qemu-riscv32-virt")] {
            assert_eq!(Options::parse(&["--show", show]).unwrap().board.name, board);
        }
    }

    #[test]
    fn the_help_lists_boards_and_shows() {
        let usage = usage();
        let shows = SHOWS.iter().map(|show| show.name);
        for name in BOARDS.iter().map(|board| board.name).chain(shows) {
            assert!(usage.contains(&format!("\n  {name} ")), "{name}");
        }
    }
}
