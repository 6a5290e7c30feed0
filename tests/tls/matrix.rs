//! The certificate matrix: every case judged by two versions of libpq and by this driver in the
//! same run, on the same server.

use barepg::tls::TlsError;
use barepg::{ErrorKind, SslMode};
use barepg_testkit::libpq::Libpq;
use barepg_testkit::pki::Workshop;

use crate::addresses;
use crate::cases::{self, Case};
use crate::common::role;
use crate::common_names;
use crate::constraints;
use crate::harness::{Server, Setup, Table};

/// The major versions of libpq that judge. A case in which they do not agree with each other has
/// no place yet: there is none.
const ORACLES: [u16; 2] = [15, 18];

/// What a version of libpq says: `Err` with its message.
fn libpq(
    libpq: &Libpq,
    server: &Server,
    workshop: &Workshop,
    case: &Case,
    anchors: &str,
) -> Result<(), String> {
    let mode = if case.host.is_some() { "verify-full" } else { "verify-ca" };
    let path = |name: &str, kind| workshop.path(name, kind).display().to_string();
    // Files that are not there keep those in the home directory out.
    let conninfo = format!(
        "host='{}' hostaddr=127.0.0.1 port={} dbname=test user=scram_user password=scram_user_pw \
         sslmode={mode} sslrootcert='{}' sslcert='{}' sslcrl='{}' channel_binding=disable \
         gssencmode=disable connect_timeout=20",
        case.host.unwrap_or("any.host.test"),
        server.port(),
        path(anchors, "crt"),
        path("none", "crt"),
        path("none", "crl"),
    );
    libpq.connect_error(&conninfo).map_or(Ok(()), |message| Err(message.trim().to_string()))
}

/// What this driver says: `Err` with the reason's name.
fn barepg(server: &Server, workshop: &Workshop, case: &Case, anchors: &str) -> Result<(), String> {
    let files = Table::default().with_pem("root.crt", &workshop.path(anchors, "crt"));
    let mut config = role("scram_user").sslrootcert("root.crt").sslmode(SslMode::VerifyCa);
    if let Some(host) = case.host {
        config = config.host(host).sslmode(SslMode::VerifyFull);
    }
    match Setup::new(config, &files).login(server.port()) {
        Ok(true) => Ok(()),
        Ok(false) => panic!("{}: no TLS", case.name),
        Err((ErrorKind::Tls(TlsError::Certificate(reason)), _)) => Err(format!("{reason:?}")),
        Err((ErrorKind::Tls(TlsError::Alert(_)), _)) => Err("Alert".to_string()),
        Err((other, message)) => panic!("{}: {other:?} {message}", case.name),
    }
}

/// Whether libpq's message is about what this driver's reason is about. A server that is not
/// there, or a time-out, is no decision.
fn same_matter(reason: &str, message: &str) -> bool {
    match reason {
        "HostName" => {
            ["does not match host name", "could not get server", "contains embedded null"]
                .iter()
                .any(|words| message.contains(words))
        }
        _ => message.contains("certificate verify failed"),
    }
}

#[test]
fn barepg_and_libpq_agree_but_for_the_named_differences() {
    let workshop = Workshop::new();
    cases::make(&workshop);
    constraints::make(&workshop);
    common_names::make(&workshop);
    addresses::make(&workshop);
    let server = Server::start(15, &[]);
    // Both in this process: their versions of OpenSSL have versioned symbols.
    let judges = ORACLES.map(|major| (major, Libpq::load(major)));
    let (mut wrong, mut agree, mut differ) = (Vec::new(), 0, 0);
    let cases = [cases::all(), constraints::all(), common_names::all(), addresses::all()].concat();
    for (number, case) in cases.iter().enumerate() {
        let (chain, anchors) = (format!("chain-{number}"), format!("anchors-{number}"));
        workshop.bundle(&chain, case.sent);
        workshop.bundle(&anchors, case.trusted);
        server.present(&workshop, &chain, case.sent[0]);
        let barepg = barepg(&server, &workshop, case, &anchors);
        let expected = case.barepg.map_err(str::to_string);
        if barepg != expected {
            wrong.push(format!("{}: barepg {barepg:?}, should be {expected:?}", case.name));
        }
        for (major, judge) in &judges {
            let libpq = libpq(judge, &server, &workshop, case, &anchors);
            let both = format!("{}: barepg {barepg:?}, libpq {major} {libpq:?}", case.name);
            match (&barepg, &libpq, case.differs) {
                (Ok(()), Ok(()), None) => agree += 1,
                (Err(reason), Err(message), None) if same_matter(reason, message) => agree += 1,
                (Ok(()), Err(message), Some(reason)) if same_matter("", message) => {
                    differ += 1;
                    println!("{both}: {reason}");
                }
                (Err(_), Ok(()), Some(reason)) => {
                    differ += 1;
                    println!("{both}: {reason}");
                }
                (_, _, Some(_)) => wrong.push(format!("{both}: no longer differs")),
                (_, _, None) => wrong.push(both),
            }
        }
    }
    println!("{agree} decisions agree, {differ} differ for a reason");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(agree >= 328, "{agree}");
}
