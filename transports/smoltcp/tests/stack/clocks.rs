//! Boards whose clock wraps around, goes back, or stands.

use std::cell::Cell;

use barepg::{NoEntropy, Platform};
use barepg_smoltcp::{ConnectError, SLICE_MS, Sleep, Sockets, Stack, StreamError, TcpBuffers};
use embedded_io::{Read, Write};

use crate::world::{End, Faults, Manner, PORT, World};
use crate::{fixed, now};

/// A board that makes its own of the world's time.
struct Board<'w> {
    world: &'w World,
    time: Cell<fn(u64) -> u64>,
    /// Waits since the test last looked.
    turns: Cell<u32>,
}

impl Platform for Board<'_> {
    fn now_ms(&self) -> u64 {
        (self.time.get())(self.world.now_ms())
    }

    fn idle(&self) {
        self.turns.set(self.turns.get() + 1);
        assert!(self.turns.get() < 1 << 20, "it waits for ever");
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.world.entropy(buf)
    }
}

impl Sleep for Board<'_> {
    fn sleep_until(&self, _: u64) {
        self.world.tick();
    }
}

fn run(time: fn(u64) -> u64, body: impl FnOnce(&World, &Board<'_>, &Stack<'_, End>)) {
    let (world, end) = World::new(1, Faults::default());
    let board = Board { world: &world, time: Cell::new(time), turns: Cell::new(0) };
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &board, fixed(), &mut buffers, &mut sockets).unwrap();
    body(&world, &board, &stack);
}

/// Clocks that jump at 6,000 ms of the world's time: of 32 bits that wraps, of 64 bits, one that is set back, and one of
/// microseconds in 32 bits, divided.
const CLOCKS: [fn(u64) -> u64; 4] = [
    |ms| (ms + 0xffff_ffff - 5999) & 0xffff_ffff,
    |ms| ms.wrapping_add(u64::MAX - 5999),
    |ms| if ms < 6000 { ms + 500_000 } else { ms },
    |ms| u64::from((ms as u32).wrapping_mul(1000).wrapping_add(4_288_967_296)) / 1000,
];

#[test]
fn a_wait_ends_when_the_clock_jumps_back() {
    for (which, time) in CLOCKS.into_iter().enumerate() {
        run(time, |world, board, stack| {
            world.peer.borrow_mut().manner = Manner::Silent;
            let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
            while now(world) < 8000 {
                let begun = now(world);
                assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::TimedOut));
                assert!(now(world) - begun <= 2 * SLICE_MS, "clock {which}");
                board.turns.set(0);
            }
        });
        // Nor does a call take longer than its time, and the one look that was lost.
        run(time, |world, _, stack| {
            while now(world) < 5500 {
                world.tick();
            }
            assert_eq!(stack.connect("10.0.0.99", PORT, 1000).err(), Some(ConnectError::TimedOut));
            assert!((6400..6700).contains(&now(world)), "clock {which}: {}", now(world));
            drop(stack.connect("10.0.0.1", PORT, 3000).unwrap());
        });
    }
}

/// What was sent before the jump and got lost is repeated after it.
#[test]
fn a_lost_frame_is_repeated_when_the_clock_has_jumped_back() {
    for (which, time) in CLOCKS.into_iter().enumerate() {
        run(time, |world, _, stack| {
            let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
            while now(world) < 5990 {
                world.tick();
                stack.poll();
            }
            world.wire.borrow_mut().faults.loss = 100;
            assert_eq!(stream.write(b"lost"), Ok(4));
            world.tick();
            world.wire.borrow_mut().faults.loss = 0;
            let mut back = 0;
            while back < 4 && now(world) < 20_000 {
                back += stream.read(&mut [0; 8]).unwrap_or(0);
            }
            assert!(back == 4 && now(world) < 10_000, "clock {which}: {back}, {}", now(world));
        });
    }
}

#[test]
fn nothing_waits_for_a_clock_that_stands() {
    run(
        |ms| ms,
        |world, board, stack| {
            world.peer.borrow_mut().manner = Manner::Silent;
            let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
            board.time.set(|_| 2000);
            for _ in 0..300 {
                assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::TimedOut));
            }
            assert!(!stream.close(1000));
            drop(stream);
            for host in ["10.0.0.1", "10.0.0.99", "db.test"] {
                // It may connect: that takes as few turns as ever.
                drop(stack.connect(host, PORT, 1000));
            }
            // And where it goes on all is well.
            board.time.set(|ms| ms + 100_000);
            drop(stack.connect("10.0.0.1", PORT, 3000).unwrap());
        },
    );
}
