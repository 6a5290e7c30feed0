#![no_std]
#![no_main]
//! Moves bytes over TCP with smoltcp and nothing else, on the board and with the buffers of
//! `qemu-lm3s6965`: what the driver's verbs cost a byte is compared with this.
//!
//! The peer, in `xtask`, is asked by one letter: `r` to send [`BYTES`] of the picture, `w` to take as
//! many, `c` to take [`ROWS`] rows. It answers the latter two with a byte.

use barepg_semihost::{
    CommandLine, Output, barepg_mark_begin, barepg_mark_end, command_line, fault, finish, once,
    stack,
};
use barepg_smoltcp::smoltcp::iface::{Config, Interface, SocketHandle, SocketSet, SocketStorage};
use barepg_smoltcp::smoltcp::socket::tcp;
use barepg_smoltcp::smoltcp::time::Instant;
use barepg_smoltcp::smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, Ipv4Address};
use cortex_m_rt::{ExceptionFrame, entry, exception};

// Each is more than is used here.
#[allow(dead_code)]
#[path = "../../qemu-lm3s6965/src/clock.rs"]
mod clock;
#[path = "../../qemu-lm3s6965/src/eth.rs"]
mod eth;
#[allow(dead_code)]
#[path = "../../qemu-lm3s6965/src/regs.rs"]
mod regs;

use clock::Clock;
use eth::{Ethernet, Frames};

/// Bytes of the picture, as in `boards/app`'s show `big_values`, but fewer.
const BYTES: u32 = 2 << 20;

/// Rows, as in its show `upload`, but fewer.
const ROWS: u32 = 40_000;

/// A row of that show as it travels: CopyData, three columns.
const ROW: usize = 5 + 2 + 8 + 6 + 8;

struct Net {
    ethernet: Ethernet,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
}

#[entry]
fn main() -> ! {
    stack::paint();
    let Some(core) = cortex_m::Peripherals::take() else { fault("peripherals taken") };
    Clock::start(core.SYST);
    let (Some(frames), Some(rx), Some(tx), Some(places), Some(line)) = (
        once!(Frames = Frames::new()),
        once!([u8; 2048] = [0; 2048]),
        once!([u8; 512] = [0; 512]),
        once!([SocketStorage<'static>; 1] = [SocketStorage::EMPTY]),
        once!(CommandLine = CommandLine::new()),
    ) else {
        fault("memory taken")
    };
    let port = command_line(line).strip_prefix("port=").and_then(|port| port.trim().parse().ok());
    let (mut ethernet, mac) = Ethernet::start(frames);
    let config = Config::new(EthernetAddress(mac).into());
    let mut interface = Interface::new(config, &mut ethernet, now());
    interface.update_ip_addrs(|addresses| {
        let _ = addresses.push(IpCidr::new(IpAddress::v4(10, 0, 2, 15), 24));
    });
    let mut sockets = SocketSet::new(&mut places[..]);
    let mut socket =
        tcp::Socket::new(tcp::SocketBuffer::new(&mut rx[..]), tcp::SocketBuffer::new(&mut tx[..]));
    // As `barepg_smoltcp::Stack` has them.
    socket.set_nagle_enabled(false);
    socket.set_ack_delay(None);
    let handle = sockets.add(socket);
    let mut net = Net { ethernet, interface, sockets, handle };
    let peer = (Ipv4Address::new(10, 0, 2, 2), port.unwrap_or(0));
    let socket = net.sockets.get_mut::<tcp::Socket>(handle);
    if socket.connect(net.interface.context(), peer, 50_000).is_err() {
        fault("no connection")
    }
    net.write(b"r");
    barepg_mark_begin(1);
    let mut right = net.take_picture();
    barepg_mark_end(1);
    net.write(b"w");
    barepg_mark_begin(2);
    net.give_picture();
    right &= net.acknowledged();
    barepg_mark_end(2);
    net.write(b"c");
    barepg_mark_begin(3);
    net.give_rows();
    right &= net.acknowledged();
    barepg_mark_end(3);
    finish(Output::new(), right)
}

impl Net {
    /// Polls until the socket has done something.
    fn wait<R>(&mut self, mut step: impl FnMut(&mut tcp::Socket<'_>) -> Option<R>) -> R {
        loop {
            if let Some(result) = step(self.sockets.get_mut(self.handle)) {
                return result;
            }
            self.poll();
            if let Some(result) = step(self.sockets.get_mut(self.handle)) {
                return result;
            }
            Clock::sleep_until(Clock::now_ms() + 10);
        }
    }

    fn poll(&mut self) {
        self.interface.poll(now(), &mut self.ethernet, &mut self.sockets);
    }

    fn read(&mut self, buf: &mut [u8]) -> usize {
        self.wait(|socket| match socket.recv_slice(buf) {
            Ok(0) => None,
            Ok(n) => Some(n),
            Err(_) => fault("the peer has closed"),
        })
    }

    /// What has no room is sent when there is some: the next wait polls.
    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let sent = self.wait(|socket| {
                let sent =
                    if socket.may_send() { socket.send_slice(bytes).unwrap_or(0) } else { 0 };
                (sent > 0).then_some(sent)
            });
            bytes = bytes.get(sent..).unwrap_or(&[]);
        }
    }

    fn acknowledged(&mut self) -> bool {
        self.read(&mut [0]) == 1
    }

    /// Looked at where the socket has them, without a copy.
    fn take_picture(&mut self) -> bool {
        let (mut seen, mut right) = (0, true);
        while seen < BYTES {
            self.wait(|socket| {
                let looked_at = socket.recv(|bytes| {
                    for byte in &*bytes {
                        right &= *byte == pixel(seen);
                        seen = seen.wrapping_add(1);
                    }
                    (bytes.len(), bytes.len())
                });
                looked_at.ok().filter(|n| *n > 0)
            });
        }
        right
    }

    /// Made where the socket sends them from.
    fn give_picture(&mut self) {
        let mut made = 0;
        while made < BYTES {
            self.wait(|socket| {
                let sent = socket.send(|room| {
                    let n = room.len().min((BYTES - made) as usize);
                    for place in &mut room[..n] {
                        *place = pixel(made);
                        made = made.wrapping_add(1);
                    }
                    (n, n)
                });
                sent.ok().filter(|n| *n > 0)
            });
        }
    }

    fn give_rows(&mut self) {
        let mut piece = [0; 16 * ROW];
        let mut made = 0_u32;
        while made < ROWS {
            for row in piece.as_chunks_mut::<ROW>().0 {
                *row = *b"d\0\0\0\x1c\0\x03\0\0\0\x04....\0\0\0\x02..\0\0\0\x04\x41\xa4\0\0";
                row[11..15].copy_from_slice(&made.to_be_bytes());
                row[20] = made as u8 & 15;
                made += 1;
            }
            self.write(&piece);
        }
    }
}

/// As in `boards/app`.
fn pixel(at: u32) -> u8 {
    let [_, _, high, low] = at.to_be_bytes();
    high ^ low.rotate_left(3)
}

fn now() -> Instant {
    Instant::from_millis(i64::try_from(Clock::now_ms()).unwrap_or(i64::MAX))
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
