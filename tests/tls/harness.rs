//! A client with TLS, a platform with a clock, files by name.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barepg::tls::{Files, Signer, Tls, TlsStorage, Validity};
use barepg::{Client, Config, Connection, ErrorKind, NoEntropy, Platform, Storage};
use barepg_testkit::pg::{Cluster, Options};
use barepg_testkit::pki::Workshop;

use crate::common::{Tcp, tcp};

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

    /// Connects over TCP and runs `f`; or why not, with the server's words.
    pub fn run<R>(
        &self,
        port: u16,
        f: impl FnOnce(&mut Connection<'_, '_, Tcp>) -> R,
    ) -> Result<R, (ErrorKind, String)> {
        self.run_sized::<4113, 1024, R>(port, f)
    }

    /// As [`run`](Self::run) with record buffers of these sizes.
    pub fn run_sized<const RX: usize, const TX: usize, R>(
        &self,
        port: u16,
        f: impl FnOnce(&mut Connection<'_, '_, Tcp>) -> R,
    ) -> Result<R, (ErrorKind, String)> {
        let mut storage = Storage::<512, 512>::new();
        let mut records = Box::new(TlsStorage::<RX, TX>::new());
        let mut client = Client::new(storage.buffers(), self.config, &self.machine)
            .with_tls(self.tls(&mut records));
        let result = client.connect(tcp(port)).map(|mut connection| {
            let result = f(&mut connection);
            if connection.is_usable() {
                connection.close().expect("the goodbye is sent");
            }
            result
        });
        result.map_err(|error| {
            assert!(!error.is_usable(), "{error}");
            let words = client.server_error().map(|e| e.message().to_string()).unwrap_or_default();
            (error.kind(), words)
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
        let (cert, key) = (workshop.path(chain, "crt"), workshop.path(key, "key"));
        let cert = cert.display().to_string();
        let refused = |log: String| log.matches("SSL configuration was not reloaded").count();
        let before = refused(self.cluster.log());
        self.set(&format!(
            "ssl_cert_file = '{cert}'\nssl_key_file = '{}'\nssl_ca_file = ''",
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
