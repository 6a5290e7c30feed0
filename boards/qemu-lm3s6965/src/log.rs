//! defmt over UART 0, at 115200 baud.

use core::cell::UnsafeCell;

use critical_section::RestoreState;

use crate::regs::{self, uart0};

struct State {
    encoder: defmt::Encoder,
    taken: bool,
    restore: RestoreState,
}

struct Shared(UnsafeCell<State>);

// SAFETY: touched only between `acquire` and `release`, which are a critical section.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State {
    encoder: defmt::Encoder::new(),
    taken: false,
    restore: RestoreState::invalid(),
}));

#[defmt::global_logger]
struct Logger;

/// Starts the UART.
pub fn start() {
    regs::RCGC1.set(1);
    regs::RCGC2.set(1);
    uart0::GPIOAFSEL.set(3);
    uart0::GPIODEN.set(3);
    uart0::UARTCTL.write(0);
    // 12.5 MHz / (16 * 115200) = 6 + 50 / 64
    uart0::UARTIBRD.write(6);
    uart0::UARTFBRD.write(50);
    uart0::UARTLCRH.write(0x70); // 8 bits, FIFOs
    uart0::UARTCTL.write(0x301);
}

fn send(bytes: &[u8]) {
    for &byte in bytes {
        while uart0::UARTFR.read() & 1 << 5 != 0 {}
        uart0::UARTDR.write(u32::from(byte));
    }
}

// SAFETY: `acquire` and `release` bracket a critical section, and `taken` finds a second entry.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released in `release`.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: inside the critical section.
        let state = unsafe { &mut *STATE.0.get() };
        if state.taken {
            barepg_semihost::fault("log taken twice")
        }
        state.taken = true;
        state.restore = restore;
        state.encoder.start_frame(send);
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: called once after `acquire`, still inside its critical section.
        let state = unsafe { &mut *STATE.0.get() };
        state.encoder.end_frame(send);
        state.taken = false;
        // SAFETY: the state `acquire` got.
        unsafe { critical_section::release(state.restore) };
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: between `acquire` and `release`.
        let state = unsafe { &mut *STATE.0.get() };
        state.encoder.write(bytes, send);
    }
}
