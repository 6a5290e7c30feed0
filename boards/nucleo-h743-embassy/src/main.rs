#![no_std]
#![no_main]
//! Logs readings from a Nucleo-H743ZI with embassy. The driver has thread mode for itself; tasks run in an
//! executor in an interrupt, whatever the driver waits for. See docs/async.md.

mod board;
mod logger;

use barepg::{Client, Config, Platform as _, StaticStatements, Storage};
use barepg_smoltcp::{Setup, Sockets, Stack, TcpBuffers};
use cortex_m_rt::entry;
use embassy_executor::InterruptExecutor;
use embassy_stm32::gpio::Output;
use embassy_stm32::interrupt;
use embassy_stm32::interrupt::{InterruptExt as _, Priority};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Duration, Ticker};
use panic_halt as _;

/// The server; in flash.
static CONFIG: Config =
    Config::new().host("db.plant.example").user("logger").password("secret").dbname("plant");

/// Another one for each device: locally administered, unicast.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// Readings on their way from the task to the driver: as many as are taken in the longest wait that
/// must cost none. The outbox (feature `outbox`) has room for hours.
static READINGS: Channel<CriticalSectionRawMutex, (u32, f32), 32> = Channel::new();

/// Its tasks go on while the driver waits. The interrupt is one that nothing else uses.
static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

#[interrupt]
unsafe fn UART5() {
    // SAFETY: this is the executor's interrupt.
    unsafe { EXECUTOR.on_interrupt() }
}

/// A reading a second. It never waits for the driver: without room it discards the reading.
#[embassy_executor::task]
async fn sample() {
    let mut ticker = Ticker::every(Duration::from_secs(1));
    for number in 0.. {
        let _ = READINGS.try_send((number, 21.5)); // put a sensor here
        ticker.next().await;
    }
}

#[entry]
fn main() -> ! {
    let (board, ethernet, led) = board::start(MAC);
    interrupt::UART5.set_priority(Priority::P6);
    if let Ok(sample) = sample() {
        EXECUTOR.start(interrupt::UART5).spawn(sample);
        run(&board, ethernet, led);
    }
    // Without entropy there is nothing to do but to start again: the watchdog does.
    loop {}
}

fn run(board: &board::Board, ethernet: board::Port, led: Output<'static>) -> Option<()> {
    let (mut buffers, mut sockets) = (TcpBuffers::<4096, 2048>::new(), Sockets::new());
    let stack = Stack::new(ethernet, board, Setup::new(MAC), &mut buffers, &mut sockets).ok()?;
    let mut storage = Storage::<1024, 512>::new();
    let mut prepared = StaticStatements::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, board);
    logger::run(&mut client, &mut prepared, &mut &stack, &mut Station { board, led, start: None })
}

struct Station<'b> {
    board: &'b board::Board,
    led: Output<'static>,
    /// The server's time in the first session: the numbers of this start are above those of the last.
    start: Option<u64>,
}

impl logger::Device for Station<'_> {
    fn number(&self) -> i32 {
        7
    }

    fn measure(&mut self) -> (i64, f32) {
        loop {
            if let Ok((number, celsius)) = READINGS.try_receive() {
                let start = self.start.unwrap_or(0).cast_signed();
                return ((start << 24) + i64::from(number), celsius);
            }
            self.board.idle();
            cortex_m::asm::wfi(); // the ticker wakes it
        }
    }

    fn set_time(&mut self, seconds: u64) {
        self.board.set_time(seconds);
        self.start.get_or_insert(seconds);
    }

    fn show(&mut self, stored: bool) {
        self.led.set_level(stored.into());
    }
}
