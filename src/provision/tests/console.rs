//! What the console answers, does, and never shows.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::provision::*;

/// What the console says to these lines.
fn said(parameters: &mut Provisioned, lines: &str) -> (String, Vec<Request>) {
    let mut out = String::new();
    let mut console = Console::new(parameters);
    let requests = lines.bytes().filter_map(|byte| console.feed(byte, &mut out)).collect();
    (out, requests)
}

#[test]
fn the_console_answers_each_line() {
    let mut parameters: Provisioned<[u8; 256]> = Provisioned::new();
    let key = format!("{}=", "A".repeat(43));
    let lines = format!(
        "host=db\r\nuser=lx\x08ogger\rrubbish\x15  dbname=plant \n\nscram_client_key={key}\n\
         scram_server_key={key}\nshow\ncommit\n"
    );
    let (out, requests) = said(&mut parameters, &lines);
    assert_eq!(
        out,
        "ok\nok\nok\nok\nok\nhost=db\nuser=logger\ndbname=plant\nscram_client_key=<redacted>\n\
         scram_server_key=<redacted>\n157 of 256 bytes\nok\n"
    );
    assert_eq!(requests, [Request::Save]);
    for (line, answer) in [
        ("password=geheim x=1", "error: connection string, byte 16: no such connection parameter"),
        ("password='x' user=y", "error: more than one parameter"),
        (
            "port=many",
            "error: connection parameter port: invalid value, it takes numbers from 1 to 65535",
        ),
        ("shwo", "error: no such line; help lists them"),
        ("user=\x01", "error: the line is not text"),
        ("root=MAI=MAI=", "error: the root certificate is not base64, in groups of four"),
        ("root=MAI", "error: the root certificate is not base64, in groups of four"),
    ] {
        let (out, _) = said(&mut parameters, &format!("{line}\n"));
        assert_eq!(out.trim_end(), answer, "{line}");
    }
    let (out, _) = said(&mut parameters, &format!("options={}\n", "x".repeat(300)));
    assert_eq!(
        out,
        "error: the line does not fit: 308 bytes are needed, there are 256: 52 too many\n"
    );
    let (out, _) = said(&mut parameters, &format!("options={}\n", "x".repeat(150)));
    assert_eq!(out, "error: does not fit: 316 bytes are needed, there are 256: 60 too many\n");
    let (out, requests) = said(&mut parameters, "root=MAIH\nroot=Bw==\ncommit\n");
    assert_eq!(
        out,
        "ok\nok\nerror: sslmode, sslrootcert and the root certificate do not fit each other\n"
    );
    assert_eq!(requests, []);
    let (out, _) = said(&mut parameters, "sslrootcert=root\nshow\nroot=\nsslrootcert=\n");
    assert!(out.contains("root: 4 bytes, CRC-32 "), "{out}");
    let (out, requests) = said(&mut parameters, "help\nwipe\nstart\nclear\ncommit\n");
    assert!(out.ends_with("end the console\nok\nok\nerror: user is missing\n"), "{out}");
    assert_eq!(requests, [Request::Wipe, Request::Leave]);
}

#[test]
fn a_space_after_a_backslash_belongs_to_the_value() {
    for (line, stored) in [
        ("application_name=a\\ ", "application_name=a\\ "),
        ("application_name=a\\", "application_name=a"),
        (" application_name=a  ", "application_name=a"),
    ] {
        let mut parameters: Provisioned<[u8; 64]> = Provisioned::new();
        let (out, _) = said(&mut parameters, &format!("{line}\n"));
        assert_eq!((out.as_str(), parameters.lines().next()), ("ok\n", Some(stored)), "{line}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRET: &str = "Zx9Qw7Lm4T";
    let hex = "5a7839517737".repeat(6)[..64].to_string();
    let mut parameters: Provisioned<[u8; 1024]> = Provisioned::new();
    let key = format!("{}{}=", SECRET, "A".repeat(33));
    let mut lines = vec![
        "user=u".to_string(),
        format!("password={SECRET}"),
        format!("password = {SECRET}"),
        format!("password='{SECRET}' x=y"),
        format!("scram_client_key={key}"),
        format!("scram_server_key={key}"),
        format!("scram_server_key={key}="),
        format!("host=h password={SECRET}"),
        format!("postgresql://u:{SECRET}@h/d"),
        format!("{SECRET}"),
        format!("password={}", SECRET.repeat(40)),
        format!("root={SECRET}"),
    ];
    if cfg!(feature = "opengauss") {
        lines.push(format!("gauss_keys=sha256:10000:{hex}:{hex}:{hex}"));
    }
    if cfg!(feature = "sslpassword") {
        lines.push(format!("sslpassword={SECRET}"));
    }
    let text = lines.join("\nshow\n") + "\nshow\ncommit\nshow\nhelp\n";
    let (mut out, _) = said(&mut parameters, &text);
    out += &format!("{:?}", Console::new(&mut parameters));
    out += &format!("{parameters:?}");
    assert!(!out.contains(SECRET) && !out.contains(&hex[..12]), "{out}");
    assert!(out.contains("password=<redacted>") && out.contains("scram_client_key=<redacted>"));
}

#[test]
fn the_console_saves_and_wipes() {
    let mut memory = [0; 2048];
    let mut store = Store::new(RamFlash::new(&mut memory), 0, 2048).unwrap();
    let mut out = String::new();
    let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
    let mut console = Console::new(&mut parameters);
    let mut ended = 0;
    for byte in *b"user=u\ncommit\nwipe\nshow\nuser=v\ncommit\nstart\n" {
        if let Some(request) = console.feed(byte, &mut out) {
            ended += u32::from(console.carry_out(request, &mut store, &mut out));
        }
    }
    assert_eq!((ended, &*out), (1, "ok\nok\nok\n0 of 512 bytes\nok\nok\nok\n"));
    let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
    assert_eq!(store.load(&mut parameters), Ok(Loaded::Newest));
    assert_eq!(parameters.lines().collect::<Vec<_>>(), ["user=v"]);
}
