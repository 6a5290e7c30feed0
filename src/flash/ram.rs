//! RAM as a flash, for boards that have none to spare.

use core::ops::Range;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Bytes of RAM as a [`NorFlash`], in pages of 256 bytes: what waits in it survives a lost link, and
/// a reset only where the memory does (a section that is not cleared at start). What it holds at
/// first does not matter.
#[derive(Debug)]
pub struct RamFlash<'m>(&'m mut [u8]);

impl<'m> RamFlash<'m> {
    /// A flash in this memory; what is beyond a multiple of 256 bytes is not used.
    pub const fn new(memory: &'m mut [u8]) -> Self {
        Self(memory)
    }

    fn part(&mut self, range: Range<u32>) -> Result<&mut [u8], NorFlashErrorKind> {
        let at = |n| usize::try_from(n).unwrap_or(usize::MAX);
        self.0.get_mut(at(range.start)..at(range.end)).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

/// From an offset on, so many bytes.
fn span(offset: u32, bytes: &[u8]) -> Range<u32> {
    offset..u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(offset)
}

/// Bytes of the same number; without the panic that the compiler would see in `copy_from_slice`.
fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

impl ErrorType for RamFlash<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        copy(bytes, self.part(span(offset, bytes))?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for RamFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 256;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.part(from..to)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        copy(self.part(span(offset, bytes))?, bytes);
        Ok(())
    }
}
