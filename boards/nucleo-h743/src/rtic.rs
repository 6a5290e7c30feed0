#![no_std]
#![no_main]
//! Logs readings from a Nucleo-H743ZI with RTIC: the driver is in `idle`, the sampler above it. See
//! docs/async.md.

mod board;
mod logger;

use barepg::{Client, Config, Platform as _, StaticStatements, Storage};
use barepg_smoltcp::{Setup, Sockets, Stack, TcpBuffers};
use heapless::spsc::Consumer;
use panic_halt as _;
use stm32h7xx_hal::pac;

/// The server; in flash.
static CONFIG: Config =
    Config::new().host("db.plant.example").user("logger").password("secret").dbname("plant");

/// Another one for each device: locally administered, unicast.
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// Readings on their way from the task to the driver: as many as are taken in the longest wait that
/// must cost none, and one. The outbox (feature `outbox`) has room for hours.
const QUEUE: usize = 32;

/// What a task hands over: its number since the start, and the value.
type Reading = (u32, f32);

#[rtic::app(device = stm32h7xx_hal::pac, peripherals = true)]
mod app {
    use cortex_m::peripheral::syst::SystClkSource;
    use heapless::spsc::{Consumer, Producer, Queue};

    use crate::{QUEUE, Reading, pac};

    #[shared]
    struct Shared {}

    #[local]
    struct Local {
        samples: Producer<'static, Reading>,
        readings: Consumer<'static, Reading>,
        device: Option<pac::Peripherals>,
    }

    #[init(local = [queue: Queue<Reading, QUEUE> = Queue::new()])]
    fn init(cx: init::Context) -> (Shared, Local) {
        let mut core = cx.core;
        core.SCB.enable_icache();
        // Twenty times a second at 200 MHz, which `board::start` sets.
        core.SYST.set_clock_source(SystClkSource::Core);
        core.SYST.set_reload(10_000_000 - 1);
        core.SYST.enable_counter();
        core.SYST.enable_interrupt();
        let (samples, readings) = cx.local.queue.split();
        (Shared {}, Local { samples, readings, device: Some(cx.device) })
    }

    /// The driver waits here, and nothing waits for it.
    #[idle(local = [readings, device])]
    fn idle(cx: idle::Context) -> ! {
        if let Some(device) = cx.local.device.take() {
            crate::run(device, cx.local.readings);
        }
        // Without entropy there is nothing to do but to start again: the watchdog does.
        loop {}
    }

    /// A reading a second, on time whatever the driver does. Without room it discards the reading.
    #[task(binds = SysTick, priority = 2, local = [samples, turns: u8 = 0, number: u32 = 0])]
    fn sample(cx: sample::Context) {
        *cx.local.turns = (*cx.local.turns + 1) % 20;
        if *cx.local.turns == 0 {
            *cx.local.number += 1;
            let _ = cx.local.samples.enqueue((*cx.local.number, 21.5)); // put a sensor here
        }
    }
}

fn run(device: pac::Peripherals, readings: &mut Consumer<'static, Reading>) -> Option<()> {
    let (board, ethernet, led) = board::start(device, MAC);
    let (mut buffers, mut sockets) = (TcpBuffers::<4096, 2048>::new(), Sockets::new());
    let stack = Stack::new(ethernet, &board, Setup::new(MAC), &mut buffers, &mut sockets).ok()?;
    let mut storage = Storage::<1024, 512>::new();
    let mut prepared = StaticStatements::new();
    let mut client = Client::new(storage.buffers(), &CONFIG, &board);
    let mut station = Station { board: &board, led, readings, start: None };
    logger::run(&mut client, &mut prepared, &mut &stack, &mut station)
}

struct Station<'b> {
    board: &'b board::Board,
    led: board::Led,
    readings: &'b mut Consumer<'static, Reading>,
    /// The server's time in the first session: the numbers of this start are above those of the last.
    start: Option<u64>,
}

impl logger::Device for Station<'_> {
    fn number(&self) -> i32 {
        7
    }

    fn measure(&mut self) -> (i64, f32) {
        loop {
            if let Some((number, celsius)) = self.readings.dequeue() {
                let start = self.start.unwrap_or(0).cast_signed();
                return ((start << 24) + i64::from(number), celsius);
            }
            self.board.idle();
            cortex_m::asm::wfi(); // the sampler wakes it
        }
    }

    fn set_time(&mut self, seconds: u64) {
        self.board.set_time(seconds);
        self.start.get_or_insert(seconds);
    }

    fn show(&mut self, stored: bool) {
        self.led.set_state(stored.into());
    }
}
