//! Fetch a file: in the end the flash has it, and not a page was fetched twice without a reason.

use barepg_testkit::flash::Flash;
use barepg_testkit::random::Random;
use sha2::{Digest, Sha256};

use crate::fetch_a_file::{Download, File, Trouble};
use crate::plant::{Plant, QUICK};

type Memory = Flash<4, 1024>;

const SCHEMA: &str = "create table image (name text, content bytea, sha256 bytea);
    create view file as select * from image where calm()";

/// A file of the server's, with its hash; `seed` makes it another one.
fn publish(plant: &Plant, length: usize, seed: u64) -> (Vec<u8>, File) {
    let mut random = Random(seed);
    let content: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
    put(plant, &content)
}

fn put(plant: &Plant, content: &[u8]) -> (Vec<u8>, File) {
    let hex: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
    let sha256: [u8; 32] = Sha256::digest(content).into();
    let hash: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    plant.psql(&format!(
        "begin; delete from image; insert into image values ('app', '\\x{hex}', '\\x{hash}'); commit"
    ));
    (content.to_vec(), File { length: content.len() as u32, sha256 })
}

/// Fetches it; power may fail meanwhile.
fn fetch(plant: &Plant, flash: &mut Memory, each: &dyn Fn(u32)) -> Result<File, Trouble> {
    let first = plant.turns();
    let meanwhile = || {
        if plant.turn() {
            each(plant.turns() - first);
        }
        plant.turns() - first > 20_000
    };
    let report = |pause: &barepg::Pause<'_>| plant.report(pause);
    let (meanwhile, report) = (&meanwhile, &report);
    let mut download = Download { flash, name: "app", file: None, done: 0, meanwhile, report };
    plant.with_client(|client, dialler| download.run(client, dialler, QUICK))
}

#[test]
fn a_file_arrives_whatever_happens() {
    let plant = Plant::new("guide_fetch", "file", SCHEMA);
    let (content, file) = publish(&plant, 200_001, 1);
    let mut flash = Memory::new(256, 1);
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Ok(file));
    plant.was_broken();
    assert_eq!(flash.bytes()[..200_001], content);
    // A reset with the flash kept: nothing is fetched again. A few pages differ: they alone are.
    plant.stop_cutting();
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Ok(file));
    let compared = plant.relay.count().to_client;
    assert!(compared < 40_000, "{compared}");
    let mut other = content.clone();
    other[5000] ^= 1;
    other[150_000] ^= 1;
    let (other, file) = put(&plant, &other);
    plant.relay.disarm();
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Ok(file));
    assert_eq!(flash.bytes()[..200_001], other);
    let fetched = plant.relay.count().to_client - compared;
    assert!((2000..3000).contains(&fetched), "{fetched}");
    // With the flash erased.
    assert_eq!(fetch(&plant, &mut Memory::new(256, 9), &|_| ()), Ok(file));
}

#[test]
fn power_that_fails_and_files_that_change() {
    let plant = Plant::new("guide_image", "file", SCHEMA);
    let (mut flash, mut random) = (Memory::new(32, 1), Random(2));
    let (_, mut file) = publish(&plant, 20_000, 0);
    let mut stopped = 0;
    for seed in 1..40 {
        flash.start();
        flash.arm(1 + random.below(6000));
        match fetch(&plant, &mut flash, &|_| ()) {
            Ok(found) => assert_eq!(found, file),
            Err(error) => {
                assert_eq!(error, Trouble::Flash);
                stopped += 1;
            }
        }
        if seed % 10 == 0 {
            file = publish(&plant, 20_000 + seed as usize, seed).1;
        }
    }
    assert!(stopped > 10, "{stopped}");
    flash.start();
    // Another file in the middle of it, on one link.
    plant.stop_cutting();
    let replace = |turn: u32| {
        if turn == 8 {
            publish(&plant, 21_000, 99);
        }
    };
    let found = fetch(&plant, &mut flash, &replace).unwrap();
    assert_eq!(found.length, 21_000);
    assert_eq!(<[u8; 32]>::from(Sha256::digest(&flash.bytes()[..21_000])), found.sha256);
}

#[test]
fn what_cannot_be_had_is_said() {
    let plant = Plant::new("guide_none", "file", SCHEMA);
    let mut flash = Memory::new(8, 1);
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Err(Trouble::Missing));
    publish(&plant, 9000, 1);
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Err(Trouble::TooLarge));
    publish(&plant, 3000, 1);
    plant.psql("update image set sha256 = decode(repeat('00', 32), 'hex')");
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Err(Trouble::Damaged));
    // What is no hash at all is not asked for again and again.
    plant.psql("update image set sha256 = substr(sha256, 1, 20)");
    assert_eq!(fetch(&plant, &mut flash, &|_| ()), Err(Trouble::Damaged));
}

/// The one that keeps running finds out that the server's file is good again.
#[test]
fn a_damaged_file_is_fetched_again_once_it_is_repaired() {
    let plant = Plant::new("guide_repair", "file", SCHEMA);
    plant.stop_cutting();
    let (content, file) = publish(&plant, 5000, 1);
    plant.psql("update image set content = set_byte(content, 1000, 255 - get_byte(content, 1000))");
    let (flash, meanwhile, report) = (Memory::new(8, 1), &|| false, &|_: &barepg::Pause| ());
    let mut download = Download { flash, name: "app", file: None, done: 0, meanwhile, report };
    plant.with_client(|client, dialler| {
        assert_eq!(download.run(client, dialler, QUICK), Err(Trouble::Damaged));
        plant.psql(
            "update image set content = set_byte(content, 1000, 255 - get_byte(content, 1000))",
        );
        assert_eq!(download.run(client, dialler, QUICK), Ok(file));
    });
    assert_eq!(download.flash.bytes()[..5000], content);
}
