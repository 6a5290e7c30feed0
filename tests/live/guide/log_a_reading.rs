use core::cell::Cell;
use core::ops::ControlFlow;

use barepg::outbox::{NorFlash, Outbox};
use barepg::types::oid;
use barepg::{Client, Connection, Dial, Pause, Policy, Result, StaticStatement, Supervisor};

// Device and key are the row's identity, the outbox makes the key. In flash.
pub static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading (device, key, at, celsius) values ($1, $2, to_timestamp($3), $4)
     on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::FLOAT8, oid::FLOAT4],
);

/// Seconds since 1970, degrees.
pub type Sample = (f64, f32);

/// Between the sampler and the outbox: `Platform::idle`, or a timer, puts samples in, also while the
/// driver waits for a server; the program takes them out.
#[derive(Default)]
pub struct Samples {
    ring: [Cell<Sample>; 16],
    put: Cell<usize>,
    taken: Cell<usize>,
}

impl Samples {
    /// `false`: there is no room, the sample is lost.
    pub fn put(&self, sample: Sample) -> bool {
        let (put, taken) = (self.put.get(), self.taken.get());
        let room = put.wrapping_sub(taken) < self.ring.len();
        if room {
            self.ring[put % self.ring.len()].set(sample);
            self.put.set(put.wrapping_add(1));
        }
        room
    }

    fn take(&self) -> Option<Sample> {
        let taken = self.taken.get();
        (taken != self.put.get()).then(|| {
            self.taken.set(taken.wrapping_add(1));
            self.ring[taken % self.ring.len()].get()
        })
    }
}

pub struct Logger<'a, F> {
    pub outbox: Outbox<'a, F>,
    pub samples: &'a Samples,
    /// Sleeps until something may have happened, some milliseconds at most; `true` to stop.
    pub rest: &'a dyn Fn() -> bool,
    /// Shows an error to whoever looks after the device.
    pub report: &'a dyn Fn(&Pause<'_>),
}

impl<F: NorFlash> Logger<'_, F> {
    /// For ever, or until it is asked to stop. Readings are safe all the time.
    pub fn run<D: Dial>(&mut self, client: &mut Client<'_>, dialler: &mut D, policy: Policy) {
        let mut supervisor = Supervisor::new(policy);
        client.supervise(dialler, &mut supervisor, self, Self::session, Self::pause);
    }

    fn session(&mut self, conn: &mut Connection) -> Result<ControlFlow<()>> {
        loop {
            self.keep();
            // One batch at a time, so that samples are moved between two.
            while self.outbox.send(conn)? {
                self.keep();
            }
            if (self.rest)() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        self.keep();
        if pause.begins {
            (self.report)(pause);
        }
        if (self.rest)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Moves samples to where they are safe.
    fn keep(&mut self) {
        while let Some((at, celsius)) = self.samples.take() {
            // It fails when the outbox is full and told to refuse, or the flash is worn out: both
            // are in its counters.
            let _ = self.outbox.push(&INSERT, (at, celsius));
        }
    }
}
