//! Logins with TLS to PostgreSQL 15 and 18, in every mode.

use barepg::tls::{CertificateError, TlsError, TlsStorage, Validity};
use barepg::{
    AuthError, Buffer, ChannelBinding, Client, Config, ConfigError, ErrorKind, NoEntropy, Remedy,
    SslMode, SslNegotiation, Storage,
};
use barepg_testkit::pg;
use barepg_testkit::pki::{Spec, Workshop};

use crate::common::{role, tcp};
use crate::harness::{CHAINS, Server, Setup, Table, chains};

const MAJORS: [u16; 2] = [15, 18];

fn root(major: u16) -> Table {
    Table::default().with_pem("root.crt", &pg::shared(major).authority().path("ca.crt"))
}

fn scram() -> Config<'static> {
    role("scram_user").host("localhost").sslrootcert("root.crt")
}

fn verify_full() -> Config<'static> {
    scram().sslmode(SslMode::VerifyFull)
}

const EVERY_MODE: [(SslMode, bool); 6] = [
    (SslMode::Disable, false),
    (SslMode::Allow, false),
    (SslMode::Prefer, true),
    (SslMode::Require, true),
    (SslMode::VerifyCa, true),
    (SslMode::VerifyFull, true),
];

#[test]
fn every_mode_with_every_kind_of_chain() {
    for major in MAJORS {
        let server = Server::start(major, &[]);
        for chain in &CHAINS {
            server.present(chains(), chain.name, chain.leaf);
            let files = chain.files();
            for (mode, tls) in EVERY_MODE {
                // Where there is TLS, the login is bound to it.
                let binding = match tls {
                    true => ChannelBinding::Require,
                    false => ChannelBinding::Prefer,
                };
                let config = scram().sslmode(mode).channel_binding(binding);
                let login = Setup::new(config, &files).login(server.port());
                assert_eq!(login, Ok(tls), "{mode:?}, {} on {major}", chain.name);
            }
            // Modes that may do without TLS have no direct form, as in libpq.
            for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
                let config = scram().sslmode(mode).channel_binding(ChannelBinding::Require);
                let direct = config.sslnegotiation(SslNegotiation::Direct);
                let login = Setup::new(direct, &files).login(server.port());
                // PostgreSQL 15 takes it for a malformed start-up packet and hangs up.
                let wanted = if major >= 17 { Ok(true) } else { Err(ErrorKind::Closed) };
                let login = login.map_err(|(kind, _)| kind);
                assert_eq!(login, wanted, "direct, {mode:?}, {} on {major}", chain.name);
            }
        }
    }
}

#[test]
fn without_tls_on_the_server_only_the_weak_modes_log_in() {
    let cluster = pg::Cluster::start(pg::Options { ssl: false, ..pg::Options::major(15) });
    let files = root(15);
    for (mode, _) in EVERY_MODE {
        let login = Setup::new(scram().sslmode(mode), &files).login(cluster.port());
        match mode {
            SslMode::Disable | SslMode::Prefer | SslMode::Allow => {
                assert_eq!(login, Ok(false), "{mode:?}");
            }
            _ => assert_eq!(login.unwrap_err().0, ErrorKind::Tls(TlsError::NotOffered)),
        }
    }
}

/// What cannot work is found before a byte is sent: the transport is never touched.
#[test]
fn mistakes_in_the_configuration_cost_no_connection() {
    let good = pg::shared(15).authority();
    let files = Table::default()
        .with_pem("root.crt", &good.path("ca.crt"))
        .with_pem("client.crt", &good.path("cert_user.crt"))
        .with("bad.crt", vec![0x30, 0x03, 1, 2, 3])
        .with("empty.crt", Vec::new())
        .with("bad.key", vec![0x30, 0]);
    let config = || role("scram_user").host("localhost");
    use ConfigError::{ClientCertificate, NoHost, NoRootCertificate, RootCertificate, WeakSslMode};
    for (config, want) in [
        (config().sslmode(SslMode::VerifyFull), NoRootCertificate),
        (config().sslmode(SslMode::VerifyCa), NoRootCertificate),
        (config().sslmode(SslMode::VerifyCa).sslrootcert("none.crt"), NoRootCertificate),
        (config().sslmode(SslMode::Require).sslrootcert("none.crt"), NoRootCertificate),
        (config().sslmode(SslMode::Prefer).sslrootcert("bad.crt"), RootCertificate),
        (config().sslmode(SslMode::VerifyFull).sslrootcert("empty.crt"), RootCertificate),
        (config().sslmode(SslMode::VerifyFull).sslrootcert("root.crt").host(""), NoHost),
        (config().sslmode(SslMode::Require).sslcert("none.crt"), ClientCertificate),
        (config().sslmode(SslMode::Require).sslcert("client.crt"), ClientCertificate),
        (
            config().sslmode(SslMode::Require).sslcert("client.crt").sslkey("bad.key"),
            ClientCertificate,
        ),
        (config().sslmode(SslMode::Disable).sslnegotiation(SslNegotiation::Direct), WeakSslMode),
        (config().sslmode(SslMode::Allow).sslnegotiation(SslNegotiation::Direct), WeakSslMode),
        (config().sslmode(SslMode::Prefer).sslnegotiation(SslNegotiation::Direct), WeakSslMode),
        // The system's authorities certify everyone: their word counts for the host's name alone.
        (config().sslrootcert("system"), WeakSslMode),
        (config().sslmode(SslMode::Disable).sslrootcert("system"), WeakSslMode),
        (config().sslmode(SslMode::Allow).sslrootcert("system"), WeakSslMode),
        (config().sslmode(SslMode::Require).sslrootcert("system"), WeakSslMode),
        (config().sslmode(SslMode::VerifyCa).sslrootcert("system"), WeakSslMode),
        (config().sslmode(SslMode::VerifyFull).sslrootcert("system"), NoRootCertificate),
    ] {
        let setup = Setup::new(config, &files);
        let mut storage = Storage::<512, 512>::new();
        let mut records = TlsStorage::<4113, 768>::new();
        let mut client = Client::new(storage.buffers(), &config, &setup.machine)
            .with_tls(setup.tls(&mut records));
        let error = client.connect(Untouched).expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::Config(want), "{config:?}");
    }
    // A client without TLS.
    let mut storage = Storage::<512, 512>::new();
    let setup = Setup::new(verify_full(), &files);
    let mut client = Client::new(storage.buffers(), &setup.config, &setup.machine);
    let error = client.connect(Untouched).expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::Config(ConfigError::TlsUnavailable));
    // A clock that is not set.
    let mut setup = Setup::new(verify_full(), &files);
    setup.machine.time = None;
    let mut records = TlsStorage::<4113, 768>::new();
    let mut client = Client::new(storage.buffers(), &setup.config, &setup.machine)
        .with_tls(setup.tls(&mut records));
    let error = client.connect(Untouched).expect_err("an error");
    assert_eq!(error.kind(), ErrorKind::Tls(TlsError::Certificate(CertificateError::ClockNotSet)));
}

/// A transport that must not be used.
struct Untouched;

impl embedded_io::ErrorType for Untouched {
    type Error = core::convert::Infallible;
}

impl embedded_io::Read for Untouched {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> {
        panic!("read")
    }
}

impl embedded_io::ReadReady for Untouched {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        panic!("read_ready")
    }
}

impl embedded_io::Write for Untouched {
    fn write(&mut self, _: &[u8]) -> Result<usize, Self::Error> {
        panic!("write")
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        panic!("flush")
    }
}

#[test]
fn each_thing_that_is_wrong_has_its_own_error() {
    let server = Server::start(15, &[]);
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::root("other", "/CN=Other"));
    w.make(&Spec::root("fake", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let old = Some(("20200101000000Z", "20210101000000Z"));
    w.make(&Spec { dates: old, ..Spec::leaf("expired", "root") });
    let files = Table::default()
        .with_pem("root.crt", &w.path("root", "crt"))
        .with_pem("other.crt", &w.path("other", "crt"))
        .with_pem("fake.crt", &w.path("fake", "crt"));
    let port = server.port();
    let refused = |setup: &Setup<'_>, wanted: TlsError, message: &str| {
        let error = setup.refused::<4113, 1024>(port);
        assert_eq!(error.kind(), ErrorKind::Tls(wanted));
        assert_eq!(error.to_string(), format!("TLS: {message}; not sent, connection dead"));
    };
    let certificate = |setup: &Setup<'_>, wanted: CertificateError, message: &str| {
        refused(setup, TlsError::Certificate(wanted), &format!("server certificate: {message}"));
    };

    server.present(&w, "leaf", "leaf");
    let wrong_host = Setup::new(verify_full().host("db.example.test"), &files);
    certificate(&wrong_host, CertificateError::HostName, "of another host");
    // No mode tries again without TLS, not even those that may do without.
    for (mode, _) in &EVERY_MODE[2..] {
        let config = scram().sslmode(*mode).sslrootcert("other.crt");
        let wrong_ca = Setup::new(config, &files);
        certificate(&wrong_ca, CertificateError::UnknownIssuer, "unknown issuer");
    }
    let same_name = Setup::new(verify_full().sslrootcert("fake.crt"), &files);
    certificate(&same_name, CertificateError::BadSignature, "bad signature");
    assert_eq!(Setup::new(verify_full(), &files).login(port), Ok(true));

    server.present(&w, "expired", "expired");
    let mut setup = Setup::new(verify_full(), &files);
    certificate(&setup, CertificateError::Expired, "expired");
    setup.machine.time = None;
    certificate(&setup, CertificateError::ClockNotSet, "the clock is not set");
    setup.validity = Validity::ClockOrAfter(1_600_000_000); // 2020-09-13
    assert_eq!(setup.login(port), Ok(true));
    setup.validity = Validity::ClockOrAfter(1_700_000_000); // 2023-11-14
    certificate(&setup, CertificateError::Expired, "expired");
    setup.validity = Validity::DangerNoDates;
    assert_eq!(setup.login(port), Ok(true));
    setup.machine.time = Some(1_000_000_000); // 2001: before all of them
    setup.validity = Validity::ClockOrAfter(0);
    certificate(&setup, CertificateError::NotYetValid, "not valid yet");

    server.set("ssl_max_protocol_version = 'TLSv1.2'");
    server.await_setting("ssl_max_protocol_version", "TLSv1.2");
    refused(&Setup::new(verify_full(), &files), TlsError::NoTls13, "the server offers no TLS 1.3");
}

#[test]
fn certificates_larger_than_a_record_say_by_how_much() {
    // The server keeps to the fragment length that is asked for, and splits the message.
    fn needed<const RX: usize>(server: &Server, files: &Table) -> (u32, String) {
        let error = Setup::new(verify_full(), files).refused::<RX, 400>(server.port());
        let ErrorKind::Capacity { buffer: Buffer::TlsRecord, have, needed } = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(have as usize, RX);
        // No row is at fault: whoever dials in order to send one keeps it.
        assert_eq!(error.remedy(), Remedy::Operator);
        (needed, error.to_string())
    }
    let dead = "not sent, connection dead";
    for major in MAJORS {
        let server = Server::start(major, &[]);
        for (chain, smallest) in CHAINS.iter().zip([1041, 2065, 2065, 2065]) {
            server.present(chains(), chain.name, chain.leaf);
            let files = chain.files();
            let said = needed::<529>(&server, &files);
            let message = format!("the TLS record buffer has 529 bytes, needs {smallest}; {dead}");
            assert_eq!(said, (smallest, message), "{} on {major}", chain.name);
            if smallest > 1041 {
                assert_eq!(needed::<1041>(&server, &files).0, smallest, "{}", chain.name);
            }
            let setup = Setup::new(verify_full(), &files);
            let result = setup.run_sized::<2065, 400, ()>(server.port(), |c| c.ping().unwrap());
            assert_eq!(result, Ok(()), "{} on {major}", chain.name);
        }
    }
    let (server, files) = (pg::shared(15), root(15));
    // A host name that ClientHello has no room for.
    let name: &'static str = Box::leak("a".repeat(60).repeat(4).into_boxed_str());
    let long = Setup::new(verify_full().host(name), &files);
    let kind = long.run_sized::<1041, 320, ()>(server.port(), |_| ()).unwrap_err().0;
    let ErrorKind::Capacity { buffer, have, needed } = kind else { panic!("{kind:?}") };
    assert_eq!((buffer, have), (Buffer::TlsRecord, 320));
    assert!(needed > have);
}

/// Rows and parameters much larger than any buffer, through each size of record.
#[test]
fn records_of_every_size_carry_large_values() {
    fn through<const RX: usize, const TX: usize>(server: &Server, files: &Table) {
        let setup = Setup::new(verify_full(), files);
        let long = "barepg ".repeat(20_000);
        let result = setup.run_sized::<RX, TX, _>(server.port(), |c| {
            let sql = "select length($1), md5($1)";
            let (length, md5): (i32, String) = {
                let row = c.query_one(sql, (long.as_str(),)).unwrap();
                (row.get::<i32>(0).unwrap(), row.get::<&str>(1).unwrap().to_string())
            };
            assert_eq!(length, i32::try_from(long.len()).unwrap());
            assert_eq!(md5.len(), 32);
            let mut rows =
                c.query("select n, repeat('x', 300) from generate_series(1, 2000) n", ()).unwrap();
            let mut sum = 0_i64;
            while let Some(row) = rows.next().unwrap() {
                assert_eq!(row.get::<&str>(1).unwrap().len(), 300);
                sum += i64::from(row.get::<i32>(0).unwrap());
            }
            assert_eq!(sum, 2_001_000);
        });
        assert_eq!(result, Ok(()), "RX {RX}, TX {TX} on {}", server.cluster.major());
    }
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    for major in MAJORS {
        let server = Server::start(major, &[]);
        server.present(&w, "leaf", "leaf");
        through::<529, 320>(&server, &files);
        through::<1041, 1157>(&server, &files);
        through::<2065, 768>(&server, &files);
        through::<4113, 768>(&server, &files);
        through::<16640, 768>(&server, &files);
    }
}

#[test]
fn channel_binding_fails_closed() {
    // No closure: see `Config`.
    fn required(config: Config<'static>) -> Config<'static> {
        config.channel_binding(ChannelBinding::Require)
    }
    let unbound = ErrorKind::Auth(AuthError::ChannelBinding);
    for major in MAJORS {
        let (port, files) = (pg::shared(major).port(), root(major));
        let setup = |config| Setup::new(config, &files);
        assert_eq!(setup(required(verify_full())).login(port), Ok(true));
        let disabled = verify_full().channel_binding(ChannelBinding::Disable);
        assert_eq!(setup(disabled).login(port), Ok(true));
        // No TLS, or a method without binding, or none at all.
        assert_eq!(setup(required(scram().sslmode(SslMode::Disable))).fails(port), unbound);
        for user in ["md5_user", "pass_user", "trust_user"] {
            let config =
                role(user).host("localhost").sslrootcert("root.crt").sslmode(SslMode::VerifyFull);
            assert_eq!(setup(required(config)).fails(port), unbound, "{user}");
            assert_eq!(setup(config).login(port), Ok(true), "{user}");
        }
    }
    // Ed25519 certificates have no hash for it (RFC 5929 names none).
    let w = Workshop::new();
    w.make(&Spec { key: "ed25519", sign: "", ..Spec::root("root", "/CN=Root") });
    w.make(&Spec { key: "ed25519", sign: "", ..Spec::leaf("leaf", "root") });
    let server = Server::start(15, &[]);
    server.present(&w, "leaf", "leaf");
    let files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    assert_eq!(Setup::new(required(verify_full()), &files).fails(server.port()), unbound);
    assert_eq!(Setup::new(verify_full(), &files).login(server.port()), Ok(true));
}

#[test]
fn passwords_in_clear_travel_only_over_verified_tls() {
    let (port, files) = (pg::shared(15).port(), root(15));
    for user in ["pass_user", "md5_user"] {
        let config = |mode| role(user).host("localhost").sslmode(mode);
        let not_allowed = ErrorKind::Auth(AuthError::MethodNotAllowed);
        assert_eq!(Setup::new(config(SslMode::Disable), &files).fails(port), not_allowed);
        assert_eq!(Setup::new(config(SslMode::Require), &files).fails(port), not_allowed);
        let verified = config(SslMode::VerifyCa).sslrootcert("root.crt");
        assert_eq!(Setup::new(verified, &files).login(port), Ok(true));
    }
}

#[test]
fn direct_tls_needs_no_question() {
    let direct = || verify_full().sslnegotiation(SslNegotiation::Direct);
    let files = root(18);
    let (asked, saved) = [verify_full(), direct()]
        .map(|config| {
            let setup = Setup::new(config.channel_binding(ChannelBinding::Require), &files);
            setup.run(pg::shared(18).port(), |c| c.stats().round_trips).unwrap()
        })
        .into();
    assert_eq!(saved + 1, asked);
}

/// A generator that fails or is stuck ends in an error, not in a session with known keys.
#[test]
fn no_entropy_no_session() {
    let (port, files) = (pg::shared(15).port(), root(15));
    for entropy in [Err(NoEntropy), Ok(0), Ok(0xff)] {
        let mut setup = Setup::new(verify_full(), &files);
        setup.machine.entropy = Some(entropy);
        assert_eq!(setup.fails(port), ErrorKind::Auth(AuthError::NoEntropy), "{entropy:?}");
    }
}

/// `allow` turns to TLS when the server refuses a login without it.
#[test]
fn allow_uses_tls_only_where_the_server_insists() {
    let server = Server::start(15, &["hostnossl all scram_user all reject"]);
    let files = Table::default().with_pem("root.crt", &server.cluster.authority().path("ca.crt"));
    let setup = Setup::new(scram().sslmode(SslMode::Allow), &files);
    let mut storage = Storage::<512, 512>::new();
    let mut records = TlsStorage::<4113, 768>::new();
    let mut client = Client::new(storage.buffers(), &setup.config, &setup.machine)
        .with_tls(setup.tls(&mut records));
    let error = client.connect(tcp(server.port())).expect_err("refused without TLS");
    assert!(error.sqlstate().is_some_and(|state| state.as_str() == "28000"), "{error}");
    for _ in 0..2 {
        let mut connection = client.connect(tcp(server.port())).expect("logs in with TLS");
        let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        assert!(connection.query_one(sql, ()).unwrap().get::<bool>(0).unwrap());
        connection.close().unwrap();
    }
}
