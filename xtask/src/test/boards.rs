//! The stages about the boards: their own lints and tests, the programs in QEMU against a real
//! server, and their budgets.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Duration;

use barepg_testkit::provision::{USUAL_MAJOR, root};
use barepg_testkit::{gauss, pg};

use super::{Checked, Context, host, throughput};
use crate::boards::{self, BOARDS, Board, Link};
use crate::budgets::Budgets;
use crate::existing::{self, Access};
use crate::measure::{self, Costs, Plan, Server};
use crate::qemu::Outcome;
use crate::shows::{self, SHOWS};

/// The longest that a program may run: an emulated login hashes for a second, and the servers
/// that stay silent are waited for.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs of a board before its instructions are believed to be over budget: it executes more of
/// them while it waits for a server that is busy.
const ATTEMPTS: u32 = 5;

/// The boards of a quick run.
const QUICK: &[&str] = &["qemu-lm3s6965", "host"];

/// All boards, or two of them for a quick run.
fn chosen(context: &Context) -> impl Iterator<Item = &'static Board> {
    let quick = context.quick;
    BOARDS.iter().filter(move |board| !quick || QUICK.contains(&board.name))
}

/// Builds every board and lints it, for its own target.
pub fn build(context: &Context) -> Checked {
    let mut checked = 0;
    for board in chosen(context) {
        board.build(&context.compiler, &[], false)?;
        let with_tls = ["--no-default-features", "--features", "tls,depth"];
        let lean = (!context.quick && board.check("tls", "TLS").is_ok()).then_some(&with_tls[..]);
        for features in [&[][..]].into_iter().chain(lean) {
            lint(context, board, features)?;
            checked += 1;
        }
        checked += 1;
    }
    Ok(checked)
}

/// The lints of a board, with these arguments of cargo's about features.
pub fn lint(context: &Context, board: &Board, features: &[&str]) -> Result<(), String> {
    let mut clippy = context.compiler.cargo();
    clippy.args(["clippy", "--release", "--package", board.package]).args(features);
    clippy.args(board.target.iter().flat_map(|target| ["--target", target]));
    clippy.args(["--", "-D", "warnings"]);
    boards::workspace(&mut clippy);
    context.run(&mut clippy).map(drop)
}

/// The tests of what the boards are made of, on this machine, with and without parameters that a device was given.
pub fn tests(context: &Context) -> Checked {
    let mut passed = 0;
    for features in ["", "provision,survive"] {
        let mut command = context.cargo(&["test", "--package", "barepg-app"]);
        command.args(["--features", features]);
        boards::workspace(&mut command);
        passed += host::count(&context.run(&mut command)?)?;
    }
    Ok(passed)
}

/// The common operations on every board: what they print, what they cost, and that the driver's
/// own counters agree with the relay's.
pub fn common(context: &Context) -> Checked {
    let cluster = pg::shared(USUAL_MAJOR);
    let server = Server::private(cluster, "scram_user")?;
    let budgets = Budgets::read()?;
    let mut checked = 0;
    let mut over = String::new();
    for board in chosen(context) {
        match measured(context, board, &server, board.name, &budgets)? {
            Ok(count) => checked += count,
            Err(error) => over.push_str(&error),
        }
    }
    if over.is_empty() { Ok(checked) } else { Err(over) }
}

/// `cargo xtask demo --server` as a user calls it: the session is the golden one, a table of the
/// user's that has the name of the boards' is as before, and nothing else is there.
pub fn existing(context: &Context) -> Checked {
    let cluster = pg::shared(USUAL_MAJOR);
    cluster.psql("postgres", "create database plant owner scram_user");
    let table = "set role scram_user;
        create table student (precious text); insert into student values ('mine')";
    cluster.psql("plant", table);
    let conninfo = cluster.conninfo("scram_user").replace("dbname=test", "dbname=plant");
    let path = root().join("boards").join("expected").join("common_operations.out");
    let expected = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let session: String = expected.lines().map(|line| format!("    {line}\n")).collect();
    let xtask = std::env::current_exe().map_err(|error| format!("xtask: {error}"))?;
    for board in QUICK {
        let mut demo = Command::new(&xtask);
        demo.args(["demo", "--board", board, "--server", &conninfo]);
        let output = context.run(&mut demo)?;
        if !output.contains(&session) || !output.contains("login on the wire") {
            return Err(format!("{board}: not the session of {}:\n{output}", path.display()));
        }
        let left = cluster.psql("plant", "table student; select relname from pg_stat_user_tables");
        if left != "mine\nstudent" {
            return Err(format!("{board} did not leave the database as it was: {left}"));
        }
    }
    let mut demo = Command::new(&xtask);
    demo.args(["demo", "--board", "host", "--server", "host=127.0.0.1 port=1 user=u"]);
    match context.run(&mut demo) {
        Err(output) if output.contains("127.0.0.1:1: ") => {}
        other => return Err(format!("a demo at a server that is not there: {other:?}")),
    }
    cluster.psql("postgres", "drop database plant");
    Ok(u32::try_from(QUICK.len()).unwrap_or(0) + 1)
}

/// The same over TLS, with the server's certificate verified to the full.
pub fn over_tls(context: &Context) -> Checked {
    let cluster = pg::shared(USUAL_MAJOR);
    let server = Server::private(cluster, "scram_user")?.over_tls(cluster);
    // Another stage's user may own it.
    cluster.psql("test", "drop table if exists student");
    let budgets = Budgets::read()?;
    let mut checked = 0;
    let mut over = String::new();
    for board in BOARDS.iter().filter(|board| board.check("tls", "TLS").is_ok()) {
        let thing = format!("{}-tls", board.name);
        match measured(context, board, &server, &thing, &budgets)? {
            Ok(count) => checked += count,
            Err(error) => over.push_str(&error),
        }
    }
    if over.is_empty() { Ok(checked) } else { Err(over) }
}

/// The same program at an openGauss with SHA256 and 10,000 iterations, by password, by login keys
/// and over TLS, against the same golden output.
pub fn opengauss(context: &Context) -> Checked {
    let start = |tls| {
        let options = gauss::Options::before(pg::shared(USUAL_MAJOR));
        gauss::Front::try_start(gauss::Options { tls, ..options })
    };
    let (plain, over_tls) = (start(false)?, start(true)?);
    let budgets = Budgets::read()?;
    let mut checked = 0;
    let mut over = String::new();
    for board in BOARDS.iter().filter(|board| board.check("tls", "TLS").is_ok()) {
        for (front, keys, suffix) in [
            (&plain, false, "opengauss"),
            (&plain, true, "opengauss-keys"),
            (&over_tls, false, "opengauss-tls"),
        ] {
            let server = Server::opengauss(front, "sha256_user", keys)?;
            let thing = format!("{}-{suffix}", board.name);
            match measured(context, board, &server, &thing, &budgets)? {
                Ok(count) => checked += count,
                Err(error) => over.push_str(&error),
            }
        }
    }
    // As `cargo xtask demo --server … --tls --keys` does it.
    let root = over_tls.certificates().path("ca.crt");
    let conninfo = over_tls.conninfo("sha256_user");
    let conninfo = format!("{conninfo} sslmode=verify-ca sslrootcert={}", root.display());
    let existing = existing::server(&conninfo, Access { tls: true, keys: true })?;
    for name in QUICK {
        let board = boards::find(name)?;
        let (outcome, _) = run(context, board, &existing, &[])?;
        compare(board, &outcome.text(), "common_operations")?;
        checked += 1;
    }
    if !over_tls.attempts().iter().all(|attempt| attempt.ok && attempt.tls) {
        return Err("a login at the openGauss front with TLS was without it".to_string());
    }
    if over.is_empty() { Ok(checked) } else { Err(over) }
}

/// One board's session: the output must be the golden one, the costs within the budgets of
/// `thing`. The inner error is what is over them.
fn measured(
    context: &Context,
    board: &Board,
    server: &Server,
    thing: &str,
    budgets: &Budgets,
) -> Result<Checked, String> {
    let mut best = Vec::new();
    let mut compared = Ok(0);
    // Another role may have left it there.
    pg::shared(USUAL_MAJOR).try_psql("test", "drop table if exists student")?;
    for _ in 0..ATTEMPTS {
        let (outcome, costs) = run(context, board, server, &[])?;
        compare(board, &outcome.text(), "common_operations")?;
        if server.features().is_empty() {
            agree(&outcome, &costs).map_err(|error| format!("{thing}: {error}"))?;
        } else if server.knows_of_tls() {
            encrypted(&outcome).map_err(|error| format!("{thing}: {error}"))?;
        }
        lower(&mut best, figures(&outcome, &costs));
        compared = budgets.compare(thing, &best);
        if compared.is_ok() {
            break;
        }
    }
    let costs = best.iter().filter(|(name, _)| !name.contains("_bytes_"));
    let costs: Vec<String> = costs.map(|(name, value)| format!("{name} {value}")).collect();
    println!("          {}", costs.join(", "));
    Ok(compared.map(|count| 2 + count))
}

/// Keeps the lower number of instructions of two runs, and the newer value of all else.
fn lower(best: &mut Vec<(&'static str, u64)>, figures: Vec<(&'static str, u64)>) {
    let before = std::mem::take(best);
    *best = figures;
    for (name, value) in best.iter_mut().filter(|(name, _)| name.ends_with("_instructions")) {
        let earlier = before.iter().find(|(other, _)| other == name);
        *value = earlier.map_or(*value, |(_, earlier)| (*value).min(*earlier));
    }
}

/// Misbehaving servers on every board that has a network: the right error in time, and a good
/// session afterwards.
pub fn faults(context: &Context) -> Checked {
    let mut server = Server::private(pg::shared(USUAL_MAJOR), "scram_user")?;
    let show = shows::find("faults")?;
    let mut checked = 0;
    for board in BOARDS.iter().filter(|board| show.check(board).is_ok()) {
        let prepared = show.prepare(board, &mut server)?;
        let (outcome, _) = run(context, board, &server, &prepared.arguments())?;
        compare(board, &outcome.text(), show.name)?;
        checked += 1;
    }
    Ok(checked)
}

/// Connection strings that are refused, and two hosts of which the first is dead, on every board
/// that has a network; those with a resolver of their own look a name up.
pub fn hosts(context: &Context) -> Checked {
    let show = shows::find("hosts")?;
    let mut checked = 0;
    for board in BOARDS.iter().filter(|board| show.check(board).is_ok()) {
        let mut server = Server::private(pg::shared(USUAL_MAJOR), "scram_user")?;
        let image = board.build(&context.compiler, show.feature.as_slice(), false)?;
        let prepared = show.prepare(board, &mut server)?;
        let arguments = &prepared.arguments();
        let plan = Plan { board, image: &image, server: &server, arguments, limit: LIMIT };
        let (outcome, _) = measure::run(&plan, &mut |_| ())?;
        outcome.check().map_err(|error| format!("{}: {error}", board.name))?;
        compare(board, &outcome.text(), show.name)?;
        if board.link == Link::Ethernet && prepared.names_answered() == 0 {
            return Err(format!("{} did not look the name up", board.name));
        }
        checked += 1;
    }
    Ok(checked)
}

/// Values larger than the memory, COPY, notifications, a cancelled statement, on the board with
/// 64 KB; and what the first two cost a byte, beside smoltcp alone.
pub fn verbs(context: &Context) -> Checked {
    let cluster = pg::shared(USUAL_MAJOR);
    let server = Server::private(cluster, "scram_user")?;
    let board = boards::find("qemu-lm3s6965")?;
    let image = board.build(&context.compiler, &["verbs"], false)?;
    let mut checked = 0;
    let mut costs = BTreeMap::new();
    for show in SHOWS.iter().filter(|show| show.feature == Some("verbs")) {
        let name = show.name;
        let arguments = [("show", name)];
        let plan =
            Plan { board, image: &image, server: &server, arguments: &arguments, limit: LIMIT };
        let (outcome, _) = measure::run(&plan, &mut |line| shows::answer(cluster, line))?;
        outcome.check().map_err(|error| format!("{name}: {error}"))?;
        compare(board, &outcome.text(), name)?;
        println!("        {name}: {:.1} s", outcome.elapsed.as_secs_f32());
        let spans = outcome.counts.map(|counts| counts.whole);
        costs.insert(name, spans.and_then(|spans| spans.first().copied()).unwrap_or(0));
        checked += 1;
    }
    let cost = |name| costs.get(name).copied().ok_or(format!("no show {name}"));
    Ok(checked + throughput::compare(context, cost("big_values")?, cost("upload")?)?)
}

fn run(
    context: &Context,
    board: &Board,
    server: &Server,
    arguments: &[(&str, &str)],
) -> Result<(Outcome, Costs), String> {
    let (compiler, features) = (&context.compiler, server.features());
    let flash_without_tls = measure::flash_without_tls(board, compiler, features)?;
    let image = board.build(compiler, features, false)?;
    let plan = Plan { board, image: &image, server, arguments, limit: LIMIT };
    let (outcome, mut costs) = measure::run(&plan, &mut |_| ())?;
    costs.without_tls(flash_without_tls);
    outcome.check().map_err(|error| format!("{}: {error}", board.name))?;
    println!("        {}: {:.1} s", board.name, outcome.elapsed.as_secs_f32());
    Ok((outcome, costs))
}

/// The output against the golden file, which all boards share.
pub fn compare(board: &Board, printed: &str, name: &str) -> Result<(), String> {
    let path = root().join("boards").join("expected").join(format!("{name}.out"));
    let expected = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    if printed == expected {
        return Ok(());
    }
    let mut lines = expected.lines().zip(printed.lines()).enumerate();
    let first = lines.find(|(_, (wanted, got))| wanted != got);
    let place = first.map_or("one is longer".to_string(), |(index, (wanted, got))| {
        format!("line {}:\n  expected: {wanted}\n  printed:  {got}", index + 1)
    });
    Err(format!("{} differs from {}: {place}\n--- printed\n{printed}", board.name, path.display()))
}

/// What the driver counted is what went through the relay.
fn agree(outcome: &Outcome, costs: &Costs) -> Result<(), String> {
    let counted = outcome.value("session").ok_or("no line @session")?;
    let session = costs.session.ok_or("the relay saw no session")?.total;
    for (name, seen) in [
        ("bytes_out", session.sent),
        ("bytes_in", session.received),
        ("round_trips", session.round_trips),
    ] {
        let driver = field(counted, name).ok_or(format!("no {name} in @session {counted}"))?;
        if driver != seen {
            return Err(format!("{name}: the driver counted {driver}, the relay {seen}"));
        }
    }
    Ok(())
}

/// The session is encrypted, as the server sees it.
fn encrypted(outcome: &Outcome) -> Result<(), String> {
    match outcome.value("tls") {
        Some(output) if output.starts_with("TLSv1.3 ") => Ok(()),
        output => Err(format!("not TLS 1.3 but {}", output.unwrap_or("no line @tls"))),
    }
}

/// The figures of a run, those of the driver's transport calls included.
fn figures(outcome: &Outcome, costs: &Costs) -> Vec<(&'static str, u64)> {
    let mut figures = costs.figures();
    if let Some(query) = outcome.value("query") {
        for (figure, name) in [
            ("query_round_trips", "round_trips"),
            ("query_writes", "writes"),
            ("query_flushes", "flushes"),
        ] {
            figures.extend(field(query, name).map(|value| (figure, value)));
        }
    }
    figures
}

/// The number in `… name=7 …`.
fn field(line: &str, name: &str) -> Option<u64> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_instructions_are_lowered() {
        let mut best = vec![("stack", 1), ("query_instructions", 10)];
        lower(&mut best, vec![("stack", 2), ("query_instructions", 20), ("login_instructions", 5)]);
        assert_eq!(best, [("stack", 2), ("query_instructions", 10), ("login_instructions", 5)]);
    }

    #[test]
    fn reads_a_field() {
        let line = "round_trips=3 writes=4 bytes_out=120";
        assert_eq!(field(line, "round_trips"), Some(3));
        assert_eq!(field(line, "bytes_out"), Some(120));
        assert_eq!(field(line, "bytes"), None);
    }
}
