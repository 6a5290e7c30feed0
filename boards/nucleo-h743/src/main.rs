#![no_std]
#![no_main]
//! Logs readings from a Nucleo-H743ZI over TLS, and again after whatever happens.

mod board;
mod logger;

use barepg::tls::{Tls, TlsStorage, Validity};
use barepg::{Client, Config, Platform as _, SslMode, StaticStatements, Storage};
use barepg_smoltcp::{Setup, Sockets, Stack, TcpBuffers};
use cortex_m_rt::entry;
use panic_halt as _;
use stm32h7xx_hal::pac;

/// The server; in flash.
static CONFIG: Config = Config::new()
    .host("db.plant.example")
    .user("logger")
    .password("secret")
    .dbname("plant")
    .sslmode(SslMode::VerifyFull)
    .sslrootcert("root.crt");

/// Your own authority's certificate in place of this one.
static FILES: [(&str, &[u8]); 1] = [("root.crt", barepg::pem!("../certs/root.crt"))];

/// Until the server has told the time, certificates must not have expired before this second since 1970: put the
/// time of your release here.
const RELEASED: u64 = 1_795_000_000;

/// Another one for each device: locally administered, unicast.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

#[entry]
fn main() -> ! {
    run();
    // Without peripherals or entropy there is nothing to do but to start again: the watchdog does.
    loop {}
}

fn run() -> Option<()> {
    cortex_m::Peripherals::take()?.SCB.enable_icache();
    let (board, ethernet, led) = board::start(pac::Peripherals::take()?, MAC);
    let (mut buffers, mut sockets) = (TcpBuffers::<4096, 2048>::new(), Sockets::new());
    let stack = Stack::new(ethernet, &board, Setup::new(MAC), &mut buffers, &mut sockets).ok()?;
    let (mut storage, mut records) = (Storage::<1024, 512>::new(), TlsStorage::<4113, 768>::new());
    let tls = Tls::new(&mut records).files(&FILES).validity(Validity::ClockOrAfter(RELEASED));
    let mut prepared = StaticStatements::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &board).with_tls(tls);
    logger::run(&mut client, &mut prepared, &mut &stack, &mut Station { board: &board, led })
}

struct Station<'b> {
    board: &'b board::Board,
    led: board::Led,
}

impl logger::Device for Station<'_> {
    fn number(&self) -> i32 {
        7
    }

    /// One reading a second: put a sensor here.
    fn measure(&mut self) -> (i64, f32) {
        let end = self.board.now_ms() + 1000;
        while self.board.now_ms() < end {
            self.board.idle();
        }
        (self.board.unix_time().unwrap_or(0).cast_signed(), 21.5)
    }

    fn set_time(&mut self, seconds: u64) {
        self.board.set_time(seconds);
    }

    fn show(&mut self, stored: bool) {
        self.led.set_state(stored.into());
    }
}
