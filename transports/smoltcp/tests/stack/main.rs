//! The stack and its streams over a simulated wire, in simulated time.

mod addresses;
mod busy;
mod clocks;
mod idle;
mod starts;
#[path = "../world/mod.rs"]
mod world;

use barepg::Platform;
use barepg_smoltcp::{
    ConnectError, Ipv4, SLICE_MS, Setup, Sockets, Stack, StreamError, TcpBuffers,
};
use embedded_io::{Read, ReadReady, Write};
use world::{End, Faults, Manner, OWN, OWN_MAC, PEER, PORT, World};

type Net<'a> = Stack<'a, End>;

fn fixed() -> Setup {
    let ipv4 = Ipv4::Static { address: OWN, prefix: 24, router: None };
    Setup::new(OWN_MAC).ipv4(ipv4).name_server(PEER.into())
}

/// Runs a test on a fresh world.
fn run(setup: Setup, seed: u64, faults: Faults, body: impl FnOnce(&World, &Net<'_>)) {
    let (world, end) = World::new(seed, faults);
    let mut buffers: TcpBuffers<2048, 512> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &world, setup, &mut buffers, &mut sockets).unwrap();
    body(&world, &stack);
}

/// As the driver does: tries again while there is nothing yet, for `ms` of simulated time.
fn retry<R>(
    world: &World,
    ms: u64,
    mut call: impl FnMut() -> Result<R, StreamError>,
) -> Result<R, StreamError> {
    let deadline = world.now_ms() + ms;
    loop {
        match call() {
            Err(StreamError::TimedOut) if world.now_ms() < deadline => {}
            result => return result,
        }
    }
}

fn now(world: &World) -> u64 {
    world.now_ms()
}

/// The addresses as text.
fn all(found: Result<barepg_smoltcp::Addresses, ConnectError>) -> Vec<String> {
    found.unwrap().iter().map(|address| address.to_string()).collect()
}

/// Sends `total` bytes through an echo and checks what comes back.
fn echo(world: &World, stack: &Net<'_>, total: usize) {
    let mut stream = stack.connect("10.0.0.1", PORT, 20_000).unwrap();
    let data: Vec<u8> = (0..total).map(|i| (i * 7 + i / 256) as u8).collect();
    let (mut sent, mut back) = (0, Vec::<u8>::new());
    while back.len() < total {
        if sent < total {
            let end = total.min(sent + 300);
            if let Ok(n) = retry(world, 60_000, || stream.write(&data[sent..end])) {
                sent += n;
            }
            stream.flush().unwrap();
        }
        if sent == total || stream.read_ready().unwrap() {
            let mut buf = [0; 200];
            let n = retry(world, 60_000, || stream.read(&mut buf)).unwrap();
            assert_ne!(n, 0);
            back.extend(&buf[..n]);
        }
    }
    assert_eq!(back, data);
    assert!(stream.close(20_000));
}

#[test]
fn echoes_and_closes_in_order() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        echo(world, stack, 20_000);
        assert!(world.peer.borrow().saw_fin);
        assert!(now(world) < 4000, "took {} ms", now(world) - 1000);
    });
}

#[test]
fn recovers_from_loss_reordering_and_repetition() {
    for seed in 0..12 {
        run(fixed(), seed, Faults { loss: 10, late: 10, twice: 5 }, |world, stack| {
            echo(world, stack, 3000);
        });
    }
}

#[test]
fn end_of_file_is_not_a_reset() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().manner = Manner::Fin(100);
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        let mut buf = [0; 64];
        assert_eq!(retry(world, 1000, || stream.read(&mut buf)), Ok(64));
        assert_eq!(retry(world, 1000, || stream.read(&mut buf)), Ok(36));
        assert_eq!(retry(world, 1000, || stream.read(&mut buf)), Ok(0));
        assert_eq!(stream.read(&mut buf), Ok(0));
        assert_eq!(stream.read_ready(), Ok(true));
        // The other half is still open.
        assert_eq!(stream.write(b"x"), Ok(1));
        assert!(stream.close(1000));
        assert_eq!(stream.write(b"x"), Err(StreamError::Closed));
        assert_eq!(stream.flush(), Err(StreamError::Closed));
        drop(stream);

        world.peer.borrow_mut().manner = Manner::Reset(10);
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        let n = retry(world, 1000, || stream.read(&mut buf));
        assert!(n == Ok(10) || n == Err(StreamError::Reset), "{n:?}");
        assert_eq!(retry(world, 1000, || stream.read(&mut buf)), Err(StreamError::Reset));
        assert_eq!(stream.write(b"x"), Err(StreamError::Reset));
        assert_eq!(stream.flush(), Err(StreamError::Reset));
        assert!(!stream.close(1000));
    });
}

#[test]
fn a_read_waits_a_slice_and_no_longer() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().manner = Manner::Silent;
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        let (start, sleeps) = (now(world), world.sleeps.get());
        assert_eq!(stream.read(&mut [0; 8]), Err(StreamError::TimedOut));
        let waited = now(world) - start;
        assert!((SLICE_MS..SLICE_MS + 5).contains(&waited), "{waited} ms");
        // It sleeps, it does not spin.
        assert!(world.sleeps.get() - sleeps < 10);
        assert_eq!(stream.read_ready(), Ok(false));
        assert_eq!(stream.read(&mut []), Ok(0));
    });
}

#[test]
fn written_bytes_leave_without_a_flush() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        stream.write(b"bye").unwrap();
        for _ in 0..5 {
            world.tick();
        }
        assert_eq!(world.peer.borrow().received, b"bye");
    });
}

#[test]
fn what_came_before_a_reset_can_still_be_read() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().manner = Manner::Reset(100);
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        for _ in 0..50 {
            world.tick();
            stack.poll();
        }
        let mut buf = [0; 60];
        assert_eq!(stream.read(&mut buf), Ok(60));
        assert_eq!(stream.read(&mut buf), Ok(40));
        assert_eq!(stream.read(&mut buf), Err(StreamError::Reset));
    });
}

#[test]
fn a_write_waits_for_room_and_gives_up() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().manner = Manner::Deaf;
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        let mut total = 0;
        let error = loop {
            match retry(world, 500, || stream.write(&[0; 256])) {
                Ok(n) => total += n,
                Err(error) => break error,
            }
            assert!(total < 100_000);
        };
        assert_eq!(error, StreamError::TimedOut);
        // The peer's window and the own send buffer.
        assert_eq!(total, 4096 + 512);
    });
}

#[test]
fn a_peer_that_is_gone_is_found_by_keep_alive() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        retry(world, 1000, || stream.write(b"hello")).unwrap();
        assert_eq!(retry(world, 1000, || stream.read(&mut [0; 8])), Ok(5));
        world.peer.borrow_mut().manner = Manner::Gone;
        let start = now(world);
        assert_eq!(retry(world, 600_000, || stream.read(&mut [0; 8])), Err(StreamError::Reset));
        let found = now(world) - start;
        assert!((170_000..210_000).contains(&found), "{found} ms");
    });
}

#[test]
fn refused_unanswered_and_unroutable_are_told_apart() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        assert_eq!(stack.connect("10.0.0.1", 9, 1000).err(), Some(ConnectError::Refused));
        let start = now(world);
        assert_eq!(stack.connect("10.0.0.99", PORT, 1500).err(), Some(ConnectError::TimedOut));
        let waited = now(world) - start;
        assert!((1500..1550).contains(&waited), "{waited} ms");
        // Longer than the socket's own time-out, which must not look like a refusal.
        assert_eq!(stack.connect("10.0.0.99", PORT, 50_000).err(), Some(ConnectError::TimedOut));
        assert_eq!(stack.connect("10.0.0.1", 0, 1000).err(), Some(ConnectError::Unreachable));
        // And a good one afterwards, on the same socket.
        echo(world, stack, 10);
    });
}

#[test]
fn every_connection_has_a_fresh_port_and_the_socket_comes_back() {
    run(fixed(), 3, Faults::default(), |world, stack| {
        for round in 0..40 {
            let mut stream = stack.connect("10.0.0.1", PORT, 3000).unwrap();
            assert_eq!(
                stack.connect("10.0.0.1", PORT, 100).err(),
                Some(ConnectError::NoSocket),
                "one at a time"
            );
            retry(world, 1000, || stream.write(&[round])).unwrap();
            let mut buf = [0; 4];
            assert_eq!(retry(world, 1000, || stream.read(&mut buf)), Ok(1));
            assert_eq!(buf[0], round);
            if round % 2 == 0 {
                assert!(stream.close(1000));
            }
            drop(stream);
            // The peer's only socket must see the end before it can listen again.
            world.tick();
            world.tick();
        }
        let mut ports = world.peer.borrow().ports.clone();
        assert_eq!(ports.len(), 40);
        assert!(ports.iter().all(|port| *port >= 49152));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 40);
    });
}

#[test]
fn a_dropped_stream_resets() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        retry(world, 1000, || stream.write(b"x")).unwrap();
        stream.flush().unwrap();
        for _ in 0..10 {
            world.tick();
        }
        drop(stream);
        for _ in 0..10 {
            world.tick();
        }
        assert!(!world.peer.borrow().saw_fin);
        assert_eq!(world.peer.borrow().accepted, 1);
        echo(world, stack, 10);
    });
}

#[test]
fn two_connections_at_once() {
    let (world, end) = World::new(1, Faults::default());
    let mut buffers: TcpBuffers<512, 512, 2> = TcpBuffers::new();
    let mut sockets = Sockets::new();
    let stack = Stack::new(end, &world, fixed(), &mut buffers, &mut sockets).unwrap();
    let first = stack.connect("10.0.0.1", PORT, 1000).unwrap();
    // The peer has one socket, which is taken.
    assert_eq!(stack.connect("10.0.0.1", PORT, 1000).err(), Some(ConnectError::Refused));
    drop(first);
    for _ in 0..5 {
        world.tick();
    }
    let _again = stack.connect("10.0.0.1", PORT, 1000).unwrap();
}

#[test]
fn error_kinds_are_what_the_driver_looks_at() {
    use embedded_io::{Error, ErrorKind};
    assert_eq!(StreamError::TimedOut.kind(), ErrorKind::TimedOut);
    assert_eq!(StreamError::Reset.kind(), ErrorKind::ConnectionReset);
    assert_ne!(StreamError::Closed.kind(), ErrorKind::TimedOut);
}

/// A watchdog is fed in `idle`, and connecting may take half a minute.
#[test]
fn the_board_idles_while_it_waits() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        let (begun, idles) = (now(world), world.idles.get());
        assert_eq!(stack.connect("10.0.0.99", PORT, 5000).err(), Some(ConnectError::TimedOut));
        let turns = u64::from(world.idles.get() - idles);
        assert!(turns >= (now(world) - begun) / SLICE_MS, "{turns} times in 5 s");
    });
}

/// Between two verbs nothing polls the stack.
#[test]
fn what_was_read_is_acknowledged_at_once() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        world.peer.borrow_mut().manner = Manner::Puppet;
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        world.tick();
        world.tick();
        world.peer.borrow_mut().socket().send_slice(b"an answer").unwrap();
        assert_eq!(retry(world, 1000, || stream.read(&mut [0; 16])), Ok(9));
        for _ in 0..5 {
            world.tick();
        }
        assert_eq!(world.peer.borrow_mut().socket().send_queue(), 0);
    });
}
