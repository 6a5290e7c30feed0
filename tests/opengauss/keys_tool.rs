//! The example `keys`: what it prints logs in.

use barepg::{Config, GaussKeys, GaussMethod};
use barepg_testkit::gauss::PASSWORD;
use barepg_testkit::pg;

use crate::common::with_session;
use crate::front;
use crate::programs::{example, run};

/// The arrays and the count in the Rust text.
fn read(text: &str) -> GaussKeys {
    let arrays: Vec<[u8; 32]> = text
        .split("    [\n")
        .skip(1)
        .map(|part| {
            let digits = part.split(']').next().unwrap().split(',').map(str::trim);
            let digits = digits.filter_map(|digit| digit.strip_prefix("0x"));
            let bytes: Vec<u8> = digits.map(|d| u8::from_str_radix(d, 16).unwrap()).collect();
            bytes.try_into().expect("32 bytes")
        })
        .collect();
    let [salt, client_key, stored_key] = arrays[..] else { panic!("{text}") };
    let count = text.lines().find_map(|line| line.trim().trim_end_matches(',').parse().ok());
    let method =
        if text.contains("GaussMethod::Sm3") { GaussMethod::Sm3 } else { GaussMethod::Sha256 };
    GaussKeys::new(method, salt, count.expect("a count"), client_key, stored_key)
}

fn keys(arguments: &[&str]) -> String {
    let (status, stdout, stderr) = run(example("keys").args(arguments));
    assert_eq!((status, &*stderr), (Some(0), ""), "{arguments:?}");
    stdout
}

#[test]
fn keys_of_opengauss_from_a_login_and_from_what_is_stored() {
    let front = front();
    for name in ["sha256_user", "sha256_2048_user", "sm3_user"] {
        let login = keys(&[&format!("{} sslmode=disable", front.conninfo(name))]);
        let stored = keys(&["--stored", &front.rolpassword(name), &format!("password={PASSWORD}")]);
        assert_eq!(login, stored);
        let (_, text) = login.split_once("// ").unwrap();
        let text = format!("user={name} dbname=test {}", text.lines().next().unwrap());
        let mut scratch = [0; 512];
        let config = Config::parse(&text, &mut scratch).unwrap();
        with_session(front.port(), config, |c| c.ping().unwrap());
        let keys = read(&login);
        let config = Config::new().user(name).dbname("test").gauss_keys(&keys);
        with_session(front.port(), config, |c| c.ping().unwrap());
    }
    let combined = front.rolpassword("combined_user");
    keys(&["--stored", &combined, &format!("password={PASSWORD}")]);
}

#[test]
fn keys_of_scram_from_a_login_and_from_what_is_stored() {
    let cluster = pg::shared(15);
    let login = keys(&[&format!("{} sslmode=disable", cluster.conninfo("scram_user"))]);
    let stored =
        cluster.psql("test", "select rolpassword from pg_authid where rolname = 'scram_user'");
    assert_eq!(keys(&["--stored", &stored, "password=scram_user_pw"]), login);
    let text = format!("user=scram_user dbname=test {}", login.trim());
    let mut scratch = [0; 512];
    let config = Config::parse(&text, &mut scratch).unwrap();
    with_session(cluster.port(), config, |c| c.ping().unwrap());
}

#[test]
fn keys_of_a_password_that_nobody_sees() {
    // Its own: the role gets another password.
    let cluster = pg::Cluster::start(pg::Options::default());
    let made = keys(&["--new", "scram_user"]);
    assert_ne!(made, keys(&["--new", "scram_user"]));
    let (login, statement) = made.trim().split_once('\n').unwrap();
    cluster.psql("test", statement);
    // By a password or not at all: `trust` would let everyone in.
    let text = format!("user=scram_user dbname=test require_auth=scram-sha-256 {login}");
    let mut scratch = [0; 512];
    let config = Config::parse(&text, &mut scratch).unwrap();
    with_session(cluster.port(), config, |c| c.ping().unwrap());
}

#[test]
fn what_gives_no_keys() {
    let front = front();
    let stored = front.rolpassword("sha256_user");
    let md5 = front.rolpassword("md5_user");
    let cluster = pg::shared(15);
    for (arguments, message) in [
        (vec!["--stored", &stored, "password=wrong"], "not the password that is stored"),
        (vec!["--stored", &md5, "password=x"], "no SCRAM-SHA-256, sha256 or sm3 password"),
        (vec!["--stored", &stored[..100], "password=x"], "no SCRAM-SHA-256, sha256 or sm3"),
        (vec!["--stored", &stored, "user=x"], "has no password"),
        (vec![&cluster.conninfo("trust_user")], "this login needs no keys"),
        (vec![&format!("{} password=wrong", front.conninfo("sha256_user"))], "login denied"),
    ] {
        let (status, stdout, stderr) = run(example("keys").args(&arguments));
        assert_eq!((status, &*stdout), (Some(1), ""), "{arguments:?}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
    }
}
