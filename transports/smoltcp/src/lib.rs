#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused_must_use)]
//! A TCP connection for the driver, over [smoltcp].
//!
//! A [`Stack`] owns the interface and its sockets, keeps the address (DHCP or static) and looks
//! up names. [`Stack::connect`] gives a [`TcpStream`], which is `embedded_io::Read`, `Write` and
//! `ReadReady` in the way the driver wants it: a call waits at most [`SLICE_MS`] while the stack is
//! polled, and then returns an error of kind `TimedOut`, which means "nothing yet".
//!
//! `&Stack` is the driver's `barepg::Dial` too.
//!
//! All memory is the caller's: see [`Storage`] and [`Sockets`]. All waiting is the board's: see [`Clock`].
//!
//! ```no_run
//! # use barepg_smoltcp::*;
//! # fn demo<D: smoltcp::phy::Device>(device: D, clock: &'static dyn Clock) {
//! let mut storage: Storage<2048, 512> = Storage::new();
//! let mut sockets = Sockets::new();
//! let setup = Setup::dhcp([2, 0, 0, 0, 0, 1], 42);
//! let stack = Stack::new(device, clock, setup, &mut storage, &mut sockets);
//! match stack.connect("db.plant.example", 5432, 10_000) {
//!     Ok(stream) => { /* client.connect(stream) */ }
//!     Err(error) => { /* … */ }
//! }
//! # }
//! ```

mod dial;
mod setup;
mod stack;
mod storage;
mod stream;

pub use setup::{Address, ConnectError, Setup};
pub use smoltcp;
pub use stack::{SLICE_MS, Stack};
pub use storage::{Sockets, Storage};
pub use stream::{StreamError, TcpStream};

/// The board's clock, and its place to sleep.
///
/// smoltcp cannot work without the time, so there is no [`Stack`] without a clock.
pub trait Clock {
    /// Milliseconds since any fixed start. Must never go backwards. A free-running counter, not
    /// one that counts interrupts: those are lost while interrupts are off.
    fn now_ms(&self) -> u64;

    /// Sleeps until something may have happened, at most until [`now_ms`](Self::now_ms) reaches
    /// `deadline_ms`. May return early, at any time: `wfi` with the network interrupt and a timer
    /// enabled is the usual body. A watchdog is fed here. Called at least every [`SLICE_MS`]
    /// while waiting. The default returns at once, so that waiting is polling.
    fn sleep_until(&self, deadline_ms: u64) {
        let _ = deadline_ms;
    }
}
