//! Turns a password into login keys, so that a firmware image needs no password.
//!
//! ```text
//! cargo run --features std,sm3 --example keys -- 'host=db user=logger password=…'
//! cargo run --features std,sm3 --example keys -- --stored 'sha2560a1b…' 'password=…'
//! cargo run --features std --example keys -- --new logger
//! ```
//!
//! The first form logs in and keeps the keys of that login; with `-` in place of the connection string it is read
//! from standard input, out of sight of other users. The second needs no server, but what
//! the server stores: `select rolpassword from pg_authid where rolname = 'logger'`, which only
//! an administrator may read. It checks that the password is the one stored.
//! The third makes keys of a random password that is never shown, for SCRAM, and prints the statement that
//! gives the role the other half of them.
//!
//! Prints `scram_client_key=… scram_server_key=…` for a connection string, or for openGauss
//! `gauss_keys=…` and a Rust `static` for [`Config::gauss_keys`](barepg::Config::gauss_keys). Keys are good until the password is set
//! again, even to the same one. They are as secret as the password.
//!
//! Exit status 1: no keys.

use std::process::ExitCode;

use barepg::host::{Host, SystemPlatform, parse};
use barepg::{GaussKeys, GaussMethod, KeyCache, Platform, ScramKeys};
use sha2::{Digest, Sha256};

const USAGE: &str =
    "usage: keys [--stored ROLPASSWORD] CONNECTION-STRING | keys - | keys --new ROLE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["-"] => std::io::read_to_string(std::io::stdin())
            .map_err(|error| error.to_string())
            .and_then(|conninfo| from_login(conninfo.trim())),
        [conninfo] if !conninfo.starts_with('-') => from_login(conninfo),
        ["--new", role] => of_new_password(role),
        ["--stored", stored, conninfo] => from_stored(stored, conninfo),
        ["--help" | "-h"] => Ok(USAGE.into()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("keys: {error}");
            ExitCode::FAILURE
        }
    }
}

fn from_login(conninfo: &str) -> Result<String, String> {
    let (mut cache, mut host) = (KeyCache::new(), Host::new());
    let mut client = host.client(conninfo).map_err(|error| error.to_string())?;
    client.set_key_cache(&mut cache);
    let result = client.connect().and_then(|connection| connection.close().map(|_| ()));
    if let Err(error) = result {
        let message =
            client.server_error().map(|message| format!("\n{message}")).unwrap_or_default();
        return Err(format!("{error}{message}"));
    }
    let keys = client.key_cache();
    let scram = keys.and_then(|keys| keys.scram()).map(show_scram);
    let gauss = keys.and_then(|keys| keys.gauss()).map(show_gauss);
    scram.or(gauss).ok_or("this login needs no keys: trust, certificate, MD5 or password".into())
}

/// As a server makes them of a password: 4096 iterations, a salt of 16 bytes.
fn of_new_password(role: &str) -> Result<String, String> {
    const ITERATIONS: u32 = 4096;
    let (mut password, mut salt) = ([0; 32], [0; 16]);
    let platform = SystemPlatform::new();
    let random = [&mut password[..], &mut salt].into_iter().try_for_each(|b| platform.entropy(b));
    random.map_err(|_| "no random bytes")?;
    let keys = ScramKeys::derive(base64(&password).as_bytes(), &salt, ITERATIONS, &|| {})
        .map_err(|error| format!("{error:?}"))?;
    let stored_key: [u8; 32] = Sha256::digest(keys.client_key()).into();
    let (salt, stored_key) = (base64(&salt), base64(&stored_key));
    let role = role.replace('"', "\"\"");
    Ok(format!(
        "{}\nalter role \"{role}\" password 'SCRAM-SHA-256${ITERATIONS}:{salt}${stored_key}:{}';",
        show_scram(&keys),
        base64(keys.server_key()),
    ))
}

fn from_stored(stored: &str, conninfo: &str) -> Result<String, String> {
    let mut scratch = [0; 4096];
    let config = parse(conninfo, &mut scratch).map_err(|error| error.to_string())?;
    let password = config.reveal_password().ok_or("the connection string has no password")?;
    let layout = || "this is no SCRAM-SHA-256, sha256 or sm3 password of a server".to_string();
    if let Some(text) = stored.strip_prefix("SCRAM-SHA-256$") {
        // SCRAM-SHA-256$count:salt$StoredKey:ServerKey
        let (count, rest) = text.split_once(':').ok_or_else(layout)?;
        let (salt, keys) = rest.split_once('$').ok_or_else(layout)?;
        let (_, server_key) = keys.split_once(':').ok_or_else(layout)?;
        let count = count.parse().map_err(|_| layout())?;
        let salt = from_base64(salt).ok_or_else(layout)?;
        let keys = ScramKeys::derive(password.as_bytes(), &salt, count, &|| {})
            .map_err(|error| format!("{error:?}"))?;
        if base64(keys.server_key()) != server_key {
            return Err("this is not the password that is stored".into());
        }
        return Ok(show_scram(&keys));
    }
    let (method, text) = match (stored.strip_prefix("sha256"), stored.strip_prefix("sm3")) {
        (Some(text), _) => (GaussMethod::Sha256, text),
        (_, Some(text)) => (GaussMethod::Sm3, text),
        _ => return Err(layout()),
    };
    // Salt, ServerKey and StoredKey, an MD5 password for combined users, the iteration count.
    let piece = |at: usize| from_hex(text.get(at..at + 64)?);
    let (salt, stored_key) = (piece(0).ok_or_else(layout)?, piece(128).ok_or_else(layout)?);
    let count = text.len().checked_sub(11).and_then(|at| iterations(text.get(at..)?));
    let count = count.ok_or_else(layout)?;
    let keys = GaussKeys::derive(method, password.as_bytes(), salt, count, &|| {})
        .map_err(|error| format!("{error:?} (SM3 needs the feature sm3)"))?;
    if *keys.stored_key() != stored_key {
        return Err("this is not the password that is stored".into());
    }
    Ok(show_gauss(&keys))
}

fn show_scram(keys: &ScramKeys) -> String {
    let (client, server) = (base64(keys.client_key()), base64(keys.server_key()));
    format!("scram_client_key={client} scram_server_key={server}")
}

fn show_gauss(keys: &GaussKeys) -> String {
    let array = |bytes: &[u8; 32]| {
        let rows = bytes.chunks(12).map(|row| {
            let bytes: Vec<String> = row.iter().map(|byte| format!("0x{byte:02x}")).collect();
            format!("        {},\n", bytes.join(", "))
        });
        format!("    [\n{}    ],\n", rows.collect::<String>())
    };
    let hex = |bytes: &[u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let method = if keys.method() == GaussMethod::Sm3 { "sm3" } else { "sha256" };
    format!(
        "// gauss_keys={method}:{}:{}:{}:{}\n\
         static LOGIN_KEYS: barepg::GaussKeys = barepg::GaussKeys::new(\n    \
         barepg::GaussMethod::{:?},\n{}    {},\n{}{});",
        keys.iterations(),
        hex(keys.salt()),
        hex(keys.client_key()),
        hex(keys.stored_key()),
        keys.method(),
        array(keys.salt()),
        keys.iterations(),
        array(keys.client_key()),
        array(keys.stored_key()),
    )
}

/// The iteration count at the end of a stored password: its decimal digits, the last one first,
/// added to the letters of a constant.
fn iterations(suffix: &str) -> Option<u32> {
    let digits = suffix.bytes().zip(*b"ecdfdcefade").rev();
    let count = digits.map(|(letter, base)| letter.checked_sub(base).filter(|digit| *digit < 10));
    count
        .into_iter()
        .try_fold(0_u32, |count, digit| count.checked_mul(10)?.checked_add(u32::from(digit?)))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | usize::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = char::from(BASE64[word >> (18 - 6 * i) & 63]);
            text.push(if i > chunk.len() { '=' } else { digit });
        }
    }
    text
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let value = BASE64.iter().position(|known| *known == digit)?;
        word = word << 6 | u32::try_from(value).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 255).ok()?);
        }
    }
    Some(bytes)
}
