//! The chip's clock, random numbers, watchdog and Ethernet, with the pins of the Nucleo-144.

use core::cell::{Cell, RefCell};
use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use barepg::{NoEntropy, Platform};
use barepg_smoltcp::Sleep;
use barepg_smoltcp::bridge::Smoltcp011;
use barepg_smoltcp::smoltcp::phy::Device;
use smoltcp_0_11::wire::EthernetAddress;
use stm32h7xx_hal::ethernet::{self, DesRing, PHY as _, phy::LAN8742A};
use stm32h7xx_hal::gpio::{Output, Speed::VeryHigh, gpiob};
use stm32h7xx_hal::independent_watchdog::IndependentWatchdog;
use stm32h7xx_hal::rng::{Rng, RngCore as _};
use stm32h7xx_hal::timer::Timer;
use stm32h7xx_hal::{pac, prelude::*};

/// Descriptors and frames of the DMA, 12 KB: in the memory that it reaches.
#[unsafe(link_section = ".sram3.eth")]
static mut RING: MaybeUninit<DesRing<4, 4>> = MaybeUninit::uninit();

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

pub type Led = gpiob::PB0<Output>;

/// The board, its Ethernet, and the green LED. No data cache: Ethernet's DMA would not see it.
pub fn start(dp: pac::Peripherals, address: [u8; 6]) -> (Board, impl Device, Led) {
    let pwr = dp.PWR.constrain().freeze();
    dp.RCC.ahb2enr.modify(|_, w| w.sram3en().set_bit());
    let rcc = dp.RCC.constrain();
    // The generator of random numbers runs at 48 MHz.
    let ccdr = rcc.sys_ck(200.MHz()).hclk(200.MHz()).pll1_q_ck(48.MHz()).freeze(pwr, &dp.SYSCFG);
    let (a, b) = (dp.GPIOA.split(ccdr.peripheral.GPIOA), dp.GPIOB.split(ccdr.peripheral.GPIOB));
    let (c, g) = (dp.GPIOC.split(ccdr.peripheral.GPIOC), dp.GPIOG.split(ccdr.peripheral.GPIOG));
    let pins = (
        a.pa1.into_alternate::<11>().speed(VeryHigh),  // REF_CLK
        a.pa2.into_alternate::<11>().speed(VeryHigh),  // MDIO
        c.pc1.into_alternate::<11>().speed(VeryHigh),  // MDC
        a.pa7.into_alternate::<11>().speed(VeryHigh),  // CRS_DV
        c.pc4.into_alternate::<11>().speed(VeryHigh),  // RXD0
        c.pc5.into_alternate::<11>().speed(VeryHigh),  // RXD1
        g.pg11.into_alternate::<11>().speed(VeryHigh), // TX_EN
        g.pg13.into_alternate::<11>().speed(VeryHigh), // TXD0
        b.pb13.into_alternate::<11>().speed(VeryHigh), // TXD1
    );
    // SAFETY: the chip's peripherals exist once, so this is passed once. The ring writes its descriptors before it is read.
    let ring = unsafe {
        let ring = &mut *addr_of_mut!(RING);
        ring.write(DesRing::new())
    };
    let (mac, mtl, dma) = (dp.ETHERNET_MAC, dp.ETHERNET_MTL, dp.ETHERNET_DMA);
    let (enable, clocks) = (ccdr.peripheral.ETH1MAC, &ccdr.clocks);
    let address = EthernetAddress(address);
    let (dma, mac) = ethernet::new(mac, mtl, dma, pins, ring, address, enable, clocks);
    let mut phy = LAN8742A::new(mac);
    phy.phy_reset();
    phy.phy_init();
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
    (board, Smoltcp011(dma), b.pb0.into_push_pull_output())
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

impl Sleep for Board {}
