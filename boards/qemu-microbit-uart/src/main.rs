#![no_std]
#![no_main]
//! The common operations on a BBC micro:bit.

use core::mem::MaybeUninit;

use barepg_semihost::{MAX_COMMAND_LINE, Output, command_line, fault, finish, stack};
use cortex_m_rt::{ExceptionFrame, entry, exception};

mod nrf51;

use nrf51::{Clock, Uart};

struct Board<'a>(&'a Clock);

impl<'a> barepg_app::Dial for Board<'a> {
    type Transport = Uart<'a>;
    type Error = core::convert::Infallible;

    fn dial(&mut self, _: &str, _: u16, _: u32) -> Result<Self::Transport, Self::Error> {
        Ok(Uart::start(self.0))
    }

    fn hang_up(&mut self, _: Self::Transport) {}
}

#[entry]
fn main() -> ! {
    stack::paint();
    let mut output = Output::new();
    let clock = Clock::start();
    let mut b = [0; 8];
    nrf51::random(&clock, &mut b);
    let mut buf = [MaybeUninit::uninit(); MAX_COMMAND_LINE];
    let success = barepg_app::run(command_line(&mut buf), &mut Board(&clock), &mut output);
    finish(output, success)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
