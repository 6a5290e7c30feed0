//! `dialect=auto` offers openGauss's protocol version to everybody. Whatever a peer does with it that
//! only speaks PostgreSQL's, the driver takes it back: in the same call where it dials itself, in the
//! next call where it is given transports; and it stays known.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use barepg::host::Host;
use barepg::{Client, Config, ErrorKind, Storage};
use barepg_testkit::gauss::{Front, Options, PASSWORD};
use barepg_testkit::pg;
use barepg_testkit::pglite::Pglite;
use barepg_testkit::pgpool::Pgpool;

use crate::common::{self, role, tcp};

/// What a peer does with a version that it does not know.
#[derive(Clone, Debug)]
enum Does {
    /// Says these bytes and closes.
    Says(Vec<u8>),
    /// Says these bytes and nothing more.
    Stays(Vec<u8>),
    /// Resets the link.
    Resets,
}

/// A peer before `server`.
struct Peer {
    port: u16,
    /// Start-up packets with a version other than 3.0, and with 3.0.
    offers: Arc<[AtomicUsize; 2]>,
    /// What it says to 3.0, while it lets no client in.
    full: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Peer {
    /// One that does so with the first `times` offers of another version than 3.0, and passes on
    /// everything else.
    fn start(server: u16, does: Does, times: usize) -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let offers = Arc::new([const { AtomicUsize::new(0) }; 2]);
        let seen = Arc::clone(&offers);
        let full = Arc::new(Mutex::new(None::<Vec<u8>>));
        let refusal = Arc::clone(&full);
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut head = [0; 8];
                client.read_exact(&mut head).unwrap();
                if head == [0, 0, 0, 8, 4, 210, 22, 47] {
                    client.write_all(b"N").unwrap();
                    client.read_exact(&mut head).unwrap();
                }
                let old = head[4..] == [0, 3, 0, 0];
                let before = seen[usize::from(old)].fetch_add(1, Ordering::SeqCst);
                if !old && before < times {
                    match &does {
                        // Closed with bytes unread, it resets.
                        Does::Resets => continue,
                        Does::Says(bytes) | Does::Stays(bytes) => {
                            client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                            let mut rest = [0; 1000];
                            let _ = client.read(&mut rest);
                            let _ = client.write_all(bytes);
                        }
                    }
                    if let Does::Stays(_) = &does {
                        kept.push(client);
                    }
                    continue;
                }
                if let Some(bytes) = &*refusal.lock().unwrap() {
                    let mut rest = [0; 1000];
                    let _ = client.read(&mut rest);
                    let _ = client.write_all(bytes);
                    continue;
                }
                let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                server.write_all(&head).unwrap();
                forward(client.try_clone().unwrap(), server.try_clone().unwrap());
                forward(server, client);
            }
        });
        Peer { port, offers, full }
    }

    fn is_full(&self, says: Option<Vec<u8>>) {
        *self.full.lock().unwrap() = says;
    }

    fn offers(&self) -> (usize, usize) {
        (self.offers[0].load(Ordering::SeqCst), self.offers[1].load(Ordering::SeqCst))
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

fn error(severity: &str, code: &str) -> Vec<u8> {
    let body = format!("S{severity}\0C{code}\0Munsupported\0\0");
    message(b'E', body.as_bytes())
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// Every form of refusal that came to mind.
fn refusals() -> Vec<Does> {
    let codes = [
        "08P01", "0A000", "XX000", "28000", "28P01", "53300", "57P03", "57P01", "58000", "42601",
        "3D000", "00000", "", "nonsense",
    ];
    let mut all: Vec<Does> = codes.iter().map(|code| Does::Says(error("FATAL", code))).collect();
    all.extend([
        Does::Says(error("ERROR", "XX000")),
        // An error without a close, without fields, in the words of protocol 2, cut off.
        Does::Stays(error("FATAL", "XX000")),
        Does::Says(message(b'E', b"\0")),
        Does::Says(b"Eunsupported frontend protocol\n\0".to_vec()),
        Does::Says(error("FATAL", "XX000")[..9].to_vec()),
        // The end of the stream at once, and after something odd.
        Does::Says(Vec::new()),
        Does::Says(message(b'N', b"SNOTICE\0C00000\0Mgoing away\0\0")),
        Does::Says(message(b'Z', b"I")),
        Does::Says(message(b'v', b"\0\x04\0\0\0\0\0\0")),
        Does::Says(message(b'v', b"\0\x03\0\0")),
        Does::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        Does::Says(vec![0; 64]),
        Does::Says(vec![255; 64]),
        Does::Resets,
        // Silence, at once and in the middle of a message.
        Does::Stays(Vec::new()),
        Does::Stays(b"R\0\0".to_vec()),
    ]);
    all
}

fn conninfo(port: u16, more: &str) -> String {
    format!("host=127.0.0.1 port={port} dbname=test user=scram_user password=scram_user_pw {more}")
}

#[test]
fn a_guess_is_taken_back_in_the_same_call() {
    let server = pg::shared(15);
    for does in refusals() {
        let peer = Peer::start(server.port(), does.clone(), usize::MAX);
        let text = conninfo(peer.port, "connect_timeout=6");
        let mut host = Host::<512, 512>::with_buffers();
        let mut client = host.client(&text).unwrap();
        for session in 1..=3 {
            let begun = Instant::now();
            let connected = client.connect().and_then(|mut c| c.ping());
            assert_eq!(connected, Ok(()), "{does:?}, session {session}");
            assert_eq!(peer.offers(), (1, session), "{does:?}: 3.51 is offered once");
            // Silence took its time once.
            assert!(session == 1 || begun.elapsed() < Duration::from_secs(2), "{does:?}");
        }
    }
}

#[test]
fn a_guess_is_taken_back_at_the_next_call() {
    let server = pg::shared(15);
    for does in refusals() {
        let peer = Peer::start(server.port(), does.clone(), usize::MAX);
        let config = role("scram_user").connect_timeout_ms(3_000);
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &common::Host);
        assert!(client.connect(tcp(peer.port)).is_err(), "{does:?}");
        for session in 1..=3 {
            let connected = client.connect(tcp(peer.port)).and_then(|mut c| c.ping());
            assert_eq!(connected, Ok(()), "{does:?}, session {session}");
            assert_eq!(peer.offers(), (1, session), "{does:?}: 3.51 is offered once");
        }
    }
}

/// What refuses logins in 3.0 too, a pooler that is full say, is not offered 3.51 again for each of them: it would
/// have twice the links, and what it says of the version would hide what it says of the login.
#[test]
fn a_refusal_of_a_login_in_3_0_is_not_taken_for_one_of_the_version() {
    let server = pg::shared(15);
    for code in ["08P01", "0A000", "53300", "57P03", "XX000"] {
        for first in [true, false] {
            let peer = Peer::start(server.port(), Does::Says(error("FATAL", "08P01")), usize::MAX);
            let text = conninfo(peer.port, "connect_timeout=6");
            let mut host = Host::<512, 512>::with_buffers();
            let mut client = host.client(&text).unwrap();
            if !first {
                assert_eq!(client.connect().and_then(|mut c| c.ping()), Ok(()), "{code}");
            }
            peer.is_full(Some(error("FATAL", code)));
            for _ in 0..4 {
                let refused = client.connect().map(|_| ()).unwrap_err();
                assert_eq!(
                    refused.sqlstate().unwrap().as_str(),
                    code,
                    "after a session: {}",
                    !first
                );
            }
            peer.is_full(None);
            assert_eq!(client.connect().and_then(|mut c| c.ping()), Ok(()), "{code}");
            assert_eq!(peer.offers(), (1, if first { 5 } else { 6 }), "{code}");
        }
    }
}

/// Whoever wants more than 3.0 at least is then asked for it.
#[test]
fn the_least_version_is_asked_for_after_the_guess() {
    let server = pg::shared(18);
    let peer = Peer::start(server.port(), Does::Says(error("FATAL", "08P01")), 1);
    let text = conninfo(peer.port, "min_protocol_version=3.2");
    let mut host = Host::<512, 512>::with_buffers();
    let mut client = host.client(&text).unwrap();
    assert_eq!(client.connect().and_then(|mut c| c.ping()), Ok(()));
    assert_eq!(peer.offers(), (2, 0));
}

/// An openGauss that fails once, in whatever way, is no PostgreSQL for it.
#[test]
fn an_opengauss_that_failed_once_is_one_all_the_same() {
    let front = Front::start(Options::before(pg::shared(15)));
    for does in [Does::Stays(Vec::new()), Does::Says(Vec::new()), Does::Resets] {
        let peer = Peer::start(front.port(), does.clone(), 1);
        let text = format!(
            "host=127.0.0.1 port={} dbname=test user=sha256_2048_user password={PASSWORD} \
             connect_timeout=6",
            peer.port
        );
        let mut host = Host::<512, 512>::with_buffers();
        let mut client = host.client(&text).unwrap();
        let mut connection = client.connect().unwrap_or_else(|error| panic!("{does:?}: {error}"));
        assert!(connection.is_opengauss());
        connection.ping().unwrap();
        drop(connection);
        // With transports it takes three calls: each of them one that may be repeated.
        let peer = Peer::start(front.port(), does.clone(), 1);
        let config: Config<'_> = Config::new()
            .user("sha256_2048_user")
            .password(PASSWORD)
            .dbname("test")
            .connect_timeout_ms(2_000);
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &common::Host);
        assert!(client.connect(tcp(peer.port)).is_err(), "{does:?}");
        let error = client.connect(tcp(peer.port)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HungUp, "{does:?}");
        for _ in 0..2 {
            let connection = client.connect(tcp(peer.port)).unwrap();
            assert!(connection.is_opengauss());
            connection.close().unwrap();
        }
    }
}

/// A PostgreSQL that took the version, and is then down for a while, is asked the same again.
#[test]
fn a_server_that_took_the_version_is_not_doubted_for_one_failure() {
    let server = pg::shared(15);
    let peer = Peer::start(server.port(), Does::Resets, 0);
    let config = role("scram_user");
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &common::Host);
    client.connect(tcp(peer.port)).unwrap().close().unwrap();
    let down = Peer::start(server.port(), Does::Says(error("FATAL", "57P03")), 1);
    assert!(client.connect(tcp(down.port)).is_err());
    client.connect(tcp(down.port)).unwrap().close().unwrap();
    assert_eq!(down.offers(), (2, 0));
}

/// Two that are not made for the tests: Pgpool-II refuses with XX000, PGlite says nothing.
#[test]
fn pgpool_and_pglite_are_served() {
    let pool = Pgpool::start(pg::shared(15));
    let lite = Pglite::start();
    for (port, user, database) in
        [(pool.port(), "trust_user", "test"), (lite.port(), "postgres", "postgres")]
    {
        let log = || if port == pool.port() { pool.log() } else { String::new() };
        let text =
            format!("host=127.0.0.1 port={port} dbname={database} user={user} connect_timeout=8");
        let mut host = Host::<512, 512>::with_buffers();
        let mut client = host.client(&text).unwrap();
        for _ in 0..2 {
            let mut c = client.connect().unwrap_or_else(|error| panic!("{error}\n{}", log()));
            assert!(!c.is_opengauss());
            assert_eq!(c.query_one("select $1 + 1", (41,)).unwrap().get(0), Ok(42));
            c.close().unwrap();
        }
        let config = Config::new().user(user).dbname(database).connect_timeout_ms(4_000);
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &common::Host);
        assert!(client.connect(tcp(port)).is_err());
        for _ in 0..2 {
            let mut c =
                client.connect(tcp(port)).unwrap_or_else(|error| panic!("{error}\n{}", log()));
            assert_eq!(c.query_one("select $1 + 1", (41,)).unwrap().get(0), Ok(42));
            c.close().unwrap();
        }
    }
}
