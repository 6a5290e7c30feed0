//! Runs a firmware image under QEMU, or a host board as it is, and says what came of it.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Process, with_parent};
use barepg_testkit::scratch::Scratch;

use crate::boards::{Board, Link};
use crate::elf::Image;
use crate::existing::in_words;
use crate::plugin::{Counter, Counts};

/// The last line of a run that went well.
pub const DONE: &str = "@done ok";

/// QEMU says this at every start of the lm3s6965; it means nothing.
const HARMLESS: &str = "Timer with period zero";

/// What a firmware image is to be given.
#[derive(Debug)]
pub struct Request<'a> {
    pub board: &'a Board,
    pub image: &'a Path,
    /// `key=value` arguments; one whose value has spaces must come last.
    pub arguments: &'a [(&'a str, &'a str)],
    /// The TCP port of 127.0.0.1 that a serial line is connected to.
    pub uart_port: u16,
    /// The longest it may run.
    pub limit: Duration,
    /// Whether to count instructions.
    pub count: bool,
    /// More arguments for QEMU.
    pub more: &'a [&'a str],
}

/// The lines for people among those that a board printed: all but those that begin with `@`.
pub fn text(lines: &[String]) -> String {
    let lines = lines.iter().filter(|line| !line.starts_with('@'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What a line `@<name> …` says.
pub fn value<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.strip_prefix('@')?.strip_prefix(name)?.strip_prefix(' ')
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The lines of standard output, in order.
    pub lines: Vec<String>,
    pub counts: Option<Counts>,
    pub elapsed: Duration,
    status: Option<ExitStatus>,
    /// What QEMU printed, its harmless lines left out.
    complaints: String,
}

impl Outcome {
    /// The lines for people: all but those that begin with `@`.
    pub fn text(&self) -> String {
        text(&self.lines)
    }

    /// The rest of the first line that begins with `@<name> `.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| value(line, name))
    }

    /// A number from such a line.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.value(name)?.split_whitespace().next()?.parse().ok()
    }

    /// An error unless the firmware said that it is done as its last word, the exit status is 0
    /// and QEMU found nothing amiss. Each alone is no proof: QEMU exits with 0 when it is asked to
    /// quit, and it does not stop at accesses outside memory.
    pub fn check(&self) -> Result<(), String> {
        let reason = match self.status {
            None => format!("it was stopped after {:.1?}", self.elapsed),
            Some(status) if !status.success() => format!("it ended with {status}"),
            Some(_) if self.lines.last().map(String::as_str) != Some(DONE) => {
                format!("its last line is not `{DONE}`")
            }
            Some(_) if !self.complaints.is_empty() => "QEMU complains".to_string(),
            Some(_) => return Ok(()),
        };
        let lines = self.lines.join("\n");
        Err(format!("{reason}\n--- output\n{lines}\n--- QEMU\n{}---", self.complaints))
    }
}

/// Runs the firmware to its end or to the limit. `on_line` sees each line as it comes.
pub fn run(request: &Request<'_>, on_line: &mut dyn FnMut(&str)) -> Result<Outcome, String> {
    let scratch = Scratch::new("barepg-run", "").map_err(|error| format!("scratch: {error}"))?;
    let log = scratch.path().join("guest-errors");
    let mut counter = None;
    let mut command = match request.board.link {
        Link::Host => {
            let mut command = with_parent(request.image);
            command.args(request.arguments.iter().map(|(key, value)| format!("{key}={value}")));
            command
        }
        Link::Ethernet | Link::Uart | Link::None => {
            let (qemu, machine) = request.board.qemu.split_first().ok_or("a board without QEMU")?;
            let mut command = with_parent(qemu);
            command.args(machine).args(["-display", "none", "-monitor", "none"]);
            command.arg("-kernel").arg(request.image);
            command.args(["-semihosting-config", &semihosting(request.arguments)]);
            if request.board.link == Link::Uart {
                command.args(["-serial", &format!("tcp:127.0.0.1:{}", request.uart_port)]);
            } else {
                command.args(["-serial", "null"]);
            }
            if request.board.guest_errors {
                command.args(["-d", "guest_errors", "-D"]).arg(&log);
            }
            if request.count {
                let image = Image::read(request.image)?;
                let made = Counter::new(qemu, &image, &scratch.path().join("counts"))?;
                command.args(["-plugin", &made.argument()]);
                counter = Some(made);
            }
            command.args(request.more);
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let process = Process::start(&mut command)?;
    let mut outcome = follow(process, begun, request.limit, on_line)?;
    if let Ok(errors) = std::fs::read_to_string(&log) {
        complain(&mut outcome.complaints, &errors);
    }
    if let (Some(counter), Some(_)) = (counter, outcome.status) {
        outcome.counts = Some(counter.counts()?);
    }
    Ok(outcome)
}

/// QEMU splits at commas; a doubled one is one.
pub fn semihosting(arguments: &[(&str, &str)]) -> String {
    let mut config = "enable=on,target=native".to_string();
    for (key, value) in arguments {
        config.push_str(&format!(",arg={key}={}", value.replace(',', ",,")));
    }
    config
}

fn follow(
    mut process: Process,
    begun: Instant,
    limit: Duration,
    on_line: &mut dyn FnMut(&str),
) -> Result<Outcome, String> {
    let (said, words) = (process.lines()?, process.errors()?);
    let (mut lines, mut end) = (Vec::new(), begun + limit);
    while let Heard::Line(line) = said.next(end) {
        // What that takes is not the board's time.
        let heard = Instant::now();
        let line = in_words(line)?;
        end += heard.elapsed();
        on_line(&line);
        lines.push(line);
    }
    // Closing standard output is not the end yet.
    let status = process.wait(end.saturating_duration_since(Instant::now()))?;
    process.kill();
    let elapsed = begun.elapsed();
    let mut complaints = String::new();
    complain(&mut complaints, &words.text());
    Ok(Outcome { lines, counts: None, elapsed, status, complaints })
}

/// Adds what QEMU printed that means something.
pub fn complain(complaints: &mut String, words: &str) {
    for line in words.lines().filter(|line| !line.contains(HARMLESS)) {
        complaints.push_str(line);
        complaints.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> Outcome {
        let mut command = with_parent("/bin/sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let limit = Duration::from_millis(limit);
        let process = Process::start(&mut command).unwrap();
        follow(process, Instant::now(), limit, &mut |_| ()).unwrap()
    }

    #[test]
    fn a_good_run_says_so_in_all_three_ways() {
        let outcome = shell("echo hello; echo '@stack 512'; echo @done ok", 10_000);
        outcome.check().unwrap();
        assert_eq!(outcome.text(), "hello\n");
        assert_eq!(outcome.number("stack"), Some(512));
        assert_eq!(outcome.value("nothing"), None);
        shell("echo 'Timer with period zero, disabling' >&2; echo @done ok", 10_000)
            .check()
            .unwrap();
    }

    #[test]
    fn a_bad_run_is_told_from_a_good_one() {
        let reason = |script| shell(script, 10_000).check().unwrap_err();
        assert!(reason("echo @done ok; exit 3").contains("exit status: 3"));
        assert!(reason("echo hello").contains("last line"));
        assert!(reason("echo @done ok; echo more").contains("last line"));
        assert!(reason("echo 'Invalid write' >&2; echo @done ok").contains("Invalid write"));
        let silent = shell("echo @done ok; exec sleep 30", 300);
        assert!(silent.check().unwrap_err().contains("stopped after"));
        let endless = shell("echo @done ok; exec yes", 300);
        assert!(endless.check().unwrap_err().contains("stopped after"));
        let closed = shell("echo @done ok; exec >&-; exec sleep 30", 300);
        assert!(closed.check().unwrap_err().contains("stopped after"));
    }

    #[test]
    fn commas_are_doubled_for_qemu() {
        assert_eq!(
            semihosting(&[("a", "1,2"), ("conninfo", "host=h port=1")]),
            "enable=on,target=native,arg=a=1,,2,arg=conninfo=host=h port=1"
        );
    }
}
