//! One device: it takes readings, keeps them in its outbox, and sends them while it has a session.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use barepg::host::{Dialler, FileFlash, Link, SystemPlatform};
use barepg::outbox::{self, Full, Outbox};
use barepg::types::oid;
use barepg::{
    Client, Config, Connection, Dial, DialError, KeyCache, Pause, Result, StaticStatement,
    StaticStatements, Storage, Supervisor, Target,
};
use socket2::{SockFilter, SockRef, Socket};

use crate::Ended;
use crate::counters::{FLEET, add};
use crate::options::Options;

/// Device, number, which reading of the device it is.
pub static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading (device, key, value) values ($1, $2, $3) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::INT4],
);
static STATEMENTS: &[&StaticStatement] = &[&INSERT];

/// Bytes of an outbox: 1,300 readings.
const FLASH: usize = 15 * 4096;

/// The longest that a read of a socket sleeps. The driver's own transport wakes up every 20 ms,
/// which two thousand devices on one machine would feel.
const SLICE: Duration = Duration::from_millis(500);

/// The longest that a device sleeps before it looks whether it is to stop, in milliseconds.
const NAP_MS: u64 = 500;

/// The socket in use, of a device that may vanish.
type InUse = RefCell<Option<Socket>>;

/// The operating system's sockets, counted.
pub struct Line<'s> {
    dialler: Dialler,
    in_use: Option<&'s InUse>,
}

impl<'s> Line<'s> {
    pub const fn new(in_use: Option<&'s InUse>) -> Self {
        Self { dialler: Dialler::new(), in_use }
    }
}

/// Nothing that is sent to this socket arrives any more, and its system answers nothing.
fn deafen(socket: &Socket) {
    /// BPF_RET | BPF_K: so many bytes of the packet are taken.
    const TAKE: u16 = 0x06;
    socket.attach_filter(&[SockFilter::new(TAKE, 0, 0, 0)]).expect("a filter");
}

impl Dial for Line<'_> {
    type Transport = Link;

    fn dial(&mut self, target: &Target<'_>) -> Result<Link, DialError> {
        if target.address == 0 {
            add(&FLEET.dials, 1);
        }
        let link = self.dialler.dial(target)?;
        let socket = SockRef::from(&link);
        let failed = |error: std::io::Error| DialError::Failed(error.kind().into());
        socket.set_read_timeout(Some(SLICE)).map_err(failed)?;
        if let Some(in_use) = self.in_use {
            in_use.replace(Some(socket.try_clone().map_err(failed)?));
        }
        Ok(link)
    }

    fn is_local(&self, link: &Link) -> bool {
        link.is_local()
    }
}

/// What a device has.
struct Device<'d> {
    outbox: Outbox<'d, FileFlash>,
    interval: Duration,
    next: Instant,
    /// Readings so far.
    readings: i32,
    /// Its session has done work.
    is_up: bool,
    /// Rows acknowledged when the fleet was told last.
    told: u32,
    in_use: &'d InUse,
    reads: bool,
}

impl Device<'_> {
    /// Takes a reading if it is time for one. Returns how long to sleep.
    fn sample(&mut self) -> u64 {
        if FLEET.stop.load(Ordering::Relaxed) {
            return NAP_MS;
        }
        if Instant::now() >= self.next {
            self.next += self.interval;
            self.push();
        }
        let left = self.next.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(NAP_MS).min(NAP_MS)
    }

    fn push(&mut self) {
        if self.reads {
            return;
        }
        self.readings += 1;
        // When it is full the oldest rows are given up, and counted.
        self.outbox.push(&INSERT, (self.readings,)).expect("a file takes the row");
    }

    fn send(&mut self, conn: &mut Connection) -> Result<()> {
        let sent = self.outbox.drain(conn);
        let stored = self.outbox.counters().stored;
        add(&FLEET.stored, stored.wrapping_sub(self.told).into());
        self.told = stored;
        sent.map(drop)
    }

    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<()>> {
        add(&FLEET.logins, 1);
        // A login alone shows nothing: there is always something to send first.
        if self.outbox.waiting() == 0 && !FLEET.stop.load(Ordering::Relaxed) {
            self.push();
        }
        loop {
            self.send(conn)?;
            if self.reads {
                conn.query_one("select max(key) from reading", ())?;
            }
            if !std::mem::replace(&mut self.is_up, true) {
                add(&FLEET.up, 1);
            }
            if FLEET.stop.load(Ordering::Relaxed) {
                return Ok(ControlFlow::Break(()));
            }
            if FLEET.vanish.load(Ordering::Relaxed) {
                self.in_use.borrow().as_ref().map(deafen);
                thread::sleep(Duration::from_secs(3600));
            }
            let nap_ms = self.sample();
            // A link that ends is noticed at once.
            conn.wait_notification(u32::try_from(nap_ms).unwrap_or(0).max(1))?;
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        if pause.begins && std::mem::take(&mut self.is_up) {
            FLEET.up.fetch_sub(1, Ordering::Relaxed);
        }
        if FLEET.stop.load(Ordering::Relaxed) && self.outbox.waiting() == 0 {
            return ControlFlow::Break(());
        }
        let nap_ms = self.sample().min(pause.left_ms.into());
        thread::sleep(Duration::from_millis(nap_ms));
        ControlFlow::Continue(())
    }
}

/// The life of a device.
pub fn run(options: &Options, index: u32) -> Ended {
    let ramp_ms = options.ramp_ms * u64::from(index) / u64::from(options.devices);
    thread::sleep(Duration::from_millis(ramp_ms));
    let path = options.directory.join(index.to_string());
    let flash = FileFlash::open(&path, FLASH).expect("a file").without_sync();
    let (device, mut buffer) = ((index.cast_signed(),), [0; 128]);
    let platform = SystemPlatform::new();
    let setup = outbox::Options::new(STATEMENTS).device(&device).full(Full::DropOldest);
    let mut outbox = Outbox::open(flash, &mut buffer, setup, &platform).expect("an outbox");
    if options.resend > 0 {
        outbox.resend(options.resend);
    }
    let mut scratch = [0; 512];
    let name = format!("device {index}");
    let config = Config::parse(&options.conninfo, &mut scratch).expect("a connection string");
    let config = config.application_name(&name);
    let (mut storage, mut known) = (Storage::<512, 512>::new(), StaticStatements::new());
    let mut keys = KeyCache::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_static_statements(&mut known);
    client.set_timeout_ms(options.timeout_ms);
    if options.keep_keys {
        client.set_key_cache(&mut keys);
    }
    let mut supervisor = Supervisor::new(options.policy);
    let interval = Duration::from_millis(options.interval_ms);
    let next = Instant::now() + interval;
    let in_use = InUse::default();
    let mut line = Line::new(options.may_vanish.then_some(&in_use));
    let (readings, is_up, told, in_use, reads) = (0, false, 0, &in_use, options.reads);
    let mut device = Device { outbox, interval, next, readings, is_up, told, in_use, reads };
    client.supervise(&mut line, &mut supervisor, &mut device, Device::session, Device::pause);
    let counters = device.outbox.counters();
    Ended {
        health: *supervisor.health(),
        pushed: device.readings.unsigned_abs(),
        waiting: device.outbox.waiting(),
        dropped: counters.dropped,
        swallowed: counters.swallowed,
        resent: counters.resent,
    }
}
