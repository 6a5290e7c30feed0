//! Power and links that are cut at random bytes: of writes and erasures of the flash, in both
//! directions of the link, and between pooler and server. What is in the table is what was pushed.
//!
//! `BAREPG_CUTS` is the number of cuts (`cargo xtask cuts` sets it), `BAREPG_SEED` the seed.

use std::collections::{BTreeMap, BTreeSet};

use barepg::outbox::{Full, Options, Outbox};
use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
use barepg_testkit::flash::Flash;
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::pgbouncer::{self, PgBouncer};
use barepg_testkit::random::Random;

use crate::device::{INSERT, create, options, with_outbox, with_session};

/// Cuts in all, unless the environment says otherwise.
const CUTS: u64 = 510;

/// One row in so many breaks a constraint.
const POISON: u64 = 90;

type Memory = Flash<4, 1024>;

#[test]
fn device_cut_server() {
    let cluster = pg::shared(15);
    let relay = Relay::start(cluster.port()).unwrap();
    let port = relay.port();
    Place { name: "device | server", database: "outbox_a", cluster, relay, pooler: None, port }
        .run();
}

#[test]
fn device_cut_pooler_server() {
    let cluster = pg::shared(15);
    let pooler = PgBouncer::start_with(cluster, &pgbouncer::Options::default());
    let relay = Relay::start(pooler.port()).unwrap();
    let (name, port) = ("device | pooler - server", relay.port());
    Place { name, database: "outbox_b", cluster, relay, pooler: Some(pooler), port }.run();
}

#[test]
fn device_pooler_cut_server() {
    let cluster = pg::shared(15);
    let relay = Relay::start(cluster.port()).unwrap();
    let options = pgbouncer::Options {
        upstream: Some(relay.port()),
        // The pause after a failed login of its own; 15 s by default.
        extra: vec!["server_login_retry = 0.05".to_string()],
        ..pgbouncer::Options::default()
    };
    let pooler = PgBouncer::start_with(cluster, &options);
    let (name, port) = ("device - pooler | server", pooler.port());
    Place { name, database: "outbox_c", cluster, relay, pooler: Some(pooler), port }.run();
}

/// When it is full, rows are refused and not given up.
fn keeping() -> Options<'static> {
    options().full(Full::Refuse)
}

/// Where the links are cut.
struct Place {
    name: &'static str,
    database: &'static str,
    cluster: &'static Cluster,
    relay: Relay,
    #[allow(dead_code, reason = "it lives as long")]
    pooler: Option<PgBouncer>,
    /// Where the device connects to.
    port: u16,
}

/// What was pushed.
#[derive(Default)]
struct Pushed {
    /// Values of the rows that are safe, by key.
    safe: BTreeMap<i64, i32>,
    /// The last key.
    last: Option<i64>,
    /// Those that the server must refuse.
    poison: BTreeSet<i64>,
    /// Values of rows whose push was cut.
    cut: BTreeSet<i32>,
    count: i32,
}

impl Pushed {
    /// Pushes some rows, until power fails.
    fn push(&mut self, outbox: &mut Outbox<'_, &mut Memory>, random: &mut Random) {
        for _ in 0..random.below(16) {
            self.count += 1;
            let is_poison = random.below(POISON) == 0;
            let value = if is_poison { -self.count } else { self.count };
            let note = "x".repeat(random.below(60) as usize);
            match outbox.push(&INSERT, (value, &*note)) {
                Ok(key) => {
                    assert!(self.last < Some(key), "{key} after {:?}", self.last);
                    self.last = Some(key);
                    self.safe.insert(key, value);
                    if is_poison {
                        self.poison.insert(key);
                    }
                }
                // Full, or without power.
                Err(_) => {
                    self.cut.insert(value);
                    break;
                }
            }
        }
    }
}

impl Place {
    fn run(self) {
        let cuts = number("BAREPG_CUTS").unwrap_or(CUTS).div_ceil(3);
        let seed = number("BAREPG_SEED").unwrap_or(1);
        let Self { database, cluster, .. } = self;
        create(cluster, database);
        let (mut random, mut pushed) = (Random(seed), Pushed::default());
        let mut flash = Memory::new(34, seed);
        let (mut links, mut refused) = (0, BTreeSet::new());
        while links + flash.cuts().0 + flash.cuts().1 < cuts {
            flash.start();
            // Power, the link, or either, whichever comes first.
            let kind = random.below(3);
            if kind != 0 {
                let most = random.pick(&[200, 1500, 12_000]);
                flash.arm(1 + random.below(most));
            }
            if kind != 1 {
                self.relay.arm(Cut {
                    direction: random.pick(&[Direction::ToServer, Direction::ToClient]),
                    after: random.below(4000),
                    ending: random.pick(&[Ending::End, Ending::Reset]),
                });
            }
            // Without power nothing is known of what came of it.
            let _ = with_outbox(&mut flash, keeping(), |outbox| {
                pushed.push(outbox, &mut random);
                for _ in 0..1 + random.below(3) {
                    let _ = with_session(self.port, database, |conn| {
                        while outbox.send(conn)? {
                            pushed.push(outbox, &mut random);
                        }
                        Ok(())
                    });
                    while let Ok(Some(aside)) = outbox.next_aside() {
                        refused.insert(aside.key);
                        if outbox.discard_aside().is_err() {
                            break;
                        }
                    }
                    pushed.push(outbox, &mut random);
                }
            });
            // Of a relay that is armed no more the cut has come.
            links += u64::from(kind != 1 && self.relay.disarm());
        }
        flash.start();
        self.settle(&mut flash, &mut pushed, &mut refused);
        let (writing, erasing) = flash.cuts();
        println!(
            "{}: {links} links cut, power cut {writing} times while writing and {erasing} while \
             erasing, seed {seed}: {} rows, {} refused",
            self.name,
            pushed.safe.len(),
            refused.len()
        );
        self.compare(&pushed, &refused);
    }

    /// Everything that waits is sent.
    fn settle(&self, flash: &mut Memory, pushed: &mut Pushed, refused: &mut BTreeSet<i64>) {
        with_outbox(flash, keeping(), |outbox| {
            for attempt in 0.. {
                let sent = with_session(self.port, self.database, |conn| outbox.drain(conn));
                match sent {
                    Ok(_) => break,
                    // A pooler may still hold a server connection that the last cut has ended.
                    Err(error) => assert!(attempt < 20, "{}: {error}", self.name),
                }
            }
            assert_eq!(outbox.waiting(), 0);
            while let Some(aside) = outbox.next_aside().unwrap() {
                refused.insert(aside.key);
                assert!(outbox.discard_aside().unwrap());
            }
            let counters = outbox.counters();
            assert_eq!((counters.dropped, counters.swallowed), (0, 0));
        })
        .unwrap();
        assert!(pushed.count > 100);
    }

    fn compare(&self, pushed: &Pushed, refused: &BTreeSet<i64>) {
        let sql = "select key, value from reading order by arrived";
        let found = self.cluster.psql(self.database, sql);
        let (mut there, mut last) = (BTreeMap::new(), None);
        for line in found.lines() {
            let (key, value) = line.split_once('|').unwrap();
            let (key, value): (i64, i32) = (key.parse().unwrap(), value.parse().unwrap());
            // A row whose push was cut may read as whole only later: it was never promised.
            if pushed.safe.contains_key(&key) {
                assert!(last < Some(key), "{}: {key} arrived after {last:?}", self.name);
                last = Some(key);
            }
            there.insert(key, value);
        }
        let (mut lost, mut wrong) = (0, 0);
        for (key, value) in &pushed.safe {
            let is_refused = refused.contains(key);
            match there.get(key) {
                Some(found) => wrong += u32::from(found != value || is_refused),
                None => lost += u32::from(!is_refused),
            }
            let is_poison = pushed.poison.contains(key);
            assert!(!is_poison || is_refused, "{}: {key} is neither here nor there", self.name);
        }
        // What was not pushed is there only if its push was cut.
        let extra = there.iter().filter(|(key, _)| !pushed.safe.contains_key(*key));
        let doubled = extra.filter(|(_, value)| !pushed.cut.contains(*value)).count();
        let values: BTreeSet<_> = there.values().collect();
        assert_eq!(values.len(), there.len(), "{}: a value is there twice", self.name);
        assert_eq!((lost, wrong, doubled), (0, 0, 0), "{}: lost, wrong, doubled", self.name);
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}
