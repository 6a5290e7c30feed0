//! The stack's own time, which never goes back.

use core::cell::Cell;

use barepg::transport::passed_ms;

/// Looks in a row at which the board's clock did not move before it counts as stopped. Each comes with a poll
/// of the stack, a microsecond of the fastest machine; a clock moves every 100 ms.
const STILL_LOOKS: u32 = 1 << 18;

/// Milliseconds since the stack began, from a board's clock of 32 bits or more: one that wraps goes on, one that goes
/// back loses the time between two looks.
pub(super) struct Clock {
    now: Cell<u64>,
    /// What the board's clock said last, its lower half.
    last: Cell<u32>,
    /// Looks since it moved.
    still: Cell<u32>,
}

impl Clock {
    /// Begins at 0, where the board's clock says that.
    pub(super) fn at(board_ms: u64) -> Self {
        Self { now: Cell::new(0), last: Cell::new(low(board_ms)), still: Cell::new(0) }
    }

    /// The time, now that the board's clock says that.
    pub(super) fn look(&self, board_ms: u64) -> u64 {
        let low = low(board_ms);
        let passed = passed_ms(low, self.last.replace(low));
        self.still.set(if passed > 0 { 0 } else { self.still.get().wrapping_add(1) });
        let now = self.now.get().wrapping_add(u64::from(passed));
        self.now.set(now);
        now
    }

    /// Whether the board's clock has stopped: then nothing is waited for.
    pub(super) fn stands(&self) -> bool {
        self.still.get() > STILL_LOOKS
    }
}

fn low(board_ms: u64) -> u32 {
    board_ms as u32
}
