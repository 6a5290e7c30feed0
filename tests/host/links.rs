//! Sockets of the operating system as transports, beyond the rules of transports.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use barepg::Dial;
use barepg::host::{Dialler, Link};
use barepg::{Config, HostSpec, Target};
use barepg_testkit::sockets;
use barepg_transport_tests::{tcp, unix};
use embedded_io::{ErrorKind, Read, Write};

/// Writes to a peer that is gone until it is an error.
fn write_until_it_fails(link: &mut Link) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if link.write(b"x").is_err_and(|kind| kind != ErrorKind::TimedOut) {
            // What comes after is what raises a signal.
            assert!((0..3).all(|_| link.write(b"x").is_err()));
            return;
        }
    }
    panic!("the peer does not read, and it is no error");
}

/// In a program that has not asked for SIGPIPE to be ignored it would end the process.
#[test]
fn a_peer_that_has_closed_is_an_error_and_no_signal() {
    const CHILD: &str = "BAREPG_TEST_SIGPIPE";
    if std::env::var_os(CHILD).is_some() {
        sockets::let_sigpipe_kill();
        let (stream, peer) = tcp();
        drop(peer);
        write_until_it_fails(&mut Link::from_tcp(stream).unwrap());
        let (stream, peer) = unix();
        drop(peer);
        write_until_it_fails(&mut Link::from_unix(stream).unwrap());
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "links::a_peer_that_has_closed_is_an_error_and_no_signal"]);
    let status = child.env(CHILD, "1").stdout(std::process::Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
}

/// It would be polled without a pause.
#[test]
fn a_socket_that_does_not_block_is_made_one_that_does() {
    let (stream, _peer) = tcp();
    stream.set_nonblocking(true).unwrap();
    let mut link = Link::from_tcp(stream).unwrap();
    let begun = Instant::now();
    assert_eq!(link.read(&mut [0; 4]), Err(ErrorKind::TimedOut));
    assert!(begun.elapsed() >= Duration::from_millis(5), "{:?}", begun.elapsed());
}

/// The system gives up a peer that is silent: that is an end of the link, and no "nothing yet".
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_the_system_gives_up_is_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = HostSpec { host: "127.0.0.1", hostaddr: "", port };
    let mut target = Target::new(host, &Config::new());
    target.tcp_user_timeout_ms = 300;
    let mut link = Dialler::new().dial(&target).unwrap();
    let peer = listener.accept().unwrap().0;
    // The peer reads nothing, so that its window closes.
    let begun = Instant::now();
    let kind = loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not given up");
        match link.write(&[0; 65_536]) {
            Ok(_) | Err(ErrorKind::TimedOut) => {}
            Err(kind) => break kind,
        }
    };
    assert_eq!(kind, ErrorKind::ConnectionReset);
    drop(peer);
}
