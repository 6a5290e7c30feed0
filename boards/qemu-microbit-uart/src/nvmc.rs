//! The chip's own flash, above the program. The processor stands still while it is programmed or erased,
//! for it runs from the same flash: 46 us a word, 22 ms a page. Source: "nRF51 Series Reference Manual",
//! NVMC.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

const READY: usize = 0x4001_E400;
const CONFIG: usize = 0x4001_E504;
const ERASE_PAGE: usize = 0x4001_E508;

const READ_ONLY: u32 = 0;
const WRITE: u32 = 1;
const ERASE: u32 = 2;

/// What is erased at a time.
const PAGE: usize = 1024;

/// Where readings wait: the end of the flash, which `memory.x` keeps free.
#[cfg(feature = "survive")]
const READINGS: Flash = Flash { base: 0x3_8000, size: 32 * 1024 };

/// What the device was given: two pages below.
#[cfg(feature = "provision")]
const PARAMETERS: Flash = Flash { base: 0x3_7800, size: 2 * PAGE };

/// A part of the flash. There is one value of each.
pub struct Flash {
    base: usize,
    size: usize,
}

fn load(address: usize) -> u32 {
    // SAFETY: called below with addresses of the controller and of the flash.
    unsafe { core::ptr::without_provenance::<u32>(address).read_volatile() }
}

fn store(address: usize, value: u32) {
    // SAFETY: as for `load`.
    unsafe { core::ptr::without_provenance_mut::<u32>(address).write_volatile(value) }
}

/// Waits until the controller is done.
fn finish() {
    while load(READY) & 1 == 0 {}
}

impl Flash {
    /// The part for readings; for `main`, once.
    #[cfg(feature = "survive")]
    pub const fn take() -> Self {
        READINGS
    }

    /// The part for parameters, and its size; for `main`, once.
    #[cfg(feature = "provision")]
    pub const fn parameters() -> (Self, u32) {
        (PARAMETERS, PARAMETERS.size as u32)
    }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        let mut at = self.base + offset as usize;
        for place in bytes.chunks_exact_mut(4) {
            place.copy_from_slice(&load(at).to_le_bytes());
            at += 4;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.size
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        for page in (from..to).step_by(PAGE) {
            store(CONFIG, ERASE);
            store(ERASE_PAGE, self.base as u32 + page);
            finish();
        }
        store(CONFIG, READ_ONLY);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let mut at = self.base + offset as usize;
        store(CONFIG, WRITE);
        for value in bytes.as_chunks().0 {
            store(at, u32::from_le_bytes(*value));
            finish();
            at += 4;
        }
        store(CONFIG, READ_ONLY);
        Ok(())
    }
}
