//! Wait for a command: none is lost, none is obeyed twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use barepg::host::SystemPlatform;
use barepg::outbox::{Options, Outbox};
use barepg_testkit::flash::Flash;
use barepg_testkit::random::Random;

use crate::plant::{Plant, QUICK};
use crate::wait_for_a_command::{AT_OPENGAUSS, Pump, STATEMENTS};

type Memory = Flash<4, 1024>;

const SCHEMA: &str = "create table command (id serial primary key, device int, what text);
    create table report (device int, key bigint, command int references command, what text,
        at timestamptz default now(), primary key (device, key));
    create trigger calm before insert on report for each row execute function calm_row()";

fn give(plant: &Plant, count: u32) {
    for _ in 0..count {
        plant.psql("insert into command (device, what) select 7, nextval('word'); notify command");
    }
}

/// Serves until there is nothing left to do, or power fails. Returns what was obeyed.
fn serve(plant: &Plant, flash: &mut Memory, each: &dyn Fn(u32), turns: u32) -> Vec<u32> {
    let mut buffer = [0; 128];
    let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,));
    let options = options.sole_session(true);
    let platform = SystemPlatform::new();
    let Ok(outbox) = Outbox::open(flash, &mut buffer, options, &platform) else {
        return Vec::new();
    };
    let (obeyed, dead, first) = (RefCell::new(Vec::new()), Cell::new(false), plant.turns());
    let obey = |what: &str| obeyed.borrow_mut().push(what.parse().unwrap());
    let meanwhile = || {
        let goes_on = plant.turn();
        let turn = plant.turns() - first;
        if goes_on {
            each(turn);
        }
        assert!(turn < 20_000, "{}", plant.psql("table report"));
        let open = "select count(*) from command where not exists (select from report
            where command = command.id)";
        dead.get() || turn > turns && plant.psql(open) == "0"
    };
    let report = |pause: &barepg::Pause<'_>| {
        plant.report(pause);
        dead.set(pause.error.is_some_and(|error| error.to_string().contains("flash")));
    };
    let mut pump = Pump { device: 7, outbox, obey: &obey, meanwhile: &meanwhile, report: &report };
    plant.with_client(|client, dialler| pump.run(client, dialler, QUICK));
    obeyed.into_inner()
}

#[test]
fn commands_are_obeyed_once_whatever_happens() {
    let plant = Plant::new("guide_command", "report", SCHEMA);
    plant.psql("create sequence word");
    let mut flash = Memory::new(16, 1);
    give(&plant, 2);
    let each = |turn: u32| {
        if turn % 10 == 5 && turn < 250 {
            give(&plant, 1);
        }
    };
    let mut obeyed = serve(&plant, &mut flash, &each, 260);
    plant.was_broken();
    // A reset with the flash kept; then one with the flash erased, after everything was reported.
    give(&plant, 3);
    obeyed.extend(serve(&plant, &mut flash, &|_| (), 5));
    give(&plant, 3);
    obeyed.extend(serve(&plant, &mut Memory::new(16, 2), &|_| (), 5));
    let given: u32 = plant.psql("select count(*) from command").parse().unwrap();
    assert_eq!(obeyed, (1..=given).collect::<Vec<_>>());
    let settle = serve(&plant, &mut flash, &|_| (), 5);
    assert!(settle.is_empty(), "{settle:?}");
}

#[test]
fn power_that_fails_repeats_no_command() {
    let plant = Plant::new("guide_pump", "report", SCHEMA);
    plant.psql("create sequence word");
    let (mut flash, mut random) = (Memory::new(16, 1), Random(3));
    let mut obeyed = Vec::new();
    for _ in 0..25 {
        give(&plant, 2);
        flash.start();
        flash.arm(1 + random.below(300));
        obeyed.extend(serve(&plant, &mut flash, &|_| (), 1));
    }
    flash.start();
    obeyed.extend(serve(&plant, &mut flash, &|_| (), 1));
    let (writing, erasing) = flash.cuts();
    assert!(writing + erasing > 10);
    let once: BTreeSet<_> = obeyed.iter().copied().collect();
    assert_eq!(once.len(), obeyed.len(), "obeyed twice: {obeyed:?}");
    // What was begun and not obeyed, or not reported as done, can be seen: a person looks after it.
    let given: u32 = plant.psql("select count(*) from command").parse().unwrap();
    let begun: u32 = plant.psql("select count(distinct command) from report").parse().unwrap();
    assert_eq!(begun, given, "a command is lost");
    let done = plant.psql("select count(distinct command) from report where what = 'done'");
    let done: u32 = done.parse().unwrap();
    assert!(given - done <= (writing + erasing) as u32);
    assert!(once.len() as u32 >= done);
}

#[test]
#[cfg(feature = "opengauss")]
fn at_opengauss_the_table_is_looked_at() {
    use barepg_testkit::{gauss, pg};

    let cluster = pg::shared(15);
    cluster.psql(
        "test",
        "create table command (id serial primary key, device int, what text);
        create table report (device int, key bigint, command int, what text,
            primary key (device, key));
        grant all on command, report to public",
    );
    let front = gauss::Front::start(gauss::Options::before(cluster));
    let port = front.port().to_string();
    let config = barepg::Config::new().host("127.0.0.1").port(&port).dbname("test");
    let config = config.user("sha256_2048_user").password(gauss::PASSWORD);
    let (mut flash, mut buffer) = (Memory::new(16, 6), [0; 128]);
    let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,));
    let outbox = Outbox::open(&mut flash, &mut buffer, options, &SystemPlatform::new()).unwrap();
    let (obeyed, turns) = (RefCell::new(Vec::<u32>::new()), Cell::new(0));
    let obey = |what: &str| obeyed.borrow_mut().push(what.parse().unwrap());
    let meanwhile = || {
        turns.set(turns.get() + 1);
        if turns.get() <= 3 {
            let sql = format!("insert into command (device, what) values (7, '{}')", turns.get());
            cluster.psql("test", &sql);
        }
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert!(turns.get() < 5000, "{obeyed:?}");
        obeyed.borrow().len() == 3
    };
    let (meanwhile, report) = (&meanwhile, &|_: &barepg::Pause<'_>| ());
    let mut pump = Pump { device: 7, outbox, obey: &obey, meanwhile, report };
    crate::plant::with_client(config, |client, dialler| pump.run(client, dialler, QUICK));
    let reports = "select string_agg(command || ' ' || what, ',' order by key) from report";
    let found = cluster.psql("test", reports);
    cluster.psql("test", "drop table command, report");
    assert_eq!(obeyed.into_inner(), [1, 2, 3]);
    assert_eq!(found, "1 begun,1 done,2 begun,2 done,3 begun,3 done");
}
