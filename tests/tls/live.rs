//! Logins with TLS to PostgreSQL 15 and 18, in every mode.

use barepg::tls::TlsError;
use barepg::{Config, ErrorKind, SslMode};
use barepg_testkit::pg;

use crate::common::role;
use crate::harness::{Setup, Table};

const MAJORS: [u16; 2] = [15, 18];

fn root(major: u16) -> Table {
    let authority = pg::shared(major).authority();
    Table::default()
        .with_pem("root.crt", &authority.path("ca.crt"))
        .with_pem("client.crt", &authority.path("cert_user.crt"))
        .with_pem("client.key", &authority.path("cert_user.key"))
}

fn scram() -> Config<'static> {
    role("scram_user").host("localhost").sslrootcert("root.crt")
}

#[test]
fn every_mode_logs_in() {
    for major in MAJORS {
        let (port, files) = (pg::shared(major).port(), root(major));
        for (mode, tls) in [
            (SslMode::Disable, false),
            (SslMode::Allow, false),
            (SslMode::Prefer, true),
            (SslMode::Require, true),
            (SslMode::VerifyCa, true),
            (SslMode::VerifyFull, true),
        ] {
            let setup = Setup::new(scram().sslmode(mode), &files);
            assert_eq!(setup.login(port), Ok(tls), "{mode:?} on {major}");
        }
    }
}

#[test]
fn a_login_without_tls_is_refused_where_tls_is_demanded() {
    let cluster = pg::Cluster::start(pg::Options { ssl: false, ..pg::Options::major(15) });
    let files = root(15);
    for mode in [SslMode::Prefer, SslMode::Allow] {
        let setup = Setup::new(scram().sslmode(mode), &files);
        assert_eq!(setup.login(cluster.port()), Ok(false), "{mode:?}");
    }
    for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
        let result = Setup::new(scram().sslmode(mode), &files).login(cluster.port());
        assert_eq!(result.unwrap_err().0, ErrorKind::Tls(TlsError::NotOffered), "{mode:?}");
    }
}
