use core::cell::Cell;

use super::*;
use crate::error::Fault;
use crate::platform::NoEntropy;

#[test]
fn pauses_grow_as_the_policy_says() {
    let Policy { lost, overloaded, hopeless, .. } = Policy::DEFAULT;
    let range = |backoff: Backoff, failures| {
        let pauses = (0..5000).map(|random| backoff.pause_ms(failures, random * 7919));
        (pauses.clone().min().unwrap(), pauses.max().unwrap())
    };
    assert_eq!([1, 2, 3].map(|n| range(lost, n)), [(500, 1500), (1000, 1000), (1000, 1000)]);
    assert_eq!(
        [4, 5, 9].map(|n| range(lost, n)).map(|(least, most)| (least / 10, most / 10)),
        [(100, 200), (200, 400), (500, 1000)]
    );
    assert!(range(lost, u32::MAX).1 <= 10_000);
    assert_eq!(range(overloaded, 1), (500, 1500));
    assert!(range(overloaded, 20).0 >= 30_000 && range(overloaded, 20).1 <= 60_000);
    assert!(range(hopeless, 1).0 >= 30_000 && range(hopeless, 50).1 <= 900_000);
}

struct Clock(Cell<u64>);

impl Platform for Clock {
    fn now_ms(&self) -> u64 {
        self.0.get()
    }

    fn entropy(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy)
    }
}

/// A session from `began` to `ended`, and the gap after it.
fn times(began: u64, ended: u64, again: u64) -> (bool, u32) {
    let clock = Clock(Cell::new(began));
    let mut supervisor = Supervisor::new(Policy::DEFAULT);
    supervisor.logged_in(&clock, 0);
    clock.0.set(ended);
    let error = Error::local(Fault::TIMED_OUT);
    let worked = supervisor.is_no_refusal(&clock, error, true);
    supervisor.ended(&clock, Some(error), Ended::AfterWork);
    clock.0.set(again);
    supervisor.logged_in(&clock, 0);
    (worked, supervisor.health.longest_gap_ms)
}

#[test]
fn clocks_that_wrap_are_read_across_the_wrap() {
    let wrap = 1_u64 << 32;
    assert_eq!(times(0, 9_999, 12_000), (false, 2_001));
    assert_eq!(times(0, 10_000, 12_000), (true, 2_000));
    // A clock of 32 bits, in a session and in a gap.
    assert_eq!(times(wrap - 5_000, 4_999, 5_499), (false, 500));
    assert_eq!(times(wrap - 5_000, 5_000, 5_500), (true, 500));
    assert_eq!(times(wrap - 20_000, wrap - 10, 290), (true, 300));
    // One of 64 bits that passes it.
    assert_eq!(times(wrap - 5_000, wrap + 5_000, wrap + 5_500), (true, 500));
    assert_eq!(times(5, 2 * wrap, 2 * wrap + 3), (true, 3));
    // Jumps back say nothing of the time that passed.
    assert_eq!(times(50_000, 20_000, 10_000), (false, 0));
}
