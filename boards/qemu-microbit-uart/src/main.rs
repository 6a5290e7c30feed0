#![no_std]
#![no_main]
//! The common operations on a BBC micro:bit: Cortex-M0, 16 KB RAM, and no network stack, for the
//! serial line leads straight to the server.

use barepg::{DialError, NoEntropy, Platform, Storage};
use barepg_app::Lent;
use barepg_semihost::{
    CommandLine, Output, barepg_mark_begin, barepg_mark_end, barepg_mark_moved, command_line,
    fault, finish, once, stack,
};
use cortex_m_rt::{ExceptionFrame, entry, exception};

mod nrf51;
#[cfg(any(feature = "provision", feature = "survive"))]
mod nvmc;

use nrf51::{Clock, Uart};

/// What the driver needs of the machine.
struct Machine<'m>(&'m Clock);

impl Platform for Machine<'_> {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        nrf51::random(self.0, buf).then_some(()).ok_or(NoEntropy)
    }

    #[cfg(feature = "survive")]
    fn idle(&self) {
        barepg_app::sample(self.now_ms());
    }
}

/// What the program needs of the board. The line is always there; whether someone is at its
/// other end shows only when no peer answers.
struct Board<'m> {
    clock: &'m Clock,
    depths: stack::Depths,
}

impl<'m> barepg_app::Board for Board<'m> {
    type Transport = Uart<'m>;
    type DialError = DialError;
    #[cfg(feature = "survive")]
    type Flash = nvmc::Flash;

    #[cfg(feature = "survive")]
    fn flash(&mut self) -> nvmc::Flash {
        nvmc::Flash::take()
    }

    fn dial(&mut self, _: &str, _: u16, _: u32) -> Result<Uart<'m>, DialError> {
        Ok(Uart::start(self.clock))
    }

    fn hang_up(&mut self, _: Uart<'m>) {}

    fn mark_begin(&mut self, id: u32) {
        self.depths.begin();
        barepg_mark_begin(id);
    }

    fn mark_end(&mut self, id: u32) {
        barepg_mark_end(id);
        self.depths.end(id);
    }

    fn mark_moved() {
        barepg_mark_moved();
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    let (Some(storage), Some(line)) =
        (once!(Storage<512, 512> = Storage::new()), once!(CommandLine = CommandLine::new()))
    else {
        fault("memory taken")
    };
    let clock = Clock::start();
    let mut output = Output::new();
    let arguments = command_line(line);
    #[cfg(feature = "provision")]
    let parameters = parameters(arguments, &clock, &mut output);
    let mut board = Board { clock: &clock, depths: stack::Depths::default() };
    let success = barepg_app::run(
        arguments,
        &mut board,
        Lent {
            buffers: storage.buffers(),
            platform: &Machine(&clock),
            #[cfg(feature = "survive")]
            rest: &|| clock.wait_for_byte(5),
            #[cfg(feature = "provision")]
            parameters,
        },
        &mut output,
    );
    board.depths.print(&mut output);
    finish(output, success)
}

/// What the device was given, now or before.
#[cfg(feature = "provision")]
fn parameters(
    arguments: &str,
    clock: &Clock,
    output: &mut Output,
) -> &'static barepg::provision::Provisioned {
    let Some(parameters) = once!(barepg_app::Parameters = barepg_app::Parameters::new()) else {
        fault("memory taken")
    };
    let (flash, mut line) = (nvmc::Flash::parameters(), Uart::start(clock));
    if !barepg_app::provision_over(arguments, flash, &mut line, parameters, output) {
        fault("no parameters")
    }
    parameters
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
