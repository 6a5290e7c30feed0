//! Links that lose frames: a live peer is never given up.

#[allow(dead_code)] // a part of it is for the other tests
mod world;

use barepg::Platform;
use barepg_smoltcp::{Ipv4, Setup, Sockets, Stack, StreamError, TcpBuffers};
use embedded_io::{Read, Write};
use world::{Faults, OWN, OWN_MAC, PORT, World};

/// Bytes that a session sends, and gets back.
const SESSION: usize = 20_000;

/// Bytes of one request, and of its answer. No more than the window: smoltcp, which is the peer here, sends
/// past a small one after a loss, and then neither side goes on; a server's TCP does not.
const STATEMENT: usize = 200;

/// How long a session may take, in milliseconds: longer than any deadline of the driver.
const DEADLINE_MS: u64 = 3_600_000;

/// One session through a window of 256 bytes. How it ended, and what it took.
fn session(seed: u64, faults: Faults, quiet_ms: u64) -> (Result<(), StreamError>, u64) {
    let (world, end) = World::new(seed, faults);
    world.peer.borrow_mut().lazy = true;
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let mut buffers: TcpBuffers<256, 256> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    let begun = world.now_ms();
    let mut stream = stack.connect("10.0.0.1", PORT, 300_000).unwrap();
    let mut buf = [0; 128];
    for _ in 0..SESSION / STATEMENT {
        let (mut sent, mut back) = (0, 0);
        while back < STATEMENT {
            assert!(world.now_ms() - begun < DEADLINE_MS, "seed {seed}: neither lost nor served");
            if sent < STATEMENT {
                match stream.write(&[7; STATEMENT][sent..]) {
                    Ok(n) => sent += n,
                    Err(StreamError::TimedOut) => {}
                    Err(error) => return (Err(error), world.now_ms() - begun),
                }
            }
            match stream.read(&mut buf) {
                Ok(n) => back += n,
                Err(StreamError::TimedOut) => {}
                Err(error) => return (Err(error), world.now_ms() - begun),
            }
        }
    }
    // Between two statements nothing is sent but keep-alives.
    let until = world.now_ms() + quiet_ms;
    while world.now_ms() < until {
        if let Err(error @ (StreamError::Reset | StreamError::Closed)) = stream.read(&mut buf) {
            return (Err(error), world.now_ms() - begun);
        }
    }
    (Ok(()), world.now_ms() - begun)
}

#[test]
fn live_peers_are_not_given_up() {
    let faults = Faults { loss: 10, ..Faults::default() };
    let mut longest = 0;
    for seed in 0..400 {
        let (ended, took) = session(seed, faults, 0);
        assert_eq!(ended, Ok(()), "seed {seed}, after {took} ms");
        longest = longest.max(took);
    }
    println!("the longest of 400 sessions took {longest} ms");
}

#[test]
fn idle_links_are_not_given_up() {
    let faults = Faults { loss: 10, late: 10, twice: 5 };
    for seed in 0..4 {
        let (ended, took) = session(seed, faults, 600_000);
        assert_eq!(ended, Ok(()), "seed {seed}, after {took} ms");
    }
}
