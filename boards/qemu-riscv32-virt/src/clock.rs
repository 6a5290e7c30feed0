//! Time from the core-local interruptor's free-running counter; sleep until the network or the
//! counter's comparator wakes the core. Sources: the RISC-V ACLINT and PLIC specifications, and
//! the memory map of QEMU's virt machine.

use core::ptr;

/// `mtime` counts 10 MHz on this machine.
const TICKS_PER_MS: u64 = 10_000;
const MTIMECMP: *mut u32 = ptr::without_provenance_mut(0x0200_4000);
const MTIME: *mut u32 = ptr::without_provenance_mut(0x0200_BFF8);

const PLIC: usize = 0x0C00_0000;
const PLIC_ENABLE: *mut u32 = ptr::without_provenance_mut(PLIC + 0x2000);
const PLIC_CLAIM: *mut u32 = ptr::without_provenance_mut(PLIC + 0x20_0004);

/// The clock.
pub struct Clock;

impl Clock {
    /// Lets the comparator and one line of the interrupt controller wake the core. Interrupts
    /// stay disabled (`mstatus.MIE`): a pending one ends `wfi` all the same, and no handler is
    /// needed.
    pub fn start(interrupt: u32) {
        // SAFETY: registers of the PLIC: priority above the threshold 0, enabled for the first
        // hart's machine mode.
        unsafe {
            let priority: *mut u32 = ptr::without_provenance_mut(PLIC + 4 * interrupt as usize);
            priority.write_volatile(1);
            PLIC_ENABLE.write_volatile(1 << interrupt);
            riscv::register::mie::set_mtimer();
            riscv::register::mie::set_mext();
        }
    }

    fn ticks() -> u64 {
        // SAFETY: the two halves of the counter.
        let read = |half: usize| unsafe { MTIME.add(half).read_volatile() };
        loop {
            let (high, low) = (read(1), read(0));
            if read(1) == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    /// Milliseconds since the start.
    pub fn now_ms() -> u64 {
        Self::ticks() / TICKS_PER_MS
    }

    /// Sleeps until the network or the time wakes the core.
    pub fn sleep_until(deadline_ms: u64) {
        let wake = deadline_ms.saturating_mul(TICKS_PER_MS);
        // SAFETY: the comparator's halves; the high one is out of reach while they are set.
        unsafe {
            MTIMECMP.add(1).write_volatile(u32::MAX);
            MTIMECMP.write_volatile(wake as u32);
            MTIMECMP.add(1).write_volatile((wake >> 32) as u32);
        }
        // A frame that arrived after the last poll is pending and ends this at once.
        barepg_semihost::barepg_mark_sleep();
        riscv::asm::wfi();
    }
}

/// Seconds since 1970, from the machine's real-time clock (a "goldfish" device, which counts
/// nanoseconds; reading the low half latches the high one).
pub fn unix_time() -> u64 {
    const RTC: *mut u32 = ptr::without_provenance_mut(0x0010_1000);
    // SAFETY: the two registers of the time.
    let (low, high) = unsafe { (RTC.read_volatile(), RTC.add(1).read_volatile()) };
    (u64::from(high) << 32 | u64::from(low)) / 1_000_000_000
}

/// Ends the network's interrupt, after it was acknowledged to the device.
pub fn complete_interrupt() {
    // SAFETY: claiming and completing in the PLIC; 0 means there was none.
    unsafe {
        let line = PLIC_CLAIM.read_volatile();
        if line != 0 {
            PLIC_CLAIM.write_volatile(line);
        }
    }
}
