//! Devices that are not this smoltcp's, as one.
//!
//! HALs implement the `Device` trait of the smoltcp that was new when they were released, or
//! embassy's driver trait. Each struct here takes one of those and is what [`Stack`](crate::Stack) wants:
//!
//! ```text
//! let stack = Stack::new(Smoltcp011(ethernet_dma), &board, setup, buffers, sockets)?;
//! ```

/// `fn checksums`: which checksums the device of another crate computes; `$($theirs)*` is the crate's
/// module with their types.
#[allow(unused_macros)]
macro_rules! checksums {
    ($($theirs:ident)::+) => {
        fn checksums(
            theirs: &$($theirs)::+::ChecksumCapabilities,
        ) -> smoltcp::phy::ChecksumCapabilities {
            use smoltcp::phy::Checksum;
            let map = |theirs: &$($theirs)::+::Checksum| match theirs {
                $($theirs)::+::Checksum::Both => Checksum::Both,
                $($theirs)::+::Checksum::Rx => Checksum::Rx,
                $($theirs)::+::Checksum::Tx => Checksum::Tx,
                $($theirs)::+::Checksum::None => Checksum::None,
            };
            let mut ours = smoltcp::phy::ChecksumCapabilities::default();
            ours.ipv4 = map(&theirs.ipv4);
            ours.udp = map(&theirs.udp);
            ours.tcp = map(&theirs.tcp);
            ours.icmpv4 = map(&theirs.icmpv4);
            ours
        }
    };
}

#[cfg(feature = "embassy-net-driver")]
mod embassy;

#[cfg(feature = "embassy-net-driver")]
pub use embassy::Embassy;

/// A bridge from an older smoltcp; `$rx` is what its receive token lends.
#[allow(unused_macros)]
macro_rules! bridge {
    ($(#[$about:meta])* $name:ident, $old:ident, $tokens:ident, [$($rx:tt)*]) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<D>(pub D);

        mod $tokens {
            use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
            use smoltcp::time::Instant;

            /// A frame that was received.
            #[derive(Debug)]
            pub struct Rx<T>(T);

            /// Room for a frame to send.
            #[derive(Debug)]
            pub struct Tx<T>(T);

            impl<T: $old::phy::RxToken> RxToken for Rx<T> {
                fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
                    self.0.consume(|frame: $($rx)* [u8]| f(frame))
                }
            }

            impl<T: $old::phy::TxToken> TxToken for Tx<T> {
                fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
                    self.0.consume(len, f)
                }
            }

            impl<D: $old::phy::Device> Device for super::$name<D> {
                type RxToken<'t>
                    = Rx<D::RxToken<'t>>
                where
                    Self: 't;
                type TxToken<'t>
                    = Tx<D::TxToken<'t>>
                where
                    Self: 't;

                fn receive(
                    &mut self,
                    now: Instant,
                ) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
                    let (rx, tx) = self.0.receive(before(now))?;
                    Some((Rx(rx), Tx(tx)))
                }

                fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
                    self.0.transmit(before(now)).map(Tx)
                }

                fn capabilities(&self) -> DeviceCapabilities {
                    let theirs = self.0.capabilities();
                    // No `max_burst_size`: it would become TCP's receive window.
                    let mut ours = DeviceCapabilities::default();
                    ours.medium = Medium::Ethernet;
                    ours.max_transmission_unit = theirs.max_transmission_unit;
                    ours.checksum = checksums(&theirs.checksum);
                    ours
                }
            }

            fn before(now: Instant) -> $old::time::Instant {
                $old::time::Instant::from_micros(now.total_micros())
            }

            checksums!($old::phy);
        }
    };
}

#[cfg(feature = "smoltcp-0_11")]
bridge!(
    /// An Ethernet device of smoltcp 0.11: stm32h7xx-hal 0.16, stm32f4xx's stm32-eth 0.6. Feature
    /// `smoltcp-0_11`.
    Smoltcp011, smoltcp_0_11, v0_11, [&mut]
);

#[cfg(feature = "smoltcp-0_12")]
bridge!(
    /// An Ethernet device of smoltcp 0.12: stm32-eth 0.8, esp-wifi 0.15. Feature `smoltcp-0_12`.
    Smoltcp012, smoltcp_0_12, v0_12, [&]
);

#[cfg(feature = "smoltcp-0_13")]
bridge!(
    /// An Ethernet device of smoltcp 0.13: imxrt-enet 0.1. Feature `smoltcp-0_13`.
    Smoltcp013, smoltcp_0_13, v0_13, [&]
);
