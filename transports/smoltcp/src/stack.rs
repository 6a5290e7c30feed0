//! The interface and its sockets: address, names, connecting, and the one place that waits.

use core::cell::RefCell;
use core::net::Ipv4Addr;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::dhcpv4::{self, RetryConfig};
use smoltcp::socket::dns::{self, GetQueryResultError, QueryHandle};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{DnsQueryType, EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Cidr};

use crate::storage::MAX_TCP;
use crate::{Address, Clock, ConnectError, Setup, Sockets, Storage, TcpStream};

/// Longest wait of one `read` or `write`, in milliseconds, before it says "nothing yet".
pub const SLICE_MS: u64 = 20;

/// Longest sleep between two polls, in milliseconds, whatever the stack says: a board whose
/// network interrupt is lost or missing still makes progress.
const MAX_SLEEP_MS: u64 = 10;

/// Frames taken from the device in one poll, so that a flood cannot hold the caller.
const MAX_FRAMES: usize = 16;

/// A peer from which nothing comes, not even an acknowledgement, is given up after this time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An idle connection is probed in this interval; without it the time-out finds no dead peer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// First port of the dynamic range (RFC 6335 section 6).
const FIRST_PORT: u16 = 49152;

/// A network interface with its sockets.
///
/// Shared by reference: a stream, an idle hook and a second connect may all poll it. It is not
/// for interrupt handlers.
pub struct Stack<'a, D: Device> {
    inner: RefCell<Inner<'a, D>>,
    clock: &'a dyn Clock,
}

pub(crate) struct Inner<'a, D: Device> {
    device: D,
    interface: Interface,
    pub(crate) sockets: SocketSet<'a>,
    tcp: [Option<Slot>; MAX_TCP],
    dns: SocketHandle,
    dhcp: Option<SocketHandle>,
    has_dns: bool,
    name_server: Option<Ipv4Addr>,
    next_port: u16,
}

#[derive(Clone, Copy)]
struct Slot {
    handle: SocketHandle,
    lent: bool,
}

impl<'a, D: Device> Stack<'a, D> {
    /// Brings the interface up. Nothing is sent yet.
    pub fn new<const RX: usize, const TX: usize, const TCP: usize>(
        mut device: D,
        clock: &'a dyn Clock,
        setup: Setup,
        storage: &'a mut Storage<RX, TX, TCP>,
        places: &'a mut Sockets<'a>,
    ) -> Self {
        let mut config = Config::new(HardwareAddress::Ethernet(EthernetAddress(setup.mac)));
        config.random_seed = setup.seed;
        let interface = Interface::new(config, &mut device, instant(clock.now_ms()));
        let mut sockets = SocketSet::new(&mut places.sockets[..]);
        let mut slots = [None; MAX_TCP];
        for (slot, (rx, tx)) in
            slots.iter_mut().zip(storage.rx.iter_mut().zip(storage.tx.iter_mut()))
        {
            let mut socket = tcp::Socket::new(
                tcp::SocketBuffer::new(&mut rx[..]),
                tcp::SocketBuffer::new(&mut tx[..]),
            );
            // The driver writes whole requests; holding back their ends only costs time.
            socket.set_nagle_enabled(false);
            *slot = Some(Slot { handle: sockets.add(socket), lent: false });
        }
        let dns = sockets.add(dns::Socket::new(&[], &mut places.queries[..]));
        let mut inner = Inner {
            device,
            interface,
            sockets,
            tcp: slots,
            dns,
            dhcp: None,
            has_dns: false,
            name_server: setup.name_server,
            // Bits that the interface's generator does not begin with.
            next_port: FIRST_PORT | (setup.seed.rotate_right(17) as u16 & (u16::MAX - FIRST_PORT)),
        };
        match setup.address {
            Address::Dhcp => {
                let mut dhcp = dhcpv4::Socket::new();
                let mut retry = RetryConfig::default();
                // smoltcp's 10 s would make one lost frame at power-up eat a connect deadline.
                retry.discover_timeout = Duration::from_secs(1);
                retry.initial_request_timeout = Duration::from_secs(1);
                dhcp.set_retry_config(retry);
                inner.dhcp = Some(inner.sockets.add(dhcp));
            }
            Address::Static { address, prefix, router, dns } => {
                inner.configure(Ipv4Cidr::new(address, prefix.min(32)), router, dns.as_slice());
            }
        }
        Self { inner: RefCell::new(inner), clock }
    }

    /// Receives, answers and sends what is due. Returns quickly. For the idle hook, so that the
    /// stack keeps its promises (ARP, DHCP renewal, keep-alive) while the driver computes.
    pub fn poll(&self) {
        let now = self.clock.now_ms();
        if let Ok(mut inner) = self.inner.try_borrow_mut() {
            inner.poll(now);
        }
    }

    /// The own address, once there is one.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.inner.try_borrow().ok()?.interface.ipv4_addr()
    }

    /// Looks up a host: an IPv4 address in text is taken as it is, all else is asked from the
    /// name servers.
    ///
    /// # Errors
    /// [`ConnectError::NoAddress`], [`ConnectError::NameNotFound`],
    /// [`ConnectError::NameTimedOut`].
    pub fn resolve(&self, host: &str, timeout_ms: u32) -> Result<Ipv4Addr, ConnectError> {
        self.resolve_until(host, self.clock.now_ms() + u64::from(timeout_ms))
    }

    /// Connects to a host by name or address. The deadline covers all of it: waiting for an own
    /// address, looking up the name, and TCP's handshake.
    ///
    /// # Errors
    /// See [`ConnectError`]. Nothing is left open; call again.
    pub fn connect(
        &self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<TcpStream<'_, 'a, D>, ConnectError> {
        let deadline = self.clock.now_ms() + u64::from(timeout_ms);
        let address = self.resolve_until(host, deadline)?;
        if self.wait(deadline, |inner| inner.interface.ipv4_addr()).is_none() {
            return Err(ConnectError::NoAddress);
        }
        let handle = self.with(|inner| inner.lend()).flatten().ok_or(ConnectError::NoSocket)?;
        // From here on the stream's Drop gives the socket back.
        let stream = TcpStream::new(self, handle);
        // What the last session left must be gone, its reset included.
        self.poll();
        self.with(|inner| inner.dial(handle, address, port))
            .unwrap_or(Err(tcp::ConnectError::InvalidState))
            .map_err(|_| ConnectError::Unreachable)?;
        let outcome = self.wait(deadline, |inner| match inner.tcp(handle).state() {
            tcp::State::SynSent | tcp::State::SynReceived => None,
            tcp::State::Closed | tcp::State::TimeWait => Some(Err(ConnectError::Refused)),
            _ => Some(Ok(())),
        });
        outcome.unwrap_or(Err(ConnectError::TimedOut))?;
        self.with(|inner| {
            let socket = inner.tcp(handle);
            socket.set_timeout(Some(TIMEOUT));
            socket.set_keep_alive(Some(KEEP_ALIVE));
        });
        Ok(stream)
    }

    fn resolve_until(&self, host: &str, deadline: u64) -> Result<Ipv4Addr, ConnectError> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        if self.wait(deadline, |inner| inner.interface.ipv4_addr()).is_none() {
            return Err(ConnectError::NoAddress);
        }
        if self.wait(deadline, |inner| inner.has_dns.then_some(())).is_none() {
            return Err(ConnectError::NameTimedOut);
        }
        let query = self
            .with(|inner| inner.ask(host))
            .and_then(Result::ok)
            .ok_or(ConnectError::NameNotFound)?;
        match self.wait(deadline, |inner| inner.answer(query)) {
            Some(answer) => answer.ok_or(ConnectError::NameNotFound),
            None => {
                self.with(|inner| {
                    let dns = inner.dns;
                    inner.sockets.get_mut::<dns::Socket>(dns).cancel_query(query);
                });
                Err(ConnectError::NameTimedOut)
            }
        }
    }

    /// Polls and sleeps until `ready` says something or the deadline has passed. `ready` is asked
    /// at least once, before the first poll.
    pub(crate) fn wait<R>(
        &self,
        deadline: u64,
        mut ready: impl FnMut(&mut Inner<'a, D>) -> Option<R>,
    ) -> Option<R> {
        loop {
            let wake = {
                let mut inner = self.inner.try_borrow_mut().ok()?;
                if let Some(result) = ready(&mut inner) {
                    return Some(result);
                }
                let now = self.clock.now_ms();
                let wake = inner.poll(now);
                if let Some(result) = ready(&mut inner) {
                    return Some(result);
                }
                if now >= deadline {
                    return None;
                }
                wake.min(deadline).min(now + MAX_SLEEP_MS)
            };
            self.clock.sleep_until(wake);
        }
    }

    /// As [`wait`](Self::wait), for one slice.
    pub(crate) fn wait_slice<R>(
        &self,
        ready: impl FnMut(&mut Inner<'a, D>) -> Option<R>,
    ) -> Option<R> {
        self.wait(self.clock.now_ms() + SLICE_MS, ready)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut Inner<'a, D>) -> R) -> Option<R> {
        Some(body(&mut *self.inner.try_borrow_mut().ok()?))
    }

    /// Takes a socket back from a stream, in whatever state.
    pub(crate) fn give_back(&self, handle: SocketHandle) {
        self.with(|inner| {
            let socket = inner.tcp(handle);
            if socket.is_active() {
                socket.abort();
            }
            for slot in inner.tcp.iter_mut().flatten() {
                if slot.handle == handle {
                    slot.lent = false;
                }
            }
        });
        self.poll();
    }
}

impl<'a, D: Device> Inner<'a, D> {
    /// Returns when the stack wants to be polled again, in milliseconds.
    pub(crate) fn poll(&mut self, now_ms: u64) -> u64 {
        let now = instant(now_ms);
        self.interface.poll_maintenance(now);
        for _ in 0..MAX_FRAMES {
            let result =
                self.interface.poll_ingress_single(now, &mut self.device, &mut self.sockets);
            if result == smoltcp::iface::PollIngressSingleResult::None {
                break;
            }
        }
        self.interface.poll_egress(now, &mut self.device, &mut self.sockets);
        self.follow_dhcp();
        match self.interface.poll_at(now, &self.sockets) {
            Some(at) => u64::try_from(at.total_millis()).unwrap_or(0),
            None => u64::MAX,
        }
    }

    pub(crate) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'a> {
        self.sockets.get_mut(handle)
    }

    fn follow_dhcp(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
            None => {}
            Some(dhcpv4::Event::Configured(config)) => {
                let (address, router) = (config.address, config.router);
                let servers = config.dns_servers.clone();
                self.configure(address, router, &servers);
            }
            Some(dhcpv4::Event::Deconfigured) => {
                self.interface.update_ip_addrs(|addresses| addresses.clear());
                self.interface.routes_mut().remove_default_ipv4_route();
                self.has_dns = false;
            }
        }
    }

    fn configure(&mut self, address: Ipv4Cidr, router: Option<Ipv4Addr>, dns: &[Ipv4Addr]) {
        let own = self.name_server;
        let dns = own.as_ref().map_or(dns, core::slice::from_ref);
        self.interface.update_ip_addrs(|addresses| {
            addresses.clear();
            // There is room for one, and it was just emptied.
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
        let mut servers = [IpAddress::Ipv4(Ipv4Addr::UNSPECIFIED); 2];
        let mut count = 0;
        for (to, from) in servers.iter_mut().zip(dns) {
            *to = IpAddress::Ipv4(*from);
            count += 1;
        }
        let socket = self.sockets.get_mut::<dns::Socket>(self.dns);
        socket.update_servers(&servers[..count]);
        self.has_dns = count > 0;
    }

    fn ask(&mut self, host: &str) -> Result<QueryHandle, dns::StartQueryError> {
        let socket = self.sockets.get_mut::<dns::Socket>(self.dns);
        socket.start_query(self.interface.context(), host, DnsQueryType::A)
    }

    fn answer(&mut self, query: QueryHandle) -> Option<Option<Ipv4Addr>> {
        match self.sockets.get_mut::<dns::Socket>(self.dns).get_query_result(query) {
            Ok(addresses) => Some(addresses.first().map(|IpAddress::Ipv4(address)| *address)),
            Err(GetQueryResultError::Pending) => None,
            Err(GetQueryResultError::Failed) => Some(None),
        }
    }

    fn lend(&mut self) -> Option<SocketHandle> {
        let slot = self.tcp.iter_mut().flatten().find(|slot| !slot.lent)?;
        slot.lent = true;
        Some(slot.handle)
    }

    fn dial(
        &mut self,
        handle: SocketHandle,
        address: Ipv4Addr,
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
        socket.connect(self.interface.context(), (IpAddress::Ipv4(address), port), local)
    }
}

fn instant(now_ms: u64) -> Instant {
    Instant::from_millis(i64::try_from(now_ms).unwrap_or(i64::MAX))
}
