//! A simulated wire with two ends, which loses, delays and repeats frames.

use std::cell::RefCell;
use std::rc::Rc;

use barepg_smoltcp::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use barepg_smoltcp::smoltcp::time::Instant;

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
    pub now: u64,
    random: u64,
    pub faults: Faults,
    /// How long a frame is under way, in milliseconds.
    pub latency: u64,
    /// Whether a router answers solicitations (IPv6).
    #[allow(dead_code)] // each test binary uses a part
    pub router: bool,
    /// Ports and sequence numbers with which the stack under test began its connections.
    pub begun: Vec<(u16, u32)>,
    /// Frames under way, with their time of arrival: to the peer, to the stack under test.
    queues: [Vec<(u64, Vec<u8>)>; 2],
}

impl Wire {
    /// A wire and its ends: the peer's, and that of the stack under test.
    pub fn new(seed: u64, faults: Faults) -> (Rc<RefCell<Self>>, End, End) {
        let wire = Rc::new(RefCell::new(Self {
            now: 1000,
            random: seed,
            faults,
            latency: 1,
            router: false,
            begun: Vec::new(),
            queues: [Vec::new(), Vec::new()],
        }));
        let [peer, own] = [0, 1].map(|end| End { wire: wire.clone(), end });
        (wire, peer, own)
    }

    fn draw(&mut self) -> u32 {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) as u32
    }

    fn send(&mut self, to: usize, frame: Vec<u8>) {
        // Drawn for each frame, never for each poll, so that a seed gives the same run.
        let (loss, late, twice) = (self.draw() % 100, self.draw() % 100, self.draw() % 100);
        // IPv4, TCP, SYN.
        let tcp = frame.len() > 47 && frame[12..15] == [8, 0, 0x45] && frame[23] == 6;
        if to == 0 && tcp && frame[47] & 2 != 0 {
            let port = u16::from_be_bytes(frame[34..36].try_into().unwrap());
            let sequence = u32::from_be_bytes(frame[38..42].try_into().unwrap());
            self.begun.push((port, sequence));
        }
        // A router's advertisement answers a solicitation.
        #[cfg(feature = "ipv6")]
        if to == 0 && self.router && frame.len() > 54 && frame[20] == 58 && frame[54] == 133 {
            self.queues[1].push((self.now + 1, super::ipv6::advertisement()));
        }
        if loss < self.faults.loss {
            return;
        }
        let delay =
            if late < self.faults.late { 2 + u64::from(self.draw() % 30) } else { self.latency };
        let at = self.now + delay;
        if twice < self.faults.twice {
            self.queues[to].push((at + 1, frame.clone()));
        }
        self.queues[to].push((at, frame));
    }

    /// A frame for the stack under test, from nowhere.
    #[allow(dead_code)] // each test binary uses a part
    pub fn inject(&mut self, frame: Vec<u8>) {
        self.queues[1].push((self.now + 1, frame));
    }

    /// Which of the frames under way has arrived at an end.
    fn arrived(&self, end: usize) -> Option<usize> {
        self.queues[end].iter().position(|(at, _)| *at <= self.now)
    }

    /// Whether a frame has arrived at the stack under test.
    pub fn wakes(&self) -> bool {
        self.arrived(1).is_some()
    }

    fn receive(&mut self, end: usize) -> Option<Vec<u8>> {
        let index = self.arrived(end)?;
        Some(self.queues[end].remove(index).1)
    }
}

/// One end of the wire.
pub struct End {
    wire: Rc<RefCell<Wire>>,
    end: usize,
}

impl End {
    /// Whether a frame has arrived.
    pub fn has_frame(&self) -> bool {
        self.wire.borrow().arrived(self.end).is_some()
    }

    /// The next frame that has arrived.
    pub fn frame(&self) -> Option<Vec<u8>> {
        self.wire.borrow_mut().receive(self.end)
    }

    /// Sends the frame that `f` makes.
    pub fn send<R>(&self, length: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.wire.borrow_mut().send(1 - self.end, frame);
        result
    }

    /// The same end, for a machine that starts again.
    #[allow(dead_code)] // each test binary uses a part
    pub fn twin(&self) -> Self {
        Self { wire: self.wire.clone(), end: self.end }
    }
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
        self.0.send(len, f)
    }
}

impl Device for End {
    type RxToken<'a> = Rx;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
        Some((Rx(self.frame()?), Tx(self)))
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
