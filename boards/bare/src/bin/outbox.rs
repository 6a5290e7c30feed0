#![no_std]
#![no_main]
//! Rows that wait in flash: pushed, sent in batches, refused ones read and discarded. `batch` is the
//! same without.

use barepg::outbox::{Options, Outbox};
use barepg::types::oid;
use barepg::{Client, Result, StaticStatement};
use barepg_bare::{Machine, show, show_bytes, unknown};

barepg_bare::entry!(work);

static INSERT: StaticStatement = StaticStatement::new(
    "insert into log values ($1, $2, $3, $4) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::INT8, oid::FLOAT8],
);
static STATEMENTS: &[&StaticStatement] = &[&INSERT];

fn work(client: &mut Client<'_>) -> Result<()> {
    static mut BUFFER: [u8; 128] = [0; 128];
    // SAFETY: the only use, in a program that is not run.
    let buffer = unsafe { &mut *(&raw mut BUFFER) };
    let options = Options::new(STATEMENTS).device(&(7_i32,)).sole_session(true);
    let mut outbox = Outbox::open(Machine, buffer, options, &Machine)?;
    outbox.push(&INSERT, (i64::from(unknown()), 0.5_f64))?;
    let mut conn = client.connect(Machine)?;
    show(outbox.drain(&mut conn)?);
    while let Some(aside) = outbox.next_aside()? {
        show_bytes(aside.values);
        outbox.discard_aside()?;
    }
    show(outbox.waiting() + outbox.counters().dropped);
    conn.close().map(|_| ())
}
