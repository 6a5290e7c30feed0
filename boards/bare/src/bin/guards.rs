#![no_std]
#![no_main]
//! Pipelines, statements in flash, transactions with properties, savepoints, portals, reset.

use barepg::types::oid;
use barepg::{Client, IsolationLevel, Result, StaticStatement};
use barepg_bare::{Machine, show};

barepg_bare::entry!(work);

static INSERT: StaticStatement =
    StaticStatement::new("insert into t values ($1, $2)", &[oid::INT4, oid::TEXT]);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = client.connect(Machine)?;
    conn.execute(&INSERT, (1_i32, "a"))?;
    let mut pipeline = conn.pipeline()?;
    pipeline.execute(&INSERT, (2_i32, "b"))?;
    pipeline.execute("select id from t", ())?;
    while let Some(mut rows) = pipeline.next()? {
        while let Some(row) = rows.next()? {
            show(row.get::<i32>(0)?.cast_unsigned());
        }
    }
    let mut pipeline = conn.pipeline()?;
    pipeline.execute("delete from t", ())?;
    pipeline.finish()?;

    let builder = conn.build_transaction().isolation_level(IsolationLevel::Serializable);
    let mut tx = builder.read_only(false).deferrable(false).start()?;
    let mut savepoint = tx.savepoint()?;
    savepoint.execute(&INSERT, (3_i32, "c"))?;
    savepoint.savepoint()?.rollback()?;
    savepoint.commit()?;
    drop(tx.savepoint()?);
    let portal = tx.portal("select id from t", ())?;
    loop {
        let mut rows = tx.fetch(&portal, portal.fitting())?;
        while let Some(row) = rows.next()? {
            show(row.get::<i32>(0)?.cast_unsigned());
        }
        if !rows.is_suspended() {
            break;
        }
    }
    tx.close_portal(&portal)?;
    tx.commit()?;
    conn.reset()?;
    conn.close().map(|_| ())
}
