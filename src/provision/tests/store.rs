//! Copies in flash that loses its power, and that is damaged.

use std::format;

use barepg_testkit::flash::{Flash, Observed};
use barepg_testkit::random::Random;
use embedded_storage::nor_flash::NorFlash;

use super::Small;
use crate::limits;
use crate::provision::*;

/// What can be told from one another.
fn numbered(number: u64) -> Small {
    let mut parameters = Small::new();
    parameters.set("user=u").unwrap();
    parameters.set(&format!("application_name={number}")).unwrap();
    let rest = usize::try_from(number * 7 % 90).unwrap();
    parameters.set(&format!("dbname={}", "d".repeat(1 + rest))).unwrap();
    parameters
}

fn number(parameters: &Small) -> u64 {
    let mut scratch = [0; limits::PROVISIONED_SCRATCH];
    let config = parameters.config(&mut scratch).unwrap();
    let number = config.get_application_name().unwrap().parse().unwrap();
    assert_eq!(parameters.parts(), numbered(number).parts(), "not whole");
    number
}

fn opened<F: NorFlash>(flash: F) -> Store<F> {
    let size = u32::try_from(flash.capacity()).unwrap();
    Store::new(flash, 0, size).unwrap()
}

/// What a start finds.
fn found<F: NorFlash>(flash: F) -> (Loaded, Option<u64>) {
    let mut parameters = Small::new();
    let loaded = opened(flash).load(&mut parameters).unwrap();
    (loaded, (loaded != Loaded::Nothing).then(|| number(&parameters)))
}

/// A save is cut after each byte and within each erasure, and what the cut left reads in many ways.
fn each_cut<const WORD: usize, const PAGE: usize>() {
    let mut budget = 0;
    loop {
        budget += 1;
        let mut flash = Flash::<WORD, PAGE>::new(2, budget);
        opened(&mut flash).save(&numbered(1)).unwrap();
        opened(&mut flash).save(&numbered(2)).unwrap();
        flash.arm(budget);
        let saved = opened(&mut flash).save(&numbered(3));
        let is_dead = flash.is_dead();
        assert_eq!(saved.is_err(), is_dead, "{budget}");
        for _ in 0..8 {
            flash.start();
            let (loaded, number) = found(&mut flash);
            assert!(number == Some(3) || is_dead && number == Some(2), "{budget} {number:?}");
            assert!(is_dead || loaded == Loaded::Newest);
        }
        // The device goes on.
        opened(&mut flash).save(&numbered(4)).unwrap();
        assert_eq!(found(&mut flash).1, Some(4));
        if !is_dead {
            return;
        }
    }
}

#[test]
fn a_save_that_is_cut_anywhere_leaves_the_last_good_copy() {
    each_cut::<1, 512>();
    each_cut::<4, 512>();
    each_cut::<8, 1024>();
    each_cut::<32, 512>();
}

/// Whoever is told that a save failed finds the copy of before at the next start.
#[test]
fn a_save_that_is_said_to_have_failed_has_not_been_made() {
    for writes in 0..8 {
        let mut flash = Flash::<4, 512>::new(2, 1);
        opened(&mut flash).save(&numbered(1)).unwrap();
        opened(&mut flash).save(&numbered(2)).unwrap();
        let saved = opened(Observed::denying(&mut flash, writes)).save(&numbered(3));
        let number = if saved.is_ok() { 3 } else { 2 };
        assert_eq!(found(&mut flash).1, Some(number), "{writes}");
    }
}

/// Cut after cut, in saves and wipes: what was saved is never lost, and never older again.
fn many_cuts<const WORD: usize, const PAGE: usize>(pages: usize, cuts: u64, seed: u64) {
    let mut flash = Flash::<WORD, PAGE>::new(pages, seed);
    let mut random = Random(seed);
    let (mut last, mut acknowledged, mut wiped) = (0, 0, true);
    while flash.cuts().0 + flash.cuts().1 < cuts {
        flash.start();
        let (_, number) = found(&mut flash);
        match number {
            Some(number) => assert!((acknowledged..=last).contains(&number), "{number}"),
            None => assert!(wiped, "{acknowledged} is lost"),
        }
        flash.arm(1 + random.below(4 * 400));
        let mut store = opened(&mut flash);
        loop {
            if random.below(16) == 0 {
                // From its beginning on, nothing is promised.
                (acknowledged, wiped) = (0, true);
                if store.wipe().is_err() {
                    break;
                }
                last += 1;
                assert_eq!(store.load(&mut Small::new()), Ok(Loaded::Nothing));
            } else {
                last += 1;
                if store.save(&numbered(last)).is_err() {
                    break;
                }
                (acknowledged, wiped) = (last, false);
            }
        }
        assert!(flash.is_dead());
    }
    let (writing, erasing) = flash.cuts();
    assert!(writing > cuts / 4 && erasing > cuts / 50, "{writing} {erasing}");
}

#[test]
fn what_was_saved_survives_cut_after_cut() {
    let cuts = std::env::var("BAREPG_CUTS").ok().map_or(200, |number| number.parse().unwrap());
    for seed in 1..=6 {
        many_cuts::<4, 512>(2, cuts, seed);
        many_cuts::<1, 256>(4, cuts, seed);
        many_cuts::<32, 1024>(2, cuts, seed);
    }
}

#[test]
fn a_damaged_copy_falls_back_to_the_last_good_one() {
    let mut memory = [0; 1024];
    let mut store = opened(RamFlash::new(&mut memory));
    store.save(&numbered(1)).unwrap();
    store.save(&numbered(2)).unwrap();
    let length = numbered(2).parts().0.len();
    for bit in 512 * 8..1024 * 8 {
        memory[bit / 8] ^= 1 << (bit % 8);
        let at = bit / 8 - 512;
        // Header, the seal, the content; the other seals and what follows are not in use.
        let counts = at < 64 || (160..160 + length).contains(&at);
        let expected = if counts { (Loaded::LastGood, Some(1)) } else { (Loaded::Newest, Some(2)) };
        assert_eq!(found(RamFlash::new(&mut memory)), expected, "bit {bit}");
        memory[bit / 8] ^= 1 << (bit % 8);
    }
    // The damaged one is replaced, not the good one.
    memory[520] ^= 1;
    let mut store = opened(RamFlash::new(&mut memory));
    store.save(&numbered(3)).unwrap();
    memory[700] ^= 1;
    assert_eq!(found(RamFlash::new(&mut memory)), (Loaded::LastGood, Some(1)));
}

#[test]
fn a_wipe_leaves_nothing() {
    let mut memory = [0; 1024];
    let mut store = opened(RamFlash::new(&mut memory));
    store.save(&numbered(1)).unwrap();
    store.save(&numbered(2)).unwrap();
    store.wipe().unwrap();
    assert_eq!(store.load(&mut Small::new()), Ok(Loaded::Nothing));
    assert_eq!(memory, [0xff; 1024]);
}

#[test]
fn another_version_is_not_touched() {
    let mut memory = [0; 1024];
    opened(RamFlash::new(&mut memory)).save(&numbered(1)).unwrap();
    memory[2] = 9;
    let crc = crate::flash::Crc::new().with(&memory[..28]).end();
    memory[28..32].copy_from_slice(&crc.to_le_bytes());
    let before = memory;
    let mut store = opened(RamFlash::new(&mut memory));
    assert_eq!(store.load(&mut Small::new()), Err(ProvisionError::Foreign));
    assert_eq!(store.save(&numbered(2)), Err(ProvisionError::Foreign));
    assert_eq!(memory, before);
    let mut store = opened(RamFlash::new(&mut memory));
    store.wipe().unwrap();
    store.save(&numbered(2)).unwrap();
}

#[test]
fn regions_are_halves_of_whole_pages() {
    let mut memory = [0; 2048];
    for (from, to, fits) in [
        (0, 2048, true),
        (512, 1536, true),
        (0, 1536, true),
        (0, 768, false),
        (0, 256, false),
        (128, 1152, false),
        (1024, 3072, false),
        (1024, 0, false),
        (0, 1025, false),
        (0, u32::MAX, false),
    ] {
        let store = Store::new(RamFlash::new(&mut memory), from, to);
        assert_eq!(store.is_ok(), fits, "{from}..{to}");
    }
    // What does not fit the place is said before anything is written.
    let mut memory = [7; 512];
    let mut large: Provisioned<[u8; 256]> = Provisioned::new();
    large.set("user=u").unwrap();
    large.set(&format!("dbname={}", "d".repeat(90))).unwrap();
    let refused = Store::new(RamFlash::new(&mut memory), 0, 512).unwrap().save(&large);
    assert_eq!(refused, Err(ProvisionError::Capacity { needed: 105, have: 96 }));
    assert_eq!(memory, [7; 512]);
}

#[test]
fn a_smaller_memory_is_told_and_not_filled() {
    let mut memory = [0; 1024];
    opened(RamFlash::new(&mut memory)).save(&numbered(12)).unwrap();
    let mut smaller: Provisioned<[u8; 64]> = Provisioned::new();
    let needed = u32::try_from(numbered(12).room().0).unwrap();
    let error = opened(RamFlash::new(&mut memory)).load(&mut smaller).unwrap_err();
    assert_eq!(error, ProvisionError::Capacity { needed, have: 64 });
    assert_eq!(smaller.room().0, 0);
}
