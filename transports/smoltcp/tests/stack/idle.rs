//! Sessions that are idle for long, with a server that lives.

use barepg::{Config, Dial, HostSpec, Keepalives, Target};
use barepg_smoltcp::TcpStream;
use embedded_io::{Read, ReadReady, Write};

use crate::world::{End, Faults, PORT, World};
use crate::{Net, fixed, now, retry, run};

/// Says something and hears it again.
fn echo(world: &World, stream: &mut TcpStream<'_, '_, End>) {
    // As the driver does before each verb.
    assert_eq!(stream.read_ready(), Ok(false));
    assert_eq!(retry(world, 1000, || stream.write(b"hello")), Ok(5));
    assert_eq!(retry(world, 5000, || stream.read(&mut [0; 8])), Ok(5), "at {} ms", now(world));
}

fn pass(world: &World, stack: &Net<'_>, ms: u64, polls: bool) {
    world.peer.borrow_mut().lazy = true;
    for _ in 0..ms {
        world.tick();
        if polls {
            stack.poll();
        }
    }
}

/// A reading every few minutes, and no interrupt that polls the stack between them.
#[test]
fn a_session_that_is_not_polled_for_long_lives_on() {
    run(fixed(), 1, Faults::default(), |world, stack| {
        let mut stream = stack.connect("10.0.0.1", PORT, 1000).unwrap();
        for ms in [100_000, 170_000, 200_000, 900_000] {
            echo(world, &mut stream);
            pass(world, stack, ms, false);
        }
        echo(world, &mut stream);
    });
}

/// Whatever `keepalives`, `keepalives_idle` and `tcp_user_timeout` say.
#[test]
fn a_session_that_is_idle_for_long_lives_on() {
    let keepalives = |on, idle_s| Keepalives { on, idle_s, interval_s: 0, count: 0 };
    for (keepalives, user_timeout_ms) in [
        (keepalives(true, 0), 0),
        (keepalives(false, 0), 0),
        (keepalives(true, 300), 0),
        (keepalives(true, 0), 5000),
        (keepalives(true, 300), 30_000),
        (keepalives(false, 0), 5000),
    ] {
        run(fixed(), 1, Faults::default(), |world, stack| {
            let mut dialler = stack;
            let host = HostSpec { host: "10.0.0.1", hostaddr: "", port: PORT };
            let mut target = Target::new(host, &Config::new());
            (target.keepalives, target.tcp_user_timeout_ms) = (keepalives, user_timeout_ms);
            let mut stream = dialler.dial(&target).unwrap();
            for _ in 0..2 {
                echo(world, &mut stream);
                pass(world, stack, 600_000, true);
                assert_eq!(stream.read_ready(), Ok(false), "{keepalives:?}, {user_timeout_ms}");
            }
        });
    }
}
