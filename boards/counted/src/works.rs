//! The works that are counted. What they call of the driver is all here.

use core::hint::black_box;

use barepg::{Client, Config, Connection, KeyCache, Result, SslMode, Statement, Storage};
use barepg_semihost::{fault, once};
use embedded_io::{ErrorKind, Read, Write};

use crate::bench::{Bench, Machine};
use crate::replies::{self, FEW, MANY, PASSWORD};
use crate::server::{Server, Transport};

/// A row of all works with rows: `int4`, `int8`, `text`, `float8`, `bool`.
type Row<'r> = (i32, i64, &'r str, f64, bool);
const ROW: Row<'static> = (1, 1_234_567_890_123, "temperature, hall 4a", 21.5, true);

/// Units of the two runs: statements, rows, logins, logins that hash.
const TRIPS: [u32; 2] = [10, 60];
const ROWS: [u32; 2] = [FEW, MANY];
const ITEMS: [u32; 2] = [20, 120];
const LOGINS: [u32; 2] = [2, 12];
const HASHED: [u32; 2] = [1, 2];

static CONFIG: Config<'static> =
    Config::new().user("u").password(PASSWORD).dbname("d").sslmode(SslMode::Disable);

/// The same role, with its login keys in place of the password.
static PROVISIONED: Config<'static> = Config::new()
    .user("u")
    .scram_client_key(replies::CLIENT_KEY)
    .scram_server_key(replies::SERVER_KEY)
    .dbname("d")
    .sslmode(SslMode::Disable);

/// Counts all of them. False if one went wrong.
pub fn run(bench: &mut Bench) -> bool {
    let server = bench.server;
    let machine = Machine::new();
    let (Some(storage), Some(keys)) =
        (once!(Storage<512, 512> = Storage::new()), once!(KeyCache = KeyCache::new()))
    else {
        fault("memory taken")
    };
    bench.size("client", size_of::<Client<'_>>());
    bench.size("key_cache", size_of::<KeyCache>());
    bench.size("statement", size_of::<Statement<'_>>());
    let mut client = Client::new(storage.buffers(), &CONFIG, &machine);
    floors(bench)
        && logins(bench, &mut client)
        && {
            server.record(&replies::TRUST);
            client.connect(server.dial()).is_ok_and(|mut conn| {
                trips(bench, &mut conn) && rows(bench, &mut conn) && writes(bench, &mut conn)
            })
        }
        && {
            client.set_key_cache(keys);
            let login = &mut |n| login(&mut client, server, n);
            let scram = [&replies::SCRAM; 2];
            server.record(&replies::SCRAM);
            login(1) == Ok(true) && bench.count("scram_login_with_keys", LOGINS, scram, login)
        }
        && provisioned(bench, &machine, once!(Storage<512, 512> = Storage::new()))
        && sized(bench, &machine, once!(Storage<256, 128> = Storage::new()), SIZED[0])
        && sized(bench, &machine, once!(Storage<4096, 2048> = Storage::new()), SIZED[1])
}

/// Logins without a password, by keys from the configuration.
fn provisioned(
    bench: &mut Bench,
    machine: &Machine,
    storage: Option<&'static mut Storage<512, 512>>,
) -> bool {
    let Some(storage) = storage else { fault("memory taken") };
    let server = bench.server;
    let mut client = Client::new(storage.buffers(), &PROVISIONED, machine);
    let login = &mut |n| login(&mut client, server, n);
    bench.count("scram_login_provisioned", LOGINS, [&replies::SCRAM; 2], login)
}

/// Works with buffers of other sizes: 256 + 128 bytes, and 4,096 + 2,048.
const SIZED: [[&str; 3]; 2] =
    [["row_256", "insert_128", "copy_in_row_128"], ["row_4096", "insert_2048", "copy_in_row_2048"]];

fn sized<const RX: usize, const TX: usize>(
    bench: &mut Bench,
    machine: &Machine,
    storage: Option<&'static mut Storage<RX, TX>>,
    [row, insert, copied]: [&str; 3],
) -> bool {
    let Some(storage) = storage else { fault("memory taken") };
    let server = bench.server;
    let mut client = Client::new(storage.buffers(), &CONFIG, machine);
    server.record(&replies::TRUST);
    client.connect(server.dial()).is_ok_and(|mut conn| {
        typed_rows(bench, &mut conn, row)
            && inserting(bench, &mut conn)
                .is_some_and(|statement| inserts(bench, &mut conn, insert, &statement))
            && copy_in(bench, &mut conn, copied)
    })
}

/// The transport's calls alone: a request, and all of the answer.
fn floors(bench: &mut Bench) -> bool {
    let server = bench.server;
    let mut transport = server.dial();
    let transport = black_box(&mut transport as &mut dyn Stream);
    server.record(&replies::TRUST);
    // As the start-up packet that the server waits for.
    let request = b"\0\0\0\x08\0\x03\0\0";
    let query = b"Q\0\0\0\x0dselect 1\0";
    let mut buf = [0; 512];
    let mut answer = |transport: &mut dyn Stream, request: &[u8]| {
        let written = transport.write(request);
        let flushed = transport.flush();
        let mut length = 0;
        while let Ok(n @ 1..) = transport.read(&mut buf) {
            length += n;
            if buf[n - 1] == b'I' {
                break;
            }
        }
        written.is_ok() && flushed.is_ok() && length > 0
    };
    let begun = answer(transport, request);
    let mut trips = |n| Ok((0..n).all(|_| answer(transport, query)));
    begun
        && bench.count("floor_trip", TRIPS, [&replies::TRUST; 2], &mut trips)
        && bench.count("floor_row", ROWS, replies::ROWS.each_ref(), &mut |_| trips(1))
}

trait Stream: Read<Error = ErrorKind> + Write {}
impl Stream for Transport {}

fn logins(bench: &mut Bench, client: &mut Client<'_>) -> bool {
    let server = bench.server;
    let login = &mut |n| login(client, server, n);
    bench.count("trust_login", LOGINS, [&replies::TRUST; 2], login)
        && bench.count("scram_login", HASHED, [&replies::SCRAM; 2], login)
}

fn login(client: &mut Client<'_>, server: &'static Server, n: u32) -> Result<bool> {
    for _ in 0..n {
        client.connect(server.dial())?.close()?;
    }
    Ok(true)
}

fn trips(bench: &mut Bench, conn: &mut Connection) -> bool {
    let server = bench.server;
    let binary = [&replies::BINARY_1; 2];
    let simple = bench.count("simple_trip", TRIPS, [&replies::TRUST; 2], &mut |n| {
        let mut sum = 0;
        for _ in 0..n {
            let mut rows = conn.simple_query("select 1")?;
            while let Some(row) = rows.next()? {
                sum += row.get::<i32>(0)?;
            }
            rows.finish()?;
        }
        Ok(sum.cast_unsigned() == n)
    });
    let adhoc = bench.count("adhoc_trip", TRIPS, binary, &mut |n| {
        let mut sum = 0;
        for _ in 0..n {
            sum += conn.query_one("select $1::integer", (1_i32,))?.get::<i32>(0)?;
        }
        Ok(sum.cast_unsigned() == n)
    });
    server.record(&replies::BINARY_1);
    let Ok(statement) = conn.prepare("select 1", &[]) else { return false };
    let prepared = bench.count("prepared_trip", TRIPS, binary, &mut |n| {
        let mut sum = 0;
        for _ in 0..n {
            sum += conn.query_one(&statement, ())?.get::<i32>(0)?;
        }
        Ok(sum.cast_unsigned() == n)
    });
    simple && adhoc && prepared
}

fn typed_rows(bench: &mut Bench, conn: &mut Connection, name: &str) -> bool {
    bench.count(name, ROWS, replies::ROWS.each_ref(), &mut |n| {
        let mut sum = 0;
        let mut rows = conn.query("select id, at, name, value, ok from log", ())?;
        while let Some(row) = rows.next()? {
            sum += add(row.decode()?);
        }
        Ok(sum == n)
    })
}

fn rows(bench: &mut Bench, conn: &mut Connection) -> bool {
    let typed = typed_rows(bench, conn, "row");
    let text = bench.count("text_row", ROWS, replies::TEXT_ROWS.each_ref(), &mut |n| {
        let mut sum = 0;
        let mut rows = conn.simple_query("select id, at, name, value::text, ok from log")?;
        while let Some(row) = rows.next()? {
            let (id, at, name, value, ok): (i32, i64, &str, &str, bool) = row.decode()?;
            black_box(value);
            sum += add((id, at, name, 21.5, ok));
        }
        Ok(sum == n)
    });
    let copied = bench.count("copy_out_row", ROWS, replies::COPY_OUT.each_ref(), &mut |n| {
        let mut length = 0;
        let mut copy = conn.copy_out("copy log to stdout (format binary)")?;
        while let Some(piece) = copy.next()? {
            length += piece.len() as u32;
        }
        Ok(length > 60 * n)
    });
    typed && text && copied
}

/// 1 for the row that it should be.
fn add((id, at, name, value, ok): Row<'_>) -> u32 {
    black_box((at, name, value, ok));
    id.cast_unsigned()
}

fn row() -> Row<'static> {
    black_box(ROW)
}

const INSERTED: [&replies::Replies; 2] = [&replies::INSERT; 2];

/// The statement that inserts.
fn inserting(bench: &mut Bench, conn: &mut Connection) -> Option<Statement<'static>> {
    bench.server.record(&replies::INSERT);
    conn.prepare("insert into log values ($1, $2, $3, $4, $5)", &[]).ok()
}

fn inserts(
    bench: &mut Bench,
    conn: &mut Connection,
    name: &str,
    statement: &Statement<'_>,
) -> bool {
    bench.count(name, TRIPS, INSERTED, &mut |n| {
        let mut sum = 0;
        for _ in 0..n {
            sum += conn.execute(statement, row())?;
        }
        Ok(sum == u64::from(n))
    })
}

fn copy_in(bench: &mut Bench, conn: &mut Connection, name: &str) -> bool {
    bench.count(name, ROWS, replies::COPY_IN.each_ref(), &mut |n| {
        let mut copy = conn.copy_in("copy log from stdin (format binary)")?;
        for _ in 0..n {
            copy.send_row(row())?;
        }
        Ok(copy.finish()? == u64::from(n))
    })
}

fn writes(bench: &mut Bench, conn: &mut Connection) -> bool {
    let Some(statement) = inserting(bench, conn) else { return false };
    let one = inserts(bench, conn, "insert", &statement);
    let many = bench.count("execute_many_item", ITEMS, INSERTED, &mut |n| {
        let items = (0..n).map(|_| row());
        Ok(conn.execute_many(&statement, items)? == u64::from(n))
    });
    let piped = bench.count("pipeline_item", TRIPS, INSERTED, &mut |n| {
        let mut pipeline = conn.pipeline()?;
        for _ in 0..n {
            pipeline.execute(&statement, row())?;
        }
        Ok(pipeline.finish()? == u64::from(n))
    });
    one && many && piped && copy_in(bench, conn, "copy_in_row")
}
