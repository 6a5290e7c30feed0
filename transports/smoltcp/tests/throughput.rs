//! What a link carries, by buffer and round trip: the table in the documentation of `TcpBuffers`.

#[allow(dead_code)] // a part of it is for the other tests
mod world;

use std::fmt::Write as _;

use barepg::Platform;
use barepg_smoltcp::{Ipv4, Setup, Sockets, Stack, TcpBuffers};
use embedded_io::{Read, Write};
use world::{Faults, Manner, OWN, OWN_MAC, PORT, World};

/// Frames are under way for so many milliseconds: half a round trip.
const LATENCIES: [u64; 3] = [1, 10, 50];

/// Simulated time of one measurement, in milliseconds.
const TIME_MS: u64 = 2000;

/// Until the window is open, in milliseconds.
const WARM_MS: u64 = 500;

/// KB of 1,000 bytes a second: from the peer, or to it.
fn measure<const RX: usize, const TX: usize>(latency: u64, to_peer: bool) -> u64 {
    let (world, end) = World::with_buffer(1, Faults::default(), 32_768);
    world.wire.borrow_mut().latency = latency;
    world.peer.borrow_mut().manner = if to_peer { Manner::Silent } else { Manner::Fin(usize::MAX) };
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let mut buffers: TcpBuffers<RX, TX> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    let mut stream = stack.connect("10.0.0.1", PORT, 5000).unwrap();
    let mut pass = |ms: u64| {
        let (begun, mut moved) = (world.now_ms(), 0);
        while world.now_ms() - begun < ms {
            let result = if to_peer { stream.write(&[7; 512]) } else { stream.read(&mut [0; 512]) };
            moved += result.unwrap_or(0);
        }
        u64::try_from(moved).unwrap() / (world.now_ms() - begun)
    };
    pass(WARM_MS);
    pass(TIME_MS)
}

fn row<const N: usize>(table: &mut String) {
    write!(table, "/// | {N} |").unwrap();
    for to_peer in [false, true] {
        for latency in LATENCIES {
            let speed = if to_peer {
                measure::<2048, N>(latency, true)
            } else {
                measure::<N, 2048>(latency, false)
            };
            write!(table, " {speed} |").unwrap();
        }
    }
    table.push('\n');
}

/// The figures of the documentation are measured, not promised. `BAREPG_WRITE=1` writes them anew.
#[test]
fn the_documented_figures_hold() {
    let mut table = String::new();
    row::<512>(&mut table);
    row::<1024>(&mut table);
    row::<2048>(&mut table);
    row::<4096>(&mut table);
    row::<8192>(&mut table);
    row::<16384>(&mut table);
    let table = table.replace("/// ", "");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/throughput.md");
    if std::env::var_os("BAREPG_WRITE").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), table);
}

/// With the buffers that the documentation names for it.
#[test]
fn a_round_trip_of_20_ms_carries_150_kb_a_second() {
    assert!(measure::<4096, 4096>(10, false) >= 150);
    assert!(measure::<4096, 4096>(10, true) >= 150);
}
