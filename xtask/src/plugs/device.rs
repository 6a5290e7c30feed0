//! A board whose plug can be pulled: its flash, its link, and what it says.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Lines, Process, Rest, with_parent};
use barepg_testkit::cut::Relay;
use barepg_testkit::pg::Cluster;
use barepg_testkit::scratch::Scratch;

use crate::boards::{Board, Flash, Link};
use crate::measure::host_of;
use crate::qemu;

/// Bytes of the file that is the flash of the virt machine.
const PFLASH: u64 = 32 << 20;

/// Bytes of the micro:bit's flash.
const COPIED: u32 = 256 * 1024;

/// The longest that QEMU may take for what takes no time.
const LIMIT: Duration = Duration::from_secs(60);

/// The longest to wait for what was printed before QEMU ended.
const REST: Duration = Duration::from_secs(1);

/// A board with a flash that outlives its power.
pub struct Device<'a> {
    pub board: &'a Board,
    image: &'a Path,
    scratch: Scratch,
    /// Between the board and the server.
    pub relay: Relay,
    conninfo: String,
}

impl<'a> Device<'a> {
    /// With a flash that was not used before, and a table at the server.
    pub fn new(board: &'a Board, image: &'a Path, cluster: &Cluster) -> Result<Self, String> {
        cluster.try_psql("test", super::SCHEMA)?;
        Self::at(board, image, cluster.port())
    }

    /// With a flash that was not used before, and a server on this port.
    pub fn at(board: &'a Board, image: &'a Path, port: u16) -> Result<Self, String> {
        let failed = |error| format!("{}: {error}", board.name);
        let scratch = Scratch::new("barepg-plugs", "").map_err(failed)?;
        let relay = Relay::start(port).map_err(failed)?;
        let conninfo = format!(
            "host={} port={} user=trust_user dbname=test application_name=device7",
            host_of(board.link),
            relay.port()
        );
        let device = Self { board, image, scratch, relay, conninfo };
        if board.flash == Flash::Pflash {
            let file = std::fs::File::create(device.flash()).map_err(failed)?;
            file.set_len(PFLASH).map_err(failed)?;
        }
        Ok(device)
    }

    /// The file that is its flash while it is off.
    pub fn flash(&self) -> PathBuf {
        self.scratch.path().join("flash")
    }

    /// Starts the board, to run this show and take a reading in so many milliseconds.
    pub fn power_on(&self, show: &str, every_ms: u64) -> Result<Running<'_>, String> {
        let (every, flash) = (every_ms.to_string(), self.flash());
        let file = flash.display().to_string();
        let mut arguments = vec![("show", show), ("every", &every)];
        if self.board.flash == Flash::File {
            arguments.push(("flash", &file));
        }
        arguments.push(("conninfo", &self.conninfo));
        self.start(&arguments, None)
    }

    /// Starts the board with these arguments, and its serial line at this port; else it leads to the server,
    /// where it is the link, or to nothing.
    pub fn start(
        &self,
        arguments: &[(&str, &str)],
        console: Option<u16>,
    ) -> Result<Running<'_>, String> {
        let flash = self.flash();
        let mut command = match self.board.qemu.split_first() {
            None => {
                let mut command = with_parent(self.image);
                command.args(arguments.iter().map(|(key, value)| format!("{key}={value}")));
                command
            }
            Some((program, machine)) => {
                let mut command = with_parent(program);
                command.args(machine).args(["-display", "none"]);
                command.args(["-semihosting-config", &qemu::semihosting(arguments)]);
                self.memories(&mut command, &flash, console);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(self, command)
    }

    /// Program, flash, serial line and monitor.
    fn memories(&self, command: &mut Command, flash: &Path, console: Option<u16>) {
        let server = (self.board.link == Link::Uart).then_some(self.relay.port());
        let serial = match console.or(server) {
            Some(port) => format!("tcp:127.0.0.1:{port}"),
            None => "null".to_string(),
        };
        command.args(["-serial", &serial]);
        if self.board.flash == Flash::Pflash {
            // The second of the two, at 0x2200_0000. With it `-kernel` loads no program.
            let drive = format!("if=pflash,unit=1,format=raw,file={}", flash.display());
            let program = format!("loader,file={}", self.image.display());
            command.args(["-drive", &drive, "-device", &program, "-monitor", "none"]);
        } else {
            let monitor = format!("unix:{},server=on,wait=off", self.monitor().display());
            let program = if flash.exists() { flash } else { self.image };
            command.args(["-monitor", &monitor]).arg("-kernel").arg(program);
        }
    }

    fn monitor(&self) -> PathBuf {
        self.scratch.path().join("monitor")
    }
}

/// A board that is on.
pub struct Running<'d> {
    device: &'d Device<'d>,
    process: Process,
    lines: Lines,
    complaints: Rest,
}

impl<'d> Running<'d> {
    fn start(device: &'d Device<'d>, mut command: Command) -> Result<Self, String> {
        let mut process = Process::start(&mut command)?;
        let (lines, complaints) = (process.lines()?, process.errors()?);
        Ok(Self { device, process, lines, complaints })
    }

    /// Lets it run. `f` sees each line that it says and breaks with `true`; `Ok(false)`: the time is over.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn run(&self, time: Duration, f: &mut dyn FnMut(&str) -> bool) -> Result<bool, String> {
        let deadline = Instant::now() + time;
        loop {
            match self.lines.next(deadline) {
                Heard::Line(line) if f(&line) => return Ok(true),
                Heard::Line(_) => {}
                Heard::Nothing => return Ok(false),
                Heard::End => return Err("it has ended".to_string()),
            }
        }
    }

    /// Pulls the plug: in the middle of an instruction's effects where QEMU is killed, between two
    /// instructions where its flash has to be copied. Returns what it had said by then.
    pub fn pull(mut self) -> Result<Vec<String>, String> {
        if self.device.board.flash == Flash::Copied {
            self.copy()?;
        } else {
            self.process.kill();
        }
        let rest = self.lines.rest();
        self.clean()?;
        Ok(rest)
    }

    /// By QEMU's monitor: the flash as it is now is the image of the next start.
    fn copy(&mut self) -> Result<(), String> {
        let failed = |error| format!("QEMU's monitor: {error}");
        let begun = Instant::now();
        let mut monitor = loop {
            match UnixStream::connect(self.device.monitor()) {
                Ok(monitor) => break monitor,
                // QEMU makes it when it starts.
                Err(error) if begun.elapsed() > LIMIT => return Err(failed(error)),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        };
        let copy = self.device.scratch.path().join("copy");
        let commands = format!("stop\nmemsave 0 {COPIED} \"{}\"\nquit\n", copy.display());
        monitor.set_write_timeout(Some(LIMIT)).map_err(failed)?;
        monitor.set_read_timeout(Some(REST)).map_err(failed)?;
        monitor.write_all(commands.as_bytes()).map_err(failed)?;
        let ended = self.process.wait(LIMIT)?;
        self.process.kill();
        // What it answers is little, and waits at the socket.
        let mut answers = Vec::new();
        let _ = monitor.read_to_end(&mut answers);
        let answers = String::from_utf8_lossy(&answers);
        if ended.is_none() {
            return Err(format!("QEMU does not quit: {answers}"));
        }
        let length = std::fs::metadata(&copy).map(|copy| copy.len());
        if length.ok() != Some(COPIED.into()) {
            return Err(format!("no copy of the flash: {answers}"));
        }
        std::fs::rename(&copy, self.device.flash()).map_err(failed)
    }

    /// Lets it run to its end, which must be a good one. Returns what it said.
    pub fn finish(mut self, f: &mut dyn FnMut(&str)) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        let all = self.run(LIMIT, &mut |line| {
            f(line);
            said.push(line.to_string());
            false
        });
        if all.is_ok() {
            return Err(format!("it does not end:\n{}", said.join("\n")));
        }
        let status = self.process.wait(LIMIT)?.ok_or("it prints no more, and does not end")?;
        if !status.success() || said.last().map(String::as_str) != Some(qemu::DONE) {
            return Err(format!("it ended with {status}:\n{}", said.join("\n")));
        }
        self.clean()?;
        Ok(said)
    }

    fn clean(self) -> Result<(), String> {
        let mut complaints = String::new();
        qemu::complain(&mut complaints, &self.complaints.text());
        if complaints.is_empty() { Ok(()) } else { Err(format!("QEMU complains: {complaints}")) }
    }
}
