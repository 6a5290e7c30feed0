//! The works of `boards/counted` as a program of the host, against their server in memory.
//!
//! Under callgrind with `--zero-before=barepg_mark_begin --dump-before=barepg_mark_end` each passage
//! between the marks leaves its own file of counts.

#[path = "../../../boards/counted/src/bench.rs"]
mod bench;
#[path = "../../../boards/counted/src/replies.rs"]
mod replies;
#[path = "../../../boards/counted/src/server.rs"]
mod server;
#[path = "../../../boards/counted/src/works.rs"]
mod works;

// What the works take from the crate of the emulated boards is here.
extern crate self as barepg_semihost;

use std::process::ExitCode;

use bench::Bench;
use server::Server;

fn main() -> ExitCode {
    let Some(server) = once!(Server = Server::new()) else { fault("memory taken") };
    let mut bench = Bench::new(server, Output);
    if works::run(&mut bench) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Memory for the rest of the run.
#[macro_export]
macro_rules! once {
    ($type:ty = $value:expr) => {{
        let place: &'static mut $type = Box::leak(Box::new($value));
        Some(place)
    }};
}

/// Where lines go.
pub struct Output;

impl core::fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        print!("{text}");
        Ok(())
    }
}

/// Something is wrong with the program itself.
pub fn fault(what: &str) -> ! {
    panic!("{what}")
}

/// The depth of the stack, which is not looked at here.
pub mod stack {
    pub struct Depth;

    impl Depth {
        pub fn begin() -> Self {
            Self
        }

        pub fn end(self) -> usize {
            0
        }
    }
}

/// What is counted begins.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_begin(units: u32) {
    core::hint::black_box(units);
}

/// What is counted ends. Another body, or the linker would make one function of the two.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn barepg_mark_end(units: u32) {
    core::hint::black_box(!units);
}
