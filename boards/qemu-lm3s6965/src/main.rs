#![no_std]
#![no_main]
//! The common operations on a Stellaris LM3S6965: Cortex-M3, 256 KB flash, 64 KB RAM, Ethernet.

use core::cell::Cell;

use barepg::{NoEntropy, Platform, Storage};
use barepg_net::{Clock as _, ConnectError, Setup, Sockets, Stack, TcpStream};
use barepg_semihost::{
    CommandLine, Output, SemihostingHostRng, barepg_mark_begin, barepg_mark_end, command_line,
    fault, finish, once, stack,
};
use cortex_m_rt::{ExceptionFrame, entry, exception};

mod clock;
mod eth;
#[cfg(feature = "defmt")]
mod log;
mod regs;

use clock::Clock;
use eth::{Ethernet, Frames};

/// How often the network is served while the driver computes, in milliseconds.
const POLL_MS: u64 = 10;

type Net = Stack<'static, Ethernet>;

/// What the driver needs of the machine.
struct Machine<'m> {
    clock: &'m Clock,
    net: &'m Net,
    polled: Cell<u64>,
}

impl Platform for Machine<'_> {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn idle(&self) {
        let now = self.clock.now_ms();
        if now >= self.polled.get() + POLL_MS {
            self.polled.set(now);
            self.net.poll();
        }
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        SemihostingHostRng.fill(buf).then_some(()).ok_or(NoEntropy)
    }
}

/// What the program needs of the board.
struct Board<'m>(&'m Net);

impl<'m> barepg_app::Board for Board<'m> {
    type Transport = TcpStream<'m, 'static, Ethernet>;
    type DialError = ConnectError;

    fn dial(
        &mut self,
        host: &str,
        port: u16,
        timeout_ms: u32,
    ) -> Result<Self::Transport, ConnectError> {
        self.0.connect(host, port, timeout_ms)
    }

    fn hang_up(&mut self, mut transport: Self::Transport) {
        transport.close(1000);
    }

    fn mark_begin(&mut self, id: u32) {
        barepg_mark_begin(id);
    }

    fn mark_end(&mut self, id: u32) {
        barepg_mark_end(id);
    }
}

#[entry]
fn main() -> ! {
    stack::paint();
    let Some(core) = cortex_m::Peripherals::take() else { fault("peripherals taken") };
    Clock::start(core.SYST);
    #[cfg(feature = "defmt")]
    log::start();
    let (Some(clock), Some(frames), Some(memory), Some(sockets), Some(storage), Some(line)) = (
        once!(Clock = Clock),
        once!(Frames = Frames::new()),
        once!(barepg_net::Storage<2048, 512> = barepg_net::Storage::new()),
        once!(Sockets<'static> = Sockets::new()),
        once!(Storage<1024, 512> = Storage::new()),
        once!(CommandLine = CommandLine::new()),
    ) else {
        fault("memory taken")
    };
    let mut seed = [0; 8];
    if !SemihostingHostRng.fill(&mut seed) {
        fault("no entropy")
    }
    let (ethernet, mac) = Ethernet::start(frames);
    let net =
        Stack::new(ethernet, clock, Setup::dhcp(mac, u64::from_le_bytes(seed)), memory, sockets);
    let machine = Machine { clock, net: &net, polled: Cell::new(0) };
    let mut output = Output::new();
    let success = barepg_app::run(
        command_line(line),
        &mut Board(&net),
        &machine,
        storage.buffers(),
        &mut output,
    );
    finish(output, success)
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    fault("hard fault")
}
