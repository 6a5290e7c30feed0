#![no_std]
#![no_main]
//! Nothing: what the others are compared with. The machine is there in all programs, and so are
//! the routines that copy, fill and compare memory, which the compiler calls in every firmware.

use embedded_io::{Read, ReadReady, Write};

/// Neither the machine nor these routines are the driver's.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let mut machine = barepg_bare::Machine;
    memory(&mut [0_u8; 3], &mut [0; 3], barepg_bare::unknown());
    memory(&mut [0_u32; 3], &mut [0; 3], barepg_bare::unknown());
    memory(&mut [0_u64; 3], &mut [0; 3], barepg_bare::unknown());
    let mut bytes = [0; 4];
    loop {
        let _ = machine.read(&mut bytes);
        let _ = machine.read_ready();
        let _ = machine.write(&bytes);
        let _ = machine.flush();
        let _ = barepg::Platform::entropy(&machine, &mut bytes);
        barepg_bare::show(barepg::Platform::now_ms(&machine) as u32);
    }
}

/// Copies, fills and compares an unknown number of elements, in each alignment.
#[inline(never)]
fn memory<T: Copy + Default + PartialEq>(to: &mut [T], from: &mut [T], length: u32) {
    let length = length as usize;
    let start = barepg_bare::unknown() as usize;
    if let (Some(to), Some(from)) = (to.get_mut(start..length), from.get_mut(start..length)) {
        for (to, from) in to.iter_mut().zip(from.iter()) {
            *to = *from;
        }
        from.fill(T::default());
        barepg_bare::show(u32::from(to == from));
    }
}
