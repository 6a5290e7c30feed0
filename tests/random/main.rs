//! Random programs of every verb against a model of the server, with another client that looks at the
//! table after each call.
//!
//! `BAREPG_PROGRAMS` is the number of programs of each test, `BAREPG_SEED` the seed of the first.

mod answers;
mod guards;
mod noise;
mod odd;
mod program;
mod rows;
mod run;
mod server;
mod verbs;

use std::net::TcpStream;

use barepg::host::{Link, SystemPlatform};
use barepg::{Client, Config, Dialect, NotificationQueue, StaticStatements};
use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::pgbouncer::{self, PgBouncer, PoolMode};
use barepg_testkit::random::Random;

use noise::Noise;
use program::{Allowed, Generator, Step, shrink};
use rows::{PROCEDURE, Reader, SCHEMA};
use run::Run;
use verbs::On;

/// Programs of a test, unless the environment says otherwise.
const PROGRAMS: u64 = 100;

#[test]
fn oldest_server() {
    place(pg::shared(10), "random_oldest", false, None).run();
}

#[test]
fn usual_server() {
    place(pg::shared(15), "random_usual", false, None).run();
}

#[test]
fn newest_server() {
    place(pg::shared(18), "random_newest", false, None).run();
}

#[test]
fn bytes_in_pieces() {
    let mut place = place(pg::shared(15), "random_pieces", false, None);
    place.pieces = true;
    place.run();
}

#[test]
fn messages_between() {
    for (pieces, pool, name) in
        [(true, None, "random_noise"), (false, Some(PoolMode::Transaction), "random_noise_pooled")]
    {
        let mut place = place(pg::shared(15), name, false, pool);
        (place.noise, place.pieces) = (true, pieces);
        place.run();
    }
}

#[test]
fn links_that_are_cut() {
    place(pg::shared(15), "random_cut", true, None).run();
}

#[test]
fn pooled_sessions() {
    place(pg::shared(15), "random_sessions", false, Some(PoolMode::Session)).run();
}

#[test]
fn pooled_transactions() {
    place(pg::shared(15), "random_pooled", false, Some(PoolMode::Transaction)).run();
}

/// A cluster of its own, for a setting that needs a restart.
#[test]
fn prepared_transactions() {
    let extra_conf = vec!["max_prepared_transactions = 5".to_string()];
    let cluster = Cluster::start(pg::Options { extra_conf, ..pg::Options::default() });
    let mut place = place(Box::leak(Box::new(cluster)), "random_prepared", false, None);
    place.allowed.prepared = true;
    place.run();
}

#[test]
fn links_through_a_pooler_that_are_cut() {
    let mut place = place(pg::shared(15), "random_pooled_cut", true, None);
    let options = pgbouncer::Options {
        upstream: place.relay.as_ref().map(Relay::port),
        // The pause after a failed login of its own; 15 s by default.
        extra: vec!["server_login_retry = 1".to_string()],
        ..pgbouncer::Options::default()
    };
    place.pooler = Some(PgBouncer::start_with(place.cluster, &options));
    place.allowed.session = false;
    place.run();
}

struct Place {
    cluster: &'static Cluster,
    database: &'static str,
    relay: Option<Relay>,
    pooler: Option<PgBouncer>,
    allowed: Allowed,
    pieces: bool,
    noise: bool,
    reader: Reader,
    first: i64,
}

fn place(
    cluster: &'static Cluster,
    database: &'static str,
    cut: bool,
    pool: Option<PoolMode>,
) -> Place {
    cluster.psql("postgres", &format!("create database {database}"));
    cluster.psql(database, SCHEMA);
    if cluster.major() >= 12 {
        cluster.psql(database, PROCEDURE);
    }
    let session = pool != Some(PoolMode::Transaction);
    Place {
        cluster,
        database,
        relay: cut.then(|| Relay::start(cluster.port()).unwrap()),
        pooler: pool.map(|mode| {
            let options = pgbouncer::Options { mode, ..pgbouncer::Options::default() };
            PgBouncer::start_with(cluster, &options)
        }),
        allowed: Allowed { session, chain: cluster.major() >= 12, prepared: false },
        pieces: false,
        noise: false,
        reader: Reader::start(cluster, database),
        first: 0,
    }
}

impl Place {
    fn run(mut self) {
        let programs = number("BAREPG_PROGRAMS").unwrap_or(PROGRAMS);
        let seed = number("BAREPG_SEED").unwrap_or(1);
        let (mut wrong, mut excess) = (Vec::new(), 0);
        for seed in seed..seed + programs {
            let first = self.play(seed, None);
            excess += first.2;
            if first.0.is_empty() {
                continue;
            }
            let program = Generator::new(seed, 0, self.allowed).program();
            let program = shrink(program, |less| !self.play(seed, Some(less)).0.is_empty());
            let again = self.play(seed, Some(&program));
            // What does not come again is shown as it was.
            let (faults, log, _) = if again.0.is_empty() { first } else { again };
            wrong.push(format!(
                "seed {seed}: {program:?}\n  {}\n  {}",
                log.join("\n  "),
                faults.join("\n  ")
            ));
            if wrong.len() >= 5 {
                break;
            }
        }
        println!(
            "{}: {programs} programs from seed {seed}, {excess} times Unknown without need",
            self.database
        );
        assert!(wrong.is_empty(), "{} programs\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Faults, calls, outcomes that were Unknown without need.
    fn play(&mut self, seed: u64, steps: Option<&[Step]>) -> (Vec<String>, Vec<String>, u32) {
        if self.allowed.prepared {
            self.reader.ask("rollback prepared 'p'");
        }
        self.reader.ask("truncate work, child");
        let generated = Generator::new(seed, self.first, self.allowed).program();
        let steps = steps.unwrap_or(&generated);
        let mut random = Random(seed ^ 0x1234_5678);
        let sizes = random.pick(&[
            (512, 512),
            (512, 512),
            (200, 100),
            (256, 700),
            (4000, 3000),
            (96, 64),
            (97, 65),
            (103, 71),
            (128, 64),
            (131, 300),
            (150, 97),
        ]);
        let mut known = StaticStatements::new();
        let mut memory = vec![0; sizes.0 + sizes.1];
        let platform = SystemPlatform::new();
        let config =
            Config::new().user("trust_user").dbname(self.database).dialect(Dialect::PostgreSql);
        let buffers = barepg::Buffers::split(&mut memory, sizes.0);
        let mut client = Client::new(buffers, &config, &platform);
        if random.below(2) == 0 {
            client.set_static_statements(&mut known);
        }
        let mut notes = [0; 400];
        let mut queue = NotificationQueue::new(&mut notes);
        client.set_notification_queue(&mut queue);
        client.set_timeout_ms(8_000);
        let port = match (&self.relay, &self.pooler) {
            (_, Some(pooler)) => pooler.port(),
            (Some(relay), _) => relay.port(),
            _ => self.cluster.port(),
        };
        let link = Link::from_tcp(TcpStream::connect(("127.0.0.1", port)).unwrap()).unwrap();
        let noise = self.noise.then(|| Noise::new(random));
        let notifies = noise.as_ref().is_some_and(|noise| noise.notifies);
        let transport = Pieces { link, random: self.pieces.then_some(random), noise };
        let mut connection = match client.connect(transport) {
            Ok(connection) => connection,
            Err(error) => panic!("no session: {error}, seed {seed}"),
        };
        // A pooler may still hold a server connection that the last cut has ended.
        if connection.ping().is_err() {
            return (Vec::new(), Vec::new(), 0);
        }
        let pid = connection.backend_pid();
        if let Some(relay) = &self.relay {
            let direction = random.pick(&[Direction::ToServer, Direction::ToClient]);
            let ending = random.pick(&[Ending::End, Ending::Reset]);
            relay.arm(Cut { direction, after: random.below(3000), ending });
        }
        let pooled = self.pooler.is_some();
        let mut run = Run::new(&mut self.reader, self.first, self.relay.is_some(), pooled, pid);
        run.notifies = notifies;
        run.server.keeps_prepared = self.allowed.prepared;
        verbs::steps(&mut run, &mut On::Connection(&mut connection), steps);
        if !run.has_ended() {
            verbs::steps(&mut run, &mut On::Connection(&mut connection), &[Step::Ping, Step::Ping]);
        }
        drop(connection);
        if let Some(relay) = &self.relay {
            relay.disarm();
        }
        for _ in 0..3000 {
            if run.is_gone() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        run.settle();
        (run.faults, run.log, run.excess)
    }
}

/// A transport that moves a few bytes at a time.
struct Pieces {
    link: Link,
    random: Option<Random>,
    noise: Option<Noise>,
}

impl Pieces {
    fn most(&mut self, length: usize) -> usize {
        match &mut self.random {
            Some(random) => length.min(1 + random.below(40) as usize),
            None => length,
        }
    }
}

impl embedded_io::ErrorType for Pieces {
    type Error = <Link as embedded_io::ErrorType>::Error;
}

impl embedded_io::Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let most = self.most(buf.len());
        let Some(noise) = &mut self.noise else { return self.link.read(&mut buf[..most]) };
        if noise.is_empty() {
            let mut bytes = [0; 4096];
            let n = self.link.read(&mut bytes)?;
            noise.put(&bytes[..n]);
            if n == 0 {
                return Ok(0);
            }
            if noise.is_empty() {
                return Err(embedded_io::ErrorKind::TimedOut);
            }
        }
        Ok(noise.take(&mut buf[..most]))
    }
}

impl embedded_io::Write for Pieces {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        let most = self.most(buf.len());
        self.link.write(&buf[..most])
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.link.flush()
    }
}

impl embedded_io::ReadReady for Pieces {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        let arrived = self.noise.as_ref().is_some_and(|noise| !noise.is_empty());
        if arrived { Ok(true) } else { self.link.read_ready() }
    }
}

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable} is no number: {value}")))
}
