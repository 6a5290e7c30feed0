//! From a host's name to its addresses.

use core::net::IpAddr;

use smoltcp::iface::SocketSet;
use smoltcp::phy::Device;
use smoltcp::socket::dns::{self, GetQueryResultError, QueryHandle, StartQueryError};
use smoltcp::wire::{DnsQueryType, IpAddress};

use crate::memory::QUERIES;
use crate::stack::Inner;

/// Addresses of one host that are kept.
const MAX: usize = 4;

/// How long an answer for one kind of address waits for the other, in milliseconds.
const GRACE_MS: u64 = 1000;

/// How long smoltcp waits for each name server, in milliseconds (`RETRANSMIT_TIMEOUT` of its `socket::dns`). It reports
/// silence as it does a name that is unknown.
const SERVER_MS: u32 = 10_000;

/// The kinds of addresses, the preferred one first.
#[cfg(feature = "ipv6")]
const KINDS: [DnsQueryType; QUERIES] = [DnsQueryType::Aaaa, DnsQueryType::A];
#[cfg(not(feature = "ipv6"))]
const KINDS: [DnsQueryType; QUERIES] = [DnsQueryType::A];

/// The addresses of a host, in the order to try them: IPv6 and IPv4 in turn, those first that
/// this board has an own address for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    list: [Option<IpAddress>; MAX],
}

impl Addresses {
    const NONE: Self = Self { list: [None; MAX] };

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.raw().map(IpAddr::from)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.raw().count()
    }

    pub(crate) fn raw(&self) -> impl Iterator<Item = IpAddress> + '_ {
        self.list.iter().flatten().copied()
    }

    pub(crate) fn one(address: IpAddress) -> Self {
        let mut addresses = Self::NONE;
        addresses.push(address);
        addresses
    }

    fn push(&mut self, address: IpAddress) {
        if let Some(place) = self.list.iter_mut().find(|place| place.is_none()) {
            *place = Some(address);
        }
    }
}

/// Why there are no addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Unknown,
    Unanswered,
}

/// One lookup under way.
pub(crate) struct Lookup {
    kinds: [Kind; QUERIES],
    /// From then on a failure is the servers' silence.
    silent_ms: u64,
    /// When an answer was there first.
    first_ms: Option<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Asked(QueryHandle),
    Found([Option<IpAddress>; MAX]),
    Missing(Missing),
}

impl Lookup {
    /// Asks the name servers.
    pub(crate) fn start<D: Device>(
        inner: &mut Inner<'_, D>,
        host: &str,
        now_ms: u64,
    ) -> Result<Self, StartQueryError> {
        let mut kinds = [Kind::Missing(Missing::Unanswered); QUERIES];
        for (kind, wanted) in kinds.iter_mut().zip(KINDS) {
            let socket = inner.sockets.get_mut::<dns::Socket>(inner.dns);
            *kind = Kind::Asked(socket.start_query(inner.interface.context(), host, wanted)?);
        }
        let silent_ms = now_ms.wrapping_add(u64::from(SERVER_MS * u32::from(inner.server_count)));
        Ok(Self { kinds, silent_ms, first_ms: None })
    }

    /// Whether it is over: all answers are here, or one has waited long enough for the other.
    pub(crate) fn step<D: Device>(&mut self, inner: &mut Inner<'_, D>, now_ms: u64) -> Option<()> {
        let mut pending = false;
        for kind in &mut self.kinds {
            if let Kind::Asked(query) = *kind {
                let socket = socket(&mut inner.sockets, inner.dns);
                match socket.get_query_result(query) {
                    Ok(found) => {
                        let mut list = [None; MAX];
                        for (place, address) in list.iter_mut().zip(&found) {
                            *place = Some(*address);
                        }
                        *kind = Kind::Found(list);
                    }
                    Err(GetQueryResultError::Pending) => pending = true,
                    Err(GetQueryResultError::Failed) => {
                        let silent = now_ms > self.silent_ms;
                        let missing = if silent { Missing::Unanswered } else { Missing::Unknown };
                        *kind = Kind::Missing(missing);
                    }
                }
            }
            if matches!(kind, Kind::Found(_)) && self.first_ms.is_none() {
                self.first_ms = Some(now_ms);
            }
        }
        let waited = self.first_ms.is_some_and(|first| now_ms.saturating_sub(first) >= GRACE_MS);
        (!pending || waited).then_some(())
    }

    /// What there is, once it is over or the deadline has passed. Frees the questions.
    pub(crate) fn end<D: Device>(mut self, inner: &mut Inner<'_, D>) -> Result<Addresses, Missing> {
        let mut missing = Missing::Unknown;
        for kind in &mut self.kinds {
            match *kind {
                Kind::Asked(query) => {
                    socket(&mut inner.sockets, inner.dns).cancel_query(query);
                    missing = Missing::Unanswered;
                }
                Kind::Missing(Missing::Unanswered) => missing = Missing::Unanswered,
                Kind::Missing(Missing::Unknown) | Kind::Found(_) => {}
            }
        }
        let mut addresses = Addresses::NONE;
        // Those of a kind that this board cannot dial at the moment come last.
        for usable in [true, false] {
            for index in 0..MAX {
                for kind in &self.kinds {
                    let Kind::Found(list) = kind else { continue };
                    let Some(address) = list.get(index).copied().flatten() else { continue };
                    if inner.has_address_for(address) == usable {
                        addresses.push(address);
                    }
                }
            }
        }
        if addresses == Addresses::NONE {
            // What one does not know, or does not say, the other may.
            inner.swap_servers();
            return Err(missing);
        }
        Ok(addresses)
    }
}

fn socket<'s, 'a>(
    sockets: &'s mut SocketSet<'a>,
    handle: smoltcp::iface::SocketHandle,
) -> &'s mut dns::Socket<'a> {
    sockets.get_mut(handle)
}

/// An address in text, if it is one; the inner `None` is one that cannot be dialled.
#[cfg(feature = "ipv6")]
pub(crate) fn literal(host: &str) -> Option<Option<IpAddress>> {
    barepg::transport::ip_literal(host).map(|address| Some(address.into()))
}

/// An address in text, if it is one; the inner `None` is one that cannot be dialled. Without the parser of
/// IPv6 addresses.
#[cfg(not(feature = "ipv6"))]
pub(crate) fn literal(host: &str) -> Option<Option<IpAddress>> {
    match barepg::transport::ipv4_literal(host) {
        Some(address) => Some(Some(IpAddress::Ipv4(address))),
        // Byte by byte: core's search goes by words, which is 0.2 KB.
        None => host.bytes().any(|byte| byte == b':').then_some(None),
    }
}

/// A host's name as a number, to know it again (FNV-1a, 64 bits).
pub(crate) fn known_as(host: &str) -> u64 {
    host.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    })
}
