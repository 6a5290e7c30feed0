//! Several hosts and addresses: which are tried, in which order, and whether the session is the
//! one wanted. Source: manual, "Specifying Multiple Hosts" and `target_session_attrs`.

use crate::client::Client;
use crate::config::{Config, HostSpec, LoadBalanceHosts, Secret, TargetSessionAttrs};
use crate::connection::Connection;
use crate::dial::{Dial, DialError, Place, Target};
use crate::error::{ConfigError, Fault, Result};
use crate::open::{Opening, begin, finish};
use crate::session::Session;
use crate::transport::Io;
use crate::wire::Reader;
use crate::wire::backend::tag;

type Outcome<T> = core::result::Result<T, Fault>;

impl<'b> Client<'b> {
    /// Opens a link through the dialler, logs in, and returns the session.
    ///
    /// Tries the hosts of the configuration in the order written, or shuffled, and all addresses
    /// of each, until one gives the session that `target_session_attrs` asks for. Each attempt
    /// has `connect_timeout` for link and login together. A host that cannot be reached, does not
    /// answer, shuts down or starts up is passed over; a refused login ends the search, as in
    /// libpq. With `dialect=auto` a server that refuses openGauss's protocol version (some
    /// poolers do) is asked again with 3.0.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), of the attempt that ended the search. [`ErrorKind::Dial`]:
    /// the last host could not be reached. [`ErrorKind::NoSuitableHost`]: sessions could be had,
    /// and none was the one wanted.
    pub fn connect_with<D: Dial>(
        &mut self,
        dialler: &mut D,
    ) -> Result<Connection<'_, 'b, D::Transport>> {
        let found = self.search(dialler);
        let opened = found.and_then(|(opening, host)| {
            let mut config = self.config;
            let target = self.session.place.target(host, &config);
            // The second half of a TLS session: the password is asked for again.
            if opening.tls_next && !config.has_password() && !config.has_scram_keys() {
                let password = dialler.password(&target, &self.config).map_err(Fault::Dial)?;
                config.password = password.map(Secret::new);
            }
            let Self { session, tls, .. } = self;
            let over_tls = opening.tls_next;
            let mut link = finish(session, tls, &config, host.host, opening)?;
            let wanted = config.target_session_attrs;
            if over_tls
                && wanted != TargetSessionAttrs::PreferStandby
                && !session.is_wanted(&mut link, wanted)?
            {
                let _ = session.goodbye(&mut link);
                session.link.forget_sent();
                return Err(Fault::NoSuitableHost);
            }
            Ok(link)
        });
        match opened {
            Ok(link) => Ok(Connection::new(&mut self.session, link)),
            Err(fault) => {
                self.session.refuse(fault);
                Err(self.session.verdict(fault))
            }
        }
    }

    /// Searches for a session, or for a server that agrees to TLS.
    fn search<D: Dial>(
        &mut self,
        dialler: &mut D,
    ) -> Outcome<(Opening<D::Transport>, HostSpec<'b>)> {
        let config = self.config;
        let passes: &[TargetSessionAttrs] = match config.target_session_attrs {
            TargetSessionAttrs::PreferStandby => {
                &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any]
            }
            TargetSessionAttrs::Standby => &[TargetSessionAttrs::Standby],
            TargetSessionAttrs::Primary => &[TargetSessionAttrs::Primary],
            TargetSessionAttrs::ReadOnly => &[TargetSessionAttrs::ReadOnly],
            TargetSessionAttrs::ReadWrite => &[TargetSessionAttrs::ReadWrite],
            TargetSessionAttrs::Any => &[TargetSessionAttrs::Any],
        };
        let hosts = config.hosts().map_err(|_| ConfigError::Hosts)?;
        let mut last = Fault::NoSuitableHost;
        for wanted in passes {
            let mut order = Order::new(&self.session, &config, hosts.len());
            while let Some(n) = order.next() {
                let Some(host) = hosts.clone().nth(n) else { break };
                let place = Place::new(n, order.rotation());
                match self.try_host(dialler, host, place, *wanted)? {
                    Ok(opening) => return Ok((opening, host)),
                    Err(fault) => last = fault,
                }
            }
        }
        Err(last)
    }

    /// Tries the addresses of a host. The inner fault lets the search go on.
    fn try_host<D: Dial>(
        &mut self,
        dialler: &mut D,
        host: HostSpec<'_>,
        mut place: Place,
        wanted: TargetSessionAttrs,
    ) -> Outcome<Outcome<Opening<D::Transport>>> {
        let mut last = Fault::Dial(DialError::UnknownHost);
        // What one server refused says nothing of another.
        self.session.server.minor_refused &= self.session.place.host == place.host;
        let mut guessed = false;
        loop {
            let config = self.config;
            self.session.place = place;
            self.session.open(&config)?;
            let target = place.target(host, &config);
            let transport = match dialler.dial(&target) {
                Ok(transport) => transport,
                Err(DialError::NoMoreAddresses) => return Ok(Err(last)),
                Err(DialError::UnknownHost) => {
                    return Ok(Err(Fault::Dial(DialError::UnknownHost)));
                }
                Err(reason) => {
                    last = Fault::Dial(reason);
                    place.next();
                    continue;
                }
            };
            let refused_before = self.session.server.minor_refused;
            let opened = self.open_one(dialler, &config, &target, transport);
            let settled = opened.and_then(|mut io| {
                let is = io.tls_next || self.session.is_wanted(&mut io, wanted)?;
                Ok((io, is))
            });
            match settled {
                Ok((io, true)) => return Ok(Ok(io)),
                Ok((mut io, false)) => {
                    // The server gets a goodbye; nobody minds if it does not hear it.
                    let _ = self.session.goodbye(&mut io);
                    self.session.link.forget_sent();
                    return Ok(Err(Fault::NoSuitableHost));
                }
                Err(_) if self.session.server.minor_refused && !refused_before => {}
                // Some poolers hang up on a version they do not know.
                Err(Fault::HungUp) if config.is_guessing(refused_before) => {
                    guessed = true;
                    self.session.server.minor_refused = true;
                }
                Err(fault) => {
                    // It was not the version.
                    self.session.server.minor_refused &= !core::mem::take(&mut guessed);
                    if !self.lets_go_on(fault) {
                        return Err(fault);
                    }
                    last = fault;
                    place.next();
                }
            }
        }
    }

    fn open_one<D: Dial>(
        &mut self,
        dialler: &mut D,
        config: &Config<'_>,
        target: &Target<'_>,
        transport: D::Transport,
    ) -> Outcome<Opening<D::Transport>> {
        let is_local = dialler.is_local(&transport);
        let mut config = *config;
        if !config.has_password() && !config.has_scram_keys() {
            let password = dialler.password(target, &config).map_err(Fault::Dial)?;
            config.password = password.map(Secret::new);
        }
        begin(&mut self.session, &self.tls, &config, target.host.host, is_local, transport)
    }

    /// Whether another address or host may do better: the link failed, or the server is about
    /// to stop or start. A password that is wrong here is wrong there.
    fn lets_go_on(&self, fault: Fault) -> bool {
        match fault {
            Fault::Transport(_) | Fault::Closed | Fault::HungUp | Fault::TimedOut => true,
            Fault::Server => {
                let state = self.session.sqlstate();
                state.is(b"57P01") || state.is(b"57P02") || state.is(b"57P03")
            }
            _ => false,
        }
    }
}

impl Session<'_> {
    /// Whether the session is of the kind wanted. Servers before PostgreSQL 14, openGauss and
    /// poolers do not report it and are asked.
    fn is_wanted(&mut self, io: &mut dyn Io, wanted: TargetSessionAttrs) -> Outcome<bool> {
        let server = self.server;
        let standby = server.in_hot_standby;
        match wanted {
            TargetSessionAttrs::Any => Ok(true),
            TargetSessionAttrs::ReadWrite | TargetSessionAttrs::ReadOnly => {
                let read_only = match (standby, server.read_only) {
                    (Some(standby), Some(read_only)) => standby || read_only,
                    _ => self.ask(io, "SHOW transaction_read_only", b"on")?,
                };
                Ok(read_only == (wanted == TargetSessionAttrs::ReadOnly))
            }
            TargetSessionAttrs::Primary
            | TargetSessionAttrs::Standby
            | TargetSessionAttrs::PreferStandby => {
                let standby = match standby {
                    Some(standby) => standby,
                    None => self.ask(io, "SELECT pg_catalog.pg_is_in_recovery()", b"t")?,
                };
                Ok(standby == (wanted != TargetSessionAttrs::Primary))
            }
        }
    }

    /// Whether the answer to a question is `yes`.
    fn ask(&mut self, io: &mut dyn Io, question: &str, yes: &[u8]) -> Outcome<bool> {
        self.simple_query(io, question)?;
        let mut answer = false;
        loop {
            match self.next(io)? {
                tag::ROW_DESCRIPTION | tag::COMMAND_COMPLETE => self.link.skip(io)?,
                tag::DATA_ROW => {
                    // Number of columns, then length and bytes of the only one.
                    let span = self.link.body(io)?;
                    let mut reader = Reader::new(self.link.get(span));
                    reader.bytes(6)?;
                    answer = reader.rest() == yes;
                }
                tag::READY_FOR_QUERY => return self.ready(io).map(|()| answer),
                other => return Err(self.unexpected(io, other)),
            }
        }
    }
}

/// The order in which hosts are tried.
struct Order {
    hosts: usize,
    given: usize,
    /// Hosts that had their turn, where they are shuffled.
    tried: u32,
    /// Zero: in the order written.
    random: u32,
}

/// Hosts that are shuffled; those behind them come last, as written.
const SHUFFLED: usize = 32;

impl Order {
    fn new(session: &Session<'_>, config: &Config<'_>, hosts: usize) -> Self {
        let random = match config.load_balance_hosts {
            LoadBalanceHosts::Disable => 0,
            LoadBalanceHosts::Random => {
                let platform = session.link.platform();
                let mut seed = [0; 4];
                // Where there is no entropy, the time must do: this is no secret.
                match platform.entropy(&mut seed) {
                    Ok(()) => u32::from_le_bytes(seed),
                    Err(_) => u32::try_from(platform.now_ms() & 0xffff_ffff).unwrap_or(1),
                }
                .max(1)
            }
        };
        Self { hosts, given: 0, tried: 0, random }
    }

    /// Index of the next host.
    fn next(&mut self) -> Option<usize> {
        if self.given >= self.hosts {
            return None;
        }
        let turn = self.given;
        self.given = turn.saturating_add(1);
        let shuffled = self.hosts.min(SHUFFLED);
        if self.random == 0 || turn >= shuffled {
            return Some(turn);
        }
        let left = u32::try_from(shuffled.saturating_sub(turn)).unwrap_or(1);
        let pick = self.roll().checked_rem(left).unwrap_or(0);
        let is_free = |n: &u32| self.tried & 1_u32.wrapping_shl(*n) == 0;
        let pick = usize::try_from(pick).unwrap_or(0);
        let host = (0..32).filter(is_free).nth(pick)?;
        self.tried |= 1_u32.wrapping_shl(host);
        usize::try_from(host).ok()
    }

    /// A random number for the addresses of a host; 0 in the order written.
    fn rotation(&mut self) -> u32 {
        if self.random == 0 { 0 } else { self.roll() }
    }

    /// Xorshift: not for secrets.
    fn roll(&mut self) -> u32 {
        self.random ^= self.random.wrapping_shl(13);
        self.random ^= self.random.wrapping_shr(17);
        self.random ^= self.random.wrapping_shl(5);
        // The low bits alone would repeat the seed's.
        self.random.wrapping_mul(0x9e37_79b1).wrapping_shr(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn order(hosts: usize, random: u32) -> Vec<usize> {
        let mut order = Order { hosts, given: 0, tried: 0, random };
        core::iter::from_fn(|| order.next()).collect()
    }

    #[test]
    fn every_host_has_one_turn() {
        assert_eq!(order(4, 0), [0, 1, 2, 3]);
        let mut firsts = [0; 4];
        for seed in 1..=400 {
            let mut shuffled = order(4, seed * 7919);
            firsts[shuffled[0]] += 1;
            shuffled.sort_unstable();
            assert_eq!(shuffled, [0, 1, 2, 3]);
        }
        assert!(firsts.iter().all(|count| (60..140).contains(count)), "{firsts:?}");
        let mut many = order(40, 5);
        assert_eq!(many[32..], [32, 33, 34, 35, 36, 37, 38, 39]);
        many.sort_unstable();
        assert!(many.iter().copied().eq(0..40));
    }
}
