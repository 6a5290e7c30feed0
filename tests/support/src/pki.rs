//! Any certificate that the `openssl` program can make, for tests of certificate checks. The
//! plain ones that a server needs are in [`certs`](crate::certs).

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::certs;
use crate::child::Process;
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
    /// `P-256`, `P-384`, `P-521`, `ed25519`, `ed448`, `rsa:2048` or `rsa-pss:2048` (options of
    /// `openssl genpkey` may follow), or `=other` to share the key of `other`.
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
    /// An empty directory. Panics if it cannot be made.
    pub fn new() -> Self {
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

    /// The paths of a certificate and its key, as programs take them.
    pub fn pair(&self, name: &str) -> [String; 2] {
        ["crt", "key"].map(|kind| self.path(name, kind).display().to_string())
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
        let file = |name: &str, kind: &str| format!("{name}.{kind}");
        let (key_file, csr, ext) = (file(&key, "key"), file(name, "csr"), file(name, "ext"));
        let request = ["req", "-new", "-utf8", "-key", &key_file, "-subj", subject, "-out", &csr];
        self.run(&[&request]);
        fs::write(self.path(name, "ext"), spec.extensions).expect("write extensions");
        let issuer = spec.issuer.unwrap_or(name);
        if let Some((from, to)) = spec.dates {
            self.issue_dated(spec, &key, from, to);
        } else {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed).to_string();
            let (crt, ca, ca_key) = (file(name, "crt"), file(issuer, "crt"), file(issuer, "key"));
            let by: &[&str] = match spec.issuer {
                None => &["-signkey", &key_file],
                Some(_) => &["-CA", &ca, "-CAkey", &ca_key],
            };
            let extensions: &[&str] =
                if spec.extensions.is_empty() { &[] } else { &["-extfile", &ext] };
            let sign: Vec<&str> = sign.split_whitespace().collect();
            let what = ["x509", "-req", "-days", "2", "-in", &csr, "-set_serial", &serial];
            self.run(&[&what, by, extensions, &sign, &["-out", &crt]]);
        }
        certs::in_der(self.dir(), name).unwrap_or_else(|error| panic!("{error}"));
        if key != *name {
            fs::copy(self.path(&key, "key"), self.path(name, "key")).expect("copy key");
            self.own_key(name);
        }
        self
    }

    /// Makes a certificate as `spec` says, but with these as the common names of its subject: types and bytes of
    /// strings that `openssl` makes of no text. Signed with ECDSA and SHA-256.
    pub fn make_named(&self, spec: &Spec, common_names: &[(u8, &[u8])]) -> &Self {
        let Spec { name, issuer, .. } = *spec;
        self.make(spec);
        let names = common_names.iter().map(|(tag, text)| {
            let name = [&[6, 3, 0x55, 4, 3][..], &element(*tag, text)].concat();
            element(0x31, &element(0x30, &name))
        });
        let subject = element(0x30, &names.collect::<Vec<_>>().concat());
        let (der, issuer) = (self.der(name), issuer.unwrap_or(name));
        let [to_sign, algorithm, _] = &elements(content(&der))[..] else { panic!("{name}: X.509") };
        // Version, serial number, algorithm, issuer, validity, subject, and the rest.
        let mut fields = elements(content(to_sign));
        fields[5] = &subject;
        let to_sign = element(0x30, &fields.concat());
        fs::write(self.path(name, "tbs"), &to_sign).expect("write what is signed");
        self.openssl(&format!("dgst -sha256 -sign {issuer}.key -out {name}.sig {name}.tbs"));
        let signature = fs::read(self.path(name, "sig")).expect("read signature");
        let signature = element(3, &[&[0][..], &signature].concat());
        let der = element(0x30, &[&to_sign[..], algorithm, &signature].concat());
        fs::write(self.path(name, "der"), der).expect("write certificate");
        self.openssl(&format!("x509 -inform DER -in {name}.der -out {name}.crt"));
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
        let options = match kind {
            "ed25519" | "ed448" => kind.to_string(),
            kind if kind.starts_with("rsa") => {
                let (kind, options) = kind.split_once(':').expect("bits of the key");
                let options = options.replace(' ', " -pkeyopt ");
                format!("{} -pkeyopt rsa_keygen_bits:{options}", kind.to_uppercase())
            }
            curve => format!("EC -pkeyopt ec_paramgen_curve:{curve}"),
        };
        self.openssl(&format!("genpkey -out {out} -algorithm {options}"));
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
        let by = match spec.issuer {
            None => format!("-selfsign -keyfile {key}.key"),
            Some(issuer) => format!("-cert {issuer}.crt -keyfile {issuer}.key"),
        };
        let hash = spec.sign.trim_start_matches('-');
        self.openssl(&format!(
            "ca -batch -notext -config {name}.cnf -in {name}.csr -out {name}.crt -startdate {from} \
             -enddate {to} -md {hash} -extfile {name}.ext {by}"
        ));
    }

    fn own_key(&self, name: &str) {
        let path = self.path(name, "key");
        Account::for_servers().own(&path).expect("own key");
    }

    /// Runs `openssl` in the directory, and returns what it printed. The arguments are separated by spaces. Panics
    /// with its message.
    pub fn openssl(&self, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        certs::openssl(self.dir(), &words).unwrap_or_else(|error| panic!("{error}"))
    }

    fn run(&self, arguments: &[&[&str]]) {
        let words = arguments.concat();
        certs::openssl(self.dir(), &words).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// An element of DER, of less than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).expect("a short element").to_be_bytes();
    let length: &[u8] = match (high, low) {
        (0, 0..=0x7f) => &[low],
        (0, _) => &[0x81, low],
        _ => &[0x82, high, low],
    };
    [&[tag], length, content].concat()
}

/// Bytes of the header and of the content of the first element.
fn lengths(der: &[u8]) -> (usize, usize) {
    match der[1] {
        0x82 => (4, usize::from(der[2]) << 8 | usize::from(der[3])),
        0x81 => (3, usize::from(der[2])),
        length => (2, usize::from(length)),
    }
}

/// What is in the first element.
fn content(der: &[u8]) -> &[u8] {
    let (header, content) = lengths(der);
    &der[header..header + content]
}

/// The elements of a content, whole.
fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (header, content) = lengths(der);
        let (whole, rest) = der.split_at(header + content);
        found.push(whole);
        der = rest;
    }
    found
}

/// Starts `openssl s_server` with a [pair](Workshop::pair) and more arguments, its standard input and output pipes, and
/// connects to it: this is the first connection that it serves.
///
/// # Errors
/// It does not run, or nothing listens within 20 seconds.
pub fn s_server(
    [certificate, key]: &[String; 2],
    arguments: &[&str],
) -> Result<(Process, TcpStream), String> {
    /// The program names no port that it chose itself, so it is given one that was free a moment ago: two at a time
    /// might be given the same.
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock().map_err(|error| error.to_string())?;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let address = free.map_err(|error| error.to_string())?;
    let mut command = Command::new("openssl");
    command.args(["s_server", "-quiet", "-accept", &address.to_string()]);
    command.args(["-cert", certificate, "-key", key]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let program = Process::start(&mut command)?;
    let begun = Instant::now();
    loop {
        match TcpStream::connect(address) {
            // Where nothing listens yet, a socket can be connected to itself.
            Ok(stream) if stream.local_addr().is_ok_and(|own| own != address) => {
                return Ok((program, stream));
            }
            Err(error) if begun.elapsed() > Duration::from_secs(20) => {
                return Err(format!("openssl s_server: {error}"));
            }
            _ => sleep(Duration::from_millis(2)),
        }
    }
}
