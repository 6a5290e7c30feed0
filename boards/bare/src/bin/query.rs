#![no_std]
#![no_main]
//! The smallest useful firmware: login, one statement with parameters, one query, Terminate.

use barepg::{Client, Result};
use barepg_bare::{Machine, show, show_bytes};

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = client.connect(Machine)?;
    conn.execute("insert into log values ($1, $2)", (7_i32, "on"))?;
    let mut rows = conn.query("select id, name from plan where id > $1", (3_i32,))?;
    while let Some(row) = rows.next()? {
        let (id, name): (i32, Option<&str>) = row.decode()?;
        show(id.cast_unsigned());
        show_bytes(name.unwrap_or("").as_bytes());
    }
    conn.close().map(|_| ())
}
