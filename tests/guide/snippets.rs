//! The code in the pages of `docs`: every block of Rust in them stands in this file, line by line, and is
//! compiled. The programs of `docs/guide` are files of their own.
#![allow(unused, clippy::all, clippy::pedantic, reason = "it is there to be compiled")]

use core::ops::ControlFlow;
use std::error::Error;

use barepg::outbox::{NorFlash, Outbox};
use barepg::types::oid;
use barepg::{
    Client, Config, Connection, HashHardware, KeyCache, Platform, Result, StaticStatement, Storage,
    Transport,
};

#[rustfmt::skip]
fn architecture<T: Transport>(board: impl Platform, transport: fn() -> T) -> Result<()> {
static CONFIG: Config = Config::new().user("logger").password("…").dbname("plant").host("db");

let mut storage: Storage<512, 512> = Storage::new();          // or Buffers::new(&mut rx, &mut tx)
let mut client = Client::new(storage.buffers(), &CONFIG, &board); // board: impl Platform
loop {
    let mut conn = match client.connect(transport()) {        // transport: embedded_io Read + Write + ReadReady
        Ok(conn) => conn,
        Err(error) => { /* client.server_error() has the server's message; pause */ continue }
    };
    conn.execute("insert into log values ($1, $2)", (7_i32, "on"))?;   // u64 rows
    let mut rows = conn.query("select id, name from t where id > $1", (3_i32,))?;
    while let Some(row) = rows.next()? {
        let (id, name): (i32, Option<&str>) = row.decode()?;  // or row.get::<i32>(0), row.get("id")
    }
    let (n,): (i64,) = conn.query_one("select count(*) from t", ())?.decode()?;
    let mut tx = conn.transaction()?;                         // derefs to Connection
    tx.execute("…", ())?;
    tx.commit()?;                                             // or rollback(); a dropped guard rolls back at the next call
    conn.execute_many("insert into t values ($1, $2)", [(1_i32, "a"), (2, "b")])?;
    let stmt = conn.prepare("insert into t values ($1, $2)", &[oid::INT4, oid::TEXT])?;
    conn.execute(&stmt, (1_i32, "a"))?;
    conn.batch_execute("create table …; create index …")?;    // simple query, several statements
    conn.ping()?;
    let transport = conn.close()?;                            // Terminate, gives the transport back
}
}

#[rustfmt::skip]
fn connecting(mut scratch: [u8; 64]) -> std::result::Result<(), Box<dyn Error>> {
// The builder: const, so all of it can sit in flash.
static CONFIG: Config = Config::new()
    .dbname("test").user("postgres").password("secret").host("127.0.0.1").port("5432");

// keyword=value
let config = Config::parse("dbname=test user=postgres password=secret host=127.0.0.1", &mut scratch)?;

// URI; `postgres://` and `opengauss://` are the same
let config = Config::parse("postgresql://postgres:secret@127.0.0.1:5432/test", &mut scratch)?;
Ok(())
}

#[rustfmt::skip]
fn on_a_host() -> std::result::Result<(), Box<dyn Error>> {
let mut host = barepg::host::Host::new();
let mut client = host.client("dbname=test user=postgres")?;   // and PG* variables, ~/.pgpass
let mut connection = client.connect()?;                        // or client.supervise(…): a session that is kept running
Ok(())
}

#[rustfmt::skip]
fn opengauss<T: Transport>(client: &mut Client<'_>, transport: T) -> Result<()> {
const CONFIG: Config = Config::new().user("logger").password("Gauss_1234").dbname("plant").host("db");
let mut conn = client.connect(transport)?;
assert!(conn.is_opengauss());
Ok(())
}

#[rustfmt::skip]
fn opengauss_keys<'b>(client: &mut Client<'b>, cache: &'b mut KeyCache) {
client.set_key_cache(cache);   // a `KeyCache`, 140 bytes: the second login costs what keys cost
}

struct Rp2350(u32);
impl barepg::Sha256Hardware for Rp2350 {
    fn hash(
        &mut self,
        _: &barepg::HashStart,
        _: &[u32; 16],
        _: &mut [u32; 8],
    ) -> std::result::Result<(), barepg::HashFailed> {
        Err(barepg::HashFailed)
    }
}

#[rustfmt::skip]
fn hardware<'b>(client: &mut Client<'b>, room: &'b mut Option<HashHardware<Rp2350>>, registers: u32) {
let device = room.insert(HashHardware::keeping_keys(Rp2350(registers))); // or `new`: no keys stay in RAM
client.set_hash_hardware(device);
}

mod log {
    use super::*;
    use crate::log_a_reading::*;
    use barepg::outbox::Options;
    use barepg::{Dial, Pause, Policy};

    #[rustfmt::skip]
fn logger(
    flash: impl NorFlash, mut buffer: [u8; 128], board: impl Platform, mut client: Client<'_>,
    mut dialler: impl Dial, kept: fn(Sample, Result<i64>), wfi: fn(u32) -> bool, report: fn(&Pause<'_>),
) -> Result<()> {
static SAMPLES: Samples = Samples::new();
let options = Options::new(STATEMENTS).at_opengauss(AT_OPENGAUSS).device(&(7_i32,)).sole_session(true);
let outbox = Outbox::open(flash, &mut buffer, options, &board)?;
let mut logger = Logger { outbox, samples: &SAMPLES, kept: &kept, rest: &wfi, report: &report };
logger.run(&mut client, &mut dialler, Policy::DEFAULT);
Ok(())
}
}

static INSERT: StaticStatement = StaticStatement::new("", &[]);

#[rustfmt::skip]
fn outbox<F: NorFlash>(outbox: &mut Outbox<'_, F>, mut conn: &mut Connection, at: f64, celsius: f32) -> Result<()> {
outbox.push(&INSERT, (at, celsius))?; // returns when the row is safe
outbox.drain(&mut conn)?;             // sends what waits, forgets what was acknowledged
Ok(())
}

#[cfg(feature = "provision")]
#[rustfmt::skip]
mod provision {
use super::*;
use barepg::provision::{Console, Loaded, Provisioned, ProvisionError, RamFlash, Store};

/// Whether a user is known in the end.
fn provisioning(
    mut flash: impl NorFlash, button_is_held: fn() -> bool, mut scratch: [u8; 64],
) -> std::result::Result<bool, ProvisionError> {
let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
let mut store = Store::new(&mut flash, 0, 2048)?;        // two pages of 1 KB
let found = store.load(&mut parameters);                 // an error is a reason for the console, too
if button_is_held() || !matches!(found, Ok(Loaded::Newest | Loaded::LastGood)) {
    let mut console = Console::new(&mut parameters);     // fed with bytes, until `start`
    // …
    drop(console);
    store.load(&mut parameters)?;                        // what was not committed does not count
}
let config = parameters.config(&mut scratch)?;           // a Config, as any other
Ok(config.get_user().is_some())
}

#[test]
fn the_console_changes_what_was_saved() {
    let mut memory = [0xff; 2048];
    let mut parameters: Provisioned<[u8; 512]> = Provisioned::new();
    parameters.set("user=logger").unwrap();
    Store::new(RamFlash::new(&mut memory), 0, 2048).unwrap().save(&parameters).unwrap();
    for held in [|| false, || true] {
        assert_eq!(provisioning(RamFlash::new(&mut memory), held, [0; 64]), Ok(true));
    }
}
}

#[cfg(feature = "tls")]
#[rustfmt::skip]
mod tls {
use super::*;
use barepg::SslMode;
use barepg::tls::{Tls, TlsStorage};

fn tls<'b>(mut storage: Storage, board: impl Platform) {
static FILES: [(&str, &[u8]); 1] = [("root.crt", barepg::pem!("../../boards/nucleo-h743/certs/root.crt"))];

static CONFIG: Config = Config::new()
    .user("logger").password("…").dbname("plant")
    .host("db.example.test")
    .sslmode(SslMode::VerifyFull).sslrootcert("root.crt");

let mut records = TlsStorage::<4113, 768>::new();
let mut client = Client::new(storage.buffers(), &CONFIG, &board)
    .with_tls(Tls::new(&mut records).files(&FILES));
}
}

/// Lines without what indents them; a certificate that a test has.
fn lines(text: &str) -> Vec<String> {
    let here = "\"../../boards/nucleo-h743/certs/root.crt\"";
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.replace("\"../certs/root.crt\"", here)).collect()
}

#[test]
fn the_pages_code_compiles() {
    let compiled = lines(include_str!("snippets.rs"));
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let guide = std::fs::read_dir(docs.join("guide")).unwrap();
    let mut blocks = 0;
    for entry in std::fs::read_dir(docs).unwrap().chain(guide) {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let page = std::fs::read_to_string(&path).unwrap();
        for block in page.split("```rust").skip(1) {
            let block = block.split("```").next().unwrap();
            // The program of a page of the guide, which `pages_show_the_code_that_runs` compares.
            if block.lines().nth(1).is_some_and(|line| line.starts_with("use ")) {
                continue;
            }
            let block = lines(block.split_once('\n').unwrap().1);
            let stands = compiled.windows(block.len()).any(|window| window == block);
            assert!(stands, "{}: {block:#?}", path.display());
            blocks += 1;
        }
    }
    assert_eq!(blocks, 10);
}
