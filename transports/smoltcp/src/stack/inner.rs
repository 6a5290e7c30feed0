//! What a stack consists of: interface, sockets, addresses.

use core::net::{IpAddr, Ipv4Addr};

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::{dhcpv4, dns, tcp};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Cidr};

use super::FIRST_PORT;
use crate::SetupError;
use crate::memory::MAX_TCP;
use crate::names::Addresses;

/// Frames taken from the device in one poll, so that a flood cannot hold the caller.
const MAX_FRAMES: usize = 16;

/// A pause between two polls from which on a peer's silence says nothing, in milliseconds.
const GAP_MS: u32 = 5000;

/// Name servers that are kept, as feature `sizes` lets smoltcp ask.
pub(super) const MAX_SERVERS: usize = 2;

/// What is in the cell of a [`Stack`](super::Stack): the interface, its sockets, its addresses.
pub(crate) struct Inner<'a, D: Device> {
    pub(super) device: D,
    pub(crate) interface: Interface,
    pub(crate) sockets: SocketSet<'a>,
    pub(super) tcp: [Option<Slot>; MAX_TCP],
    pub(crate) dns: SocketHandle,
    pub(super) dhcp: Option<SocketHandle>,
    /// The name servers, in the order to ask them.
    pub(super) servers: [IpAddress; MAX_SERVERS],
    /// How many there are.
    pub(crate) server_count: u8,
    pub(super) own_server: bool,
    pub(super) next_port: u16,
    /// When it was polled last.
    pub(super) polled_ms: u32,
    /// The last name looked up, as a number, and its addresses.
    pub(super) last: Option<(u64, Addresses)>,
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) handle: SocketHandle,
    pub(super) lent: bool,
}

impl<'a, D: Device> Inner<'a, D> {
    /// Returns when the stack wants to be polled again, in milliseconds.
    pub(crate) fn poll(&mut self, now_ms: u64) -> u64 {
        let now = instant(now_ms);
        self.allow_for_gap(now_ms);
        self.interface.poll_maintenance(now);
        for _ in 0..MAX_FRAMES {
            let result =
                self.interface.poll_ingress_single(now, &mut self.device, &mut self.sockets);
            if result == smoltcp::iface::PollIngressSingleResult::None {
                break;
            }
        }
        // Not while the device is busy: smoltcp forgets a segment that it would repeat just then, and takes its timer
        // for one of an idle link, whose keep-alive's byte the peer may then take for data.
        if self.device.transmit(now).is_some() {
            self.interface.poll_egress(now, &mut self.device, &mut self.sockets);
        }
        self.follow_dhcp();
        match self.interface.poll_at(now, &self.sockets) {
            // Not `total_millis`: for unsigned numbers the division is in an image anyway, for signed ones not.
            Some(at) => u64::try_from(at.total_micros()).unwrap_or(0) / 1000,
            None => u64::MAX,
        }
    }

    /// Where nothing has polled no probe was sent, and none answered: that time is added to the session's time-out, for
    /// smoltcp's counts an idle link's time too.
    #[inline(never)]
    fn allow_for_gap(&mut self, now_ms: u64) {
        let now = now_ms as u32;
        let gap_ms = now.wrapping_sub(self.polled_ms);
        self.polled_ms = now;
        if gap_ms < GAP_MS {
            return;
        }
        let gap = Duration::from_millis(gap_ms.into());
        // The session's; a cancel request is over by then.
        if let [Some(slot), ..] = self.tcp {
            let socket = self.tcp(slot.handle);
            socket.set_timeout(socket.timeout().map(|timeout| timeout + gap));
        }
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'a> {
        self.sockets.get_mut(handle)
    }

    pub(super) fn follow_dhcp(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
            None => {}
            Some(dhcpv4::Event::Configured(config)) => {
                let (address, router) = (config.address, config.router);
                let mut servers = [IpAddress::Ipv4(Ipv4Addr::UNSPECIFIED); MAX_SERVERS];
                let mut count = 0;
                for (to, from) in servers.iter_mut().zip(&config.dns_servers) {
                    *to = IpAddress::Ipv4(*from);
                    count += 1;
                }
                self.set_ipv4(address, router);
                self.set_servers(&servers[..count]);
            }
            Some(dhcpv4::Event::Deconfigured) => {
                self.drop_ipv4();
                self.interface.routes_mut().remove_default_ipv4_route();
                self.set_servers(&[]);
            }
        }
    }

    pub(super) fn drop_ipv4(&mut self) {
        self.interface.update_ip_addrs(|addresses| {
            addresses.retain(|address| !matches!(address, IpCidr::Ipv4(_)));
        });
    }

    pub(super) fn set_ipv4(&mut self, address: Ipv4Cidr, router: Option<Ipv4Addr>) {
        self.drop_ipv4();
        self.interface.update_ip_addrs(|addresses| {
            // There is room for one: it was just taken out, or this is the first.
            let _ = addresses.push(IpCidr::Ipv4(address));
        });
        let routes = self.interface.routes_mut();
        match router {
            Some(router) => {
                let _ = routes.add_default_ipv4_route(router);
            }
            None => {
                routes.remove_default_ipv4_route();
            }
        }
    }

    #[cfg(feature = "ipv6")]
    pub(super) fn set_ipv6(&mut self, ipv6: crate::Ipv6) -> Result<(), SetupError> {
        use crate::Ipv6;
        use core::net::Ipv6Addr;
        use smoltcp::wire::Ipv6Cidr;
        if ipv6 == Ipv6::Off {
            return Ok(());
        }
        let prefix = Ipv6Cidr::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64);
        // smoltcp panics when a device of bare IP packets is asked for its hardware address.
        let link_local = super::is_ethernet(&self.device)
            .then(|| Ipv6Cidr::from_link_prefix(&prefix, self.interface.hardware_addr()))
            .flatten();
        let mut own = None;
        if let Ipv6::Static { address, prefix, router } = ipv6 {
            if !IpAddress::Ipv6(address).is_unicast() {
                return Err(SetupError::Address);
            }
            own = Some(Ipv6Cidr::new(address, prefix.min(128)));
            if let Some(router) = router {
                let _ = self.interface.routes_mut().add_default_ipv6_route(router);
            }
        }
        self.interface.update_ip_addrs(|addresses| {
            for address in [own, link_local].into_iter().flatten() {
                let _ = addresses.push(IpCidr::Ipv6(address));
            }
        });
        Ok(())
    }

    #[cfg(feature = "ipv6")]
    pub(super) fn ipv6_addr(&self) -> Option<core::net::Ipv6Addr> {
        self.interface.ip_addrs().iter().find_map(|cidr| match cidr {
            IpCidr::Ipv6(cidr) if !cidr.address().is_unicast_link_local() => Some(cidr.address()),
            _ => None,
        })
    }

    pub(super) fn set_own_server(&mut self, server: IpAddr) -> Result<(), SetupError> {
        let server = match server {
            IpAddr::V4(address) => IpAddress::Ipv4(address),
            #[cfg(feature = "ipv6")]
            IpAddr::V6(address) => IpAddress::Ipv6(address),
            #[cfg(not(feature = "ipv6"))]
            IpAddr::V6(_) => return Err(SetupError::Address),
        };
        self.set_servers(&[server]);
        self.own_server = true;
        Ok(())
    }

    /// Takes over name servers from the network, unless the setup named one.
    #[inline(never)]
    pub(super) fn set_servers(&mut self, servers: &[IpAddress]) {
        if !self.own_server {
            self.server_count = servers.len() as u8;
            self.servers.iter_mut().zip(servers).for_each(|(to, from)| *to = *from);
            self.sockets.get_mut::<dns::Socket>(self.dns).update_servers(servers);
        }
    }

    /// The next lookup asks the other name server first.
    pub(crate) fn swap_servers(&mut self) {
        if self.server_count > 1 {
            let [first, second] = self.servers;
            self.set_servers(&[second, first]);
        }
    }

    /// Whether a name server is known and can be reached.
    pub(super) fn can_ask(&self) -> bool {
        self.server_count > 0 && self.has_address_for(self.servers[0])
    }

    /// Whether there is any own address.
    pub(super) fn is_up(&self) -> bool {
        #[cfg(feature = "ipv6")]
        if self.ipv6_addr().is_some() {
            return true;
        }
        self.interface.ipv4_addr().is_some()
    }

    /// Whether there is an own address to reach that one from.
    pub(crate) fn has_address_for(&self, address: IpAddress) -> bool {
        match address {
            IpAddress::Ipv4(_) => self.interface.ipv4_addr().is_some(),
            #[cfg(feature = "ipv6")]
            IpAddress::Ipv6(address) => {
                address.is_unicast_link_local() || self.ipv6_addr().is_some()
            }
            #[allow(unreachable_patterns)] // depends on smoltcp's features
            _ => false,
        }
    }

    pub(super) fn lend(&mut self) -> Option<SocketHandle> {
        let slot = self.tcp.iter_mut().flatten().find(|slot| !slot.lent)?;
        slot.lent = true;
        Some(slot.handle)
    }

    pub(super) fn dial(
        &mut self,
        handle: SocketHandle,
        address: IpAddress,
        port: u16,
    ) -> Result<(), tcp::ConnectError> {
        // A fresh port for every connection: the server may still remember the last one.
        let local = self.next_port;
        self.next_port = local.checked_add(1).unwrap_or(FIRST_PORT);
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        if socket.is_open() {
            socket.abort();
        }
        // While connecting, the caller's deadline counts; giving up earlier would look like a
        // refusal.
        socket.set_timeout(None);
        socket.connect(self.interface.context(), (address, port), local)
    }
}

pub(super) fn instant(now_ms: u64) -> Instant {
    Instant::from_millis(i64::try_from(now_ms).unwrap_or(i64::MAX))
}
