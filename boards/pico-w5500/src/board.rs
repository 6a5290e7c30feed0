//! The chip's clock, random numbers, watchdog and SPI. Pins are those of the W5500-EVB-Pico.

use core::cell::RefCell;

use barepg::{NoEntropy, Platform};
use barepg_w5500::barepg_smoltcp::Sleep;
use embedded_hal::delay::DelayNs as _;
use embedded_hal::digital::OutputPin;
use embedded_hal::spi::{MODE_0, SpiDevice};
use embedded_hal_bus::spi::ExclusiveDevice;
use rp2040_hal::clocks::init_clocks_and_plls;
use rp2040_hal::fugit::{ExtU32 as _, RateExtU32 as _};
use rp2040_hal::gpio::{FunctionSpi, Pins};
use rp2040_hal::rosc::{Enabled, RingOscillator};
use rp2040_hal::{Clock as _, Sio, Spi, Timer, Watchdog, pac};

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

/// Crystal of the Pico.
const XTAL_HZ: u32 = 12_000_000;

/// Pairs of equal bits in sequence that show a stuck oscillator.
const STUCK: u32 = 1000;

pub struct Board {
    timer: Timer,
    oscillator: RingOscillator<Enabled>,
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
    let mut timer = Timer::new(pac.TIMER, &mut pac.RESETS, &clocks);
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
    let oscillator = RingOscillator::new(pac.ROSC).initialize();
    let board = Board { timer, oscillator, watchdog: RefCell::new(watchdog) };
    Some((board, spi, pins.gpio25.into_push_pull_output()))
}

impl Board {
    /// An unbiased bit: two unlike ones in sequence, the first of them (von Neumann).
    fn bit(&self) -> Option<u8> {
        for _ in 0..STUCK {
            let (first, second) =
                (self.oscillator.get_random_bit(), self.oscillator.get_random_bit());
            if first != second {
                return Some(u8::from(first));
            }
        }
        None
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

    /// The oscillator is no certified source: mix in what the device was given at manufacture.
    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in buf {
            for _ in 0..8 {
                *byte = *byte << 1 | self.bit().ok_or(NoEntropy)?;
            }
        }
        Ok(())
    }
}

impl Sleep for Board {}
