//! Two machines on one simulated wire, in one thread and in simulated time: the stack under test,
//! and a peer that serves TCP, DNS and DHCP and can be made to misbehave.

#[cfg(feature = "ipv6")]
#[allow(dead_code)] // each test binary uses a part
pub mod ipv6;
#[allow(dead_code)] // each test binary uses a part
pub mod puppet;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use barepg::{NoEntropy, Platform};
use barepg_smoltcp::Sleep;
use barepg_smoltcp::smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use barepg_smoltcp::smoltcp::phy::Device;
use barepg_smoltcp::smoltcp::socket::{tcp, udp};
use barepg_smoltcp::smoltcp::time::Instant;
use barepg_smoltcp::smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

use wire::Wire;
pub use wire::{End, Faults};

pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const PORT: u16 = 5432;

/// What the peer does with a connection.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    /// Sends back what it gets.
    Echo,
    /// Sends this many bytes, then closes.
    Fin(usize),
    /// Sends this many bytes, then resets.
    Reset(usize),
    /// Accepts, and says nothing more.
    Silent,
    /// Reads nothing, so that its window closes.
    Deaf,
    /// Gone: not even an acknowledgement.
    Gone,
    /// Does what the test does with its [`Peer::socket`].
    #[allow(dead_code)] // each test binary uses a part
    Puppet,
}

pub struct Peer {
    device: End,
    interface: Interface,
    sockets: SocketSet<'static>,
    tcp: SocketHandle,
    dns: SocketHandle,
    dhcp: SocketHandle,
    pub manner: Manner,
    pub listens: bool,
    pub answers_dns: bool,
    /// Step only when a frame has come or something is due: ten times as fast, for tests that leave the
    /// peer alone.
    pub lazy: bool,
    due: u64,
    /// The addresses of `db.test`.
    pub names: Vec<IpAddr>,
    /// Questions that came.
    pub asked: u32,
    /// The name servers that DHCP tells of.
    pub name_servers: Vec<Ipv4Addr>,
    /// The own address at which every name is answered with this code of failure.
    pub fails_dns: Option<(Ipv4Addr, u8)>,
    pub answers_dhcp: bool,
    /// Bytes of the scripted manners sent on this connection.
    sent: usize,
    echo: VecDeque<u8>,
    pub accepted: usize,
    was_open: bool,
    /// Ports the connections came from.
    pub ports: Vec<u16>,
    /// What arrived on all connections.
    pub received: Vec<u8>,
    /// Whether the last connection ended by the other side's FIN.
    pub saw_fin: bool,
}

/// The simulation; it is the clock of the stack under test too.
pub struct World {
    pub wire: Rc<RefCell<Wire>>,
    pub peer: RefCell<Peer>,
    pub sleeps: Cell<u32>,
    pub idles: Cell<u32>,
    /// What the board's entropy source returns; `None` when it has none.
    pub entropy: Cell<Option<u64>>,
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> (Self, End) {
        Self::with_buffer(seed, faults, 4096)
    }

    /// With so many bytes of the peer's buffers.
    pub fn with_buffer(seed: u64, faults: Faults, buffer: usize) -> (Self, End) {
        let (wire, peer, own) = Wire::new(seed, faults);
        let peer = Peer::new(peer, buffer);
        let (sleeps, idles) = (Cell::new(0), Cell::new(0));
        let entropy = Cell::new(Some(seed | 1 << 63));
        (Self { wire, peer: RefCell::new(peer), sleeps, idles, entropy }, own)
    }

    /// Lets a millisecond pass.
    pub fn tick(&self) {
        let now = {
            let mut wire = self.wire.borrow_mut();
            wire.now += 1;
            wire.now
        };
        self.peer.borrow_mut().step(now);
    }
}

impl Platform for World {
    fn now_ms(&self) -> u64 {
        self.wire.borrow().now
    }

    fn idle(&self) {
        self.idles.set(self.idles.get() + 1);
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        let random = self.entropy.get().ok_or(NoEntropy)?;
        buf.iter_mut().zip(random.to_le_bytes()).for_each(|(to, from)| *to = from);
        Ok(())
    }
}

impl Sleep for World {
    fn sleep_until(&self, deadline_ms: u64) {
        self.sleeps.set(self.sleeps.get() + 1);
        // As a network interrupt would: wakes when a frame arrives.
        loop {
            self.tick();
            let wire = self.wire.borrow();
            if wire.now >= deadline_ms || wire.wakes() {
                return;
            }
        }
    }
}

impl Peer {
    fn new(mut device: End, buffer: usize) -> Self {
        let mut config =
            Config::new(HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, 1])));
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut device, Instant::from_millis(0));
        interface.update_ip_addrs(|list| {
            list.push(IpCidr::new(PEER.into(), 24)).unwrap();
        });
        // Leaked and not owned: without smoltcp's `std`, with which its older versions do not build.
        let slots: Vec<SocketStorage<'static>> = (0..6).map(|_| SocketStorage::EMPTY).collect();
        let mut sockets = SocketSet::new(slots.leak());
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; buffer].leak()),
            tcp::SocketBuffer::new(vec![0; buffer].leak()),
        );
        // The socket is made to listen again as soon as it is closed; nothing may be pending then.
        socket.set_ack_delay(None);
        // As PostgreSQL does (TCP_NODELAY, src/backend/libpq/pqcomm.c).
        socket.set_nagle_enabled(false);
        let tcp = sockets.add(socket);
        let mut udp = |port: u16| {
            let buffer = || {
                udp::PacketBuffer::new(
                    vec![udp::PacketMetadata::EMPTY; 4].leak(),
                    vec![0; 2048].leak(),
                )
            };
            let mut socket = udp::Socket::new(buffer(), buffer());
            socket.bind(port).unwrap();
            sockets.add(socket)
        };
        let (dns, dhcp) = (udp(53), udp(67));
        Self {
            device,
            interface,
            sockets,
            tcp,
            dns,
            dhcp,
            manner: Manner::Echo,
            listens: true,
            answers_dns: true,
            lazy: false,
            due: 0,
            names: vec![PEER.into()],
            asked: 0,
            name_servers: vec![PEER],
            fails_dns: None,
            answers_dhcp: true,
            sent: 0,
            echo: VecDeque::new(),
            accepted: 0,
            was_open: false,
            ports: Vec::new(),
            received: Vec::new(),
            saw_fin: false,
        }
    }

    /// Another connection can be accepted; nothing serves it.
    #[allow(dead_code)] // each test binary uses a part
    pub fn listen_twice(&mut self) {
        let buffer = || tcp::SocketBuffer::new(vec![0; 1024].leak());
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.listen(PORT).unwrap();
        self.sockets.add(socket);
    }

    /// The interface, to give it more addresses.
    #[allow(dead_code)] // each test binary uses a part
    pub fn interface(&mut self) -> &mut Interface {
        &mut self.interface
    }

    /// The socket that serves the connection.
    #[allow(dead_code)] // each test binary uses a part
    pub fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.tcp)
    }

    fn step(&mut self, now: u64) {
        if self.manner == Manner::Gone && self.was_open {
            // Frames to a machine that is gone are lost.
            while self.device.receive(Instant::ZERO).is_some() {}
            return;
        }
        if self.lazy && !self.device.has_frame() && now < self.due {
            return;
        }
        self.interface.poll(Instant::from_millis(now as i64), &mut self.device, &mut self.sockets);
        self.serve_tcp();
        self.serve_dns();
        self.serve_dhcp();
        let instant = Instant::from_millis(now as i64);
        self.interface.poll(instant, &mut self.device, &mut self.sockets);
        let due = self.interface.poll_at(instant, &self.sockets);
        self.due = due.map_or(u64::MAX, |at| at.total_millis() as u64);
    }

    fn serve_tcp(&mut self) {
        let socket = self.sockets.get_mut::<tcp::Socket>(self.tcp);
        if !socket.is_open() || (socket.state() == tcp::State::TimeWait) {
            if self.listens {
                socket.abort();
                socket.listen(PORT).unwrap();
                self.sent = 0;
                self.echo.clear();
                self.was_open = false;
            }
            return;
        }
        if socket.is_listening() || socket.state() == tcp::State::SynReceived {
            return;
        }
        if !self.was_open {
            self.was_open = true;
            self.accepted += 1;
            self.saw_fin = false;
            self.ports.push(socket.remote_endpoint().unwrap().port);
        }
        match self.manner {
            Manner::Echo | Manner::Silent | Manner::Gone => {
                while socket.can_recv() {
                    let bytes = socket.recv(|b| (b.len(), b.to_vec())).unwrap();
                    self.received.extend(&bytes);
                    self.echo.extend(bytes);
                }
                while self.manner == Manner::Echo && socket.can_send() && !self.echo.is_empty() {
                    let n = socket.send_slice(self.echo.make_contiguous()).unwrap();
                    self.echo.drain(..n);
                }
            }
            Manner::Deaf | Manner::Puppet => {}
            Manner::Fin(total) | Manner::Reset(total) => {
                while self.sent < total && socket.can_send() {
                    let end = total.min(self.sent + 4096);
                    let bytes: Vec<u8> = (self.sent..end).map(|i| i as u8).collect();
                    self.sent += socket.send_slice(&bytes).unwrap();
                }
                if self.sent == total && socket.send_queue() == 0 {
                    if let Manner::Reset(_) = self.manner {
                        socket.abort();
                    } else {
                        socket.close();
                    }
                }
            }
        }
        if socket.state() == tcp::State::CloseWait && self.echo.is_empty() {
            self.saw_fin = true;
            socket.close();
        }
    }

    /// Answers `db.test` with the addresses of the kind asked for, everything else with NXDOMAIN.
    fn serve_dns(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket>(self.dns);
        while let Ok((query, from)) = socket.recv() {
            if !self.answers_dns || query.len() < 17 {
                continue;
            }
            self.asked += 1;
            let known = query[12..].starts_with(b"\x02db\x04test\0");
            let kind = query[query.len() - 3];
            let mut answer = query.to_vec();
            answer[2] = 0x81;
            answer[3] = if known { 0x80 } else { 0x83 };
            let own = from.local_address;
            let failure = self.fails_dns.filter(|(at, _)| own == Some((*at).into()));
            if let Some((_, code)) = failure {
                answer[3] = 0x80 | code;
            }
            let known = known && failure.is_none();
            for address in self.names.iter().filter(|_| known) {
                let bytes = match address {
                    IpAddr::V4(address) if kind == 1 => address.octets().to_vec(),
                    IpAddr::V6(address) if kind == 28 => address.octets().to_vec(),
                    _ => continue,
                };
                answer[7] += 1;
                // Name by pointer, type, class IN, 60 s, length.
                answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, bytes.len() as u8]);
                answer.extend(bytes);
            }
            socket.send_slice(&answer, from).unwrap();
        }
    }

    fn serve_dhcp(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket>(self.dhcp);
        while let Ok((request, _)) = socket.recv() {
            if !self.answers_dhcp || request.len() < 243 {
                continue;
            }
            // DISCOVER (1) is answered with OFFER (2), REQUEST (3) with ACK (5). Option 53 comes
            // first in what smoltcp sends.
            assert_eq!(request[240..242], [53, 1]);
            let kind = if request[242] == 1 { 2 } else { 5 };
            let mut answer = request[..240].to_vec();
            answer[0] = 2;
            answer[16..20].copy_from_slice(&OWN.octets());
            answer[20..24].copy_from_slice(&PEER.octets());
            answer.extend([53, 1, kind, 51, 4, 0, 0, 0x0e, 0x10]);
            for (option, value) in [(54, PEER), (1, Ipv4Addr::new(255, 255, 255, 0)), (3, PEER)] {
                answer.extend([option, 4]);
                answer.extend(value.octets());
            }
            answer.extend([6, 4 * self.name_servers.len() as u8]);
            answer.extend(self.name_servers.iter().flat_map(Ipv4Addr::octets));
            answer.push(255);
            socket.send_slice(&answer, (Ipv4Addr::BROADCAST, 68)).unwrap();
        }
    }
}
