//! An openGauss front: speaks openGauss's start-up, its authentication methods and what differs
//! after login on a loopback port, and relays the rest to a real PostgreSQL of the testkit.
//!
//! Written from openGauss-server's source and from the wire of openGauss 7.0.0-RC2. Clients that
//! written by others log in through it in the test run ([`clients`]), and recorded logins of the
//! real server are replayed against it byte for byte.
//!
//! Its types have their names, OIDs and binary formats there, made of PostgreSQL's (`types.sql`);
//! `''` is NULL, numbers are printed as `.05`.
//!
//! What it does not do: protocol 2.0, GSSAPI, SQL of its own beyond what `rewrite` knows.
//!
//! ```no_run
//! use barepg_testkit::{gauss, pg};
//! let front = gauss::Front::start(gauss::Options::before(pg::shared(15)));
//! let address = ("127.0.0.1", front.port());   // user `sha256_user`, password `Gauss_1234`
//! ```

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

mod batch;
pub mod clients;
mod fields;
mod login;
mod relay;
mod rewrite;
mod session;
mod stored;
mod tls;
mod types;
mod values;

pub use login::{Access, Hba, User};
pub use stored::{Kind, Stored};
pub use tls::{Certificates, SERVER_NAME};

use crate::pg::Cluster;
use crate::scratch::Scratch;

/// The password of every user of [`users`]: long and mixed enough for openGauss's policy.
pub const PASSWORD: &str = "Gauss_1234";

/// How the front behaves.
pub struct Options {
    /// Directory and port of the UNIX socket of the PostgreSQL after it.
    pub upstream: (PathBuf, u16),
    /// Who may log in, and how. [`users`] by default.
    pub users: Vec<User>,
    /// Whether it offers TLS (RSA-2048, a common name and no alternative names, client
    /// certificates asked for, session tickets).
    pub tls: bool,
    /// `require_ssl`: plaintext sessions are refused.
    pub require_ssl: bool,
    /// `enable_thread_pool`: a session whose time is over ends without a message.
    pub thread_pool: bool,
    /// The database has compatibility A, the default: `''` is NULL in it, and a date has hours, minutes
    /// and seconds. True by default.
    pub empty_is_null: bool,
    /// `session_timeout`: an idle session ends after it. Zero is none. 600 s by default.
    pub session_timeout: Duration,
    /// `failed_login_attempts`: a user is locked after so many wrong passwords. 10 by default.
    pub failed_login_attempts: u32,
    /// Treats the client as one from another machine, which trust and the initial user refuse.
    pub remote: bool,
    /// What it does instead of a session.
    pub trouble: Option<Trouble>,
    /// Every ReadyForQuery has 2 bytes, as with `enable_full_encryption`.
    pub long_ready: bool,
    /// The port; 0, the default, is any free one.
    pub port: u16,
    /// Salts shown for users that do not exist or cannot log in this way, instead of invented
    /// ones; for replaying recorded logins.
    pub fake_salts: HashMap<String, String>,
    /// Tokens and MD5 salts to use first, instead of random ones; for replaying recorded logins.
    pub tokens: VecDeque<[u8; 4]>,
    /// Reports `application_type` too, as newer releases than 7.0.0-RC2 do.
    pub application_type: bool,
}

/// Ways in which a session never begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Closed before a byte is read: the address is in no line of `pg_hba.conf`, or no slot is
    /// free.
    SilentEof,
    /// The same with a reset: the other end that such an address may see.
    Reset,
    /// An ErrorResponse whatever the first packet is, also SSLRequest: too many clients.
    TooManyClients,
    /// All slots are taken, which is said after a right password.
    SlotsTaken,
    /// The server's key or certificate may be read by others than its owner: `S` to SSLRequest, and
    /// then an ErrorResponse in clear.
    KeyReadable,
    /// The text of protocol 2 that the postmaster writes when it cannot fork.
    OldError,
}

impl Options {
    /// The default behaviour before a cluster.
    pub fn before(cluster: &Cluster) -> Options {
        Options {
            upstream: (cluster.socket_dir(), cluster.port()),
            users: users(),
            tls: false,
            require_ssl: false,
            thread_pool: false,
            empty_is_null: true,
            session_timeout: Duration::from_secs(600),
            failed_login_attempts: 10,
            remote: false,
            trouble: None,
            long_ready: false,
            port: 0,
            fake_salts: HashMap::new(),
            tokens: VecDeque::new(),
            application_type: true,
        }
    }
}

/// One user per kind of stored password and method of `pg_hba.conf`: `sha256_user`, `md5_user`,
/// `combined_user`, `sm3_user`, `code11_user` (stored SHA256, line `md5`), `cert_user`,
/// `ldap_user` (asked for the password in clear), `sha256_2048_user` (2,048 iterations),
/// `tls_user` (`hostssl` only). Iterations are 10,000 where nothing else is said.
pub fn users() -> Vec<User> {
    // Hashed once per process.
    static USERS: OnceLock<Vec<User>> = OnceLock::new();
    USERS.get_or_init(make_users).clone()
}

fn make_users() -> Vec<User> {
    let user = |name: &str, kind, hba| User::new(name, PASSWORD, kind, 10_000, hba);
    vec![
        user("sha256_user", Kind::Sha256, Hba::Sha256),
        user("md5_user", Kind::Md5, Hba::Md5),
        user("combined_user", Kind::Combined, Hba::Sha256),
        user("sm3_user", Kind::Sm3, Hba::Sm3),
        user("code11_user", Kind::Sha256, Hba::Md5),
        User { access: Access::TlsOnly, ..user("cert_user", Kind::Sha256, Hba::Cert) },
        user("ldap_user", Kind::Sha256, Hba::Ldap),
        User::new("sha256_2048_user", PASSWORD, Kind::Sha256, 2048, Hba::Sha256),
        User { access: Access::TlsOnly, ..user("tls_user", Kind::Sha256, Hba::Sha256) },
    ]
}

/// One attempt to log in, as the front saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// User name of the StartupMessage.
    pub user: String,
    /// Minor number of the protocol: 0, 50 or 51.
    pub minor: u16,
    /// Code of the authentication request, if one was sent.
    pub code: Option<u32>,
    /// What the client answered, without the terminating NUL.
    pub answer: Option<Vec<u8>>,
    /// Whether the session was under TLS.
    pub tls: bool,
    /// Whether the login succeeded.
    pub ok: bool,
}

/// A running front; stops when dropped.
pub struct Front {
    shared: Arc<Shared>,
    port: u16,
    /// Where its UNIX socket is.
    scratch: Scratch,
}

impl Front {
    /// Starts a front. Panics with the reason if it cannot.
    pub fn start(options: Options) -> Front {
        Front::try_start(options).unwrap_or_else(|error| panic!("openGauss front: {error}"))
    }

    /// Starts a front.
    pub fn try_start(options: Options) -> Result<Front, String> {
        let failed = |error: io::Error| format!("loopback listener: {error}");
        let listener = TcpListener::bind(("127.0.0.1", options.port)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let inner = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
        let inner_port = inner.local_addr().map_err(failed)?.port();
        let tls = if options.tls { Some(tls::Terminator::start(inner_port)?) } else { None };
        let shared = Arc::new(Shared {
            options,
            tls,
            inner_port,
            stopping: AtomicBool::new(false),
            next_slot: AtomicU32::new(100),
            batches: AtomicUsize::new(0),
            state: Mutex::default(),
        });
        accept(listener, Arc::clone(&shared), false);
        accept(inner, Arc::clone(&shared), true);
        let scratch = Scratch::new("barepg-front", "").map_err(failed)?;
        let path = scratch.path().join(format!(".s.PGSQL.{port}"));
        let local = UnixListener::bind(path).map_err(failed)?;
        thread::spawn(move || {
            for client in local.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                forward(client, server);
            }
        });
        Ok(Front { shared, port, scratch })
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory with the UNIX socket.
    pub fn socket_dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The authority and certificates of TLS. Panics if the front offers none.
    pub fn certificates(&self) -> &Certificates {
        self.shared.tls.as_ref().expect("the front was started with tls").certificates()
    }

    /// Whether the front offers TLS.
    pub fn shows_certificates(&self) -> bool {
        self.shared.tls.is_some()
    }

    /// Every attempt to log in so far.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.shared.state().attempts.clone()
    }

    /// Connections accepted so far, cancel requests and TLS requests included.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Batch binds ('U') carried out so far.
    pub fn batches(&self) -> usize {
        self.shared.batches.load(Ordering::Relaxed)
    }

    /// The stored password of a user, as `pg_authid.rolpassword` has it. Panics if there is none.
    pub fn rolpassword(&self, user: &str) -> String {
        let users = &self.shared.options.users;
        users.iter().find(|known| known.name == user).expect(user).stored.rolpassword()
    }

    /// A user's login keys as the driver's connection parameter `gauss_keys` takes them; nothing
    /// for users whose stored password is MD5 alone.
    pub fn login_keys(&self, user: &str) -> Option<String> {
        let user = self.shared.options.users.iter().find(|known| known.name == user)?;
        user.stored.login_keys()
    }

    /// A libpq connection string for a user, database `test`, no `sslmode`.
    pub fn conninfo(&self, user: &str) -> String {
        let port = self.port;
        format!("host=127.0.0.1 port={port} dbname=test user={user} password={PASSWORD}")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes both listeners, so that their threads and ports go.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = TcpStream::connect(("127.0.0.1", self.shared.inner_port));
        for (_, stream) in self.shared.state().streams.drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// What the threads of a front share.
struct Shared {
    options: Options,
    tls: Option<tls::Terminator>,
    inner_port: u16,
    stopping: AtomicBool,
    next_slot: AtomicU32,
    batches: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    attempts: Vec<Attempt>,
    connections: usize,
    failures: HashMap<String, u32>,
    tokens_used: usize,
    /// Slot → our key, and process and key of the PostgreSQL session after it.
    sessions: HashMap<u32, ([u8; 4], [u8; 8])>,
    streams: HashMap<u64, TcpStream>,
    next_stream: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Four bytes for a token or salt: those given, then random ones.
    fn token(&self) -> io::Result<[u8; 4]> {
        let mut state = self.state();
        let given = self.options.tokens.get(state.tokens_used).copied();
        state.tokens_used += 1;
        drop(state);
        match given {
            Some(token) => Ok(token),
            None => stored::random(),
        }
    }
}

/// Copies bytes both ways between a UNIX socket and the front's port.
fn forward(client: UnixStream, server: TcpStream) {
    let (Ok(mut from_client), Ok(mut from_server)) = (client.try_clone(), server.try_clone())
    else {
        return;
    };
    let (mut to_client, mut to_server) = (client, server);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

fn accept(listener: TcpListener, shared: Arc<Shared>, inner: bool) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            if shared.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut state = shared.state();
                state.connections += usize::from(!inner);
                state.next_stream += 1;
                let id = state.next_stream;
                state.streams.extend(stream.try_clone().map(|stream| (id, stream)));
                drop(state);
                let _ = stream.set_nodelay(true);
                // An error is the client's or PostgreSQL's going away.
                let _ = session::serve(&shared, stream, inner);
                if let Some(stream) = shared.state().streams.remove(&id) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            });
        }
    });
}
