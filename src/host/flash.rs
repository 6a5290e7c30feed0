//! A file as a flash.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Bytes that are erased at a time.
const PAGE: usize = 4096;

/// A file as a [`NorFlash`] for an [`Outbox`](crate::outbox::Outbox), in
/// pages of 4096 bytes.
///
/// What is written is there when the process ends, however it ends. So that it is there when the
/// machine loses power, each write waits for the disk; [`without_sync`](Self::without_sync) leaves
/// that to the system, which is some hundred times faster.
#[derive(Debug)]
pub struct FileFlash {
    file: File,
    size: usize,
    sync: bool,
}

impl FileFlash {
    /// Opens a file, or makes it, with this size: a multiple of 4096 bytes. A new one takes its space on
    /// the disk at once, so that rows find it there when the disk is full. It is locked until the flash
    /// is dropped or the process ends: two that write one log would destroy each other's rows.
    ///
    /// # Errors
    /// What the system says; `ResourceBusy` while another process has the file open as a flash, or this
    /// one has; `InvalidInput` for a size that is no multiple of 4096 bytes, or another than the file
    /// has.
    pub fn open(path: impl AsRef<Path>, size: usize) -> io::Result<Self> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
            TryLockError::Error(error) => error,
        })?;
        let length = file.metadata()?.len();
        let wanted = u64::try_from(size).unwrap_or(u64::MAX);
        if !size.is_multiple_of(PAGE) || (length != 0 && length != wanted) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if length == 0 {
            file.set_len(wanted)?;
            // Without the space it is no file of this size: the next attempt makes it anew.
            take_space(&file, size).or_else(|error| file.set_len(0).and(Err(error)))?;
        }
        Ok(Self { file, size, sync: true })
    }

    /// Does not wait for the disk.
    #[must_use]
    pub const fn without_sync(mut self) -> Self {
        self.sync = false;
        self
    }

    fn put(&self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.check(offset, bytes.len())?;
        let written = self.file.write_all_at(bytes, offset.into());
        let synced = written.and_then(|()| if self.sync { self.file.sync_data() } else { Ok(()) });
        synced.map_err(|_| NorFlashErrorKind::Other)
    }

    fn check(&self, offset: u32, length: usize) -> Result<(), NorFlashErrorKind> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if offset.saturating_add(length) > self.size {
            return Err(NorFlashErrorKind::OutOfBounds);
        }
        Ok(())
    }
}

/// Writes all of a file, page by page.
fn take_space(file: &File, size: usize) -> io::Result<()> {
    let pages = u64::try_from(size).unwrap_or(u64::MAX).div_ceil(4096);
    (0..pages).try_for_each(|page| file.write_all_at(&[0xff; PAGE], page.saturating_mul(4096)))
}

impl ErrorType for FileFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.check(offset, bytes.len())?;
        self.file.read_exact_at(bytes, offset.into()).map_err(|_| NorFlashErrorKind::Other)
    }

    fn capacity(&self) -> usize {
        self.size
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        let pages = to.saturating_sub(from).checked_div(4096).unwrap_or(0);
        (0..pages).try_for_each(|page| {
            self.put(from.saturating_add(page.saturating_mul(4096)), &[0xff; PAGE])
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.put(offset, bytes)
    }
}
