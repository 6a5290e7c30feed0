//! TLS before the front: certificates as openGauss's manual has them made, and OpenSSL, which is
//! what openGauss links, in a small Python program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::certs;
use crate::child::Process;
use crate::provision;
use crate::scratch::Scratch;

/// The longest that the terminator may take to begin.
const LIMIT: Duration = Duration::from_secs(60);

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
        certs::in_der(self.scratch.path(), name)
    }

    fn make() -> Result<Certificates, String> {
        let scratch =
            Scratch::new("barepg-gauss", "").map_err(|error| format!("directory: {error}"))?;
        let made = Certificates { scratch };
        made.openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.crt -subj /CN=gauss-ca",
        )?;
        certs::in_der(made.scratch.path(), "ca")?;
        made.issue("server", SERVER_NAME, "genpkey -algorithm RSA")?;
        made.issue(
            "cert_user",
            "cert_user",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
        )?;
        Ok(made)
    }

    fn openssl(&self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        certs::openssl(self.scratch.path(), &words).map(drop)
    }
}

/// The running terminator; ends when dropped or when this process does.
pub(super) struct Terminator {
    certificates: Certificates,
    _process: Process,
    port: u16,
}

impl Terminator {
    /// Starts it. Plain sessions go to `inner`, a port of the loopback interface.
    pub(super) fn start(inner: u16) -> Result<Terminator, String> {
        let python = provision::program("python3", "python3")?;
        let certificates = Certificates::make()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gauss/tls.py");
        let mut command = Command::new(python);
        command.arg(script).arg(certificates.path("server.crt"));
        command.arg(certificates.path("server.key")).arg(certificates.path("ca.crt"));
        command.arg(inner.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let port = process.port(LIMIT).map_err(|error| format!("TLS terminator: {error}"))?;
        Ok(Terminator { certificates, _process: process, port })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}
