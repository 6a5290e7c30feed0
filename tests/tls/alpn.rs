//! The protocol that a server selects (ALPN), judged beside libpq 18. `hostile.rs` has what no program sends.

use barepg::tls::TlsError;
use barepg::{ErrorKind, SslMode, SslNegotiation};
use barepg_testkit::libpq::Libpq;
use barepg_testkit::pki::{Spec, Workshop};

use crate::common::role;
use crate::harness::{Server, Setup, Table};
use crate::relay::{Relay, Way};

#[test]
fn the_protocol_is_judged_as_by_libpq() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("server", "root"));
    let (server, judge) = (Server::start(15, &[]), Libpq::load(18));
    let files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    let root = w.path("root", "crt").display().to_string();
    for (mode, sslmode) in [(SslMode::Require, "require"), (SslMode::VerifyFull, "verify-full")] {
        for (negotiation, sslnegotiation) in
            [(SslNegotiation::Postgres, "postgres"), (SslNegotiation::Direct, "direct")]
        {
            for protocols in [None, Some("postgresql"), Some("h2,postgresql"), Some("h2")] {
                let what = format!("{sslmode}, {sslnegotiation}, {protocols:?}");
                let relay = || Relay::selecting(server.port(), &w, "server", Way::Tls, protocols);
                let own = relay();
                // The relay cannot be bound to.
                let config = role("scram_user")
                    .host("localhost")
                    .sslmode(mode)
                    .sslrootcert("root.crt")
                    .sslnegotiation(negotiation)
                    .channel_binding(barepg::ChannelBinding::Disable)
                    .connect_timeout_ms(20_000);
                let login = Setup::new(config, &files).login(own.port);
                own.stop();
                let other = relay();
                let message = judge.connect_error(&format!(
                    "host=localhost hostaddr=127.0.0.1 port={} dbname=test user=scram_user \
                     password=scram_user_pw sslmode={sslmode} sslnegotiation={sslnegotiation} \
                     sslrootcert='{root}' sslcert=/none channel_binding=disable gssencmode=disable \
                     connect_timeout=20",
                    other.port
                ));
                other.stop();
                match (negotiation, protocols) {
                    (_, Some("h2")) => {
                        let alert = ErrorKind::Tls(TlsError::Alert(120));
                        assert_eq!(login.map_err(|(kind, _)| kind), Err(alert), "{what}");
                        let message = message.expect(&what);
                        assert!(message.contains("no application protocol"), "{what}: {message}");
                    }
                    (SslNegotiation::Direct, None) => {
                        let none = ErrorKind::Tls(TlsError::NoAlpn);
                        assert_eq!(login.map_err(|(kind, _)| kind), Err(none), "{what}");
                        let message = message.expect(&what);
                        assert!(message.contains("without ALPN"), "{what}: {message}");
                    }
                    _ => {
                        assert_eq!(login, Ok(true), "{what}");
                        assert_eq!(message, None, "{what}");
                    }
                }
            }
        }
    }
}

/// What is offered fits the smallest send record buffer, with a host's name as long as its size allows for.
#[test]
fn the_longest_promised_name_fits_the_smallest_buffer() {
    use barepg::limits::MIN_TLS_TX;
    let server = Server::start(15, &[]);
    let name = ["a".repeat(49), "b".repeat(50)].join(".");
    let files = Table::default();
    let config = role("scram_user").host(&name).sslmode(SslMode::Require);
    let config = config.connect_timeout_ms(20_000);
    let setup = Setup::new(config, &files);
    let met = setup.run_sized::<16640, MIN_TLS_TX, _>(server.port(), |c| c.ssl_in_use());
    assert_eq!(met, Ok(true));
}
