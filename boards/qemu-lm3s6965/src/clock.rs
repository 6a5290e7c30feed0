//! Time from a free-running SysTick, and sleep until the network or a timer wakes the core.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_rt::exception;

use crate::regs::{self, mac, timer0};

/// The core's clock: 8 MHz crystal, PLL at 200 MHz, divided by 16.
const HZ: u32 = 12_500_000;
const TICKS_PER_MS: u64 = (HZ / 1000) as u64;
const RELOAD: u32 = 0x00FF_FFFF;

/// How often SysTick has run through its 24 bits, 1.34 s each.
static WRAPS: AtomicU32 = AtomicU32::new(0);

/// The clock, once started. SysTick is never stopped or reset: counting its interrupts instead would lose time
/// whenever they are held off.
pub struct Clock;

#[derive(Clone, Copy)]
struct Line(u8);

// SAFETY: built from the two constants in `regs` alone.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        u16::from(self.0)
    }
}

impl Clock {
    /// Starts the PLL and the counters. Once.
    pub fn start(mut syst: SYST) {
        start_pll();
        syst.set_clock_source(SystClkSource::Core);
        syst.set_reload(RELOAD);
        syst.clear_current();
        syst.enable_counter();
        // The first count after zero loads RELOAD; a time read before would lie 1.34 s ahead.
        while SYST::get_current() == 0 {}
        syst.enable_interrupt();

        regs::RCGC1.set(1 << 16);
        timer0::GPTMCTL.write(0);
        timer0::GPTMCFG.write(0); // 32 bits
        timer0::GPTMTAMR.write(1); // one shot
        timer0::GPTMIMR.write(1);
    }

    fn ticks() -> u64 {
        cortex_m::interrupt::free(|_| {
            let mut wraps = WRAPS.load(Ordering::Relaxed);
            let mut current = SYST::get_current();
            if SCB::is_pendst_pending() {
                // Wrapped, and the handler has not run: the count may be from either side.
                current = SYST::get_current();
                wraps = wraps.wrapping_add(1);
            }
            u64::from(wraps) * u64::from(RELOAD + 1) + u64::from(RELOAD - current)
        })
    }

    /// Milliseconds since the start.
    pub fn now_ms() -> u64 {
        Self::ticks() / TICKS_PER_MS
    }

    /// Sleeps until the network or the time wakes the core.
    pub fn sleep_until(deadline_ms: u64) {
        let now = Self::now_ms();
        let Some(wait_ms) = deadline_ms.checked_sub(now).filter(|ms| *ms > 0) else { return };
        let ticks = wait_ms.min(100) * TICKS_PER_MS;
        timer0::GPTMCTL.write(0);
        timer0::GPTMICR.write(1);
        timer0::GPTMTAILR.write(ticks as u32);
        timer0::GPTMCTL.write(1);
        // With interrupts held off, a pending one still ends `wfi`, and none can slip in between
        // the look at the FIFO and the sleep. The two lines need no handlers: they are masked
        // again before interrupts are let through.
        cortex_m::interrupt::free(|_| {
            // The flag stays up until it is acknowledged, also when the FIFO is long empty.
            mac::MACRIS.write(mac::RX_INTERRUPT);
            if mac::MACNP.read() == 0 {
                // SAFETY: inside a critical section, which is left only after masking them again.
                unsafe {
                    NVIC::unmask(Line(mac::INTERRUPT));
                    NVIC::unmask(Line(timer0::INTERRUPT));
                }
                barepg_semihost::barepg_mark_sleep();
                cortex_m::asm::wfi();
                NVIC::mask(Line(mac::INTERRUPT));
                NVIC::mask(Line(timer0::INTERRUPT));
            }
            timer0::GPTMCTL.write(0);
            timer0::GPTMICR.write(1);
            NVIC::unpend(Line(mac::INTERRUPT));
            NVIC::unpend(Line(timer0::INTERRUPT));
        });
    }
}

/// Section "Initialization and Configuration" of the data sheet's System Control chapter. The
/// divider is what the emulator begins with, so that both run at the same speed.
fn start_pll() {
    const BYPASS: u32 = 1 << 11;
    const PWRDN: u32 = 1 << 13;
    const USESYSDIV: u32 = 1 << 22;
    const SYSDIV_16: u32 = 15 << 23;
    const XTAL_8MHZ: u32 = 0xE << 6;
    regs::RCC.write((regs::RCC.read() | BYPASS) & !USESYSDIV);
    // Main oscillator on (bit 0) and selected (bits 4 and 5), PLL powered.
    let mut rcc = regs::RCC.read() & !(0xF << 6 | 0x30 | 1 | PWRDN | 0xF << 23);
    rcc |= XTAL_8MHZ | SYSDIV_16;
    regs::RCC.write(rcc);
    regs::RCC.write(rcc | USESYSDIV);
    // Locks in half a millisecond; a board whose PLL does not lock runs slow rather than not.
    for _ in 0..10_000 {
        if regs::RIS.read() & 1 << 6 != 0 {
            regs::RCC.write((rcc | USESYSDIV) & !BYPASS);
            return;
        }
    }
}

#[exception]
fn SysTick() {
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
