#![no_std]
#![no_main]
//! What `login` does, its hashing by a peripheral.

use barepg::{Client, HashFailed, HashHardware, HashStart, Result, Sha256Hardware};
use barepg_bare::{Machine, show, unknown};

struct Peripheral;

impl Sha256Hardware for Peripheral {
    fn hash(
        &mut self,
        start: &HashStart,
        block: &[u32; 16],
        hash: &mut [u32; 8],
    ) -> core::result::Result<(), HashFailed> {
        for &word in start.block().iter().chain(block) {
            show(word);
        }
        hash.fill_with(unknown);
        if unknown() == 0 { Err(HashFailed) } else { Ok(()) }
    }
}

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    static mut DEVICE: HashHardware<Peripheral> = HashHardware::keeping_keys(Peripheral);
    // SAFETY: in a program that is not run.
    client.set_hash_hardware(unsafe { &mut *(&raw mut DEVICE) });
    client.connect(Machine)?.close().map(|_| ())
}
