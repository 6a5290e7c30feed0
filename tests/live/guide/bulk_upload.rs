use barepg::types::Timestamp;
use barepg::{Connection, Result};

pub struct Sample {
    pub at: Timestamp,
    pub sensor: i16,
    pub value: Option<f32>,
}

const MERGE: &str = "insert into sample (at, sensor, value)
    select at, sensor, value from staging as new where not exists
    (select 1 from sample as old where old.sensor = new.sensor and old.at = new.at)";

/// Uploads all samples, or none. Returns how many the table did not have yet. After an error it
/// can be called again with the same samples, also when it is not known what became of the first
/// call.
pub fn upload(conn: &mut Connection, samples: impl Iterator<Item = Sample>) -> Result<u64> {
    let mut tx = conn.transaction()?;
    // Gone with the transaction.
    tx.batch_execute(
        "create temp table staging (at timestamp, sensor int2, value float4) on commit drop",
    )?;
    let mut copy =
        tx.copy_in("copy staging (at, sensor, value) from stdin with (format binary)")?;
    for sample in samples {
        copy.send_row((sample.at, sample.sensor, sample.value))?;
    }
    copy.finish()?;
    let new = tx.execute(MERGE, ())?;
    tx.commit()?;
    Ok(new)
}
