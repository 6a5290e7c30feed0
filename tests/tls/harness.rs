//! A client with TLS, a platform with a clock, files by name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barepg::tls::{Files, Signer, Tls, TlsStorage, Validity};
use barepg::{Client, Config, Connection, Error, ErrorKind, NoEntropy, Platform, Storage};
use barepg_testkit::pg::{Cluster, Options};
use barepg_testkit::pki::{Spec, Workshop};

use crate::common::tcp;

/// The host, with a clock that can be set or missing.
pub struct Machine {
    pub time: Option<u64>,
    /// What its generator gives: `None` is the host's, `Some(Ok(byte))` that byte for ever.
    pub entropy: Option<Result<u8, NoEntropy>>,
}

impl Machine {
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self { time: Some(now), entropy: None }
    }
}

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        crate::common::Host.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        match self.entropy {
            None => crate::common::Host.entropy(buf),
            Some(stuck) => stuck.map(|byte| buf.fill(byte)),
        }
    }

    fn unix_time(&self) -> Option<u64> {
        self.time
    }
}

/// Files by name, in DER.
#[derive(Default)]
pub struct Table(HashMap<String, Vec<u8>>);

impl Table {
    pub fn with(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.0.insert(name.to_string(), bytes);
        self
    }

    /// A PEM file, decoded.
    pub fn with_pem(self, name: &str, path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut der = vec![0; barepg::tls::pem::decoded_len(&text).expect("PEM")];
        barepg::tls::pem::decode(&text, &mut der).expect("PEM");
        self.with(name, der)
    }
}

impl Files for Table {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// A way to connect: change what the test is about.
pub struct Setup<'a> {
    pub config: Config<'a>,
    pub files: &'a Table,
    pub machine: Machine,
    pub validity: Validity,
    pub signer: Option<&'a dyn Signer>,
}

impl<'a> Setup<'a> {
    pub fn new(config: Config<'a>, files: &'a Table) -> Self {
        Self { config, files, machine: Machine::now(), validity: Validity::Clock, signer: None }
    }

    /// Connects over TCP and runs `f`; or why not, with the server's message.
    pub fn run<R>(
        &self,
        port: u16,
        f: impl FnOnce(&mut Connection<'_, '_>) -> R,
    ) -> Result<R, (ErrorKind, String)> {
        self.run_sized::<4113, 1024, R>(port, f)
    }

    /// As [`run`](Self::run) with record buffers of these sizes.
    pub fn run_sized<const RX: usize, const TX: usize, R>(
        &self,
        port: u16,
        f: impl FnOnce(&mut Connection<'_, '_>) -> R,
    ) -> Result<R, (ErrorKind, String)> {
        let mut storage = Storage::<512, 512>::new();
        let mut records = Box::new(TlsStorage::<RX, TX>::new());
        let mut client = Client::new(storage.buffers(), &self.config, &self.machine)
            .with_tls(self.tls(&mut records));
        let result = client.connect(tcp(port)).map(|mut connection| {
            let result = f(&mut connection);
            if connection.is_usable() {
                connection.close().expect("Terminate is sent");
            }
            result
        });
        result.map_err(|error| {
            assert!(!error.is_usable(), "{error}");
            let message =
                client.server_error().map(|e| e.message().to_string()).unwrap_or_default();
            (error.kind(), message)
        })
    }

    pub fn tls<'t, const RX: usize, const TX: usize>(
        &'t self,
        records: &'t mut TlsStorage<RX, TX>,
    ) -> Tls<'t> {
        let tls = Tls::new(records).files(self.files).validity(self.validity);
        match self.signer {
            Some(signer) => tls.signer(signer),
            None => tls,
        }
    }

    /// The kind of error that connecting ends in.
    pub fn fails(&self, port: u16) -> ErrorKind {
        self.login(port).expect_err("the login must fail").0
    }

    /// The error that connecting with record buffers of these sizes ends in.
    pub fn refused<const RX: usize, const TX: usize>(&self, port: u16) -> Error {
        let mut storage = Storage::<512, 512>::new();
        let mut records = Box::new(TlsStorage::<RX, TX>::new());
        let mut client = Client::new(storage.buffers(), &self.config, &self.machine)
            .with_tls(self.tls(&mut records));
        client.connect(tcp(port)).expect_err("the login must fail")
    }

    /// Connects and says whether the server sees TLS.
    pub fn login(&self, port: u16) -> Result<bool, (ErrorKind, String)> {
        self.run(port, |c| {
            let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
            let tls = c.query_one(sql, ()).expect("a row").get::<bool>(0).expect("a boolean");
            assert_eq!(c.ssl_in_use(), tls);
            tls
        })
    }
}

/// The certificates of a server: what it sends, and the root to trust.
pub struct Chain {
    /// What signs in it, from the leaf up, and the name of its bundle.
    pub name: &'static str,
    /// The leaf, whose key the server has.
    pub leaf: &'static str,
    pub root: &'static str,
}

/// A chain with an intermediate of each kind of key, and mixed ones.
pub const CHAINS: [Chain; 4] = [
    Chain { name: "P-256", leaf: "ec", root: "root-ec" },
    Chain { name: "RSA", leaf: "rsa", root: "root-rsa" },
    Chain { name: "RSA under P-256", leaf: "rsa-ec", root: "root-ec" },
    Chain { name: "P-256 under RSA", leaf: "ec-rsa", root: "root-rsa" },
];

impl Chain {
    /// The root by the name that configurations here use.
    pub fn files(&self) -> Table {
        Table::default().with_pem("root.crt", &chains().path(self.root, "crt"))
    }
}

/// The workshop with the certificates of [`CHAINS`], and one for each client in it: a P-256 key
/// under either root, `<role>-<root>`.
pub fn chains() -> &'static Workshop {
    static CHAINS_MADE: OnceLock<Workshop> = OnceLock::new();
    CHAINS_MADE.get_or_init(|| {
        let w = Workshop::new();
        w.make(&Spec::root("root-ec", "/CN=EC Root"));
        w.make(&Spec { key: "rsa:2048", ..Spec::root("root-rsa", "/CN=RSA Root") });
        w.make(&Spec { issuer: Some("root-ec"), ..Spec::root("int-ec", "/CN=EC Intermediate") });
        w.make(&Spec {
            issuer: Some("root-rsa"),
            key: "rsa:3072",
            ..Spec::root("int-rsa", "/CN=RSA Intermediate")
        });
        w.make(&Spec::leaf("ec", "int-ec"));
        w.make(&Spec { key: "rsa:2048", ..Spec::leaf("rsa", "int-rsa") });
        w.make(&Spec { key: "rsa:2048", ..Spec::leaf("rsa-ec", "int-ec") });
        w.make(&Spec::leaf("ec-rsa", "int-rsa"));
        for (chain, int) in CHAINS.iter().zip(["int-ec", "int-rsa", "int-ec", "int-rsa"]) {
            w.bundle(chain.name, &[chain.leaf, int]);
        }
        for role in ["cert_user", "both_user", "other_user"] {
            for root in ["root-ec", "root-rsa"] {
                w.make(&Spec {
                    subject: &format!("/CN={role}"),
                    extensions: "basicConstraints=critical,CA:FALSE\n\
                        keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth",
                    ..Spec::leaf(&format!("{role}-{root}"), root)
                });
            }
        }
        w
    })
}

/// A cluster whose certificates a test changes.
pub struct Server {
    pub cluster: Cluster,
}

impl Server {
    pub fn start(major: u16, hba: &[&str]) -> Self {
        let extra_hba = hba.iter().map(|line| line.to_string()).collect();
        let options = Options { extra_hba, ..Options::major(major) };
        Self { cluster: Cluster::start(options) }
    }

    pub fn port(&self) -> u16 {
        self.cluster.port()
    }

    /// Makes the server use the certificates `chain` of a workshop, with the key of `key`, and no
    /// certificates beside them.
    pub fn present(&self, workshop: &Workshop, chain: &str, key: &str) {
        self.present_to(workshop, chain, key, "");
    }

    /// As [`present`](Self::present), with the authority `ca` of client certificates; there is
    /// none if that is empty.
    pub fn present_to(&self, workshop: &Workshop, chain: &str, key: &str, ca: &str) {
        let ca = match ca {
            "" => String::new(),
            name => workshop.path(name, "crt").display().to_string(),
        };
        let (cert, key) = (workshop.path(chain, "crt"), workshop.path(key, "key"));
        let cert = cert.display().to_string();
        let refused = |log: String| log.matches("SSL configuration was not reloaded").count();
        let before = refused(self.cluster.log());
        self.set(&format!(
            "ssl_cert_file = '{cert}'\nssl_key_file = '{}'\nssl_ca_file = '{ca}'",
            key.display()
        ));
        self.await_setting("ssl_cert_file", &cert);
        let log = self.cluster.log();
        assert_eq!(refused(log.clone()), before, "the server does not take {chain}: {log}");
    }

    pub fn set(&self, lines: &str) {
        self.cluster.append_conf(lines).unwrap();
        self.cluster.reload();
    }

    /// Waits until new sessions have a setting. The server reads all of its configuration,
    /// certificates included, before it starts another session.
    pub fn await_setting(&self, name: &str, value: &str) {
        let start = Instant::now();
        while self.cluster.psql("postgres", &format!("show {name}")) != value {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", self.cluster.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
