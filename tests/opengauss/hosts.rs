//! Several openGauss servers in one connection string, by the dialler of the host.

use barepg::host::Host;
use barepg::{ErrorKind, KeyCache, SqlState};
use barepg_testkit::gauss::{Front, PASSWORD, Trouble};

use crate::{front, front_with};

fn conninfo(fronts: [&Front; 2], password: &str) -> String {
    let [first, second] = fronts.map(Front::port);
    format!(
        "host=127.0.0.1,127.0.0.1 port={first},{second} user=sha256_2048_user dbname=test \
         password={password} sslmode=disable dialect=opengauss"
    )
}

/// A refused login is not tried elsewhere, nor again: accounts get locked.
#[test]
fn a_refused_login_ends_the_search() {
    let fronts = [front(), front()];
    let text = conninfo([&fronts[0], &fronts[1]], "wrong");
    let mut host = Host::new();
    let error = host.client(&text).unwrap().connect().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
    assert_eq!(fronts.map(|front| front.connections()), [1, 0]);
}

/// A server that hangs up without a word is passed over.
#[test]
fn a_silent_server_is_passed_over() {
    let silent = front_with(|options| options.trouble = Some(Trouble::SilentEof));
    let good = front();
    let text = conninfo([&silent, &good], PASSWORD);
    let (mut cache, mut host) = (KeyCache::new(), Host::new());
    let mut client = host.client(&text).unwrap();
    client.set_key_cache(&mut cache);
    for _ in 0..2 {
        client.connect().unwrap().ping().unwrap();
    }
    assert_eq!((silent.connections(), good.connections()), (2, 2));
    assert!(client.key_cache().unwrap().gauss().is_some());
}
