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
    let item = (7_i32, i64::from(unknown()), i64::from(unknown()), f64::from(unknown()));
    show(conn.execute_many(&INSERT, [item])? as u32);
    show(conn.execute("select 1", ())? as u32);
    conn.close().map(|_| ())
}
