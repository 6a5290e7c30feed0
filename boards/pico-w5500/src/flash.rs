//! The end of the board's flash, for the device's parameters. Source: sections 2.8.3 (the boot ROM's functions) and
//! 4.10 (the flash interface) of the RP2040's data sheet, 5.5 of the RP2350's.

use core::ptr;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
#[cfg(feature = "pico2")]
use rp235x_hal::rom_data as rom;
#[cfg(feature = "pico")]
use rp2040_hal::rom_data as rom;

/// Where the flash is in memory.
const MEMORY: usize = 0x1000_0000;

/// Where it begins in the flash, of 2 MB: `pico.x` and `pico2.x` keep it free. Two places of a sector each.
const START: u32 = 0x1f_e000;

pub const SIZE: u32 = 2 * SECTOR;

/// What is erased at a time, and what is programmed.
const SECTOR: u32 = 4096;
const PAGE: usize = 256;

/// The flash. There is one value of it.
pub struct Flash(());

impl Flash {
    /// The flash; for `start`, once.
    pub const fn take() -> Self {
        Self(())
    }
}

/// Functions of the boot ROM, looked up while the flash can be read.
struct Rom {
    connect: unsafe extern "C" fn(),
    leave_memory: unsafe extern "C" fn(),
    erase: unsafe extern "C" fn(u32, usize, u32, u8),
    program: unsafe extern "C" fn(u32, *const u8, usize),
    flush: unsafe extern "C" fn(),
    enter_memory: unsafe extern "C" fn(),
}

/// Programs a page, or erases a sector if there is none. No interrupt may come, whose handler is in flash.
fn change(offset: u32, page: Option<&[u8; PAGE]>) {
    let rom = Rom {
        connect: rom::connect_internal_flash::ptr(),
        leave_memory: rom::flash_exit_xip::ptr(),
        erase: rom::flash_range_erase::ptr(),
        program: rom::flash_range_program::ptr(),
        flush: rom::flash_flush_cache::ptr(),
        enter_memory: rom::flash_enter_cmd_xip::ptr(),
    };
    let page = page.map_or(ptr::null(), |page| page.as_ptr());
    // SAFETY: interrupts are off, there is no other core and no DMA, and what is changed is no program.
    critical_section::with(|_| unsafe { without_flash(&rom, START + offset, page) });
}

/// Runs from RAM: meanwhile no instruction and no constant can come from the flash. Hence no function is called
/// here but those of the ROM.
///
/// Afterwards the flash is read by the slow mode of the boot ROM, until the next start.
#[inline(never)]
#[unsafe(link_section = ".data.without_flash")]
unsafe fn without_flash(rom: &Rom, offset: u32, page: *const u8) {
    // SAFETY: the caller's.
    unsafe {
        (rom.connect)();
        (rom.leave_memory)();
        if page as usize == 0 {
            (rom.erase)(offset, SECTOR as usize, SECTOR, 0x20);
        } else {
            (rom.program)(offset, page, PAGE);
        }
        (rom.flush)();
        (rom.enter_memory)();
    }
}

fn byte(offset: u32) -> u8 {
    let address = MEMORY + START as usize + offset as usize;
    // SAFETY: within the flash, which is memory: every caller has its bounds checked.
    unsafe { ptr::without_provenance::<u8>(address).read_volatile() }
}

impl ErrorType for Flash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.iter_mut().zip(offset..).for_each(|(place, at)| *place = byte(at));
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE as usize
    }
}

impl NorFlash for Flash {
    /// A page may be programmed in parts: ones leave the rest of it as it is.
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        (from..to).step_by(SECTOR as usize).for_each(|sector| change(sector, None));
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let start = at as usize % PAGE;
            let (part, more) = rest.split_at(rest.len().min(PAGE - start));
            let mut page = [0xff; PAGE];
            page.iter_mut().skip(start).zip(part).for_each(|(to, from)| *to = *from);
            change(at - start as u32, Some(&page));
            at += part.len() as u32;
            rest = more;
        }
        Ok(())
    }
}
