#![no_std]
#![no_main]
//! What firmware that stores and reads data uses: login by SCRAM, statements with and without
//! parameters, typed rows, COPY into a table, the server's message by field.

use barepg::{Client, Connection, Result, ServerError};
use barepg_bare::{Machine, show, show_bytes};

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = match client.connect(Machine) {
        Ok(conn) => conn,
        Err(error) => {
            message(client.server_error());
            return Err(error);
        }
    };
    if let Err(error) = verbs(&mut conn) {
        message(conn.server_error());
        if !conn.is_usable() {
            return Err(error);
        }
    }
    conn.close().map(|_| ())
}

fn message(error: Option<ServerError<'_>>) {
    let Some(error) = error else { return };
    show_bytes(error.sqlstate().as_str().as_bytes());
    for text in [Some(error.severity()), Some(error.message()), error.detail(), error.hint()] {
        show_bytes(text.unwrap_or("").as_bytes());
    }
}

fn verbs(conn: &mut Connection) -> Result<()> {
    conn.batch_execute("create table if not exists log (id integer, name text)")?;
    conn.execute("insert into log values ($1, $2)", (7_i32, "on"))?;
    let mut rows = conn.query("select id, name from plan where id > $1", (3_i32,))?;
    while let Some(row) = rows.next()? {
        let (id, name): (i32, Option<&str>) = row.decode()?;
        show(id.cast_unsigned());
        show_bytes(name.unwrap_or("").as_bytes());
    }
    let mut copy = conn.copy_in("copy log from stdin with (format binary)")?;
    copy.send_row((7_i32, "on"))?;
    show(copy.finish()? as u32);
    Ok(())
}
