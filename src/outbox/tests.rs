//! The log without a server: flash that loses its power at any byte.

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use barepg_testkit::flash::Flash;
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
        let place = Place { start: 0, page, pages, shape };
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

/// A flash with pages that fail, and bits that flip.
mod faults {
    use embedded_storage::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash};

    use super::*;

    /// What a page does when it is erased.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Bad {
        /// The flash says that it failed.
        Says,
        /// Nothing, and the flash says nothing.
        Stays,
        /// As it should, but a bit of its header cannot be erased.
        Stuck,
    }

    struct Faulty<'f> {
        flash: &'f mut Flash<4, 256>,
        page: Option<(u32, Bad)>,
        /// A byte that reads with a bit flipped.
        flipped: Option<u32>,
    }

    impl ErrorType for Faulty<'_> {
        type Error = NorFlashErrorKind;
    }

    impl ReadNorFlash for Faulty<'_> {
        const READ_SIZE: usize = 4;

        fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
            self.flash.read(at, bytes)?;
            let end = at + bytes.len() as u32;
            if let Some(flipped) = self.flipped.filter(|flipped| (at..end).contains(flipped)) {
                bytes[(flipped - at) as usize] ^= 1;
            }
            if let Some((page, Bad::Stuck)) = self.page
                && (at..end).contains(&(page * 256 + 20))
            {
                bytes[(page * 256 + 20 - at) as usize] &= 0xfe;
            }
            Ok(())
        }

        fn capacity(&self) -> usize {
            self.flash.capacity()
        }
    }

    impl NorFlash for Faulty<'_> {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 256;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
            match self.page {
                Some((page, Bad::Says)) if page * 256 == from => Err(NorFlashErrorKind::Other),
                Some((page, Bad::Stays)) if page * 256 == from => Ok(()),
                _ => self.flash.erase(from, to),
            }
        }

        fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
            // Where nothing was erased nothing changes: the flash below would say that it is a mistake.
            match self.page {
                Some((page, Bad::Stays)) if at / 256 == page => Ok(()),
                _ => self.flash.write(at, bytes),
            }
        }
    }

    /// Rows are pushed and sent for some laps of the ring. Every row that is safe arrives once.
    #[test]
    fn a_page_that_fails_is_left_out() {
        for bad in [Bad::Says, Bad::Stays, Bad::Stuck] {
            for page in 0..6 {
                for restarts in [false, true] {
                    run(page, bad, restarts);
                }
            }
        }
    }

    fn run(page: u32, bad: Bad, restarts: bool) {
        let mut flash = Flash::<4, 256>::new(6, u64::from(page));
        let mut world = World::new(7);
        let mut ring: Option<Ring> = None;
        let mut failed = 0;
        for lap in 0..400_u32 {
            let faulty = (lap > 100).then_some((page, bad));
            let mut device = Device::new(Faulty { flash: &mut flash, page: faulty, flipped: None });
            let mut now = match ring.take() {
                Some(ring) if !restarts => ring,
                _ => world.open(&mut device, 256),
            };
            let row = lap.to_le_bytes();
            let mut record = [0; LONGEST];
            record[8..12].copy_from_slice(&row);
            // A row that is not in the outbox is pushed again.
            for _ in 0..2 {
                match now.append(&mut device, 7, &mut record, 4, Room::Have) {
                    Ok(()) => {
                        world.safe.push((now.whole(now.last), row.to_vec()));
                        break;
                    }
                    Err(_) => failed += 1,
                }
            }
            if lap % 5 == 0 {
                // An error is of the log's own record: the rows are sent once more.
                let _ = world.send(&mut device, &mut now, 100);
            }
            ring = Some(now);
        }
        let mut device =
            Device::new(Faulty { flash: &mut flash, page: Some((page, bad)), flipped: None });
        let mut ring = world.open(&mut device, 256);
        world.send(&mut device, &mut ring, 1000);
        assert_eq!(ring.waiting, 0);
        assert!(
            failed < 300 && world.safe.len() > 200,
            "{page} {bad:?} {restarts} {failed} {}",
            world.safe.len()
        );
        let last = world.safe.last().unwrap().1.clone();
        assert!(u32::from_le_bytes(last.try_into().unwrap()) > 390, "{page}: it is stuck");
        world.check();
    }

    /// A bit that flips anywhere loses what it is in, a page at most, and nothing else; no number is
    /// used twice afterwards.
    #[test]
    fn a_bit_that_flips_loses_a_page_at_most() {
        for flipped in 0..5 * 256 {
            let mut flash = Flash::<4, 256>::new(5, 1);
            let mut world = World::new(3);
            let push = |device: &mut Device<Faulty<'_>>, ring: &mut Ring, n: u32| {
                let mut record = [0; LONGEST];
                record[8..12].copy_from_slice(&n.to_le_bytes());
                // What does not hold what was written is pushed again.
                if ring.append(device, 7, &mut record, 4, Room::Make).is_err() {
                    ring.append(device, 7, &mut record, 4, Room::Make).unwrap();
                }
                ring.whole(ring.last)
            };
            let mut device = Device::new(Faulty { flash: &mut flash, page: None, flipped: None });
            let mut ring = world.open(&mut device, 256);
            let numbers: Vec<u64> = (0..40).map(|n| push(&mut device, &mut ring, n)).collect();
            let flipped = Some(flipped);
            let mut device = Device::new(Faulty { flash: &mut flash, page: None, flipped });
            let mut ring = world.open(&mut device, 256);
            let mut cursor = ring.tail;
            let mut found = vec![];
            while ring.step(&mut device, &mut cursor).unwrap() {
                found.push(ring.whole(cursor.found.number));
            }
            assert_eq!(found.len(), ring.waiting as usize);
            assert!(found.iter().all(|number| numbers.contains(number)), "{flipped:?}");
            assert!(found.len() + 18 >= numbers.len(), "{flipped:?}: {} are left", found.len());
            let next = push(&mut device, &mut ring, 99);
            assert!(next > numbers[39], "{flipped:?}: a number is used again");
        }
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
