//! The machine's serial line, a 16550A, without interrupts: the emulated one has no speed to set. Source: the
//! PC16550D data sheet, and the memory map of QEMU's virt machine.

use core::convert::Infallible;
use core::ptr;

use embedded_io::{ErrorType, Read, Write};

const BASE: usize = 0x1000_0000;

/// Received and sent bytes.
const DATA: usize = 0;
const FIFO_CONTROL: usize = 2;
const LINE_STATUS: usize = 5;

const FIFO_ON: u8 = 1;
const RECEIVED: u8 = 1;
const CAN_SEND: u8 = 1 << 5;

/// The line. There is one value of it.
pub struct Uart(());

fn register(number: usize) -> *mut u8 {
    ptr::without_provenance_mut(BASE + number)
}

impl Uart {
    /// The line; for `main`, once.
    pub fn start() -> Self {
        let mut line = Self(());
        line.set(FIFO_CONTROL, FIFO_ON);
        line
    }

    fn get(&self, number: usize) -> u8 {
        // SAFETY: a register of the device.
        unsafe { register(number).read_volatile() }
    }

    fn set(&mut self, number: usize, value: u8) {
        // SAFETY: as in `get`.
        unsafe { register(number).write_volatile(value) }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        let Some(place) = bytes.first_mut() else { return Ok(0) };
        while self.get(LINE_STATUS) & RECEIVED == 0 {}
        *place = self.get(DATA);
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while self.get(LINE_STATUS) & CAN_SEND == 0 {}
            self.set(DATA, *byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
