#![no_std]
#![no_main]
//! Instructions of the driver's verbs on a Cortex-M3, against a server in memory.
//!
//! Each work runs with few and with many units between two marks; the difference over the units
//! between is what one costs, start and end taken out. The transport's own calls are in it:
//! `floor_trip` and `floor_row` are those alone, without a driver. The program prints
//! `@slope NAME FEW MANY` for each two passages of the marks.

mod bench;
mod replies;
mod server;
mod works;

use barepg_semihost::{Output, fault, finish, once, stack};
use cortex_m_rt::{ExceptionFrame, entry, exception};

use bench::Bench;
use server::Server;

#[entry]
fn main() -> ! {
    stack::paint();
    let Some(server) = once!(Server = Server::new()) else { fault("memory taken") };
    let mut bench = Bench::new(server, Output::new());
    let success = works::run(&mut bench);
    finish(bench.output, success)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
