//! Two machines on one simulated wire, in one thread and in simulated time: the stack under test,
//! and a peer that serves TCP, DNS and DHCP and can be made to misbehave.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;

use barepg_smoltcp::Clock;
use barepg_smoltcp::smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use barepg_smoltcp::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use barepg_smoltcp::smoltcp::socket::{tcp, udp};
use barepg_smoltcp::smoltcp::time::Instant;
use barepg_smoltcp::smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};

pub const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const PORT: u16 = 5432;

/// What the wire does to frames.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Lost frames, in percent.
    pub loss: u32,
    /// Frames that arrive up to 30 ms late, after later ones, in percent.
    pub late: u32,
    /// Frames that arrive twice, in percent.
    pub twice: u32,
}

pub struct Wire {
    now: u64,
    random: u64,
    pub faults: Faults,
    /// Frames under way, with their time of arrival: to the peer, to the stack under test.
    queues: [Vec<(u64, Vec<u8>)>; 2],
}

impl Wire {
    fn draw(&mut self) -> u32 {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) as u32
    }

    fn send(&mut self, to: usize, frame: Vec<u8>) {
        // Drawn for each frame, never for each poll, so that a seed gives the same run.
        let (loss, late, twice) = (self.draw() % 100, self.draw() % 100, self.draw() % 100);
        if loss < self.faults.loss {
            return;
        }
        let delay = if late < self.faults.late { 2 + u64::from(self.draw() % 30) } else { 1 };
        let at = self.now + delay;
        if twice < self.faults.twice {
            self.queues[to].push((at + 1, frame.clone()));
        }
        self.queues[to].push((at, frame));
    }

    fn receive(&mut self, end: usize) -> Option<Vec<u8>> {
        let now = self.now;
        let index = self.queues[end].iter().position(|(at, _)| *at <= now)?;
        Some(self.queues[end].remove(index).1)
    }
}

/// One end of the wire.
pub struct End {
    wire: Rc<RefCell<Wire>>,
    end: usize,
}

pub struct Rx(Vec<u8>);
pub struct Tx<'a>(&'a End);

impl phy::RxToken for Rx {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.wire.borrow_mut().send(1 - self.0.end, frame);
        result
    }
}

impl Device for End {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        let frame = self.wire.borrow_mut().receive(self.end)?;
        Some((Rx(frame), Tx(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

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
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> (Self, End) {
        let wire = Rc::new(RefCell::new(Wire {
            now: 1000,
            random: seed,
            faults,
            queues: [Vec::new(), Vec::new()],
        }));
        let peer = Peer::new(End { wire: wire.clone(), end: 0 });
        let own = End { wire: wire.clone(), end: 1 };
        (Self { wire, peer: RefCell::new(peer), sleeps: Cell::new(0) }, own)
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

impl Clock for World {
    fn now_ms(&self) -> u64 {
        self.wire.borrow().now
    }

    fn sleep_until(&self, deadline_ms: u64) {
        self.sleeps.set(self.sleeps.get() + 1);
        // As a network interrupt would: wakes when a frame arrives.
        loop {
            self.tick();
            let wire = self.wire.borrow();
            if wire.now >= deadline_ms || wire.queues[1].iter().any(|(at, _)| *at <= wire.now) {
                return;
            }
        }
    }
}

impl Peer {
    fn new(mut device: End) -> Self {
        let mut config =
            Config::new(HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, 1])));
        config.random_seed = 7;
        let mut interface = Interface::new(config, &mut device, Instant::from_millis(0));
        interface.update_ip_addrs(|list| {
            list.push(IpCidr::new(PEER.into(), 24)).unwrap();
        });
        let mut sockets = SocketSet::new(vec![]);
        let mut socket = tcp::Socket::new(
            tcp::SocketBuffer::new(vec![0; 4096]),
            tcp::SocketBuffer::new(vec![0; 4096]),
        );
        // The socket is made to listen again as soon as it is closed; nothing may be pending then.
        socket.set_ack_delay(None);
        let tcp = sockets.add(socket);
        let mut udp = |port: u16| {
            let buffer =
                || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 2048]);
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

    /// The socket that serves the connection.
    #[allow(dead_code)] // each test binary uses a part
    pub fn socket(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.tcp)
    }

    fn step(&mut self, now: u64) {
        if self.manner == Manner::Gone && self.was_open {
            // Frames to a machine that is gone are lost.
            while self.device.wire.borrow_mut().receive(0).is_some() {}
            return;
        }
        self.interface.poll(Instant::from_millis(now as i64), &mut self.device, &mut self.sockets);
        self.serve_tcp();
        self.serve_dns();
        self.serve_dhcp();
        self.interface.poll(Instant::from_millis(now as i64), &mut self.device, &mut self.sockets);
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
                    let bytes: Vec<u8> = (self.sent..total).map(|i| i as u8).collect();
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

    /// Answers `db.test` with the own address, everything else with NXDOMAIN.
    fn serve_dns(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket>(self.dns);
        while let Ok((query, from)) = socket.recv() {
            if !self.answers_dns || query.len() < 17 {
                continue;
            }
            let known = query[12..].starts_with(b"\x02db\x04test\0");
            let mut answer = query.to_vec();
            answer[2] = 0x81;
            answer[3] = if known { 0x80 } else { 0x83 };
            if known {
                answer[7] = 1;
                // Name by pointer, type A, class IN, 60 s, 4 bytes.
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
                answer.extend(PEER.octets());
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
            for (option, value) in
                [(54, PEER), (1, Ipv4Addr::new(255, 255, 255, 0)), (3, PEER), (6, PEER)]
            {
                answer.extend([option, 4]);
                answer.extend(value.octets());
            }
            answer.push(255);
            socket.send_slice(&answer, (Ipv4Addr::BROADCAST, 68)).unwrap();
        }
    }
}
