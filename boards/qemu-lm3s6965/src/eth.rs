//! The Ethernet controller, as a smoltcp device. One frame is copied out of the FIFO, or into it,
//! at a time. Source: the data sheet's chapter "Ethernet Controller".

use barepg_smoltcp::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use barepg_smoltcp::smoltcp::time::Instant;

use crate::regs::{self, mac};

/// Ethernet header and 1500 bytes; the controller adds and checks the frame check sequence.
const FRAME: usize = 1514;

/// Memory for one received frame and one to send.
pub struct Frames {
    rx: [u8; FRAME],
    tx: [u8; FRAME],
}

impl Frames {
    pub const fn new() -> Self {
        Self { rx: [0; FRAME], tx: [0; FRAME] }
    }
}

/// The controller.
pub struct Ethernet(&'static mut Frames);

pub struct Rx<'a>(&'a [u8]);
pub struct Tx<'a>(&'a mut [u8; FRAME]);

impl Ethernet {
    /// Starts receiver and transmitter. Returns the hardware address too.
    pub fn start(frames: &'static mut Frames) -> (Self, [u8; 6]) {
        regs::RCGC2.set(1 << 30 | 1 << 28);
        let (low, high) = (regs::USER_REG0.read(), regs::USER_REG1.read());
        let [a, b, c, _] = low.to_le_bytes();
        let [d, e, f, _] = high.to_le_bytes();
        let address = [a, b, c, d, e, f];
        mac::MACIA0.write(u32::from_le_bytes([a, b, c, d]));
        mac::MACIA1.write(u32::from_le_bytes([e, f, 0, 0]));
        mac::MACTCTL.write(mac::TXEN | mac::PADEN | mac::CRC | mac::DUPLEX);
        mac::MACRCTL.write(mac::RSTFIFO);
        mac::MACRCTL.write(mac::RXEN | mac::BADCRC);
        mac::MACRIS.write(mac::RX_INTERRUPT);
        mac::MACIM.write(mac::RX_INTERRUPT);
        (Self(frames), address)
    }
}

/// Copies the first frame out of the FIFO. The first two bytes are its length, counting
/// themselves and the frame check sequence. Every word of it must be taken, or the next frame
/// would be read from the wrong place.
fn receive(buffer: &mut [u8; FRAME]) -> usize {
    let first = mac::MACDATA.read();
    let total = (first & 0xFFFF) as usize;
    let length = total.saturating_sub(6);
    let [_, _, a, b] = first.to_le_bytes();
    let mut place = 0;
    let mut put = |byte| {
        if let Some(slot) = buffer.get_mut(place) {
            *slot = byte;
        }
        place += 1;
    };
    put(a);
    put(b);
    for _ in 1..total.div_ceil(4) {
        mac::MACDATA.read().to_le_bytes().into_iter().for_each(&mut put);
    }
    // A frame that is too long for the buffer is none of ours; an empty one is dropped.
    if length > FRAME { 0 } else { length }
}

/// Copies a frame into the FIFO and sends it. The first two bytes are the length without the
/// header's 14.
fn send(frame: &[u8]) {
    let payload = frame.len().saturating_sub(14) as u16;
    let [low, high] = payload.to_le_bytes();
    let (head, rest) = frame.split_at(2.min(frame.len()));
    let byte = |bytes: &[u8], i: usize| bytes.get(i).copied().unwrap_or(0);
    mac::MACDATA.write(u32::from_le_bytes([low, high, byte(head, 0), byte(head, 1)]));
    for word in rest.chunks(4) {
        mac::MACDATA.write(u32::from_le_bytes([0, 1, 2, 3].map(|i| byte(word, i))));
    }
    mac::MACTR.write(1);
}

impl Device for Ethernet {
    type RxToken<'a> = Rx<'a>;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        // An answer must be possible before a frame is taken.
        if mac::MACNP.read() == 0 || mac::MACTR.read() & 1 != 0 {
            return None;
        }
        let Frames { rx, tx } = &mut *self.0;
        let length = receive(rx);
        Some((Rx(rx.get(..length).unwrap_or(&[])), Tx(tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        (mac::MACTR.read() & 1 == 0).then_some(Tx(&mut self.0.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // No `max_burst_size`: smoltcp would make it TCP's receive window.
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

impl phy::RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // smoltcp keeps to `max_transmission_unit`.
        let (frame, _) = self.0.split_at_mut(len.min(FRAME));
        let result = f(frame);
        send(frame);
        result
    }
}
