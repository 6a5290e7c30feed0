//! Clock and entropy of the operating system.

use std::fs::File;
use std::io::Read;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::platform::{NoEntropy, Platform};

/// The operating system as a [`Platform`].
///
/// `idle` does nothing: the transports of this module sleep while they wait.
#[derive(Clone, Copy, Debug)]
pub struct SystemPlatform {
    start: Instant,
}

impl SystemPlatform {
    /// Starts the clock.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemPlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform for SystemPlatform {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        let mut source = File::open("/dev/urandom").map_err(|_| NoEntropy)?;
        source.read_exact(buf).map_err(|_| NoEntropy)
    }

    fn unix_time(&self) -> Option<u64> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|time| time.as_secs())
    }
}
