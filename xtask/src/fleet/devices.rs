//! The process with the devices: `barepg-fleet`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Lines, Process};
use barepg_testkit::provision;
use barepg_testkit::scratch::Scratch;

use crate::bare::Compiler;
use crate::boards;

/// The longest that a login of [`logins`] may take.
const LOGIN: Duration = Duration::from_secs(60);

/// The longest without a line of the devices, which print one ten times a second.
const SILENCE: Duration = Duration::from_secs(60);

/// What all devices had counted at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// Milliseconds since the devices were started.
    pub at: u64,
    pub dials: u64,
    pub logins: u64,
    pub stored: u64,
    /// Devices with a session that has done work.
    pub up: u64,
}

/// How a device ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Device {
    pub index: u64,
    pub pushed: u64,
    pub waiting: u64,
    pub dropped: u64,
    pub swallowed: u64,
    pub resent: u64,
    pub unknown: u64,
    pub longest_gap_ms: u64,
    pub host: u64,
}

/// The samples, ten a second where the machine keeps up.
#[derive(Debug, Clone, Default)]
pub struct Series(pub Vec<Sample>);

impl Series {
    /// How much a counter rose in the second before each sample, as far as there was one.
    pub fn rises(&self, counter: fn(&Sample) -> u64) -> impl Iterator<Item = (u64, u64)> {
        let mut first = 0;
        self.0.iter().map(move |sample| {
            while self.0[first].at + 1000 < sample.at {
                first += 1;
            }
            (sample.at, counter(sample).saturating_sub(counter(&self.0[first])))
        })
    }

    /// The most that a counter rose within a second.
    pub fn most_in_a_second(&self, counter: fn(&Sample) -> u64) -> u64 {
        self.rises(counter).map(|(_, rise)| rise).max().unwrap_or(0)
    }

    /// How long after a moment the last device was at work again, in milliseconds.
    pub fn back_ms(&self, after: u64, devices: u64) -> Option<u64> {
        let last_away = self.0.iter().rposition(|sample| sample.up < devices);
        let back = self.0.get(last_away.map_or(0, |index| index + 1))?;
        Some(back.at.saturating_sub(after))
    }

    /// The longest time in which no row was stored at all, in milliseconds.
    pub fn longest_gap_ms(&self) -> u64 {
        let (mut longest, mut since) = (0, None::<Sample>);
        for sample in &self.0 {
            match since {
                Some(before) if before.stored == sample.stored => {
                    longest = longest.max(sample.at.saturating_sub(before.at));
                }
                _ if sample.stored > 0 => since = Some(*sample),
                _ => {}
            }
        }
        longest
    }
}

/// The devices, at work.
pub struct Devices {
    process: Process,
    stdin: ChildStdin,
    count: u64,
    reader: JoinHandle<Result<Vec<Device>, String>>,
    series: Arc<Mutex<Series>>,
    /// The files of the outboxes.
    _scratch: Scratch,
}

/// The program, built in a profile of its own by whoever asks first.
fn program() -> Result<&'static Path, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref().map_err(Clone::clone)
}

fn build() -> Result<PathBuf, String> {
    let mut cargo = Compiler::default().cargo();
    cargo.args(["build", "--quiet", "--profile", "fleet", "--package", "barepg-fleet"]);
    cargo.current_dir(provision::root());
    boards::built(&mut cargo, "barepg-fleet")
}

/// A command with as many open files as this process may have.
fn command(program: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""]).arg(program);
    command
}

/// Logs in again and again for some seconds. Returns how often.
pub fn logins(conninfo: &str, threads: u32, ms: u64, keep_keys: bool) -> Result<u64, String> {
    let mut command = command(program()?);
    command.arg(format!("conninfo={conninfo}")).arg(format!("devices={threads}"));
    command.arg(format!("logins-ms={ms}")).arg(format!("keep-keys={}", u32::from(keep_keys)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = Process::start(&mut command)?;
    // Its end would end the program.
    let _stdin = process.stdin()?;
    let lines = process.lines()?;
    let Some(status) = process.wait(Duration::from_millis(ms) + LOGIN)? else {
        return Err(format!("barepg-fleet still logs in after {ms} ms and {LOGIN:?}"));
    };
    let said = lines.rest().join("\n");
    match numbers(&said, "logins ").as_deref() {
        Some([count]) if status.success() => Ok(*count),
        _ => Err(format!("barepg-fleet: {status}: {said}")),
    }
}

impl Devices {
    /// Starts them. `options` are those of the program.
    pub fn start(conninfo: &str, count: u64, options: &[&str]) -> Result<Devices, String> {
        let scratch = Scratch::new("barepg-fleet", "").map_err(|error| error.to_string())?;
        let mut command = command(program()?);
        command.arg(format!("conninfo={conninfo}")).arg(format!("devices={count}"));
        command.arg(format!("directory={}", scratch.path().display())).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let (stdin, lines) = (process.stdin()?, process.lines()?);
        let series = Arc::new(Mutex::new(Series::default()));
        let samples = Arc::clone(&series);
        let reader = thread::spawn(move || read(&lines, &samples));
        Ok(Devices { process, stdin, count, reader, series, _scratch: scratch })
    }

    /// What was counted so far.
    pub fn series(&self) -> Series {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Now, as the devices count time, in milliseconds.
    pub fn now(&self) -> u64 {
        self.series().0.last().map_or(0, |sample| sample.at)
    }

    /// How many are at work now.
    pub fn up(&self) -> u64 {
        self.series().0.last().map_or(0, |sample| sample.up)
    }

    /// Waits until all are at work.
    ///
    /// # Errors
    /// They were not within the limit.
    pub fn wait_up(&self, limit: Duration) -> Result<(), String> {
        let start = Instant::now();
        while self.up() < self.count {
            if start.elapsed() > limit {
                return Err(format!(
                    "{} of {} devices are at work after {limit:?}",
                    self.up(),
                    self.count
                ));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Gives a command: `stop`, `vanish`.
    pub fn tell(&mut self, command: &str) -> Result<(), String> {
        writeln!(self.stdin, "{command}").map_err(|error| format!("barepg-fleet: {error}"))
    }

    /// Lets them send what waits, and end.
    pub fn finish(mut self, limit: Duration) -> Result<(Series, Vec<Device>), String> {
        self.tell("stop")?;
        let start = Instant::now();
        while !self.reader.is_finished() {
            if start.elapsed() > limit {
                let last = self.series().0.last().copied();
                return Err(format!("the devices did not end within {limit:?}: {last:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let status = self.process.wait(limit)?.ok_or("barepg-fleet does not end")?;
        let devices = self.reader.join().map_err(|_| "the reader panicked".to_string())??;
        if !status.success() {
            return Err(format!("barepg-fleet: {status}"));
        }
        if devices.len() as u64 != self.count {
            return Err(format!("{} of {} devices say how they ended", devices.len(), self.count));
        }
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((series, devices))
    }
}

/// Reads all that the program prints, while it runs.
fn read(lines: &Lines, samples: &Mutex<Series>) -> Result<Vec<Device>, String> {
    let mut devices = Vec::new();
    loop {
        match lines.next(Instant::now() + SILENCE) {
            Heard::Line(line) => match sample(&line) {
                Some(sample) => {
                    samples.lock().unwrap_or_else(PoisonError::into_inner).0.push(sample);
                }
                None => devices.push(device(&line).ok_or(format!("barepg-fleet said: {line}"))?),
            },
            Heard::End => return Ok(devices),
            Heard::Nothing => return Err(format!("barepg-fleet is silent for {SILENCE:?}")),
        }
    }
}

fn numbers(line: &str, name: &str) -> Option<Vec<u64>> {
    line.trim().strip_prefix(name)?.split(' ').map(|word| word.parse().ok()).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let [at, dials, logins, stored, up] = numbers(line, "at ")?.try_into().ok()?;
    Some(Sample { at, dials, logins, stored, up })
}

fn device(line: &str) -> Option<Device> {
    let numbers: [u64; 9] = numbers(line, "device ")?.try_into().ok()?;
    let [index, pushed, waiting, dropped, swallowed, resent, unknown, longest_gap_ms, host] =
        numbers;
    Some(Device {
        index,
        pushed,
        waiting,
        dropped,
        swallowed,
        resent,
        unknown,
        longest_gap_ms,
        host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_series() {
        let of = |at, dials, stored, up| Sample { at, dials, stored, up, ..Sample::default() };
        let mut samples: Vec<Sample> = (0..20).map(|n| of(n * 100, n, n, 5)).collect();
        samples.extend((20..60).map(|n| of(n * 100, n + (n - 19) * 10, 19, 3)));
        samples.extend((60..80).map(|n| of(n * 100, 470, n, 5)));
        let series = Series(samples);
        assert_eq!(series.most_in_a_second(|sample| sample.dials), 110);
        assert_eq!(series.longest_gap_ms(), 4000);
        assert_eq!(series.back_ms(5000, 5), Some(1000));
        assert_eq!(series.back_ms(5000, 6), None);
        assert_eq!(sample("at 100 1 2 3 4"), Some(Sample { logins: 2, ..of(100, 1, 3, 4) }));
        assert_eq!(device("device 1 2 3 4 5 6 7 8 9").unwrap().unknown, 7);
        assert_eq!(device("panic"), None);
    }

    /// A machine with other work is late with its samples, and then prints several at once.
    #[test]
    fn a_second_is_a_second_of_the_devices() {
        let of = |at, dials| Sample { at, dials, ..Sample::default() };
        let late = Series(vec![of(0, 0), of(5000, 50), of(5001, 50), of(5900, 59), of(6001, 80)]);
        assert_eq!(late.most_in_a_second(|sample| sample.dials), 30);
        let short = Series(vec![of(0, 1), of(100, 4)]);
        assert_eq!(short.most_in_a_second(|sample| sample.dials), 3);
        assert_eq!(Series::default().most_in_a_second(|sample| sample.dials), 0);
        // Counters that are read one after the other are no reason to panic.
        assert_eq!(Series(vec![of(0, 9), of(100, 8)]).most_in_a_second(|sample| sample.dials), 0);
    }
}
