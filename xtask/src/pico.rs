//! `cargo xtask pico`: the Raspberry Pi Pico's firmware image, unchanged, in an emulator of its chip.
//!
//! It is provisioned over its serial line and keeps the parameters by the boot ROM's functions, logs readings over
//! TLS, then without, and goes on after its link is reset, its cable pulled, its power cut.

mod machine;

use std::path::Path;
use std::time::Duration;

use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
use barepg_testkit::pg::{self, Cluster};

use crate::boards::Link;
use crate::demo::digits;
use crate::measure::host_of;
use crate::provisioning::{self, Keys, Roles, Root};
use crate::{setup, test};
use machine::Machine;
pub use machine::Totals;

/// The help.
pub const USAGE: &str = "\
cargo xtask pico

Runs the image of boards/pico-w5500, unchanged, in an emulator of the RP2040 with a model of the W5500,
against a private PostgreSQL: from its console to a session over TLS, then without TLS, and back to a session after
its link is reset, its cable pulled, its power cut.
";

/// The longest that a step may take, on a loaded machine: a login over TLS is a quarter of a billion instructions.
const LIMIT: Duration = Duration::from_secs(300);

const SCHEMA: &str = "create table reading (device integer, number bigint, celsius real,
    primary key (device, number)); grant all on reading to public";

/// Does it, and says what happens.
pub fn run() -> Result<(), String> {
    let compiler = setup::all()?;
    println!("building boards/pico-w5500");
    let image = test::outside::image(&compiler, "pico-w5500")?;
    let totals = round(&image, &mut |what| println!("{what}"))?;
    println!("\n{totals}");
    Ok(())
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let instructions = self.get("instructions");
        let rate = instructions as f64 / self.get("busy_milliseconds").max(1) as f64 / 1000.0;
        writeln!(f, "    instructions                {:>12}", digits(instructions))?;
        writeln!(f, "    a microsecond of this host  {rate:>12.1}")?;
        writeln!(f, "    milliseconds of its clock   {:>12}", digits(self.get("milliseconds")))?;
        writeln!(f, "    bytes over SPI              {:>12}", digits(self.get("spi")))?;
        writeln!(f, "    SPI clock, Hz               {:>12}", digits(self.get("spi_hz")))?;
        writeln!(f, "    sectors erased              {:>12}", digits(self.get("erased")))?;
        writeln!(f, "    pages programmed            {:>12}", digits(self.get("programmed")))?;
        writeln!(f, "    milliseconds unwatched      {:>12}", digits(self.get("unwatched")))?;
        write!(f, "    stack, the most in use      {:>12}", digits(self.get("stack")))
    }
}

/// All of it, with an image. `said` takes what is done, and what the board says.
pub fn round(image: &Path, said: &mut dyn FnMut(&str)) -> Result<Totals, String> {
    let cluster = Cluster::try_start(pg::Options::default())?;
    cluster.try_psql("test", SCHEMA)?;
    // On a loaded machine the emulator takes a minute for the keys of TLS.
    cluster.append_conf("authentication_timeout = 600s")?;
    cluster.reload();
    cluster.wait_until("select current_setting('authentication_timeout') = '10min'");
    let relay = Relay::start(cluster.port()).map_err(|error| format!("relay: {error}"))?;
    let lines = lines(&cluster, relay.port())?;
    let mut board = Machine::start(image, said)?;

    board.deed("a new board has no parameters and asks for them");
    board.hear("line application_name ends with the number of the device", LIMIT)?;
    provision(&mut board, &lines)?;
    board.deed("it restarts, gets an address, logs in over TLS with keys, and stores readings");
    board.send("type start")?;
    board.hear("restart", LIMIT)?;
    stores(&mut board, &cluster)?;
    is_over_tls(&cluster, "TLSv1.3")?;

    board.deed("with its button held it has the console again, where secrets are hidden");
    for command in ["power off", "button held", "power on", "type show"] {
        board.send(command)?;
    }
    board.hear("line scram_client_key=<redacted>", LIMIT)?;
    board.hear("line ok", LIMIT)?;
    board.deed("its parameters change: no TLS, for the emulator takes long for it");
    provision(&mut board, "sslmode=disable\nchannel_binding=\nsslrootcert=\nroot=\ncommit\n")?;
    board.send("button free")?;
    board.send("type start")?;
    board.hear("restart", LIMIT)?;
    stores(&mut board, &cluster)?;
    is_over_tls(&cluster, "")?;

    board.deed("its link is reset");
    relay.arm(Cut { direction: Direction::ToServer, after: 20, ending: Ending::Reset });
    board.hear("led off", LIMIT)?;
    relay.disarm();
    stores(&mut board, &cluster)?;

    board.deed("its cable is pulled");
    board.send("cable out")?;
    board.hear("led off", LIMIT)?;
    board.deed("the cable is back");
    board.send("cable in")?;
    stores(&mut board, &cluster)?;

    board.deed("its power is cut, and back");
    board.send("power off")?;
    board.send("power on")?;
    board.hear("led off", LIMIT)?;
    stores(&mut board, &cluster)?;
    board.stop()
}

/// The lines for its console: keys of a login, and the authority's certificate.
fn lines(cluster: &Cluster, port: u16) -> Result<String, String> {
    let more = "host=localhost sslmode=verify-full channel_binding=require connect_timeout=20";
    let conninfo = format!("{} hostaddr=127.0.0.1 {more}", cluster.conninfo("scram_user"));
    let device = provisioning::Device::parse("logger7", &conninfo)?;
    let root = Root::read(&cluster.authority().path("ca.crt").display().to_string())?;
    let made = provisioning::made(&device, Keys::Login, Some(&root), &mut Roles::default())?;
    // As the board reaches it.
    let kept = made.lines().filter(|line| !["hostaddr", "port"].contains(&keyword(line)));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    Ok(format!("{kept}hostaddr={}\nport={port}\ncommit\n", host_of(Link::Ethernet)))
}

fn keyword(line: &str) -> &str {
    line.split('=').next().unwrap_or(line)
}

fn provision(board: &mut Machine<'_>, lines: &str) -> Result<(), String> {
    for line in lines.lines() {
        board.send(&format!("type {line}"))?;
        let answer = board.hear("line", LIMIT)?;
        if answer != "line ok" {
            return Err(format!("to {}: {answer}", keyword(line)));
        }
    }
    Ok(())
}

/// Its LED goes on, and readings arrive.
fn stores(board: &mut Machine<'_>, cluster: &Cluster) -> Result<(), String> {
    let count = || -> Result<u64, String> {
        let count = cluster.try_psql("test", "select count(*) from reading where device = 7")?;
        count.trim().parse().map_err(|_| format!("a count: {count}"))
    };
    let before = count()?;
    board.hear("led on", LIMIT)?;
    loop {
        let now = count()?;
        if now >= before + 3 {
            board.deed(&format!("{now} readings are in the table"));
            return Ok(());
        }
        board.wait(Duration::from_millis(100))?;
    }
}

/// Of its last session: the server may not know yet that one before has ended.
fn is_over_tls(cluster: &Cluster, version: &str) -> Result<(), String> {
    let seen = cluster.try_psql(
        "test",
        "select version from pg_stat_ssl join pg_stat_activity using (pid)
            where application_name = 'logger7' order by backend_start desc limit 1",
    )?;
    if seen.trim() == version { Ok(()) } else { Err(format!("not {version:?} but {seen:?}")) }
}
