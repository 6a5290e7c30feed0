//! The one file to fill in: your chip's clock, random numbers, watchdog, Ethernet, sensor.

use core::hint::black_box;

use barepg_smoltcp::smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use barepg_smoltcp::smoltcp::time::Instant;

/// Clocks, pins, peripherals. Returns the network device and its hardware address.
///
/// Put the HAL's Ethernet here: a smoltcp 0.14 `Device` as it is, an older one in
/// `barepg_smoltcp::bridge::Smoltcp011` (0.12, 0.13), embassy's in `bridge::Embassy`, a W5500 by
/// `barepg_w5500::W5500::new`.
pub fn start() -> (impl Device, [u8; 6]) {
    (Nothing, [2, 0, 0, 0, 0, 1])
}

/// Milliseconds since the start, from a free-running counter: of a timer, or the cycle counter
/// widened to 64 bits. Not one that counts interrupts: it loses time whenever they are held off.
pub fn now_ms() -> u64 {
    // Until a timer is here, the driver says `ClockStopped`.
    black_box(0)
}

/// Fills `buf` from the chip's random number generator; false when it has failed its health check.
pub fn random(buf: &mut [u8]) -> bool {
    // Until a generator is here, there is no start and no login.
    black_box(buf).is_empty()
}

/// Called many times a second while anything waits.
pub fn feed_watchdog() {}

/// Waits for the next reading, and feeds the watchdog meanwhile. Its number never repeats, also not after a power
/// loss: a counter in flash, or the time.
pub fn measure() -> (i64, f32) {
    black_box((1, 21.5))
}

/// A network without anything in it, to be replaced.
struct Nothing;

impl Device for Nothing {
    type RxToken<'t> = Frame;
    type TxToken<'t> = Frame;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Frame)> {
        black_box(None)
    }

    fn transmit(&mut self, _: Instant) -> Option<Frame> {
        black_box(None)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

struct Frame([u8; 1514]);

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, length: usize, f: F) -> R {
        f(&mut self.0[..length])
    }
}
