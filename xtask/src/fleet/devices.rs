//! The process with the devices: `barepg-fleet`.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use barepg_testkit::provision;
use barepg_testkit::scratch::Scratch;

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
    pub logins: u64,
    pub overloaded: u64,
    pub unknown: u64,
    pub longest_gap_ms: u64,
    pub host: u64,
}

/// The samples, ten a second.
#[derive(Debug, Clone, Default)]
pub struct Series(pub Vec<Sample>);

impl Series {
    /// The most that a counter rose within a second.
    pub fn most_in_a_second(&self, counter: fn(&Sample) -> u64) -> u64 {
        let counts: Vec<u64> = self.0.iter().map(counter).collect();
        let rises = counts.iter().zip(counts.iter().skip(10));
        let short = counts.last().copied().unwrap_or(0) - counts.first().copied().unwrap_or(0);
        rises.map(|(before, after)| after - before).max().unwrap_or(short)
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
                    longest = longest.max(sample.at - before.at);
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
    child: Child,
    stdin: ChildStdin,
    reader: JoinHandle<Result<Vec<Device>, String>>,
    series: Arc<Mutex<Series>>,
    /// The files of the outboxes.
    _scratch: Scratch,
}

/// Builds the program, in a profile of its own. Returns where it is.
pub fn build() -> Result<PathBuf, String> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--profile", "fleet", "--package", "barepg-fleet"]);
    cargo.current_dir(provision::root());
    provision::run(&mut cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or(provision::root().join("target"), PathBuf::from);
    Ok(target.join("fleet").join("barepg-fleet"))
}

/// A command with as many open files as this process may have.
fn command(program: &PathBuf) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""]).arg(program);
    command
}

/// Logs in again and again for some seconds. Returns how often, and the median in microseconds.
pub fn logins(
    conninfo: &str,
    threads: u32,
    ms: u64,
    keep_keys: bool,
) -> Result<(u64, u64), String> {
    let mut command = command(&build()?);
    command.arg(format!("conninfo={conninfo}")).arg(format!("devices={threads}"));
    command.arg(format!("logins-ms={ms}")).arg(format!("keep-keys={}", u32::from(keep_keys)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("barepg-fleet: {error}"))?;
    let stdin = child.stdin.take();
    let output = child.wait_with_output().map_err(|error| format!("barepg-fleet: {error}"))?;
    drop(stdin);
    let said = String::from_utf8_lossy(&output.stdout);
    match numbers(&said, "logins ").as_deref() {
        Some([count, half]) => Ok((*count, *half)),
        _ => Err(format!("barepg-fleet said: {said}")),
    }
}

impl Devices {
    /// Starts them. `options` are those of the program.
    pub fn start(conninfo: &str, count: u64, options: &[&str]) -> Result<Devices, String> {
        let scratch = Scratch::new("barepg-fleet", "").map_err(|error| error.to_string())?;
        let mut command = command(&build()?);
        command.arg(format!("conninfo={conninfo}")).arg(format!("devices={count}"));
        command.arg(format!("directory={}", scratch.path().display())).args(options);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("barepg-fleet: {error}"))?;
        let stdin = child.stdin.take().ok_or("no input")?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let series = Arc::new(Mutex::new(Series::default()));
        let samples = Arc::clone(&series);
        let reader = thread::spawn(move || {
            let mut devices = Vec::new();
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(sample) = sample(&line) {
                    samples.lock().unwrap_or_else(PoisonError::into_inner).0.push(sample);
                } else {
                    devices.push(device(&line).ok_or(format!("barepg-fleet said: {line}"))?);
                }
            }
            Ok(devices)
        });
        Ok(Devices { child, stdin, reader, series, _scratch: scratch })
    }

    /// What was counted so far.
    pub fn series(&self) -> Series {
        self.series.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Now, as the devices count time, in milliseconds.
    pub fn now(&self) -> u64 {
        self.series().0.last().map_or(0, |sample| sample.at)
    }

    /// Waits until so many devices are at work; `false`: they were not within the limit.
    pub fn wait_up(&self, devices: u64, limit: Duration) -> bool {
        let start = Instant::now();
        loop {
            if self.series().0.last().is_some_and(|sample| sample.up >= devices) {
                return true;
            }
            if start.elapsed() > limit {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
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
                let up = self.series().0.last().copied();
                let _ = self.child.kill();
                let _ = self.child.wait();
                return Err(format!("the devices did not end within {limit:?}: {up:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait().map_err(|error| format!("barepg-fleet: {error}"))?;
        let devices = self.reader.join().map_err(|_| "the reader panicked".to_string())??;
        if !status.success() {
            return Err(format!("barepg-fleet: {status}"));
        }
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((series, devices))
    }

    /// Ends them as they are.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
    let numbers: [u64; 14] = numbers(line, "device ")?.try_into().ok()?;
    let [index, pushed, waiting, dropped, swallowed, resent, _, logins, _, overloaded, ..] =
        numbers;
    let [.., _, unknown, longest_gap_ms, host] = numbers;
    Some(Device {
        index,
        pushed,
        waiting,
        dropped,
        swallowed,
        resent,
        logins,
        overloaded,
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
        assert_eq!(device("device 1 2 3 4 5 6 7 8 9 10 11 12 13 14").unwrap().unknown, 12);
        assert_eq!(device("panic"), None);
    }
}
