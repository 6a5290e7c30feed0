//! What a device gets in the field and not with its firmware image (feature `provision`): its server, its
//! user, its login keys, its root certificate.
//!
//! [`Provisioned`] holds them in memory, [`Store`] keeps two copies of them in flash, and [`Console`] changes
//! them by lines from a serial line or a file. One image then serves every device.
//!
//! ```
//! use barepg::provision::{Console, Loaded, Provisioned, RamFlash, Store};
//!
//! # fn f(line: &mut impl Iterator<Item = u8>, out: &mut dyn core::fmt::Write)
//! #     -> Result<(), barepg::provision::ProvisionError> {
//! # let mut memory = [0; 2048];
//! let flash = RamFlash::new(&mut memory); // or the chip's own
//! let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
//! let mut store = Store::new(flash, 0, 2048)?;
//! // Whatever is wrong with what is there, the console is the way out of it.
//! if !matches!(store.load(&mut parameters), Ok(Loaded::Newest | Loaded::LastGood)) {
//!     let mut console = Console::new(&mut parameters);
//!     for byte in line {
//!         if let Some(request) = console.feed(byte, out)
//!             && console.carry_out(request, &mut store, out)
//!         {
//!             break;
//!         }
//!     }
//!     drop(console);
//!     store.load(&mut parameters)?; // what was not committed does not count
//! }
//! let mut scratch = [0; barepg::limits::PROVISIONED_SCRATCH];
//! let config = parameters.config(&mut scratch)?;
//! # let _ = config;
//! # Ok(()) }
//! ```
//!
//! | file | what |
//! |---|---|
//! | `parameters` | the parameters in memory, checked by the parser of connection strings |
//! | `store` | two copies in flash, of which one is always good |
//! | `console` | lines of a person or a program |

mod console;
mod parameters;
mod store;
#[cfg(test)]
mod tests;

pub use crate::flash::RamFlash;
pub use console::{Console, Request};
pub use embedded_storage::nor_flash::NorFlash;
pub use parameters::{Provisioned, ROOT};
pub use store::{Loaded, Store};

use crate::config::ParseError;
use crate::flash::FlashError;

/// Why parameters were not taken, not kept or not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProvisionError {
    /// The parser of connection strings refuses it.
    Parameter(ParseError),
    /// More than `keyword=value` where one parameter is set.
    SeveralParameters,
    /// A `user` is missing, without which there is no login.
    NoUser,
    /// The root certificate is not whole, or not in DER: a piece is missing, or there twice.
    Root,
    /// A root certificate without `sslrootcert=root`, or `sslrootcert=root` without one; or `sslmode` is `verify-ca`
    /// or `verify-full`, and there is no `sslrootcert`.
    RootName,
    /// It does not fit. Nothing was cut, all is as before.
    Capacity {
        /// Bytes that would have been enough.
        needed: u32,
        /// Bytes there are.
        have: u32,
    },
    /// The part of the flash is no two places of whole pages, or not in the flash.
    Region,
    /// The flash holds parameters of another version of the format, left by another firmware image. They were
    /// not touched; [`Store::wipe`] erases them.
    Foreign,
    /// What the flash reports. The last good copy is as it was.
    Flash(FlashError),
}

impl core::fmt::Display for ProvisionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Parameter(error) => error.fmt(f),
            Self::SeveralParameters => f.write_str("more than one parameter"),
            Self::NoUser => f.write_str("user is missing"),
            Self::Root => f.write_str("the root certificate is not whole, or not in DER"),
            Self::RootName => {
                f.write_str("sslmode, sslrootcert and the root certificate do not fit each other")
            }
            Self::Capacity { needed, have } => {
                let more = needed.saturating_sub(*have);
                write!(
                    f,
                    "does not fit: {needed} bytes are needed, there are {have}: {more} too many"
                )
            }
            Self::Region => f.write_str("the part of the flash does not fit its pages"),
            Self::Foreign => f.write_str("the flash holds parameters of another version"),
            Self::Flash(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ProvisionError {}

impl From<ParseError> for ProvisionError {
    fn from(error: ParseError) -> Self {
        Self::Parameter(error)
    }
}

impl From<FlashError> for ProvisionError {
    fn from(error: FlashError) -> Self {
        Self::Flash(error)
    }
}

fn capacity(needed: usize, have: usize) -> ProvisionError {
    let figure = |n| u32::try_from(n).unwrap_or(u32::MAX);
    ProvisionError::Capacity { needed: figure(needed), have: figure(have) }
}
