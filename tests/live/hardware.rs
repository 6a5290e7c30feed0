//! Logins that a hash peripheral does: the registers of an RP2350's SHA-256, as its datasheet has
//! them (section 12.13), in software.

use std::cell::{Cell, RefCell};

use barepg::{
    AuthError, Client, ErrorKind, HashFailed, HashHardware, HashStart, KeyCache, Outcome, Remedy,
    Sha256Hardware, SqlState, Storage,
};
use sha2::compress256;
use sha2::digest::generic_array::GenericArray;

use crate::common::{Host, role, tcp};
use crate::on_each;

const START: u32 = 1 << 0;
const WDATA_RDY: u32 = 1 << 1;
const SUM_VLD: u32 = 1 << 2;

/// How a peripheral misbehaves.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// It is held in reset: no flag is ever set, every register reads zero.
    InReset,
    /// It swaps the bytes of each word written, as BSWAP has it do after a reset.
    Bswap,
    /// It flips a bit in the hash of this message and of no other.
    Once(u32),
}

/// The peripheral.
struct Registers {
    fault: Fault,
    sum: Cell<[u32; 8]>,
    words: RefCell<Vec<u8>>,
    messages: Cell<u32>,
}

impl Registers {
    fn csr(&self) -> u32 {
        if self.fault == Fault::InReset { 0 } else { WDATA_RDY | SUM_VLD }
    }

    fn set_csr(&self, value: u32) {
        assert_eq!(value, START);
        self.messages.set(self.messages.get() + 1);
        self.words.borrow_mut().clear();
        self.sum.set([
            0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
            0x5be0cd19,
        ]);
    }

    fn set_wdata(&self, word: u32) {
        let word = if self.fault == Fault::Bswap { word.swap_bytes() } else { word };
        let mut words = self.words.borrow_mut();
        words.extend(word.to_be_bytes());
        if words.len() == 64 {
            let mut sum = self.sum.get();
            compress256(&mut sum, &[*GenericArray::from_slice(&words)]);
            self.sum.set(sum);
            words.clear();
        }
    }

    fn sum(&self, index: usize) -> u32 {
        if self.fault == Fault::InReset {
            return 0;
        }
        let flip = self.fault == Fault::Once(self.messages.get()) && index == 5;
        self.sum.get()[index] ^ u32::from(flip)
    }
}

/// The driver of it, as firmware has it.
struct Rp2350(Registers);

impl Rp2350 {
    fn new(fault: Fault) -> Self {
        Self(Registers {
            fault,
            sum: Cell::new([0; 8]),
            words: RefCell::new(Vec::new()),
            messages: Cell::new(0),
        })
    }

    fn wait(&self, flag: u32) -> Result<(), HashFailed> {
        (0..1000).any(|_| self.0.csr() & flag != 0).then_some(()).ok_or(HashFailed)
    }
}

impl Sha256Hardware for Rp2350 {
    fn hash(
        &mut self,
        start: &HashStart,
        block: &[u32; 16],
        hash: &mut [u32; 8],
    ) -> Result<(), HashFailed> {
        self.0.set_csr(START);
        for &word in start.block().iter().chain(block) {
            self.wait(WDATA_RDY)?;
            self.0.set_wdata(word);
        }
        self.wait(SUM_VLD)?;
        for (index, word) in hash.iter_mut().enumerate() {
            *word = self.0.sum(index);
        }
        Ok(())
    }
}

/// Messages that a login with 4,096 iterations has it hash: the trial has one round of two.
const MESSAGES: u32 = 2 * (1 + 4095);

#[test]
fn a_peripheral_does_the_hashing() {
    on_each(|cluster| {
        let config = role("scram_user");
        let mut device = HashHardware::keeping_keys(Rp2350::new(Fault::None));
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &Host);
        client.set_hash_hardware(&mut device);
        for _ in 0..3 {
            let mut connection = client.connect(tcp(cluster.port())).unwrap();
            let row = connection.query_one("select current_user", ()).unwrap();
            assert_eq!(row.get::<&str>(0).unwrap(), "scram_user");
            connection.close().unwrap();
        }
        assert!(client.key_cache().unwrap().scram().is_some());
        assert_eq!(device.into_inner().0.messages.get(), MESSAGES, "once, for three logins");
    });
}

#[test]
fn one_that_does_not_work_is_reported_as_that() {
    on_each(|cluster| {
        let config = role("scram_user");
        for fault in [Fault::InReset, Fault::Bswap, Fault::Once(2 + 2 * 256)] {
            let mut device = HashHardware::keeping_keys(Rp2350::new(fault));
            let (mut storage, mut cache) = (Storage::<512, 512>::new(), KeyCache::new());
            let mut client = Client::new(storage.buffers(), &config, &Host);
            client.set_hash_hardware(&mut device);
            let error = client.connect(tcp(cluster.port())).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Auth(AuthError::HashHardware));
            assert_eq!(error.outcome(), Outcome::NotSent);
            assert_eq!(error.remedy(), Remedy::Retry);
            assert!(client.key_cache().unwrap().scram().is_none());
            // And without it.
            client.set_key_cache(&mut cache);
            client.connect(tcp(cluster.port())).unwrap().close().unwrap();
        }
    });
}

/// In a round that the driver does not do too: the server refuses what came of it.
#[test]
fn a_single_wrong_hash_logs_nobody_in_and_is_not_kept() {
    on_each(|cluster| {
        let config = role("scram_user");
        let mut device = HashHardware::keeping_keys(Rp2350::new(Fault::Once(1000)));
        let mut storage = Storage::<512, 512>::new();
        let mut client = Client::new(storage.buffers(), &config, &Host);
        client.set_hash_hardware(&mut device);
        let error = client.connect(tcp(cluster.port())).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::INVALID_PASSWORD));
        assert!(client.key_cache().unwrap().scram().is_none());
        client.connect(tcp(cluster.port())).unwrap().close().unwrap();
    });
}
