//! What all devices count together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The counters of the whole fleet.
#[derive(Debug)]
pub struct Fleet {
    /// Links that were dialled.
    pub dials: AtomicU64,
    pub logins: AtomicU64,
    /// Rows that the server has acknowledged.
    pub stored: AtomicU64,
    /// Devices whose session has done work.
    pub up: AtomicU64,
    /// Devices end as soon as nothing waits.
    pub stop: AtomicBool,
    /// Devices stay as they are, and nothing that is sent to them arrives.
    pub vanish: AtomicBool,
}

pub static FLEET: Fleet = Fleet {
    dials: AtomicU64::new(0),
    logins: AtomicU64::new(0),
    stored: AtomicU64::new(0),
    up: AtomicU64::new(0),
    stop: AtomicBool::new(false),
    vanish: AtomicBool::new(false),
};

impl Fleet {
    /// All of them, at a time since the start in milliseconds.
    pub fn line(&self, at: Duration) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Self { dials, logins, stored, up, .. } = self;
        let [dials, logins, stored, up] = [dials, logins, stored, up].map(count);
        format!("at {} {dials} {logins} {stored} {up}", at.as_millis())
    }
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
