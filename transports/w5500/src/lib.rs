#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

pub use barepg_smoltcp;

mod chip;
mod device;

use barepg_smoltcp::smoltcp::wire::EthernetAddress;
use embedded_hal::spi::SpiDevice;

use chip::Chip;
pub use device::{Rx, Tx};

/// Bytes of the largest Ethernet frame, header included, checksum not.
pub const FRAME: usize = 1514;

/// Memory for one frame each way.
#[derive(Debug)]
pub struct Frames {
    rx: [u8; FRAME],
    tx: [u8; FRAME],
}

impl Frames {
    /// Empty.
    pub const fn new() -> Self {
        Self { rx: [0; FRAME], tx: [0; FRAME] }
    }
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the chip cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError<E> {
    /// The bus failed.
    Spi(E),
    /// The version register holds this instead of 4: no W5500 answers. 0 or 255: look at the wiring, the
    /// SPI mode, the reset pin.
    NotThere(u8),
    /// The chip answers and does not do what it is told.
    NoReaction,
    /// The hardware address is a multicast address, or all zeros.
    HardwareAddress,
}

impl<E: core::fmt::Debug> core::fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Spi(error) => write!(f, "SPI: {error:?}"),
            Self::NotThere(version) => write!(f, "no W5500: its version register holds {version}"),
            Self::NoReaction => f.write_str("the W5500 does not react"),
            Self::HardwareAddress => f.write_str("the hardware address is not unicast"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for StartError<E> {}

impl<E> From<E> for StartError<E> {
    fn from(error: E) -> Self {
        Self::Spi(error)
    }
}

/// The chip, as a device of smoltcp: hand it to a [`Stack`](barepg_smoltcp::Stack).
#[derive(Debug)]
pub struct W5500<'f, SPI> {
    chip: Chip<SPI>,
    frames: &'f mut Frames,
}

impl<'f, SPI: SpiDevice> W5500<'f, SPI> {
    /// Resets the chip and sets it up. Only frames to `mac`, broadcasts and multicasts pass it.
    ///
    /// After a hardware reset or at power-up, wait a millisecond before.
    ///
    /// # Errors
    /// See [`StartError`]; try again.
    pub fn new(
        spi: SPI,
        mac: [u8; 6],
        frames: &'f mut Frames,
    ) -> Result<Self, StartError<SPI::Error>> {
        if !EthernetAddress(mac).is_unicast() || mac == [0; 6] {
            return Err(StartError::HardwareAddress);
        }
        Ok(Self { chip: Chip::start(spi, mac)?, frames })
    }

    /// Pulls the chip's interrupt pin low when a frame has come, until it is taken.
    ///
    /// # Errors
    /// The bus failed.
    pub fn enable_interrupt(&mut self) -> Result<(), SPI::Error> {
        self.chip.enable_interrupt()
    }

    /// Whether a cable is in, and something at its other end. Of a chip in a stack:
    /// [`Stack::with_device`](barepg_smoltcp::Stack::with_device).
    ///
    /// # Errors
    /// The bus failed.
    pub fn link_up(&mut self) -> Result<bool, SPI::Error> {
        self.chip.link_up()
    }

    /// How often the chip had to be set up again.
    pub fn resets(&self) -> u32 {
        self.chip.resets()
    }

    /// Gives the SPI device back. The chip goes on receiving, and drops what it has no room for.
    pub fn release(self) -> SPI {
        self.chip.release()
    }
}
