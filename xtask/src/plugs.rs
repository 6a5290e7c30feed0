//! `cargo xtask plugs`: the plug of emulated boards is pulled at random moments while they log readings,
//! and what is in the table is compared with what they said was safe.

mod account;
pub mod device;
pub mod terminal;

use std::path::Path;
use std::time::{Duration, Instant};

use barepg_testkit::cut::{Cut, Direction, Ending};
use barepg_testkit::pg::{self, Cluster, StopMode};
use barepg_testkit::random::Random;

use crate::boards::{self, Board, Link};
use crate::{number, qemu, setup};
use account::{Account, Reading};
use device::{Device, Running};

/// The help.
pub const USAGE: &str = "\
cargo xtask plugs [options]

Pulls the plug of emulated boards at random moments while they log readings, and compares the table
with what they said was safe.

  --kills N           of the RISC-V board, whose flash QEMU keeps in a file (200)
  --resets N          of the micro:bit, by its own flash controller (30)
  --seed S            of the random numbers (1)
";

/// The table of the guide, with the order of arrival.
const SCHEMA: &str = "drop table if exists reading;
    create table reading (device integer, key bigint, at timestamptz, celsius real,
    arrived bigserial, primary key (device, key));
    grant all on reading to public; grant all on all sequences in schema public to public";

/// Milliseconds between two readings.
const EVERY_MS: [u64; 3] = [1, 4, 20];

/// The same where the link is a serial line: a hundred rows in a second are what it carries.
const SERIAL_EVERY_MS: [u64; 3] = [10, 20, 50];

/// Of so many starts, one has its link cut too.
const CUTS: u64 = 4;

/// The longest that one step of a round may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the command line asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    kills: u64,
    resets: u64,
    seed: u64,
}

impl Options {
    /// Reads the arguments after `plugs`.
    pub fn parse(arguments: &[&str]) -> Result<Options, String> {
        let mut options = Options { kills: 200, resets: 30, seed: 1 };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--kills" => options.kills = number(word, &mut words)?,
                "--resets" => options.resets = number(word, &mut words)?,
                "--seed" => options.seed = number(word, &mut words)?,
                other => return Err(format!("unknown argument of plugs: {other}")),
            }
        }
        Ok(options)
    }
}

/// Does what was asked for.
pub fn run(options: &Options) -> Result<(), String> {
    let compiler = setup::all()?;
    let cluster = Cluster::try_start(pg::Options::default())?;
    let counts = [("qemu-riscv32-virt", options.kills), ("qemu-microbit-uart", options.resets)];
    for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        let board = boards::find(name)?;
        let image = board.build(&compiler, &["survive"], true)?;
        println!("{}", pull(board, &image, &cluster, count, options.seed)?.words);
    }
    Ok(())
}

/// What came of plugs that were pulled.
pub struct Pulled {
    /// In words.
    pub words: String,
    /// Bytes of stack that the last start used.
    pub stack: Option<u64>,
}

/// Pulls a board's plug so many times while it logs. An error if a reading that was safe is lost, doubled or out of order.
pub fn pull(
    board: &Board,
    image: &Path,
    cluster: &Cluster,
    count: u64,
    seed: u64,
) -> Result<Pulled, String> {
    let failed = |error| format!("{}, seed {seed}: {error}", board.name);
    let device = Device::new(board, image, cluster)?;
    let (mut random, mut account) = (Random(seed), Account::default());
    let (begun, is_serial) = (Instant::now(), board.link == Link::Uart);
    for _ in 0..count {
        let every = random.pick(if is_serial { &SERIAL_EVERY_MS } else { &EVERY_MS });
        let running = device.power_on("log", every)?;
        // A serial line is not opened again.
        if !is_serial && random.below(CUTS) == 0 {
            device.relay.arm(Cut {
                direction: random.pick(&[Direction::ToServer, Direction::ToClient]),
                after: random.below(6000),
                ending: random.pick(&[Ending::End, Ending::Reset]),
            });
        }
        // Some in the middle of the start; a serial line is slow.
        let most = random.pick(if is_serial { &[300, 3000, 6000] } else { &[150, 2000, 2000] });
        let time = Duration::from_millis(random.below(most));
        account.power_on();
        running
            .run(time, &mut |line| {
                account.hear(line);
                false
            })
            .map_err(failed)?;
        running.pull().map_err(failed)?.iter().for_each(|line| account.hear(line));
    }
    device.relay.disarm();
    account.power_on();
    let drain = device.power_on("drain", 0)?;
    let said = Lines(drain.finish(&mut |line| account.hear(line)).map_err(failed)?);
    let sum = account.compare(&table(cluster)?).map_err(failed)?;
    let seconds = begun.elapsed().as_secs();
    let words = format!("{}: the plug pulled {count} times in {seconds} s, {sum}", board.name);
    Ok(Pulled { words, stack: said.number("stack") })
}

/// What the table has, in the order of arrival.
fn table(cluster: &Cluster) -> Result<Vec<Reading>, String> {
    let sql = "select key, celsius::int8 from reading order by arrived";
    let rows = cluster.try_psql("test", sql)?;
    rows.lines().map(|row| Reading::parse(row, '|')).collect::<Option<_>>().ok_or(rows)
}

/// What happens in a round.
pub enum Event<'e> {
    /// The device prints a line.
    Line(&'e str),
    /// Something is done to it.
    Deed(&'e str),
}

/// All lines of the device in a round.
pub struct Lines(Vec<String>);

impl Lines {
    /// Those for people: all but those that begin with `@`.
    pub fn text(&self) -> String {
        qemu::text(&self.0)
    }

    /// A number from the last line `@<name> …`.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.iter().rev().find_map(|line| qemu::value(line, name)?.parse().ok())
    }
}

/// One round: the link is cut, readings queue, the plug is pulled, power is back, the server is back, all
/// readings are there. An error if one is not.
pub fn round(
    board: &Board,
    image: &Path,
    cluster: &Cluster,
    show: &mut dyn FnMut(Event<'_>),
) -> Result<Lines, String> {
    let device = Device::new(board, image, cluster)?;
    let mut round = Round { account: Account::default(), lines: Vec::new(), show };
    let first = round.power_on(&device)?;
    round.until(&first, "  readings are stored as they are taken")?;
    round.deed("the link is cut");
    device.relay.shut();
    round.until(&first, "  10 readings wait in flash")?;
    round.deed("the plug is pulled; meanwhile the link is mended, and the server is stopped");
    first.pull()?.iter().for_each(|line| round.hear(line));
    device.relay.open();
    cluster.stop(StopMode::Fast);
    round.deed("power is back");
    let second = round.power_on(&device)?;
    round.until(&second, "  15 readings wait in flash")?;
    round.deed("the server is started");
    cluster.start_again();
    second.finish(&mut |line| round.hear(line))?;
    let sum = round.account.compare(&table(cluster)?)?;
    round.deed(&format!("the table: {sum}"));
    Ok(Lines(round.lines))
}

struct Round<'t> {
    account: Account,
    lines: Vec<String>,
    show: &'t mut dyn FnMut(Event<'_>),
}

impl Round<'_> {
    fn power_on<'d>(&mut self, device: &'d Device<'_>) -> Result<Running<'d>, String> {
        self.account.power_on();
        device.power_on("survive", 50)
    }

    fn hear(&mut self, line: &str) {
        self.account.hear(line);
        self.lines.push(line.to_string());
        if !line.starts_with('@') {
            (self.show)(Event::Line(line));
        }
    }

    fn deed(&mut self, what: &str) {
        (self.show)(Event::Deed(what));
    }

    /// Lets the device run until it says this.
    fn until(&mut self, running: &Running<'_>, line: &str) -> Result<(), String> {
        let said = running.run(LIMIT, &mut |said| {
            self.hear(said);
            said == line
        });
        if said == Ok(true) {
            return Ok(());
        }
        let lines = self.lines.join("\n");
        Err(format!("the device did not say `{}`:\n{lines}", line.trim_start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_arguments() {
        assert_eq!(Options::parse(&[]), Ok(Options { kills: 200, resets: 30, seed: 1 }));
        let options = Options::parse(&["--seed", "7", "--kills", "3", "--resets", "0"]);
        assert_eq!(options, Ok(Options { kills: 3, resets: 0, seed: 7 }));
        assert!(Options::parse(&["--kills"]).is_err());
        assert!(Options::parse(&["--kills", "x"]).is_err());
        assert!(Options::parse(&["--cuts"]).is_err());
    }
}
