//! Client certificates: `cert` and `clientcert=verify-full` of PostgreSQL 15 and 18, beside every
//! kind of chain on the server.

use std::cell::Cell;

use barepg::tls::{SignFailed, Signer, TlsError};
use barepg::{
    Buffer, ChannelBinding, Config, ConfigError, ErrorKind, SqlState, SslMode, SslNegotiation,
};
use barepg_testkit::certs;
use barepg_testkit::pki::{Spec, Workshop};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

use crate::common::role;
use crate::harness::{CHAINS, Server, Setup, Table, chains};

const MAJORS: [u16; 2] = [15, 18];

/// A server with a role that needs password and certificate, and the files of its clients.
fn start(major: u16) -> (Server, Table) {
    let server =
        Server::start(major, &["hostssl all both_user all scram-sha-256 clientcert=verify-full"]);
    server.cluster.psql("postgres", "create role both_user login password 'scram_user_pw'");
    let authority = server.cluster.authority();
    authority.issue("both_user", &[], "clientAuth").unwrap();
    authority.issue("other_user", &[], "clientAuth").unwrap();
    // The older form of key files, as `openssl ecparam -genkey` writes it.
    authority.openssl("ec -in cert_user.key -out cert_user.sec1").unwrap();
    let mut files = Table::default().with_pem("root.crt", &authority.path("ca.crt"));
    for name in ["cert_user", "both_user", "other_user", "server"] {
        files = files
            .with_pem(&format!("{name}.crt"), &authority.path(&format!("{name}.crt")))
            .with_pem(&format!("{name}.key"), &authority.path(&format!("{name}.key")));
    }
    (server, files)
}

fn user(name: &'static str) -> Config<'static> {
    let config = match name {
        "cert_user" => Config::new().user(name).dbname("test"),
        _ => role("scram_user").user(name),
    };
    config.host("localhost").sslmode(SslMode::VerifyFull).sslrootcert("root.crt")
}

#[test]
fn the_server_takes_the_right_certificate_and_no_other() {
    for major in MAJORS {
        let (server, files) = start(major);
        let port = server.port();
        let with = |name, cert, key| Setup::new(user(name).sslcert(cert).sslkey(key), &files);
        for (name, cert, key) in [
            ("cert_user", "cert_user.crt", "cert_user.key"),
            ("both_user", "both_user.crt", "both_user.key"),
        ] {
            assert_eq!(with(name, cert, key).login(port), Ok(true), "{name} on {major}");
        }
        // Another's certificate: TLS is content, the login is not.
        for (name, refusal) in [
            ("cert_user", SqlState::INVALID_AUTHORIZATION),
            ("both_user", SqlState::INVALID_PASSWORD),
        ] {
            let kind = with(name, "other_user.crt", "other_user.key").fails(port);
            assert_eq!(kind, ErrorKind::Server(refusal), "{name} on {major}");
        }
        // None where one is needed.
        let (kind, message) = Setup::new(user("cert_user"), &files).login(port).unwrap_err();
        assert!(matches!(kind, ErrorKind::Server(state) if state.as_str() == "28000"), "{kind:?}");
        assert!(message.contains("valid client certificate"), "{message}");
        // A key that is not the certificate's: a host notices, to a board the server reports it.
        let kind = with("cert_user", "cert_user.crt", "other_user.key").fails(port);
        let expected = match cfg!(feature = "std") {
            true => ErrorKind::Config(ConfigError::ClientCertificate),
            false => ErrorKind::Tls(TlsError::ClientCertificate),
        };
        assert_eq!(kind, expected);
    }
}

/// RSA, P-256 and mixed chains on the server, clients' certificates under the same root, asked
/// for or with TLS at once.
#[test]
fn client_certificates_with_every_kind_of_chain() {
    let (cert_user, both_user) = (user("cert_user"), user("both_user"));
    let both_user = both_user.channel_binding(ChannelBinding::Require);
    for major in MAJORS {
        let server = Server::start(
            major,
            &["hostssl all both_user all scram-sha-256 clientcert=verify-full"],
        );
        server.cluster.psql("postgres", "create role both_user login password 'scram_user_pw'");
        for chain in &CHAINS {
            server.present_to(chains(), chain.name, chain.leaf, chain.root);
            let mut files = chain.files();
            for role in ["cert_user", "both_user", "other_user"] {
                for kind in ["crt", "key"] {
                    let path = chains().path(&format!("{role}-{}", chain.root), kind);
                    files = files.with_pem(&format!("{role}.{kind}"), &path);
                }
            }
            let ways = match major {
                17.. => &[SslNegotiation::Postgres, SslNegotiation::Direct][..],
                _ => &[SslNegotiation::Postgres],
            };
            for way in ways {
                for (config, cert, key, refusal) in [
                    (cert_user, "cert_user.crt", "cert_user.key", SqlState::INVALID_AUTHORIZATION),
                    (both_user, "both_user.crt", "both_user.key", SqlState::INVALID_PASSWORD),
                ] {
                    let config = config.sslnegotiation(*way).sslcert(cert).sslkey(key);
                    let login = Setup::new(config, &files).login(server.port());
                    assert_eq!(login, Ok(true), "{cert}, {way:?}, {} on {major}", chain.name);
                    let config = config.sslcert("other_user.crt").sslkey("other_user.key");
                    let kind = Setup::new(config, &files).fails(server.port());
                    let wanted = ErrorKind::Server(refusal);
                    assert_eq!(kind, wanted, "{cert}, {way:?}, {} on {major}", chain.name);
                }
            }
        }
    }
}

/// The server knows the root alone: the intermediates come from the client.
#[test]
fn intermediates_are_sent() {
    let w = Workshop::new();
    let issuer = |name| Some(name);
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec { issuer: issuer("root"), ..Spec::root("int1", "/CN=One") });
    w.make(&Spec { issuer: issuer("int1"), key: "rsa:2048", ..Spec::root("int2", "/CN=Two") });
    w.make(&Spec { subject: "/CN=cert_user", extensions: CLIENT, ..Spec::leaf("one", "int1") });
    w.make(&Spec { subject: "/CN=cert_user", extensions: CLIENT, ..Spec::leaf("two", "int2") });
    w.make(&Spec::leaf("server", "root"));
    let mut files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    for (name, parts) in [
        ("one", &["one", "int1"][..]),
        ("two", &["two", "int2", "int1"]),
        ("all", &["two", "int2", "int1", "root"]),
        ("missing", &["two", "int2"]),
        ("alone", &["one"]),
    ] {
        let key = if parts[0] == "one" { "one" } else { "two" };
        w.bundle(&format!("{name}-chain"), parts);
        files = files
            .with_pem(&format!("{name}.crt"), &w.path(&format!("{name}-chain"), "crt"))
            .with_pem(&format!("{name}.key"), &w.path(key, "key"));
    }
    for major in MAJORS {
        let server = Server::start(major, &[]);
        server.present_to(&w, "server", "server", "root");
        for (name, good) in
            [("one", true), ("two", true), ("all", true), ("missing", false), ("alone", false)]
        {
            let (cert, key) = (format!("{name}.crt"), format!("{name}.key"));
            let config = user("cert_user").sslcert(&cert).sslkey(&key);
            let login = Setup::new(config, &files).run_sized::<4113, 2500, _>(server.port(), |c| {
                c.query_one("select 1", ()).expect("a row").get::<i32>(0).expect("one")
            });
            let refused = ErrorKind::Tls(TlsError::ClientCertificate);
            let wanted = if good { Ok(1) } else { Err(refused) };
            assert_eq!(login.map_err(|(kind, _)| kind), wanted, "{name} on {major}");
        }
        // Where they do not fit, the error says which buffer is too small.
        let config = user("cert_user").sslcert("all.crt").sslkey("all.key");
        let error = Setup::new(config, &files).refused::<4113, 1024>(server.port());
        let kind = error.kind();
        assert!(matches!(kind, ErrorKind::Capacity { buffer: Buffer::TlsRecord, .. }), "{kind:?}");
    }
}

/// RSA and P-384 beside P-256, in every form that `openssl` writes keys in.
#[test]
fn keys_of_every_kind_sign() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("server", "root"));
    let mut files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    let mut cases = Vec::new();
    for (name, key, tool) in [
        ("rsa-2048", "rsa:2048", "rsa -traditional"),
        ("rsa-3072", "rsa:3072", "rsa -traditional"),
        ("rsa-4096", "rsa:4096", "rsa -traditional"),
        // Neither modulus nor primes fill their bytes.
        ("rsa-2058", "rsa:2058", "rsa -traditional"),
        ("rsa-e3", "rsa:2048 rsa_keygen_pubexp:3", "rsa -traditional"),
        ("p256", "P-256", "ec"),
        ("p384", "P-384", "ec"),
        ("ed25519", "ed25519", "pkey"),
    ] {
        // A build without RSA makes the messages in another way.
        if !signs(key) {
            continue;
        }
        let subject = "/CN=cert_user";
        w.make(&Spec { subject, key, extensions: CLIENT, ..Spec::leaf(name, "root") });
        w.openssl(&format!("{tool} -in {name}.key -out {name}.old"));
        w.openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -outform DER -out {name}.p8"));
        files = files
            .with_pem(&format!("{name}.crt"), &w.path(name, "crt"))
            .with_pem(&format!("{name}.key"), &w.path(name, "key"))
            .with_pem(&format!("{name}.old"), &w.path(name, "old"))
            .with(&format!("{name}.p8"), std::fs::read(w.path(name, "p8")).unwrap());
        cases.extend(["key", "old", "p8"].map(|form| (name, form)));
    }
    for major in MAJORS {
        let server = Server::start(major, &[]);
        // An unoptimised signature by RSA of 4096 bits takes seconds, on a busy machine many of them.
        server.cluster.append_conf("authentication_timeout = 120").expect("a setting");
        server.present_to(&w, "server", "server", "root");
        for (n, (name, form)) in cases.iter().enumerate() {
            let (cert, key) = (format!("{name}.crt"), format!("{name}.{form}"));
            let config = user("cert_user").sslcert(&cert).sslkey(&key);
            let mode = if n % 2 == 0 { SslMode::VerifyFull } else { SslMode::VerifyCa };
            let setup = Setup::new(config.sslmode(mode).connect_timeout(120), &files);
            let login = setup.run_sized::<4113, 2500, _>(server.port(), |connection| {
                // Many records after the one that was made anew: their numbers are right.
                (0..20).all(|n| {
                    let row = connection.query_one("select $1::int4", (n,)).expect("a row");
                    row.get::<i32>(0).expect("a number") == n
                })
            });
            assert_eq!(login, Ok(true), "{key} on {major}");
        }
    }
    // Another key of the same kind, and one of another.
    for (cert, key) in [
        ("rsa-2048", "rsa-e3"),
        ("rsa-2048", "p256"),
        ("p384", "rsa-2048"),
        ("p256", "p384"),
        ("ed25519", "p256"),
        ("p256", "ed25519"),
    ] {
        if ![cert, key].into_iter().all(signs) {
            continue;
        }
        let (cert, key) = (format!("{cert}.crt"), format!("{key}.key"));
        let config = user("cert_user").sslcert(&cert).sslkey(&key);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let kind = Setup::new(config, &files).fails(port);
        assert_eq!(kind, ErrorKind::Config(ConfigError::ClientCertificate), "{cert}, {key}");
    }
}

/// Whether this build signs with such a key.
fn signs(key: &str) -> bool {
    match key {
        // A build without RSA makes the messages in another way.
        _ if key.starts_with("rsa") => cfg!(feature = "tls-client-rsa"),
        "ed25519" => cfg!(feature = "tls-client-ed25519"),
        _ => true,
    }
}

/// Keys that are not served are refused in words, before a byte is sent.
#[test]
fn keys_of_other_kinds_are_named() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    let mut files = Table::default().with_pem("root.crt", &w.path("root", "crt"));
    for (name, key) in [
        ("small", "rsa:1024"),
        ("large", "rsa:4160"),
        ("three", "rsa:2048 rsa_keygen_primes:3"),
        ("p521", "P-521"),
        ("ed", "ed25519"),
        ("ed448", "ed448"),
    ] {
        w.make(&Spec { key, ..Spec::leaf(name, "root") });
        files = files.with_pem(&format!("{name}.key"), &w.path(name, "key"));
    }
    w.make(&Spec::leaf("own", "root"));
    w.openssl("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out pss.key");
    w.openssl("pkcs8 -topk8 -in own.key -outform DER -passout pass:secret -out own.enc");
    let files = files
        .with_pem("pss.key", &w.path("pss", "key"))
        .with("encrypted.key", std::fs::read(w.path("own", "enc")).unwrap())
        .with("malformed.key", vec![0x30, 1, 2])
        .with("own.crt", w.der("own"));
    let named = ErrorKind::Config(ConfigError::ClientKey);
    let other = ErrorKind::Config(ConfigError::ClientCertificate);
    for (name, wanted) in [
        ("small.key", named),
        ("large.key", named),
        ("three.key", named),
        ("p521.key", named),
        ("pss.key", named),
        ("ed448.key", named),
        // Where it signs, it is not this certificate's.
        ("ed.key", if signs("ed25519") { other } else { named }),
        ("encrypted.key", named),
        ("malformed.key", other),
    ] {
        let config = user("cert_user").sslcert("own.crt").sslkey(name);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(Setup::new(config, &files).fails(port), wanted, "{name}");
    }
    assert_eq!(
        named.to_string(),
        "configuration: sslkey is of a kind that this build does not sign with, or is encrypted"
    );
}

const CLIENT: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth";

#[test]
fn a_certificate_of_another_authority_is_refused_with_its_own_error() {
    let (server, files) = start(15);
    let other = Workshop::new();
    other.make(&Spec::root("root", "/CN=Other"));
    other.make(&Spec { subject: "/CN=cert_user", ..Spec::leaf("cert_user", "root") });
    let files = files
        .with_pem("other.crt", &other.path("cert_user", "crt"))
        .with_pem("other.key", &other.path("cert_user", "key"));
    let setup = Setup::new(user("cert_user").sslcert("other.crt").sslkey("other.key"), &files);
    assert_eq!(setup.fails(server.port()), ErrorKind::Tls(TlsError::ClientCertificate));
}

#[test]
fn keys_come_in_both_forms_or_stay_in_a_secure_element() {
    let (server, files) = start(15);
    let authority = server.cluster.authority();
    let files = files.with_pem("sec1.key", &authority.path("cert_user.sec1"));
    let config = user("cert_user").sslcert("cert_user.crt");
    let setup = Setup::new(config.sslkey("sec1.key"), &files);
    assert_eq!(setup.login(server.port()), Ok(true));

    /// Has the key, and can be made to fail.
    struct Element {
        key: SigningKey,
        broken: bool,
        asked: Cell<u32>,
    }
    impl Signer for Element {
        fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], SignFailed> {
            self.asked.set(self.asked.get() + 1);
            let signature: Signature = self.key.sign_prehash(digest).map_err(|_| SignFailed)?;
            if self.broken { Err(SignFailed) } else { Ok(signature.to_bytes().into()) }
        }
    }
    let arguments = ["ec", "-text", "-noout", "-in", "cert_user.key"];
    let text = certs::openssl(&authority.path(""), &arguments).unwrap();
    let digits: String = text
        .lines()
        .skip_while(|line| !line.starts_with("priv:"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .flat_map(|line| line.chars().filter(char::is_ascii_hexdigit))
        .collect();
    let digits = format!("{:0>64}", digits.trim_start_matches('0'));
    let scalar: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).unwrap()).collect();
    for broken in [false, true] {
        let key = SigningKey::from_slice(&scalar).unwrap();
        let element = Element { key, broken, asked: Cell::new(0) };
        let mut setup = Setup::new(config, &files);
        setup.signer = Some(&element);
        match broken {
            false => assert_eq!(setup.login(server.port()), Ok(true)),
            true => {
                assert_eq!(setup.fails(server.port()), ErrorKind::Tls(TlsError::ClientKey));
            }
        }
        assert_eq!(element.asked.get(), 1);
    }
}
