//! A flash with pages that fail, and bits that flip.

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
    /// As it should, but what is written to it is reported as failed, although it is there; of a row as long as
    /// [`ODD`] the last byte, which does not count, is not.
    Denies,
}

/// Bytes of a row in the flash whose last word it does not fill.
const ODD: usize = 20;

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
            Some((page, Bad::Denies)) if at / 256 == page => {
                let mut bytes = bytes.to_vec();
                if bytes.len() == ODD {
                    bytes[ODD - 1] ^= 1;
                }
                self.flash.write(at, &bytes)?;
                Err(NorFlashErrorKind::Other)
            }
            _ => self.flash.write(at, bytes),
        }
    }
}

/// Rows are pushed and sent for some laps of the ring. Every row that is safe arrives once.
#[test]
fn a_page_that_fails_is_left_out() {
    for bad in [Bad::Says, Bad::Stays, Bad::Stuck, Bad::Denies] {
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
        let mut row = lap.to_le_bytes().to_vec();
        row.resize(if bad == Bad::Denies && lap % 2 == 0 { ODD - 8 - 3 } else { 4 }, 7);
        let mut record = [0; LONGEST];
        record[8..8 + row.len()].copy_from_slice(&row);
        // A row that is not in the outbox is pushed again.
        for _ in 0..2 {
            match now.append(&mut device, 7, &mut record, row.len() as u16, Room::Have) {
                Ok(()) => {
                    world.safe.push((now.whole(now.last), row));
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
    assert!(u32::from_le_bytes(last[..4].try_into().unwrap()) > 390, "{page}: it is stuck");
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
        // It is erased with its page.
        device.flash.flipped = None;
        let next = push(&mut device, &mut ring, 99);
        assert!(next > numbers[39], "{flipped:?}: a number is used again");
    }
}
