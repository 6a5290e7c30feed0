#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

#[cfg(any(
    feature = "smoltcp-0_11",
    feature = "smoltcp-0_12",
    feature = "smoltcp-0_13",
    feature = "embassy-net-driver"
))]
pub mod bridge;
mod dial;
mod memory;
mod names;
mod setup;
mod stack;
mod stream;

pub use memory::{Sockets, TcpBuffers};
pub use names::Addresses;
#[cfg(feature = "ipv6")]
pub use setup::Ipv6;
pub use setup::{ConnectError, Ipv4, Setup, SetupError};
pub use smoltcp;
pub use stack::{KEEP_ALIVE_MS, SLICE_MS, Stack, TIMEOUT_MS};
pub use stream::{StreamError, TcpStream};

/// The program of the repository's README is one with this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The board as the stack sees it: the driver's [`Platform`](barepg::Platform), and a place to sleep.
///
/// `impl barepg_smoltcp::Sleep for Board {}` is enough.
pub trait Sleep: barepg::Platform {
    /// Sleeps until something may have happened, at most until
    /// [`now_ms`](barepg::Platform::now_ms) reaches `deadline_ms`. May return early, at any time: `wfi` with the
    /// network interrupt and a timer enabled is the usual body. Called at least every [`SLICE_MS`]
    /// while waiting, after [`idle`](barepg::Platform::idle), where a watchdog is fed. The default
    /// returns at once, so that waiting is polling.
    fn sleep_until(&self, deadline_ms: u64) {
        let _ = deadline_ms;
    }
}
