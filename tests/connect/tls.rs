//! TLS on a host: certificate and key files, by name and by libpq's default places.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use barepg::host::{FileProblem, Host};
use barepg::tls::{CertificateError, TlsError};
use barepg::{ConfigError, ErrorKind};
use barepg_testkit::libpq::Libpq;
use barepg_testkit::pg;
use barepg_testkit::scratch::Scratch;

use crate::ask;

const TLS: &str = "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()";

#[test]
fn files_are_found_by_name() {
    for major in [15, 18] {
        let server = pg::shared(major);
        let file = |name: &str| server.authority().path(name).display().to_string();
        let base = server.conninfo("scram_user").replace("127.0.0.1", "localhost");
        let (root, crt, key) = (file("ca.crt"), file("cert_user.crt"), file("cert_user.key"));
        for more in [
            String::from("sslmode=prefer"),
            String::from("sslmode=require"),
            format!("sslmode=verify-ca sslrootcert={root}"),
            format!("sslmode=verify-full sslrootcert={root}"),
            format!("sslmode=verify-full sslrootcert={root} channel_binding=require"),
        ] {
            assert_eq!(ask(&format!("{base} {more}"), TLS).unwrap(), "true", "{major} {more}");
        }
        assert_eq!(ask(&format!("{base} sslmode=disable"), TLS).unwrap(), "false");

        let cert_user = base.replace("scram_user", "cert_user");
        let text = format!(
            "{cert_user} sslmode=verify-full sslrootcert={root} sslcert={crt} sslkey={key}"
        );
        assert_eq!(ask(&text, "select current_user::text").unwrap(), "cert_user");
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let server = pg::shared(15);
    let file = |name: &str| server.authority().path(name).display().to_string();
    let base = server.conninfo("scram_user").replace("127.0.0.1", "localhost");
    let scratch = Scratch::new("barepg-files", "").unwrap();
    let (empty, open) = (scratch.path().join("empty"), scratch.path().join("open.key"));
    fs::write(&empty, "no certificate\n").unwrap();
    fs::copy(file("cert_user.key"), &open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();

    let try_with = |more: &str| {
        let text = format!("{base} sslmode=verify-full {more}");
        let mut host = Host::new();
        let mut client = host.client(&text).unwrap();
        let kind = client.connect().map(|_| ()).unwrap_err().kind();
        (kind, client.certificate_problem())
    };
    let no_root = ErrorKind::Config(ConfigError::NoRootCertificate);
    let missing = try_with("sslrootcert=/nonexistent");
    assert_eq!(missing, (no_root, Some(("sslrootcert", FileProblem::Missing))));
    let (kind, problem) = try_with(&format!("sslrootcert={}", empty.display()));
    assert_eq!(kind, ErrorKind::Config(ConfigError::RootCertificate));
    assert_eq!(problem, Some(("sslrootcert", FileProblem::NoneFound)));
    let (kind, problem) = try_with(&format!(
        "sslrootcert={} sslcert={} sslkey={}",
        file("ca.crt"),
        file("cert_user.crt"),
        open.display()
    ));
    assert_eq!(kind, ErrorKind::Config(ConfigError::ClientCertificate));
    assert_eq!(problem, Some(("sslkey", FileProblem::Permissions)));

    // A root of another authority.
    let other = pg::shared(18).authority().path("ca.crt");
    let (kind, problem) = try_with(&format!("sslrootcert={}", other.display()));
    assert!(matches!(kind, ErrorKind::Tls(TlsError::Certificate(_))), "{kind:?}");
    assert_eq!(problem, None);

    // What one client's files lack is not reported by the next one of the same memory.
    let mut host = Host::new();
    let text = format!("{base} sslmode=verify-full sslrootcert={}", empty.display());
    let mut client = host.client(&text).unwrap();
    client.connect().map(|_| ()).unwrap_err();
    assert!(client.certificate_problem().is_some());
    let client = host.client("host=localhost").unwrap();
    assert_eq!(client.certificate_problem(), None);
}

#[test]
fn an_untrusted_server_ends_the_search() {
    let (good, bad) = (pg::shared(15), pg::shared(18));
    let root = good.authority().path("ca.crt");
    let text = format!(
        "host=localhost,localhost port={},{} dbname=test user=scram_user password=scram_user_pw sslmode=verify-full sslrootcert={}",
        bad.port(),
        good.port(),
        root.display()
    );
    assert!(matches!(ask(&text, TLS).unwrap_err().kind(), ErrorKind::Tls(_)));
}

#[test]
fn a_second_try_has_tls_where_the_server_refuses_plaintext() {
    let server = pg::Cluster::start(pg::Options {
        extra_hba: vec![String::from("hostnossl all all all reject")],
        ..pg::Options::major(15)
    });
    let text = format!("{} sslmode=allow", server.conninfo("scram_user"));
    assert_eq!(ask(&text, TLS).unwrap(), "true");
}

/// With room for the operating system's roots it is its largest.
#[test]
fn a_host_can_be_given_to_a_thread_of_the_usual_size() {
    let server = pg::shared(15);
    let host = Host::new();
    let text = format!(
        "{} sslrootcert=system",
        server.conninfo("scram_user").replace("127.0.0.1", "localhost")
    );
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        let mut host = host;
        let mut client = host.client(&text).unwrap();
        let kind = client.connect().map(|_| ()).unwrap_err().kind();
        (kind, client.certificate_problem())
    });
    let unknown = CertificateError::UnknownIssuer;
    // The roots were read, and the server's is none of them.
    let expected = (ErrorKind::Tls(TlsError::Certificate(unknown)), None);
    assert_eq!(thread.unwrap().join().unwrap(), expected);
}

/// Files are looked at where TLS is next: in `allow` that is once the server has refused a login without, as with libpq.
#[test]
fn allow_needs_its_files_where_it_turns_to_tls() {
    let scratch = Scratch::new("barepg-allow", "").unwrap();
    let garbage = scratch.path().join("root.crt");
    fs::write(&garbage, "no certificate\n").unwrap();
    let insists = pg::Cluster::start(pg::Options {
        extra_hba: vec![String::from("hostnossl all all all reject")],
        ..pg::Options::major(15)
    });
    let judge = Libpq::load(15);
    for name in [&garbage, &scratch.path().join("missing")] {
        let with = |server: &pg::Cluster| {
            let root = name.display();
            format!("{} sslmode=allow sslrootcert={root}", server.conninfo("scram_user"))
        };
        let text = with(pg::shared(15));
        assert_eq!(ask(&text, TLS).unwrap(), "false");
        assert_eq!(judge.connect_error(&text), None);
        let text = with(&insists);
        let kind = ask(&text, TLS).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::Config(_)), "{kind:?}");
    }
    // libpq takes a root that is missing for none, and no other.
    let text = format!("{} sslmode=allow sslrootcert=", insists.conninfo("scram_user"));
    let error = |name: &str| judge.connect_error(&format!("{text}{name}"));
    assert_eq!(error("/nonexistent"), None);
    assert!(error(&garbage.display().to_string()).is_some());
}
