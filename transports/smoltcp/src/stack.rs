//! The interface and its sockets: address, names, connecting, and the one place that waits.

mod clock;
mod inner;

use core::cell::RefCell;
use core::net::Ipv4Addr;

use barepg::transport::draw_entropy;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, Medium};
use smoltcp::socket::dhcpv4::{self, RetryConfig};
use smoltcp::socket::{dns, tcp};
use smoltcp::time::Duration;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, Ipv4Cidr};

use crate::memory::MAX_TCP;
use crate::names::{Addresses, Lookup, Missing, known_as, literal};
use crate::{ConnectError, Ipv4, Setup, SetupError, Sleep, Sockets, TcpBuffers, TcpStream};
use clock::Clock;
pub(crate) use inner::Inner;
use inner::{MAX_SERVERS, Slot, instant};

/// Longest wait of one `read` or `write`, in milliseconds, before it says "nothing yet".
pub const SLICE_MS: u64 = 20;

/// A peer from which nothing comes, not even an acknowledgement, is given up after this time, in
/// milliseconds.
///
/// It outlives loss: TCP repeats seven times in it (after 1, 3, 7, 15, 31, 63 and 123 s), an idle link is
/// probed eighteen times. Of a thousand sessions of a hundred statements each, over a link that loses every
/// tenth frame, 30 s gave up four; this gives up none. Waiting for an answer ends at the driver's deadline,
/// which is shorter (10 s unless it is set).
pub const TIMEOUT_MS: u32 = 180_000;

/// An idle connection is probed in this interval, in milliseconds; without it the time-out finds no
/// dead peer.
pub const KEEP_ALIVE_MS: u32 = 10_000;

/// Longest sleep between two polls, in milliseconds, whatever the stack says: a board whose
/// network interrupt is lost or missing still makes progress.
const MAX_SLEEP_MS: u64 = 10;

/// First port of the dynamic range (RFC 6335 section 6).
const FIRST_PORT: u16 = 49152;

/// A network interface with its sockets.
///
/// Shared by reference: a stream, an idle hook and a second connect may all poll it. It is not
/// for interrupt handlers.
pub struct Stack<'a, D: Device> {
    inner: RefCell<Inner<'a, D>>,
    clock: Clock,
    board: &'a dyn Sleep,
}

impl<'a, D: Device> Stack<'a, D> {
    /// Brings the interface up. Nothing is sent yet.
    ///
    /// # Errors
    /// See [`SetupError`]; only [`SetupError::NoEntropy`] may be otherwise the next time.
    pub fn new<const RX: usize, const TX: usize, const TCP: usize>(
        mut device: D,
        board: &'a dyn Sleep,
        setup: Setup,
        buffers: &'a mut TcpBuffers<RX, TX, TCP>,
        places: &'a mut Sockets<'a>,
    ) -> Result<Self, SetupError> {
        let seed = match setup.seed {
            Some(seed) => seed,
            None => {
                let mut seed = [0; 8];
                draw_entropy(board, &mut seed).map_err(|_| SetupError::NoEntropy)?;
                u64::from_le_bytes(seed)
            }
        };
        // Neighbours, as counters are, must not look alike.
        let seed = mix(seed);
        let mut config = Config::new(hardware_address(&device, setup.mac)?);
        config.random_seed = seed;
        #[cfg(feature = "ipv6")]
        {
            config.slaac = setup.ipv6 == crate::Ipv6::Slaac && is_ethernet(&device);
        }
        let interface = Interface::new(config, &mut device, instant(0));
        let (places, queries) = places.places();
        let mut sockets = SocketSet::new(places);
        let mut slots = [None; MAX_TCP];
        for (slot, (rx, tx)) in
            slots.iter_mut().zip(buffers.rx.iter_mut().zip(buffers.tx.iter_mut()))
        {
            let mut socket = tcp::Socket::new(
                tcp::SocketBuffer::new(&mut rx[..]),
                tcp::SocketBuffer::new(&mut tx[..]),
            );
            // The driver writes whole requests; holding back their ends only costs time.
            socket.set_nagle_enabled(false);
            // After the last byte of an answer there may be no poll for a long time, in which the
            // server would repeat it. At a window of a few segments the wait would also be paid for
            // in every round trip.
            socket.set_ack_delay(None);
            *slot = Some(Slot { handle: sockets.add(socket), lent: false });
        }
        let dns = sockets.add(dns::Socket::new(&[], queries));
        let mut inner = Inner {
            dhcp: None,
            servers: [IpAddress::Ipv4(Ipv4Addr::UNSPECIFIED); MAX_SERVERS],
            server_count: 0,
            own_server: false,
            polled_ms: 0,
            last: None,
            device,
            interface,
            sockets,
            tcp: slots,
            dns,
            // Bits that the interface's generator does not begin with.
            next_port: FIRST_PORT | (seed.rotate_right(17) as u16 & (u16::MAX - FIRST_PORT)),
        };
        if let Some(server) = setup.name_server {
            inner.set_own_server(server)?;
        }
        #[cfg(feature = "ipv6")]
        inner.set_ipv6(setup.ipv6)?;
        match setup.ipv4 {
            // A device of bare IP packets has no place for DHCP.
            Ipv4::Dhcp if is_ethernet(&inner.device) => {
                let mut dhcp = dhcpv4::Socket::new();
                let mut retry = RetryConfig::default();
                // smoltcp's 10 s would make one lost frame at power-up eat a connect deadline.
                retry.discover_timeout = Duration::from_secs(1);
                retry.initial_request_timeout = Duration::from_secs(1);
                dhcp.set_retry_config(retry);
                inner.dhcp = Some(inner.sockets.add(dhcp));
            }
            Ipv4::Dhcp | Ipv4::Off => {}
            Ipv4::Static { address, prefix, router } => {
                if !IpAddress::Ipv4(address).is_unicast() {
                    return Err(SetupError::Address);
                }
                inner.set_ipv4(Ipv4Cidr::new(address, prefix.min(32)), router);
            }
        }
        Ok(Self { inner: RefCell::new(inner), clock: Clock::at(board.now_ms()), board })
    }

    /// Receives, answers and sends what is due. Returns quickly. For the idle hook, so that the
    /// stack keeps its promises (ARP, DHCP renewal, keep-alive) while the driver computes.
    pub fn poll(&self) {
        let now = self.now_ms();
        if let Ok(mut inner) = self.inner.try_borrow_mut() {
            inner.poll(now);
        }
    }

    /// The device, which the stack owns: to ask a chip whether a cable is in, say. `None` where the stack is at work,
    /// which it is only within the device's own functions.
    pub fn with_device<R>(&self, ask: impl FnOnce(&mut D) -> R) -> Option<R> {
        self.with(|inner| ask(&mut inner.device))
    }

    /// The own IPv4 address, once there is one.
    pub fn ipv4_addr(&self) -> Option<Ipv4Addr> {
        self.inner.try_borrow().ok()?.interface.ipv4_addr()
    }

    /// The own IPv6 address by which other networks are reached, once there is one. Feature `ipv6`.
    #[cfg(feature = "ipv6")]
    pub fn ipv6_addr(&self) -> Option<core::net::Ipv6Addr> {
        self.inner.try_borrow().ok()?.ipv6_addr()
    }

    /// Looks up a host: an address in text is taken as it is, all else is asked from the name
    /// servers.
    ///
    /// # Errors
    /// [`ConnectError::NoAddress`], [`ConnectError::NameNotFound`],
    /// [`ConnectError::NameTimedOut`].
    pub fn resolve(&self, host: &str, timeout_ms: u32) -> Result<Addresses, ConnectError> {
        self.addresses(host, true, self.now_ms().saturating_add(timeout_ms.into()))
    }

    /// Connects to a host by name or address, one address of a name after the other. The deadline
    /// covers all of it: waiting for an own address, looking up the name, and TCP's handshakes.
    ///
    /// # Errors
    /// See [`ConnectError`]; of several addresses, the error of the last. Nothing is left open; call
    /// again.
    pub fn connect(
        &self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<TcpStream<'_, 'a, D>, ConnectError> {
        let deadline = self.now_ms().saturating_add(timeout_ms.into());
        let addresses = self.addresses(host, true, deadline)?;
        let mut left = u64::try_from(addresses.count()).unwrap_or(1).max(1);
        let mut error = ConnectError::NameNotFound;
        for address in addresses.raw() {
            // What is left of the time is for all that are left of the addresses.
            let now = self.now_ms();
            let share = deadline.saturating_sub(now) / left;
            left = left.saturating_sub(1).max(1);
            match self.connect_to(address, port, now.saturating_add(share)) {
                Ok(stream) => return Ok(stream),
                Err(ConnectError::NoSocket) => return Err(ConnectError::NoSocket),
                Err(other) => error = other,
            }
        }
        Err(error)
    }

    /// Connects to one address.
    pub(crate) fn connect_to(
        &self,
        address: IpAddress,
        port: u16,
        deadline: u64,
    ) -> Result<TcpStream<'_, 'a, D>, ConnectError> {
        if self.wait(deadline, |inner| inner.has_address_for(address).then_some(())).is_none() {
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
            socket.set_timeout(Some(Duration::from_millis(TIMEOUT_MS.into())));
            socket.set_keep_alive(Some(Duration::from_millis(KEEP_ALIVE_MS.into())));
        });
        Ok(stream)
    }

    /// The addresses of a host: of the last lookup, unless a new one is wanted or it was of another.
    pub(crate) fn addresses(
        &self,
        host: &str,
        anew: bool,
        deadline: u64,
    ) -> Result<Addresses, ConnectError> {
        if let Some(address) = literal(host) {
            return address.map(Addresses::one).ok_or(ConnectError::Unreachable);
        }
        let known_as = known_as(host);
        let last = self.with(|inner| inner.last).flatten();
        if let Some((of, addresses)) = last.filter(|_| !anew)
            && of == known_as
        {
            return Ok(addresses);
        }
        let addresses = self.look_up(host, deadline)?;
        self.with(|inner| inner.last = Some((known_as, addresses)));
        Ok(addresses)
    }

    fn look_up(&self, host: &str, deadline: u64) -> Result<Addresses, ConnectError> {
        if self.wait(deadline, |inner| inner.can_ask().then_some(())).is_none() {
            let up = self.with(|inner| inner.is_up()).unwrap_or(false);
            return Err(if up { ConnectError::NameTimedOut } else { ConnectError::NoAddress });
        }
        let mut lookup = self
            .with(|inner| Lookup::start(inner, host, self.now_ms()))
            .and_then(Result::ok)
            .ok_or(ConnectError::NameNotFound)?;
        self.wait(deadline, |inner| lookup.step(inner, self.now_ms()));
        match self.with(|inner| lookup.end(inner)) {
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(Missing::Unknown)) => Err(ConnectError::NameNotFound),
            Some(Err(Missing::Unanswered)) | None => Err(ConnectError::NameTimedOut),
        }
    }

    /// Polls and sleeps until `ready` says something or the deadline has passed. `ready` is asked
    /// at least once, before the first poll.
    #[inline]
    pub(crate) fn wait<R>(
        &self,
        deadline: u64,
        mut ready: impl FnMut(&mut Inner<'a, D>) -> Option<R>,
    ) -> Option<R> {
        let mut result = None;
        self.wait_until(deadline, &mut |inner| {
            result = ready(inner);
            result.is_some()
        });
        result
    }

    /// The one loop that waits.
    #[inline(never)]
    fn wait_until(&self, deadline: u64, ready: &mut dyn FnMut(&mut Inner<'a, D>) -> bool) {
        loop {
            let rest = {
                let Ok(mut inner) = self.inner.try_borrow_mut() else { return };
                if ready(&mut inner) {
                    return;
                }
                let now = self.now_ms();
                let wake = inner.poll(now);
                if ready(&mut inner) || now >= deadline || self.clock.stands() {
                    return;
                }
                // What is due after a poll waits for the device: its cable is out, its queue full.
                wake.min(deadline).saturating_sub(now).clamp(1, MAX_SLEEP_MS)
            };
            self.board.idle();
            self.board.sleep_until(self.board.now_ms().wrapping_add(rest));
        }
    }

    /// As [`wait`](Self::wait), for one slice.
    pub(crate) fn wait_slice<R>(
        &self,
        ready: impl FnMut(&mut Inner<'a, D>) -> Option<R>,
    ) -> Option<R> {
        self.wait(self.now_ms().saturating_add(SLICE_MS), ready)
    }

    #[inline(never)]
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.look(self.board.now_ms())
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

impl<D: Device> core::fmt::Debug for Stack<'_, D> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack").field("ipv4_addr", &self.ipv4_addr()).finish_non_exhaustive()
    }
}

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the seed.
fn mix(seed: u64) -> u64 {
    let z = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn is_ethernet<D: Device>(device: &D) -> bool {
    device.capabilities().medium == Medium::Ethernet
}

/// What smoltcp takes without a panic.
fn hardware_address<D: Device>(device: &D, mac: [u8; 6]) -> Result<HardwareAddress, SetupError> {
    match device.capabilities().medium {
        Medium::Ethernet => {
            let address = EthernetAddress(mac);
            if address.is_unicast() && mac != [0; 6] {
                Ok(HardwareAddress::Ethernet(address))
            } else {
                Err(SetupError::HardwareAddress)
            }
        }
        #[cfg(feature = "medium-ip")]
        Medium::Ip => Ok(HardwareAddress::Ip),
        #[allow(unreachable_patterns)] // depends on smoltcp's features
        _ => Err(SetupError::Medium),
    }
}
