//! The stage about devices that get their parameters in the field: over a serial line, restarted, damaged,
//! wiped; and the other boards, which take the same lines from a file.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::scratch::Scratch;

use super::boards::{compare, lint};
use super::{Checked, Context};
use crate::boards::{self, BOARDS, Board};
use crate::budgets::Budgets;
use crate::measure::{Costs, host_of};
use crate::plugs::device::Device;
use crate::plugs::terminal::Terminal;
use crate::provisioning::{self, Keys, Roles};
use crate::qemu::{self, Outcome, Request};

const FEATURES: &[&str] = &["provision"];

/// A board whose flash keeps its parameters, and that has a console on its serial line.
struct Keeper {
    board: &'static str,
    /// Where they are in the file that is its flash: two places of a page.
    places: [usize; 2],
}

const KEEPERS: [Keeper; 2] = [
    Keeper { board: "qemu-microbit-uart", places: [0x3_7800, 0x3_7c00] },
    Keeper { board: "qemu-riscv32-virt", places: [0x18_0000, 0x1c_0000] },
];

impl Keeper {
    fn of(board: &Board) -> Option<&'static Keeper> {
        KEEPERS.iter().find(|keeper| keeper.board == board.name)
    }

    const fn page(&self) -> usize {
        self.places[1] - self.places[0]
    }
}

/// The longest that a step may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Every board starts from what it was given.
pub fn boards(context: &Context) -> Checked {
    // Its log says who came.
    let cluster = &Cluster::try_start(pg::Options::default())?;
    cluster.append_conf("log_connections = on")?;
    cluster.reload();
    cluster.wait_until("select current_setting('log_connections') = 'on'");
    // What `cargo xtask provision --login` does: the password ends here.
    let device = provisioning::Device::parse("scram_user", &cluster.conninfo("scram_user"))?;
    let given = provisioning::made(&device, Keys::Login, None, &mut Roles::default())?;
    if given.contains("scram_user_pw") || !given.contains("\nscram_client_key=") {
        return Err(format!("no login keys, or a password: {given}"));
    }
    let mut checked = 0;
    for board in BOARDS {
        let image = board.build(&context.compiler, FEATURES, false)?;
        lint(context, board, &["--features", "provision"])?;
        cluster.try_psql("test", "drop table if exists student")?;
        checked += 2;
        checked += match Keeper::of(board) {
            Some(keeper) => over_the_line(board, keeper, &image, cluster, &given)?,
            None => from_a_file(board, &image, cluster.port(), &given)?,
        };
    }
    with_root(context, cluster)?;
    Ok(checked + 1)
}

/// The root certificate is among what was given, and the server is verified by it.
fn with_root(context: &Context, cluster: &Cluster) -> Result<(), String> {
    let board = boards::find("host")?;
    let image = board.build(&context.compiler, &["provision", "tls"], false)?;
    let conninfo = format!(
        "{} host=localhost hostaddr=127.0.0.1 sslmode=verify-full channel_binding=require",
        cluster.conninfo("scram_user")
    );
    let device = provisioning::Device::parse("scram_user", &conninfo)?;
    let root = provisioning::Root::read(&cluster.authority().path("ca.crt").display().to_string())?;
    let given = provisioning::made(&device, Keys::Login, Some(&root), &mut Roles::default())?;
    cluster.try_psql("test", "drop table if exists student")?;
    let outcome = with_lines(board, &image, &format!("{given}commit\n"))?;
    match outcome.value("tls") {
        Some(protected) if protected.starts_with("TLSv1.3 ") => Ok(()),
        other => Err(format!("not TLS 1.3 but {other:?}")),
    }
}

/// From a file with the console's lines.
fn from_a_file(board: &Board, image: &Path, port: u16, given: &str) -> Checked {
    with_lines(board, image, &format!("{}commit\n", as_reached(board, port, given))).map(|_| 1)
}

/// Runs the common operations with what these lines say.
fn with_lines(board: &Board, image: &Path, lines: &str) -> Result<Outcome, String> {
    let scratch = Scratch::new("barepg-provisioned", "").map_err(|e| format!("scratch: {e}"))?;
    let file = scratch.path().join("lines");
    fs::write(&file, lines).map_err(|error| format!("{}: {error}", file.display()))?;
    let file = file.display().to_string();
    let request = Request {
        board,
        image,
        arguments: &[("show", "common_operations"), ("provision", &file)],
        uart_port: 0,
        limit: LIMIT,
        count: false,
        more: &[],
    };
    let outcome = qemu::run(&request, &mut |_| ())?;
    outcome.check().map_err(|error| format!("{}: {error}", board.name))?;
    compare(board, &outcome.text(), "common_operations")?;
    Ok(outcome)
}

/// The lines with the address that the board has for a port of this machine.
fn as_reached(board: &Board, port: u16, lines: &str) -> String {
    let is_address =
        |line: &&str| ["host=", "hostaddr=", "port="].iter().any(|word| line.starts_with(word));
    let rest = lines.lines().filter(|line| !is_address(line)).map(|line| format!("{line}\n"));
    format!("host={}\nport={port}\n{}", host_of(board.link), rest.collect::<String>())
}

/// Over the serial line into the flash, with restarts between.
fn over_the_line(
    board: &Board,
    keeper: &Keeper,
    image: &Path,
    cluster: &Cluster,
    given: &str,
) -> Checked {
    let device = Device::at(board, image, cluster.port())?;
    let given = &as_reached(board, device.relay.port(), given);
    let said = |label: &str, what: Result<(), String>| what.map_err(|e| format!("{label}: {e}"));

    // A new device asks for its parameters.
    console(&device, &[], &mut |line| {
        line.ask("show", "0 of 512 bytes")?;
        let long = format!("options={}", "x".repeat(240));
        line.ask(&long, "")?;
        line.ask("dbname=x", "")?;
        for (asked, answer) in [
            (
                format!("fallback_application_name={}", "y".repeat(229)),
                "error: does not fit: 514 bytes are needed, there are 512: 2 too many",
            ),
            (
                format!("options={}", "x".repeat(300)),
                "error: the line does not fit: 308 bytes are needed, there are 256: 52 too many",
            ),
            (
                "hots=db".to_string(),
                "error: connection string, byte 0: no such connection parameter",
            ),
            ("commit".to_string(), "error: user is missing"),
        ] {
            line.ask(&asked, answer)?;
        }
        line.ask("clear", "")?;
        for parameter in given.lines() {
            line.ask(parameter, "")?;
        }
        line.ask("commit", "")?;
        // A second time, so that there are two copies.
        line.ask("application_name=second", "")?;
        let shown = line.ask("show", "")?;
        let key = given.lines().find_map(|line| line.strip_prefix("scram_client_key="));
        if key.is_none_or(|key| shown.contains(key))
            || !shown.contains("scram_client_key=<redacted>")
        {
            return Err(format!("a secret is shown, or none is there:\n{shown}"));
        }
        line.ask("commit", "").map(drop)
    })?;

    // It logs in with keys: the image, the arguments and the flash hold no password.
    let flash = fs::read(device.flash()).map_err(|error| format!("flash: {error}"))?;
    if flash.windows(13).any(|bytes| bytes == b"scram_user_pw") {
        return Err("the password is in the flash".to_string());
    }
    said("after the restart", session(&device, cluster, "newest", "second"))?;

    // Damaged, one bit at a time: the header, the seal, a key.
    for at in [4, 40, 160 + 100] {
        let mut damaged = flash.clone();
        let newest = keeper.places[1] + at;
        damaged[newest] ^= 4;
        fs::write(device.flash(), &damaged).map_err(|error| format!("flash: {error}"))?;
        said(&format!("byte {at} damaged"), session(&device, cluster, "last good", "scram_user"))?;
    }

    // Saved again over the damaged one, in spite of an argument that was there before; then wiped.
    console(&device, &[("console", "yes")], &mut |line| {
        line.ask("application_name=third", "")?;
        line.ask("commit", "").map(drop)
    })?;
    said("saved again", session(&device, cluster, "newest", "third"))?;
    console(&device, &[("console", "yes")], &mut |line| {
        line.ask("wipe", "")?;
        line.ask("show", "0 of 512 bytes").map(drop)
    })?;
    let flash = fs::read(device.flash()).map_err(|error| format!("flash: {error}"))?;
    if flash[keeper.places[0]..keeper.places[1] + keeper.page()].iter().any(|byte| *byte != 0xff) {
        return Err("not all of it was wiped".to_string());
    }

    // From the factory: the image beside the program.
    let scratch = Scratch::new("barepg-provisioned", "").map_err(|e| format!("scratch: {e}"))?;
    let file = scratch.path().join("image");
    let lines = format!("{given}application_name=factory\ncommit\n");
    provisioning::image(&lines, u32::try_from(keeper.page()).unwrap_or(0), 512, &file)?;
    let made = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut flashed = flash;
    flashed[keeper.places[0]..keeper.places[0] + made.len()].copy_from_slice(&made);
    fs::write(device.flash(), &flashed).map_err(|error| format!("flash: {error}"))?;
    said("from the factory", session(&device, cluster, "newest", "factory"))?;
    let budgets = Budgets::read()?;
    let costs = Costs::of_image(board, image)?;
    let figures = costs.figures();
    budgets.compare(&format!("{}-provisioned", board.name), &figures).map(|count| 9 + count)
}

/// A start without any argument but the program: the session is the golden one.
fn session(
    device: &Device<'_>,
    cluster: &Cluster,
    loaded: &str,
    application_name: &str,
) -> Result<(), String> {
    cluster.try_psql("test", "drop table if exists student")?;
    let before = cluster.log().len();
    let running = device.start(&[("show", "common_operations")], None)?;
    let lines = running.finish(&mut |_| ())?;
    compare(device.board, &qemu::text(&lines), "common_operations")?;
    if !lines.contains(&format!("@provisioned {loaded}")) {
        return Err(format!("not `{loaded}`: {}", lines.join("\n")));
    }
    let log = cluster.log();
    let logged = log.get(before..).unwrap_or_default();
    let name = format!("application_name={application_name}");
    if !logged.lines().any(|line| line.contains(&name)) {
        return Err(format!("the server saw no {name}:\n{logged}"));
    }
    if !logged.contains("method=scram-sha-256") {
        return Err(format!("that was no SCRAM login:\n{logged}"));
    }
    Ok(())
}

/// The console of a device that is switched on, used by `person`, and off again.
fn console(
    device: &Device<'_>,
    arguments: &[(&str, &str)],
    person: &mut dyn FnMut(&mut Terminal) -> Result<(), String>,
) -> Result<(), String> {
    let failed = |error| format!("serial line: {error}");
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let running = device.start(arguments, Some(port))?;
    let mut terminal = Terminal::accept(&listener, LIMIT)?;
    terminal.hear()?;
    person(&mut terminal)?;
    running.pull().map(drop)
}
