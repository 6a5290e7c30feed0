//! The chip's clock, random numbers, watchdog and Ethernet, with the pins of the Nucleo-144.

use core::cell::{Cell, RefCell};

use barepg::{NoEntropy, Platform};
use barepg_smoltcp::Sleep;
use barepg_smoltcp::bridge::Embassy;
use embassy_stm32::eth::{self, Ethernet, GenericPhy, PacketQueue, Sma};
use embassy_stm32::gpio::{Level, Output, Speed};
use embassy_stm32::peripherals::{ETH, ETH_SMA, IWDG1, RNG};
use embassy_stm32::rcc::{Hsi48Config, mux};
use embassy_stm32::rng::{self, Rng};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, bind_interrupts};
use embassy_time::Instant;
use static_cell::StaticCell;

bind_interrupts!(struct Interrupts {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

/// embassy's driver as smoltcp's device: no executor is needed for it.
pub type Port = Embassy<Ethernet<'static, ETH, GenericPhy<Sma<'static, ETH_SMA>>>>;

pub struct Board {
    rng: RefCell<Rng<'static, RNG>>,
    watchdog: RefCell<IndependentWatchdog<'static, IWDG1>>,
    /// The server's time at the start of the clock, in seconds since 1970.
    epoch: Cell<Option<u64>>,
}

/// The board, its Ethernet, and the green LED.
pub fn start(address: [u8; 6]) -> (Board, Port, Output<'static>) {
    let mut config = Config::default();
    config.rcc.hsi48 = Some(Hsi48Config { sync_from_usb: false });
    config.rcc.mux.rngsel = mux::Rngsel::HSI48;
    let p = embassy_stm32::init(config);
    static QUEUE: StaticCell<PacketQueue<4, 4>> = StaticCell::new();
    let queue = QUEUE.init(PacketQueue::new());
    let ethernet = Ethernet::new(
        queue, p.ETH, Interrupts, p.PA1, p.PA7, p.PC4, p.PC5, p.PG13, p.PB13, p.PG11, address,
        p.ETH_SMA, p.PA2, p.PC1,
    );
    let mut watchdog = IndependentWatchdog::new(p.IWDG1, 8_000_000);
    watchdog.unleash();
    let board = Board {
        rng: RefCell::new(Rng::new(p.RNG, Interrupts)),
        watchdog: RefCell::new(watchdog),
        epoch: Cell::new(None),
    };
    (board, Embassy(ethernet), Output::new(p.PB0, Level::Low, Speed::Low))
}

impl Board {
    pub fn set_time(&self, seconds: u64) {
        self.epoch.set(seconds.checked_sub(self.now_ms() / 1000));
    }
}

impl Platform for Board {
    fn now_ms(&self) -> u64 {
        Instant::now().as_millis() // 64 bits of a timer, widened in its interrupt
    }

    fn idle(&self) {
        self.watchdog.borrow_mut().pet();
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.rng.borrow_mut().fill_bytes(buf);
        Ok(())
    }

    fn unix_time(&self) -> Option<u64> {
        Some(self.epoch.get()? + self.now_ms() / 1000)
    }
}

impl Sleep for Board {}
