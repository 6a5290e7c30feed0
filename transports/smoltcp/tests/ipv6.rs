//! IPv6: addresses from a router, AAAA records, both families of one name.
#![cfg(feature = "ipv6")]

#[allow(dead_code)] // a part of it is for the other tests
mod world;

use std::net::{IpAddr, Ipv6Addr};

use barepg::{Config, Dial, DialError, HostSpec, Platform, Target};
use barepg_smoltcp::smoltcp::wire::IpCidr;
use barepg_smoltcp::{ConnectError, Ipv4, Ipv6, Setup, Sockets, Stack, TcpBuffers};
use embedded_io::{Read, Write};
use world::ipv6::{PEER6, ROUTER};
use world::{End, Faults, OWN, OWN_MAC, PEER, PORT, World};

/// What SLAAC makes of the prefix and [`OWN_MAC`] (RFC 4291, appendix A).
const OWN6: &str = "fd00::ff:fe00:2";

fn run(setup: Setup, router: bool, body: impl FnOnce(&World, &Stack<'_, End>)) {
    let (world, end) = World::new(1, Faults::default());
    world.wire.borrow_mut().router = router;
    world.peer.borrow_mut().interface().update_ip_addrs(|list| {
        for address in [PEER6, ROUTER] {
            list.push(IpCidr::new(address.into(), 64)).unwrap();
        }
    });
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    body(&world, &stack);
}

/// Says something and hears it again.
fn echo(world: &World, stack: &Stack<'_, End>, host: &str) {
    let mut stream = stack.connect(host, PORT, 5000).unwrap();
    stream.write(b"hello").unwrap();
    let mut buf = [0; 8];
    let deadline = world.now_ms() + 1000;
    while stream.read(&mut buf) != Ok(5) {
        assert!(world.now_ms() < deadline);
    }
    assert!(stream.close(1000));
}

#[test]
fn the_address_comes_from_a_router() {
    run(Setup::new(OWN_MAC).ipv4(Ipv4::Off), true, |world, stack| {
        assert_eq!(stack.ipv6_addr(), None);
        echo(world, stack, "fd00::1");
        assert_eq!(stack.ipv6_addr(), Some(OWN6.parse().unwrap()));
        // Without a name server of its own family, or any.
        assert_eq!(stack.resolve("db.test", 500), Err(ConnectError::NameTimedOut));
    });
    run(Setup::new(OWN_MAC).ipv4(Ipv4::Off), false, |_, stack| {
        assert_eq!(stack.connect("fd00::1", PORT, 1000).err(), Some(ConnectError::NoAddress));
        // The link-local address is there without a router.
        stack.connect("fe80::1", PORT, 1000).unwrap();
    });
}

#[test]
fn a_fixed_address_serves_too() {
    let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    let ipv6 = Ipv6::Static { address, prefix: 64, router: None };
    run(Setup::new(OWN_MAC).ipv4(Ipv4::Off).ipv6(ipv6), false, |world, stack| {
        assert_eq!(stack.ipv6_addr(), Some(address));
        echo(world, stack, "fd00::1");
    });
}

#[test]
fn names_are_asked_over_ipv6_as_well() {
    let setup = Setup::new(OWN_MAC).ipv4(Ipv4::Off).name_server(PEER6.into());
    run(setup, true, |world, stack| {
        world.peer.borrow_mut().names = vec![PEER6.into()];
        echo(world, stack, "db.test");
        assert_eq!(stack.resolve("nobody.test", 5000), Err(ConnectError::NameNotFound));
    });
}

#[test]
fn both_families_of_a_name_are_dialled() {
    let dead: IpAddr = "fd00::99".parse().unwrap();
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4).name_server(PEER.into());
    run(setup, true, |world, stack| {
        world.peer.borrow_mut().names = vec![PEER.into(), dead];
        echo(world, stack, "db.test");
        // IPv6 first, once there is an own address.
        let found: Vec<IpAddr> = stack.resolve("db.test", 1000).unwrap().iter().collect();
        assert_eq!(found, [dead, PEER.into()]);
        let config = Config::new().connect_timeout_ms(1000);
        let mut target =
            Target::new(HostSpec { host: "db.test", hostaddr: "", port: PORT }, &config);
        let mut dialler = stack;
        assert_eq!(dialler.dial(&target).err(), Some(DialError::TimedOut));
        target.address = 1;
        drop(dialler.dial(&target).unwrap());
        target.address = 2;
        assert_eq!(dialler.dial(&target).err(), Some(DialError::NoMoreAddresses));
    });
    // No router: IPv4 first.
    run(setup, false, |world, stack| {
        world.peer.borrow_mut().names = vec![PEER6.into(), PEER.into()];
        let found: Vec<IpAddr> = stack.resolve("db.test", 1000).unwrap().iter().collect();
        assert_eq!(found, [IpAddr::from(PEER), PEER6.into()]);
        echo(world, stack, "db.test");
    });
}

/// An address of each kind is asked for; one that has none of a kind is not waited for long.
#[test]
fn a_name_with_one_family_is_found() {
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    let setup = Setup::new(OWN_MAC).ipv4(ipv4).name_server(PEER.into());
    run(setup, true, |world, stack| {
        let begun = world.now_ms();
        echo(world, stack, "db.test");
        assert!(world.now_ms() - begun < 1000);
    });
}
