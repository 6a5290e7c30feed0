//! The driver's rules of transports over a model of the chip, and a chip that misbehaves.

mod model;
#[allow(dead_code)] // a part of it is for barepg-smoltcp's own tests
#[path = "../../smoltcp/tests/world/mod.rs"]
mod world;

use std::cell::Cell;

use barepg::{NoEntropy, Platform};
use barepg_smoltcp::{Ipv4, Setup, Sleep, Sockets, Stack, TcpBuffers, TcpStream};
use barepg_transport_tests::check;
use barepg_w5500::{Frames, StartError, W5500};
use embedded_io::{Read, Write};
use model::{Bus, Model};
use world::puppet::Puppet;
use world::{Faults, Manner, OWN, OWN_MAC, PORT, World};

type Chip<'f> = W5500<'f, Bus>;

fn run(body: impl FnOnce(&World, &Bus, &Stack<'_, Chip<'_>>)) {
    let (world, end) = World::new(1, Faults::default());
    let bus = Model::on(end);
    let mut frames = Frames::new();
    let chip = W5500::new(bus.clone(), OWN_MAC, &mut frames).unwrap();
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let stack = Stack::new(chip, &world, setup, &mut buffers, &mut sockets).unwrap();
    body(&world, &bus, &stack);
}

/// Sends so many bytes through an echo and compares what comes back, within a minute.
fn echo(world: &World, stream: &mut TcpStream<'_, '_, Chip<'_>>, total: usize) -> bool {
    let (mut sent, mut back) = (0, 0);
    let deadline = world.now_ms() + 60_000;
    let byte = |i: usize| (i * 7 + i / 256) as u8;
    let mut buf = [0; 400];
    while back < total && world.now_ms() < deadline {
        let piece: Vec<u8> = (sent..total.min(sent + 300)).map(byte).collect();
        sent += stream.write(&piece).unwrap_or(0);
        let n = stream.read(&mut buf).unwrap_or(0);
        for &got in &buf[..n] {
            assert_eq!(got, byte(back), "byte {back}");
            back += 1;
        }
    }
    back == total
}

#[test]
fn the_stream_keeps_the_rules_of_transports() {
    run(|world, _, stack| {
        world.peer.borrow_mut().manner = Manner::Puppet;
        check(&|| world.now_ms(), &|run| {
            let mut stream = stack.connect("10.0.0.1", PORT, 20_000).unwrap();
            let mut peer = Puppet { world, stack };
            peer.pass(20);
            run(&mut stream, &mut peer);
            drop(stream);
            peer.pass(50);
        });
    });
}

/// Its memory is gone round several times.
#[test]
fn long_transfers_arrive_whole() {
    run(|world, bus, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        assert!(echo(world, &mut stream, 100_000));
        assert!(stream.close(1000));
        assert_eq!(bus.0.borrow().dropped, 0);
    });
}

#[test]
fn a_chip_that_is_not_there_is_named() {
    for byte in [0, 0xff] {
        let (_world, end) = World::new(1, Faults::default());
        let bus = Model::on(end);
        bus.0.borrow_mut().gone = Some(byte);
        let mut frames = Frames::new();
        let result = W5500::new(bus, OWN_MAC, &mut frames);
        assert_eq!(result.err(), Some(StartError::NotThere(byte)));
    }
    let (_world, end) = World::new(1, Faults::default());
    let bus = Model::on(end);
    bus.0.borrow_mut().stuck = true;
    let mut frames = Frames::new();
    let result = W5500::new(bus.clone(), OWN_MAC, &mut frames);
    assert_eq!(result.err(), Some(StartError::NoReaction));
    let result = W5500::new(bus, [0xff; 6], &mut frames);
    assert_eq!(result.err(), Some(StartError::HardwareAddress));
}

/// By itself, at a dip of the supply: the session lives on if the link is back in time.
#[test]
fn a_chip_that_resets_is_set_up_again() {
    run(|world, bus, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        assert!(echo(world, &mut stream, 1000));
        assert_eq!(stack.with_device(|chip| chip.resets()), Some(0));
        bus.0.borrow_mut().reset();
        assert!(echo(world, &mut stream, 1000));
        assert_eq!(stack.with_device(|chip| chip.resets()), Some(1));
    });
}

#[test]
fn a_chip_in_a_stack_says_whether_a_cable_is_in() {
    run(|_, bus, stack| {
        assert_eq!(stack.with_device(|chip| chip.link_up()), Some(Ok(true)));
        bus.0.borrow_mut().unplug();
        assert_eq!(stack.with_device(|chip| chip.link_up()), Some(Ok(false)));
    });
}

#[test]
fn a_chip_that_is_gone_for_a_while_is_found_again() {
    run(|world, bus, stack| {
        for byte in [0, 0xff] {
            bus.0.borrow_mut().gone = Some(byte);
            let begun = world.now_ms();
            assert!(stack.connect("10.0.0.1", PORT, 1000).is_err());
            assert!(world.now_ms() - begun < 1100, "it waited for the chip");
            // Its supply failed.
            bus.0.borrow_mut().reset();
            bus.0.borrow_mut().gone = None;
            let mut stream = stack.connect("10.0.0.1", PORT, 5000).unwrap();
            assert!(echo(world, &mut stream, 1000));
        }
    });
}

#[test]
fn garbage_on_the_bus_costs_a_frame() {
    run(|world, bus, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        for length in [0, 1, 2, 1517, 2000, 0xffff] {
            bus.0.borrow_mut().garbage = Some(length);
            assert!(echo(world, &mut stream, 2000), "a length of {length}");
        }
    });
}

#[test]
fn commands_that_are_never_taken_end_no_loop() {
    run(|world, bus, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        bus.0.borrow_mut().stuck = true;
        let begun = world.now_ms();
        assert!(stream.read(&mut [0; 8]).is_err());
        assert!(world.now_ms() - begun < 100);
        bus.0.borrow_mut().stuck = false;
        assert!(echo(world, &mut stream, 1000));
    });
}

#[test]
fn a_chip_that_sends_nothing_is_set_up_again() {
    run(|world, bus, stack| {
        bus.0.borrow_mut().mute = true;
        assert!(stack.connect("10.0.0.1", PORT, 20_000).is_err());
        for _ in 0..300 {
            let _ = stack.connect("10.0.0.1", PORT, 100);
        }
        bus.0.borrow_mut().mute = false;
        let mut stream = stack.connect("10.0.0.1", PORT, 20_000).unwrap();
        assert!(echo(world, &mut stream, 1000));
    });
}

/// A board that counts the times it may not sleep.
struct Sleeper<'w> {
    world: &'w World,
    awake: Cell<u32>,
}

impl Platform for Sleeper<'_> {
    fn now_ms(&self) -> u64 {
        self.world.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.world.entropy(buf)
    }
}

impl Sleep for Sleeper<'_> {
    fn sleep_until(&self, deadline_ms: u64) {
        if deadline_ms <= self.now_ms() {
            self.awake.set(self.awake.get() + 1);
        }
        self.world.sleep_until(deadline_ms);
    }
}

/// What is due and cannot be sent, with a cable that is out, is no reason to stay awake.
#[test]
fn a_chip_that_sends_nothing_lets_the_board_sleep() {
    let (world, end) = World::new(1, Faults::default());
    let bus = Model::on(end);
    let mut frames = Frames::new();
    let chip = W5500::new(bus.clone(), OWN_MAC, &mut frames).unwrap();
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let board = Sleeper { world: &world, awake: Cell::new(0) };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let stack = Stack::new(chip, &board, setup, &mut buffers, &mut sockets).unwrap();
    bus.0.borrow_mut().mute = true;
    assert!(stack.connect("10.0.0.1", PORT, 1000).is_err());
    assert!(stack.connect("10.0.0.1", PORT, 1000).is_err());
    assert_eq!(board.awake.get(), 0);
}

/// What is not for this board does not cross the bus.
#[test]
fn the_chip_filters_frames() {
    run(|world, bus, stack| {
        drop(stack.connect("10.0.0.1", PORT, 1000).unwrap());
        let before = bus.0.borrow().bytes;
        for _ in 0..100 {
            world.wire.borrow_mut().inject(vec![0x02; 1000]);
            world.tick();
            world.tick();
            stack.poll();
        }
        let bytes = bus.0.borrow().bytes - before;
        assert!(bytes < 100 * 200, "{bytes} bytes for 100 polls");
    });
}
