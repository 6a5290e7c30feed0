use core::ops::ControlFlow;
use core::sync::atomic::{AtomicU32, Ordering};

use barepg::outbox::{NorFlash, Outbox};
use barepg::types::oid;
use barepg::{Client, Connection, Dial, Pause, PerDialect, Policy, Result, StaticStatement};
use barepg::{Supervisor, insert_once};

// Device and key are the row's identity, the outbox makes the key. Sent twice, it is stored once.
pub static INSERT: PerDialect<StaticStatement> = insert_once!(
    "insert into reading (device, key, at, celsius) values ($1, $2, to_timestamp($3), $4)",
    &[oid::INT4, oid::INT8, oid::FLOAT8, oid::FLOAT4],
);
pub static STATEMENTS: &[&StaticStatement] = &[&INSERT.postgresql];
pub static AT_OPENGAUSS: &[&StaticStatement] = &[&INSERT.opengauss];

/// Seconds since 1970, degrees.
pub type Sample = (u32, f32);

/// As many samples as may be due while the program is away, 35 s and more: see "While a call waits". A power of
/// two.
const PLACES: u32 = 32;

/// Samples on their way to the outbox, which is too slow to be filled by whoever samples: a page of
/// flash is erased in up to a tenth of a second. One side puts samples in: `Platform::idle`, an
/// interrupt or a task of higher priority. The other, the program, takes them out.
pub struct Samples {
    ring: [[AtomicU32; 2]; PLACES as usize],
    put: AtomicU32,
    taken: AtomicU32,
}

impl Samples {
    /// Empty. For a `static`.
    pub const fn new() -> Self {
        let ring = [const { [const { AtomicU32::new(0) }; 2] }; PLACES as usize];
        Self { ring, put: AtomicU32::new(0), taken: AtomicU32::new(0) }
    }

    /// `false`: there is no room, the sample is lost.
    pub fn put(&self, (at, celsius): Sample) -> bool {
        // Only this function changes it.
        let put = self.put.load(Ordering::Relaxed);
        let has_room = put.wrapping_sub(self.taken.load(Ordering::Acquire)) < PLACES;
        if has_room {
            let [first, second] = self.place(put);
            first.store(at, Ordering::Relaxed);
            second.store(celsius.to_bits(), Ordering::Relaxed);
            self.put.store(put.wrapping_add(1), Ordering::Release);
        }
        has_room
    }

    /// Whether all samples were taken out.
    pub fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == self.put.load(Ordering::Acquire)
    }

    fn take(&self) -> Option<Sample> {
        if self.is_empty() {
            return None;
        }
        let taken = self.taken.load(Ordering::Relaxed);
        let [first, second] = self.place(taken);
        let sample =
            (first.load(Ordering::Relaxed), f32::from_bits(second.load(Ordering::Relaxed)));
        self.taken.store(taken.wrapping_add(1), Ordering::Release);
        Some(sample)
    }

    fn place(&self, number: u32) -> &[AtomicU32; 2] {
        &self.ring[(number % PLACES) as usize]
    }
}

pub struct Logger<'a, F> {
    pub outbox: Outbox<'a, F>,
    pub samples: &'a Samples,
    /// Called with each sample and its key, once it is safe, or the reason why it is not.
    pub kept: &'a dyn Fn(Sample, Result<i64>),
    /// Sleeps until something may have happened, some milliseconds at most. Called with the number of
    /// readings that wait; `true` to stop.
    pub rest: &'a dyn Fn(u32) -> bool,
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
            if (self.rest)(self.outbox.waiting()) {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn pause(&mut self, pause: &Pause<'_>) -> ControlFlow<()> {
        self.keep();
        if pause.begins {
            (self.report)(pause);
        }
        let stop = (self.rest)(self.outbox.waiting());
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Moves samples to where they are safe.
    fn keep(&mut self) {
        while let Some((at, celsius)) = self.samples.take() {
            // An error: the outbox is full and told to refuse, or the flash is worn out.
            let key = self.outbox.push(&INSERT.postgresql, (f64::from(at), celsius));
            (self.kept)((at, celsius), key);
        }
    }
}
