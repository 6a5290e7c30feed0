#![no_std]
#![no_main]
//! Nothing: what the others are compared with.

use embedded_io::{Read, Write};

/// The machine is there in all programs; it is not the driver's.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let mut machine = barepg_bare::Machine;
    let mut bytes = [0; 4];
    loop {
        let _ = machine.read(&mut bytes);
        let _ = machine.write(&bytes);
        let _ = machine.flush();
        let _ = barepg::Platform::entropy(&machine, &mut bytes);
        barepg_bare::show(barepg::Platform::now_ms(&machine) as u32);
    }
}
