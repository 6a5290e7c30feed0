//! Log a reading: nothing is lost, doubled or out of order.

use std::cell::Cell;
use std::ops::Range;

use barepg::Client;
use barepg::host::{Dialler, SystemPlatform};
use barepg::outbox::{Options, Outbox};
use barepg_testkit::flash::Flash;

use crate::log_a_reading::{AT_OPENGAUSS, Logger, STATEMENTS, Samples};
use crate::plant::{Plant, QUICK};

const SCHEMA: &str =
    "create table reading (device integer, key bigint, at timestamptz, celsius real,
    arrived bigserial, primary key (device, key));
    create trigger calm before insert on reading for each row execute function calm_row()";

type Memory = Flash<4, 1024>;

/// A device that logs until everything that it has sampled is stored; `turn` is called in each turn.
fn device(
    client: &mut Client<'_>,
    dialler: &mut Dialler,
    flash: &mut Memory,
    samples: Range<u32>,
    turn: &dyn Fn(),
    report: &dyn Fn(&barepg::Pause<'_>),
) {
    let (queue, mut buffer) = (Samples::new(), [0; 128]);
    let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,));
    let options = options.sole_session(true);
    let outbox = Outbox::open(flash, &mut buffer, options, &SystemPlatform::new()).unwrap();
    let (next, safe) = (Cell::new(samples.start), Cell::new(samples.start));
    let rest = |waiting| {
        turn();
        if next.get() < samples.end {
            assert!(queue.put((1_700_000_000 + next.get(), 20.0)));
            next.set(next.get() + 1);
        }
        safe.get() == samples.end && waiting == 0
    };
    let kept = |_, key: barepg::Result<i64>| {
        assert!(key.is_ok(), "{key:?}");
        safe.set(safe.get() + 1);
    };
    let mut logger = Logger { outbox, samples: &queue, kept: &kept, rest: &rest, report };
    logger.run(client, dialler, QUICK);
}

/// What is in the table, in the order of arrival.
const STORED: &str = "select string_agg(n::text, ',' order by arrived) from
    (select arrived, extract(epoch from at)::int8 - 1700000000 as n from reading) as r";

fn all(samples: Range<u32>) -> String {
    samples.map(|n| n.to_string()).collect::<Vec<_>>().join(",")
}

#[test]
fn readings_are_stored_whatever_happens() {
    let plant = Plant::new("guide_log", "reading", SCHEMA);
    let run = |flash: &mut Memory, samples| {
        plant.with_client(|client, dialler| {
            let report = |pause: &barepg::Pause<'_>| plant.report(pause);
            device(client, dialler, flash, samples, &|| _ = plant.turn(), &report);
        });
    };
    let mut flash = Memory::new(16, 1);
    run(&mut flash, 0..200);
    plant.was_broken();
    // A reset with the flash kept, and one with the flash erased.
    run(&mut flash, 200..250);
    run(&mut Memory::new(16, 2), 250..300);
    assert_eq!(plant.psql(STORED), all(0..300));
}

#[test]
#[cfg(feature = "opengauss")]
fn at_opengauss_too_where_the_statement_is_another_one() {
    use barepg_testkit::cut::Relay;
    use barepg_testkit::{gauss, pg};

    let cluster = pg::shared(15);
    let schema = "create table gauss_reading (device integer, key bigint, at timestamptz, celsius real,
        arrived bigserial, primary key (device, key));
        grant all on gauss_reading to public; grant all on all sequences in schema public to public";
    cluster.psql("test", &schema.replace("gauss_reading", "reading"));
    let front = gauss::Front::start(gauss::Options::before(cluster));
    let relay = Relay::start(front.port()).unwrap();
    let port = relay.port().to_string();
    let config = barepg::Config::new().host("127.0.0.1").port(&port).dbname("test");
    let config = config.user("sha256_2048_user").password(gauss::PASSWORD);
    let (turns, mut flash) = (Cell::new(0), Memory::new(16, 3));
    let cut = |turn: u32| {
        std::thread::sleep(std::time::Duration::from_millis(3));
        if turn % 30 == 20 {
            relay.arm(barepg_testkit::cut::Cut {
                direction: barepg_testkit::cut::Direction::ToClient,
                after: u64::from(turn) * 7 % 300,
                ending: barepg_testkit::cut::Ending::Reset,
            });
        }
        turns.set(turn + 1);
    };
    for samples in [0..60, 60..100] {
        let config = config.application_name("device 8");
        crate::plant::with_client(config, |client, dialler| {
            device(client, dialler, &mut flash, samples, &|| cut(turns.get()), &|_| ());
        });
    }
    let stored = cluster.psql("test", STORED);
    cluster.psql("test", "drop table reading");
    assert_eq!(stored, all(0..100));
}
