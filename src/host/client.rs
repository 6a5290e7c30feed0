//! A client with everything it needs of the host, in one piece of memory.

use core::ops::{Deref, DerefMut};

use crate::client::{Client, Storage};
use crate::config::{Config, ParseError};
use crate::connection::Connection;
use crate::error::Result;

use super::dialler::Dialler;
use super::link::Link;
use super::passfile::PassfileProblem;
use super::platform::SystemPlatform;

/// Bytes for values of a connection string and of the environment that must be unescaped or
/// copied.
const SCRATCH: usize = 4096;

/// Receive and send buffer of a [`Host`], in bytes, unless it says otherwise.
pub const BUFFER: usize = 8192;

/// The memory of one client: buffers, scratch, dialler, clock. About 22 KiB.
///
/// ```no_run
/// let mut host = barepg::host::Host::new();
/// let mut client = host.client("dbname=test user=postgres")?;
/// let mut connection = client.connect()?;
/// let (n,): (i32,) = connection.query_one("select 1", ())?.decode()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Host<const RX: usize = BUFFER, const TX: usize = BUFFER> {
    storage: Storage<RX, TX>,
    scratch: [u8; SCRATCH],
    platform: SystemPlatform,
    dialler: Dialler,
}

impl Host {
    /// Memory with buffers of [`BUFFER`] bytes.
    pub fn new() -> Self {
        Self::with_buffers()
    }
}

impl<const RX: usize, const TX: usize> Host<RX, TX> {
    /// Memory with a receive buffer of `RX` and a send buffer of `TX` bytes.
    pub fn with_buffers() -> Self {
        Self {
            storage: Storage::new(),
            scratch: [0; SCRATCH],
            platform: SystemPlatform::new(),
            dialler: Dialler::new(),
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
        let config = super::parse(conninfo, &mut self.scratch)?;
        Ok(HostClient {
            client: Client::new(self.storage.buffers(), config, &self.platform),
            dialler: &mut self.dialler,
        })
    }

    /// A client for a configuration as it is, without the environment.
    pub fn client_for<'h>(&'h mut self, config: Config<'h>) -> HostClient<'h> {
        HostClient {
            client: Client::new(self.storage.buffers(), config, &self.platform),
            dialler: &mut self.dialler,
        }
    }
}

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
    pub fn connect(&mut self) -> Result<Connection<'_, 'h, Link>> {
        self.client.connect_with(self.dialler)
    }

    /// Why the password file was not used, where it could not be.
    pub fn passfile_problem(&self) -> Option<PassfileProblem> {
        self.dialler.passfile_problem()
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
