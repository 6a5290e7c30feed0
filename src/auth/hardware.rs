//! Hashing by a peripheral of the board: the rounds of a login by SCRAM, in hardware.
//!
//! Used by firmware that lends it to a client; pure. What a device computes is compared with the
//! driver's own hashing for a few rounds, so that one that is switched off, in the wrong mode or
//! used by someone else is found out before anything derived from it is sent.

use core::cell::Cell;

use subtle::ConstantTimeEq;

use super::Tick;
use super::hash::{BLOCK, HmacKey, INITIAL, compress, pad, put, wipe, wipe_words};
use super::keys::{self, KeyCache, KeyStore, SaltedKeys};
use super::scram::salted_password;
use crate::credentials::Credentials;
#[cfg(feature = "opengauss")]
use crate::credentials::GaussKeys;
use crate::error::{AuthError, Fault};
use crate::limits;

/// Rounds of PBKDF2 of which one is done by the driver too.
const CHECKED: u32 = 256;
/// Rounds of the trial before each login: the first that the device does is the second of them.
const TRIAL: u32 = 2;

/// A peripheral that hashes blocks of SHA-256: of STM32 (HASH), RP2350, ESP32 and others.
///
/// The driver does everything else of PBKDF2. Two blocks and the padding that they need make a
/// round; one round in 256 is done by the driver as well and compared.
///
/// As the SHA-256 of an RP2350 is used, which starts from the beginning each time (other devices
/// load [`HashStart::state`] and spare the first block):
/// ```
/// use barepg::{HashFailed, HashStart, Sha256Hardware};
///
/// # struct Reg(core::cell::Cell<u32>);
/// # impl Reg { fn read(&self) -> u32 { self.0.get() } fn write(&self, value: u32) { self.0.set(value) } }
/// /// The registers, at 0x400f_8000.
/// struct Registers { csr: Reg, wdata: Reg, sum: [Reg; 8] }
/// const START: u32 = 1 << 0;
/// const WDATA_RDY: u32 = 1 << 1;
/// const SUM_VLD: u32 = 1 << 2;
///
/// struct Rp2350(&'static Registers);
/// impl Rp2350 {
///     fn wait(&self, flag: u32) -> Result<(), HashFailed> {
///         // A block takes 57 cycles. A peripheral in reset would never be ready.
///         (0..1000).any(|_| self.0.csr.read() & flag != 0).then_some(()).ok_or(HashFailed)
///     }
/// }
/// impl Sha256Hardware for Rp2350 {
///     fn hash(
///         &mut self,
///         start: &HashStart,
///         block: &[u32; 16],
///         hash: &mut [u32; 8],
///     ) -> Result<(), HashFailed> {
///         self.0.csr.write(START); // BSWAP off: words as the standard writes them
///         for &word in start.block().iter().chain(block) {
///             self.wait(WDATA_RDY)?;
///             self.0.wdata.write(word);
///         }
///         self.wait(SUM_VLD)?;
///         for (word, sum) in hash.iter_mut().zip(&self.0.sum) {
///             *word = sum.read();
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Sha256Hardware {
    /// Puts into `hash` the SHA-256 of `start` and then `block`, which holds its padding already.
    /// Words are as in FIPS 180-4: the first byte of the message is the highest of the first word.
    ///
    /// It must return soon, whatever the peripheral does: bound every wait for a flag. Between calls
    /// the driver feeds [`Platform::idle`](crate::Platform::idle) and looks at the deadline.
    ///
    /// # Errors
    /// [`HashFailed`]: the peripheral is not ready, or reports an error. The login ends with
    /// [`AuthError::HashHardware`].
    fn hash(
        &mut self,
        start: &HashStart,
        block: &[u32; 16],
        hash: &mut [u32; 8],
    ) -> Result<(), HashFailed>;
}

/// A peripheral, or a secure element, that does all of PBKDF2. Every [`Sha256Hardware`] is one.
pub trait Pbkdf2Hardware {
    /// Puts into `key` the 32 bytes of PBKDF2 with HMAC-SHA-256 that `job` asks for.
    ///
    /// Asked twice for each login: for two iterations, which the driver does too and compares, and
    /// for those of the server. One that takes longer than a watchdog waits must call
    /// [`Pbkdf2Job::turn`] from time to time.
    ///
    /// # Errors
    /// [`HashFailed`]: the device cannot do it, or `turn` said so.
    fn pbkdf2(&mut self, job: &Pbkdf2Job<'_>, key: &mut [u8; 32]) -> Result<(), HashFailed>;
}

/// The device gave no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HashFailed;

impl core::fmt::Display for HashFailed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the device gave no hash")
    }
}

impl core::error::Error for HashFailed {}

/// What every message of a PBKDF2 begins with: the key, padded to a block.
///
/// Zeroized when dropped.
pub struct HashStart {
    block: [u32; 16],
    state: [u32; 8],
}

impl HashStart {
    /// Changes `block` from one pad to another, and takes it.
    fn new(block: &mut [u8; BLOCK], pad: u8) -> Self {
        block.iter_mut().for_each(|byte| *byte ^= pad);
        let mut start = Self { block: words(block), state: INITIAL };
        compress(&mut start.state, block);
        start
    }

    /// The block itself, for a device that begins each message from the beginning.
    pub const fn block(&self) -> &[u32; 16] {
        &self.block
    }

    /// The chaining value after the block, H0 to H7, for a device that can load one.
    pub const fn state(&self) -> &[u32; 8] {
        &self.state
    }
}

impl Drop for HashStart {
    fn drop(&mut self) {
        let (low, high) = self.block.split_at_mut(8);
        for half in [low, high] {
            half.first_chunk_mut().into_iter().for_each(wipe_words);
        }
        wipe_words(&mut self.state);
    }
}

impl core::fmt::Debug for HashStart {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashStart(<redacted>)")
    }
}

/// One derivation for a [`Pbkdf2Hardware`].
pub struct Pbkdf2Job<'j> {
    password: &'j [u8],
    salt: &'j [u8],
    iterations: u32,
    tick: Tick<'j>,
    /// Why a turn said to stop.
    stopped: Cell<Option<Fault>>,
}

impl Pbkdf2Job<'_> {
    /// The password, in SASLprep's form. Secret.
    pub const fn password(&self) -> &[u8] {
        self.password
    }

    /// The salt, without the number of the block that PBKDF2 adds. PostgreSQL's has 16 bytes.
    pub const fn salt(&self) -> &[u8] {
        self.salt
    }

    /// How many iterations, 1 at the least.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Calls [`Platform::idle`](crate::Platform::idle), and looks whether there is time left.
    ///
    /// # Errors
    /// [`HashFailed`] when the login's time is over: give up. The login then ends with
    /// [`ErrorKind::TimedOut`](crate::ErrorKind::TimedOut).
    pub fn turn(&self) -> Result<(), HashFailed> {
        self.tick.turn().map_err(|fault| {
            self.stopped.set(Some(fault));
            HashFailed
        })
    }

    /// Has the device do it.
    fn run(&self, device: &mut dyn Pbkdf2Hardware, key: &mut [u8; 32]) -> Result<(), Fault> {
        let done = device.pbkdf2(self, key);
        match self.stopped.take() {
            Some(fault) => Err(fault),
            None => done.map_err(|HashFailed| AuthError::HashHardware.into()),
        }
    }
}

impl core::fmt::Debug for Pbkdf2Job<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pbkdf2Job").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl<D: Sha256Hardware> Pbkdf2Hardware for D {
    fn pbkdf2(&mut self, job: &Pbkdf2Job<'_>, key: &mut [u8; 32]) -> Result<(), HashFailed> {
        let mut key_block = [0; BLOCK];
        pad(job.password, &mut key_block);
        let inner = HashStart::new(&mut key_block, 0x36);
        let outer = HashStart::new(&mut key_block, 0x36 ^ 0x5c);
        wipe(&mut key_block);
        let mut hmac = HmacKey::NONE;
        hmac.set_states(inner.state, outer.state);
        hmac.mac(&[job.salt, &1_u32.to_be_bytes()], key);
        // A hash, and the padding of a message of 96 bytes.
        let mut block = [0; 16];
        let [.., length] = &mut block;
        *length = 0x300;
        let mut value: [u32; 8] = words(key);
        let mut sum = value;
        for i in 1..job.iterations {
            if i & limits::HASH_SLICE.wrapping_sub(1) == 0 {
                job.turn()?;
            }
            let before = value;
            for start in [&inner, &outer] {
                for (to, from) in block.iter_mut().zip(value.iter().chain(&[0x8000_0000])) {
                    *to = *from;
                }
                self.hash(start, &block, &mut value)?;
            }
            if i & CHECKED.wrapping_sub(1) == 0 && !bool::from(hmac.mac_of(&before).ct_eq(&value)) {
                return Err(HashFailed);
            }
            for (sum, word) in sum.iter_mut().zip(&value) {
                *sum ^= word;
            }
        }
        put(&sum, key);
        wipe_words(&mut sum);
        wipe_words(&mut value);
        Ok(())
    }
}

/// Bytes as words, big-endian.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    let (chunks, _) = bytes.as_chunks::<4>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u32::from_be_bytes(*chunk);
    }
    words
}

/// A device, lent to a client with
/// [`Client::set_hash_hardware`](crate::Client::set_hash_hardware): it does the hashing of a login by
/// SCRAM, which is nearly all that such a login costs.
///
/// `D` is a [`Sha256Hardware`] or a [`Pbkdf2Hardware`]. Before each login the device does two
/// iterations that the driver does too. Where they differ, the login ends with
/// [`AuthError::HashHardware`] and nothing made of the password is sent. A device that errs later, in
/// a round that is not compared, gives keys that the server refuses as it refuses a wrong password:
/// they are not kept, and the next login derives them anew. Nothing is weaker with a wrong hash: the
/// server's signature is verified with a key from the same derivation.
///
/// openGauss's logins hash with SHA-1, which stays with the driver.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HashHardware<D> {
    device: D,
    cache: KeyCache,
    keeps: bool,
}

impl<D: Pbkdf2Hardware> HashHardware<D> {
    /// A device that derives the keys of every login.
    pub const fn new(device: D) -> Self {
        Self { device, cache: KeyCache::new(), keeps: false }
    }

    /// As [`new`](Self::new), and the keys are kept for the next login, at the price that
    /// [`KeyCache`] names.
    pub const fn keeping_keys(device: D) -> Self {
        Self { device, cache: KeyCache::new(), keeps: true }
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }
}

impl<D: Pbkdf2Hardware> KeyStore for HashHardware<D> {
    fn cache(&self) -> &KeyCache {
        &self.cache
    }

    fn clear(&mut self) {
        KeyStore::clear(&mut self.cache);
    }

    fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        keys: &mut SaltedKeys,
        tick: Tick<'_>,
        credentials: &Credentials<'_>,
    ) -> Result<(), Fault> {
        if self.cache.find(salt, iterations, keys) {
            return Ok(());
        }
        let device = &mut self.device;
        keys::derive(credentials, iterations, keys, |password, key| {
            derive(device, Parameters { password, salt, iterations, tick }, key)
        })?;
        if self.keeps {
            self.cache.keep_scram(salt, iterations, keys);
        }
        Ok(())
    }

    /// Never asked: it derives what is wanted itself.
    fn keep_scram(&mut self, _: &[u8], _: u32, _: &SaltedKeys) {}

    #[cfg(feature = "opengauss")]
    fn keep_gauss(&mut self, keys: GaussKeys) {
        if self.keeps {
            self.cache.keep_gauss(keys);
        }
    }
}

/// What a derivation is of.
struct Parameters<'p> {
    password: &'p [u8],
    salt: &'p [u8],
    iterations: u32,
    tick: Tick<'p>,
}

/// SaltedPassword by a device that passes the trial.
#[inline(never)]
fn derive(
    device: &mut dyn Pbkdf2Hardware,
    of: Parameters<'_>,
    key: &mut [u8; 32],
) -> Result<(), Fault> {
    let Parameters { password, salt, iterations, tick } = of;
    let job = |iterations| Pbkdf2Job { password, salt, iterations, tick, stopped: Cell::new(None) };
    let mut expected = [0; 32];
    salted_password(password, salt, TRIAL, tick, &mut expected)?;
    job(TRIAL).run(device, key)?;
    if !bool::from(expected.ct_eq(key)) {
        return Err(AuthError::HashHardware.into());
    }
    job(iterations).run(device, key)
}

#[cfg(test)]
#[path = "hardware_tests.rs"]
mod tests;
