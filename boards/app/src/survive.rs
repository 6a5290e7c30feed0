//! A device on its own: readings go to flash, a supervised session sends them, and the plug may be
//! pulled at any moment. The logger is the one of `docs/guide/log-a-reading.md`.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};

use barepg::outbox::{Full, Options, Outbox};
use barepg::{Backoff, Client, Dial, DialError, Pause, Platform, Policy, Target};
use embedded_io::ErrorKind;

use crate::{Board, Failed, report};

#[path = "../../../tests/guide/code/log_a_reading.rs"]
mod log_a_reading;

use log_a_reading::{AT_OPENGAUSS, Logger, STATEMENTS, Sample, Samples};

type Out<'o> = dyn core::fmt::Write + 'o;

/// Which device this is.
const DEVICE: (i32,) = (7,);

/// 2023-11-14: the clock of the boards begins when they start.
const START: u32 = 1_700_000_000;

/// Shorter than [`Policy::DEFAULT`]: tests wait for it.
const POLICY: Policy = {
    let pause = Backoff { first_ms: 100, spread_ms: 100, steady: 3, longest_ms: 1000 };
    Policy { lost: pause, overloaded: pause, hopeless: pause, ..Policy::DEFAULT }
};

/// What the device is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Script {
    /// One round, told in words: see [`Round`].
    Round,
    /// Takes readings until the plug is pulled, and says each that is safe.
    Log,
    /// Sends what waits, and ends.
    Drain,
}

/// Takes a sample when one is due: a thermometer, once in a while. For [`Platform::idle`], or a
/// timer's interrupt.
pub fn sample(now_ms: u64) {
    SAMPLER.look(now_ms);
}

static SAMPLER: Sampler = Sampler {
    samples: Samples::new(),
    every_ms: AtomicU32::new(0),
    next_ms: AtomicU32::new(0),
    left: AtomicU32::new(0),
    taken: AtomicU32::new(0),
};

/// For ever.
const EVER: u32 = u32::MAX;

struct Sampler {
    samples: Samples,
    every_ms: AtomicU32,
    next_ms: AtomicU32,
    /// Samples that are to be taken.
    left: AtomicU32,
    taken: AtomicU32,
}

impl Sampler {
    fn look(&self, now_ms: u64) {
        let now = low(now_ms);
        // Where samples are due more often than this is called, all that are due.
        while self.is_due(now) {
            let number = self.taken.load(Ordering::Relaxed).wrapping_add(1);
            // A number as good as a temperature: it says which sample this is.
            if !self.samples.put((START.wrapping_add(now / 1000), number as f32)) {
                return;
            }
            self.taken.store(number, Ordering::Relaxed);
            let left = self.left.load(Ordering::Relaxed);
            let left = if left == EVER { EVER } else { left.saturating_sub(1) };
            self.left.store(left, Ordering::Relaxed);
            let next = self.next_ms.load(Ordering::Relaxed);
            let next = next.wrapping_add(self.every_ms.load(Ordering::Relaxed).max(1));
            self.next_ms.store(next, Ordering::Relaxed);
        }
    }

    fn is_due(&self, now: u32) -> bool {
        let late = now.wrapping_sub(self.next_ms.load(Ordering::Relaxed));
        self.left.load(Ordering::Relaxed) > 0 && late.cast_signed() >= 0
    }

    fn start(&self, now_ms: u64, every_ms: u32, samples: u32) {
        self.every_ms.store(every_ms, Ordering::Relaxed);
        self.next_ms.store(low(now_ms), Ordering::Relaxed);
        self.left.store(samples, Ordering::Relaxed);
    }
}

const fn low(now_ms: u64) -> u32 {
    (now_ms & 0xffff_ffff) as u32
}

/// The board as the driver's dialler.
struct Dialler<'d, B>(&'d mut B);

impl<B: Board> Dial for Dialler<'_, B> {
    type Transport = B::Transport;

    fn dial(&mut self, target: &Target<'_>) -> Result<B::Transport, DialError> {
        if target.address > 0 {
            return Err(DialError::NoMoreAddresses);
        }
        let dialled = self.0.dial(target.host.host, target.host.port, target.timeout_ms);
        dialled.map_err(|_| DialError::Failed(ErrorKind::Other))
    }
}

/// What the device has to work with, besides its client.
pub(crate) struct Device<'d> {
    pub(crate) platform: &'d dyn Platform,
    /// Sleeps for some milliseconds at most.
    pub(crate) rest: &'d dyn Fn(),
}

pub(crate) fn show<B: Board>(
    board: &mut B,
    client: &mut Client<'_>,
    device: Device<'_>,
    (script, every_ms): (Script, u32),
    out: &mut Out<'_>,
) -> Result<(), Failed> {
    let mut buffer = [0; 128];
    let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&DEVICE);
    let options = options.sole_session(true).full(Full::Refuse);
    let flash = board.flash();
    let opened = Outbox::open(flash, &mut buffer, options, device.platform);
    let outbox = opened.map_err(|error| {
        report(&error, None, out);
        Failed
    })?;
    let waiting = outbox.waiting();
    let round = Round::begin(script, waiting, out);
    let samples = match script {
        Script::Drain => 0,
        Script::Round if waiting > 0 => MORE,
        Script::Round | Script::Log => EVER,
    };
    SAMPLER.start(device.platform.now_ms(), every_ms, samples);
    let rest = |waiting| {
        device.platform.idle();
        (device.rest)();
        round.look(waiting)
    };
    let kept = |sample, key| round.kept(sample, key);
    let lost = |pause: &Pause<'_>| round.lost(pause);
    let samples = &SAMPLER.samples;
    Logger { outbox, samples, kept: &kept, rest: &rest, report: &lost }.run(
        client,
        &mut Dialler(board),
        POLICY,
    );
    if round.failed.get() { Err(Failed) } else { Ok(()) }
}

/// So many readings are stored before the link is to be cut.
const FEW: u32 = 5;
/// So many wait when the plug is to be pulled.
const WAIT: u32 = 10;
/// So many are taken after power is back.
const MORE: u32 = 5;

/// What is said of a device's life. The first time: readings are stored, the link is cut, readings
/// wait, the plug is pulled. The second: they still wait, more of them, until the server is back.
struct Round<'o> {
    script: Script,
    out: RefCell<&'o mut Out<'o>>,
    /// Readings waited when power came.
    is_second: bool,
    /// Readings that are safe.
    safe: Cell<u32>,
    step: Cell<Step>,
    failed: Cell<bool>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Power is on.
    On,
    /// Readings were stored.
    Online,
    /// The link is lost, readings are to wait.
    Lost,
    /// As many wait as were to.
    Waiting,
}

impl<'o> Round<'o> {
    fn begin(script: Script, waiting: u32, out: &'o mut Out<'o>) -> Self {
        let is_second = waiting > 0;
        let _ = match script {
            Script::Round if is_second => {
                writeln!(out, "power is on, {waiting} readings wait in flash")
            }
            Script::Round => writeln!(out, "power is on, no reading waits in flash"),
            Script::Log | Script::Drain => writeln!(out, "@waiting {waiting}"),
        };
        let step = Cell::new(if is_second { Step::Lost } else { Step::On });
        let (safe, failed) = (Cell::new(0), Cell::new(false));
        Self { script, out: RefCell::new(out), is_second, safe, step, failed }
    }

    fn say(&self, text: core::fmt::Arguments<'_>) {
        if let Ok(mut out) = self.out.try_borrow_mut() {
            let _ = out.write_fmt(text);
        }
    }

    /// A sample is safe, or is not.
    fn kept(&self, (_, celsius): Sample, key: barepg::Result<i64>) {
        match key {
            // In one piece, so that it is said or is not.
            Ok(key) => self.say(format_args!("@safe {key} {celsius}\n")),
            Err(error) => {
                self.failed.set(true);
                self.say(format_args!("a reading is not safe: {error}\n"));
            }
        }
        self.safe.set(self.safe.get().wrapping_add(1));
    }

    /// A session or an attempt has failed.
    fn lost(&self, pause: &Pause<'_>) {
        if let Some(error) = &pause.error {
            self.say(format_args!("@error {error}\n"));
        }
        if self.script == Script::Round && self.step.get() == Step::Online {
            self.step.set(Step::Lost);
            self.say(format_args!("the link is lost\n"));
            // As many as are still missing.
            SAMPLER.left.store(0, Ordering::Relaxed);
        }
    }

    /// Looks at what has come of it. `true`: to stop.
    fn look(&self, waiting: u32) -> bool {
        let end = if self.is_second { WAIT + MORE } else { WAIT };
        match (self.script, self.step.get()) {
            _ if self.failed.get() => return true,
            (Script::Log, _) => {}
            (Script::Drain, _) => return waiting == 0,
            (Script::Round, Step::On) if waiting == 0 && self.safe.get() >= FEW => {
                self.step.set(Step::Online);
                self.say(format_args!("  readings are stored as they are taken\n"));
            }
            (Script::Round, Step::Lost) if waiting >= end => {
                self.step.set(Step::Waiting);
                self.say(format_args!("  {waiting} readings wait in flash\n"));
            }
            (Script::Round, Step::Lost) if !self.is_second => {
                let left = &SAMPLER.left;
                // Some may be in the queue.
                if left.load(Ordering::Relaxed) == 0 && SAMPLER.samples.is_empty() {
                    left.store(end.saturating_sub(waiting), Ordering::Relaxed);
                }
            }
            (Script::Round, Step::Waiting) if self.is_second && waiting == 0 => {
                self.say(format_args!("  all {end} are stored, no reading waits\n"));
                return true;
            }
            (Script::Round, _) => {}
        }
        false
    }
}
