//! The stream keeps the rules that the driver's transports keep, in simulated time.

#[allow(dead_code)] // a part of it is for the other tests
mod world;

use barepg::Platform;
use barepg_smoltcp::{Ipv4, Setup, Sockets, Stack, TcpBuffers};
use barepg_transport_tests::check;
use world::puppet::Puppet;
use world::{Faults, Manner, OWN, OWN_MAC, PORT, World};

#[test]
fn the_stream_keeps_the_rules_of_transports() {
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let (world, end) = World::new(1, Faults::default());
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    world.peer.borrow_mut().manner = Manner::Puppet;
    check(&|| world.now_ms(), &|run| {
        let mut stream = stack.connect("10.0.0.1", PORT, 20_000).unwrap();
        let mut peer = Puppet { world: &world, stack: &stack };
        peer.pass(20);
        run(&mut stream, &mut peer);
        drop(stream);
        peer.pass(50);
    });
}
