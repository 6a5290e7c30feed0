//! The openGauss front on itself: it says byte for byte what openGauss 7.0.0-RC2 said, and lets
//! openGauss clients in written by others.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use barepg_testkit::gauss::clients::run_python;
use barepg_testkit::gauss::{Front, Hba, Kind, Options, PASSWORD, Trouble, User};
use barepg_testkit::pg;

const LOGINS: &str = include_str!("../../data/opengauss-logins.txt");

/// The users of the recorded server, with kind, line of `pg_hba.conf` and iterations.
const USERS: &[(&str, Kind, Hba, u32)] = &[
    ("ogsha", Kind::Sha256, Hba::Sha256, 10_000),
    ("ogit2048", Kind::Sha256, Hba::Sha256, 2048),
    ("ogsm3", Kind::Sm3, Hba::Sm3, 10_000),
    ("ogmd5", Kind::Md5, Hba::Md5, 10_000),
    ("ogcomb", Kind::Combined, Hba::Sha256, 10_000),
    ("ogcomb5", Kind::Combined, Hba::Md5, 10_000),
    ("ogmd5x", Kind::Md5, Hba::Sha256, 10_000),
    ("ogsm3x", Kind::Sm3, Hba::Sha256, 10_000),
    ("ogmd5sha", Kind::Sha256, Hba::Md5, 10_000),
    ("ogtls", Kind::Sha256, Hba::Reject, 10_000),
];

/// From the client, bytes.
type Packets = Vec<(bool, Vec<u8>)>;

/// Name and packets of every recording.
fn recordings() -> Vec<(&'static str, Packets)> {
    let mut all = Vec::new();
    for line in LOGINS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ') {
            None => all.push((line, Vec::new())),
            Some((side, digits)) => {
                let pair = |i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
                let bytes = (0..digits.len()).step_by(2).map(pair).collect();
                all.last_mut().unwrap().1.push((side == ">", bytes));
            }
        }
    }
    all
}

fn connect(front: &Front) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", front.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// A front with the recorded server's users, salts and tokens.
fn recorded_front(packets: &Packets) -> Front {
    let request = &packets[1].1;
    let text = |range: std::ops::Range<usize>| String::from_utf8(request[range].to_vec()).unwrap();
    let (salt, token) = match (request[8], request.len()) {
        (5, _) => (None, request[9..13].try_into().unwrap()),
        (11, _) => (Some(text(9..73)), request[73..77].try_into().unwrap()),
        _ => {
            let digits = text(77..85);
            let byte = |i: usize| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap();
            (Some(text(13..77)), std::array::from_fn(byte))
        }
    };
    let user = packets[0].1[8..].split(|&b| b == 0).nth(1).unwrap();
    let user = String::from_utf8(user.to_vec()).unwrap();
    let mut options = Options::before(pg::shared(15));
    let known = USERS.iter().find(|known| known.0 == user);
    options.users = known
        .map(|&(name, kind, hba, count)| match &salt {
            Some(salt) => User::with_salt(name, PASSWORD, kind, salt, count, hba),
            None => User::new(name, PASSWORD, kind, count, hba),
        })
        .into_iter()
        .collect();
    options.fake_salts = salt.map(|salt| HashMap::from([(user, salt)])).unwrap_or_default();
    options.tokens = [token].into();
    options.application_type = false;
    Front::start(options)
}

#[test]
fn says_what_the_real_server_said() {
    let mut logins = 0;
    for (name, packets) in recordings().iter().filter(|(_, packets)| packets.len() == 4) {
        let front = recorded_front(packets);
        let mut stream = connect(&front);
        for (from_client, packet) in packets {
            if *from_client {
                stream.write_all(packet).unwrap();
                continue;
            }
            let mut said = vec![0; packet.len()];
            stream.read_exact(&mut said).unwrap();
            assert_eq!(&said, packet, "{name}: {}", String::from_utf8_lossy(&said));
        }
        logins += 1;
    }
    assert_eq!(logins, 18);
}

#[test]
fn reports_what_the_real_server_reported() {
    let recordings = recordings();
    let find = |name| &recordings.iter().find(|recording| recording.0 == name).unwrap().1;
    let packets = find("sha256_3.51");
    let front = recorded_front(packets);
    let mut stream = connect(&front);
    stream.write_all(&packets[0].1).unwrap();
    stream.read_exact(&mut vec![0; packets[1].1.len()]).unwrap();
    stream.write_all(&packets[2].1).unwrap();
    stream.read_exact(&mut [0; 9]).unwrap();
    let mut expected = find("after_login")[0].1.clone();
    let mut said = vec![0; expected.len()];
    stream.read_exact(&mut said).unwrap();
    // The body of BackendKeyData, before ReadyForQuery's 6 bytes.
    let key = said.len() - 14..said.len() - 6;
    said[key.clone()].fill(0);
    expected[key].fill(0);
    assert_eq!(String::from_utf8_lossy(&said), String::from_utf8_lossy(&expected));
}

#[test]
fn refuses_a_plaintext_session_as_the_real_server_did() {
    let mut options = Options::before(pg::shared(15));
    options.users = vec![User::new("ogtls", PASSWORD, Kind::Sha256, 2048, Hba::Reject)];
    let front = Front::start(options);
    let mut stream = connect(&front);
    stream.write_all(b"\0\0\0\x26\0\x03\0\x33user\0ogtls\0database\0postgres\0\0").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    let recordings = recordings();
    let expected = &recordings.iter().find(|recording| recording.0 == "tls_only").unwrap().1[0].1;
    assert_eq!(String::from_utf8_lossy(&said), String::from_utf8_lossy(expected));
}

/// Only {3.0, 3.50, 3.51} begin; the rest is fatal, negotiation is unknown.
#[test]
fn knows_its_protocol_versions_only() {
    let front = Front::start(Options::before(pg::shared(15)));
    for (version, text) in [
        (0x0003_0001_u32, "unsupported frontend protocol 3.1."),
        (0x0003_0002, "unsupported frontend protocol 3.2."),
        (0x0003_0034, "unsupported frontend protocol 3.52."),
        (80_877_104, "unsupported frontend protocol 1234.5680."),
    ] {
        let mut stream = connect(&front);
        stream.write_all(&[0, 0, 0, 8]).unwrap();
        stream.write_all(&version.to_be_bytes()).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(text) && said.contains("C0A000\0"), "{said}");
    }
}

#[test]
fn troubles_look_as_they_should() {
    let says = |trouble| {
        let mut options = Options::before(pg::shared(15));
        options.trouble = Some(trouble);
        let front = Front::start(options);
        let mut stream = connect(&front);
        let mut said = Vec::new();
        // A silent end may come as a reset, for our packet was not read.
        let _ = stream.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f");
        let _ = stream.read_to_end(&mut said);
        said
    };
    assert_eq!(says(Trouble::SilentEof), b"");
    assert!(says(Trouble::TooManyClients).starts_with(b"E\0\0\0"));
    assert!(says(Trouble::OldError).starts_with(b"Ecould not fork"));
}

const PY_OPENGAUSS: &str = r#"
import sys, py_opengauss
port, user, password, mode = sys.argv[1:5]
db = py_opengauss.open(f"opengauss://{user}:{password}@127.0.0.1:{port}/test", sslmode=mode)
print(db.prepare("select 6 * $1::int4").first(7), db.settings["server_version"])
db.execute("create temporary table py (id int, name text)")
insert = db.prepare("insert into py values ($1, $2)")
insert.load_rows([(1, "one"), (2, "two")])
print(db.prepare("select count(*), max(name) from py").first())
db.close()
"#;

const ASYNC_GAUSSDB: &str = r#"
import asyncio, sys, async_gaussdb
async def main():
    port, user, password = sys.argv[1:4]
    db = await async_gaussdb.connect(host="127.0.0.1", port=int(port), user=user,
                                     password=password, database="test", ssl=False)
    print(await db.fetchval("select 6 * $1::int4", 7))
    async with db.transaction():
        print([tuple(row) for row in await db.fetch("select n, n::text from generate_series(1, 3) n")])
    await db.close()
asyncio.run(main())
"#;

#[test]
fn py_opengauss_logs_in() {
    let mut options = Options::before(pg::shared(15));
    options.tls = true;
    let front = Front::start(options);
    let port = front.port().to_string();
    for user in ["sha256_user", "combined_user", "md5_user", "sha256_2048_user"] {
        for mode in ["disable", "require"] {
            let said = run_python(PY_OPENGAUSS, &[&port, user, PASSWORD, mode]);
            assert!(said.starts_with("42 9.2.4"), "{user}: {said}");
            let login = front.attempts().pop().unwrap();
            let code = if user == "md5_user" { 5 } else { 10 };
            assert_eq!((login.ok, login.code, login.tls), (true, Some(code), mode == "require"));
            assert_eq!(login.minor, 51);
        }
    }
}

#[test]
fn async_gaussdb_logs_in() {
    let front = Front::start(Options::before(pg::shared(15)));
    let port = front.port().to_string();
    for user in ["sha256_user", "combined_user", "md5_user"] {
        let said = run_python(ASYNC_GAUSSDB, &[&port, user, PASSWORD]);
        assert_eq!(said, "42\n[(1, '1'), (2, '2'), (3, '3')]\n", "{user}");
    }
    assert!(front.attempts().iter().all(|attempt| attempt.ok));
}

/// What users of PostgreSQL's own client see at openGauss.
#[test]
fn psql_fails_as_it_does_at_the_real_server() {
    let front = Front::start(Options::before(pg::shared(15)));
    let psql = |user| {
        let psql = barepg_testkit::provision::client("psql").unwrap();
        let mut command = std::process::Command::new(psql);
        command.args(["-XAtc", "select 1", &front.conninfo(user)]);
        barepg_testkit::provision::run(&mut command)
    };
    assert_eq!(psql("md5_user").unwrap().trim(), "1");
    let error = psql("sha256_user").unwrap_err();
    assert!(error.contains("none of the server's SASL authentication mechanisms"), "{error}");
}
