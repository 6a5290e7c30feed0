//! How a stack begins.

use std::net::Ipv4Addr;

use barepg_smoltcp::{Ipv4, Setup, SetupError, Sockets, Stack, TcpBuffers};

use crate::world::{Faults, OWN_MAC, PORT, World};
use crate::{fixed, now};

#[test]
fn no_two_starts_are_alike() {
    let begun = |entropy: u64| {
        let (world, end) = World::new(1, Faults::default());
        world.entropy.set(Some(entropy));
        let mut buffers: TcpBuffers<512, 512> = TcpBuffers::new();
        let mut sockets = Sockets::new();
        let stack = Stack::new(end, &world, fixed(), &mut buffers, &mut sockets).unwrap();
        drop(stack.connect("10.0.0.1", PORT, 1000).unwrap());
        world.wire.borrow().begun.first().copied().unwrap()
    };
    for entropy in [1, 0x0123_4567_89ab_cdef] {
        let (first, second) = (begun(entropy), begun(entropy + 1));
        assert_ne!(first.0, second.0, "ports");
        assert_ne!(first.1, second.1, "sequence numbers");
    }
    // Without entropy there is no start, unless the board has a number of its own.
    // Nor with that of a generator that is not switched on: each start would be like the last.
    for entropy in [None, Some(0), Some(u64::MAX), Some(0x0123_4567_0123_4567)] {
        let (world, end) = World::new(1, Faults::default());
        world.entropy.set(entropy);
        let mut buffers: TcpBuffers<512, 512> = TcpBuffers::new();
        let mut sockets = Sockets::new();
        let failed = Stack::new(end, &world, fixed(), &mut buffers, &mut sockets);
        assert_eq!(failed.err(), Some(SetupError::NoEntropy), "{entropy:?}");
    }
    let (world, end) = World::new(1, Faults::default());
    world.entropy.set(None);
    let mut buffers: TcpBuffers<512, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    Stack::new(end, &world, fixed().seed(4711), &mut buffers, &mut sockets).unwrap();
}

/// The device lost its power in the middle of a session that the server still holds.
#[test]
fn a_session_after_a_power_loss_is_a_new_one() {
    for entropy in 1..21 {
        let (world, end) = World::new(1, Faults::default());
        let world: &World = Box::leak(Box::new(world));
        world.peer.borrow_mut().listen_twice();
        let start = |end, entropy| {
            world.entropy.set(Some(entropy));
            let buffers = Box::leak(Box::new(TcpBuffers::<512, 512>::new()));
            let sockets = Box::leak(Box::new(Sockets::new()));
            // As a counter in flash would have it, and as a generator would.
            let setup = if entropy % 2 == 0 { fixed() } else { fixed().seed(entropy) };
            Stack::new(end, world, setup, buffers, sockets).unwrap()
        };
        let again = end.twin();
        let stack = start(end, entropy);
        std::mem::forget(stack.connect("10.0.0.1", PORT, 1000).unwrap());
        let stack = start(again, 2 + entropy);
        let begun = now(world);
        let stream = stack.connect("10.0.0.1", PORT, 1000);
        let took = now(world) - begun;
        assert!(stream.is_ok() && took < 100, "the server took it for the old session: {took} ms");
    }
}

#[test]
fn setups_that_cannot_work_are_refused() {
    let refused = |setup: Setup| {
        let (world, end) = World::new(1, Faults::default());
        let mut buffers: TcpBuffers<512, 512> = TcpBuffers::new();
        let mut sockets = Sockets::new();
        let result = Stack::new(end, &world, setup, &mut buffers, &mut sockets);
        result.err()
    };
    for mac in [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
        assert_eq!(refused(Setup::new(mac)), Some(SetupError::HardwareAddress));
    }
    for address in [Ipv4Addr::BROADCAST, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(224, 0, 0, 1)] {
        let ipv4 = Ipv4::Static { address, prefix: 24, router: None };
        assert_eq!(refused(Setup::new(OWN_MAC).ipv4(ipv4)), Some(SetupError::Address));
    }
}
