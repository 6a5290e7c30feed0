#![no_std]
#![deny(missing_docs, unused_must_use)]
//! What the emulated boards share: arguments, output and exit code through semihosting, marks for
//! counting instructions, and the measuring of the stack.
//!
//! Semihosting is a trap that the debugger or emulator answers. Without one attached, the first
//! call stops the processor: none of this is for a deployed firmware.

use core::fmt::Write;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use semihosting::io::Write as _;

#[path = "../../app/src/print.rs"]
mod print;
pub mod stack;

use print::{print, print_number};

/// A `static` that is lent once, mutably and for ever: `once!(Big = Big::new())` is
/// `Some(&'static mut Big)` the first time and `None` afterwards. For `main`, not for interrupt
/// handlers.
#[macro_export]
macro_rules! once {
    ($type:ty = $value:expr) => {{
        static TAKEN: ::core::sync::atomic::AtomicBool =
            ::core::sync::atomic::AtomicBool::new(false);
        static mut PLACE: $type = $value;
        if TAKEN.load(::core::sync::atomic::Ordering::Relaxed) {
            None
        } else {
            TAKEN.store(true, ::core::sync::atomic::Ordering::Relaxed);
            // SAFETY: lent once, which `TAKEN` sees to.
            Some(unsafe { &mut *(&raw mut PLACE) })
        }
    }};
}

/// Longest command line, in bytes.
pub const MAX_COMMAND_LINE: usize = 512;

/// Memory for a command line.
pub struct CommandLine([MaybeUninit<u8>; MAX_COMMAND_LINE]);

impl CommandLine {
    /// Empty.
    pub const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; MAX_COMMAND_LINE])
    }
}

impl Default for CommandLine {
    fn default() -> Self {
        Self::new()
    }
}

/// The command line: QEMU's `-semihosting-config …,arg=A,arg=B` as `A B`. Empty if it does not
/// fit `buffer` or is not UTF-8.
pub fn command_line(buffer: &mut CommandLine) -> &str {
    match semihosting::sys::arm_compat::sys_get_cmdline_uninit(&mut buffer.0) {
        Ok(bytes) => core::str::from_utf8(bytes).unwrap_or("").trim_end_matches('\0'),
        Err(_) => "",
    }
}

/// Standard output, in lines or 64 bytes: every semihosting call stops the machine.
pub struct Output {
    line: [u8; 64],
    length: usize,
}

impl Output {
    /// Nothing printed yet.
    pub const fn new() -> Self {
        Self { line: [0; 64], length: 0 }
    }

    /// Prints what is held back.
    pub fn flush(&mut self) {
        let (line, _) = self.line.split_at(self.length);
        if let Ok(mut stdout) = semihosting::io::stdout() {
            // There is nowhere to report it to.
            let _ = stdout.write_all(line);
        }
        self.length = 0;
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for &byte in text.as_bytes() {
            if let Some(place) = self.line.get_mut(self.length) {
                *place = byte;
                self.length += 1;
            }
            if byte == b'\n' || self.length == self.line.len() {
                self.flush();
            }
        }
        Ok(())
    }
}

/// Prints the stack's high-water mark and the closing line, and ends the emulator: exit code 0
/// for success, 1 for failure, 103 if the stack ran through its floor.
pub fn finish(mut output: Output, success: bool) -> ! {
    let used = stack::high_water();
    print_number(&mut output, "@stack ", used as u32);
    if !stack::floor_intact() {
        let _ = output.write_str("\n@done stack overflow\n");
        exit(103);
    }
    let _ = output.write_str(if success { "\n@done ok\n" } else { "\n@done failed\n" });
    output.flush();
    exit(if success { 0 } else { 1 })
}

/// Ends the emulator with this exit code.
pub fn exit(code: i32) -> ! {
    semihosting::process::exit(code)
}

/// For exception handlers: says so and ends with exit code 102.
pub fn fault(name: &str) -> ! {
    let mut output = Output::new();
    print(&mut output, &["@done fault: ", name, "\n"]);
    exit(102)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let mut output = Output::new();
    #[cfg(feature = "panic-message")]
    let _ = writeln!(output, "{info}");
    #[cfg(not(feature = "panic-message"))]
    let _ = info;
    let _ = output.write_str("@done panic\n");
    exit(101)
}

/// Where the counting of a piece of work begins: an instruction counter stops at this symbol.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_begin(id: u32) {
    // SAFETY: no instruction. The comment differs from the other mark's, so that the two
    // functions are not merged.
    unsafe { core::arch::asm!("/* begin {0} */", in(reg) id) }
}

/// Where the counting of a piece of work ends.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_end(id: u32) {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* end {0} */", in(reg) id) }
}

/// Where the processor is put to sleep until something arrives: what is executed from here to the
/// last sleep before [`barepg_mark_moved`] is waiting, and says nothing of the work.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_sleep() {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* sleep */") }
}

/// Where the driver lets the board feed its watchdog.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_idle() {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* idle */") }
}

/// Where a call of the transport has moved something.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_moved() {
    // SAFETY: no instruction.
    unsafe { core::arch::asm!("/* moved */") }
}

/// Random bytes from the machine that runs the emulator or debugger, named as what it is: these
/// machines have no random number generator, and firmware must not pretend to have one.
#[cfg(feature = "host-rng")]
pub struct SemihostingHostRng;

#[cfg(feature = "host-rng")]
impl SemihostingHostRng {
    /// Fills `buf`. False where the host has no `/dev/urandom`.
    pub fn fill(&self, buf: &mut [u8]) -> bool {
        semihosting::experimental::random::fill_bytes(buf).is_ok()
    }
}

/// Reads a file of the machine that runs the emulator or debugger into `buf`. `None` if it cannot be read
/// or does not fit.
#[cfg(feature = "host-files")]
pub fn read_host_file<'b>(path: &str, buf: &'b mut [u8]) -> Option<&'b [u8]> {
    use semihosting::io::Read as _;
    let mut name = [0; 256];
    name.get_mut(..path.len())?.copy_from_slice(path.as_bytes());
    let name = core::ffi::CStr::from_bytes_until_nul(&name).ok()?;
    let mut file = semihosting::fs::File::open(name).ok()?;
    let mut length = 0;
    loop {
        let room = buf.get_mut(length..).filter(|room| !room.is_empty())?;
        match file.read(room).ok()? {
            0 => break,
            n => length += n,
        }
    }
    buf.get(..length)
}

/// Seconds since 1970 by the clock of the machine that runs the emulator or debugger, named as
/// what it is: the emulated chip's clock does not run while it is off.
#[cfg(feature = "host-files")]
pub fn semihosting_host_time() -> Option<u64> {
    semihosting::sys::arm_compat::sys_time().ok().and_then(|seconds| seconds.try_into().ok())
}
