//! The server, the files to choose from, and the clients.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use barepg_testkit::account::Account;
use barepg_testkit::child::{children, signal};
use barepg_testkit::pg::{Cluster, Options, StopMode};
use barepg_testkit::pki::{Spec, Workshop};
use barepg_testkit::provision;
use barepg_testkit::scratch::Scratch;

use crate::table::{Content, Setup};

/// From here on a client counts as hanging. Each set-up asks for a `connect_timeout` of less, which a signature by RSA of
/// 4096 bits on a busy machine needs, for the driver is not optimised here.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for libpq where it is known to hang.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What is asked once connected: user, database, TLS, client certificate.
const QUESTION: &str = "select current_user || ' ' || current_database() || ' ' || \
    case when ssl then 'tls' else 'plain' end || coalesce(' ' || client_dn, '') \
    from pg_stat_ssl where pid = pg_backend_pid()";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Libpq15,
    Libpq18,
    Barepg,
}

impl Client {
    pub const ALL: [Self; 3] = [Self::Libpq15, Self::Libpq18, Self::Barepg];
}

#[derive(Debug)]
pub enum Outcome {
    /// The answer to [`QUESTION`].
    Connected(String),
    /// What the client said.
    Failed(String),
    Hangs,
}

impl Outcome {
    pub fn connected(&self) -> Option<&str> {
        match self {
            Self::Connected(answer) => Some(answer),
            _ => None,
        }
    }
}

pub struct World {
    cluster: Cluster,
    /// Without TLS, and with a UNIX socket in `/tmp`, but in no directory of a system's.
    plain: Cluster,
    /// With TLS, and asks for no client certificate.
    unasking: Cluster,
    /// Files that set-ups copy.
    store: Scratch,
    psql: PathBuf,
    count: AtomicUsize,
}

impl World {
    pub fn new() -> Self {
        let extra_conf = vec![String::from("authentication_timeout = 60")];
        let cluster = Cluster::start(Options { extra_conf, ..Options::major(15) });
        // Where the two versions of libpq look when no host is given.
        let own = cluster.socket_dir();
        let sockets = format!("{}, /tmp, /var/run/postgresql", own.display());
        cluster.append_conf(&format!("unix_socket_directories = '{sockets}'")).expect("a setting");
        cluster.restart(StopMode::Fast);
        let plain = Cluster::start(Options { ssl: false, ..Options::major(15) });
        let sockets = format!("{}, /tmp", plain.socket_dir().display());
        plain.append_conf(&format!("unix_socket_directories = '{sockets}'")).expect("a setting");
        plain.restart(StopMode::Fast);
        let unasking = Cluster::start(Options {
            extra_conf: vec![String::from("ssl_ca_file = ''")],
            ..Options::major(15)
        });
        let store = Scratch::new("barepg-setups", "").expect("a directory");
        let psql = provision::client("psql").expect("psql");
        if !Path::new(SYSTEM_ROOTS).exists() {
            provision::apt("the system's roots", &["ca-certificates"]).expect("they are installed");
        }
        let world = Self { cluster, plain, unasking, store, psql, count: AtomicUsize::new(0) };
        world.make_store();
        world
    }

    /// Whether files of another owner can be made.
    pub fn is_root(&self) -> bool {
        fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
    }

    /// What a set-up copies, by name, and the clients' programs and libraries, where the clients'
    /// user can read them.
    fn make_store(&self) {
        let authority = self.cluster.authority();
        let workshop = Workshop::new();
        workshop.make(&Spec::root("other", &format!("/CN={NAME}")));
        authority.issue("scram_user", &[], "clientAuth").expect("a certificate");
        authority.openssl("ec -in cert_user.key -out cert_user.sec1").expect("SEC1");
        authority.openssl("ecparam -name prime256v1 -out params").expect("parameters");
        authority.openssl("pkey -in cert_user.key -outform DER -out cert_user.key.der").unwrap();
        authority
            .openssl("pkcs8 -topk8 -in cert_user.key -passout pass:secret -out cert_user.enc")
            .expect("an encrypted key");
        for (name, kind) in [
            ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
            ("rsa4096", "RSA -pkeyopt rsa_keygen_bits:4096"),
            ("p384", "EC -pkeyopt ec_paramgen_curve:P-384"),
            ("p521", "EC -pkeyopt ec_paramgen_curve:P-521"),
            ("ed25519", "ed25519"),
        ] {
            let usage = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n";
            let csr = format!("req -new -key {name}.key -subj /CN=cert_user -out {name}.csr");
            authority.issue_with(name, kind, usage).expect("a certificate");
            authority.openssl(&csr).expect("a request");
            authority
                .openssl(&format!(
                    "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
                     -extfile {name}.ext -out {name}.crt"
                ))
                .expect("a certificate for cert_user");
        }
        let by = "-passout pass:secret -out";
        for command in [
            format!("rsa -in rsa.key -traditional {} rsa.old", "-out"),
            String::from("pkey -in rsa.key -outform DER -out rsa.der"),
            String::from("rsa -in rsa.key -traditional -outform DER -out rsa.old.der"),
            format!("pkcs8 -topk8 -in rsa.key {by} rsa.enc"),
            format!("pkcs8 -topk8 -in rsa.key -outform DER {by} rsa.enc.der"),
            format!("pkcs8 -topk8 -in p384.key -v2 aes-128-cbc -v2prf hmacWithSHA1 {by} p384.enc"),
            String::from("genpkey -algorithm ed25519 -out ed25519.other"),
            String::from("pkey -in ed25519.key -outform DER -out ed25519.der"),
            format!("pkcs8 -topk8 -in ed25519.key {by} ed25519.enc"),
            format!("pkcs8 -topk8 -in cert_user.key -v2 aes192 -iter 100000 {by} iterated.enc"),
            format!("pkcs8 -topk8 -in cert_user.key -v2 des3 {by} des3.enc"),
            format!("pkcs8 -topk8 -in cert_user.key -scrypt {by} scrypt.enc"),
            format!("pkcs8 -topk8 -in cert_user.key -v1 PBE-SHA1-3DES {by} v1.enc"),
            format!("rsa -in rsa.key -traditional -aes256 {by} aes256.old"),
            format!("rsa -in rsa.key -traditional -aes128 {by} aes128.old"),
            format!("ec -in cert_user.key -aes192 {by} aes192.old"),
            format!("ec -in cert_user.key -des3 {by} des3.old"),
        ] {
            authority.openssl(&command).expect("a key");
        }
        fs::write(
            authority.path("crl.cnf"),
            "[ca]\ndefault_ca=d\n[d]\ndatabase=crl.db\ncrlnumber=crl.number\ndefault_md=sha256\n\
             certificate=ca.crt\nprivate_key=ca.key\n",
        )
        .expect("a file");
        for (file, text) in [("crl.db", ""), ("crl.number", "01\n")] {
            fs::write(authority.path(file), text).expect("a file");
            Account::for_servers().own(&authority.path(file)).expect("own");
        }
        let crl = "ca -config crl.cnf -gencrl -crldays 2 -out";
        authority.openssl(&format!("{crl} empty.crl")).expect("a CRL");
        authority.openssl("ca -config crl.cnf -revoke server.crt").expect("revoked");
        authority.openssl(&format!("{crl} revoked.crl")).expect("a CRL");

        let read = |name: &str| fs::read(authority.path(name)).expect(name);
        for name in [
            "rsa.crt",
            "rsa.key",
            "rsa.der",
            "rsa.old",
            "rsa.old.der",
            "rsa.enc",
            "rsa.enc.der",
            "rsa4096.crt",
            "rsa4096.key",
            "p384.crt",
            "p384.key",
            "p384.enc",
            "ed25519.crt",
            "ed25519.key",
            "ed25519.der",
            "ed25519.enc",
            "ed25519.other",
            "p521.crt",
            "p521.key",
            "iterated.enc",
            "des3.enc",
            "scrypt.enc",
            "v1.enc",
            "aes256.old",
            "aes128.old",
            "aes192.old",
            "des3.old",
        ] {
            fs::write(self.stored(name), read(name)).expect("a file");
            let open = Permissions::from_mode(0o644);
            fs::set_permissions(self.stored(name), open).expect("readable");
        }
        let key = read("cert_user.key");
        let certificate = read("cert_user.crt");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for (name, bytes) in [
            ("root", read("ca.crt")),
            ("root.der", read("ca.der")),
            ("other", fs::read(workshop.path("other", "crt")).expect("other")),
            ("crt", certificate.clone()),
            ("crt.der", read("cert_user.der")),
            ("scram.crt", read("scram_user.crt")),
            ("scram.key", read("scram_user.key")),
            ("key", key.clone()),
            ("key.der", read("cert_user.key.der")),
            ("key.enc", read("cert_user.enc")),
            ("sec1", read("cert_user.sec1")),
            ("params", read("params")),
            ("other.key", fs::read(workshop.path("other", "key")).expect("other.key")),
            ("empty.crl", read("empty.crl")),
            ("revoked.crl", read("revoked.crl")),
            ("crt.crlf", text(&certificate).replace('\n', "\r\n").into_bytes()),
            ("key.crlf", text(&key).replace('\n', "\r\n").into_bytes()),
            ("crt.cut", certificate[..certificate.len() / 2].to_vec()),
            ("key.cut", key[..key.len() / 2].to_vec()),
            ("root.cut", {
                let root = read("ca.crt");
                root[..root.len() / 2].to_vec()
            }),
            (
                "trusted",
                text(&read("ca.crt")).replace("CERTIFICATE", "X509 CERTIFICATE").into_bytes(),
            ),
            ("root.crlf", text(&read("ca.crt")).replace('\n', "\r\n").into_bytes()),
            ("root.cr", text(&read("ca.crt")).replace('\n', "\r").into_bytes()),
            ("root.utf16", {
                let units = text(&read("ca.crt"));
                let units = units.encode_utf16().flat_map(u16::to_le_bytes);
                [0xff, 0xfe].into_iter().chain(units).collect()
            }),
            ("root.thousand", read("ca.crt").repeat(1000)),
            ("thousand", thousand(&workshop.der("other"), |n| format!("other-{n:08}"))),
            ("namesakes", thousand(&workshop.der("other"), |_| NAME.to_string())),
            ("bom", b"\xef\xbb\xbf".to_vec()),
            ("word", b"root: ".to_vec()),
            ("nul", vec![0]),
            ("long.line", [&[b'x'; 5000][..], b"\n"].concat()),
            ("spaced", text(&certificate).replace('\n', " \n").into_bytes()),
            ("empty", Vec::new()),
            ("blank", b"\n\n \n".to_vec()),
            (
                "garbage",
                (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect(),
            ),
            ("words", b"There is no certificate in here.\n".repeat(20)),
            (
                "badbase64",
                b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n".to_vec(),
            ),
            (
                "notder",
                b"-----BEGIN CERTIFICATE-----\nAQIDBAUGBwg=\n-----END CERTIFICATE-----\n".to_vec(),
            ),
            ("long", b"x".repeat(5000)),
            ("anyone", b"*:*:*:*:scram_user_pw\n".to_vec()),
            ("wide", [b"*:*:*:*:".as_slice(), &b"x".repeat(3000)].concat()),
            ("filler", [b"# ".as_slice(), &b"x".repeat(2000), b"\n"].concat().repeat(40)),
        ] {
            let path = self.stored(name);
            fs::write(&path, bytes).expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("readable");
        }

        let libpq = provision::libpq(18).expect("libpq 18");
        fs::create_dir(self.stored("lib18")).expect("a directory");
        for library in fs::read_dir(libpq.parent().expect("a directory")).expect("libraries") {
            let library = library.expect("a library").path();
            let name = library.file_name().expect("a name").to_string_lossy().into_owned();
            if ["libpq.so.5", "libssl", "libcrypto"].iter().any(|start| name.starts_with(start)) {
                fs::copy(&library, self.stored("lib18").join(name)).expect("copy");
            }
        }
        fs::copy(example("sql"), self.stored("sql")).expect("copy");
    }

    fn stored(&self, name: &str) -> PathBuf {
        self.store.path().join(name)
    }

    /// What a client makes of a set-up, in a home directory of its own.
    pub fn try_with(&self, setup: &Setup, client: Client) -> Outcome {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let home = self.stored(&format!("home-{number}"));
        make_dir(&home);
        for (path, content, mode) in &setup.files {
            self.put(&home.join(path), content, *mode);
        }
        for path in &setup.roots {
            let path = home.join(path);
            std::os::unix::fs::chown(&path, Some(0), Some(group())).expect("chown");
        }
        for (path, mode) in &setup.modes {
            fs::set_permissions(home.join(path), Permissions::from_mode(*mode)).expect("chmod");
        }
        let mut command = self.command(client);
        Account::for_servers().apply(&mut command, &home);
        if client == Client::Libpq18 {
            command.env("LD_LIBRARY_PATH", self.stored("lib18"));
        }
        for (name, value) in &setup.variables {
            match *value {
                "-" => command.env_remove(name),
                value => command.env(name, self.fill(value, &home)),
            };
        }
        let text = self.fill(&setup.conninfo, &home);
        match client {
            Client::Barepg => command.args([&text, QUESTION]),
            _ => command.args(["-X", "-w", "-A", "-t", "-d", &text, "-c", QUESTION]),
        };
        let short = setup.hangs && client != Client::Barepg;
        run(command, if short { SHORT_PATIENCE } else { PATIENCE })
    }

    fn command(&self, client: Client) -> Command {
        // In a session of its own there is no terminal that OpenSSL could ask for a passphrase.
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(match client {
            Client::Barepg => self.stored("sql"),
            _ => self.psql.clone(),
        });
        command
    }

    fn fill(&self, text: &str, home: &Path) -> String {
        let scram = "user=scram_user password=scram_user_pw";
        let to = "host=localhost hostaddr=127.0.0.1 port={P} dbname=test connect_timeout=40";
        text.replace("{scram}", &format!("{to} {scram}"))
            .replace("{cert}", &format!("{to} user=cert_user"))
            .replace("{unasking}", &format!("{} {scram}", to.replace("{P}", "{U}")))
            .replace("{plain}", &format!("{} {scram}", to.replace("{P}", "{Q}")))
            .replace("{to}", to)
            .replace("{P}", &self.cluster.port().to_string())
            .replace("{Q}", &self.plain.port().to_string())
            .replace("{U}", &self.unasking.port().to_string())
            .replace("{H}", &home.display().to_string())
            .replace("{F}", &self.store.path().display().to_string())
    }

    fn put(&self, path: &Path, content: &Content, mode: u32) {
        let parent = path.parent().expect("a parent");
        if !parent.exists() {
            make_dir(parent);
        }
        let read = |name: &str| fs::read(self.stored(name)).expect(name);
        match content {
            Content::Copy(names) => {
                fs::write(path, names.iter().flat_map(|name| read(name)).collect::<Vec<u8>>())
                    .expect("write");
            }
            Content::System(more) => {
                let roots = fs::read(SYSTEM_ROOTS).expect("system roots");
                fs::write(path, [roots, read(more)].concat()).expect("write");
            }
            Content::Text(text) => fs::write(path, self.fill(text, parent)).expect("write"),
            Content::Bytes(bytes) => fs::write(path, bytes).expect("write"),
            Content::Directory => return make_dir(path),
            Content::Fifo => {
                provision::run(Command::new("mkfifo").arg(path)).expect("mkfifo");
            }
            Content::Link(to) => {
                return symlink(self.fill(to, parent), path).expect("symlink");
            }
        }
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
        Account::for_servers().own(path).expect("own");
    }
}

fn make_dir(path: &Path) {
    fs::create_dir(path).expect("a directory");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("chmod");
    Account::for_servers().own(path).expect("own");
}

/// The group of the servers' account.
fn group() -> u32 {
    let probe = Scratch::new("barepg-group", "").expect("a directory");
    fs::metadata(probe.path()).expect("metadata").gid()
}

fn run(mut command: Command, patience: Duration) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the client runs");
    let start = Instant::now();
    while child.try_wait().expect("a status").is_none() {
        if start.elapsed() > patience {
            // `setsid` leads no group; its child is the session's only process.
            signal("KILL", &children(child.id()));
            let _ = child.kill();
            let _ = child.wait();
            return Outcome::Hangs;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    match output.status.success() {
        // `sql` prints a table: the answer is its third line.
        true => {
            let out = text(&output.stdout);
            let line = out.lines().nth(2).unwrap_or(&out).trim().to_string();
            Outcome::Connected(line)
        }
        false => Outcome::Failed(text(&output.stderr)),
    }
}

/// One of the examples, built before its first use.
fn example(name: &str) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--examples", "--all-features"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(command.status().expect("cargo runs").success(), "the examples do not build");
    let this = std::env::current_exe().expect("the path of this test");
    this.ancestors().nth(2).expect("a profile's directory").join("examples").join(name)
}

/// The name of the servers' authority, and of another.
const NAME: &str = "barepg-test-ca";

/// A thousand certificates in PEM that are alike but for their name, of the same length, and the end of their
/// signature, which no one checks of a root.
fn thousand(der: &[u8], name: impl Fn(u16) -> String) -> Vec<u8> {
    let mut pem = String::new();
    let places: Vec<usize> =
        (0..der.len()).filter(|at| der[*at..].starts_with(NAME.as_bytes())).collect();
    assert_eq!(places.len(), 2, "issuer and subject");
    for n in 0..1000_u16 {
        let mut der = der.to_vec();
        let end = der.len() - 2;
        der[end..].copy_from_slice(&n.to_be_bytes());
        for &at in &places {
            der[at..at + NAME.len()].copy_from_slice(name(n).as_bytes());
        }
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        for line in base64(&der).as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line).expect("ASCII"));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word: u32, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => out.push(DIGITS[(word >> (18 - 6 * digit)) as usize & 63].into()),
                false => out.push('='),
            }
        }
    }
    out
}
