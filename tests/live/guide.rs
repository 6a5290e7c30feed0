//! The code of the guide's pages, run; and the pages, which show exactly that code.

mod big_values;
mod bulk_upload;
#[cfg(feature = "outbox")]
mod log_a_reading;
mod read_a_recipe;
mod wait_for_a_command;

use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use barepg::types::Timestamp;
#[cfg(feature = "outbox")]
use barepg_testkit::cut::{Cut, Direction, Ending};

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

/// Without pauses that a test would wait for.
#[cfg(feature = "outbox")]
const QUICK: barepg::Policy = {
    let pause = barepg::Backoff { first_ms: 20, spread_ms: 20, steady: 9, longest_ms: 100 };
    barepg::Policy { lost: pause, overloaded: pause, hopeless: pause, cancel: true }
};

/// A device that logs until everything that it has sampled is at the server; `trouble` is done to the
/// server in the middle. Returns the errors that were reported.
#[cfg(feature = "outbox")]
fn device(
    port: u16,
    flash: &mut barepg_testkit::flash::Flash<4, 1024>,
    samples: std::ops::Range<u32>,
    trouble: &dyn Fn(u32),
    stored: &dyn Fn() -> usize,
) -> Vec<String> {
    use barepg::host::{Dialler, SystemPlatform};
    use barepg::outbox::{Options, Outbox};
    use barepg::{Client, Config, Dialect, Storage};
    use log_a_reading::{INSERT, Logger, Samples};
    let (platform, mut storage, port) =
        (SystemPlatform::new(), Storage::<512, 512>::new(), port.to_string());
    let config = Config::new().host("127.0.0.1").port(&port).user("trust_user").dbname("guide");
    let config = config.application_name("device 7").dialect(Dialect::PostgreSql);
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let (statements, queue, mut buffer) = ([&INSERT], Samples::new(), [0; 128]);
    let options = Options::new(&statements).device(&(7_i32,)).sole_session(true);
    let outbox = Outbox::open(flash, &mut buffer, options, &platform).unwrap();
    let (next, reports) = (Cell::new(samples.start), std::cell::RefCell::new(Vec::new()));
    let rest = |_| {
        std::thread::sleep(Duration::from_millis(3));
        if next.get() < samples.end {
            assert!(queue.put((1_700_000_000 + next.get(), 20.0)));
            trouble(next.get() - samples.start);
            next.set(next.get() + 1);
        }
        next.get() == samples.end && stored() >= samples.end as usize
    };
    let report = |pause: &barepg::Pause<'_>| {
        reports.borrow_mut().extend(pause.error.map(|error| error.to_string()));
    };
    let kept = |_, key: barepg::Result<i64>| assert!(key.is_ok(), "{key:?}");
    Logger { outbox, samples: &queue, kept: &kept, rest: &rest, report: &report }.run(
        &mut client,
        &mut Dialler::new(),
        QUICK,
    );
    reports.into_inner()
}

#[test]
#[cfg(feature = "outbox")]
fn log_a_reading() {
    let cluster = barepg_testkit::pg::shared(15);
    cluster.psql("postgres", "create database guide");
    cluster.psql(
        "guide",
        "create table reading (device integer, key bigint, at timestamptz, celsius real,
        arrived bigserial, primary key (device, key));
        create function no() returns trigger language plpgsql as
        $$ begin raise 'no' using errcode = (select code from trouble); end $$;
        create table trouble (code text);
        grant all on all tables in schema public to public;
        grant all on all sequences in schema public to public",
    );
    let relay = barepg_testkit::cut::Relay::start(cluster.port()).unwrap();
    let stored = || cluster.psql("guide", "select count(*) from reading").parse().unwrap();
    let mut flash = barepg_testkit::flash::Flash::<4, 1024>::new(16, 1);
    let raise = |code: &str| {
        cluster.psql(
            "guide",
            &format!(
                "insert into trouble values ('{code}');
            create trigger no before insert on reading for each row execute function no()"
            ),
        );
    };
    let relent = || {
        cluster.psql("guide", "drop trigger no on reading; delete from trouble");
    };
    // Whatever the server says for a moment, and whatever becomes of the link.
    let trouble = |n: u32| match n {
        20 => raise("53100"),
        60 => raise("57014"),
        100 => drop(cluster.psql("guide", "alter table reading rename to away")),
        130 => drop(cluster.psql("guide", "alter table away rename to reading")),
        40 | 80 => relent(),
        150 | 170 => {
            let (direction, ending) = (Direction::ToClient, Ending::Reset);
            relay.arm(Cut { direction, after: u64::from(n), ending });
        }
        _ => {}
    };
    let reports = device(relay.port(), &mut flash, 0..200, &trouble, &stored).join("\n");
    for code in ["53100", "57014", "42P01"] {
        assert!(reports.contains(code), "{code}: {reports}");
    }
    // A reset with the flash kept, and one with the flash erased.
    device(relay.port(), &mut flash, 200..250, &|_| (), &stored);
    let mut other = barepg_testkit::flash::Flash::<4, 1024>::new(16, 2);
    device(relay.port(), &mut other, 250..300, &|_| (), &stored);
    let sql = "select string_agg(n::text, ',' order by arrived) from
        (select arrived, extract(epoch from at)::int8 - 1700000000 as n from reading) as r";
    let all: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(cluster.psql("guide", sql), all.join(","));
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
