#![no_std]
#![no_main]
//! The common operations on QEMU's RISC-V virt machine: rv32imac, virtio network and entropy.

use core::mem::MaybeUninit;

use barepg_net::{Setup, Stack, Storage, TcpStream};
use barepg_semihost::{MAX_COMMAND_LINE, Output, command_line, fault, finish, stack};
use riscv_rt::{TrapFrame, entry, exception};

mod clock;
mod virtio;

use clock::Clock;
use virtio::{Entropy, Frames, Net};

struct Board<'s, 'a>(&'s Stack<'a, Net>);

impl<'s, 'a> barepg_app::Dial for Board<'s, 'a> {
    type Transport = TcpStream<'s, 'a, Net>;
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

static mut FRAMES: Frames = Frames::new();

#[entry]
fn main() -> ! {
    stack::paint();
    let mut output = Output::new();
    let Some(entropy) = Entropy::start() else { fault("no entropy device") };
    let mut seed = [0; 8];
    if !entropy.fill(&mut seed) {
        fault("no entropy")
    }
    // SAFETY: taken once, here.
    let frames = unsafe { &mut *(&raw mut FRAMES) };
    let Some((net, mac, line)) = Net::start(frames) else { fault("no network device") };
    let clock = Clock::start(line);
    let mut storage: Storage<2048, 512> = Storage::new();
    let stack = Stack::new(net, &clock, Setup::dhcp(mac, u64::from_le_bytes(seed)), &mut storage);
    let mut buf = [MaybeUninit::uninit(); MAX_COMMAND_LINE];
    let success = barepg_app::run(command_line(&mut buf), &mut Board(&stack), &mut output);
    finish(output, success)
}

#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler(_: &TrapFrame) -> ! {
    fault("exception")
}
