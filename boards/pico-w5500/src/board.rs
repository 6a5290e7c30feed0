//! The chip's clock, watchdog, SPI and serial line. Pins are those of the W5500-EVB-Pico and W5500-EVB-Pico2.

use core::cell::{Cell, RefCell};

use barepg::{NoEntropy, Platform};
use barepg_w5500::barepg_smoltcp::Sleep;
use embedded_hal::delay::DelayNs as _;
use embedded_hal::digital::{InputPin, OutputPin, PinState};
use embedded_hal::spi::{MODE_0, SpiDevice};
use embedded_hal_bus::spi::ExclusiveDevice;
use hal::clocks::init_clocks_and_plls;
use hal::fugit::{ExtU32 as _, RateExtU32 as _};
use hal::gpio::bank0::{Gpio0, Gpio1};
use hal::gpio::{FunctionSpi, FunctionUart, Pin, Pins, PullDown};
use hal::timer::Alarm as _;
use hal::uart::{self, DataBits, StopBits, UartConfig, UartPeripheral};
use hal::{Clock as _, Sio, Spi, Watchdog, pac};
use pac::interrupt;
#[cfg(feature = "pico2")]
use rp235x_hal as hal;
#[cfg(feature = "pico")]
use rp2040_hal::{self as hal, Timer};

use crate::flash::Flash;
use crate::random::Random;

#[cfg(feature = "pico2")]
type Timer = hal::Timer<hal::timer::CopyableTimer0>;
#[cfg(feature = "pico2")]
type Alarm = hal::timer::Alarm0<hal::timer::CopyableTimer0>;
#[cfg(feature = "pico")]
type Alarm = hal::timer::Alarm0;

type Uart<T> = Pin<T, FunctionUart, PullDown>;

/// The serial line: 115200 baud, 8 bits, no parity.
pub type Line = UartPeripheral<uart::Enabled, pac::UART0, (Uart<Gpio0>, Uart<Gpio1>)>;

#[cfg(feature = "pico")]
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

#[cfg(feature = "pico2")]
#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: hal::block::ImageDef = hal::block::ImageDef::secure_exe();

/// Crystal of both boards.
const XTAL_HZ: u32 = 12_000_000;

/// The most that the W5500's SPI may have. The Pico's clock of 125 MHz is divided by an even number: it becomes
/// 15.6 MHz; the Pico 2's of 150 MHz 18.8 MHz.
const SPI_HZ: u32 = 20_000_000;

/// How long the chip waits for `idle` before it starts again.
const PATIENCE_US: u32 = 8_000_000;

/// The longest sleep: a frame that comes is taken after it at the latest.
const NAP_US: u32 = 1000;

pub struct Board {
    timer: Timer,
    random: Random,
    alarm: RefCell<Alarm>,
    watchdog: RefCell<Watchdog>,
    /// The server's time at the start of the clock, in seconds since 1970.
    epoch: Cell<Option<u64>>,
}

pub struct Parts<S, L, B> {
    pub board: Board,
    /// The W5500's.
    pub spi: S,
    /// The green LED.
    pub led: L,
    pub line: Line,
    /// Between GP22 and ground.
    pub button: B,
    pub flash: Flash,
}

pub fn start() -> Option<Parts<impl SpiDevice, impl OutputPin, impl InputPin>> {
    let mut pac = pac::Peripherals::take()?;
    let mut watchdog = Watchdog::new(pac.WATCHDOG);
    let clocks = init_clocks_and_plls(
        XTAL_HZ,
        pac.XOSC,
        pac.CLOCKS,
        pac.PLL_SYS,
        pac.PLL_USB,
        &mut pac.RESETS,
        &mut watchdog,
    )
    .ok()?;
    #[cfg(feature = "pico")]
    let (mut timer, random) =
        (Timer::new(pac.TIMER, &mut pac.RESETS, &clocks), Random::start(pac.ROSC, &mut pac.RESETS));
    #[cfg(feature = "pico2")]
    let (mut timer, random) = (
        Timer::new_timer0(pac.TIMER0, &mut pac.RESETS, &clocks),
        Random::start(pac.TRNG, &mut pac.RESETS),
    );
    let sio = Sio::new(pac.SIO);
    let pins = Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    // Section 5.5.1 of the W5500's data sheet: reset for 500 µs, ready a millisecond later.
    let mut reset = pins.gpio20.into_push_pull_output();
    reset.set_low().ok()?;
    timer.delay_ms(1);
    reset.set_high().ok()?;
    timer.delay_ms(2);
    let lines = (
        pins.gpio19.into_function::<FunctionSpi>(), // MOSI
        pins.gpio16.into_function::<FunctionSpi>(), // MISO
        pins.gpio18.into_function::<FunctionSpi>(), // SCK
    );
    let spi = Spi::<_, _, _, 8>::new(pac.SPI0, lines);
    let peripheral_hz = clocks.peripheral_clock.freq();
    let spi = spi.init(&mut pac.RESETS, peripheral_hz, SPI_HZ.Hz(), MODE_0);
    let select = pins.gpio17.into_push_pull_output_in_state(PinState::High);
    let spi = ExclusiveDevice::new_no_delay(spi, select).ok()?;
    let lines = (pins.gpio0.into_function(), pins.gpio1.into_function());
    let line = UartPeripheral::new(pac.UART0, lines, &mut pac.RESETS);
    let config = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let line = line.enable(config, peripheral_hz);
    let mut alarm = timer.alarm_0()?;
    alarm.enable_interrupt();
    // SAFETY: its handler is there, and nothing relies on its being masked.
    unsafe { cortex_m::peripheral::NVIC::unmask(ALARM) };
    watchdog.start(PATIENCE_US.micros());
    Some(Parts {
        board: Board {
            timer,
            random,
            alarm: RefCell::new(alarm),
            watchdog: RefCell::new(watchdog),
            epoch: Cell::new(None),
        },
        spi,
        led: pins.gpio25.into_push_pull_output(),
        line: line.ok()?,
        button: pins.gpio22.into_pull_up_input(),
        flash: Flash::take(),
    })
}

/// The end of a sleep: the handler has nothing to do but to quit the alarm.
fn quit_alarm() {
    #[cfg(feature = "pico")]
    // SAFETY: a write to a register whose other bits are left as they are by zeros.
    unsafe {
        (*pac::TIMER::ptr()).intr().write(|w| w.alarm_0().clear_bit_by_one())
    };
    #[cfg(feature = "pico2")]
    // SAFETY: as above.
    unsafe {
        (*pac::TIMER0::ptr()).intr().write(|w| w.alarm_0().clear_bit_by_one())
    };
}

#[cfg(feature = "pico")]
const ALARM: interrupt = interrupt::TIMER_IRQ_0;
#[cfg(feature = "pico2")]
const ALARM: interrupt = interrupt::TIMER0_IRQ_0;

#[cfg(feature = "pico")]
#[interrupt]
fn TIMER_IRQ_0() {
    quit_alarm();
}

#[cfg(feature = "pico2")]
#[interrupt]
fn TIMER0_IRQ_0() {
    quit_alarm();
}

impl Board {
    /// The watchdog does it, so that the boot ROM sets up the flash again.
    pub fn restart(&self) -> ! {
        if let Ok(mut watchdog) = self.watchdog.try_borrow_mut() {
            watchdog.start(10_000.micros());
        }
        loop {
            cortex_m::asm::nop();
        }
    }

    /// Waits, with the watchdog fed.
    pub fn wait_until(&self, deadline_ms: u64) {
        while self.now_ms() < deadline_ms {
            self.idle();
            self.nap();
        }
    }

    pub fn set_time(&self, seconds: u64) {
        self.epoch.set(seconds.checked_sub(self.now_ms() / 1000));
    }

    /// Sleeps for a millisecond, or less. An alarm that rings before the processor sleeps has set its event
    /// register, and then it does not sleep.
    pub fn nap(&self) {
        if let Ok(mut alarm) = self.alarm.try_borrow_mut()
            && alarm.schedule(NAP_US.micros()).is_ok()
        {
            cortex_m::asm::wfe();
        }
    }
}

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        self.timer.get_counter().ticks() / 1000 // 64 bits of microseconds
    }

    fn idle(&self) {
        if let Ok(watchdog) = self.watchdog.try_borrow() {
            watchdog.feed();
        }
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.random.fill(buf).then_some(()).ok_or(NoEntropy)
    }

    fn unix_time(&self) -> Option<u64> {
        Some(self.epoch.get()? + self.now_ms() / 1000)
    }
}

impl Sleep for Board {
    fn sleep_until(&self, deadline_ms: u64) {
        if self.now_ms() < deadline_ms {
            self.nap();
        }
    }
}
