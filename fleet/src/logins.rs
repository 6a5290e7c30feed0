//! Logins in a loop: what one costs.

use std::thread;
use std::time::{Duration, Instant};

use barepg::host::SystemPlatform;
use barepg::{Client, Config, KeyCache, Storage};

use crate::device::Line;
use crate::options::Options;

/// Logs in again and again, each device for itself, and prints how long each login took.
pub fn run(options: &'static Options) {
    let devices: Vec<_> =
        (0..options.devices).map(|_| thread::spawn(move || log_in(options))).collect();
    let mut taken: Vec<u128> =
        devices.into_iter().flat_map(|device| device.join().expect("a device panicked")).collect();
    taken.sort_unstable();
    let half = taken.get(taken.len() / 2).copied().unwrap_or(0);
    println!("logins {} {half}", taken.len());
}

/// Microseconds of each login.
fn log_in(options: &Options) -> Vec<u128> {
    let mut scratch = [0; 512];
    let config = Config::parse(&options.conninfo, &mut scratch).expect("a connection string");
    let (mut storage, platform) = (Storage::<512, 512>::new(), SystemPlatform::new());
    let mut keys = KeyCache::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    if options.keep_keys {
        client.set_key_cache(&mut keys);
    }
    let (mut line, mut taken) = (Line::new(None), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(options.logins_ms) {
        let start = Instant::now();
        let session = client.connect_with(&mut line).expect("a login");
        taken.push(start.elapsed().as_micros());
        session.close().expect("a link");
    }
    taken
}
