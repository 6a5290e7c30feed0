#![no_std]
#![no_main]
//! Logs readings from a Raspberry Pi Pico or Pico 2 with a W5500, over TLS if the device's parameters say so, and
//! again after whatever happens. One image serves every device: server, user, keys and root certificate are in
//! flash, and come over the serial line.

mod board;
mod console;
mod flash;
mod logger;
mod random;

#[cfg(feature = "tls")]
use barepg::provision::ROOT;
#[cfg(feature = "tls")]
use barepg::tls::{Tls, TlsStorage, Validity};
use barepg::{Client, Platform as _, StaticStatements, Storage, limits};
use barepg_w5500::barepg_smoltcp::{Setup, Sockets, Stack, TcpBuffers};
use barepg_w5500::{Frames, W5500};
use embedded_hal::digital::OutputPin;
use panic_halt as _;
#[cfg(feature = "pico2")]
use rp235x_hal::entry;
#[cfg(feature = "pico")]
use rp2040_hal::entry;

/// Until the server has told the time, certificates must not have expired before this second since 1970: put the
/// time of your release here.
#[cfg(feature = "tls")]
const RELEASED: u64 = 1_795_000_000;

#[entry]
fn main() -> ! {
    run();
    // Without a chip or entropy there is nothing to do but to start again: the watchdog does.
    loop {
        cortex_m::asm::nop();
    }
}

fn run() -> Option<()> {
    let board::Parts { board, spi, led, line, button, flash } = board::start()?;
    let mut parameters = console::Parameters::new();
    let number = console::provision(&board, flash, line, button, &mut parameters)?;
    let mut scratch = [0; limits::PROVISIONED_SCRATCH];
    let config = parameters.config(&mut scratch).ok()?;
    // Locally administered, unicast, another one for each device.
    let [a, b, c, d] = number.to_be_bytes();
    let mac = [2, 0, a, b, c, d];
    let mut frames = Frames::new();
    let chip = W5500::new(spi, mac, &mut frames).ok()?;
    let (mut buffers, mut sockets) = (TcpBuffers::<4096, 2048>::new(), Sockets::new());
    let stack = Stack::new(chip, &board, Setup::new(mac), &mut buffers, &mut sockets).ok()?;
    let mut storage = Storage::<1024, 512>::new();
    let mut prepared = StaticStatements::new();
    #[cfg(feature = "tls")]
    let (files, mut records) = ([(ROOT, parameters.root())], TlsStorage::<4113, 768>::new());
    #[cfg(feature = "tls")]
    let tls = Tls::new(&mut records).files(&files).validity(Validity::ClockOrAfter(RELEASED));
    let client = Client::new(storage.buffers(), &config, &board);
    #[cfg(feature = "tls")]
    let client = client.with_tls(tls);
    let mut client = client;
    let mut station = Station { board: &board, led, number };
    logger::run(&mut client, &mut prepared, &mut &stack, &mut station)
}

struct Station<'b, L> {
    board: &'b board::Board,
    led: L,
    number: i32,
}

impl<L: OutputPin> logger::Device for Station<'_, L> {
    fn number(&self) -> i32 {
        self.number
    }

    /// One reading a second: put a sensor here.
    fn measure(&mut self) -> (i64, f32) {
        self.board.wait_until(self.board.now_ms() + 1000);
        (self.board.unix_time().unwrap_or(0).cast_signed(), 21.5)
    }

    fn set_time(&mut self, seconds: u64) {
        self.board.set_time(seconds);
    }

    fn show(&mut self, stored: bool) {
        let _ = self.led.set_state(stored.into());
    }

    fn rest(&mut self) {
        self.board.nap();
    }
}
