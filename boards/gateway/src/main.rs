//! Logs readings from a gateway with Linux: each is in a file until the server has it.

use std::error::Error;
use std::ops::ControlFlow::{self, Continue};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use barepg::host::{FileFlash, Host, SystemPlatform};
use barepg::outbox::{Options, Outbox};
use barepg::types::oid;
use barepg::{Connection, Pause, Policy, StaticStatement, Supervisor};

mod systemd;

/// `create table reading (device integer, key bigint, at timestamptz, celsius real, primary key (device, key))`
static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading (device, key, at, celsius) values ($1, $2, to_timestamp($3), $4)
     on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::FLOAT8, oid::FLOAT4],
);
static STATEMENTS: &[&StaticStatement] = &[&INSERT];

/// Bytes of the file: 25,000 readings and more.
const FILE: usize = 1 << 20;

/// Time between two readings.
const PERIOD: Duration = Duration::from_secs(1);

struct Gateway<'o> {
    outbox: Outbox<'o, FileFlash>,
    next: Instant,
}

fn main() -> Result<(), Box<dyn Error>> {
    let device: i32 = env::var("DEVICE")?.parse()?;
    let state = env::var("STATE_DIRECTORY").unwrap_or(".".into());
    let (platform, mut buffer) = (SystemPlatform::new(), [0; 256]);
    let device = (device,);
    let options = Options::new(STATEMENTS).device(&device).sole_session(true);
    let flash = FileFlash::open(format!("{state}/outbox"), FILE)?;
    let outbox = Outbox::open(flash, &mut buffer, options, &platform)?;
    // What is not in the environment or in a file of libpq's has its default.
    let mut host = Host::new();
    let name = format!("application_name=gateway-{}", device.0);
    let mut client = host.client(&name)?;
    systemd::notify("READY=1");
    let mut supervisor = Supervisor::new(Policy::DEFAULT);
    let mut gateway = Gateway { outbox, next: Instant::now() };
    client.supervise(&mut supervisor, &mut gateway, Gateway::session, Gateway::pause)
}

impl Gateway<'_> {
    fn session(
        &mut self,
        conn: &mut Connection<'_, '_>,
    ) -> barepg::Result<ControlFlow<Result<(), Box<dyn Error>>>> {
        eprintln!("session with server version {}", conn.server_version());
        loop {
            self.keep();
            // One batch at a time, so that readings are taken between two.
            while self.outbox.send(conn)? {
                self.keep();
            }
            while let Some(aside) = self.outbox.next_aside()? {
                eprintln!("reading {} was refused: {aside:?}", aside.key);
                self.outbox.discard_aside()?;
            }
            thread::sleep(self.next.saturating_duration_since(Instant::now()));
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<Result<(), Box<dyn Error>>> {
        self.keep();
        if let (true, Some(error)) = (pause.begins, pause.error) {
            eprintln!("{error}; again in {} ms, {} wait", pause.left_ms, self.outbox.waiting());
            if let Some(message) = &pause.message {
                eprintln!("{message}");
            }
        }
        Continue(())
    }

    /// Takes a reading if one is due, and has it on disk; tells systemd that this works.
    fn keep(&mut self) {
        systemd::notify("WATCHDOG=1");
        let now = Instant::now();
        if now < self.next {
            return;
        }
        // Those that were due in a long call are missing: what is measured now is of now. A thread that
        // measures, and a channel from it, would miss none.
        let due = self.next + PERIOD;
        self.next = if due > now { due } else { now + PERIOD };
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The oldest are given up when the file is full; `counters` has how many.
        if let Err(error) = self.outbox.push(&INSERT, (at.as_secs_f64(), measure())) {
            eprintln!("outbox: {error}");
        }
    }
}

/// Put a sensor here.
fn measure() -> f32 {
    21.5
}
