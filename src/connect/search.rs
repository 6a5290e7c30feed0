//! Several hosts and addresses: which are tried, in which order, and whether the session is the
//! one wanted. Source: manual, "Specifying Multiple Hosts" and `target_session_attrs`.

use super::channel::Channel;
use super::dial::{Dial, Target};
use super::open::{TlsSlot, channel, lend, log_in, negotiate};
use crate::config::{Config, HostSpec, Hosts, LoadBalanceHosts, SslMode, TargetSessionAttrs};
use crate::credentials::Secret;
use crate::engine::{Fact, Place, Session};
use crate::error::{ConfigError, DialError, Fault};
use crate::transport::{Lent, lent};

type Outcome<T> = core::result::Result<T, Fault>;

/// Returns the link, or goes on with the fault. The loan of the record buffers is returned with
/// the link on one path and over on the other; today's borrow checker takes it to last on both.
#[cfg(feature = "tls")]
macro_rules! link_or_fault {
    ($tls:ident, $attempt:expr) => {
        polonius_the_crab::polonius!(|$tls| -> Outcome<Channel<'polonius, D::Transport>> {
            match $attempt {
                Ok(link) => polonius_the_crab::polonius_return!(Ok(link)),
                Err(fault) => fault,
            }
        })
    };
}

/// Without TLS nothing is lent.
#[cfg(not(feature = "tls"))]
macro_rules! link_or_fault {
    ($tls:ident, $attempt:expr) => {
        match $attempt {
            Ok(link) => return Ok(link),
            Err(fault) => fault,
        }
    };
}

pub(crate) fn search<'c, 'b: 'c, D: Dial>(
    session: &mut Session<'b>,
    tls: &'c mut TlsSlot<'b>,
    config: &Config<'_>,
    dialler: &mut D,
) -> Outcome<Channel<'c, D::Transport>> {
    let mut candidates = Candidates::new(session, config)?;
    #[cfg(feature = "tls")]
    let mut tls = tls;
    while let Some((host, wanted)) = candidates.current(session, config) {
        let fault = link_or_fault!(tls, attempt(session, tls, config, dialler, host, wanted));
        session.refuse();
        candidates.judge(session, config, fault)?;
    }
    Err(candidates.last)
}

/// One attempt at one address.
fn attempt<'c, 'b: 'c, D: Dial>(
    session: &mut Session<'b>,
    #[cfg(feature = "tls")] tls: &'c mut TlsSlot<'b>,
    #[cfg(not(feature = "tls"))] tls: &TlsSlot<'b>,
    config: &Config<'_>,
    dialler: &mut D,
    host: HostSpec<'_>,
    wanted: TargetSessionAttrs,
) -> Outcome<Channel<'c, D::Transport>> {
    session.open(config)?;
    session.server.set(Fact::Redials, true);
    let target = Target::at(session.place, host, config);
    let mut transport = dialler.dial(&target).map_err(Fault::from)?;
    let is_local = dialler.is_local(&transport);
    let mut config = *config;
    if !config.has_password() && !config.has_scram_keys() {
        let password = dialler.password(&target, &config).map_err(Fault::from)?;
        config.credentials.password = password.map(Secret::new);
    }
    let mut loan = lend(tls);
    let host = host.host;
    let over_tls =
        negotiate(session, &mut loan, &config, host, is_local, &mut lent(&mut transport))?;
    let mut channel = channel(session, &mut loan, over_tls, transport);
    log_in(session, &loan, &config, host, is_local, &mut channel)?;
    if session.is_wanted(&mut lent(&mut channel), wanted)? {
        return Ok(channel);
    }
    // Whether the server receives it does not matter.
    let _ = session.terminate(&mut lent(&mut channel));
    Err(Fault::NO_SUITABLE_HOST)
}

/// The hosts and addresses that are still to be tried.
struct Candidates<'a> {
    hosts: Hosts<'a>,
    order: Order,
    /// The host whose addresses are being tried.
    host: Option<HostSpec<'a>>,
    place: Place,
    wanted: TargetSessionAttrs,
    /// What the server was known to refuse when the current attempt began.
    minor_refused: bool,
    plaintext_refused: bool,
    /// The server's message before the current attempt.
    said: (Option<bool>, usize),
    /// How often the current address was asked again for another protocol version.
    again: u8,
    last: Fault,
}

impl<'a> Candidates<'a> {
    fn new(session: &Session<'_>, config: &Config<'a>) -> Outcome<Self> {
        let hosts = config.hosts().map_err(|_| ConfigError::Hosts)?;
        let order = Order::new(session, config, hosts.len());
        Ok(Self {
            hosts,
            order,
            host: None,
            place: Place::default(),
            wanted: config.target_session_attrs,
            minor_refused: false,
            plaintext_refused: false,
            said: (None, 0),
            again: 0,
            last: Fault::NO_SUITABLE_HOST,
        })
    }

    /// Whom to try now, and for what.
    fn current(
        &mut self,
        session: &mut Session<'_>,
        config: &Config<'_>,
    ) -> Option<(HostSpec<'a>, TargetSessionAttrs)> {
        if self.host.is_none() {
            let turn = self.order.next();
            let turn = match (turn, self.wanted) {
                // None is a standby: now any will do.
                (None, TargetSessionAttrs::PreferStandby) => {
                    self.wanted = TargetSessionAttrs::Any;
                    self.order = Order::new(session, config, self.hosts.len());
                    self.order.next()
                }
                (turn, _) => turn,
            }?;
            self.host = self.hosts.clone().nth(turn);
            self.place = Place::new(turn, self.order.rotation());
            self.again = 0;
            // What one server refused says nothing of another.
            let same = session.place.host == self.place.host;
            session.server.plaintext_refused &= same;
            if !same {
                session.server.forget_guess();
            }
        }
        session.place = self.place;
        self.said = session.said();
        self.minor_refused = session.server.is(Fact::MinorRefused);
        self.plaintext_refused = session.server.plaintext_refused;
        self.host.map(|host| (host, self.wanted))
    }

    fn next_address(&mut self) {
        self.again = 0;
        if !self.place.next() {
            self.host = None;
        }
    }

    /// What the fault of an attempt means for the next; an error ends the search.
    fn judge(
        &mut self,
        session: &mut Session<'_>,
        config: &Config<'_>,
        fault: Fault,
    ) -> Outcome<()> {
        let server = &mut session.server;
        match fault.dial() {
            Some(DialError::NoMoreAddresses) => {
                if self.place.is_first() {
                    self.last = DialError::UnknownHost.into();
                } else {
                    // What the server said at the last address is still the answer.
                    session.say_again(self.said);
                }
                self.host = None;
                return Ok(());
            }
            Some(DialError::UnknownHost | DialError::NotAnAddress) => {
                self.last = fault;
                self.host = None;
                return Ok(());
            }
            Some(DialError::PasswordTooLong) => return Err(fault),
            Some(_) => {
                self.last = fault;
                self.next_address();
                return Ok(());
            }
            None => {}
        }
        match fault {
            Fault::NO_SUITABLE_HOST => {
                self.last = fault;
                self.host = None;
            }
            // Again, with the version it may know, or with TLS.
            _ if server.is(Fact::MinorRefused) != self.minor_refused
                && self.again < if server.is(Fact::WasGauss) { 2 } else { 1 } =>
            {
                self.again = self.again.saturating_add(1);
            }
            Fault::SERVER
                if config.sslmode == SslMode::Allow
                    && server.plaintext_refused
                    && !self.plaintext_refused => {}
            _ => {
                if !session.lets_go_on(fault) {
                    return Err(fault);
                }
                self.last = fault;
                self.next_address();
            }
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Whether another address or host may do better: the link failed, or the server is about
    /// to stop or start. A password that is wrong here is wrong there.
    fn lets_go_on(&self, fault: Fault) -> bool {
        match fault {
            Fault::HUNG_UP | Fault::TIMED_OUT => true,
            fault if fault.is_lost() => true,
            Fault::SERVER => {
                let state = self.sqlstate();
                state.is(b"57P01") || state.is(b"57P02") || state.is(b"57P03")
            }
            _ => false,
        }
    }

    /// Whether the session is of the kind wanted. Servers before PostgreSQL 14, openGauss and
    /// poolers do not report it and are asked.
    fn is_wanted(&mut self, io: &mut Lent<'_>, wanted: TargetSessionAttrs) -> Outcome<bool> {
        let server = self.server;
        let standby = server.in_hot_standby;
        match wanted {
            TargetSessionAttrs::Any => Ok(true),
            TargetSessionAttrs::ReadWrite | TargetSessionAttrs::ReadOnly => {
                let read_only = match (standby, server.read_only) {
                    (Some(standby), Some(read_only)) => standby || read_only,
                    _ => self.begin_and_ask(io, "SHOW transaction_read_only", b"on")?,
                };
                Ok(read_only == (wanted == TargetSessionAttrs::ReadOnly))
            }
            TargetSessionAttrs::Primary
            | TargetSessionAttrs::Standby
            | TargetSessionAttrs::PreferStandby => {
                let standby = match standby {
                    Some(standby) => standby,
                    None => {
                        self.begin_and_ask(io, "SELECT pg_catalog.pg_is_in_recovery()", b"t")?
                    }
                };
                Ok(standby == (wanted != TargetSessionAttrs::Primary))
            }
        }
    }
}

impl Session<'_> {
    /// Within the deadline of the login.
    fn begin_and_ask(&mut self, io: &mut Lent<'_>, question: &str, yes: &[u8]) -> Outcome<bool> {
        self.link.tick()?;
        let left_ms = self.link.countdown().left_ms();
        let timeout_ms = core::mem::replace(&mut self.timeout_ms, left_ms);
        let answer = self.begin(io).and_then(|()| self.ask(io, question, yes));
        self.timeout_ms = timeout_ms;
        answer
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

/// Hosts that are shuffled; those after them come last, as written.
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
    fn rotation(&mut self) -> u16 {
        let [a, b, ..] = if self.random == 0 { [0; 4] } else { self.roll().to_le_bytes() };
        u16::from_le_bytes([a, b])
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
