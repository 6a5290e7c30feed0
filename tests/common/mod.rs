//! What the driver's integration tests share: a transport over std sockets and a platform.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use barepg::{Client, Config, Connection, Dialect, NoEntropy, Platform, Storage};
use barepg_testkit::sockets;
use embedded_io::ErrorKind;

/// A std stream as a transport: waits at most a slice of time in each call.
#[derive(Debug)]
pub struct Std<S>(pub S);

pub type Tcp = Std<TcpStream>;

pub fn tcp(port: u16) -> Tcp {
    over(TcpStream::connect(("127.0.0.1", port)).expect("the server's port is open"))
}

/// A socket that is connected.
pub fn over(stream: TcpStream) -> Tcp {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    Std(stream)
}

#[derive(Debug)]
pub struct IoError(std::io::Error);

impl From<std::io::ErrorKind> for IoError {
    fn from(kind: std::io::ErrorKind) -> Self {
        Self(kind.into())
    }
}

impl std::fmt::Display for IoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for IoError {}

impl embedded_io::Error for IoError {
    fn kind(&self) -> ErrorKind {
        match self.0.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            std::io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            std::io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            std::io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Other,
        }
    }
}

/// A stream that can be asked, without waiting, whether bytes have arrived.
pub trait Arrived {
    fn arrived(&mut self) -> std::io::Result<bool>;
}

impl Arrived for TcpStream {
    fn arrived(&mut self) -> std::io::Result<bool> {
        sockets::is_ready(self)
    }
}

impl Arrived for UnixStream {
    fn arrived(&mut self) -> std::io::Result<bool> {
        sockets::is_ready(self)
    }
}

impl<T> Arrived for std::io::Cursor<T> {
    fn arrived(&mut self) -> std::io::Result<bool> {
        Ok(true)
    }
}

impl<S: Arrived> embedded_io::ReadReady for Std<S> {
    fn read_ready(&mut self) -> Result<bool, IoError> {
        self.0.arrived().map_err(IoError)
    }
}

impl<S> embedded_io::ErrorType for Std<S> {
    type Error = IoError;
}

impl<S: std::io::Read> embedded_io::Read for Std<S> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        self.0.read(buf).map_err(IoError)
    }
}

impl<S: std::io::Write> embedded_io::Write for Std<S> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, IoError> {
        self.0.write(buf).map_err(IoError)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.0.flush().map_err(IoError)
    }
}

/// The machine the tests run on.
pub struct Host;

impl Platform for Host {
    fn now_ms(&self) -> u64 {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_millis().try_into().unwrap()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        let mut source = std::fs::File::open("/dev/urandom").map_err(|_| NoEntropy)?;
        source.read_exact(buf).map_err(|_| NoEntropy)
    }
}

/// Calls of a transport that moved something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub reads: u32,
    pub writes: u32,
    pub flushes: u32,
}

impl std::ops::Sub for Calls {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            flushes: self.flushes - before.flushes,
        }
    }
}

/// A transport whose calls are counted.
pub struct Counted<'c> {
    tcp: Tcp,
    calls: &'c std::cell::Cell<Calls>,
}

impl Counted<'_> {
    fn note(&self, f: impl FnOnce(&mut Calls)) {
        let mut calls = self.calls.get();
        f(&mut calls);
        self.calls.set(calls);
    }
}

impl embedded_io::ErrorType for Counted<'_> {
    type Error = IoError;
}

impl embedded_io::ReadReady for Counted<'_> {
    fn read_ready(&mut self) -> Result<bool, IoError> {
        self.tcp.read_ready()
    }
}

impl embedded_io::Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        let n = self.tcp.read(buf)?;
        self.note(|calls| calls.reads += 1);
        Ok(n)
    }
}

impl embedded_io::Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, IoError> {
        let n = self.tcp.write(buf)?;
        self.note(|calls| calls.writes += 1);
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.tcp.flush()?;
        self.note(|calls| calls.flushes += 1);
        Ok(())
    }
}

/// As [`with_session`], with the calls of the transport counted.
pub fn with_counted_session<R>(
    port: u16,
    config: Config<'_>,
    f: impl FnOnce(&mut Connection, &std::cell::Cell<Calls>) -> R,
) -> R {
    let calls = std::cell::Cell::default();
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut connection = client.connect(Counted { tcp: tcp(port), calls: &calls }).unwrap();
    let result = f(&mut connection, &calls);
    connection.close().expect("Terminate is sent");
    result
}

/// Runs `f` on a session over TCP.
pub fn with_session<R>(port: u16, config: Config<'_>, f: impl FnOnce(&mut Connection) -> R) -> R {
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let connected = client.connect(tcp(port)).map(|mut connection| {
        let result = f(&mut connection);
        connection.close().expect("Terminate is sent");
        result
    });
    match connected {
        Ok(result) => result,
        Err(error) => panic!("no session: {error}; {:?}", client.server_error()),
    }
}

/// The configuration of a test role: `scram_user`, `md5_user`, ….
pub fn role(name: &'static str) -> Config<'static> {
    let password = match name {
        "trust_user" => "",
        "pass_user" => "pass_user_pw",
        "md5_user" => "md5_user_pw",
        _ => "scram_user_pw",
    };
    let config = Config::new().user(name).password(password).dbname("test");
    // PgBouncer hangs up on openGauss's protocol version.
    let pooler = std::env::var_os("BAREPG_POOLER").is_some();
    if pooler { config.dialect(Dialect::PostgreSql) } else { config }
}
