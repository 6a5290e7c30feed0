//! Opens TCP and UNIX sockets.

use core::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs};
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

/// Addresses of one host that are dialled; those after them are not.
const ADDRESSES: usize = 16;

/// The addresses of the host that was looked up last, in the order of that answer. A name server may give another order
/// each time: an address would be dialled twice then, and another one never.
#[derive(Clone)]
struct Found {
    /// The name, as a number.
    of: u64,
    addresses: [Option<SocketAddr>; ADDRESSES],
}

impl Found {
    const NOTHING: Self = Self { of: 0, addresses: [None; ADDRESSES] };

    /// The address of a target: of a new lookup for the first of a host, else of the last one, unless that was of
    /// another host.
    fn address<I: Iterator<Item = SocketAddr>>(
        &mut self,
        target: &Target<'_>,
        look_up: impl FnOnce(&str) -> io::Result<I>,
    ) -> Result<SocketAddr, DialError> {
        let HostSpec { host, hostaddr, port } = target.host;
        let name = if hostaddr.is_empty() { host } else { hostaddr };
        let mut hash = DefaultHasher::new();
        name.hash(&mut hash);
        let of = hash.finish();
        let known = self.of == of && self.addresses.iter().any(Option::is_some);
        if !known || target.address == 0 && !target.again {
            *self = Self::NOTHING;
            let found = look_up(name).map_err(|_| DialError::UnknownHost)?;
            self.of = of;
            self.addresses.iter_mut().zip(found).for_each(|(place, found)| *place = Some(found));
        }
        let addresses = || self.addresses.iter().flatten();
        let place = target.place(addresses().count());
        let found = place.and_then(|place| addresses().nth(place));
        let mut address = *found.ok_or(DialError::NoMoreAddresses)?;
        address.set_port(port);
        Ok(address)
    }
}

/// The operating system's sockets and resolver as a [`Dial`].
///
/// The system looks up and connects while the caller is blocked: [`Platform::idle`](crate::Platform::idle)
/// is not called meanwhile. Names go to the system's resolver, which has a timeout of its own: it does not know of
/// `connect_timeout`. Passwords come from `passfile` or `~/.pgpass`.
#[derive(Clone)]
pub struct Dialler {
    password: [u8; PASSWORD],
    found: Found,
    /// Whether `~/.pgpass` counts.
    defaults: bool,
    problem: Option<PassfileProblem>,
}

impl Dialler {
    /// A dialler.
    pub const fn new() -> Self {
        Self { password: [0; PASSWORD], found: Found::NOTHING, defaults: true, problem: None }
    }

    /// Whether `~/.pgpass` counts, from now on, for another client.
    pub(super) const fn set_defaults(&mut self, defaults: bool) {
        (self.defaults, self.problem) = (defaults, None);
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
        let look_up = |name: &str| (name, port).to_socket_addrs();
        let address = self.found.address(target, look_up)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &'static str, address: u16) -> Target<'static> {
        let host = HostSpec { host, hostaddr: "", port: 5432 };
        Target { address, ..Target::new(host, &Config::new()) }
    }

    /// A name server that begins with another address each time.
    #[test]
    fn each_address_is_dialled_once_whatever_the_order_of_answers() {
        let all = [1, 2, 3].map(|n| SocketAddr::from(([192, 0, 2, n], 5432)));
        let (mut found, mut asked) = (Found::NOTHING, 0);
        let mut ask = |target: &Target<'_>| {
            found.address(target, |_| {
                asked += 1;
                Ok((0..3).map(move |n| all[(n + asked) % 3]))
            })
        };
        for rotation in [0, 7] {
            let mut dialled = [0, 1, 2]
                .map(|n| ask(&Target { rotation, ..target("db.example", n) }).expect("an address"));
            assert_eq!(ask(&target("db.example", 3)), Err(DialError::NoMoreAddresses));
            // A cancel request goes to where the session is.
            for n in 0..3 {
                let again = Target { rotation, again: true, ..target("db.example", n) };
                assert_eq!(ask(&again), Ok(dialled[usize::from(n)]));
            }
            dialled.sort();
            assert_eq!(dialled, all);
        }
        // Another host, and one that is asked for again, are looked up.
        ask(&target("standby.example", 1)).expect("an address");
        ask(&Target { again: true, ..target("db.example", 0) }).expect("an address");
        let other = HostSpec { port: 6432, ..target("db.example", 1).host };
        let port = ask(&Target { host: other, ..target("db.example", 1) }).map(|at| at.port());
        assert_eq!((port, asked), (Ok(6432), 4));
    }
}
