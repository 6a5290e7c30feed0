use barepg::types::oid;
use barepg::{Connection, Outcome, PerDialect, Remedy, StaticStatement, insert_once};

// In flash. Device and number make a row unique, so that a reading
// that is sent twice is stored once.
static INSERT: PerDialect<StaticStatement> = insert_once!(
    "insert into reading (device, seq, celsius) values ($1, $2, $3)",
    &[oid::INT4, oid::INT8, oid::FLOAT4],
);

#[derive(Debug, PartialEq)]
pub enum Fate {
    Stored,
    /// Keep the reading and send it again, over a new connection if this one is dead.
    KeepIt,
    /// The server will never take it: put it where it can be looked at.
    SetAside,
}

pub fn log(conn: &mut Connection, device: i32, seq: i64, celsius: f32) -> Fate {
    match conn.execute(conn.pick(&INSERT), (device, seq, celsius)) {
        Ok(_) => Fate::Stored,
        Err(error) => match (error.outcome(), error.remedy()) {
            (Outcome::NotSent | Outcome::Refused, Remedy::SetAside) => Fate::SetAside,
            _ => Fate::KeepIt,
        },
    }
}
