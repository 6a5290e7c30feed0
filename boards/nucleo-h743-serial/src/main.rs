#![no_std]
#![no_main]
//! Logs readings from an STM32 over a serial line, and again after whatever happens.

mod board;
mod line;
mod logger;
#[cfg(feature = "modem")]
mod modem;

use core::cell::RefCell;

use barepg::{Client, Config, Platform as _, StaticStatements, Storage};
use cortex_m_rt::entry;
use line::Dialler;
use panic_halt as _;

/// In flash. A terminal server has its own idea of where the server is, a modem is told.
static CONFIG: Config =
    Config::new().host("db.plant.example").user("logger").password("secret").dbname("plant");

#[entry]
fn main() -> ! {
    run();
    // Without peripherals there is nothing to do but to start again: the watchdog does.
    loop {}
}

fn run() -> Option<()> {
    let (board, uart, led) = board::start()?;
    let wire = RefCell::new(uart);
    let line = Dialler { received: &board::RECEIVED, wire: &wire, board: &board };
    #[cfg(not(feature = "modem"))]
    let mut dialler = line;
    #[cfg(feature = "modem")]
    let mut dialler = modem::Modem { line, commands: modem::SIM7600 };
    let mut storage = Storage::<512, 512>::new();
    let mut prepared = StaticStatements::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &board);
    logger::run(&mut client, &mut prepared, &mut dialler, &mut Station { board: &board, led })
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
