//! The log without a server: flash that loses its power at any byte.

mod faults;

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use barepg_testkit::flash::{Flash, Observed};
use barepg_testkit::random::Random;
use embedded_storage::nor_flash::NorFlash;

use super::Device;
use super::RamFlash;
use super::cursor::Place;
use super::format::Shape;
use super::ring::{Ring, Room};
use crate::error::OutboxError;

/// The longest record, in bytes, with its head.
const LONGEST: usize = 64;

/// What is known outside of the flash.
struct World {
    random: Random,
    /// What the server has, by number.
    server: BTreeMap<u64, Vec<u8>>,
    /// Rows that are safe, in the order of their pushes, with their numbers.
    safe: Vec<(u64, Vec<u8>)>,
    /// Rows whose push was cut.
    cut: Vec<Vec<u8>>,
    /// Rows that were pushed, by a number of this test's.
    pushed: u32,
    given_up: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let (server, safe, cut) = (BTreeMap::new(), vec![], vec![]);
        Self { random: Random(seed), server, safe, cut, pushed: 0, given_up: 0 }
    }

    fn open<F: NorFlash>(&mut self, device: &mut Device<F>, page: u32) -> Ring {
        let pages = u16::try_from(device.flash.capacity() as u32 / page).unwrap();
        let shape = Shape::new(0, pages, (page / 256) as u16);
        let place = Place { start: 0, page, pages, shape, longest: 0 };
        // The lower half of the numbers runs over soon.
        let random = self.random.below(1 << 30);
        let first = ((random + 1) << 32) - random % 200;
        let mut ring = Ring::NONE;
        ring.open(device, place, LONGEST as u32).unwrap();
        if ring.sequence == 0 {
            ring.begin(first);
        }
        ring
    }

    /// Pushes a row, or sends some; `None` when power has failed.
    fn act<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        ring: &mut Ring,
        room: Room,
    ) -> Option<()> {
        if self.random.below(4) == 0 {
            let count = self.random.below(12);
            return self.send(device, ring, count);
        }
        self.pushed += 1;
        let length = 4 + self.random.below(LONGEST as u64 - 8 - 3 - 4) as usize;
        // Many words of ones: they read as erased.
        let fill = self.random.pick(&[0xff, 0, 0x55]);
        let mut row = vec![fill; length];
        row[..4].copy_from_slice(&self.pushed.to_le_bytes());
        let mut record = [0; LONGEST];
        record[8..8 + length].copy_from_slice(&row);
        match ring.append(device, 7, &mut record, length as u16, room) {
            Ok(()) => {
                let number = ring.whole(ring.last);
                self.given_up += u64::from(ring.given_up);
                if ring.given_up > 0 {
                    self.forget(ring);
                }
                self.safe.push((number, row));
                Some(())
            }
            Err(OutboxError::Full) => self.send(device, ring, 8),
            Err(error) => {
                assert_eq!(error, OutboxError::Flash);
                if room == Room::Make {
                    self.forget(ring);
                    self.given_up += 1;
                }
                self.cut.push(row);
                None
            }
        }
    }

    /// The oldest rows were given up.
    fn forget(&mut self, ring: &Ring) {
        let done = ring.whole(ring.done);
        self.safe.retain(|(number, _)| *number >= done || self.server.contains_key(number));
    }

    /// The server takes rows, and then the log says that they are done.
    fn send<F: NorFlash>(
        &mut self,
        device: &mut Device<F>,
        ring: &mut Ring,
        count: u64,
    ) -> Option<()> {
        let mut cursor = ring.tail;
        let mut sent = 0;
        let before = ring.waiting;
        for _ in 0..count {
            if !ring.step(device, &mut cursor).unwrap() {
                break;
            }
            let found = cursor.found;
            let mut row = [0; LONGEST];
            let length = super::read(device, &found, &mut row).unwrap();
            let row = &row[..length];
            let number = ring.whole(found.number);
            if let Some(other) = self.server.get(&number) {
                assert_eq!(other, row, "number {number} was used twice");
            }
            self.server.insert(number, row.to_vec());
            sent += 1;
        }
        if sent > 0 {
            // The link may be cut before the answer.
            if self.random.below(8) == 0 {
                return Some(());
            }
            ring.finish(device, &cursor, sent).ok()?;
            assert_eq!(ring.waiting, before - sent);
        }
        Some(())
    }

    /// Everything that was pushed is at the server, once, in order.
    fn check(&self) {
        let mut last = None;
        for (number, row) in &self.safe {
            assert!(last < Some(*number), "{number} after {last:?}");
            last = Some(*number);
            let there = self.server.get(number);
            assert_eq!(there, Some(row), "row {number} of {}", self.pushed);
        }
        let safe: BTreeMap<_, _> = self.safe.iter().cloned().collect();
        for (number, row) in &self.server {
            let is_cut = self.cut.contains(row);
            assert!(
                is_cut || self.given_up > 0 || safe.get(number) == Some(row),
                "{number} {row:?}"
            );
        }
        let rows: Vec<_> = self.server.values().map(|row| &row[..4]).collect();
        let mut unique = rows.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), rows.len(), "a row has two numbers");
    }
}

/// So many cuts of a flash of this kind.
fn cut<const WORD: usize, const PAGE: usize>(
    pages: usize,
    page: u32,
    cuts: u64,
    seed: u64,
    room: Room,
) {
    let mut flash = Flash::<WORD, PAGE>::new(pages, seed);
    let mut world = World::new(seed);
    while flash.cuts().0 + flash.cuts().1 < cuts {
        flash.start();
        let budget = 1 + world.random.below(6 * PAGE as u64);
        flash.arm(budget);
        let mut device = Device::new(&mut flash);
        let mut ring = world.open(&mut device, page);
        let mut acts = 0;
        while world.act(&mut device, &mut ring, room).is_some() {
            acts += 1;
            assert!(acts < 100_000, "{ring:?} {:?}", world.pushed);
        }
        assert!(flash.is_dead());
    }
    flash.start();
    let mut device = Device::new(&mut flash);
    let mut ring = world.open(&mut device, page);
    while ring.waiting > 0 {
        world.send(&mut device, &mut ring, 100).unwrap();
    }
    assert!(!world.safe.is_empty());
    if room == Room::Have {
        assert_eq!(world.given_up, 0);
    }
    world.check();
    let (writing, erasing) = flash.cuts();
    assert!(flash.rewritten() < cuts / 4, "{} words were written twice", flash.rewritten());
    assert!(erasing > cuts / 100 && writing > cuts / 4, "{writing} {erasing}");
}

/// Cuts of each kind of flash and seed; `BAREPG_CUTS` sets it.
fn cuts() -> u64 {
    let number = std::env::var("BAREPG_CUTS").ok();
    number.map_or(250, |number| number.parse().unwrap())
}

#[test]
fn rows_survive_power_cuts() {
    for seed in 1..=4 {
        cut::<4, 256>(8, 256, cuts(), seed, Room::Have);
        cut::<1, 256>(3, 256, cuts(), seed, Room::Have);
        cut::<8, 512>(4, 512, cuts(), seed, Room::Have);
        cut::<16, 512>(3, 512, cuts(), seed, Room::Have);
        cut::<32, 1024>(2, 1024, cuts(), seed, Room::Have);
        cut::<4, 256>(8, 512, cuts(), seed, Room::Have);
    }
}

#[test]
fn the_rows_that_stay_survive_while_the_oldest_are_given_up() {
    for seed in 1..=4 {
        cut::<4, 256>(4, 256, cuts(), seed, Room::Make);
        cut::<32, 512>(3, 512, cuts(), seed, Room::Make);
    }
}

/// Power fails in the first row after a start. The row can be read at the next one, is sent, and power fails
/// again before that is kept; from then on it cannot be read.
#[test]
fn a_row_that_reads_as_valid_once_keeps_its_number() {
    let mut memory = [0; 1024];
    let push = |memory: &mut [u8], value: u8| {
        let mut device = Device::new(RamFlash::new(memory));
        let mut ring = World::new(1).open(&mut device, 256);
        let mut record = [value; LONGEST];
        ring.append(&mut device, 7, &mut record, 4, Room::Have).unwrap();
        (ring.whole(ring.last), ring.place.at(ring.head, ring.at) as usize)
    };
    push(&mut memory, 1);
    let (sent, end) = push(&mut memory, 2);
    memory[end - 12..end].fill(0xff);
    let (other, _) = push(&mut memory, 3);
    assert_ne!(other, sent);
}

/// A generator that is not switched on gives every device, and every outbox of one, the same numbers: with its key
/// there already, `on conflict do nothing` would swallow a row.
#[test]
fn a_generator_that_stands_still_makes_no_outbox() {
    use super::{Options, Outbox};
    use crate::platform::tests::Stuck;
    use crate::types::oid;
    use crate::verbs::StaticStatement;

    static INSERT: StaticStatement =
        StaticStatement::new("insert into t values ($1, $2)", &[oid::INT8, oid::INT4]);

    let statements = [&INSERT];
    for (bytes, good) in [(&b"\0"[..], false), (b"\xff", false), (b"abcdefghijklmnopqr", true)] {
        let (mut memory, mut buffer) = ([0; 4096], [0; 128]);
        let flash = RamFlash::new(&mut memory);
        let opened = Outbox::open(flash, &mut buffer, Options::new(&statements), &Stuck(bytes));
        let error = opened.err().map(|error| error.kind());
        let expected = crate::ErrorKind::Outbox(OutboxError::NoEntropy);
        assert_eq!(error, (!good).then_some(expected), "{bytes:?}");
    }
}

/// An erasure that is cut may leave anything, in pages of any size: a start takes no longer for that.
#[test]
fn what_a_cut_left_does_not_hold_up_the_next_start() {
    let page = 0x2_0000;
    let mut memory = vec![0; 2 * page];
    let mut device = Device::new(Observed::new(RamFlash::new(&mut memory)));
    let mut ring = World::new(1).open(&mut device, page as u32);
    let mut record = [1; LONGEST];
    ring.append(&mut device, 7, &mut record, 4, Room::Have).unwrap();
    let (begun, at) = (usize::from(ring.head) * page, ring.at as usize);
    let mut random = Random(1);
    memory[begun + at + 64..begun + page].fill_with(|| random.below(256) as u8);
    let mut device = Device::new(Observed::new(RamFlash::new(&mut memory)));
    assert_eq!(World::new(1).open(&mut device, page as u32).waiting, 1);
    assert!(device.flash.read < 8 * page as u64, "{} bytes read of {page}", device.flash.read);
}

/// What is erased is the outbox as a whole: cut in between, it may be there in part, and no number comes again.
#[test]
fn a_cut_erasure_of_the_outbox_gives_no_number_again() {
    use super::{Options, Outbox};
    use crate::platform::tests::Stuck;
    use crate::types::oid;
    use crate::verbs::StaticStatement;

    static INSERT: StaticStatement =
        StaticStatement::new("insert into t values ($1, $2)", &[oid::INT8, oid::INT4]);

    let statements = [&INSERT];
    let (platform, other) = (Stuck(b"abcdefghijklmnopqr"), Stuck(b"rqponmlkjihgfedcba"));
    let options = Options::new(&statements);
    // In an erasure of any page but the newest.
    let cuts = |rows| [0, 1, 2, 3, 4, 6, 7].map(|cut| (rows, cut));
    for (rows, cut) in (40..100).flat_map(cuts) {
        let mut flash = Flash::<4, 256>::new(8, 1);
        let mut buffer = [0; 64];
        let mut outbox = Outbox::open(&mut flash, &mut buffer, options, &platform).unwrap();
        let mut last = 0;
        for value in 0..rows {
            last = outbox.push(&INSERT, (value,)).unwrap();
        }
        flash.arm(40 * cut + 20);
        assert!(Outbox::erase(&mut flash, &options).is_err());
        flash.start();
        let mut outbox = Outbox::open(&mut flash, &mut buffer, options, &other).unwrap();
        let next = outbox.push(&INSERT, (0,)).unwrap();
        let is_new = next >> 32 != last >> 32;
        assert!(is_new || next > last, "{rows} {cut}: {next} after {last}");
    }
}
