//! Tickets, which this client has no use for: a server that would send some is not asked to.

use std::io::{Read, Write};

use barepg::{Config, SslMode, SslNegotiation};
use barepg_testkit::pki::{Spec, Workshop, s_server};

use crate::harness::{Setup, Table};

/// What a server says after the last record of the handshake: the login is done.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// A server's ticket has the client's certificate in it: as a message of the handshake it is larger than what fragments
/// were negotiated for, and comes in several records.
#[test]
fn a_server_with_tickets_for_clients_with_certificates_is_logged_in_to_with_the_smallest_buffers() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("server", "root"));
    w.make(&Spec { extensions: "extendedKeyUsage=clientAuth", ..Spec::leaf("meter", "root") });
    let [root, _] = w.pair("root");
    let files = Table::default()
        .with_pem("root.crt", &w.path("root", "crt"))
        .with_pem("meter.crt", &w.path("meter", "crt"))
        .with_pem("meter.key", &w.path("meter", "key"));
    let config = Config::new().user("meter").host("localhost").sslmode(SslMode::VerifyFull);
    let config = config.sslrootcert("root.crt").sslcert("meter.crt").sslkey("meter.key");
    let config = config.sslnegotiation(SslNegotiation::Direct);
    for tickets in ["0", "1", "2", "10"] {
        let asks = ["-verifyCAfile", &root, "-Verify", "1", "-num_tickets", tickets];
        let arguments = [&asks[..], &["-alpn", "postgresql"]].concat();
        let (mut server, socket) = s_server(&w.pair("server"), &arguments).unwrap();
        let port = socket.peer_addr().unwrap().port();
        drop(socket);
        let (mut says, mut hears) = (server.stdout().unwrap(), server.stdin().unwrap());
        std::thread::spawn(move || {
            let mut first = [0; 512];
            if says.read(&mut first).is_ok_and(|length| length > 0) {
                hears.write_all(WELCOME).unwrap();
            }
            hears
        });
        let login = Setup::new(config, &files).run_sized::<529, 645, ()>(port, |_| ());
        assert_eq!(login, Ok(()), "{tickets} tickets");
    }
}
