//! The certificate matrix: every case judged by libpq and by this driver in the same run, on the
//! same server.

use std::process::Command;

use barepg::tls::TlsError;
use barepg::{ErrorKind, SslMode};
use barepg_testkit::pki::Workshop;
use barepg_testkit::provision;

use crate::cases::{self, Case};
use crate::common::role;
use crate::harness::{Server, Setup, Table};

/// What libpq says: `Err` with its words.
fn libpq(server: &Server, workshop: &Workshop, case: &Case, anchors: &str) -> Result<(), String> {
    let mode = if case.host.is_some() { "verify-full" } else { "verify-ca" };
    let conninfo = format!(
        "host='{}' hostaddr=127.0.0.1 port={} dbname=test user=scram_user password=scram_user_pw \
         sslmode={mode} sslrootcert='{}' channel_binding=disable connect_timeout=10",
        case.host.unwrap_or("any.host.test"),
        server.port(),
        workshop.path(anchors, "crt").display(),
    );
    let mut command = Command::new(provision::client("psql").unwrap());
    command.args(["-XAtq", "-c", "select 1", "-d", &conninfo]).env_clear();
    let output = command.output().expect("psql runs");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_string()),
    }
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
        Err((other, words)) => panic!("{}: {other:?} {words}", case.name),
    }
}

#[test]
fn barepg_and_libpq_agree_but_for_the_named_differences() {
    let workshop = Workshop::new();
    cases::make(&workshop);
    let server = Server::start(15, &[]);
    let (mut wrong, mut agree, mut differ) = (Vec::new(), 0, 0);
    for (number, case) in cases::all().iter().enumerate() {
        let (chain, anchors) = (format!("chain-{number}"), format!("anchors-{number}"));
        workshop.bundle(&chain, case.sent);
        workshop.bundle(&anchors, case.trusted);
        server.present(&workshop, &chain, case.sent[0]);
        let libpq = libpq(&server, &workshop, case, &anchors);
        let barepg = barepg(&server, &workshop, case, &anchors);
        let expected = case.barepg.map_err(str::to_string);
        if barepg != expected {
            wrong.push(format!("{}: barepg {barepg:?}, should be {expected:?}", case.name));
        }
        match (libpq.is_ok() == barepg.is_ok(), case.differs) {
            (true, None) => agree += 1,
            (false, Some(reason)) => {
                differ += 1;
                println!("{}: barepg {barepg:?}, libpq {libpq:?}: {reason}", case.name);
            }
            (true, Some(_)) => wrong.push(format!("{}: no longer differs: {libpq:?}", case.name)),
            (false, None) => {
                wrong.push(format!("{}: barepg {barepg:?}, libpq {libpq:?}", case.name));
            }
        }
    }
    println!("{agree} cases agree, {differ} differ for a reason");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(agree > 90, "{agree}");
}
