//! A client with everything it needs of the host, in one piece of memory.

use core::ops::{ControlFlow, Deref, DerefMut};
use core::time::Duration;

use zeroize::Zeroizing;

use crate::client::{Client, Storage};
use crate::config::{Config, ParseError};
use crate::connect::{CancelToken, Channel};
use crate::connection::Connection;
use crate::error::Result;
use crate::supervise::{Pause, Supervisor};
#[cfg(feature = "tls")]
use crate::tls::{FileProblem, Tls, TlsStorage};

#[cfg(feature = "tls")]
use super::certificates::CertificateFiles;
use super::dialler::Dialler;
use super::link::Link;
use super::passfile::PassfileProblem;
use super::platform::SystemPlatform;

/// Bytes for values of a connection string and of the environment that must be unescaped or
/// copied.
const SCRATCH: usize = 4096;

/// Receive and send buffer of a [`Host`], in bytes, unless it says otherwise.
pub const BUFFER: usize = 8192;

/// Bytes for the client certificate, its intermediates and its key of a [`Host`], unless it says
/// otherwise.
pub const CERTIFICATES: usize = 16 * 1024;

/// Between two calls of what is done in a pause, in milliseconds.
const PAUSE_MS: u32 = 10;

/// Record buffers for any TLS record that a server may send, in bytes.
#[cfg(feature = "tls")]
const RECORDS: (usize, usize) = (16_640, 8192);

/// The memory of one client: buffers, scratch, dialler, clock, and with feature `tls` record
/// buffers and certificates.
///
/// It takes 22 KiB, with feature `tls` 62 KiB, and may live on the stack of `main` or of a thread with
/// Rust's usual 2 MiB; where stacks are smaller, in a `static` or a `Box`. Roots take no room in it,
/// however many a file has. It is `Send`: a thread that is given it makes the client. What held
/// passwords and keys is wiped when it is dropped.
///
/// Certificate and key files are those of `sslrootcert`, `sslcert` and `sslkey`, or those of
/// libpq's default names below `~/.postgresql` that are there.
///
/// ```no_run
/// let mut host = barepg::host::Host::new();
/// let mut client = host.client("dbname=test user=postgres")?;
/// let mut connection = client.connect()?;
/// let (n,): (i32,) = connection.query_one("select 1", ())?.decode()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Host<
    const RX: usize = BUFFER,
    const TX: usize = BUFFER,
    const CERTS: usize = CERTIFICATES,
> {
    storage: Storage<RX, TX>,
    /// Unescaped values, passwords among them.
    scratch: Zeroizing<[u8; SCRATCH]>,
    platform: SystemPlatform,
    dialler: Dialler,
    #[cfg(feature = "tls")]
    records: TlsStorage<{ RECORDS.0 }, { RECORDS.1 }>,
    #[cfg(feature = "tls")]
    certificates: CertificateFiles<CERTS>,
}

impl Host {
    /// Memory with buffers of [`BUFFER`] bytes.
    pub fn new() -> Self {
        Self::with_buffers()
    }
}

impl<const RX: usize, const TX: usize, const CERTS: usize> Host<RX, TX, CERTS> {
    /// Memory with a receive buffer of `RX`, a send buffer of `TX` bytes, and `CERTS` bytes for
    /// certificates.
    pub fn with_buffers() -> Self {
        Self {
            storage: Storage::new(),
            scratch: Zeroizing::new([0; SCRATCH]),
            platform: SystemPlatform::new(),
            dialler: Dialler::new(),
            #[cfg(feature = "tls")]
            records: TlsStorage::new(),
            #[cfg(feature = "tls")]
            certificates: CertificateFiles::new(),
        }
    }

    /// A client for a connection string; what it leaves out comes from the environment, as
    /// [`host::parse`](super::parse) says. Nothing is dialled yet.
    ///
    /// # Errors
    /// As [`host::parse`](super::parse).
    pub fn client<'h>(
        &'h mut self,
        conninfo: &'h str,
    ) -> core::result::Result<HostClient<'h>, ParseError> {
        let Self { scratch, .. } = self;
        let config = super::parse(conninfo, scratch.as_mut_slice())?;
        self.dialler.set_defaults(true);
        #[cfg(feature = "tls")]
        self.certificates.set_defaults(true);
        let client = Client::owning(self.storage.buffers(), config, &self.platform);
        #[cfg(feature = "tls")]
        let client =
            client.with_tls(Tls::new(&mut self.records).load_files(&mut self.certificates));
        Ok(HostClient { client, dialler: &mut self.dialler })
    }

    /// A client for a configuration as it is, without the environment and the default files, `~/.pgpass` among them.
    pub fn client_for<'h>(&'h mut self, config: Config<'h>) -> HostClient<'h> {
        self.dialler.set_defaults(false);
        #[cfg(feature = "tls")]
        self.certificates.set_defaults(false);
        let client = Client::owning(self.storage.buffers(), config, &self.platform);
        #[cfg(feature = "tls")]
        let client =
            client.with_tls(Tls::new(&mut self.records).load_files(&mut self.certificates));
        HostClient { client, dialler: &mut self.dialler }
    }
}

/// What its documentation promises, in KiB.
const SIZE: usize = if cfg!(feature = "tls") { 62 } else { 22 };
const _: () = assert!(size_of::<Host>() <= SIZE * 1024 && size_of::<Host>() > (SIZE - 2) * 1024);

/// A thread may be given one.
const fn is_send<T: Send>() {}
const _: () = is_send::<Host>();

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Client`] that can dial.
pub struct HostClient<'h> {
    client: Client<'h>,
    dialler: &'h mut Dialler,
}

impl<'h> HostClient<'h> {
    /// Opens a link and logs in.
    ///
    /// # Errors
    /// As [`Client::connect_with`].
    pub fn connect<'c>(&'c mut self) -> Result<Connection<'c, 'h, Channel<'c, Link>>> {
        self.client.connect_with(self.dialler)
    }

    /// Cancels the running statement of another client's session, as [`Client::cancel_with`].
    ///
    /// # Errors
    /// As [`Client::cancel_with`].
    pub fn cancel(&mut self, token: &CancelToken) -> Result<()> {
        self.client.cancel_with(token, self.dialler)
    }

    /// Cancels what the last session left running, as [`Client::cancel_interrupted`].
    ///
    /// # Errors
    /// As [`Client::cancel_interrupted`].
    pub fn cancel_interrupted(&mut self) -> Result<bool> {
        self.client.cancel_interrupted(self.dialler)
    }

    /// Keeps a session running, as [`Client::supervise`]; sleeps while it pauses.
    pub fn supervise<S, B>(
        &mut self,
        supervisor: &mut Supervisor,
        state: &mut S,
        session: impl FnMut(&mut S, &mut Connection<'_, 'h>) -> Result<ControlFlow<B>>,
        mut pause: impl FnMut(&mut S, &Pause<'_>) -> ControlFlow<B>,
    ) -> B {
        let pause = |state: &mut S, now: &Pause<'_>| {
            let flow = pause(state, now);
            std::thread::sleep(Duration::from_millis(now.left_ms.min(PAUSE_MS).into()));
            flow
        };
        self.client.supervise(self.dialler, supervisor, state, session, pause)
    }

    /// Why the password file was not used, where it could not be.
    pub fn passfile_problem(&self) -> Option<PassfileProblem> {
        self.dialler.passfile_problem()
    }

    /// The first certificate or key file that could not be used at the last handshake, by its
    /// keyword, and why.
    #[cfg(feature = "tls")]
    pub fn certificate_problem(&self) -> Option<(&'static str, FileProblem)> {
        self.client.tls.as_ref()?.settings.problem()
    }
}

impl<'h> Deref for HostClient<'h> {
    type Target = Client<'h>;

    fn deref(&self) -> &Client<'h> {
        &self.client
    }
}

impl<'h> DerefMut for HostClient<'h> {
    fn deref_mut(&mut self) -> &mut Client<'h> {
        &mut self.client
    }
}

impl<const RX: usize, const TX: usize, const CERTS: usize> core::fmt::Debug
    for Host<RX, TX, CERTS>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Host").field("buffers", &self.storage).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for HostClient<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HostClient").field("client", &self.client).finish_non_exhaustive()
    }
}
