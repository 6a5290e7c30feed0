#![no_std]
#![no_main]
//! The common operations on a Stellaris LM3S6965: Cortex-M3, 256 KB flash, 64 KB RAM, Ethernet.

use core::mem::MaybeUninit;

use barepg_net::{Setup, Stack, Storage, TcpStream};
use barepg_semihost::{
    MAX_COMMAND_LINE, Output, SemihostingHostRng, command_line, fault, finish, stack,
};
use cortex_m_rt::{ExceptionFrame, entry, exception};

mod clock;
mod eth;
mod regs;

use clock::Clock;
use eth::Ethernet;

struct Board<'s, 'a>(&'s Stack<'a, Ethernet>);

impl<'s, 'a> barepg_app::Dial for Board<'s, 'a> {
    type Transport = TcpStream<'s, 'a, Ethernet>;
    type Error = barepg_net::ConnectError;

    fn dial(
        &mut self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Transport, Self::Error> {
        self.0.connect(host, port, timeout_ms)
    }

    fn hang_up(&mut self, mut transport: Self::Transport) {
        transport.close(2000);
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    let mut output = Output::new();
    let core = cortex_m::Peripherals::take().unwrap();
    let clock = Clock::start(core.SYST);
    let (ethernet, mac) = Ethernet::start();
    let mut seed = [0; 8];
    if !SemihostingHostRng.fill(&mut seed) {
        fault("no entropy")
    }
    let mut storage: Storage<2048, 512> = Storage::new();
    let stack =
        Stack::new(ethernet, &clock, Setup::dhcp(mac, u64::from_le_bytes(seed)), &mut storage);
    let mut line = [MaybeUninit::uninit(); MAX_COMMAND_LINE];
    let success = barepg_app::run(command_line(&mut line), &mut Board(&stack), &mut output);
    finish(output, success)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
