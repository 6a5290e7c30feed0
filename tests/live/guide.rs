//! The code of the guide's pages, run; and the pages, which show exactly that code.

mod big_values;
mod bulk_upload;
mod log_a_reading;
mod read_a_recipe;
mod wait_for_a_command;

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use barepg::types::Timestamp;

use crate::common::{role, with_session};
use crate::on_each;

#[test]
fn pages_show_the_code_that_runs() {
    macro_rules! page {
        ($page:literal, $code:literal) => {
            let page = include_str!(concat!("../../docs/guide/", $page));
            let code = include_str!(concat!("guide/", $code));
            assert!(page.contains(&format!("```rust\n{code}```\n")), "{} is out of date", $page);
        };
    }
    page!("log-a-reading.md", "log_a_reading.rs");
    page!("read-a-recipe.md", "read_a_recipe.rs");
    page!("bulk-upload.md", "bulk_upload.rs");
    page!("wait-for-a-command.md", "wait_for_a_command.rs");
    page!("big-values.md", "big_values.rs");
}

#[test]
fn log_a_reading() {
    use log_a_reading::{Fate, log};
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(
                "create temp table reading (device int, seq bigint, celsius real check (celsius < 200),
                primary key (device, seq))",
            )
            .unwrap();
            for seq in [1, 2, 2, 3] {
                assert_eq!(log(c, 7, seq, 21.5), Fate::Stored);
            }
            assert_eq!(log(c, 7, 4, 1000.0), Fate::SetAside);
            // What is not the reading's fault passes.
            c.batch_execute("alter table reading rename to away").unwrap();
            assert_eq!(log(c, 7, 5, 20.0), Fate::KeepIt);
            c.batch_execute("alter table away rename to reading").unwrap();
            let row = c.query_one("select count(*), min(celsius) from reading", ()).unwrap();
            assert_eq!(row.decode::<(i64, f32)>(), Ok((3, 21.5)));
        });
    });
}

#[test]
fn read_a_recipe() {
    use read_a_recipe::{Step, recipe};
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute(
                "create temp table recipe (id int, name text);
                create temp table step (recipe int, position int, celsius real, seconds int);
                insert into recipe values (1, 'bread'), (2, 'pizza');
                insert into step values (1, 2, 180, null), (1, 1, 220.5, 600), (2, 1, 300, 90)",
            )
            .unwrap();
            let mut steps = [Step::default(); 4];
            assert_eq!(recipe(c, "bread", &mut steps), Ok(Some(2)));
            assert_eq!(steps[0], Step { celsius: 220.5, seconds: 600 });
            assert_eq!(steps[1], Step { celsius: 180.0, seconds: 60 });
            assert_eq!(recipe(c, "cake", &mut steps), Ok(None));
            assert_eq!(recipe(c, "bread", &mut steps[..1]), Ok(Some(2)));
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
            let samples = (0..10_000).map(|n| Sample {
                at: Timestamp::from_unix_micros(1_000_000 * n).unwrap(),
                sensor: 3,
                value: (n % 10 != 0).then_some(0.5),
            });
            assert_eq!(upload(c, samples), Ok(10_000));
            let sql = "select count(value), max(at) - min(at) = '9999 s' from sample";
            let row = c.query_one(sql, ()).unwrap();
            assert_eq!(row.decode::<(i64, bool)>(), Ok((9000, true)));
        });
    });
}

#[test]
fn wait_for_a_command() {
    on_each(|cluster| {
        let port = cluster.port();
        cluster.psql("test", "create table command (id serial, what text)");
        cluster.psql("test", "grant all on command to public; insert into command values (0, 'a')");
        let (bored, boredom) = mpsc::channel();
        let server = cluster.cluster();
        let sender = std::thread::spawn(move || {
            boredom.recv_timeout(Duration::from_secs(30)).expect("a wait without a command");
            server.psql("test", "insert into command values (1, 'b'); notify command");
            server.psql("test", "insert into command values (2, 'end'); notify command");
        });
        let obeyed = Cell::new(0);
        with_session(port, role("scram_user"), |c| {
            let obey = |what: &str| {
                obeyed.set(obeyed.get() + 1);
                what != "end"
            };
            wait_for_a_command::serve(c, obey, || bored.send(()).unwrap_or(())).unwrap();
        });
        sender.join().unwrap();
        assert_eq!(obeyed.get(), 3);
        cluster.psql("test", "drop table command");
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
