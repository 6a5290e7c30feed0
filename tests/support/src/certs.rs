//! Certificates for tests, made by the `openssl` program when a server starts and never checked
//! in: a certificate in a repository makes its tests fail on the day it expires.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::provision;

/// A certificate authority with a P-256 key, and the certificates it issued, in one directory.
/// Each certificate is `<name>.crt` (PEM) and `<name>.der`, its key `<name>.key` (PEM, PKCS #8);
/// the authority's own are called `ca`.
#[derive(Debug, Clone)]
pub struct Authority {
    dir: PathBuf,
}

impl Authority {
    /// Makes an authority in `dir`, which must exist and belong to the servers' account.
    pub fn new(dir: &Path, common_name: &str) -> Result<Authority, String> {
        let authority = Authority { dir: dir.to_path_buf() };
        authority.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key")?;
        authority.openssl(&format!(
            "req -x509 -new -key ca.key -sha256 -days 2 -subj /CN={common_name} -out ca.crt \
             -addext basicConstraints=critical,CA:TRUE \
             -addext keyUsage=critical,keyCertSign,cRLSign"
        ))?;
        in_der(dir, "ca")?;
        Ok(authority)
    }

    /// An authority whose files are in `dir` already.
    pub fn existing(dir: &Path) -> Authority {
        Authority { dir: dir.to_path_buf() }
    }

    /// Issues a certificate for a P-256 key. `names` are subject alternative names as OpenSSL
    /// writes them (`DNS:localhost`, `IP:127.0.0.1`); `usage` is `serverAuth` or `clientAuth`.
    pub fn issue(&self, name: &str, names: &[&str], usage: &str) -> Result<(), String> {
        let mut extensions = format!(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
             extendedKeyUsage={usage}\n"
        );
        if !names.is_empty() {
            extensions.push_str(&format!("subjectAltName={}\n", names.join(",")));
        }
        self.issue_with(name, "EC -pkeyopt ec_paramgen_curve:P-256", &extensions)
    }

    /// Issues a certificate with any key (`EC -pkeyopt …`, `RSA -pkeyopt rsa_keygen_bits:2048`)
    /// and any extensions, one `name=value` a line as in an OpenSSL configuration file.
    pub fn issue_with(&self, name: &str, key: &str, extensions: &str) -> Result<(), String> {
        let config = self.path(&format!("{name}.ext"));
        fs::write(&config, extensions).map_err(|error| format!("{}: {error}", config.display()))?;
        self.openssl(&format!("genpkey -algorithm {key} -out {name}.key"))?;
        self.openssl(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"))?;
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 2 \
             -extfile {name}.ext -out {name}.crt"
        ))?;
        in_der(&self.dir, name)
    }

    /// The path of a file of this authority: `ca.crt`, `server.key`, …
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// Runs `openssl` in the authority's directory as the servers' account. The arguments are
    /// separated by spaces.
    pub fn openssl(&self, arguments: &str) -> Result<(), String> {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        openssl(&self.dir, &words).map(drop)
    }
}

/// Runs `openssl` in a directory as the servers' account, to whom the directory must belong. Returns what it
/// printed.
pub fn openssl(dir: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(provision::program("openssl", "openssl")?);
    command.args(arguments);
    Account::for_servers().apply(&mut command, dir);
    provision::run(&mut command)
}

/// Makes `<name>.der` of `<name>.crt`.
pub fn in_der(dir: &Path, name: &str) -> Result<(), String> {
    let (from, to) = (format!("{name}.crt"), format!("{name}.der"));
    openssl(dir, &["x509", "-in", &from, "-outform", "DER", "-out", &to]).map(drop)
}
