//! A database for a page's program, and the trouble that a program has in a year.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use barepg::host::{Dialler, SystemPlatform};
use barepg::{Backoff, Client, Config, Dialect, Pause, Policy, Storage};
use barepg_testkit::cut::{Cut, Direction, Ending, Relay};
use barepg_testkit::pg::{self, Cluster};
use barepg_testkit::random::Random;

/// Pauses that a test can wait for.
pub const QUICK: Policy = {
    let pause = Backoff { first_ms: 20, spread_ms: 20, steady: 9, longest_ms: 100 };
    Policy { lost: pause, overloaded: pause, hopeless: pause, ..Policy::DEFAULT }
};

/// What a server says for a moment: its disk is full, a statement took too long, a table is being replaced.
pub const CODES: [&str; 3] = ["53100", "57014", "42P01"];

pub struct Plant {
    pub cluster: &'static Cluster,
    database: &'static str,
    pub relay: Relay,
    /// A table or view that has another name for a moment.
    table: &'static str,
    turn: Cell<u32>,
    is_whole: Cell<bool>,
    random: RefCell<Random>,
    /// The errors that were reported.
    pub reports: RefCell<String>,
}

impl Plant {
    /// Statements whose tables call `calm()` (or have the trigger) fail while there is trouble. `table` is
    /// away for a moment.
    pub fn new(database: &'static str, table: &'static str, schema: &str) -> Self {
        let cluster = pg::shared(15);
        cluster.psql("postgres", &format!("create database {database}"));
        cluster.psql(
            database,
            "create table trouble (code text);
            create function calm() returns bool language plpgsql as $$ declare c text; begin
                select code into c from trouble;
                if found then raise 'not now' using errcode = c; end if; return true; end $$;
            create function calm_row() returns trigger language plpgsql as
                $$ begin perform calm(); return new; end $$",
        );
        cluster.psql(database, schema);
        cluster.psql(
            database,
            "grant all on all tables in schema public to public;
            grant all on all sequences in schema public to public",
        );
        let relay = Relay::start(cluster.port()).unwrap();
        let (turn, random) = (Cell::new(0), RefCell::new(Random(1)));
        let (is_whole, reports) = (Cell::new(false), RefCell::default());
        Self { cluster, database, relay, table, turn, is_whole, random, reports }
    }

    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(self.database, sql)
    }

    /// One turn of the program's loop: some milliseconds, and what happens to the server and the link.
    /// Each trouble lasts until the program has met it; when all is over, the link is cut now and then.
    /// `false`: nothing has changed, for the program has not met it yet.
    pub fn turn(&self) -> bool {
        std::thread::sleep(Duration::from_millis(3));
        let turn = self.turn.get();
        let met = |code: &str| self.reports.borrow().contains(code);
        let lasts = match turn {
            40 => !met(CODES[0]),
            80 => !met(CODES[1]),
            130 => !met(CODES[2]),
            _ => false,
        };
        if lasts {
            return false;
        }
        self.turn.set(turn + 1);
        let table = self.table;
        match turn {
            20 => drop(self.psql("insert into trouble values ('53100')")),
            60 => drop(self.psql("insert into trouble values ('57014')")),
            40 | 80 => drop(self.psql("delete from trouble")),
            100 => drop(self.psql(&format!("alter table {table} rename to away"))),
            130 => drop(self.psql(&format!("alter table away rename to {table}"))),
            _ if turn > 150 && turn.is_multiple_of(25) && !self.is_whole.get() => self.cut(),
            _ => {}
        }
        true
    }

    /// The link stays whole from now on, and what goes over it is counted.
    pub fn stop_cutting(&self) {
        self.is_whole.set(true);
        self.relay.disarm();
    }

    pub fn turns(&self) -> u32 {
        self.turn.get()
    }

    /// The link is cut somewhere in what goes over it next.
    pub fn cut(&self) {
        let random = &mut *self.random.borrow_mut();
        self.relay.arm(Cut {
            direction: random.pick(&[Direction::ToServer, Direction::ToClient]),
            after: random.below(1500),
            ending: random.pick(&[Ending::End, Ending::Reset]),
        });
    }

    pub fn report(&self, pause: &Pause<'_>) {
        if let Some(error) = pause.error {
            self.reports.borrow_mut().push_str(&format!("{error}\n"));
        }
    }

    /// All the trouble was met.
    pub fn was_broken(&self) {
        let reports = self.reports.borrow();
        for code in CODES {
            assert!(reports.contains(code), "{code}: {reports}");
        }
    }

    /// A client that reaches the database through the relay.
    pub fn with_client<R>(&self, f: impl FnOnce(&mut Client<'_>, &mut Dialler) -> R) -> R {
        let port = self.relay.port().to_string();
        let config = Config::new().host("127.0.0.1").port(&port).user("trust_user");
        let config = config.dbname(self.database).application_name("device 7");
        let config = config.dialect(Dialect::PostgreSql);
        with_client(config, f)
    }
}

pub fn with_client<R>(config: Config<'_>, f: impl FnOnce(&mut Client<'_>, &mut Dialler) -> R) -> R {
    let (platform, mut storage) = (SystemPlatform::new(), Storage::<512, 512>::new());
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_timeout_ms(20_000);
    f(&mut client, &mut Dialler::new())
}
