//! The chip as smoltcp sees it.

use barepg_smoltcp::smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use barepg_smoltcp::smoltcp::time::Instant;
use embedded_hal::spi::SpiDevice;

use crate::chip::Chip;
use crate::{FRAME, Frames, W5500};

/// A frame that was received.
#[derive(Debug)]
pub struct Rx<'d>(&'d [u8]);

/// Room for a frame to send.
#[derive(Debug)]
pub struct Tx<'d, SPI> {
    chip: &'d mut Chip<SPI>,
    buffer: &'d mut [u8; FRAME],
}

impl<SPI: SpiDevice> Device for W5500<'_, SPI> {
    type RxToken<'d>
        = Rx<'d>
    where
        Self: 'd;
    type TxToken<'d>
        = Tx<'d, SPI>
    where
        Self: 'd;

    fn receive(&mut self, now: Instant) -> Option<(Rx<'_>, Tx<'_, SPI>)> {
        // An answer must be possible before a frame is taken.
        if !self.chip.has_room(now.total_millis()) {
            return None;
        }
        let Frames { rx, tx } = &mut *self.frames;
        let length = self.chip.receive(rx)?;
        let frame = rx.get(..length)?;
        Some((Rx(frame), Tx { chip: &mut self.chip, buffer: tx }))
    }

    fn transmit(&mut self, now: Instant) -> Option<Tx<'_, SPI>> {
        let Self { chip, frames } = self;
        chip.has_room(now.total_millis()).then_some(Tx { chip, buffer: &mut frames.tx })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // No `max_burst_size`: smoltcp would make it TCP's receive window.
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl<SPI: SpiDevice> TxToken for Tx<'_, SPI> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        // smoltcp keeps to `max_transmission_unit`.
        let (frame, _) = self.buffer.split_at_mut(length.min(FRAME));
        let result = f(frame);
        self.chip.send(frame);
        result
    }
}
