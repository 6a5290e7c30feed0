//! Any certificate that the `openssl` program can make, for tests of certificate checks. The
//! plain ones that a server needs are in [`certs`](crate::certs).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::account::Account;
use crate::provision;
use crate::scratch::Scratch;

/// A directory of keys and certificates, removed when dropped. Files are `<name>.key`,
/// `<name>.crt` (PEM) and `<name>.der`.
pub struct Workshop {
    scratch: Scratch,
    serial: AtomicU32,
}

/// One certificate to be made.
#[derive(Clone)]
pub struct Spec<'a> {
    /// Name of its files.
    pub name: &'a str,
    /// Subject, as `openssl req -subj` takes it.
    pub subject: &'a str,
    /// Name of the issuer's files; `None` signs with its own key.
    pub issuer: Option<&'a str>,
    /// `P-256`, `P-384`, `P-521`, `ed25519`, `rsa:2048` (options of `openssl genpkey` may follow), or `=other` to share the key of `other`.
    pub key: &'a str,
    /// Extensions, one `name=value` a line, as in a configuration file of OpenSSL. None at all
    /// makes an X.509 version 1 certificate.
    pub extensions: &'a str,
    /// Hash of the signature, as an option of `openssl`, with `-sigopt`s if there are any.
    pub sign: &'a str,
    /// First and last second of validity, `YYYYMMDDHHMMSSZ`. `None`: two days from now on.
    pub dates: Option<(&'a str, &'a str)>,
}

impl<'a> Spec<'a> {
    /// A version 3 root with a P-256 key.
    pub const fn root(name: &'a str, subject: &'a str) -> Self {
        Self {
            name,
            subject,
            issuer: None,
            key: "P-256",
            extensions: "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign",
            sign: "-sha256",
            dates: None,
        }
    }

    /// A server certificate with a P-256 key for `localhost` and 127.0.0.1.
    pub const fn leaf(name: &'a str, issuer: &'a str) -> Self {
        Self {
            name,
            subject: "/CN=not-a-host",
            issuer: Some(issuer),
            key: "P-256",
            extensions: "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
                extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1",
            sign: "-sha256",
            dates: None,
        }
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

impl Workshop {
    /// An empty directory. Panics if it cannot be made or `openssl` cannot be had.
    pub fn new() -> Self {
        provision::program("openssl", "openssl").unwrap_or_else(|error| panic!("{error}"));
        let scratch = Scratch::new("barepg-pki", "").expect("a temporary directory");
        Self { scratch, serial: AtomicU32::new(0x1000) }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The path of `<name>.<kind>`.
    pub fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.dir().join(format!("{name}.{kind}"))
    }

    /// The DER bytes of a certificate.
    pub fn der(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name, "der")).unwrap_or_else(|error| panic!("{name}.der: {error}"))
    }

    /// Makes a certificate, and its key if it is not shared. Panics with `openssl`'s message.
    pub fn make(&self, spec: &Spec) -> &Self {
        let Spec { name, subject, sign, .. } = spec;
        let key = match spec.key.strip_prefix('=') {
            Some(other) => other.to_string(),
            None => {
                self.key(name, spec.key);
                name.to_string()
            }
        };
        self.openssl(&["req", "-new", "-utf8", "-key", &format!("{key}.key")])
            .args(["-subj", subject, "-out", &format!("{name}.csr")])
            .run();
        fs::write(self.path(name, "ext"), spec.extensions).expect("write extensions");
        let issuer = spec.issuer.unwrap_or(name);
        if let Some((from, to)) = spec.dates {
            self.issue_dated(spec, &key, from, to);
        } else {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed).to_string();
            let mut run = self.openssl(&["x509", "-req", "-days", "2", "-in"]);
            run = run.args([&format!("{name}.csr"), "-set_serial", &serial]);
            run = match spec.issuer {
                None => run.args(["-signkey", &format!("{key}.key")]),
                Some(_) => {
                    let key = self.key_of(issuer);
                    run.args(["-CA", &format!("{issuer}.crt"), "-CAkey", &key])
                }
            };
            if !spec.extensions.is_empty() {
                run = run.args(["-extfile", &format!("{name}.ext")]);
            }
            run.args(sign.split_whitespace()).args(["-out", &format!("{name}.crt")]).run();
        }
        self.openssl(&["x509", "-in", &format!("{name}.crt"), "-outform", "DER", "-out"])
            .args([&format!("{name}.der")])
            .run();
        if key != *name {
            fs::copy(self.path(&key, "key"), self.path(name, "key")).expect("copy key");
            self.own_key(name);
        }
        self
    }

    /// Writes `<name>.crt` from the certificates of `parts`, in that order.
    pub fn bundle(&self, name: &str, parts: &[&str]) -> PathBuf {
        let read = |part: &&str| fs::read_to_string(self.path(part, "crt")).expect("certificate");
        let path = self.path(name, "crt");
        fs::write(&path, parts.iter().map(read).collect::<String>()).expect("write bundle");
        path
    }

    fn key(&self, name: &str, kind: &str) {
        let out = format!("{name}.key");
        let run = self.openssl(&["genpkey", "-out", &out, "-algorithm"]);
        match kind {
            "ed25519" => run.args(["ed25519"]).run(),
            kind if kind.starts_with("rsa:") => {
                let options = kind.replace("rsa:", "rsa_keygen_bits:");
                let options = options.split(' ').flat_map(|option| ["-pkeyopt", option]);
                run.args(["RSA"]).args(options).run();
            }
            curve => run.args(["EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")]).run(),
        }
    }

    fn key_of(&self, name: &str) -> String {
        format!("{name}.key")
    }

    /// Only `openssl ca` sets dates freely.
    fn issue_dated(&self, spec: &Spec, key: &str, from: &str, to: &str) {
        let name = spec.name;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let config = format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={name}.db\nserial={name}.srl\nnew_certs_dir=.\n\
             policy=p\nemail_in_dn=no\nunique_subject=no\ncopy_extensions=none\n[p]\n\
             commonName=optional\norganizationName=optional\n"
        );
        let write = |kind: &str, text: &str| {
            let path = self.path(name, kind);
            fs::write(&path, text).expect("write CA file");
            Account::for_servers().own(&path).expect("own CA file");
        };
        write("cnf", &config);
        write("db", "");
        write("srl", &format!("{serial:08X}\n"));
        let run = self
            .openssl(&["ca", "-batch", "-notext", "-config", &format!("{name}.cnf")])
            .args(["-in", &format!("{name}.csr"), "-out", &format!("{name}.crt")])
            .args(["-startdate", from, "-enddate", to, "-md", spec.sign.trim_start_matches('-')])
            .args(["-extfile", &format!("{name}.ext")]);
        match spec.issuer {
            None => run.args(["-selfsign", "-keyfile", &format!("{key}.key")]).run(),
            Some(issuer) => {
                let key = self.key_of(issuer);
                run.args(["-cert", &format!("{issuer}.crt"), "-keyfile", &key]).run();
            }
        }
    }

    fn own_key(&self, name: &str) {
        let path = self.path(name, "key");
        Account::for_servers().own(&path).expect("own key");
    }

    fn openssl(&self, arguments: &[&str]) -> Openssl {
        let mut command = Command::new("openssl");
        Account::for_servers().apply(&mut command, self.dir());
        command.args(arguments);
        Openssl(command)
    }
}

struct Openssl(Command);

impl Openssl {
    fn args<S: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.0.args(arguments);
        self
    }

    fn run(mut self) {
        provision::run(&mut self.0).unwrap_or_else(|error| panic!("{error}"));
    }
}
