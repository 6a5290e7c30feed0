#![no_std]
#![no_main]
//! A batch of rows from RAM, and a statement: what `outbox` does without the outbox.

use barepg::types::oid;
use barepg::{Client, Result, StaticStatement};
use barepg_bare::{Machine, show, unknown};

barepg_bare::entry!(work);

static INSERT: StaticStatement = StaticStatement::new(
    "insert into log values ($1, $2, $3, $4) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::INT8, oid::FLOAT8],
);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = client.connect(Machine)?;
    // How many there are is not known when compiling, as with the outbox.
    let items = (0..unknown()).map(|n| (7_i32, i64::from(n), i64::from(unknown()), 0.5_f64));
    show(conn.execute_many(&INSERT, items)? as u32);
    show(conn.execute("select 1", ())? as u32);
    conn.close().map(|_| ())
}
