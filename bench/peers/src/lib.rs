//! What the two peers share.

use bench_common as common;
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// A timestamp as its number: the cheapest reading that these crates allow.
#[derive(Debug)]
pub struct Micros(pub i64);

impl<'a> FromSql<'a> for Micros {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        i64::from_sql(ty, raw).map(Micros)
    }

    accepts!(TIMESTAMP);
}

impl ToSql for Micros {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(ty, out)
    }

    accepts!(TIMESTAMP);
    to_sql_checked!();
}

/// Types of the row that is written.
pub const TYPES: [Type; 5] = [Type::INT4, Type::INT8, Type::FLOAT8, Type::TIMESTAMP, Type::TEXT];

/// The row that is written as number `i`.
#[inline(always)]
pub fn row(i: u32) -> (i32, i64, f64, Micros, &'static str) {
    let (id, total, value, at, name) = common::row(i);
    (id, total, value, Micros(at), name)
}

/// A row of text columns, parsed.
#[inline(always)]
pub fn parse(sum: &mut common::Checksum, row: &tokio_postgres::SimpleQueryRow) {
    let text = |index: usize| row.get(index).expect("a value");
    let id = text(0).parse().expect("int4");
    let total = text(1).parse().expect("int8");
    let value = text(2).parse().expect("float8");
    sum.row(id, total, value, common::timestamp(text(3)), text(4));
}
