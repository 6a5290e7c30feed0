//! Flash that fails for a moment while rows are sent, and rows as large as the buffer.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;

use barepg::host::{FileFlash, SystemPlatform};
use barepg::outbox::{NorFlash, Outbox, RamFlash};
use barepg::{ErrorKind, OutboxError};
use barepg_testkit::scratch::Scratch;
use embedded_storage::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash};

use crate::device::{INSERT, database, options, with_outbox, with_session};

/// RAM that refuses to be written, or has a bit that flips, while it is told so.
struct Failing<'m>(RamFlash<'m>, &'m Cell<Fault>);

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Writes,
    /// In this byte.
    Flips(u32),
}

impl Failing<'_> {
    fn check(&self) -> Result<(), NorFlashErrorKind> {
        if self.1.get() == Fault::Writes { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

impl ErrorType for Failing<'_> {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Failing<'_> {
    const READ_SIZE: usize = RamFlash::READ_SIZE;

    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(at, bytes)?;
        if let Fault::Flips(byte) = self.1.get()
            && let Some(index) = byte.checked_sub(at)
            && let Some(byte) = bytes.get_mut(index as usize)
        {
            *byte ^= 1;
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Failing<'_> {
    const WRITE_SIZE: usize = RamFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = RamFlash::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.check().and_then(|()| self.0.erase(from, to))
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.check().and_then(|()| self.0.write(at, bytes))
    }
}

/// What the server acknowledged, or refused, is counted, whether or not that can be kept in flash.
#[test]
fn rows_are_counted_although_the_flash_fails() {
    let cluster = database("failing");
    let (mut memory, fails) = ([0; 8192], Cell::new(Fault::None));
    let flash = Failing(RamFlash::new(&mut memory), &fails);
    with_outbox(flash, options(), |outbox| {
        for value in [1, 2, -3, 4] {
            outbox.push(&INSERT, (value, "")).unwrap();
        }
        with_session(cluster.port(), "failing", |conn| {
            // Each time at first: nothing can be written.
            for _ in 0..20 {
                fails.set(Fault::Writes);
                let error = outbox.drain(conn).err().map(|error| error.kind());
                assert!(error.is_none_or(|error| error == ErrorKind::Outbox(OutboxError::Flash)));
                fails.set(Fault::None);
                outbox.send(conn)?;
            }
            Ok(())
        })
        .unwrap();
        let counters = outbox.counters();
        assert_eq!((counters.stored, counters.refused, counters.swallowed), (3, 1, 0));
        assert_eq!((outbox.waiting(), outbox.set_aside()), (0, 1));
    })
    .unwrap();
    assert_eq!(cluster.psql("failing", "select count(*), sum(value) from reading"), "3|7");
}

/// A row that was there and cannot be read any more is counted: nothing goes without a word.
#[test]
fn a_row_that_has_become_unreadable_is_counted() {
    let cluster = database("flipped");
    let (mut memory, fault) = ([0; 8192], Cell::new(Fault::None));
    let flash = Failing(RamFlash::new(&mut memory), &fault);
    with_outbox(flash, options().aside_pages(0), |outbox| {
        for value in 1..=5 {
            outbox.push(&INSERT, (value, "")).unwrap();
        }
        // In the third row, after the header of the page and the state.
        fault.set(Fault::Flips(32 + 2 * 24 + 10));
        with_session(cluster.port(), "flipped", |conn| outbox.drain(conn)).unwrap();
        let counters = outbox.counters();
        assert_eq!((counters.pushed, counters.stored, counters.dropped), (5, 4, 1));
        assert_eq!(outbox.waiting(), 0);
    })
    .unwrap();
    assert_eq!(cluster.psql("flipped", "select count(*) from reading"), "4");
}

/// The disk has room for all of a file before the first row is in it.
#[test]
fn a_file_takes_its_space_when_it_is_made() {
    let scratch = Scratch::new("barepg-space", "").unwrap();
    let path = scratch.path().join("flash");
    FileFlash::open(&path, 256 * 1024).unwrap();
    let blocks = std::fs::metadata(&path).unwrap().blocks();
    assert!(blocks * 512 >= 256 * 1024, "{blocks}");
}

/// A row that is moved can be set aside as well, or it stays where it was.
#[test]
fn a_row_that_is_moved_holds_up_none() {
    let cluster = database("moved_whole");
    let platform = SystemPlatform::new();
    let (mut memory, mut buffer) = ([0; 8192], [0; 160]);
    let mut flash =
        Outbox::open(RamFlash::new(&mut memory), &mut buffer, options(), &platform).unwrap();
    for length in 0.. {
        let (mut memory, mut buffer) = ([0; 1024], [0; 160]);
        let mut ram =
            Outbox::open(RamFlash::new(&mut memory), &mut buffer, options(), &platform).unwrap();
        if ram.push(&INSERT, (-1, &*"x".repeat(length))).is_err() {
            assert!(length > 100);
            break;
        }
        let moved = flash.take_over(&mut ram).map_err(|error| error.kind());
        assert!(matches!(moved, Ok(1) | Err(ErrorKind::Outbox(OutboxError::Region))), "{moved:?}");
        assert_eq!(ram.waiting(), u32::from(moved.is_err()));
        with_session(cluster.port(), "moved_whole", |conn| {
            assert_eq!(flash.drain(conn), Ok(0), "{length}");
            assert_eq!(ram.drain(conn), Ok(0), "{length}");
            Ok(())
        })
        .unwrap();
        assert_eq!(flash.set_aside() + ram.set_aside(), 1, "{length}");
        while flash.next_aside().unwrap().is_some() {
            assert!(flash.discard_aside().unwrap());
        }
    }
}

/// Lengths in flash are of 16 bits: what is pushed can be set aside as well, and moved before.
#[test]
fn the_longest_row_of_all_can_be_set_aside() {
    let cluster = database("longest");
    let platform = SystemPlatform::new();
    let options = options().page(0x1_2000);
    for length in [65_400, 65_490, 65_500, 65_507, 65_520] {
        let (mut memory, mut buffer) = (vec![0; 5 * 0x1_2000], vec![0; 0x1_1000]);
        let mut flash =
            Outbox::open(RamFlash::new(&mut memory), &mut buffer, options, &platform).unwrap();
        let (mut memory, mut buffer) = (vec![0; 5 * 0x1_2000], vec![0; 0x1_1000]);
        let mut ram =
            Outbox::open(RamFlash::new(&mut memory), &mut buffer, options, &platform).unwrap();
        let text = "x".repeat(length);
        let pushed =
            flash.push(&INSERT, (-1, &*text)).and_then(|_| ram.push(&INSERT, (-2, &*text)));
        if let Err(error) = pushed {
            assert!(matches!(error.kind(), ErrorKind::Encode(_)) && length > 65_400, "{error}");
            continue;
        }
        assert_eq!(flash.take_over(&mut ram), Ok(1));
        with_session(cluster.port(), "longest", |conn| flash.drain(conn)).unwrap();
        assert_eq!(flash.set_aside(), 2, "{length}");
        while let Some(aside) = flash.next_aside().unwrap() {
            assert_eq!(aside.values.len(), 4 + 4 + 4 + length);
            assert!(flash.discard_aside().unwrap());
        }
    }
}
