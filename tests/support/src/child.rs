//! Child processes that no failure leaves running, and waits for them that end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at whether a process has ended.
const TICK: Duration = Duration::from_millis(2);

/// How long the rest of the output of a process that has ended may take: its own children may hold the pipe.
const REST: Duration = Duration::from_secs(10);

/// A process, killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    shown: String,
}

/// What was waited for of a process's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line, without its end.
    Line(String),
    /// The output has ended.
    End,
    /// Nothing came in time.
    Nothing,
}

impl Process {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Result<Process, String> {
        let shown = format!("{command:?}").replace('"', "");
        let child = command.spawn().map_err(|error| format!("{shown}: {error}"))?;
        Ok(Process { child, shown })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once, if that is a pipe.
    pub fn stdin(&mut self) -> Result<ChildStdin, String> {
        self.child.stdin.take().ok_or(format!("{}: no standard input", self.shown))
    }

    /// Its standard output, once, if that is a pipe.
    pub fn stdout(&mut self) -> Result<ChildStdout, String> {
        self.child.stdout.take().ok_or(format!("{}: no output", self.shown))
    }

    /// The lines of its standard output, once, if that is a pipe.
    pub fn lines(&mut self) -> Result<Lines, String> {
        self.stdout().map(Lines::of)
    }

    /// The port that it prints as its first line.
    pub fn port(&mut self, limit: Duration) -> Result<u16, String> {
        match self.lines()?.next(Instant::now() + limit) {
            Heard::Line(line) => {
                line.trim().parse().map_err(|_| format!("said {line:?} in place of a port"))
            }
            Heard::End => Err("it has ended, and named no port".to_string()),
            Heard::Nothing => Err(format!("no port within {limit:?}")),
        }
    }

    /// All of its standard error, once, if that is a pipe.
    pub fn errors(&mut self) -> Result<Rest, String> {
        let stderr = self.child.stderr.take().ok_or(format!("{}: no error output", self.shown))?;
        Ok(Rest::of(stderr))
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, String> {
        self.child.try_wait().map_err(|error| format!("{}: {error}", self.shown))
    }

    /// Waits for its end; `None`: it runs on.
    pub fn wait(&mut self, limit: Duration) -> Result<Option<ExitStatus>, String> {
        let begun = Instant::now();
        loop {
            let status = self.ended()?;
            if status.is_some() || begun.elapsed() >= limit {
                return Ok(status);
            }
            thread::sleep(TICK);
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Gives it `input`, waits for its end, and returns what it printed to its pipes.
    ///
    /// # Errors
    /// It has not ended within the limit, and was killed.
    pub fn output(mut self, input: &[u8], limit: Duration) -> Result<Output, String> {
        let stdout = self.child.stdout.take().map(Rest::of);
        let stderr = self.child.stderr.take().map(Rest::of);
        if let Some(mut stdin) = self.child.stdin.take() {
            let input = input.to_vec();
            // A process that gave up says why elsewhere.
            thread::spawn(move || stdin.write_all(&input));
        }
        let status = self.wait(limit)?;
        self.kill();
        let [stdout, stderr] = [stdout, stderr].map(|rest| rest.map_or(Vec::new(), Rest::bytes));
        match status {
            Some(status) => Ok(Output { status, stdout, stderr }),
            None => Err(format!(
                "{}: it does not end: killed after {limit:?}\n{}{}",
                self.shown,
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            )),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lines as they come.
#[derive(Debug)]
pub struct Lines(Receiver<String>);

impl Lines {
    /// Those of an output, read by a thread of its own, which ends with it.
    pub fn of(output: impl Read + Send + 'static) -> Lines {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_string();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Lines(lines)
    }

    /// Waits for the next one. After the deadline there is none, also where one would be at hand: whoever
    /// prints without an end does not hold the caller.
    pub fn next(&self, deadline: Instant) -> Heard {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Heard::Nothing;
        }
        match self.0.recv_timeout(left) {
            Ok(line) => Heard::Line(line),
            Err(RecvTimeoutError::Disconnected) => Heard::End,
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
        }
    }

    /// What is still to come of a process that has ended.
    pub fn rest(&self) -> Vec<String> {
        let (deadline, mut lines) = (Instant::now() + REST, Vec::new());
        while let Heard::Line(line) = self.next(deadline) {
            lines.push(line);
        }
        lines
    }
}

/// All of an output, read while the process runs.
#[derive(Debug)]
pub struct Rest(Receiver<Vec<u8>>);

impl Rest {
    fn of(mut output: impl Read + Send + 'static) -> Rest {
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Rest(pieces)
    }

    /// All of it, once the process has ended.
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    fn bytes(self) -> Vec<u8> {
        let (deadline, mut bytes) = (Instant::now() + REST, Vec::new());
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.0.recv_timeout(left) {
                Ok(piece) if !left.is_zero() => bytes.extend(piece),
                _ => return bytes,
            }
        }
    }
}

/// Runs a command that is quickly done to its end, and returns what it printed; on failure, everything it said.
/// For what may take long (builds, installations) there is [`provision::run`](crate::provision::run).
pub fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = Process::start(command)?;
    let shown = process.shown.clone();
    let output = process.output(b"", limit)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    match output.status.success() {
        true => Ok(stdout),
        false => Err(format!("{shown}: {}\n{stdout}{stderr}", output.status)),
    }
}

/// A command that the kernel ends with the thread that starts it, however that ends.
pub fn with_parent(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program.as_ref());
    command
}

/// Sends a signal to processes; those that are gone meanwhile do not matter.
pub fn signal(name: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("kill -{name} \"$@\""), "kill"]).args(pids);
    command.stderr(Stdio::null());
    let _ = command.status();
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process::start(&mut command).unwrap()
    }

    #[test]
    fn is_killed_when_dropped() {
        let process = shell("exec sleep 60");
        let pid = process.id();
        let entry = format!("/proc/{pid}");
        assert!(std::path::Path::new(&entry).exists());
        drop(process);
        assert!(!std::path::Path::new(&entry).exists());
    }

    #[test]
    fn no_wait_is_without_an_end() {
        let mut process = shell("echo one; exec sleep 60");
        let lines = process.lines().unwrap();
        assert_eq!(lines.next(Instant::now() + LONG), Heard::Line("one".to_string()));
        assert_eq!(lines.next(Instant::now() + SOON), Heard::Nothing);
        assert_eq!(process.wait(SOON), Ok(None));
        process.kill();
        assert_eq!(lines.next(Instant::now() + LONG), Heard::End);
        let error = shell("echo said; exec sleep 60").output(b"", SOON).unwrap_err();
        assert!(error.contains("does not end") && error.contains("said"), "{error}");
    }

    #[test]
    fn who_prints_without_an_end_does_not_hold_the_caller() {
        let mut process = shell("exec yes");
        let lines = process.lines().unwrap();
        let deadline = Instant::now() + SOON;
        while let Heard::Line(line) = lines.next(deadline) {
            assert_eq!(line, "y");
        }
        let mut process = shell("yes | head -c 200000 >&2; echo done; exec sleep 60");
        let (lines, errors) = (process.lines().unwrap(), process.errors().unwrap());
        assert_eq!(lines.next(Instant::now() + LONG), Heard::Line("done".to_string()));
        process.kill();
        assert_eq!(errors.text().len(), 200_000);
    }

    #[test]
    fn a_port_is_named_or_it_is_an_error() {
        assert_eq!(shell("echo 5432; exec sleep 60").port(LONG), Ok(5432));
        assert!(shell("echo no; exec sleep 60").port(LONG).unwrap_err().contains("said \"no\""));
        assert!(shell("exit 1").port(LONG).unwrap_err().contains("ended"));
        assert!(shell("exec sleep 60").port(SOON).unwrap_err().contains("no port within"));
    }

    #[test]
    fn output_is_whole_while_input_is_given() {
        // More than a pipe holds, both ways at once.
        let input = vec![b'x'; 1 << 20];
        let output = shell("tee /dev/stderr; exit 3").output(&input, LONG).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), input.len()));
        assert_eq!(output.stderr.len(), input.len());
    }

    #[test]
    fn a_command_is_run_within_its_limit() {
        let run = |script: &str, limit| run(Command::new("/bin/sh").args(["-c", script]), limit);
        assert_eq!(run("echo said", LONG), Ok("said\n".to_string()));
        assert!(run("echo why >&2; exit 3", LONG).unwrap_err().ends_with("3\nwhy\n"));
        assert!(run("exec sleep 60", SOON).unwrap_err().contains("does not end"));
    }

    #[test]
    fn children_are_those_of_the_process() {
        let mut process = shell("sleep 60 & echo $!; wait");
        let Heard::Line(child) = process.lines().unwrap().next(Instant::now() + LONG) else {
            panic!()
        };
        let child = child.parse().unwrap();
        assert_eq!(children(process.id()), [child]);
        signal("KILL", &[child]);
    }
}
