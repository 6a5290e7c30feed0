//! The stream keeps the rules that the driver's transports keep, in simulated time, whatever the device is
//! made for.

#[path = "world/drivers.rs"]
mod drivers;
#[allow(dead_code)] // a part of it is for the other tests
mod world;

use barepg::Platform;
use barepg_smoltcp::smoltcp::phy::Device;
use barepg_smoltcp::{Ipv4, Setup, Sockets, Stack, TcpBuffers};
use barepg_transport_tests::check;
use world::puppet::Puppet;
use world::{End, Faults, Manner, OWN, OWN_MAC, PORT, World};

fn keeps_the_rules<D: Device>(device: impl FnOnce(End) -> D) {
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4);
    let (world, end) = World::new(1, Faults::default());
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(device(end), &world, setup, &mut buffers, &mut sockets).unwrap();
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

#[test]
fn the_stream_keeps_the_rules_of_transports() {
    keeps_the_rules(|end| end);
}

#[cfg(feature = "smoltcp-0_11")]
#[test]
fn the_rules_are_kept_over_a_device_of_smoltcp_0_11() {
    keeps_the_rules(|end| barepg_smoltcp::bridge::Smoltcp011(drivers::Old011(end)));
}

#[cfg(feature = "smoltcp-0_12")]
#[test]
fn the_rules_are_kept_over_a_device_of_smoltcp_0_12() {
    keeps_the_rules(|end| barepg_smoltcp::bridge::Smoltcp012(drivers::Old012(end)));
}

#[cfg(feature = "smoltcp-0_13")]
#[test]
fn the_rules_are_kept_over_a_device_of_smoltcp_0_13() {
    keeps_the_rules(|end| barepg_smoltcp::bridge::Smoltcp013(drivers::Old013(end)));
}

#[cfg(feature = "embassy-net-driver")]
#[test]
fn the_rules_are_kept_over_a_driver_of_embassy() {
    keeps_the_rules(|end| barepg_smoltcp::bridge::Embassy(drivers::EmbassyEnd(end)));
}
