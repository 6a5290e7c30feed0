use barepg::types::Timestamp;
use barepg::{Connection, Result};

pub struct Sample {
    pub at: Timestamp,
    pub sensor: i16,
    pub value: Option<f32>,
}

/// Uploads all samples, or none. Returns how many the server took.
pub fn upload(conn: &mut Connection, samples: impl Iterator<Item = Sample>) -> Result<u64> {
    let sql = "copy sample (at, sensor, value) from stdin with (format binary)";
    let mut copy = conn.copy_in(sql)?;
    for sample in samples {
        copy.send_row((sample.at, sample.sensor, sample.value))?;
    }
    copy.finish()
}
