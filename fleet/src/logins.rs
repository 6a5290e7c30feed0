//! Logins in a loop: what one costs.

use std::thread;
use std::time::{Duration, Instant};

use barepg::host::SystemPlatform;
use barepg::{Client, Config, KeyCache, Storage};

use crate::device::Line;
use crate::options::Options;

/// Logs in again and again, each device for itself, and prints how often.
pub fn run(options: &'static Options) {
    let devices: Vec<_> =
        (0..options.devices).map(|_| thread::spawn(move || log_in(options))).collect();
    let counts = devices.into_iter().map(|device| device.join().expect("a device panicked"));
    println!("logins {}", counts.sum::<u64>());
}

fn log_in(options: &Options) -> u64 {
    let mut scratch = [0; 512];
    let config = Config::parse(&options.conninfo, &mut scratch).expect("a connection string");
    let (mut storage, platform) = (Storage::<512, 512>::new(), SystemPlatform::new());
    let mut keys = KeyCache::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    if options.keep_keys {
        client.set_key_cache(&mut keys);
    }
    let (mut line, mut count) = (Line::new(None), 0);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(options.logins_ms) {
        let session = client.connect_with(&mut line).expect("a login");
        session.close().expect("a link");
        count += 1;
    }
    count
}
