use core::ops::ControlFlow;

use barepg::types::Timestamp;
use barepg::{Client, Connection, Dial, Error, Pause, Policy, Remedy, Result, Supervisor};

#[derive(Clone, Copy)]
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

/// Samples that are kept until they are uploaded: a ring in RAM, a file, pages of flash.
pub trait Samples {
    /// The oldest ones, the same each time until they are forgotten.
    fn oldest(&self) -> impl Iterator<Item = Sample>;

    /// Forgets those.
    fn forget(&mut self);

    /// Whether there are any.
    fn is_empty(&self) -> bool;
}

/// Uploads samples until there are no more.
///
/// # Errors
/// The server refuses the samples for their own values: they would be refused again. They are kept.
pub fn run<D: Dial>(
    client: &mut Client<'_>,
    dialler: &mut D,
    policy: Policy,
    samples: &mut impl Samples,
    pause: impl Fn(&Pause<'_>),
) -> core::result::Result<(), Error> {
    let session = |samples: &mut _, conn: &mut Connection| session(samples, conn);
    client.supervise(dialler, &mut Supervisor::new(policy), samples, session, |_, now| {
        pause(now);
        ControlFlow::Continue(())
    })
}

fn session(
    samples: &mut impl Samples,
    conn: &mut Connection,
) -> Result<ControlFlow<core::result::Result<(), Error>>> {
    while !samples.is_empty() {
        match upload(conn, samples.oldest()) {
            // All are there, from this time or one before.
            Ok(_) => samples.forget(),
            Err(error) if error.remedy() == Remedy::SetAside => {
                return Ok(ControlFlow::Break(Err(error)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(ControlFlow::Break(Ok(())))
}
