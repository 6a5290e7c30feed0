//! The chip's clock, watchdog and SPI. Pins are those of the W5500-EVB-Pico and W5500-EVB-Pico2.

use core::cell::RefCell;

use barepg::{NoEntropy, Platform};
use barepg_w5500::barepg_smoltcp::Sleep;
use embedded_hal::delay::DelayNs as _;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::{MODE_0, SpiDevice};
use embedded_hal_bus::spi::ExclusiveDevice;
use hal::clocks::init_clocks_and_plls;
use hal::fugit::{ExtU32 as _, RateExtU32 as _};
use hal::gpio::{FunctionSpi, Pins};
use hal::{Clock as _, Sio, Spi, Watchdog, pac};
#[cfg(feature = "pico2")]
use rp235x_hal as hal;
#[cfg(feature = "pico")]
use rp2040_hal::{self as hal, Timer};

#[cfg(feature = "pico2")]
type Timer = hal::Timer<hal::timer::CopyableTimer0>;

use crate::random::Random;

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

pub struct Board {
    timer: Timer,
    random: Random,
    watchdog: RefCell<Watchdog>,
}

/// The board, the chip's SPI, and the green LED.
pub fn start() -> Option<(Board, impl SpiDevice, impl OutputPin)> {
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
    let spi = spi.init(&mut pac.RESETS, clocks.peripheral_clock.freq(), 20.MHz(), MODE_0);
    let select = pins.gpio17.into_push_pull_output();
    let spi = ExclusiveDevice::new_no_delay(spi, select).ok()?;
    watchdog.start(8_000_000.micros());
    let board = Board { timer, random, watchdog: RefCell::new(watchdog) };
    Some((board, spi, pins.gpio25.into_push_pull_output()))
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
}

impl Sleep for Board {}
