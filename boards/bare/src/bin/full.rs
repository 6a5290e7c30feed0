#![no_std]
#![no_main]
//! Every verb of the driver, every basic type, the server's message by field.

use barepg::types::oid;
use barepg::{Client, Connection, Remedy, Result, ServerError};
use barepg_bare::{Machine, show, show_bytes};

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    client.set_timeout_ms(5000);
    let connected = client.connect(Machine);
    let mut conn = match connected {
        Ok(conn) => conn,
        Err(error) => {
            message(client.server_error());
            return Err(error);
        }
    };
    if let Err(error) = verbs(&mut conn) {
        message(conn.server_error());
        show(u32::from(error.remedy() == Remedy::Retry));
        if !conn.is_usable() {
            return Err(error);
        }
    }
    conn.close().map(|_| ())
}

fn message(error: Option<ServerError<'_>>) {
    let Some(error) = error else { return };
    show_bytes(error.severity().as_bytes());
    show_bytes(error.sqlstate().as_str().as_bytes());
    for text in [Some(error.message()), error.detail(), error.hint(), error.constraint()] {
        show_bytes(text.unwrap_or("").as_bytes());
    }
    show(error.position().unwrap_or(0));
}

fn verbs(conn: &mut Connection) -> Result<()> {
    conn.batch_execute("create table if not exists t (id integer, name text)")?;
    conn.execute("insert into t values ($1, $2)", (1_i32, "a"))?;
    conn.execute_many("insert into t values ($1, $2)", [(1_i32, Some("a")), (2, None)])?;

    let statement = conn.prepare("insert into t values ($1, $2)", &[oid::INT4, oid::TEXT])?;
    conn.execute(&statement, (1_i32, "a"))?;
    conn.execute_many(&statement, [(1_i32, "a"), (2, "b")])?;
    conn.close_statement(&statement)?;

    let mut transaction = conn.transaction()?;
    transaction.execute("delete from t", ())?;
    transaction.commit()?;
    let mut transaction = conn.transaction()?;
    transaction.execute("delete from t where id = $1", (1_i32,))?;
    transaction.rollback()?;
    // Dropped: rolled back by the next verb.
    drop(conn.transaction()?);

    let numbers = (true, 1_i16, 2_i64, 3_u32, 1.5_f32, 2.5_f64, &b"bytes"[..], None::<i32>);
    let mut rows = conn.query("select $1, $2, $3, $4, $5, $6, $7, $8", numbers)?;
    while let Some(row) = rows.next()? {
        let (a, b, c, d, e, f, g, h): (bool, i16, i64, u32, f32, f64, &[u8], Option<i32>) =
            row.decode()?;
        show(u32::from(a) + u32::from(b.cast_unsigned()));
        show_bytes(&c.to_le_bytes());
        show(d ^ e.to_bits());
        show_bytes(&f.to_bits().to_le_bytes());
        show_bytes(g);
        show(h.unwrap_or(0).cast_unsigned());
        show(row.get::<i32>(7)?.cast_unsigned());
        show_bytes(row.get::<&str>("name")?.as_bytes());
    }
    let (count,): (i64,) = conn.query_one("select count(*) from t", ())?.decode()?;
    show_bytes(&count.to_le_bytes());
    if let Some(row) = conn.query_opt("select name from t where id = $1", (7_i32,))? {
        show_bytes(row.get::<&str>(0)?.as_bytes());
    }

    let mut rows = conn.simple_query("select 1; select 'a'")?;
    loop {
        while let Some(row) = rows.next()? {
            show_bytes(row.get::<&str>(0)?.as_bytes());
        }
        if !rows.next_result()? {
            break;
        }
    }
    if let Some(token) = conn.cancel_token() {
        token.cancel(&mut Machine, &Machine, 1000)?;
    }
    show(conn.server_version() + conn.stats().round_trips);
    conn.ping()
}
