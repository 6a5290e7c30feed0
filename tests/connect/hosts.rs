//! Several hosts, some of them dead.

use std::collections::HashSet;
#[cfg(feature = "tls")]
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use barepg::host::Host;
use barepg::{DialError, ErrorKind};
use barepg_testkit::pg;

use crate::ask;

/// A port where nobody listens.
fn dead() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn the_first_host_that_lives_is_taken() {
    let server = pg::shared(15);
    let (port, dir) = (server.port(), server.socket_dir());
    let rest = "dbname=test user=scram_user password=scram_user_pw";
    for hosts in [
        format!("host=127.0.0.1,127.0.0.1 port={},{port}", dead()),
        format!("host=no-such-host.invalid,127.0.0.1 port={port}"),
        format!("host=/nonexistent,{} port={port}", dir.display()),
        format!("hostaddr=127.0.0.1,127.0.0.1,127.0.0.1 port={},{port},{}", dead(), dead()),
    ] {
        let text = format!("{hosts} {rest}");
        assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user", "{text}");
    }
}

#[test]
fn a_silent_host_costs_its_timeout_and_no_more() {
    let server = pg::shared(15);
    // Accepts through the kernel's queue and never answers.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw connect_timeout=1",
        silent.local_addr().unwrap().port(),
        server.port(),
    );
    let start = Instant::now();
    assert_eq!(ask(&text, "select current_user::text").unwrap(), "scram_user");
    let took = start.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_millis(2500)).contains(&took), "{took:?}");
}

#[test]
fn a_refused_login_ends_the_search() {
    let server = pg::shared(15);
    let port = server.port();
    let text =
        format!("host=127.0.0.1,127.0.0.1 port={port} dbname=test user=scram_user password=wrong");
    let error = ask(&text, "select 1::text").unwrap_err();
    assert_eq!(error.sqlstate().unwrap().as_str(), "28P01");
}

#[test]
fn what_cannot_be_reached_is_named() {
    let text = |host: &str| format!("{host} dbname=test user=scram_user password=x");
    let kind = |host: &str| ask(&text(host), "select 1::text").unwrap_err().kind();
    assert_eq!(kind("host=no-such-host.invalid"), ErrorKind::Dial(DialError::UnknownHost));
    let refused = ErrorKind::Dial(DialError::Failed(embedded_io::ErrorKind::ConnectionRefused));
    assert_eq!(kind(&format!("host=127.0.0.1 port={}", dead())), refused);
    let missing = ErrorKind::Dial(DialError::Failed(embedded_io::ErrorKind::NotFound));
    assert_eq!(kind("host=/nonexistent"), missing);
}

#[test]
fn hosts_are_shuffled_on_request() {
    let servers = [pg::shared(15), pg::shared(18)];
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw",
        servers[0].port(),
        servers[1].port(),
    );
    let version = "select current_setting('server_version_num')";
    let seen = |more: &str| -> HashSet<String> {
        (0..24).map(|_| ask(&format!("{text} {more}"), version).unwrap()).collect()
    };
    assert_eq!(seen("").len(), 1);
    // All 24 alike happens once in eight million runs.
    assert_eq!(seen("load_balance_hosts=random").len(), 2);
}

#[test]
fn keepalive_is_set_on_the_socket() {
    let base = pg::shared(15).conninfo("scram_user");
    let with = |more: &str| {
        let text = format!("{base} {more}");
        let mut host = Host::new();
        let mut client = host.client(&text).unwrap();
        let link = client.connect().unwrap().close().unwrap();
        (link.keepalive(), link.tcp_user_timeout_ms())
    };
    assert_eq!(with(""), (Some((7200, 75, 9)), 0));
    assert_eq!(with("keepalives=0"), (None, 0));
    let more = "keepalives_idle=11 keepalives_interval=12 keepalives_count=3 tcp_user_timeout=4000";
    assert_eq!(with(more), (Some((11, 12, 3)), 4000));
}

#[test]
fn cancel_requests_go_where_the_session_is_and_as_it_is_protected() {
    let server = pg::shared(18);
    let base = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} dbname=test user=scram_user password=scram_user_pw",
        dead(),
        server.port(),
    );
    for sslmode in ["disable", "prefer"] {
        let text = format!("{base} sslmode={sslmode}");
        let mut host = Host::new();
        let mut client = host.client(&text).unwrap();
        let mut connection = client.connect().unwrap();
        let token = connection.cancel_token().unwrap();
        let canceller = std::thread::spawn({
            let text = text.clone();
            move || {
                std::thread::sleep(Duration::from_millis(300));
                Host::new().client(&text).unwrap().cancel(&token)
            }
        });
        let error = connection.execute("select pg_sleep(20)", ()).unwrap_err();
        canceller.join().unwrap().unwrap();
        assert_eq!(error.sqlstate().unwrap().as_str(), "57014", "{sslmode}");
        assert!(connection.is_usable());
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_key_of_a_session_with_tls_never_travels_in_clear() {
    let server = pg::shared(18);
    let text = server.conninfo("scram_user");
    let mut host = Host::new();
    let mut client = host.client(&text).unwrap();
    let connection = client.connect().unwrap();
    let token = connection.cancel_token().unwrap();
    // Somebody on the way says that there is no TLS.
    let liar = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = liar.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut link, _) = liar.accept().unwrap();
        let mut request = [0; 8];
        link.read_exact(&mut request).unwrap();
        link.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        link.read_to_end(&mut rest).unwrap();
        rest
    });
    let text = text.replace(&format!("port={}", server.port()), &format!("port={port}"));
    let error = Host::new().client(&text).unwrap().cancel(&token).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls(barepg::tls::TlsError::NotOffered));
    assert_eq!(heard.join().unwrap(), b"");
}
