//! The code of the guide's pages at openGauss, as it runs at PostgreSQL.
#![allow(dead_code, reason = "a part of each page")]

#[path = "../guide/code/big_values.rs"]
mod big_values;
#[path = "../guide/code/bulk_upload.rs"]
mod bulk_upload;
#[cfg(feature = "outbox")]
#[path = "../guide/code/read_a_recipe.rs"]
mod read_a_recipe;

use barepg::types::Timestamp;
use barepg::{Connection, PerDialect, StaticStatement, insert_once, types::oid};
use barepg_testkit::pg;

use crate::common::{role, with_session};
use crate::{front, user};

/// Runs `f` at both families.
fn on_both(f: impl Fn(&mut Connection)) {
    let front = front();
    with_session(front.port(), user("sha256_2048_user"), &f);
    with_session(pg::shared(15).port(), role("scram_user"), &f);
}

#[cfg(feature = "outbox")]
static READING: PerDialect<StaticStatement> = insert_once!(
    "insert into reading (device, key, celsius) values ($1, $2, $3)",
    &[oid::INT4, oid::INT8, oid::FLOAT4]
);

#[test]
#[cfg(feature = "outbox")]
fn readings_are_stored_once() {
    use barepg::outbox::{Options, Outbox, RamFlash};
    on_both(|c| {
        c.batch_execute(
            "create temp table reading (device int, key bigint, celsius real check (celsius < 200),
            primary key (device, key))",
        )
        .unwrap();
        let (mut memory, mut buffer) = ([0; 4096], [0; 128]);
        let platform = barepg::host::SystemPlatform::new();
        let (statements, others) = ([&READING.postgresql], [&READING.opengauss]);
        let options = Options::new(&statements).at_opengauss(&others).device(&(7_i32,));
        let flash = RamFlash::new(&mut memory);
        let mut outbox = Outbox::open(flash, &mut buffer, options, &platform).unwrap();
        let mut keys = Vec::new();
        for celsius in [20.5, 21.5, 1000.0, 22.5] {
            keys.push(outbox.push(&READING.postgresql, (celsius as f32,)).unwrap());
        }
        // One is there already: its acknowledgement was lost.
        c.execute("insert into reading values (7, $1, 21.5)", (keys[1],)).unwrap();
        outbox.drain(c).unwrap();
        assert_eq!(outbox.next_aside().unwrap().unwrap().key, keys[2]);
        let row = c.query_one("select count(*), sum(celsius) from reading", ()).unwrap();
        assert_eq!(row.decode::<(i64, f32)>(), Ok((3, 64.5)));
    });
}

static ONCE: PerDialect<StaticStatement> =
    insert_once!("insert into k (id, name) values ($1, $2)", &[oid::INT4, oid::TEXT]);

#[test]
fn the_clause_is_that_of_the_sessions_server() {
    on_both(|c| {
        c.batch_execute("create temp table k (id int4 primary key, name text)").unwrap();
        assert_eq!(c.execute(c.pick(&ONCE), (1, "a")), Ok(1));
        assert_eq!(c.execute(c.pick(&ONCE), (1, "b")), Ok(0));
        assert_eq!(c.execute_many(c.pick(&ONCE), [(1, "c"), (2, "d"), (2, "e")]), Ok(1));
        let (wrong, right) = match c.is_opengauss() {
            true => (&ONCE.postgresql, &ONCE.opengauss),
            false => (&ONCE.opengauss, &ONCE.postgresql),
        };
        assert_eq!(c.pick(&ONCE).sql(), right.sql());
        let error = c.execute(wrong, (3, "f")).unwrap_err();
        assert_eq!(error.sqlstate().unwrap().as_str(), "42601");
        let row = c.query_one("select string_agg(name, ',' order by id) from k", ()).unwrap();
        assert_eq!(row.get::<&str>(0), Ok("a,d"));
    });
}

#[test]
#[cfg(feature = "outbox")]
fn a_recipe_is_read() {
    use read_a_recipe::{Step, fetch};
    on_both(|c| {
        c.batch_execute(
            "create temp table recipe (id int, name text, version int);
            create temp table step (recipe int, position int, celsius real, seconds int);
            insert into recipe values (1, 'bread', 1), (2, 'pizza', 1);
            insert into step values (1, 2, 180, null), (1, 1, 220.5, 600), (2, 1, 300, 90)",
        )
        .unwrap();
        let recipe = fetch(c, "bread", None).unwrap().unwrap();
        assert_eq!((recipe.count, recipe.steps[0]), (2, Step { celsius: 220.5, seconds: 600 }));
        assert_eq!(fetch(c, "bread", Some(1)), Ok(None));
    });
}

#[test]
fn the_other_pages() {
    on_both(|c| {
        use bulk_upload::{Sample, upload};
        c.batch_execute(
            "create temp table sample (at timestamp, sensor int2, value float4);
            create temp table image (name text, content bytea)",
        )
        .unwrap();
        let samples = (0..1000).map(|n| Sample {
            at: Timestamp::from_unix_micros(1_000_000 * n).unwrap(),
            sensor: 3,
            value: (n % 10 != 0).then_some(0.5),
        });
        assert_eq!(upload(c, samples), Ok(1000));
        let image = vec![0x5a; 20_000];
        big_values::store(c, "door", image.len(), &*image).unwrap();
        let mut seen = Vec::new();
        let length = big_values::load(c, "door", |piece| seen.extend_from_slice(piece));
        assert_eq!(length, Ok(Some(20_000)));
        assert_eq!(seen, image);
    });
}
