#![no_std]
#![no_main]
//! Values larger than the buffers, both ways.

use barepg::{Client, Result, Streamed};
use barepg_bare::{Machine, show, show_bytes};
use embedded_io::Read;

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = client.connect(Machine)?;
    conn.execute("insert into t values ($1)", (Streamed::new(100_000, Machine),))?;
    let mut rows = conn.query("select id, image from t", ())?;
    while let Some(mut row) = rows.next_streamed()? {
        while let Some(mut column) = row.next_column()? {
            show(column.length().map_or(0, |n| n as u32));
            show_bytes(column.column()?.name.as_bytes());
            if column.is_null() {
                show(column.get::<i32>()?.cast_unsigned());
            }
            let mut buf = [0; 64];
            while column.read(&mut buf)? > 0 {
                show_bytes(&buf);
            }
        }
    }
    conn.close().map(|_| ())
}
