//! Devices that do their work, and devices that do not.

use super::*;
use crate::credentials::Secret;
use crate::platform::{Countdown, Idle, Pulse};
use crate::wire::base64;

/// RFC 7677 section 3: salt, password; and SaltedPassword's keys as the driver derives them.
const SALT: &[u8] = b"W22ZaJ0SNY7soEsUEjb6gQ==";
const PASSWORD: &str = "pencil";

/// What is wrong with a device.
#[derive(Clone, Copy, PartialEq)]
enum Wrong {
    Nothing,
    /// Says so.
    Refuses,
    /// Gives zeros, as a peripheral without its clock does.
    Zeros,
    /// Swaps the bytes of each word.
    Swapped,
    /// Is used by someone else from a block on.
    From(u32),
}

/// Hashes with the driver's own function, from the block or from the state.
struct Device {
    loads: bool,
    wrong: Wrong,
    blocks: u32,
}

impl Sha256Hardware for Device {
    fn hash(
        &mut self,
        start: &HashStart,
        block: &[u32; 16],
        hash: &mut [u32; 8],
    ) -> Result<(), HashFailed> {
        self.blocks += 1;
        let bytes = |words: &[u32; 16]| {
            let mut bytes = [0; BLOCK];
            put_all(words, &mut bytes);
            bytes
        };
        if self.loads {
            *hash = *start.state();
        } else {
            *hash = INITIAL;
            compress(hash, &bytes(start.block()));
        }
        compress(hash, &bytes(block));
        match self.wrong {
            Wrong::Refuses => return Err(HashFailed),
            Wrong::Zeros => *hash = [0; 8],
            Wrong::Swapped => hash.iter_mut().for_each(|word| *word = word.swap_bytes()),
            Wrong::From(block) if self.blocks > block => hash[3] ^= 1,
            _ => {}
        }
        Ok(())
    }
}

fn put_all(words: &[u32; 16], bytes: &mut [u8; BLOCK]) {
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

/// A whole engine: PBKDF2 by the driver, `iterations` turns of it.
struct Engine {
    asked: [u32; 2],
}

impl Pbkdf2Hardware for Engine {
    fn pbkdf2(&mut self, job: &Pbkdf2Job<'_>, key: &mut [u8; 32]) -> Result<(), HashFailed> {
        self.asked = [self.asked[1], job.iterations()];
        job.turn()?;
        let idle = Idle(&|| ());
        salted_password(job.password(), job.salt(), job.iterations(), &idle.pulse(), key)
            .map_err(|_| HashFailed)
    }
}

const CREDENTIALS: Credentials<'static> =
    Credentials { password: Some(Secret::new(PASSWORD)), ..Credentials::NONE };

/// The keys by this store.
fn keys(
    store: &mut dyn KeyStore,
    iterations: u32,
    tick: Tick<'_>,
) -> Result<([u8; 32], [u8; 32]), Fault> {
    let mut salt = [0; 16];
    let salt = base64::decode(SALT, &mut salt).unwrap();
    let mut keys = SaltedKeys::NONE;
    let found = store.scram(salt, iterations, &mut keys, tick, &CREDENTIALS);
    if found == Err(keys::NO_KEYS) {
        let mut salted = [0; 32];
        salted_password(PASSWORD.as_bytes(), salt, iterations, tick, &mut salted)?;
        keys::derive(&CREDENTIALS, iterations, &mut keys, |_, key| {
            *key = salted;
            Ok(())
        })?;
    } else {
        found?;
    }
    Ok((keys.client, keys.server))
}

fn of_device(loads: bool, wrong: Wrong) -> Result<([u8; 32], [u8; 32]), Fault> {
    let mut store = HashHardware::new(Device { loads, wrong, blocks: 0 });
    keys(&mut store, 4096, &Idle(&|| ()).pulse())
}

#[test]
fn devices_derive_what_the_driver_derives() {
    let tick = Idle(&|| ());
    let expected = keys(&mut KeyCache::new(), 4096, &tick.pulse()).unwrap();
    for loads in [false, true] {
        assert_eq!(of_device(loads, Wrong::Nothing), Ok(expected));
    }
    let mut store = HashHardware::new(Engine { asked: [0; 2] });
    assert_eq!(keys(&mut store, 4096, &tick.pulse()), Ok(expected));
    assert_eq!(store.into_inner().asked, [TRIAL, 4096]);
}

#[test]
fn devices_that_do_not_work_are_found_out() {
    let failed = Err(Fault::from(AuthError::HashHardware));
    // The trial has two blocks; a fault in the last rounds is the server's to find.
    for wrong in [
        Wrong::Refuses,
        Wrong::Zeros,
        Wrong::Swapped,
        Wrong::From(0),
        Wrong::From(1),
        Wrong::From(2),
        Wrong::From(300),
        Wrong::From(7000),
    ] {
        for loads in [false, true] {
            assert_eq!(of_device(loads, wrong), failed);
        }
    }
}

#[test]
fn nothing_of_a_failed_derivation_is_kept() {
    let tick = Idle(&|| ());
    let mut store =
        HashHardware::keeping_keys(Device { loads: true, wrong: Wrong::From(900), blocks: 0 });
    assert!(keys(&mut store, 4096, &tick.pulse()).is_err());
    assert!(store.cache().scram().is_none());
    store.device.wrong = Wrong::Nothing;
    let first = keys(&mut store, 4096, &tick.pulse()).unwrap();
    let blocks = store.device.blocks;
    assert_eq!(keys(&mut store, 4096, &tick.pulse()), Ok(first));
    assert_eq!(store.device.blocks, blocks, "the keys were kept");
    assert!(keys(&mut store, 5000, &tick.pulse()).is_ok());
    assert!(store.device.blocks > blocks, "another count is another key");
    KeyStore::clear(&mut store);
    assert!(store.cache().scram().is_none());
}

#[test]
fn the_board_idles_and_the_deadline_holds_while_a_device_works() {
    let calls = Cell::new(0_u32);
    let idle = || calls.set(calls.get() + 1);
    let mut store = HashHardware::new(Device { loads: true, wrong: Wrong::Nothing, blocks: 0 });
    keys(&mut store, 4096, &Idle(&idle).pulse()).unwrap();
    // One of them begins the countdown.
    assert!(calls.get() >= 4095 / limits::HASH_SLICE);
    let over = Idle(&|| ());
    let over = Pulse::new(&over, Countdown::OVER);
    assert_eq!(keys(&mut store, 4096, &over), Err(Fault::TIMED_OUT));
    let mut engine = HashHardware::new(Engine { asked: [0; 2] });
    assert_eq!(keys(&mut engine, 4096, &over), Err(Fault::TIMED_OUT));
}

#[test]
fn secrets_are_not_shown() {
    use std::format;
    let start = HashStart::new(&mut [7; BLOCK], 0x36);
    assert_eq!(format!("{start:?}"), "HashStart(<redacted>)");
    let pulse = Idle(&|| ());
    let tick = &pulse.pulse();
    let job =
        Pbkdf2Job { password: b"pw", salt: b"salt", iterations: 9, tick, stopped: Cell::new(None) };
    assert_eq!(format!("{job:?}"), "Pbkdf2Job { iterations: 9, .. }");
}
