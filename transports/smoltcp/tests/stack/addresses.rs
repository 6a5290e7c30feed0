//! Where the board's own address and the server's come from.

use std::net::Ipv4Addr;

use barepg_smoltcp::smoltcp::wire::IpCidr;
use barepg_smoltcp::{ConnectError, Ipv4, Setup, StreamError};
use embedded_io::{Read, Write};

use crate::world::{Faults, Manner, OWN, OWN_MAC, PEER, PORT};
use crate::{all, echo, fixed, now, retry, run};

#[test]
fn the_address_comes_by_dhcp() {
    run(Setup::new(OWN_MAC), 1, Faults::default(), |world, stack| {
        assert_eq!(stack.ipv4_addr(), None);
        echo(world, stack, 100);
        assert_eq!(stack.ipv4_addr(), Some(OWN));
        // The name server came with it.
        assert_eq!(all(stack.resolve("db.test", 1000)), ["10.0.0.1"]);
    });
    for seed in 0..8 {
        run(Setup::new(OWN_MAC), seed, Faults { loss: 20, ..Faults::default() }, |w, stack| {
            echo(w, stack, 100);
        });
    }
    run(Setup::new(OWN_MAC), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().answers_dhcp = false;
        let start = now(world);
        assert_eq!(stack.connect("10.0.0.1", PORT, 3000).err(), Some(ConnectError::NoAddress));
        assert!((3000..3050).contains(&(now(world) - start)));
        world.peer.borrow_mut().answers_dhcp = true;
        echo(world, stack, 100);
    });
}

#[test]
fn names_are_looked_up() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        assert_eq!(all(stack.resolve("192.0.2.7", 0)), ["192.0.2.7"]);
        assert_eq!(all(stack.resolve("db.test", 1000)), ["10.0.0.1"]);
        assert_eq!(all(stack.resolve("db.test.", 1000)), ["10.0.0.1"]);
        assert_eq!(stack.resolve("nothing.test", 5000), Err(ConnectError::NameNotFound));
        for bad in ["", "a..b", &"x".repeat(64), &"abcdefgh.".repeat(20)] {
            assert_eq!(stack.resolve(bad, 1000), Err(ConnectError::NameNotFound), "{bad}");
        }
        world.peer.borrow_mut().answers_dns = false;
        // More often than there are query slots.
        for _ in 0..3 {
            assert_eq!(stack.resolve("db.test", 700), Err(ConnectError::NameTimedOut));
        }
        world.peer.borrow_mut().answers_dns = true;
        let mut stream = stack.connect("db.test", PORT, 1000).unwrap();
        retry(world, 1000, || stream.write(b"x")).unwrap();
    });
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    run(Setup::new(OWN_MAC).ipv4(ipv4), 1, Faults::default(), |_, stack| {
        assert_eq!(stack.resolve("db.test", 100), Err(ConnectError::NameTimedOut));
    });
}

#[test]
fn the_driver_dials_through_it() {
    use barepg::{Config, Dial, DialError, HostSpec, Keepalives, Target};
    run(fixed(), 1, Faults::default(), |world, stack| {
        let config = Config::new();
        let mut target =
            Target::new(HostSpec { host: "db.test", hostaddr: "", port: PORT }, &config);
        let mut dialler = stack;
        drop(dialler.dial(&target).unwrap());
        target.address = 1;
        assert_eq!(dialler.dial(&target).err(), Some(DialError::NoMoreAddresses));
        target.address = 0;
        target.host.host = "nobody.test";
        assert_eq!(dialler.dial(&target).err(), Some(DialError::UnknownHost));
        // The address counts, not the name, and a name in its place is not looked up.
        target.host.hostaddr = "db.test";
        assert_eq!(dialler.dial(&target).err(), Some(DialError::NotAnAddress));
        target.host.hostaddr = "10.0.0.1";
        target.keepalives = Keepalives { on: true, idle_s: 2, interval_s: 0, count: 0 };
        target.tcp_user_timeout_ms = 6000;
        let mut stream = dialler.dial(&target).unwrap();
        world.peer.borrow_mut().manner = Manner::Gone;
        let start = now(world);
        assert_eq!(retry(world, 60_000, || stream.read(&mut [0; 8])), Err(StreamError::Reset));
        let found = now(world) - start;
        assert!((4000..12_000).contains(&found), "{found} ms");
        target.host.port = 9;
        let refused = DialError::Failed(embedded_io::ErrorKind::ConnectionRefused);
        drop(stream);
        world.peer.borrow_mut().manner = Manner::Echo;
        assert_eq!(dialler.dial(&target).err(), Some(refused));
    });
}

#[test]
fn all_addresses_of_a_name_are_dialled() {
    use barepg::{Config, Dial, DialError, HostSpec, Target};
    let dead = Ipv4Addr::new(10, 0, 0, 99);
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().names = vec![dead.into(), PEER.into()];
        assert_eq!(all(stack.resolve("db.test", 1000)), ["10.0.0.99", "10.0.0.1"]);
        drop(stack.connect("db.test", PORT, 4000).unwrap());

        let config = Config::new().connect_timeout_ms(1000);
        let mut target =
            Target::new(HostSpec { host: "db.test", hostaddr: "", port: PORT }, &config);
        let mut dialler = stack;
        assert_eq!(dialler.dial(&target).err(), Some(DialError::TimedOut));
        let asked = world.peer.borrow().asked;
        target.address = 1;
        drop(dialler.dial(&target).unwrap());
        target.address = 2;
        assert_eq!(dialler.dial(&target).err(), Some(DialError::NoMoreAddresses));
        // With a random number to begin with, the other is the first.
        (target.address, target.rotation) = (1, 7);
        assert_eq!(dialler.dial(&target).err(), Some(DialError::TimedOut));
        assert_eq!(world.peer.borrow().asked, asked, "one lookup for all addresses of a host");
        // A cancel request goes to where the session is, whatever the name server says first now.
        (target.address, target.rotation) = (0, 1);
        world.peer.borrow_mut().names.reverse();
        // smoltcp asks for one neighbour a second.
        let again = Target { again: true, timeout_ms: 3000, ..target };
        drop(dialler.dial(&again).unwrap());
        assert_eq!(dialler.dial(&target).err(), Some(DialError::TimedOut));
        (target.address, target.timeout_ms) = (1, 3000);
        // A host that was not the last one is looked up, whatever its address.
        target.host.host = "nobody.test";
        assert_eq!(dialler.dial(&target).err(), Some(DialError::UnknownHost));
        (target.host.host, target.address, target.rotation) = ("db.test", 0, 0);
        drop(dialler.dial(&target).unwrap());
    });
}

#[cfg(not(feature = "ipv6"))]
#[test]
fn addresses_of_the_other_family_are_unreachable() {
    use barepg::{Config, Dial, DialError, HostSpec, Target};
    run(fixed(), 1, Faults::default(), |_, stack| {
        for host in ["::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert_eq!(stack.resolve(host, 100), Err(ConnectError::Unreachable), "{host}");
            assert_eq!(stack.connect(host, PORT, 100).err(), Some(ConnectError::Unreachable));
            // One address, which is not tried again and again.
            for (host, hostaddr) in [(host, ""), ("db.test", host)] {
                let mut dialler = stack;
                let host = HostSpec { host, hostaddr, port: PORT };
                let mut target = Target::new(host, &Config::new());
                let failed = DialError::Failed(embedded_io::ErrorKind::AddrNotAvailable);
                assert_eq!(dialler.dial(&target).err(), Some(failed));
                target.address = 1;
                assert_eq!(dialler.dial(&target).err(), Some(DialError::NoMoreAddresses));
            }
        }
    });
}

/// smoltcp gives a name server ten seconds, and then says what it says of a name that is unknown.
#[test]
fn a_name_server_that_is_silent_does_not_say_that_a_name_is_unknown() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().answers_dns = false;
        for timeout_ms in [5000, 12_000, 35_000] {
            assert_eq!(stack.resolve("db.test", timeout_ms), Err(ConnectError::NameTimedOut));
        }
        world.peer.borrow_mut().answers_dns = true;
        assert_eq!(stack.resolve("nothing.test", 35_000), Err(ConnectError::NameNotFound));
    });
}

/// The first name server is down, or of no use: the next lookup asks the other one first.
#[test]
fn a_name_server_that_fails_is_not_asked_first_again() {
    let other = Ipv4Addr::new(10, 0, 0, 3);
    // Silent; SERVFAIL, REFUSED, and NXDOMAIN of one that knows other names.
    for code in [None, Some(2), Some(5), Some(3)] {
        run(Setup::new(OWN_MAC), 1, Faults::default(), |world, stack| {
            {
                let mut peer = world.peer.borrow_mut();
                peer.name_servers = vec![other, PEER];
                if let Some(code) = code {
                    peer.interface().update_ip_addrs(|list| {
                        list.push(IpCidr::new(other.into(), 24)).unwrap();
                    });
                    peer.fails_dns = Some((other, code));
                }
            }
            let failed = stack.resolve("db.test", 5000).err();
            let wanted = match code {
                None => ConnectError::NameTimedOut,
                Some(_) => ConnectError::NameNotFound,
            };
            assert_eq!(failed, Some(wanted), "{code:?}");
            let begun = now(world);
            assert_eq!(all(stack.resolve("db.test", 5000)), ["10.0.0.1"], "{code:?}");
            assert_eq!(all(stack.resolve("db.test", 5000)), ["10.0.0.1"], "{code:?}");
            // smoltcp asks for one neighbour a second.
            assert!(now(world) - begun < 1200, "{code:?}");
        });
    }
}
