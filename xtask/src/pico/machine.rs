//! The emulated board: a JavaScript program with the chip and the W5500, and QEMU's network without a machine, which
//! has a DHCP server and leads to this host.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Lines, Process, with_parent};
use barepg_testkit::provision;
use barepg_testkit::scratch::Scratch;

use crate::setup;

/// How long QEMU may take for a network, and the emulator for its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the board has done in all, by name.
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// One of them.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// The board.
pub struct Machine<'s> {
    emulator: Process,
    _network: Process,
    commands: ChildStdin,
    events: Lines,
    /// All of them, for errors.
    heard: Vec<String>,
    said: &'s mut dyn FnMut(&str),
    _scratch: Scratch,
}

impl<'s> Machine<'s> {
    /// Switched on, with nothing but the program in its flash. `said` takes what happens.
    pub fn start(image: &Path, said: &'s mut dyn FnMut(&str)) -> Result<Self, String> {
        let (node, rp2040js) = setup::pico()?;
        let scratch = Scratch::new("barepg-pico", "").map_err(|e| format!("scratch: {e}"))?;
        let path = scratch.path().join("network");
        let network = network(&path)?;
        let mut command = with_parent(&node);
        command.arg(provision::root().join("boards/emulated-rp2040/main.mjs"));
        command.args([&rp2040js, image, &scratch.path().join("flash"), &path]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut emulator = Process::start(&mut command)?;
        let (commands, events) = (emulator.stdin()?, emulator.lines()?);
        let heard = Vec::new();
        let _scratch = scratch;
        Ok(Self { emulator, _network: network, commands, events, heard, said, _scratch })
    }

    /// Says what is done to it.
    pub fn deed(&mut self, what: &str) {
        (self.said)(&format!("[{what}]"));
    }

    /// Does something to it: a command of `main.mjs`.
    pub fn send(&mut self, command: &str) -> Result<(), String> {
        writeln!(self.commands, "{command}").map_err(|error| format!("the emulator: {error}"))
    }

    /// Waits for an event that begins so, whatever comes before it.
    pub fn hear(&mut self, wanted: &str, limit: Duration) -> Result<String, String> {
        let end = Instant::now() + limit;
        loop {
            match self.event(end)? {
                Some(event) if event.starts_with(wanted) => return Ok(event),
                Some(_) => {}
                None => return Err(format!("no `{wanted}` after\n{}", self.heard.join("\n"))),
            }
        }
    }

    /// Lets it run.
    pub fn wait(&mut self, time: Duration) -> Result<(), String> {
        let end = Instant::now() + time;
        while self.event(end)?.is_some() {}
        Ok(())
    }

    /// Switches it off for good.
    pub fn stop(mut self) -> Result<Totals, String> {
        self.send("stop")?;
        if self.emulator.wait(PATIENCE)?.is_none() {
            return Err("the emulator does not end".to_string());
        }
        let mut totals = BTreeMap::new();
        for event in self.events.rest() {
            let mut words = event.split(' ').skip(1);
            if let (Some(name), Some(Ok(value))) = (words.next(), words.next().map(str::parse)) {
                totals.insert(name.to_string(), value);
            }
        }
        Ok(Totals(totals))
    }

    /// The next event until then. A failure or a complaint is an error.
    fn event(&mut self, end: Instant) -> Result<Option<String>, String> {
        let event = match self.events.next(end) {
            Heard::Line(event) => event,
            Heard::Nothing => return Ok(None),
            Heard::End => return Err("the emulator has ended".to_string()),
        };
        (self.said)(&format!("    {event}"));
        self.heard.push(event.clone());
        match event.split(' ').next() {
            Some("failed" | "complaint") => Err(format!("the emulator: {event}")),
            _ => Ok(Some(event)),
        }
    }
}

/// QEMU as a network: what it would do for a machine's card, over a socket.
fn network(path: &Path) -> Result<Process, String> {
    let mut command = with_parent("qemu-system-arm");
    command.args(["-machine", "none", "-display", "none", "-monitor", "none", "-serial", "none"]);
    command.args(["-netdev", "user,id=user", "-netdev", "hubport,hubid=0,id=one,netdev=user"]);
    let socket = format!("stream,id=wire,server=on,addr.type=unix,addr.path={}", path.display());
    command.args(["-netdev", &socket, "-netdev", "hubport,hubid=0,id=two,netdev=wire"]);
    // It warns of a network without a card.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut network = Process::start(&mut command)?;
    let begun = Instant::now();
    while !path.exists() {
        let ended = network.wait(Duration::from_millis(5))?;
        if ended.is_some() || begun.elapsed() > PATIENCE {
            return Err(format!("QEMU makes no network, {ended:?}: {command:?}"));
        }
    }
    Ok(network)
}
