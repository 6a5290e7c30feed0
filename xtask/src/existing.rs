//! A server that was there before: what a board must be told of it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use barepg_testkit::child::Process;
use barepg_testkit::provision;
use barepg_testkit::scratch::Scratch;

use crate::bare::Compiler;
use crate::boards;
use crate::measure::{Root, Server, Verified};

/// The longest that a program may take that is asked for one thing; a login has deadlines of its own.
const LIMIT: Duration = Duration::from_secs(120);

/// How to use an existing server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Access {
    /// Over TLS: the connection string names `sslrootcert`.
    pub tls: bool,
    /// With login keys, which a login from here makes of the password.
    pub keys: bool,
}

/// The server of a connection string of `keyword=value` pairs without spaces in the values. What the
/// boards create there is temporary, and their tables hide what has the same name.
pub fn server(conninfo: &str, access: Access) -> Result<Server, String> {
    if has(conninfo, "options") {
        return Err("options is what keeps the boards away from your tables".to_string());
    }
    let (conninfo, verified) = if access.tls { over_tls(conninfo)? } else { plain(conninfo)? };
    let mut server = Server::parse(&conninfo)?;
    // The relay could only hang up on the board.
    TcpStream::connect_timeout(&server.address(), Duration::from_secs(10))
        .map_err(|error| format!("{}: {error}", server.address()))?;
    if access.keys {
        server = Server::parse(&with_keys(&conninfo, verified.as_ref())?)?;
    }
    server.verified = verified;
    server.add("options=-csearch_path=pg_temp");
    Ok(server)
}

fn has(conninfo: &str, keyword: &str) -> bool {
    value(conninfo, keyword).is_some()
}

fn value<'c>(conninfo: &'c str, keyword: &str) -> Option<&'c str> {
    let mut words = conninfo.split_whitespace().filter_map(|word| word.split_once('='));
    words.find(|(known, _)| *known == keyword).map(|(_, value)| value)
}

/// The connection string without some keywords.
fn without(conninfo: &str, keywords: &[&str]) -> String {
    let words = conninfo.split_whitespace().filter(|word| {
        let keyword = word.split_once('=').map_or(*word, |(keyword, _)| keyword);
        !keywords.contains(&keyword)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn plain(conninfo: &str) -> Result<(String, Option<Verified>), String> {
    match value(conninfo, "sslmode") {
        None | Some("disable" | "allow" | "prefer") => {
            Ok((without(conninfo, &["sslmode", "sslrootcert"]), None))
        }
        Some(mode) => Err(format!("sslmode={mode} goes with --tls")),
    }
}

fn over_tls(conninfo: &str) -> Result<(String, Option<Verified>), String> {
    let root = value(conninfo, "sslrootcert")
        .ok_or("--tls needs sslrootcert=FILE in the connection string: whose word counts")?;
    let mode = value(conninfo, "sslmode").unwrap_or("verify-full");
    if !matches!(mode, "verify-ca" | "verify-full") {
        return Err(format!("sslmode={mode}: --tls verifies, by verify-ca or verify-full"));
    }
    let verified = Verified {
        name: value(conninfo, "host").unwrap_or("localhost").to_string(),
        mode: mode.to_string(),
        file: root.to_string(),
        root: board_root(Path::new(root))?,
    };
    Ok((without(conninfo, &["sslmode", "sslrootcert"]), Some(verified)))
}

/// The root certificate in a file for the board, which is gone with the last that knows it.
fn board_root(root: &Path) -> Result<Arc<Root>, String> {
    let der = in_der(root)?;
    let scratch = Scratch::new("barepg-root", "").map_err(|error| format!("root: {error}"))?;
    let path = scratch.path().join("root.der");
    fs::write(&path, der).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Arc::new(Root { path, _scratch: scratch }))
}

/// The first certificate of a PEM file, as boards take it; a DER file as it is.
pub fn in_der(root: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(root).map_err(|error| format!("{}: {error}", root.display()))?;
    if !bytes.starts_with(b"-----") {
        return Ok(bytes);
    }
    let mut command = Command::new(provision::program("openssl", "openssl")?);
    command.args(["x509", "-outform", "DER"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Process::start(&mut command)?.output(&bytes, LIMIT)?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let error = String::from_utf8_lossy(&output.stderr);
            Err(format!("{}: no certificate that openssl reads: {error}", root.display()))
        }
    }
}

/// The connection string with keys in place of its password: those of a login from here.
fn with_keys(conninfo: &str, verified: Option<&Verified>) -> Result<String, String> {
    if !has(conninfo, "password") {
        return Err("--keys makes keys of the password in the connection string".to_string());
    }
    println!("logging in once, for the keys");
    let mut login = conninfo.to_string();
    if let Some(Verified { mode, file, .. }) = verified {
        login.push_str(&format!(" sslmode={mode} sslrootcert={file}"));
    }
    let keys = keys_of_login(&login)?;
    Ok(format!("{} {keys}", without(conninfo, &["password"])))
}

/// The keys of a login from here, as a connection string has them.
pub fn keys_of_login(conninfo: &str) -> Result<String, String> {
    let printed = example("keys", &["-"], conninfo.as_bytes())?;
    let keys = keys(&printed).ok_or(format!("no keys in what example keys printed: {printed}"))?;
    Ok(keys.to_string())
}

/// What an example of the driver prints, with this on its standard input: secrets are no arguments, which
/// other users see.
pub fn example(name: &str, arguments: &[&str], input: &[u8]) -> Result<String, String> {
    let mut command = Command::new(examples()?.with_file_name(name));
    // In the directory of whoever asks, as files are named from there.
    command.args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Process::start(&mut command)?.output(input, LIMIT)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!(
        "example {name}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    ))
}

/// A line of a board in words: an image without them prints an error of the driver as its bytes.
pub fn in_words(line: String) -> Result<String, String> {
    const ERROR: &str = "  error: ";
    let digits = line.strip_prefix(ERROR).filter(|digits| {
        digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    match digits {
        Some(digits) => Ok(format!("{ERROR}{}", example("error", &[digits], b"")?.trim_end())),
        None => Ok(line),
    }
}

/// One of the examples beside which the others are, all built by whoever asks first: a list may be of a
/// thousand devices.
fn examples() -> Result<&'static Path, String> {
    static EXAMPLES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || {
        let mut cargo = Compiler::default().cargo();
        cargo.args(["build", "--quiet", "--features", "std,outbox,provision,sm3,tls-p384"]);
        cargo.args(["--example", "error", "--example", "keys", "--example", "provision"]);
        cargo.current_dir(provision::root());
        boards::built(&mut cargo, "keys")
    };
    EXAMPLES.get_or_init(build).as_deref().map_err(Clone::clone)
}

/// The line with the keys, which may be a comment of Rust.
fn keys(printed: &str) -> Option<&str> {
    let known = ["gauss_keys=", "scram_client_key="];
    let lines = printed.lines().map(|line| line.trim_start_matches("// "));
    lines.into_iter().find(|line| known.iter().any(|keyword| line.starts_with(keyword)))
}

#[cfg(test)]
mod tests {
    use barepg_testkit::certs::Authority;

    use super::*;

    #[test]
    fn errors_without_words_get_them() {
        let said = |line: &str| in_words(line.to_string()).unwrap();
        let error = "  error: 44000000000000000000000000000201";
        assert_eq!(said("  error: no words"), "  error: no words");
        assert_eq!(said(&error[2..]), error[2..]);
        assert!(said(error).starts_with("  error: the deadline passed; outcome unknown"));
    }

    #[test]
    fn what_the_connection_string_must_say() {
        let tls = Access { tls: true, keys: false };
        for (conninfo, access, words) in [
            ("host=127.0.0.1 port=7 options=-cwork_mem=1MB", Access::default(), "options"),
            ("host=127.0.0.1 port=1 user=u", Access::default(), "127.0.0.1:1: "),
            ("host=h sslmode=verify-ca", Access::default(), "--tls"),
            ("host=h", tls, "sslrootcert"),
            ("host=h sslrootcert=/nowhere", tls, "/nowhere: "),
            ("host=h sslrootcert=/dev/null sslmode=require", tls, "verifies"),
        ] {
            let error = server(conninfo, access).unwrap_err();
            assert!(error.contains(words), "{conninfo}: {error}");
        }
        assert!(with_keys("host=h user=u", None).is_err());
    }

    #[test]
    fn a_root_certificate_is_read_in_either_form() {
        let scratch = Scratch::new("barepg-der", "").unwrap();
        let authority = Authority::new(scratch.path(), "root").unwrap();
        let der = fs::read(authority.path("ca.der")).unwrap();
        for file in ["ca.crt", "ca.der"] {
            assert_eq!(in_der(&authority.path(file)), Ok(der.clone()), "{file}");
        }
        let file = board_root(&authority.path("ca.crt")).unwrap();
        let path = file.path.clone();
        assert_eq!(fs::read(&path).unwrap(), der);
        drop(file);
        assert!(!path.exists());
        let error = in_der(&authority.path("ca.key")).unwrap_err();
        assert!(error.contains("ca.key: no certificate"), "{error}");
    }

    #[test]
    fn keys_take_the_place_of_the_password() {
        let printed = "// gauss_keys=abc\nstatic LOGIN_KEYS: …\n";
        assert_eq!(keys(printed), Some("gauss_keys=abc"));
        assert_eq!(
            keys("scram_client_key=a scram_server_key=b"),
            Some("scram_client_key=a scram_server_key=b")
        );
        assert_eq!(keys("error"), None);
        assert_eq!(without("host=h password=p user=u", &["password"]), "host=h user=u");
    }
}
