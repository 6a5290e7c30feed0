//! The seeds of the fuzz targets are made of the transcripts, and kept in step with them here.
//! With `BAREPG_WRITE_SEEDS` set they are written anew.

use std::fs;
use std::path::PathBuf;

use super::crypto::{exchange, md5_answer};
use super::sessions::{SESSIONS, golden};
use super::startup::SCRAM;
use super::transcript::{message, read};

fn check(target: &str, name: &str, content: &[u8]) {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz").join("seeds").join(target);
    let path = home.join(name);
    if std::env::var_os("BAREPG_WRITE_SEEDS").is_some() {
        fs::create_dir_all(&home).unwrap();
        fs::write(&path, content).unwrap();
    }
    let found = fs::read(&path).unwrap_or_default();
    assert!(found == content, "{}: write it with BAREPG_WRITE_SEEDS=1", path.display());
}

/// The verbs of the target `verbs` that a session uses.
fn verbs(name: &str) -> &'static [u8] {
    match name {
        "query" => &[0, 11, 11, 1, 1, 1, 2],
        "simple" => &[5, 5, 6, 7],
        "batch" => &[3, 3],
        "prepare" => &[8, 8],
        "transaction" => &[9, 10, 9, 10],
        "errors" => &[0, 0, 0, 2, 6, 7],
        "asynchronous" => &[0, 2, 16, 7],
        "copy" => &[2, 2, 6, 14, 14, 11, 7],
        "unread" => &[11, 11, 1, 5, 11, 1],
        "fatal" | "shutdown" => &[7, 2],
        "parameters" => &[2, 6, 7],
        other => panic!("no verbs for {other}"),
    }
}

#[test]
fn of_verbs() {
    for (name, _) in SESSIONS {
        let sent = golden(name).sent();
        // After the login.
        let ready = message("Z 'I'");
        let at = sent.windows(ready.len()).position(|window| window == ready).unwrap();
        let verbs = verbs(name);
        let head = [64 + 16, u8::try_from(verbs.len()).unwrap()];
        check("verbs", name, &[&head[..], verbs, &sent[at + ready.len()..]].concat());
    }
    let copy = "H 1b 1s 1s\nd 'PGCOPY\\n' #ff0d0a00 0 0\nd 1s [7]\nd -1s\nc\nC \"COPY 1\"\nZ 'I'";
    let copy: Vec<u8> = copy.lines().flat_map(message).collect();
    check("verbs", "copy-binary", &[&[64 + 16, 1, 14][..], &copy].concat());
    let copy: Vec<u8> = "G 0b 1s 0s\nC \"COPY 1\"\nZ 'I'".lines().flat_map(message).collect();
    check("verbs", "copy-in", &[&[64 + 16, 1, 13][..], &copy].concat());
    let notification = message("A 7 \"channel\" \"payload\"");
    check("verbs", "notification", &[&[64 + 16, 2, 7, 16][..], &notification].concat());
}

#[test]
fn of_startup() {
    let scram = exchange(8);
    let md5 = md5_answer([1, 2, 3, 4]);
    let names = [
        ("server-first", scram.server_first.as_str()),
        ("client-final", scram.client_final.as_str()),
        ("server-final", scram.server_final.as_str()),
        ("md5", md5.as_str()),
    ];
    let scram = format!("{SCRAM}\n@settle");
    let settled_by = |request: &str| format!("<<< {request}\n@settle");
    for (name, policy, text) in [
        ("trust", 0, "@settle".to_string()),
        ("scram", 2, scram.clone()),
        ("negotiated", 0, format!("<<< v 196608 0\n{scram}")),
        ("cleartext", 1, settled_by("R 3")),
        ("md5", 1, settled_by("R 5 #01020304")),
        ("refused", 0, "<<< E 'SFATAL' #00 'C28000' #00 'Mno' #00 #00".into()),
        ("notices", 8, "<<< N 'Mhello' #00 #00\n@settle\n<<< I\n<<< Z 'I'".into()),
    ] {
        let sent = read(&text, &names).sent();
        check("startup", name, &[&[64 + 16, policy][..], &sent].concat());
    }
}

#[test]
fn of_scram() {
    let scram = exchange(8);
    let seed =
        |first: &str, last: &str| [&[64 + 16], first.as_bytes(), &[255], last.as_bytes()].concat();
    check("scram", "right", &seed(&scram.server_first, &scram.server_final));
    check("scram", "rejected", &seed(&scram.server_first, "e=invalid-proof"));
    let huge = scram.server_first.replace("i=8", "i=2147483648");
    check("scram", "iterations", &seed(&huge, &scram.server_final));
}

#[test]
fn of_row_description() {
    for (name, description, row) in [
        ("integer", r#"1s "id" 0 0s 23 4s -1 1s"#, "1s [7]"),
        (
            "three",
            r#"3s "a" 0 0s 25 -1s -1 1s "b" 0 0s 20 8s -1 1s "c" 0 0s 1114 8s -1 1s"#,
            "3s ['text'] -1 [0 1]",
        ),
        ("text-format", r#"1s "n" 0 0s 1700 -1s -1 0s"#, "1s ['1.5']"),
        ("none", "0s", "0s"),
    ] {
        let body = |text: &str| message(&format!("raw {text}"));
        let (description, row) = (body(description), body(row));
        let head = [64 + 16, u8::try_from(description.len()).unwrap()];
        check("row_description", name, &[&head[..], &description, &row].concat());
    }
}
