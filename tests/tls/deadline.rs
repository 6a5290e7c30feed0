//! Chains that are made to be expensive: the deadline and the watchdog are looked after while
//! they are computed on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use barepg::tls::{Tls, TlsStorage};
use barepg::transport::Transport;
use barepg::{Client, Config, Connection, ErrorKind, NoEntropy, Platform, SslMode, Storage};
use barepg_testkit::pki::{Spec, Workshop};
use embedded_io::{ErrorType, Read, ReadReady, Write};

use crate::common::{role, tcp};
use crate::harness::{Machine, Server, Table};
use crate::rogue::{Identity, Step, WHOLE, serve, signing_key};

const DEADLINE: u32 = 100;
/// No deadline, for what it is measured against.
const LONG: u32 = 30_000;
/// What may pass after the deadline.
const LATE: Duration = Duration::from_millis(150);
/// Longest time without a call of [`Platform::idle`]: far below any watchdog's. On a Cortex-M3 the
/// board's test counts instructions.
const GAP: Duration = Duration::from_millis(60);

/// The host, which notes when it was called.
struct Watched {
    machine: Machine,
    last: Cell<Instant>,
    longest: Cell<Duration>,
    calls: Cell<u32>,
}

impl Watched {
    fn new() -> Self {
        Self {
            machine: Machine::now(),
            last: Cell::new(Instant::now()),
            longest: Cell::new(Duration::ZERO),
            calls: Cell::new(0),
        }
    }

    /// Connects with `RX` bytes for received records and runs `f`: how that ended, and how long it took.
    fn connect<const RX: usize, T: Transport>(
        &self,
        config: &Config<'_>,
        files: &Table,
        transport: T,
        f: impl FnOnce(&mut Connection) -> barepg::Result<()>,
    ) -> (Result<(), ErrorKind>, Duration) {
        let mut storage = Storage::<512, 512>::new();
        let mut records = Box::new(TlsStorage::<RX, 1024>::new());
        let mut client = Client::new(storage.buffers(), config, self)
            .with_tls(Tls::new(&mut records).files(files));
        self.last.set(Instant::now());
        let begun = Instant::now();
        let met = client.connect(transport).and_then(|mut connection| f(&mut connection));
        (met.map_err(|error| error.kind()), begun.elapsed())
    }
}

impl Platform for Watched {
    fn now_ms(&self) -> u64 {
        self.machine.now_ms()
    }

    fn idle(&self) {
        let now = Instant::now();
        self.longest.set(self.longest.get().max(now - self.last.replace(now)));
        self.calls.set(self.calls.get() + 1);
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.machine.entropy(buf)
    }

    fn unix_time(&self) -> Option<u64> {
        self.machine.unix_time()
    }
}

/// A leaf below four authorities and a root, all with one key of the authority's.
fn chain(w: &Workshop, label: &str, key: &str, sign: &str) -> (Identity, Vec<u8>) {
    let root = format!("{label}-0");
    w.make(&Spec { key, sign, ..Spec::root(&root, &format!("/CN={root}")) });
    let shared = format!("={root}");
    for n in 1..=4 {
        let (name, issuer) = (format!("{label}-{n}"), format!("{label}-{}", n - 1));
        let subject = format!("/CN={name}");
        w.make(&Spec { key: &shared, issuer: Some(&issuer), sign, ..Spec::root(&name, &subject) });
    }
    let leaf = format!("{label}-leaf");
    w.make(&Spec { sign, ..Spec::leaf(&leaf, &format!("{label}-4")) });
    let mut chain = vec![w.der(&leaf)];
    chain.extend((1..=4).rev().map(|n| w.der(&format!("{label}-{n}"))));
    (Identity { chain, key: signing_key(w, &leaf) }, w.der(&root))
}

#[test]
fn expensive_chains_end_at_the_deadline() {
    let w = Workshop::new();
    let large = "rsa:4096 rsa_keygen_pubexp:4294967295";
    for (label, key, sign) in
        [("P-384", "P-384", "-sha384"), ("RSA", "rsa:4096", "-sha512"), ("e", large, "-sha512")]
    {
        let (identity, root) = chain(&w, label, key, sign);
        let files = Table::default().with("root.crt", root);
        // Others may be using this machine: the best of a few counts.
        let mut seen = Vec::new();
        let mut shortest = Duration::MAX;
        for turn in 0..8 {
            // A fast machine is done before the deadline: then half of what it takes is one.
            let half = u32::try_from(shortest.as_millis() / 2).unwrap_or(u32::MAX);
            let timeout = if turn < 3 { LONG } else { DEADLINE.min(half.max(1)) };
            let script = vec![
                Step::Hello,
                Step::Extensions,
                Step::Certificate,
                Step::Verify(0x0403, identity.key.clone()),
                Step::Finished,
                Step::LetIn,
                Step::Wait,
            ];
            let (port, thread) = serve(identity.clone(), b"S", script, WHOLE);
            let config = Config::new()
                .user("user")
                .host("localhost")
                .sslmode(SslMode::VerifyFull)
                .sslrootcert("root.crt")
                .connect_timeout_ms(timeout);
            let platform = Watched::new();
            let (result, took) =
                platform.connect::<16640, _>(&config, &files, tcp(port), |_| Ok(()));
            let (calls, longest) = (platform.calls.get(), platform.longest.get());
            let _ = thread.join();
            println!(
                "{label}, {timeout} ms: {result:?} in {took:?}, {calls} calls, {longest:?} apart"
            );
            if timeout == LONG {
                assert_eq!(result, Ok(()), "{label}");
                assert!(calls > 60, "{label}: {calls} calls");
                shortest = shortest.min(took);
            } else {
                assert!(matches!(result, Ok(()) | Err(ErrorKind::TimedOut)), "{label} {result:?}");
                seen.push((took, longest, result.is_err()));
            }
        }
        let latest = Duration::from_millis(DEADLINE.into()) + LATE;
        assert!(seen.iter().any(|(took, ..)| *took < latest), "{label}: {seen:?}");
        assert!(seen.iter().any(|(_, longest, _)| *longest < GAP), "{label}: {seen:?}");
        // RSA of the usual exponent is done in time, or nearly.
        assert!(label == "RSA" || seen.iter().any(|(.., ended)| *ended), "{label}: {seen:?}");
    }
}

/// A record of which there is always a little more, in the handshake and after it: each part of it is a
/// turn of waiting.
#[test]
fn a_record_in_drips_gets_no_more_time() {
    let w = Workshop::new();
    w.make(&Spec::root("root", "/CN=Root"));
    w.make(&Spec::leaf("leaf", "root"));
    let identity = Identity { chain: vec![w.der("leaf")], key: signing_key(&w, "leaf") };
    let right = [
        Step::Hello,
        Step::Extensions,
        Step::Certificate,
        Step::Verify(0x0403, identity.key.clone()),
        Step::Finished,
        Step::LetIn,
    ];
    let files = Table::default();
    for (steps, kind) in [(0, 22), (1, 23), (6, 23)] {
        let record = [&[kind, 3, 3, 0x0f, 0xa0][..], &[2; 4000]].concat();
        let script = [&right[..steps], &[Step::Drip(record)]].concat();
        let (port, thread) = serve(identity.clone(), b"S", script, WHOLE);
        let config = Config::new().user("user").sslmode(SslMode::Require).connect_timeout_ms(1000);
        let platform = Watched::new();
        let (met, took) = platform.connect::<4113, _>(&config, &files, tcp(port), |connection| {
            connection.set_timeout_ms(1000);
            connection.ping()
        });
        platform.idle();
        assert_eq!(met, Err(ErrorKind::TimedOut), "after {steps}");
        assert!(took < Duration::from_secs(4), "after {steps}: {took:?}");
        assert!(platform.longest.get() < 5 * GAP, "after {steps}: {:?}", platform.longest);
        let _ = thread.join();
    }
}

/// A link that takes a byte of what is sent every few milliseconds, as a slow serial line may.
struct Narrow<T>(T);

impl<T: ErrorType> ErrorType for Narrow<T> {
    type Error = T::Error;
}

impl<T: Read> Read for Narrow<T> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        self.0.read(buf)
    }
}

impl<T: ReadReady> ReadReady for Narrow<T> {
    fn read_ready(&mut self) -> Result<bool, T::Error> {
        self.0.read_ready()
    }
}

impl<T: Write> Write for Narrow<T> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, T::Error> {
        std::thread::sleep(Duration::from_millis(5));
        self.0.write(&buf[..1])
    }

    fn flush(&mut self) -> Result<(), T::Error> {
        self.0.flush()
    }
}

#[test]
fn a_record_that_leaves_in_drips_gets_no_more_time() {
    let (server, files) = (Server::start(15, &[]), Table::default());
    let config = role("scram_user").sslmode(SslMode::Require).connect_timeout_ms(300);
    let transport = Narrow(tcp(server.port()));
    let (met, took) = Watched::new().connect::<4113, _>(&config, &files, transport, |_| Ok(()));
    assert_eq!(met, Err(ErrorKind::TimedOut));
    // ClientHello alone takes a second.
    assert!(took < Duration::from_millis(900), "{took:?}");
}
