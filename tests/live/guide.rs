//! What the guide's pages say in SQL, on every server here; `tests/guide` runs and breaks the whole programs.
#![allow(dead_code, reason = "a part of each page")]

#[path = "../guide/code/big_values.rs"]
mod big_values;
#[path = "../guide/code/bulk_upload.rs"]
mod bulk_upload;
#[cfg(feature = "outbox")]
#[path = "../guide/code/read_a_recipe.rs"]
mod read_a_recipe;

use barepg::types::Timestamp;

use crate::common::{role, with_session};
use crate::on_each;

#[test]
#[cfg(feature = "outbox")]
fn read_a_recipe() {
    use read_a_recipe::{Step, fetch};
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(
                "create temp table recipe (id int, name text, version int);
                create temp table step (recipe int, position int, celsius real, seconds int);
                insert into recipe values (1, 'bread', 3), (2, 'pizza', 1), (3, 'tar', 1), (4, 'air', 1);
                insert into step values (1, 2, 180, null), (1, 1, 220.5, 600), (2, 1, 300, 90),
                (3, 1, 900, 60)",
            )
            .unwrap();
            let bread = fetch(c, "bread", None).unwrap().unwrap();
            assert_eq!((bread.version, bread.count), (3, 2));
            assert_eq!(bread.steps[0], Step { celsius: 220.5, seconds: 600 });
            assert_eq!(bread.steps[1], Step { celsius: 180.0, seconds: 60 });
            assert_eq!(fetch(c, "bread", Some(2)), Ok(Some(bread)));
            assert_eq!(fetch(c, "bread", Some(3)), Ok(None));
            for name in ["cake", "tar", "air"] {
                assert_eq!(fetch(c, name, None), Ok(None), "{name}");
            }
        });
    });
}

#[test]
fn bulk_upload() {
    use bulk_upload::{Sample, upload};
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table sample (at timestamp, sensor int2, value float4)")
                .unwrap();
            let samples = || {
                (0..10_000).map(|n| Sample {
                    at: Timestamp::from_unix_micros(1_000_000 * n).unwrap(),
                    sensor: 3,
                    value: (n % 10 != 0).then_some(0.5),
                })
            };
            assert_eq!(upload(c, samples().take(100)), Ok(100));
            assert_eq!(upload(c, samples()), Ok(9_900));
            assert_eq!(upload(c, samples()), Ok(0));
            let sql = "select count(value), max(at) - min(at) = '9999 s' from sample";
            let row = c.query_one(sql, ()).unwrap();
            assert_eq!(row.decode::<(i64, bool)>(), Ok((9000, true)));
        });
    });
}

#[test]
fn big_values() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("create temp table image (name text, content bytea)").unwrap();
            let image: Vec<u8> = (0..100_000_u32).map(|n| n.to_be_bytes()[2] ^ 0x5a).collect();
            big_values::store(c, "door", image.len(), &*image).unwrap();
            let mut seen = Vec::new();
            let length = big_values::load(c, "door", |piece| seen.extend_from_slice(piece));
            assert_eq!(length, Ok(Some(100_000)));
            assert_eq!(seen, image);
            assert_eq!(big_values::load(c, "window", |_| {}), Ok(None));
            c.ping().unwrap();
        });
    });
}
