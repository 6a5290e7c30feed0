//! TLS as openGauss installs it: OpenSSL, an RSA-2048 certificate with a common name of any kind
//! and no alternative names, client certificates asked for, session tickets.

use std::time::{SystemTime, UNIX_EPOCH};

use barepg::tls::{CertificateError, Tls, TlsError, TlsStorage};
use barepg::{
    AuthError, Client, Config, Connection, ErrorKind, NoEntropy, Platform, ProtocolError, SslMode,
    Storage,
};
use barepg_testkit::gauss::{Front, SERVER_NAME, Trouble};

use crate::common::{Host, tcp};
use crate::{front, front_with, user};

struct Machine;

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        Host.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        Host.entropy(buf)
    }

    fn unix_time(&self) -> Option<u64> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|time| time.as_secs())
    }
}

/// Logs in with record buffers of `RX` bytes and the front's authority, and runs `f`.
fn with<const RX: usize, R>(
    front: &Front,
    config: Config<'_>,
    f: impl FnOnce(&mut Connection<'_, '_>) -> R,
) -> Result<R, (ErrorKind, String)> {
    with_pair::<RX, R>(front, config, "cert_user", f)
}

/// As [`with`], with the client certificate and key of this name.
fn with_pair<const RX: usize, R>(
    front: &Front,
    config: Config<'_>,
    pair: &str,
    f: impl FnOnce(&mut Connection<'_, '_>) -> R,
) -> Result<R, (ErrorKind, String)> {
    let files = front.shows_certificates().then(|| front.certificates());
    let read = |name: &str| {
        files.map(|files| std::fs::read(files.path(name)).expect(name)).unwrap_or_default()
    };
    let root = read("ca.der");
    let certificate = read(&format!("{pair}.der"));
    let key = client_key(&read(&format!("{pair}.key")));
    let files: [(&str, &[u8]); 3] = [("root", &root), ("certificate", &certificate), ("key", &key)];
    let mut storage = Storage::<512, 512>::new();
    let mut records = TlsStorage::<RX, 2048>::new();
    let tls = Tls::new(&mut records).files(&files);
    let mut client = Client::new(storage.buffers(), &config, &Machine).with_tls(tls);
    let result = client.connect(tcp(front.port())).map(|mut connection| f(&mut connection));
    result.map_err(|error| {
        assert!(!error.is_usable());
        let message = client.server_error().map(|message| message.message().to_string());
        (error.kind(), message.unwrap_or_default())
    })
}

fn client_key(pem: &[u8]) -> Vec<u8> {
    let Some(length) = barepg::tls::pem::decoded_len(pem).ok().filter(|_| !pem.is_empty()) else {
        return Vec::new();
    };
    let mut der = vec![0; length];
    barepg::tls::pem::decode(pem, &mut der).expect("PEM");
    der
}

fn login(front: &Front, config: Config<'_>) -> Result<(), (ErrorKind, String)> {
    with::<4113, ()>(front, config, |c| c.ping().unwrap())
}

fn tls_front() -> Front {
    front_with(|options| options.tls = true)
}

fn verified(name: &str) -> Config<'_> {
    user(name).host(SERVER_NAME).sslmode(SslMode::VerifyFull).sslrootcert("root")
}

#[test]
fn every_mode_logs_in() {
    let front = tls_front();
    for (mode, tls) in [
        (SslMode::Disable, false),
        (SslMode::Allow, false),
        (SslMode::Prefer, true),
        (SslMode::Require, true),
        (SslMode::VerifyCa, true),
        (SslMode::VerifyFull, true),
    ] {
        assert_eq!(login(&front, verified("sha256_2048_user").sslmode(mode)), Ok(()), "{mode:?}");
        let attempt = front.attempts().pop().unwrap();
        assert_eq!((attempt.ok, attempt.tls, attempt.code), (true, tls, Some(10)), "{mode:?}");
    }
}

#[test]
fn a_server_that_is_not_verified_hears_nothing() {
    let front = tls_front();
    let other = tls_front();
    let error = login(&front, verified("sha256_user").host("localhost")).unwrap_err();
    let expected = ErrorKind::Tls(TlsError::Certificate(CertificateError::HostName));
    assert_eq!(error.0, expected);
    // Without the host's name, its authority is enough: what openGauss's manual advises.
    let config = verified("sha256_user").host("localhost").sslmode(SslMode::VerifyCa);
    assert_eq!(login(&front, config), Ok(()));
    // Another authority of the same name.
    let root = std::fs::read(other.certificates().path("ca.der")).unwrap();
    let files: [(&str, &[u8]); 1] = [("root", &root)];
    let (mut storage, mut records) = (Storage::<512, 512>::new(), TlsStorage::<4113, 1024>::new());
    let tls = Tls::new(&mut records).files(&files);
    let config = verified("sha256_user");
    let mut client = Client::new(storage.buffers(), &config, &Machine).with_tls(tls);
    let error = client.connect(tcp(front.port())).err().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Tls(TlsError::Certificate(_))), "{error}");
    assert_eq!(front.attempts().len(), 1);
}

/// Over verified TLS, the methods that show the password may be answered.
#[test]
fn what_is_private_may_be_told() {
    let front = tls_front();
    for name in ["md5_user", "ldap_user", "tls_user"] {
        assert_eq!(login(&front, verified(name)), Ok(()), "{name}");
        assert!(front.attempts().pop().unwrap().tls, "{name}");
    }
    for name in ["md5_user", "ldap_user"] {
        let error = login(&front, verified(name).sslmode(SslMode::Prefer).sslrootcert(""));
        assert_eq!(error.unwrap_err().0, ErrorKind::Auth(AuthError::MethodNotAllowed), "{name}");
    }
    let demanding = front_with(|options| (options.tls, options.require_ssl) = (true, true));
    assert_eq!(login(&demanding, verified("sha256_2048_user")), Ok(()));
    let config = verified("sha256_2048_user").sslmode(SslMode::Disable);
    let (kind, message) = login(&demanding, config).unwrap_err();
    assert!(matches!(kind, ErrorKind::Server(state) if state.as_str() == "57P03"));
    assert_eq!(message, "SSL connection is required by the database system");
}

#[cfg(feature = "tls-client-cert")]
#[test]
fn a_client_certificate_logs_in() {
    let front = tls_front();
    let config = verified("cert_user");
    assert_eq!(login(&front, config.sslcert("certificate").sslkey("key")), Ok(()));
    let attempt = front.attempts().pop().unwrap();
    assert_eq!((attempt.ok, attempt.code), (true, None));
    // Asked for a certificate, a client without one goes on, and the server decides.
    let (kind, message) = login(&front, config).unwrap_err();
    assert!(matches!(kind, ErrorKind::Server(state) if state.as_str() == "28000"), "{kind:?}");
    assert_eq!(message, "connection requires a valid client certificate");
}

/// openGauss's manual makes RSA keys for clients, and certificates without extensions.
#[cfg(feature = "tls-client-rsa")]
#[test]
fn a_client_certificate_by_the_manual_s_recipe_logs_in() {
    let front = tls_front();
    for bits in [2048, 3072] {
        let name = format!("rsa_{bits}");
        let key = format!("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits}");
        front.certificates().issue(&name, "cert_user", &key).unwrap();
        let config = verified("cert_user").sslcert("certificate").sslkey("key");
        let number = with_pair::<4113, _>(&front, config, &name, |connection| {
            connection.query_one("select $1::int4 + 1", (41,)).unwrap().get::<i32>(0).unwrap()
        });
        assert_eq!(number, Ok(42), "{bits}");
        let attempt = front.attempts().pop().unwrap();
        assert_eq!((attempt.ok, attempt.tls), (true, true), "{bits}");
    }
}

/// Large answers in small records: OpenSSL keeps to the fragment length asked for. Session
/// tickets arrive before them.
#[test]
fn answers_of_any_size_in_any_record_buffer() {
    fn sum<const RX: usize>(front: &Front) {
        let result = with::<RX, _>(front, verified("sha256_2048_user"), |c| {
            let mut rows =
                c.query("select repeat('x', n % 300) from generate_series(1, 5000) n", ()).unwrap();
            let mut total = 0;
            while let Some(row) = rows.next().unwrap() {
                total += row.get::<&str>(0).unwrap().len();
            }
            total
        });
        assert_eq!(result, Ok((1..=5000).map(|n| n % 300).sum()), "{RX}");
    }
    let front = tls_front();
    sum::<2065>(&front);
    sum::<4113>(&front);
    sum::<16_640>(&front);
}

#[test]
fn what_stands_before_tls() {
    let trouble = |trouble| {
        let front = front_with(|options| options.trouble = Some(trouble));
        let config = user("sha256_user").sslmode(SslMode::Require);
        login(&front, config).unwrap_err().0
    };
    // An ErrorResponse to SSLRequest: its text is not authenticated.
    let bad = ErrorKind::Protocol(ProtocolError::BadTlsAnswer);
    assert_eq!(trouble(Trouble::TooManyClients), bad);
    assert_eq!(trouble(Trouble::OldError), bad);
    assert_eq!(trouble(Trouble::SilentEof), ErrorKind::HungUp);
    let plain = front();
    let error = login(&plain, user("sha256_user").sslmode(SslMode::Require)).unwrap_err();
    assert_eq!(error.0, ErrorKind::Tls(TlsError::NotOffered));
    assert_eq!(plain.attempts().len(), 0);
}
