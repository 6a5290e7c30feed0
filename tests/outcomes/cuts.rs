//! Links that are cut at a random byte, before and after a pooler too.
//!
//! `BAREPG_CUTS` is the number of links (`cargo xtask cuts` sets it), `BAREPG_SEED` the seed.

use std::collections::HashMap;

use barepg::{Connection, Error, Outcome};
use barepg_testkit::cut::{Count, Cut, Direction, Ending, Relay};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::pgbouncer::{self, PgBouncer};
use barepg_testkit::random::Random;

use crate::ledger::Ledger;
use crate::session::with_session;
use crate::verbs::{SCHEMA, WORK, Work, is_dead};

/// Links in all, unless the environment says otherwise.
const LINKS: u64 = 360;

/// Faults that are printed.
const SHOWN: usize = 60;

#[test]
fn driver_cut_server() {
    let cluster = pg::shared(15);
    let relay = Relay::start(cluster.port()).unwrap();
    let port = relay.port();
    Place { name: "driver | server", database: "cuts_a", cluster, relay, pooler: None, port }.run();
}

#[test]
fn driver_cut_pooler_server() {
    let cluster = pg::shared(15);
    let pooler = PgBouncer::start_with(cluster, &pgbouncer::Options::default());
    let relay = Relay::start(pooler.port()).unwrap();
    let (name, port) = ("driver | pooler - server", relay.port());
    Place { name, database: "cuts_b", cluster, relay, pooler: Some(pooler), port }.run();
}

#[test]
fn driver_pooler_cut_server() {
    let cluster = pg::shared(15);
    let relay = Relay::start(cluster.port()).unwrap();
    let options = pgbouncer::Options {
        upstream: Some(relay.port()),
        // The pause after a failed login of its own; 15 s by default.
        extra: vec!["server_login_retry = 1".to_string()],
        ..pgbouncer::Options::default()
    };
    let pooler = PgBouncer::start_with(cluster, &options);
    let (name, port) = ("driver - pooler | server", pooler.port());
    Place { name, database: "cuts_c", cluster, relay, pooler: Some(pooler), port }.run();
}

/// Where the links are cut.
struct Place {
    name: &'static str,
    database: &'static str,
    cluster: &'static Cluster,
    relay: Relay,
    pooler: Option<PgBouncer>,
    /// Where the driver connects to.
    port: u16,
}

impl Place {
    fn run(self) {
        let links = number("BAREPG_CUTS").unwrap_or(LINKS).div_ceil(3);
        let seed = number("BAREPG_SEED").unwrap_or(1);
        let Self { name, database, cluster, .. } = self;
        cluster.psql("postgres", &format!("create database {database}"));
        cluster.psql(database, SCHEMA);
        let (mut ledger, mut random) = (Ledger::new(seed), Random(seed));
        // How long each kind of work is, in bytes.
        let whole: Vec<Count> = WORK
            .iter()
            .map(|work| {
                ledger.begin(format!("{name}, {}, not cut", work.name));
                self.work(work, None, &mut ledger)
            })
            .collect();
        let mut outcomes = HashMap::<String, u32>::new();
        for n in 0..links {
            let (work, whole) = WORK.iter().zip(&whole).nth(n as usize % WORK.len()).unwrap();
            let direction = random.pick(&[Direction::ToServer, Direction::ToClient]);
            let bytes = match direction {
                Direction::ToServer => whole.to_server,
                Direction::ToClient => whole.to_client,
            };
            let ending = random.pick(&[Ending::End, Ending::Reset]);
            // Before the first byte and among the last ones more often than by chance.
            let after = match random.below(8) {
                0 => 0,
                1 => bytes - random.below(bytes.clamp(1, 20)),
                _ => random.below(bytes + 1),
            };
            let cut = Cut { direction, after, ending };
            ledger.begin(format!(
                "{name}, {}, {ending:?} {direction:?} after {after} of {bytes}",
                work.name
            ));
            self.work(work, Some(cut), &mut ledger);
            let outcome =
                ledger.first.map_or("Ok".into(), |error| format!("{:?}", error.outcome()));
            *outcomes.entry(outcome).or_default() += 1;
        }
        println!("{name}: {links} links cut, seed {seed}: {outcomes:?}");
        self.settle(&ledger);
    }

    /// Does the work on a link that is cut, and says what went over it.
    fn work(&self, work: &Work, cut: Option<Cut>, ledger: &mut Ledger) -> Count {
        // A pooler may still hold a server connection that the last cut has ended.
        for attempt in 0.. {
            let done = with_session(self.port, self.database, |c| {
                c.query_one("select 1", ()).map(drop)?;
                Ok::<_, Error>(self.cut(work, cut, c, ledger))
            });
            match done {
                Ok(count) => return count,
                Err(error) => assert!(attempt < 5, "{}: {error}", self.name),
            }
        }
        unreachable!()
    }

    fn cut(&self, work: &Work, cut: Option<Cut>, c: &mut Connection, ledger: &mut Ledger) -> Count {
        self.relay.disarm();
        if let Some(cut) = cut {
            self.relay.arm(cut);
        }
        (work.run)(c, ledger);
        let count = self.relay.count();
        if let Some(error) = ledger.last {
            if c.is_usable() != error.is_usable() {
                ledger.fault(format!("{error}, but is_usable says {}", c.is_usable()));
            }
            if !c.is_usable()
                && let Err(then) = is_dead(c)
            {
                ledger.fault(format!("{error}, and then {then:?}"));
            }
        }
        let first = ledger.first.map(|error| error.outcome());
        let pooled = self.pooler.as_ref().is_some_and(|pooler| pooler.port() == self.port);
        if work.single && first == Some(Outcome::NotSent) && count.from_client > 0 && !pooled {
            ledger.fault(format!("NotSent, and {} bytes were sent", count.from_client));
        }
        let fails = work.name.contains("fails") || work.name.contains("refused");
        if let (None, Some(error), false) = (cut, ledger.first, fails) {
            ledger.fault(format!("it does not work: {error}"));
        }
        self.relay.disarm();
        count
    }

    /// Ends all sessions, and compares.
    fn settle(self, ledger: &Ledger) {
        let Self { cluster, database, relay, pooler, .. } = self;
        drop((relay, pooler));
        cluster.wait_until(&format!(
            "select not exists (select from pg_stat_activity where datname = '{database}')"
        ));
        let found = cluster.psql(database, "select key, count(*) from work group by key");
        let found: HashMap<i64, i64> = found
            .lines()
            .map(|line| {
                let (key, count) = line.split_once('|').unwrap();
                (key.parse().unwrap(), count.parse().unwrap())
            })
            .collect();
        let mut wrong = ledger.lies(|key| found.get(&key).copied().unwrap_or(0));
        let lies = wrong.len();
        wrong.extend(ledger.faults.iter().take(SHOWN).cloned());
        let faults = ledger.faults.len();
        assert!(wrong.is_empty(), "{lies} lies, {faults} faults\n{}", wrong.join("\n"));
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}
