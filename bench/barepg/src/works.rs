//! The works, with barepg. All of its API that the bench uses is here.

use barepg::types::{AnyText, Timestamp, oid};
use barepg::{Client, Config, Connection, KeyCache, Result, Statement, Storage, StreamedColumn};
use bench_common::{self as common, Checksum, Samples};
use embedded_io::BufRead;

use crate::board::{Board, Tcp};

const TRUST: Config = Config::new().user("trust_user").dbname("test");
const SCRAM: Config = Config::new().user("scram_user").password("scram_user_pw").dbname("test");

/// Types of the parameters of the inserting statement.
const TYPES: [u32; 5] = [oid::INT4, oid::INT8, oid::FLOAT8, oid::TIMESTAMP, oid::TEXT];

pub type Conn<'s> = Connection<'s, 's>;

/// Does a work and returns the checksum.
pub fn run(port: u16, work: &str, n: u32) -> Result<Checksum> {
    if let Some((work, size)) = work.split_once('@') {
        return sized(port, work, size, n);
    }
    match work {
        "connect" => logins(port, &TRUST, None, n),
        "login_scram" => logins(port, &SCRAM, None, n),
        "login_keys" => logins(port, &SCRAM, Some(&mut KeyCache::new()), n),
        "simple" => session::<1024, 1024>(port, |conn| simple(conn, n)),
        "prepared" => session::<1024, 1024>(port, |conn| prepared(conn, n)),
        "adhoc" => session::<1024, 1024>(port, |conn| adhoc(conn, n)),
        "row_binary" => session::<1024, 1024>(port, |conn| row_binary(conn, n)),
        "row_text" => session::<1024, 1024>(port, |conn| row_text(conn, n)),
        "copy_out" => session::<1024, 1024>(port, |conn| copy_out(conn, n)),
        "insert" => session::<1024, 1024>(port, |conn| insert(conn, n)),
        "execute_many" => session::<1024, 1024>(port, |conn| execute_many(conn, n)),
        "pipeline" => session::<1024, 1024>(port, |conn| pipeline(conn, n)),
        "copy_in" => session::<1024, 1024>(port, |conn| copy_in(conn, n)),
        "read_10mb" => session::<4096, 1024>(port, |conn| read_10mb(conn, n)),
        "get" => session::<32768, 1024>(port, |conn| get(conn, n)),
        _ => panic!("unknown work: {work}"),
    }
}

/// The same with a receive buffer, or for what is sent a send buffer, of another size.
fn sized(port: u16, work: &str, size: &str, n: u32) -> Result<Checksum> {
    macro_rules! sizes {
        ($($received:literal)*; $($sent:literal)*) => {
            match (work, size) {
                $(("row_binary", stringify!($received)) => {
                    session::<$received, 1024>(port, |conn| row_binary(conn, n))
                })*
                $(("execute_many", stringify!($sent)) => {
                    session::<1024, $sent>(port, |conn| execute_many(conn, n))
                })*
                _ => panic!("unknown work: {work}@{size}"),
            }
        };
    }
    sizes!(128 256 512 1024 2048 4096 16384 65536; 64 128 256 512 1024 2048 4096 16384)
}

/// A session with a receive buffer of `RX` bytes, and a send buffer of `TX`.
pub fn session<const RX: usize, const TX: usize>(
    port: u16,
    work: impl FnOnce(&mut Conn<'_>) -> Result<Checksum>,
) -> Result<Checksum> {
    let mut storage = Storage::<RX, TX>::new();
    let mut client = Client::new(storage.buffers(), &TRUST, &Board);
    let mut conn = client.connect(barepg::NoReadReady(Tcp::open(port)))?;
    let sum = work(&mut conn)?;
    conn.close()?;
    Ok(sum)
}

fn logins<'k>(
    port: u16,
    config: &'k Config<'k>,
    keys: Option<&'k mut KeyCache>,
    n: u32,
) -> Result<Checksum> {
    let mut storage = Storage::<1024, 1024>::new();
    let mut client = Client::new(storage.buffers(), config, &Board);
    if let Some(keys) = keys {
        client.set_key_cache(keys);
    }
    let mut sum = Checksum::default();
    for _ in 0..n {
        let conn = client.connect(barepg::NoReadReady(Tcp::open(port)))?;
        sum.add(1);
        conn.close()?;
    }
    Ok(sum)
}

fn simple(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    for _ in 0..n {
        let mut rows = conn.simple_query(common::SIMPLE)?;
        while let Some(row) = rows.next()? {
            let (value,): (i32,) = row.decode()?;
            sum.add(value.into());
        }
        rows.finish()?;
    }
    Ok(sum)
}

fn prepared(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let statement = conn.prepare(common::SIMPLE, &[])?;
    for _ in 0..n {
        let (value,): (i32,) = conn.query_one(&statement, ())?.decode()?;
        sum.add(value.into());
    }
    Ok(sum)
}

fn adhoc(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    for i in 0..n {
        let (value,): (i32,) = conn.query_one(common::ONE_PARAMETER, (i as i32,))?.decode()?;
        sum.add(value.into());
    }
    Ok(sum)
}

pub fn row_binary(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let sql = common::rows(n);
    let mut rows = conn.query(sql.as_str(), ())?;
    while let Some(row) = rows.next()? {
        let (id, total, value, at, name): (i32, i64, f64, Timestamp, &str) = row.decode()?;
        sum.row(id, total, value, at.micros().unwrap_or(0), name);
    }
    rows.finish()?;
    Ok(sum)
}

/// Floats and timestamps as text are the user's to parse.
fn row_text(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut rows = conn.simple_query(&common::rows(n))?;
    while let Some(row) = rows.next()? {
        let (id, total, value, at, name): (i32, i64, AnyText, AnyText, &str) = row.decode()?;
        let value = value.0.parse().expect("float8");
        sum.row(id, total, value, common::timestamp(at.0), name);
    }
    rows.finish()?;
    Ok(sum)
}

fn copy_out(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut copy = conn.copy_out(&common::copy_out(n))?;
    while let Some(bytes) = copy.next()? {
        sum.add(bytes.len() as i64);
    }
    Ok(sum)
}

/// The row that is written as number `i`.
#[inline(always)]
pub fn row(i: u32) -> (i32, i64, f64, Timestamp, &'static str) {
    let (id, total, value, at, name) = common::row(i);
    (id, total, value, Timestamp::from_micros(at).unwrap_or(Timestamp::EPOCH), name)
}

/// A session's statement that inserts, with its table.
pub fn inserting(conn: &mut Conn<'_>) -> Result<Statement<'static>> {
    conn.batch_execute(common::CREATE)?;
    conn.prepare(common::INSERT, &TYPES)
}

fn insert(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let statement = inserting(conn)?;
    for i in 0..n {
        conn.execute(&statement, row(i))?;
    }
    written(conn)
}

fn execute_many(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let statement = inserting(conn)?;
    for batch in 0..n / common::BATCH {
        let from = batch * common::BATCH;
        conn.execute_many(&statement, (from..from + common::BATCH).map(row))?;
    }
    written(conn)
}

fn pipeline(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let statement = inserting(conn)?;
    for batch in 0..n / common::BATCH {
        let from = batch * common::BATCH;
        let mut pipeline = conn.pipeline()?;
        for i in from..from + common::BATCH {
            pipeline.execute(&statement, row(i))?;
        }
        pipeline.finish()?;
    }
    written(conn)
}

pub fn copy_in(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    conn.batch_execute(common::CREATE)?;
    let mut copy = conn.copy_in(common::COPY_IN)?;
    for i in 0..n {
        copy.send_row(row(i))?;
    }
    copy.finish()?;
    written(conn)
}

pub fn written(conn: &mut Conn<'_>) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let mut rows = conn.simple_query(common::WRITTEN)?;
    while let Some(row) = rows.next()? {
        let (text,): (&str,) = row.decode()?;
        sum.number(text);
    }
    Ok(sum)
}

fn read_10mb(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let statement = conn.prepare(common::BLOB, &[])?;
    for _ in 0..n {
        let mut samples = Samples::default();
        let mut rows = conn.query(&statement, ())?;
        while let Some(mut row) = rows.next_streamed()? {
            while let Some(mut column) = row.next_column()? {
                pieces(&mut column, &mut samples)?;
            }
        }
        sum.add(samples.finish());
    }
    Ok(sum)
}

/// All of a value.
#[inline(always)]
pub fn pieces(column: &mut StreamedColumn<'_, '_, '_>, samples: &mut Samples) -> Result<()> {
    loop {
        let piece = column.fill_buf()?;
        if piece.is_empty() {
            return Ok(());
        }
        samples.piece(piece);
        let length = piece.len();
        column.consume(length);
    }
}

fn get(conn: &mut Conn<'_>, n: u32) -> Result<Checksum> {
    let mut sum = Checksum::default();
    let sql = common::columns(n);
    let mut rows = conn.query(sql.as_str(), ())?;
    while let Some(row) = rows.next()? {
        for index in 0..common::COLUMNS {
            sum.add(row.get::<i32>(index)?.into());
        }
    }
    rows.finish()?;
    Ok(sum)
}
