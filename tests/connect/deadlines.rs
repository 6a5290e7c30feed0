//! One deadline for all that a call does: dialling, logging in, asking what the server is, cancelling.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use barepg::host::{Dialler, Link, SystemPlatform};
use barepg::{Client, Config, Dial, DialError, Storage, Target, TargetSessionAttrs};

/// A server that lets everyone in and then says nothing, as a pooler without a free server does.
fn silent_after_login() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for link in listener.incoming() {
            std::thread::spawn(move || {
                let mut link = link.unwrap();
                let _ = link.read(&mut [0; 512]);
                link.write_all(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x08Z\0\0\0\x05I")
                    .unwrap();
                while link.read(&mut [0; 512]).is_ok_and(|count| count > 0) {}
            });
        }
    });
    port
}

/// Takes its time for each link.
struct Slow(Dialler, Duration);

impl Dial for Slow {
    type Transport = Link;

    fn dial(&mut self, target: &Target<'_>) -> Result<Link, DialError> {
        let link = self.0.dial(target)?;
        std::thread::sleep(self.1);
        Ok(link)
    }
}

fn config(port: &str) -> Config<'_> {
    let config = Config::new().user("u").dbname("d").host("127.0.0.1").port(port);
    config.sslmode(barepg::SslMode::Disable).connect_timeout_ms(1000)
}

/// How long a call took, at least most of the second that it has and not much more.
fn one_second(start: Instant) {
    let took = start.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_millis(1500)).contains(&took), "{took:?}");
}

#[test]
fn asking_what_the_server_is_belongs_to_the_login() {
    let port = silent_after_login().to_string();
    for wanted in [TargetSessionAttrs::ReadWrite, TargetSessionAttrs::Primary] {
        let config = config(&port).target_session_attrs(wanted);
        let platform = SystemPlatform::new();
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &platform);
        client.set_timeout_ms(4000);
        let start = Instant::now();
        client.connect_with(&mut Slow(Dialler::new(), Duration::from_millis(300))).unwrap_err();
        one_second(start);
    }
}

#[test]
fn a_cancel_request_has_one_deadline() {
    let port = silent_after_login().to_string();
    let config = config(&port);
    let platform = SystemPlatform::new();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let mut dialler = Slow(Dialler::new(), Duration::ZERO);
    let token = client.connect_with(&mut dialler).unwrap().cancel_token().unwrap();
    dialler.1 = Duration::from_millis(700);
    let start = Instant::now();
    client.cancel_with(&token, &mut dialler).unwrap_err();
    one_second(start);
    // What a lost session left.
    dialler.1 = Duration::ZERO;
    let mut connection = client.connect_with(&mut dialler).unwrap();
    connection.set_timeout_ms(50);
    connection.ping().unwrap_err();
    drop(connection);
    dialler.1 = Duration::from_millis(700);
    let start = Instant::now();
    client.cancel_interrupted(&mut dialler).unwrap_err();
    one_second(start);
}

#[test]
fn a_client_has_one_deadline_and_keeps_it() {
    let port = silent_after_login().to_string();
    let config = config(&port);
    let platform = SystemPlatform::new();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let mut dialler = Dialler::new();
    client.connect_with(&mut dialler).unwrap().set_timeout_ms(1000);
    let start = Instant::now();
    client.connect_with(&mut dialler).unwrap().ping().unwrap_err();
    one_second(start);
    client.set_timeout_ms(20);
    client.connect_with(&mut dialler).unwrap().ping().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(2));
}
