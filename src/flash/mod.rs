//! The flash as `outbox` and `provision` use it: words that are read again when they are written, errors of
//! this driver, and what it costs, counted.

mod crc;
mod ram;

pub use ram::RamFlash;

pub(crate) use crc::Crc;

use core::marker::PhantomData;

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

/// What a flash reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FlashError {
    /// A word does not hold what was written: the flash is worn out.
    Worn,
    /// It failed.
    Failed,
    /// It refuses an address or length that is not aligned.
    Alignment,
    /// An address is beyond its end.
    Bounds,
}

impl core::fmt::Display for FlashError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Worn => "the flash does not hold what was written",
            Self::Failed => "the flash failed",
            Self::Alignment => "the flash refuses the alignment",
            Self::Bounds => "the flash ends before",
        })
    }
}

impl core::error::Error for FlashError {}

/// Bytes read at a time, on the stack.
pub(crate) const CHUNK: u32 = 32;

/// A flash, and what was done with it. What it reports becomes an `E` here, not at each caller.
#[derive(Debug)]
pub(crate) struct Device<F, E = FlashError> {
    pub(crate) flash: F,
    pub(crate) writes: u32,
    pub(crate) bytes: u32,
    pub(crate) erasures: u32,
    error: PhantomData<E>,
}

impl<F: NorFlash, E: From<FlashError>> Device<F, E> {
    pub(crate) const fn new(flash: F) -> Self {
        // Compiled of a flash whose words are supported, and of no other.
        let _ = Self::WORD;
        Self { flash, writes: 0, bytes: 0, erasures: 0, error: PhantomData }
    }

    /// Everything that is written is a multiple of this, and begins at one. 4 at least: the first
    /// word of a record is then never all ones.
    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "checked: at most 32"
    )]
    pub(crate) const WORD: u32 = Self::WORD_BYTES as u32;
    const WORD_BYTES: usize = {
        let mut word = 4;
        if F::WRITE_SIZE > word {
            word = F::WRITE_SIZE;
        }
        if F::READ_SIZE > word {
            word = F::READ_SIZE;
        }
        assert!(word.is_power_of_two() && word <= 32, "words of up to 32 bytes are supported");
        assert!(F::WRITE_SIZE.is_power_of_two() && F::READ_SIZE.is_power_of_two());
        assert!(F::READ_SIZE <= 8, "reads begin after a head of 8 bytes");
        word
    };

    /// The next multiple of a word.
    #[cfg(feature = "outbox")]
    pub(crate) const fn round(length: u32) -> u32 {
        let mask = Self::WORD.wrapping_sub(1);
        length.wrapping_add(mask) & !mask
    }

    /// The next multiple of what can be read.
    #[cfg(feature = "outbox")]
    #[allow(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "checked: at most 8"
    )]
    pub(crate) const fn round_read(length: u32) -> u32 {
        let mask = const { (F::READ_SIZE as u32).wrapping_sub(1) };
        length.wrapping_add(mask) & !mask
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), E> {
        self.flash.read(at, bytes).map_err(|error| fault(&error).into())
    }

    /// Programs words, and reads them again: a cell that is worn out does not hold what it was given. What is there
    /// counts, whatever was reported: a start finds it too.
    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), E> {
        self.write_padded(at, bytes, bytes.len())
    }

    /// The same, of which the first `counts` bytes are read again: the others fill a word.
    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn write_padded(&mut self, at: u32, bytes: &[u8], counts: usize) -> Result<(), E> {
        self.writes = self.writes.wrapping_add(1);
        let length = u32::try_from(bytes.len()).unwrap_or(0);
        self.bytes = self.bytes.wrapping_add(length);
        let reported = self.flash.write(at, bytes).map_err(|error| fault(&error));
        let mut at = at;
        for written in bytes.get(..counts).unwrap_or(bytes).chunks(32) {
            let mut found = [0; 32];
            let whole = written.len().next_multiple_of(const { Self::WORD_BYTES });
            self.read(at, found.get_mut(..whole).unwrap_or_default())?;
            if !found.starts_with(written) {
                return Err(reported.err().unwrap_or(FlashError::Worn).into());
            }
            at = at.wrapping_add(CHUNK);
        }
        Ok(())
    }

    #[cfg_attr(target_os = "none", inline(never))]
    pub(crate) fn erase(&mut self, from: u32, to: u32) -> Result<(), E> {
        self.erasures = self.erasures.wrapping_add(1);
        self.flash.erase(from, to).map_err(|error| fault(&error).into())
    }
}

fn fault(error: &impl NorFlashError) -> FlashError {
    match error.kind() {
        NorFlashErrorKind::NotAligned => FlashError::Alignment,
        NorFlashErrorKind::OutOfBounds => FlashError::Bounds,
        _ => FlashError::Failed,
    }
}
