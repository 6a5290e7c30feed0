//! Every type against what real servers print, in both directions: what the server sends is read
//! and printed here, what is sent is printed there, alone, with NULLs in an array, and as text.

#[path = "../common/mod.rs"]
mod common;

mod compound;
mod copied;
mod datetime;
mod number;
mod parameters;
mod rows;
mod scalar;
mod table;

use barepg::{Client, Config, Connection, Storage};
use barepg_testkit::pg;

use common::{Host, role, tcp};

/// The major versions the tables are compared with.
const MAJORS: [u16; 2] = [15, 18];

/// What a test needs of one server: two sessions, because a value that is lent from a row of the
/// first is sent as it is by the second.
pub struct Server<'s, 'c, 'b> {
    pub major: u16,
    /// It is an openGauss before that version.
    pub gauss: bool,
    pub first: &'s mut Connection<'c, 'b>,
    pub second: &'s mut Connection<'c, 'b>,
}

/// Runs `test` on each server, with types of its own made; then at an openGauss.
fn on_each(test: impl Fn(&mut Server<'_, '_, '_>)) {
    on_majors(&MAJORS, test);
}

/// The same on servers of these versions.
fn on_majors(majors: &[u16], test: impl Fn(&mut Server<'_, '_, '_>)) {
    for &major in majors {
        println!("PostgreSQL {major}");
        let cluster = pg::shared(major);
        prepare(cluster);
        on(cluster.port(), role("trust_user"), (major, false), &test);
    }
    at_opengauss(test);
}

/// Runs `test` at the openGauss front.
#[cfg(feature = "opengauss")]
fn at_opengauss(test: impl Fn(&mut Server<'_, '_, '_>)) {
    use barepg_testkit::gauss::{Front, Hba, Kind, Options, PASSWORD, User};
    println!("openGauss");
    let mut options = Options::before(pg::shared(15));
    options.users = vec![User::new("quick", PASSWORD, Kind::Sha256, 2048, Hba::Sha256)];
    // Compatibility PG: with A an empty string is NULL, and a date has hours; `tests/opengauss` has
    // that.
    options.empty_is_null = false;
    let front = Front::start(options);
    let config = Config::new().user("quick").password(PASSWORD).dbname("test");
    on(front.port(), config, (15, true), &test);
}

#[cfg(not(feature = "opengauss"))]
fn at_opengauss(_: impl Fn(&mut Server<'_, '_, '_>)) {}

fn on(
    port: u16,
    config: Config<'_>,
    (major, gauss): (u16, bool),
    test: &impl Fn(&mut Server<'_, '_, '_>),
) {
    let mut storage = [Storage::<16384, 4096>::new(), Storage::<16384, 4096>::new()];
    let mut clients =
        storage.each_mut().map(|storage| Client::new(storage.buffers(), &config, &Host));
    let [first, second] = clients.each_mut();
    let mut first = first.connect(tcp(port)).unwrap();
    let mut second = second.connect(tcp(port)).unwrap();
    for session in [&mut first, &mut second] {
        session.batch_execute("set timezone = 'UTC'").unwrap();
    }
    test(&mut Server { major, gauss, first: &mut first, second: &mut second });
    first.close().unwrap();
    second.close().unwrap();
}

/// Makes the types that only an administrator may, once.
fn prepare(cluster: &pg::Cluster) {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    cluster.psql(
        "test",
        "set client_min_messages = error;
         create extension if not exists citext;
         create extension if not exists hstore;
         create extension if not exists ltree;
         do $$ begin
           if to_regtype('mood') is null then
             create type mood as enum ('sad', 'ok', 'happy');
             create type reading as (at timestamptz, value numeric, note text);
             create domain percent as int check (value between 0 and 100);
             create type float4_range as range (subtype = float4);
           end if;
         end $$",
    );
}
