//! The end of the wire as HALs have it: a device of an older smoltcp, and embassy's driver.

#[allow(unused_imports)] // without features
use crate::world::End;

/// `struct $name(End)`, a device of an older smoltcp; `$rx` is how its receive token lends a frame.
#[allow(unused_macros)] // without its feature
macro_rules! older {
    ($old:ident, $name:ident, $module:ident, [$($rx:tt)*]) => {
        pub struct $name(pub End);

        mod $module {
            use super::$name;
            use crate::world::End;
            use $old::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
            use $old::time::Instant;

            pub struct Rx(Vec<u8>);
            pub struct Tx<'a>(&'a End);

            impl RxToken for Rx {
                #[allow(unused_mut)] // one version lends it to be changed
                fn consume<R, F: FnOnce($($rx)* [u8]) -> R>(mut self, f: F) -> R {
                    f($($rx)* self.0)
                }
            }

            impl TxToken for Tx<'_> {
                fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
                    self.0.send(length, f)
                }
            }

            impl Device for $name {
                type RxToken<'a> = Rx;
                type TxToken<'a> = Tx<'a>;

                fn receive(&mut self, _: Instant) -> Option<(Rx, Tx<'_>)> {
                    Some((Rx(self.0.frame()?), Tx(&self.0)))
                }

                fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
                    Some(Tx(&self.0))
                }

                fn capabilities(&self) -> DeviceCapabilities {
                    let mut capabilities = DeviceCapabilities::default();
                    capabilities.medium = Medium::Ethernet;
                    capabilities.max_transmission_unit = 1514;
                    capabilities
                }
            }
        }
    };
}

#[cfg(feature = "smoltcp-0_11")]
older!(smoltcp_0_11, Old011, v0_11, [&mut]);

#[cfg(feature = "smoltcp-0_12")]
older!(smoltcp_0_12, Old012, v0_12, [&]);

#[cfg(feature = "smoltcp-0_13")]
older!(smoltcp_0_13, Old013, v0_13, [&]);

#[cfg(feature = "embassy-net-driver")]
pub use embassy::EmbassyEnd;

#[cfg(feature = "embassy-net-driver")]
mod embassy {
    use std::task::Context;

    use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

    use crate::world::{End, OWN_MAC};

    /// A driver whose interrupt wakes the machine by another way than its waker.
    pub struct EmbassyEnd(pub End);

    pub struct Rx(Vec<u8>);
    pub struct Tx<'a>(&'a End);

    impl RxToken for Rx {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
            f(&mut self.0)
        }
    }

    impl TxToken for Tx<'_> {
        fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
            self.0.send(length, f)
        }
    }

    impl Driver for EmbassyEnd {
        type RxToken<'a> = Rx;
        type TxToken<'a> = Tx<'a>;

        fn receive(&mut self, _: &mut Context) -> Option<(Rx, Tx<'_>)> {
            Some((Rx(self.0.frame()?), Tx(&self.0)))
        }

        fn transmit(&mut self, _: &mut Context) -> Option<Tx<'_>> {
            Some(Tx(&self.0))
        }

        fn link_state(&mut self, _: &mut Context) -> LinkState {
            LinkState::Up
        }

        fn capabilities(&self) -> Capabilities {
            let mut capabilities = Capabilities::default();
            capabilities.max_transmission_unit = 1514;
            capabilities
        }

        fn hardware_address(&self) -> HardwareAddress {
            HardwareAddress::Ethernet(OWN_MAC)
        }
    }
}
