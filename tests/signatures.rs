//! What ClientHello offers is what is checked: servers that sign as they like best, not as the client does. Run with
//! feature `tls` alone, and with all.

mod common;

use std::io::Read;

use barepg::tls::{Tls, TlsError, TlsStorage};
use barepg::{Client, Config, ErrorKind, SslMode, SslNegotiation, Storage};
use barepg_testkit::pki::{Spec, Workshop, s_server};
use common::{Host, over};

/// How the login ends at a server with these schemes in the order of its preference, which ends when it has the first
/// message, and what it got.
fn login(w: &Workshop, name: &str, schemes: &str) -> (ErrorKind, Vec<u8>) {
    let offers = ["-serverpref", "-sigalgs", schemes, "-alpn", "postgresql", "-naccept", "1"];
    let (mut server, socket) = s_server(&w.pair(name), &offers).unwrap();
    let mut printed = server.stdout().unwrap();
    let server = std::thread::spawn(move || {
        let (mut got, mut buf) = (Vec::new(), [0; 512]);
        while let n @ 1.. = printed.read(&mut buf).unwrap() {
            got.extend(&buf[..n]);
            if is_first_message(&got) {
                break;
            }
        }
        drop(server);
        got
    });
    let config = Config::new().user("meter").host("localhost").sslmode(SslMode::Require);
    let config = config.sslnegotiation(SslNegotiation::Direct);
    let mut storage = Storage::<512, 512>::new();
    let mut records = Box::new(TlsStorage::<4113, 1024>::new());
    let mut client =
        Client::new(storage.buffers(), &config, &Host).with_tls(Tls::new(&mut records));
    let error = client.connect(over(socket)).map(|_| ()).expect_err("nobody answers");
    (error.kind(), server.join().unwrap())
}

fn is_first_message(got: &[u8]) -> bool {
    got.windows(11).any(|text| text == b"user\0meter\0")
}

#[test]
fn a_server_that_prefers_another_hash_is_offered_none_that_is_not_checked() {
    let w = Workshop::new();
    for (key, schemes, has) in [
        ("rsa:2048", "RSA-PSS+SHA512:RSA-PSS+SHA384:RSA-PSS+SHA256", true),
        ("rsa:2048", "RSA-PSS+SHA384:RSA-PSS+SHA256", true),
        ("rsa:3072", "RSA-PSS+SHA256", true),
        ("P-256", "ECDSA+SHA256:RSA-PSS+SHA512", true),
        ("P-384", "ECDSA+SHA384", cfg!(feature = "tls-p384")),
        ("ed25519", "ed25519", cfg!(feature = "tls-ed25519")),
        ("P-521", "ECDSA+SHA512", false),
    ] {
        let name = key.replace(':', "");
        w.make(&Spec { key, sign: "", ..Spec::root(&name, "/CN=localhost") });
        let (kind, got) = login(&w, &name, schemes);
        let what = format!("{key}, {schemes}: {kind:?}");
        assert_eq!(is_first_message(&got), has, "{what}");
        if !has {
            // handshake_failure, from a server that has no key for what is offered.
            assert_eq!(kind, ErrorKind::Tls(TlsError::Alert(40)), "{what}");
        }
    }
}
