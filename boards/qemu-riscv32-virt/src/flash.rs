//! The second flash of the machine: two chips of 16 bits (CFI, Intel's command set) side by side, as one of 32
//! bits, so every command is given twice. QEMU keeps it in a file: `-drive if=pflash,unit=1,format=raw`.
//! Source: the Intel StrataFlash data sheet, and the memory map of QEMU's virt machine.

use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

const BASE: usize = 0x2200_0000;

/// What is erased at a time.
const SECTOR: usize = 256 * 1024;

/// Where readings wait: the first 6 sectors of 128.
#[cfg(feature = "survive")]
const READINGS: Flash = Flash { base: 0, size: 6 * SECTOR };

/// What the device was given: the next two.
#[cfg(feature = "provision")]
const PARAMETERS: Flash = Flash { base: 6 * SECTOR, size: 2 * SECTOR };

const READ_ARRAY: u32 = 0x00ff_00ff;
const READ_STATUS: u32 = 0x0070_0070;
const CLEAR_STATUS: u32 = 0x0050_0050;
const PROGRAM: u32 = 0x0040_0040;
const ERASE: u32 = 0x0020_0020;
const CONFIRM: u32 = 0x00d0_00d0;
/// The chips are done.
const READY: u32 = 0x0080_0080;
/// One of them reports an error: of erasing, programming, voltage, lock.
const FAILED: u32 = 0x003a_003a;

/// A part of the flash. There is one value of each.
pub struct Flash {
    base: usize,
    size: usize,
}

fn word(offset: usize) -> *mut u32 {
    ptr::without_provenance_mut(BASE + offset)
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

    fn read_word(&self, offset: usize) -> u32 {
        // SAFETY: within the flash: every caller has its bounds checked.
        unsafe { word(offset).read_volatile() }
    }

    fn command(&mut self, offset: usize, command: u32) {
        // SAFETY: as in `read_word`; while the chips are not told otherwise, nothing but a command
        // comes of it.
        unsafe { word(offset).write_volatile(command) }
    }

    /// Waits until both chips are done.
    fn finish(&mut self, offset: usize) -> Result<(), NorFlashErrorKind> {
        self.command(offset, READ_STATUS);
        let status = loop {
            let status = self.read_word(offset);
            if status & READY == READY {
                break status;
            }
        };
        if status & FAILED == 0 {
            return Ok(());
        }
        self.command(offset, CLEAR_STATUS);
        Err(NorFlashErrorKind::Other)
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
            place.copy_from_slice(&self.read_word(at).to_le_bytes());
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
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        for sector in (from as usize..to as usize).step_by(SECTOR) {
            let sector = self.base + sector;
            self.command(sector, ERASE);
            self.command(sector, CONFIRM);
            let finished = self.finish(sector);
            self.command(sector, READ_ARRAY);
            finished?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let from = self.base + offset as usize;
        // The chips can only clear bits. The emulated ones set them too, so that what is programmed
        // twice would not show.
        if (from..from + bytes.len()).step_by(4).any(|at| self.read_word(at) != u32::MAX) {
            return Err(NorFlashErrorKind::Other);
        }
        let mut at = from;
        let programmed = bytes.as_chunks().0.iter().try_for_each(|value| {
            self.command(at, PROGRAM);
            self.command(at, u32::from_le_bytes(*value));
            self.finish(at)?;
            at += 4;
            Ok(())
        });
        self.command(from, READ_ARRAY);
        programmed
    }
}
