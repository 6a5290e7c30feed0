//! TLS before the front: certificates as openGauss's manual has them made, and OpenSSL, which is
//! what openGauss links, in a small Python program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::provision;
use crate::scratch::Scratch;

/// What the server's certificate is called: openGauss's manual says "any name".
pub const SERVER_NAME: &str = "any-name";

/// Certificates made when the front starts. Each is `<name>.crt` (PEM) and `<name>.der`, its key
/// `<name>.key`: `ca` and `server` (RSA-2048, the common name [`SERVER_NAME`], no alternative
/// names), `cert_user` (P-256).
pub struct Certificates {
    scratch: Scratch,
}

impl Certificates {
    /// The path of a file.
    pub fn path(&self, file: &str) -> PathBuf {
        self.scratch.path().join(file)
    }

    /// Makes a key (`genpkey -algorithm RSA …`, 2048 bits where nothing else is said) and a certificate for it, without
    /// extensions.
    pub fn issue(&self, name: &str, subject: &str, key: &str) -> Result<(), String> {
        self.openssl(&format!("{key} -out {name}.key"))?;
        self.openssl(&format!("req -new -key {name}.key -out {name}.csr -subj /CN={subject}"))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 \
             -days 2 -out {name}.crt"
        ))?;
        self.openssl(&format!("x509 -in {name}.crt -outform DER -out {name}.der"))
    }

    fn make() -> Result<Certificates, String> {
        provision::program("openssl", "openssl")?;
        let scratch =
            Scratch::new("barepg-gauss", "").map_err(|error| format!("directory: {error}"))?;
        let made = Certificates { scratch };
        made.openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=gauss-ca",
        )?;
        made.openssl("x509 -in ca.crt -outform DER -out ca.der")?;
        made.issue("server", SERVER_NAME, "genpkey -algorithm RSA")?;
        made.issue(
            "cert_user",
            "cert_user",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        )?;
        Ok(made)
    }

    fn openssl(&self, line: &str) -> Result<(), String> {
        let mut command = Command::new("openssl");
        command.args(line.split_whitespace()).current_dir(self.scratch.path());
        provision::run(&mut command).map(|_| ())
    }
}

/// The running terminator; ends when dropped or when this process does.
pub(super) struct Terminator {
    certificates: Certificates,
    child: Child,
    port: u16,
}

impl Terminator {
    /// Starts it. Plain sessions go to `inner`, a port of the loopback interface.
    pub(super) fn start(inner: u16) -> Result<Terminator, String> {
        let python = provision::program("python3", "python3")?;
        let certificates = Certificates::make()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gauss/tls.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(certificates.path("server.crt"))
            .arg(certificates.path("server.key"))
            .arg(certificates.path("ca.crt"))
            .arg(inner.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("TLS terminator: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("TLS terminator: no output")?;
        let read = BufReader::new(stdout).read_line(&mut line);
        read.map_err(|error| format!("TLS terminator: {error}"))?;
        let port = line.trim().parse().map_err(|_| format!("TLS terminator said {line:?}"))?;
        Ok(Terminator { certificates, child, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
