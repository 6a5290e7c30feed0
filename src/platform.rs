//! What the driver asks of the machine it runs on: a clock, a place to idle, entropy.
//!
//! Used by every wait loop and by the login. Implemented once per board; the driver holds it as
//! `&dyn Platform`, so one implementation may serve several clients and sit in a `static`.

use core::cell::Cell;

use crate::error::Fault;
use crate::limits;

/// The board's promises to the driver.
///
/// Methods take `&self`: use a `Cell`, `RefCell` or a critical section inside where state is
/// needed. All of them may be called many times per operation and must return quickly.
///
/// ```no_run
/// use barepg::{NoEntropy, Platform};
/// # fn timer() -> u64 { 0 }
/// # fn generator(_: &mut [u8]) -> bool { false }
/// # fn feed_watchdog() {}
///
/// struct Board;
/// impl Platform for Board {
///     fn now_ms(&self) -> u64 {
///         timer() // free-running, 64 bits
///     }
///     fn idle(&self) {
///         feed_watchdog();
///     }
///     fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
///         generator(buf).then_some(()).ok_or(NoEntropy)
///     }
/// }
/// ```
pub trait Platform {
    /// Milliseconds since any fixed start; every deadline is measured with it. It should move at
    /// least every 100 ms. Without TLS a verb whose answer comes with the transport's first attempt
    /// does not ask for it: its deadline counts from the first wait on.
    ///
    /// A clock that wraps around, or jumps back, is survived: the time that passed between the two
    /// looks is lost, a wait of the transport (50 ms at the most). One that stands still while the
    /// driver waits, or counts down, is found out: [`ErrorKind::ClockStopped`](crate::ErrorKind::ClockStopped).
    fn now_ms(&self) -> u64;

    /// Called once for every verb and in every turn of a loop that waits, reads on or hashes: feed
    /// the watchdog, do other short work. It must not wait: the transport waits inside its `read` and `write`
    /// (for a slice of at most 50 ms), and deadlines are only checked between two calls. The
    /// default does nothing.
    fn idle(&self) {}

    /// Fills all of `buf` with unpredictable bytes. A login asks for 18 (the nonce of SCRAM), one over TLS for 48 more
    /// before that. A new outbox asks for 8, so does `barepg-smoltcp` at its start. [`Client::supervise`](crate::Client::supervise) once, and
    /// `load_balance_hosts=random` at each search, ask for 4, and take the clock where there are none.
    ///
    /// # Errors
    /// [`NoEntropy`] where there is no source, or its health check failed. Bytes that repeat
    /// themselves count as none. The login then fails
    /// with [`AuthError::NoEntropy`](crate::AuthError::NoEntropy), the outbox is not made; nothing weaker is used
    /// instead.
    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy>;

    /// Seconds since 1970-01-01 00:00:00 UTC, or `None` while the clock is not set. Only TLS
    /// asks, for the validity of certificates. The default is `None`.
    fn unix_time(&self) -> Option<u64> {
        None
    }
}

/// The board has no trustworthy source of random bytes at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoEntropy;

impl core::fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("no entropy")
    }
}

impl core::error::Error for NoEntropy {}

/// Random bytes from the board, 8 or more, and the check that they do not repeat themselves: as the driver
/// draws its own, for stacks that need some at their start.
///
/// # Errors
/// [`NoEntropy`] when the platform has none, or gives the same 8 bytes (of 32 or more bytes: 16, of
/// less than 16: 4) again and again: so does a source that is not switched on, and a register that is
/// read faster than it fills.
pub fn draw_entropy(platform: &dyn Platform, buf: &mut [u8]) -> Result<(), NoEntropy> {
    platform.entropy(buf)?;
    let period = match buf.len() {
        ..16 => 4,
        16..32 => 8,
        _ => 16,
    };
    let repeats = buf.get(period..) == buf.get(..buf.len().saturating_sub(period));
    if repeats { Err(NoEntropy) } else { Ok(()) }
}

/// The time that an operation has left.
#[derive(Clone, Copy, Debug)]
pub struct Countdown {
    /// What the clock said last, its lower half.
    last: u32,
    left_ms: u32,
    /// Turns of waiting since the clock moved.
    still: u16,
    /// The clock was looked at.
    runs: bool,
}

impl Countdown {
    /// Nothing is left.
    pub(crate) const OVER: Self = Self::from_first_turn(0);

    /// From now on.
    pub(crate) fn start(platform: &dyn Platform, timeout_ms: u32) -> Self {
        Self { last: low(platform.now_ms()), left_ms: timeout_ms, still: 0, runs: true }
    }

    /// From the first turn of waiting on: what does not wait never looks at the clock. The time
    /// before it, of one attempt of the transport at the most, is not counted.
    pub(crate) const fn from_first_turn(timeout_ms: u32) -> Self {
        Self { last: 0, left_ms: timeout_ms, still: 0, runs: false }
    }

    /// Whether time was counted.
    #[inline]
    pub(crate) const fn has_begun(&self) -> bool {
        self.runs
    }

    /// Leaves this much at most. Returns the rest.
    pub(crate) fn hold_back(&mut self, left_ms: u32) -> u32 {
        let rest = self.left_ms.saturating_sub(left_ms);
        self.left_ms = self.left_ms.saturating_sub(rest);
        rest
    }

    /// Adds what was held back.
    pub(crate) fn give_back(&mut self, ms: u32) {
        self.left_ms = self.left_ms.saturating_add(ms);
    }

    /// One turn of a loop that computes.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn pulse(&mut self, platform: &dyn Platform) -> Result<(), Fault> {
        platform.idle();
        let now = low(platform.now_ms());
        let passed = passed_ms(now, self.last);
        self.last = now;
        if core::mem::replace(&mut self.runs, true) && passed > 0 {
            self.still = 0;
            self.left_ms = self.left_ms.saturating_sub(passed);
        }
        if self.left_ms == 0 { Err(Fault::TIMED_OUT) } else { Ok(()) }
    }

    /// One turn of a loop that waits for a peer: the clock must move in it.
    pub(crate) fn wait(&mut self, platform: &dyn Platform) -> Result<(), Fault> {
        self.pulse(platform)?;
        self.still = self.still.saturating_add(1);
        if self.still > limits::STILL_TURNS { self.find_motion(platform) } else { Ok(()) }
    }

    /// What is left, in milliseconds.
    pub(crate) const fn left_ms(&self) -> u32 {
        self.left_ms
    }

    /// Something arrived: it was no waiting in vain.
    pub(crate) const fn moved(&mut self) {
        self.still = 0;
    }

    /// The clock has not moved for many turns: they were short, or it stands.
    #[cold]
    fn find_motion(&mut self, platform: &dyn Platform) -> Result<(), Fault> {
        self.still = 0;
        for _ in 0..limits::STILL_LOOKS {
            platform.idle();
            let now = low(platform.now_ms());
            if now > self.last {
                return Ok(());
            }
            self.last = now;
        }
        Err(Fault::CLOCK_STOPPED)
    }
}

/// Turns of a loop that computes, counted down apart from the operation that it is part of. A type
/// and no closure: what hashes by hardware is behind a trait object, and a closure's table of
/// functions would be in programs without it.
pub(crate) struct Pulse<'p> {
    platform: &'p dyn Platform,
    left: Cell<Countdown>,
}

impl<'p> Pulse<'p> {
    pub(crate) const fn new(platform: &'p dyn Platform, left: Countdown) -> Self {
        Self { platform, left: Cell::new(left) }
    }

    /// One turn.
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn turn(&self) -> Result<(), Fault> {
        let mut left = self.left.get();
        let result = left.pulse(self.platform);
        self.left.set(left);
        result
    }
}

/// A machine that can idle and nothing else: for what is computed without a session. Its clock
/// stands, so that nothing ends before its time.
pub(crate) struct Idle<'i>(pub(crate) &'i dyn Fn());

impl Platform for Idle<'_> {
    fn now_ms(&self) -> u64 {
        0
    }

    fn idle(&self) {
        (self.0)();
    }

    fn entropy(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

impl Idle<'_> {
    /// Turns without an end.
    pub(crate) fn pulse(&self) -> Pulse<'_> {
        Pulse::new(self, Countdown::start(self, u32::MAX))
    }
}

/// The lower half of a time.
pub(crate) const fn low(now: u64) -> u32 {
    let [a, b, c, d, ..] = now.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Milliseconds between two lower halves of [`now_ms`](Platform::now_ms), for stacks that count time as the driver
/// does: the clock may have wrapped, and one that went back says nothing of the time that passed (0).
#[must_use]
pub const fn passed_ms(now: u32, since: u32) -> u32 {
    let passed = now.wrapping_sub(since).cast_signed();
    if passed > 0 { passed.unsigned_abs() } else { 0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A clock that says what a function makes of the turns.
    struct Clock(Cell<u64>, fn(u64) -> u64);

    impl Platform for Clock {
        fn now_ms(&self) -> u64 {
            self.0.set(self.0.get() + 1);
            (self.1)(self.0.get())
        }

        fn entropy(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
            Err(NoEntropy)
        }
    }

    /// Turns until a wait of a second ends, and how.
    fn turns(clock: fn(u64) -> u64) -> (u64, Fault) {
        let clock = Clock(Cell::new(0), clock);
        let mut countdown = Countdown::start(&clock, 1000);
        loop {
            if let Err(fault) = countdown.wait(&clock) {
                return (clock.0.get(), fault);
            }
        }
    }

    /// Gives the same few bytes again and again.
    pub(crate) struct Stuck(pub(crate) &'static [u8]);

    impl Platform for Stuck {
        fn now_ms(&self) -> u64 {
            0
        }

        fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
            buf.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
            Ok(())
        }
    }

    #[test]
    fn a_source_that_is_stuck_is_noticed() {
        for (bytes, length, good) in [
            (&b"\0"[..], 18, false),
            (b"\xff", 48, false),
            (b"ab", 18, false),
            (b"\0", 8, false),
            (b"abcd", 8, false),
            (b"abcdefg", 8, true),
            (b"abcd", 18, false),
            (b"abcd", 48, false),
            (b"abcdefgh", 18, false),
            (b"abcdefgh", 48, false),
            (b"abcdefghijklmnop", 18, true),
            (b"abcdefghijklmnop", 48, false),
            (b"abcdefghijklmnopqrs", 18, true),
            (b"abcdefghijklmnopqrs", 48, true),
        ] {
            let mut buf = [0; 48];
            let drawn = draw_entropy(&Stuck(bytes), &mut buf[..length]);
            assert_eq!(drawn.is_ok(), good, "{bytes:?}, {length}");
        }
    }

    #[test]
    fn odd_clocks_end_every_wait() {
        assert_eq!(turns(|n| n), (1001, Fault::TIMED_OUT));
        // A wrap costs the turn in which it happens.
        assert_eq!(turns(|n| (n + u64::from(u32::MAX) - 500) & 0xffff_ffff).1, Fault::TIMED_OUT);
        assert!(turns(|n| (n + 0xff_ff00) & 0xff_ffff).0 < 1100);
        assert!(turns(|n| u64::MAX - 200 + n.min(200)).1 == Fault::CLOCK_STOPPED);
        // Back and forth, forward in the long run.
        assert_eq!(turns(|n| if n % 2 == 0 { n } else { n / 2 }).1, Fault::TIMED_OUT);
        assert_eq!(turns(|_| 7).1, Fault::CLOCK_STOPPED);
        // A timer that counts down.
        assert_eq!(turns(|n| 9_000_000 - n).1, Fault::CLOCK_STOPPED);
        // A coarse clock, polled fast.
        assert_eq!(turns(|n| n / 100_000 * 100).1, Fault::TIMED_OUT);
    }
}
