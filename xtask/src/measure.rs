//! One measured run of a board against a server: what it printed and what it cost.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use barepg_testkit::gauss;
use barepg_testkit::pg::Cluster;
use barepg_testkit::scratch::Scratch;

use crate::bare::Compiler;
use crate::boards::{Board, Link};
use crate::elf::Image;
use crate::proxy::{Relay, Session};
use crate::qemu::{self, Outcome, Request};

/// Where QEMU's user network puts the loopback of the machine it runs on.
const HOST_FROM_GUEST: &str = "10.0.2.2";

/// The address at which a board has the loopback of this machine.
pub const fn host_of(link: Link) -> &'static str {
    match link {
        Link::Host => "127.0.0.1",
        Link::Ethernet | Link::Uart | Link::None => HOST_FROM_GUEST,
    }
}

/// The server that a board is to use.
#[derive(Debug, Clone)]
pub struct Server {
    address: SocketAddr,
    /// Everything but `host`, `hostaddr` and `port`.
    rest: String,
    /// A port of the same host that comes first in the list of hosts.
    pub before: Option<u16>,
    /// The name by which the board is to know the host, instead of its address.
    pub name: Option<&'static str>,
    /// The file with the root certificate, in DER, when the board is to use TLS.
    root: Option<String>,
    /// An openGauss front: its certificate names no host, as openGauss's manual has it made, and
    /// the PostgreSQL that it forwards to knows nothing of TLS.
    front: bool,
    /// How an existing server's certificate is verified, when the board is to use TLS.
    pub verified: Option<Verified>,
}

/// How the certificate of a server is verified that was there before.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The name of the host, which the certificate must have with `verify-full`.
    pub name: String,
    /// `sslmode`
    pub mode: String,
    /// The root certificate, in the file that was named.
    pub file: String,
    /// The same in DER, for the board.
    pub root: Arc<Root>,
}

/// A root certificate in a file of its own.
#[derive(Debug)]
pub struct Root {
    /// The file.
    pub path: PathBuf,
    /// What removes it.
    pub _scratch: Scratch,
}

impl Server {
    /// A private cluster, by one of its roles.
    pub fn private(cluster: &Cluster, user: &str) -> Result<Server, String> {
        Server::parse(&cluster.conninfo(user))
    }

    /// An openGauss front, by password or by login keys.
    pub fn opengauss(front: &gauss::Front, user: &str, keys: bool) -> Result<Server, String> {
        let mut conninfo = front.conninfo(user);
        if keys {
            let keys = front.login_keys(user).ok_or(format!("{user} has no login keys"))?;
            let password = format!("password={}", gauss::PASSWORD);
            conninfo = conninfo.replace(&password, &format!("gauss_keys={keys}"));
        }
        let root = front.shows_certificates().then(|| front.certificates().path("ca.der"));
        let root = root.map(|path| path.display().to_string());
        Ok(Server { root, front: true, ..Server::parse(&conninfo)? })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether PostgreSQL can be asked if the session is encrypted.
    pub fn knows_of_tls(&self) -> bool {
        self.root.is_some() && !self.front
    }

    /// The same server over TLS, its certificate verified to the full.
    pub fn over_tls(mut self, cluster: &Cluster) -> Server {
        self.root = Some(cluster.authority().path("ca.der").display().to_string());
        self
    }

    /// The same server over TLS, verified with this root certificate in DER.
    pub fn rooted(mut self, root: &Path) -> Server {
        self.root = Some(root.display().to_string());
        self
    }

    /// What a board is built with to use this server.
    pub fn features(&self) -> &'static [&'static str] {
        match (&self.root, self.front) {
            _ if self.verified.is_some() => &["tls", "depth", "opengauss", "conninfo"],
            (Some(_), true) => &["tls", "depth", "opengauss", "conninfo"],
            (Some(_), false) => &["tls", "depth"],
            (None, _) => &[],
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a keyword and its value.
    pub fn add(&mut self, word: &str) {
        self.rest.push(' ');
        self.rest.push_str(word);
    }

    /// A server by a connection string of `keyword=value` pairs without spaces in the values.
    pub fn parse(conninfo: &str) -> Result<Server, String> {
        let Words { host, port, rest } = Words::of(conninfo)?;
        let mut found =
            (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        let address =
            found.find(SocketAddr::is_ipv4).ok_or(format!("{host} has no IPv4 address"))?;
        Ok(Server {
            address,
            rest: rest.join(" "),
            before: None,
            name: None,
            root: None,
            front: false,
            verified: None,
        })
    }

    /// The connection string for a board that goes through the relay. The name that TLS verifies
    /// stays `localhost`; the address is what the board sees.
    fn conninfo(&self, link: Link, port: u16) -> String {
        let address = host_of(link);
        let rest = &self.rest;
        if let Some(Verified { name, mode, .. }) = &self.verified {
            return format!(
                "host={name} hostaddr={address} port={port} {rest} sslmode={mode} sslrootcert=root"
            );
        }
        match (self.before, &self.root) {
            (None, None) => format!("host={address} port={port} {rest}"),
            (Some(first), _) => {
                let name = self.name.unwrap_or(address);
                format!("host={address},{name} port={first},{port} {rest}")
            }
            (None, Some(_)) if self.front => {
                format!("host={address} port={port} {rest} sslmode=verify-ca sslrootcert=root")
            }
            (None, Some(_)) => format!(
                "host=localhost hostaddr={address} port={port} {rest} \
                 sslmode=verify-full sslrootcert=root channel_binding=require"
            ),
        }
    }
}

/// What a connection string says of where the server is, before anything is looked up.
#[derive(Debug)]
pub struct Words<'c> {
    host: &'c str,
    port: u16,
    rest: Vec<&'c str>,
}

impl<'c> Words<'c> {
    /// Reads it. Wherever they stand, `hostaddr` is dialled and `host` is its name, as in libpq.
    pub fn of(conninfo: &'c str) -> Result<Self, String> {
        let (mut host, mut addr, mut port, mut rest) = (None, None, 5432, Vec::new());
        for word in conninfo.split_whitespace() {
            match word.split_once('=') {
                Some((_, "")) => {}
                Some(("host", value)) => host = Some(value),
                Some(("hostaddr", value)) => addr = Some(value),
                Some(("port", value)) => {
                    port = value.parse().map_err(|_| format!("not a port: {value}"))?;
                }
                Some(_) => rest.push(word),
                // What is no keyword=value may be half of a password.
                None => return Err("keyword=value, without spaces in the values".to_string()),
            }
        }
        Ok(Words { host: addr.or(host).unwrap_or("localhost"), port, rest })
    }
}

/// What a run cost.
#[derive(Debug, Default)]
pub struct Costs {
    pub flash: Option<u64>,
    /// Of the flash, what TLS takes.
    pub flash_of_tls: Option<u64>,
    pub static_ram: Option<u64>,
    pub stack: Option<u64>,
    /// Of the stack, what the driver's login and a query use, with what the network stack takes.
    pub login_stack: Option<u64>,
    pub query_stack: Option<u64>,
    pub login_instructions: Option<u64>,
    pub query_instructions: Option<u64>,
    pub session: Option<Session>,
}

impl Costs {
    /// What a board's image takes.
    pub fn of_image(board: &Board, image: &Path) -> Result<Costs, String> {
        if board.link == Link::Host {
            return Ok(Costs::default());
        }
        let image = Image::read(image)?;
        let (flash, ram) = (image.flash().into(), image.static_ram().into());
        Ok(Costs { flash: Some(flash), static_ram: Some(ram), ..Costs::default() })
    }

    /// Notes what the flash is without TLS.
    pub fn without_tls(&mut self, flash: Option<u64>) {
        self.flash_of_tls =
            self.flash.zip(flash).map(|(with, without)| with.saturating_sub(without));
    }

    /// The figures that budgets are set for, with the names they have there.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let login = self.session.and_then(|session| session.login);
        let all = [
            ("flash", self.flash),
            ("flash_of_tls", self.flash_of_tls),
            ("static_ram", self.static_ram),
            ("stack", self.stack),
            ("login_stack", self.login_stack),
            ("query_stack", self.query_stack),
            ("login_instructions", self.login_instructions),
            ("query_instructions", self.query_instructions),
            ("login_round_trips", login.map(|traffic| traffic.round_trips)),
            ("login_bytes_sent", login.map(|traffic| traffic.sent)),
            ("session_round_trips", self.session.map(|session| session.total.round_trips)),
            ("session_bytes_sent", self.session.map(|session| session.total.sent)),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// How to run a board.
pub struct Plan<'a> {
    pub board: &'a Board,
    pub image: &'a Path,
    pub server: &'a Server,
    /// `key=value` arguments before the connection string.
    pub arguments: &'a [(&'a str, &'a str)],
    pub limit: Duration,
}

/// Bytes of flash of a board's firmware without TLS, to be built before the one with it: both have
/// the same path. `None` where there is no TLS, or no flash.
pub fn flash_without_tls(
    board: &Board,
    compiler: &Compiler,
    features: &[&str],
) -> Result<Option<u64>, String> {
    if board.link == Link::Host || !features.contains(&"tls") {
        return Ok(None);
    }
    let image = board.build_without_tls(compiler, features)?;
    Image::read(&image).map(|image| Some(image.flash().into()))
}

/// Runs a board through a relay, with instructions counted where that is possible.
pub fn run(plan: &Plan<'_>, on_line: &mut dyn FnMut(&str)) -> Result<(Outcome, Costs), String> {
    let relay = Relay::start(plan.server.address)?;
    let conninfo = plan.server.conninfo(plan.board.link, relay.port());
    let mut arguments = plan.arguments.to_vec();
    let verified =
        plan.server.verified.as_ref().map(|verified| verified.root.path.display().to_string());
    if let Some(root) = plan.server.root.as_ref().or(verified.as_ref()) {
        arguments.push(("root", root));
    }
    arguments.push(("conninfo", &conninfo));
    let emulated = plan.board.link != Link::Host;
    let request = Request {
        board: plan.board,
        image: plan.image,
        arguments: &arguments,
        uart_port: relay.port(),
        limit: plan.limit,
        count: emulated,
        more: &[],
    };
    let outcome = qemu::run(&request, on_line)?;
    let mut costs = Costs {
        stack: outcome.number("stack"),
        login_stack: outcome.number("login_stack"),
        query_stack: outcome.number("query_stack"),
        ..Costs::of_image(plan.board, plan.image)?
    };
    if let Some(counts) = &outcome.counts {
        // The program's order: `boards/app`. A show other than the usual one has one passage.
        if let [login, query, ..] = counts.spans[..] {
            costs.login_instructions = Some(login);
            costs.query_instructions = Some(query);
        }
    }
    costs.session = relay.sessions().first().copied();
    Ok((outcome, costs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_out_of_the_connection_string() {
        let server = Server::parse("host=127.0.0.1 port=7 dbname=d user=u password=p").unwrap();
        assert_eq!(server.address, SocketAddr::from(([127, 0, 0, 1], 7)));
        let inside = server.conninfo(Link::Ethernet, 9);
        assert_eq!(inside, "host=10.0.2.2 port=9 dbname=d user=u password=p");
        assert!(server.conninfo(Link::Host, 9).starts_with("host=127.0.0.1 port=9 "));
        for words in
            ["host=nosuch.invalid hostaddr=127.0.0.1", "hostaddr=127.0.0.1 host=nosuch.invalid"]
        {
            let server = Server::parse(&format!("{words} port=7 host=")).unwrap();
            assert_eq!(server.address, SocketAddr::from(([127, 0, 0, 1], 7)), "{words}");
        }
        assert!(Server::parse("nonsense").is_err());
        assert!(Server::parse("port=many").is_err());
    }
}
