//! Opens TCP and UNIX sockets.

use core::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};
use std::path::Path;

use socket2::SockAddr;

use crate::config::{Config, HostSpec};
use crate::connect::{Dial, Target};
use crate::error::DialError;

use super::files::PathBuffer;
use super::link::Link;
use super::passfile::{self, PASSWORD, PassfileProblem};

/// Where the UNIX socket is when no host is given: Debian's directory where there is one, else that of
/// PostgreSQL as its authors ship it. Never both, as no libpq has both: in `/tmp` every user can listen, and
/// would be given the password while the server in the other directory is down.
pub(super) fn socket_dir() -> &'static str {
    const DEBIAN: &str = "/var/run/postgresql";
    if Path::new(DEBIAN).is_dir() { DEBIAN } else { "/tmp" }
}

/// The operating system's sockets and resolver as a [`Dial`].
///
/// The system looks up and connects while the caller is blocked: [`Platform::idle`](crate::Platform::idle)
/// is not called meanwhile. Names go to the system's resolver, which has a timeout of its own: it does not know of
/// `connect_timeout`. Passwords come from `passfile` or `~/.pgpass`.
#[derive(Clone)]
pub struct Dialler {
    password: [u8; PASSWORD],
    /// Whether `~/.pgpass` counts.
    defaults: bool,
    problem: Option<PassfileProblem>,
}

impl Dialler {
    /// A dialler.
    pub const fn new() -> Self {
        Self { password: [0; PASSWORD], defaults: true, problem: None }
    }

    /// Whether `~/.pgpass` counts, from now on.
    pub(super) const fn set_defaults(&mut self, defaults: bool) {
        self.defaults = defaults;
    }

    /// Why the password file was not used at the last login, where it could not be.
    pub const fn passfile_problem(&self) -> Option<PassfileProblem> {
        self.problem
    }
}

impl Default for Dialler {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dialler").field("problem", &self.problem).finish_non_exhaustive()
    }
}

impl Drop for Dialler {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.password);
    }
}

impl Dial for Dialler {
    type Transport = Link;

    fn dial(&mut self, target: &Target<'_>) -> Result<Link, DialError> {
        let HostSpec { host, hostaddr, port } = target.host;
        if target.host.is_unix() || hostaddr.is_empty() && host.is_empty() {
            return match target.address {
                0 if host.is_empty() => unix(socket_dir(), target),
                0 => unix(host, target),
                _ => Err(DialError::NoMoreAddresses),
            };
        }
        if !hostaddr.is_empty() && !is_numeric(hostaddr) {
            return Err(DialError::NotAnAddress);
        }
        let name = if hostaddr.is_empty() { host } else { hostaddr };
        let mut addresses = (name, port).to_socket_addrs().map_err(|_| DialError::UnknownHost)?;
        let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let wanted = u32::from(target.address);
        if wanted >= count {
            return Err(DialError::NoMoreAddresses);
        }
        let place = wanted.wrapping_add(target.rotation.checked_rem(count).unwrap_or(0));
        let place = usize::try_from(place.checked_rem(count).unwrap_or(0)).unwrap_or(0);
        let address = addresses.nth(place).ok_or(DialError::NoMoreAddresses)?;
        Link::open(&SockAddr::from(address), target)
    }

    fn is_local(&self, transport: &Link) -> bool {
        // From the socket itself.
        transport.is_local()
    }

    fn password(
        &mut self,
        target: &Target<'_>,
        config: &Config<'_>,
    ) -> Result<Option<&str>, DialError> {
        let how = (config, self.defaults);
        let found = passfile::look_up(&target.host, how, &mut self.password, &mut self.problem)?;
        let bytes = found.and_then(|length| self.password.get(..length)).unwrap_or(&[]);
        // Passwords are UTF-8 to the server too.
        let text = str::from_utf8(bytes).unwrap_or_else(|_| {
            self.problem = Some(PassfileProblem::NotText);
            ""
        });
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// Whether `hostaddr` is an address, with or without the scope of IPv6: it is never looked up.
fn is_numeric(hostaddr: &str) -> bool {
    match hostaddr.split_once('%') {
        Some((address, _)) => address.parse::<Ipv6Addr>().is_ok(),
        None => hostaddr.parse::<IpAddr>().is_ok(),
    }
}

/// The socket in a directory, or below an abstract name that begins with `@`.
fn unix(dir: &str, target: &Target<'_>) -> Result<Link, DialError> {
    let mut file = FileName::default();
    // Cannot fail: 14 characters and at most 5 digits.
    let _ = write!(file, "/.s.PGSQL.{}", target.host.port);
    let name = file.bytes.get(..file.length).unwrap_or(&[]);
    let too_long = DialError::Failed(embedded_io::ErrorKind::InvalidInput);
    let path = match dir.strip_prefix('@') {
        Some(rest) => PathBuffer::new(&[b"\0", rest.as_bytes(), name]),
        None => PathBuffer::new(&[dir.as_bytes(), name]),
    };
    let path = path.ok_or(too_long)?;
    let address = SockAddr::unix(path.as_path()).map_err(|_| too_long)?;
    Link::open(&address, target)
}

#[derive(Default)]
struct FileName {
    bytes: [u8; 24],
    length: usize,
}

impl core::fmt::Write for FileName {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length.saturating_add(text.len());
        let room = self.bytes.get_mut(self.length..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
