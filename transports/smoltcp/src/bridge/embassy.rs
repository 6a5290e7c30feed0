//! Drivers of embassy, polled without an executor.

use core::task::{Context, Waker};

use embassy_net_driver as theirs;
use embassy_net_driver::Driver;
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// An Ethernet driver of `embassy-net-driver` 0.2: embassy-stm32's, and those of chips whose own task
/// runs elsewhere (cyw43, W5500). Feature `embassy-net-driver`.
///
/// It is polled and never woken by: let the board's [`Sleep`](crate::Sleep) end at the device's interrupt, or
/// poll.
#[derive(Clone, Copy, Debug)]
pub struct Embassy<D>(pub D);

/// A frame that was received.
#[derive(Debug)]
pub struct Rx<T>(T);

/// Room for a frame to send.
#[derive(Debug)]
pub struct Tx<T>(T);

impl<T: theirs::RxToken> RxToken for Rx<T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        self.0.consume(|frame| f(frame))
    }
}

impl<T: theirs::TxToken> TxToken for Tx<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.consume(len, f)
    }
}

impl<D: Driver> Device for Embassy<D> {
    type RxToken<'t>
        = Rx<D::RxToken<'t>>
    where
        Self: 't;
    type TxToken<'t>
        = Tx<D::TxToken<'t>>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (rx, tx) = self.0.receive(&mut Context::from_waker(Waker::noop()))?;
        Some((Rx(rx), Tx(tx)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Self::TxToken<'_>> {
        self.0.transmit(&mut Context::from_waker(Waker::noop())).map(Tx)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let theirs = self.0.capabilities();
        let mut ours = DeviceCapabilities::default();
        ours.medium = Medium::Ethernet;
        ours.max_transmission_unit = theirs.max_transmission_unit;
        ours.checksum = checksums(&theirs.checksum);
        ours
    }
}

checksums!(theirs);
