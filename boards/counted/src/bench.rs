//! Counting one work.

use core::cell::Cell;
use core::fmt::Write;

use barepg::{NoEntropy, Platform, Result};
use barepg_semihost::stack::Depth;
use barepg_semihost::{Output, barepg_mark_begin, barepg_mark_end};

use crate::replies::{ENTROPY, Replies};
use crate::server::{Server, Wire};

/// What counts, and where it says so.
pub struct Bench {
    pub server: &'static Server,
    pub output: Output,
}

impl Bench {
    pub const fn new(server: &'static Server, output: Output) -> Self {
        Self { server, output }
    }

    /// Bytes of RAM that something takes.
    pub fn size(&mut self, name: &str, bytes: usize) {
        let _ = writeln!(self.output, "@size {name} {bytes}");
    }

    /// Counts `work`, a function of the number of units that returns whether it saw what it
    /// should: with few units and with many. `replies` are those of either run. False if
    /// something went wrong, and then the output says what.
    ///
    /// A third run shows how deep the stack goes, and what was recorded how much goes over the wire:
    /// `@stack NAME BYTES`, and `@wire NAME TRIPS SENT RECEIVED WRITES`, the difference of many
    /// and few.
    pub fn count(
        &mut self,
        name: &str,
        units: [u32; 2],
        replies: [&'static Replies; 2],
        work: &mut dyn FnMut(u32) -> Result<bool>,
    ) -> bool {
        let mut wires = [Wire::default(); 2];
        let mut stack = 0;
        for ((units, replies), wire) in units.into_iter().zip(replies).zip(&mut wires) {
            self.server.record(replies);
            let recorded = work(units);
            *wire = self.server.wire();
            self.server.replay();
            let depth = Depth::begin();
            let deep = work(units);
            stack = depth.end();
            self.server.replay();
            barepg_mark_begin(units);
            let replayed = work(units);
            barepg_mark_end(units);
            let used_up = self.server.used_up();
            if recorded != Ok(true) || deep != Ok(true) || replayed != Ok(true) || !used_up {
                let _ = writeln!(
                    self.output,
                    "{name}: recorded {}, replayed {}, used up {used_up}",
                    said(recorded),
                    said(replayed),
                );
                return false;
            }
        }
        let [few, many] = units;
        let _ = writeln!(self.output, "@slope {name} {few} {many}");
        let [first, second] = wires;
        let of = |of: fn(Wire) -> u32| of(second).wrapping_sub(of(first));
        let (trips, writes) = (of(|wire| wire.trips), of(|wire| wire.writes));
        let (sent, received) = (of(|wire| wire.sent), of(|wire| wire.received));
        let _ = writeln!(self.output, "@stack {name} {stack}");
        let _ = writeln!(self.output, "@wire {name} {trips} {sent} {received} {writes}");
        true
    }
}

fn said(result: Result<bool>) -> &'static str {
    match result {
        Ok(true) => "well",
        Ok(false) => "with other values",
        Err(error) => match error.kind() {
            barepg::ErrorKind::TimedOut => "until it timed out",
            barepg::ErrorKind::Protocol(_) => "into a protocol error",
            barepg::ErrorKind::Usage(_) => "into a usage error",
            barepg::ErrorKind::Auth(_) => "into a refused login",
            _ => "into an error",
        },
    }
}

/// A machine whose clock moves when it is read, and whose entropy is the nonce that the server's
/// recorded words belong to.
pub struct Machine {
    reads: Cell<u32>,
}

impl Machine {
    pub const fn new() -> Self {
        Self { reads: Cell::new(0) }
    }
}

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        let reads = self.reads.get();
        self.reads.set(reads + 1);
        u64::from(reads / 8)
    }

    fn entropy(&self, buf: &mut [u8]) -> core::result::Result<(), NoEntropy> {
        for (to, from) in buf.iter_mut().zip(ENTROPY.iter().cycle()) {
            *to = *from;
        }
        Ok(())
    }
}
