//! The chip's clock, random numbers, watchdog and serial line, with pins of the Nucleo-144.

use core::cell::{Cell, RefCell};

use barepg::{NoEntropy, Platform};
use critical_section::Mutex;
use stm32h7xx_hal::gpio::{Input, Output, gpiob, gpiod};
use stm32h7xx_hal::independent_watchdog::IndependentWatchdog;
use stm32h7xx_hal::pac::interrupt;
use stm32h7xx_hal::rng::{Rng, RngCore as _};
use stm32h7xx_hal::serial::{Rx, Tx};
use stm32h7xx_hal::timer::Timer;
use stm32h7xx_hal::{nb, pac, prelude::*};

use crate::line::{Received, Wire};

/// 9,600 bytes a second; the other end must be set to the same, 8 bits, no parity.
const BAUD: u32 = 115_200;

/// What may arrive while the driver computes: 2 KB are 0.2 s of the line.
pub static RECEIVED: Received<2048> = Received::new();

static RX: Mutex<RefCell<Option<Rx<pac::USART2>>>> = Mutex::new(RefCell::new(None));

pub struct Board {
    timer: Timer<pac::TIM2>,
    /// The timer has 32 bits of microseconds: what it said last, and how often it wrapped.
    last: Cell<u32>,
    wraps: Cell<u32>,
    rng: RefCell<Rng>,
    watchdog: RefCell<IndependentWatchdog>,
    /// The server's time at the start of the clock, in seconds since 1970.
    epoch: Cell<Option<u64>>,
}

pub struct Uart {
    tx: Tx<pac::USART2>,
    dtr: gpiod::PD3<Output>,
    dcd: gpiod::PD7<Input>,
}

pub type Led = gpiob::PB0<Output>;

/// The board, its serial line, and the green LED.
pub fn start() -> Option<(Board, Uart, Led)> {
    let dp = pac::Peripherals::take()?;
    let pwr = dp.PWR.constrain().freeze();
    let rcc = dp.RCC.constrain();
    // The generator of random numbers runs at 48 MHz.
    let ccdr = rcc.sys_ck(200.MHz()).pll1_q_ck(48.MHz()).freeze(pwr, &dp.SYSCFG);
    let (b, d) = (dp.GPIOB.split(ccdr.peripheral.GPIOB), dp.GPIOD.split(ccdr.peripheral.GPIOD));
    let pins = (d.pd5.into_alternate::<7>(), d.pd6.into_alternate::<7>());
    let usart = dp.USART2.serial(pins, BAUD.bps(), ccdr.peripheral.USART2, &ccdr.clocks).ok()?;
    let (tx, mut rx) = usart.split();
    rx.listen();
    critical_section::with(|token| RX.borrow_ref_mut(token).replace(rx));
    // SAFETY: what the interrupt uses is in place.
    unsafe { cortex_m::peripheral::NVIC::unmask(pac::Interrupt::USART2) };
    let mut dtr = d.pd3.into_push_pull_output();
    dtr.set_high(); // off: these lines are active low
    let uart = Uart { tx, dtr, dcd: d.pd7.into_pull_down_input() };
    let timer = dp.TIM2.tick_timer(1.MHz(), ccdr.peripheral.TIM2, &ccdr.clocks);
    let mut watchdog = IndependentWatchdog::new(dp.IWDG);
    watchdog.start(8.secs());
    let board = Board {
        timer,
        last: Cell::new(0),
        wraps: Cell::new(0),
        rng: RefCell::new(dp.RNG.constrain(ccdr.peripheral.RNG, &ccdr.clocks)),
        watchdog: RefCell::new(watchdog),
        epoch: Cell::new(None),
    };
    Some((board, uart, b.pb0.into_push_pull_output()))
}

/// Takes what has arrived, whatever the program is doing.
#[interrupt]
fn USART2() {
    critical_section::with(|token| {
        let Some(rx) = &mut *RX.borrow_ref_mut(token) else { return };
        loop {
            match rx.read() {
                Ok(byte) => RECEIVED.put(byte),
                Err(nb::Error::WouldBlock) => return,
                Err(nb::Error::Other(_)) => RECEIVED.lose(),
            }
        }
    });
}

impl Wire for Uart {
    fn send(&mut self, byte: u8) -> bool {
        self.tx.write(byte).is_ok()
    }

    fn set_ready(&mut self, on: bool) {
        self.dtr.set_state((!on).into());
    }

    /// Wire the pin to ground where the other end has no such line.
    fn has_carrier(&mut self) -> bool {
        self.dcd.is_low()
    }
}

impl Board {
    pub fn set_time(&self, seconds: u64) {
        self.epoch.set(seconds.checked_sub(self.now_ms() / 1000));
    }
}

impl Platform for Board {
    /// To be looked at once in 71 minutes, which every wait does.
    fn now_ms(&self) -> u64 {
        let now = self.timer.counter();
        if now < self.last.replace(now) {
            self.wraps.set(self.wraps.get().wrapping_add(1));
        }
        (u64::from(self.wraps.get()) << 32 | u64::from(now)) / 1000
    }

    fn idle(&self) {
        self.watchdog.borrow_mut().feed();
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.rng.borrow_mut().fill(buf).map_err(|_| NoEntropy)
    }

    fn unix_time(&self) -> Option<u64> {
        Some(self.epoch.get()? + self.now_ms() / 1000)
    }
}
