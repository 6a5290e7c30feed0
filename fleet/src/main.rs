//! Many devices in one process, for `cargo xtask fleet`: each is a thread with the driver's own client,
//! supervised, with an outbox in a file. What to do comes as arguments and as lines on standard
//! input; what came of it goes to standard output.

mod counters;
mod device;
mod logins;
mod options;

use std::io::{self, BufRead};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use barepg::Health;

use counters::FLEET;
use options::Options;

/// Between two lines of the series.
const TICK: Duration = Duration::from_millis(100);

/// The most memory that a device's thread may use, in bytes: it is touched as far as it is used.
const STACK: usize = 256 * 1024;

/// How a device ended.
pub struct Ended {
    pub health: Health,
    /// Rows that were pushed and are safe.
    pub pushed: u32,
    pub waiting: u32,
    pub dropped: u32,
    pub swallowed: u32,
    pub resent: u32,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let options = Options::parse(&words).unwrap_or_else(|error| panic!("{error}"));
    // It ends with this process.
    let options: &'static Options = Box::leak(Box::new(options));
    thread::spawn(listen);
    if options.logins_ms > 0 {
        return logins::run(options);
    }
    let start = Instant::now();
    let devices: Vec<_> = (0..options.devices)
        .map(|index| {
            let thread = thread::Builder::new().stack_size(STACK);
            thread.spawn(move || device::run(options, index)).expect("a thread")
        })
        .collect();
    let mut tick = start;
    while !devices.iter().all(thread::JoinHandle::is_finished) {
        println!("{}", FLEET.line(start.elapsed()));
        tick += TICK;
        thread::sleep(tick.saturating_duration_since(Instant::now()));
    }
    println!("{}", FLEET.line(start.elapsed()));
    for (index, device) in devices.into_iter().enumerate() {
        let Ended { health, pushed, waiting, dropped, swallowed, resent } =
            device.join().expect("a device panicked");
        let Health { unknown, longest_gap_ms, host, .. } = health;
        println!(
            "device {index} {pushed} {waiting} {dropped} {swallowed} {resent} {unknown} \
             {longest_gap_ms} {host}"
        );
    }
}

/// Takes commands.
fn listen() {
    for line in io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("stop") => FLEET.stop.store(true, Ordering::Relaxed),
            Ok("vanish") => FLEET.vanish.store(true, Ordering::Relaxed),
            other => panic!("no such command: {other:?}"),
        }
    }
    // The other end is gone.
    std::process::exit(1);
}
