#![no_std]
#![deny(missing_docs, unused_must_use)]
//! What the programs in `bin/` share: the proof, and a machine about which nothing is known.
//!
//! **No reachable panic.** The panic handler calls a function that is defined nowhere. If any path
//! to a panic survives link-time optimisation, linking fails with `undefined symbol:
//! barepg_can_panic`; if it links, there is none in what the program uses. It needs the release
//! profile.
//!
//! **Size.** Flash of the driver is `.text` + `.rodata` of a program less those of `empty`.

use core::panic::PanicInfo;

use barepg::{NoEntropy, Platform};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

unsafe extern "C" {
    fn barepg_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: never linked into a program, which is the point.
    unsafe { barepg_can_panic() }
}

/// The machine: whatever is read from it is unknown to the compiler, so every path of the driver
/// must be there.
pub struct Machine;

const PORT: *mut u32 = core::ptr::without_provenance_mut(0x4000_0000);

/// An unknown number.
pub fn unknown() -> u32 {
    // SAFETY: never run.
    unsafe { PORT.read_volatile() }
}

/// A use of a value that the compiler cannot remove.
pub fn show(value: u32) {
    // SAFETY: never run.
    unsafe { PORT.write_volatile(value) }
}

/// As [`show`], of bytes.
pub fn show_bytes(bytes: &[u8]) {
    for &byte in bytes {
        show(u32::from(byte));
    }
}

/// An unknown text.
pub fn text() -> &'static str {
    let length = usize::try_from(unknown() & 0xff).unwrap_or(0);
    // SAFETY: never run.
    let bytes = unsafe { core::slice::from_raw_parts(PORT.cast_const().cast(), length) };
    core::str::from_utf8(bytes).unwrap_or("")
}

impl Platform for Machine {
    fn now_ms(&self) -> u64 {
        u64::from(unknown())
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in buf {
            [*byte, ..] = unknown().to_le_bytes();
        }
        if unknown() == 0 { Err(NoEntropy) } else { Ok(()) }
    }
}

fn outcome(length: usize) -> Result<usize, ErrorKind> {
    match unknown() {
        0 => Err(ErrorKind::TimedOut),
        1 => Err(ErrorKind::ConnectionReset),
        n => Ok(length.min(usize::try_from(n).unwrap_or(0))),
    }
}

impl ErrorType for Machine {
    type Error = ErrorKind;
}

impl Read for Machine {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        let n = outcome(buf.len())?;
        for byte in buf.iter_mut().take(n) {
            [*byte, ..] = unknown().to_le_bytes();
        }
        Ok(n)
    }
}

impl ReadReady for Machine {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        outcome(1).map(|n| n > 0)
    }
}

impl Write for Machine {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        let n = outcome(buf.len())?;
        show_bytes(buf.get(..n).unwrap_or(&[]));
        Ok(n)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        outcome(0).map(|_| ())
    }
}

#[cfg(any(feature = "outbox", feature = "provision"))]
mod flash {
    use super::{ErrorKind, Machine, outcome, show_bytes, unknown};
    use embedded_storage::nor_flash as nor;

    impl nor::NorFlashError for Failed {
        fn kind(&self) -> nor::NorFlashErrorKind {
            match self.0 {
                ErrorKind::TimedOut => nor::NorFlashErrorKind::NotAligned,
                _ => nor::NorFlashErrorKind::Other,
            }
        }
    }

    /// What the flash reports.
    #[derive(Debug)]
    pub struct Failed(ErrorKind);

    impl nor::ErrorType for Machine {
        type Error = Failed;
    }

    impl nor::ReadNorFlash for Machine {
        const READ_SIZE: usize = 1;

        fn read(&mut self, _: u32, bytes: &mut [u8]) -> Result<(), Failed> {
            for byte in bytes {
                [*byte, ..] = unknown().to_le_bytes();
            }
            outcome(0).map(drop).map_err(Failed)
        }

        fn capacity(&self) -> usize {
            1 << 16
        }
    }

    impl nor::NorFlash for Machine {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 4096;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), Failed> {
            show_bytes(&from.to_le_bytes());
            show_bytes(&to.to_le_bytes());
            outcome(0).map(drop).map_err(Failed)
        }

        fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Failed> {
            show_bytes(&at.to_le_bytes());
            show_bytes(bytes);
            outcome(0).map(drop).map_err(Failed)
        }
    }
}

/// The entry of a program: `entry!(work)` runs `work(Client)` for ever.
#[macro_export]
macro_rules! entry {
    ($work:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn start() -> ! {
            static mut STORAGE: ::barepg::Storage<512, 512> = ::barepg::Storage::new();
            static CONFIG: ::barepg::Config<'static> =
                ::barepg::Config::new().user("logger").password("secret").dbname("plant");
            // SAFETY: the only use, in a program that is not run.
            let storage = unsafe { &mut *(&raw mut STORAGE) };
            let mut client = ::barepg::Client::new(storage.buffers(), &CONFIG, &$crate::Machine);
            loop {
                if let Err(error) = $work(&mut client) {
                    $crate::show(u32::from(error.is_usable()));
                }
            }
        }
    };
}
