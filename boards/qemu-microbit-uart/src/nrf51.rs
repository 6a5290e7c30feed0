//! The three peripherals of the nRF51822 that are used here: timer, UART, random number
//! generator. Source: "nRF51 Series Reference Manual".

use core::cell::Cell;
use core::marker::PhantomData;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

/// Longest wait of one `read` or `write`, in microseconds, before it says "nothing yet".
const SLICE: u32 = 20_000;

const UART: usize = 0x4000_2000;
const TIMER0: usize = 0x4000_8000;
const RNG: usize = 0x4000_D000;

fn read(address: usize) -> u32 {
    // SAFETY: called below with addresses of registers of this chip.
    unsafe { core::ptr::without_provenance::<u32>(address).read_volatile() }
}

fn write(address: usize, value: u32) {
    // SAFETY: as for `read`.
    unsafe { core::ptr::without_provenance_mut::<u32>(address).write_volatile(value) }
}

#[derive(Clone, Copy)]
struct Line(u8);

// SAFETY: built from the two constants below alone.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        u16::from(self.0)
    }
}

const UART_LINE: Line = Line(2);
const TIMER0_LINE: Line = Line(8);

/// Time from timer 0: 32 bits at 1 MHz, added up here. It must be looked at once in 71 minutes, which
/// every wait does. (Divided as 64 bits the time would take 160 bytes of stack, at the bottom of
/// every wait.)
pub struct Clock {
    /// What the timer said last.
    last: Cell<u32>,
    /// Microseconds that make no millisecond yet.
    rest: Cell<u32>,
    ms: Cell<u64>,
}

impl Clock {
    /// Starts the timer, and lets it and the UART end `wfi`. Interrupts stay disabled: a pending
    /// one ends the sleep all the same, and no handlers are needed.
    pub fn start() -> Self {
        cortex_m::interrupt::disable();
        write(TIMER0 + 0x504, 0); // MODE: timer
        write(TIMER0 + 0x508, 3); // BITMODE: 32
        write(TIMER0 + 0x510, 4); // PRESCALER: 16 MHz / 2^4
        write(TIMER0 + 0x304, 1 << 17); // INTENSET: COMPARE[1]
        write(TIMER0 + 0x00C, 1); // TASKS_CLEAR
        write(TIMER0, 1); // TASKS_START
        // SAFETY: with interrupts disabled they only wake.
        unsafe {
            NVIC::unmask(UART_LINE);
            NVIC::unmask(TIMER0_LINE);
        }
        Self { last: Cell::new(0), rest: Cell::new(0), ms: Cell::new(0) }
    }

    /// The timer, in microseconds.
    fn micros() -> u32 {
        write(TIMER0 + 0x040, 1); // TASKS_CAPTURE[0]
        read(TIMER0 + 0x540)
    }

    #[inline(never)]
    pub fn now_ms(&self) -> u64 {
        let now = Self::micros();
        let passed = now.wrapping_sub(self.last.replace(now));
        let (mut ms, mut rest) = (0_u32, passed);
        // No division, which is a routine with 40 bytes of stack. Mostly there is nothing to divide.
        if passed >= 1000 {
            for bit in (0..=22).rev() {
                if rest >= 1000 << bit {
                    (ms, rest) = (ms | 1 << bit, rest - (1000 << bit));
                }
            }
        }
        rest += self.rest.get();
        if rest >= 1000 {
            (ms, rest) = (ms + 1, rest - 1000);
        }
        self.rest.set(rest);
        self.ms.set(self.ms.get() + u64::from(ms));
        self.ms.get()
    }

    /// Sleeps until a byte has arrived, at most this many milliseconds.
    #[cfg(feature = "survive")]
    pub fn wait_for_byte(&self, ms: u32) {
        Self::wait_until(Self::micros().wrapping_add(ms * 1000));
    }

    /// Sleeps until a byte has arrived or the timer says this.
    fn wait_until(end: u32) {
        write(TIMER0 + 0x144, 0); // EVENTS_COMPARE[1]
        write(TIMER0 + 0x544, end); // CC[1]
        // Looked at after it was set: a time that has passed would come again in 71 minutes only.
        let left = end.wrapping_sub(Self::micros()).cast_signed();
        if left > 0 && read(UART + 0x108) == 0 {
            barepg_semihost::barepg_mark_sleep();
            cortex_m::asm::wfi();
        }
        write(TIMER0 + 0x144, 0);
        NVIC::unpend(UART_LINE);
        NVIC::unpend(TIMER0_LINE);
    }
}

/// The serial line. What is at its other end speaks PostgreSQL's protocol: a converter from
/// serial to TCP, or QEMU. Nothing on the line says that the other end has closed, so only
/// deadlines end a wait. The timer must run, which the clock says that is started.
pub struct Uart<'a>(PhantomData<&'a Clock>);

impl<'a> Uart<'a> {
    /// Starts the UART at 115200 baud without flow control: the receiver must be as quick as the
    /// line, so keep results small.
    pub fn start(_: &'a Clock) -> Self {
        write(UART + 0x50C, 24); // PSELTXD: the micro:bit's USB side
        write(UART + 0x514, 25); // PSELRXD
        write(UART + 0x524, 0x01D7_E000); // BAUDRATE: 115200
        write(UART + 0x500, 4); // ENABLE
        write(UART + 0x304, 1 << 2); // INTENSET: RXDRDY; the emulator wants it after ENABLE
        write(UART + 0x008, 1); // TASKS_STARTTX
        write(UART, 1); // TASKS_STARTRX
        Self(PhantomData)
    }

    fn byte(&self) -> Option<u8> {
        if read(UART + 0x108) == 0 {
            return None;
        }
        write(UART + 0x108, 0); // EVENTS_RXDRDY
        Some(read(UART + 0x518).to_le_bytes()[0])
    }
}

impl ErrorType for Uart<'_> {
    type Error = ErrorKind;
}

impl Read for Uart<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if buf.is_empty() {
            return Ok(0);
        }
        let start = Clock::micros();
        while read(UART + 0x108) == 0 {
            if Clock::micros().wrapping_sub(start) >= SLICE {
                return Err(ErrorKind::TimedOut);
            }
            Clock::wait_until(start.wrapping_add(SLICE));
        }
        let mut count = 0;
        for slot in buf {
            let Some(byte) = self.byte() else { break };
            *slot = byte;
            count += 1;
        }
        Ok(count)
    }
}

impl ReadReady for Uart<'_> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(read(UART + 0x108) != 0) // EVENTS_RXDRDY
    }
}

impl Write for Uart<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let start = Clock::micros();
        for (count, &byte) in buf.iter().enumerate() {
            write(UART + 0x11C, 0); // EVENTS_TXDRDY
            write(UART + 0x51C, u32::from(byte)); // TXD
            while read(UART + 0x11C) == 0 {
                if Clock::micros().wrapping_sub(start) >= SLICE {
                    // This byte is in the transmitter and will leave when it can.
                    return Ok(count + 1);
                }
            }
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Random bytes from the generator in the chip, with its bias correction on. False if it does
/// not deliver.
pub fn random(clock: &Clock, buf: &mut [u8]) -> bool {
    write(RNG + 0x504, 1); // CONFIG: bias correction
    write(RNG, 1); // TASKS_START
    // With correction a byte takes 0.7 ms on average, without upper bound.
    let deadline = clock.now_ms() + 1000;
    for slot in buf {
        write(RNG + 0x100, 0); // EVENTS_VALRDY
        while read(RNG + 0x100) == 0 {
            if clock.now_ms() > deadline {
                return false;
            }
        }
        *slot = read(RNG + 0x508).to_le_bytes()[0];
    }
    write(RNG + 0x004, 1); // TASKS_STOP
    true
}
