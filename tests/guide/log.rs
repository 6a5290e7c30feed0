//! Log a reading: nothing is lost, doubled or out of order.

use std::cell::Cell;
use std::ops::Range;

use barepg::host::{Dialler, SystemPlatform};
use barepg::outbox::{NorFlash, Options, Outbox};
use barepg::{Client, Config, NoEntropy, Platform, Storage};
use barepg_testkit::flash::Flash;
use embedded_storage::nor_flash::{ErrorType, ReadNorFlash};

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
    flash: impl NorFlash,
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

/// A flash that is worn out here and there: every ninth write leaves a byte as it was.
struct Worn(Memory, u32);

impl ErrorType for Worn {
    type Error = <Memory as ErrorType>::Error;
}

impl ReadNorFlash for Worn {
    const READ_SIZE: usize = Memory::READ_SIZE;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }
}

impl NorFlash for Worn {
    const WRITE_SIZE: usize = Memory::WRITE_SIZE;
    const ERASE_SIZE: usize = Memory::ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        self.0.erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.1 += 1;
        let mut bytes = bytes.to_vec();
        if self.1.is_multiple_of(9) {
            bytes[0] = 0xff;
        }
        self.0.write(offset, &bytes)
    }
}

#[test]
fn no_reading_is_lost_with_a_word_that_is_worn_out() {
    let plant = Plant::new("guide_worn", "reading", SCHEMA);
    plant.with_client(|client, dialler| {
        device(client, dialler, Worn(Memory::new(16, 4), 0), 0..60, &|| (), &|_| ());
    });
    assert_eq!(plant.psql(STORED), all(0..60));
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
    let config = Config::new().host("127.0.0.1").port(&port).dbname("test");
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

/// A platform whose `idle` takes samples.
struct Sampling<'s> {
    platform: SystemPlatform,
    samples: &'s Samples,
    next_ms: Cell<u64>,
    taken: Cell<u32>,
}

/// Milliseconds between two samples.
const EVERY_MS: u64 = 100;

impl Platform for Sampling<'_> {
    fn now_ms(&self) -> u64 {
        self.platform.now_ms()
    }

    fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
        self.platform.entropy(buf)
    }

    fn idle(&self) {
        self.platform.idle();
        if self.now_ms() >= self.next_ms.get() {
            assert!(self.samples.put((1_700_000_000 + self.taken.get(), 20.0)), "no room");
            self.taken.set(self.taken.get() + 1);
            self.next_ms.set(self.now_ms() + EVERY_MS);
        }
    }
}

#[test]
fn samples_are_taken_while_a_login_waits() {
    let plant = Plant::new("guide_meanwhile", "reading", SCHEMA);
    let silent = barepg_testkit::faults::silent().unwrap();
    let ports = format!("{},{}", silent.port(), plant.relay.port());
    // Two seconds of nothing, then a server.
    let config = Config::new().host("127.0.0.1,127.0.0.1").port(&ports).user("trust_user");
    let config = config.dbname("guide_meanwhile").connect_timeout_ms(2000);
    let config = config.dialect(barepg::Dialect::PostgreSql);
    let (queue, mut buffer, mut storage) = (Samples::new(), [0; 128], Storage::<512, 512>::new());
    let platform = Sampling {
        platform: SystemPlatform::new(),
        samples: &queue,
        next_ms: Cell::new(0),
        taken: Cell::new(0),
    };
    let mut memory = Memory::new(16, 4);
    let options = Options::new(STATEMENTS).device(&(7_i32,));
    let outbox = Outbox::open(&mut memory, &mut buffer, options, &platform).unwrap();
    let mut client = Client::new(storage.buffers(), &config, &platform);
    let safe = Cell::new(0);
    let first = Cell::new(None);
    let kept = |_, key: barepg::Result<i64>| {
        key.unwrap();
        safe.set(safe.get() + 1);
    };
    let rest = |waiting| {
        // The first rest is after the login.
        first.set(first.get().or(Some(platform.taken.get())));
        waiting == 0 && queue.is_empty()
    };
    let mut logger = Logger { outbox, samples: &queue, kept: &kept, rest: &rest, report: &|_| () };
    logger.run(&mut client, &mut Dialler::new(), QUICK);
    // Twenty were due while the login waited; a machine may be busy.
    assert!(first.get().unwrap() >= 5, "{first:?}");
    assert!(safe.get() >= first.get().unwrap());
    assert_eq!(plant.psql(STORED), all(0..safe.get()));
}
