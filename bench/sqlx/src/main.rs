//! sqlx, for the bench: on a runtime of one thread.

use std::error::Error;

use bench_common::{self as common, Checksum, Samples};
use futures_util::TryStreamExt;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{
    PgArgumentBuffer, PgConnectOptions, PgSslMode, PgTypeInfo, PgValueFormat, PgValueRef, Postgres,
};
use sqlx::{Connection, Executor, PgConnection, Row};

type Sum = Result<Checksum, Box<dyn Error>>;

/// A timestamp as its number: the cheapest reading that this crate allows.
struct Micros(i64);

impl sqlx::Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("timestamp")
    }
}

impl<'r> sqlx::Decode<'r, Postgres> for Micros {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Micros(i64::from_be_bytes(value.as_bytes()?.try_into()?))),
            PgValueFormat::Text => Ok(Micros(common::timestamp(value.as_str()?))),
        }
    }
}

impl sqlx::Encode<'_, Postgres> for Micros {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buf.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    common::print(runtime.expect("a runtime").block_on(start()).expect("it works"));
}

async fn start() -> Sum {
    let common::Arguments { port, work, n } = common::arguments();
    match work.as_str() {
        "connect" => logins(&options(port, "trust_user"), n).await,
        "login_scram" => logins(&options(port, "scram_user").password("scram_user_pw"), n).await,
        work => {
            let mut conn = PgConnection::connect_with(&options(port, "trust_user")).await?;
            let sum = run(&mut conn, work, n).await?;
            conn.close().await?;
            Ok(sum)
        }
    }
}

fn options(port: u16, user: &str) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
    options.username(user).database("test").ssl_mode(PgSslMode::Disable)
}

async fn logins(options: &PgConnectOptions, n: u32) -> Sum {
    let mut sum = Checksum::default();
    for _ in 0..n {
        let conn = PgConnection::connect_with(options).await?;
        sum.add(1);
        conn.close().await?;
    }
    Ok(sum)
}

async fn run(conn: &mut PgConnection, work: &str, n: u32) -> Sum {
    let mut sum = Checksum::default();
    match work {
        "simple" => {
            for _ in 0..n {
                let row = conn.fetch_one(sqlx::raw_sql(common::SIMPLE)).await?;
                sum.add(row.try_get::<i32, _>(0)?.into());
            }
        }
        "prepared" => {
            for _ in 0..n {
                let row = sqlx::query(common::SIMPLE).fetch_one(&mut *conn).await?;
                sum.add(row.try_get::<i32, _>(0)?.into());
            }
        }
        "adhoc" => {
            for i in 0..n {
                let query = sqlx::query(common::ONE_PARAMETER).bind(i as i32).persistent(false);
                sum.add(query.fetch_one(&mut *conn).await?.try_get::<i32, _>(0)?.into());
            }
        }
        "row_binary" => {
            let sql = common::rows(n);
            let mut rows = sqlx::query(&sql).fetch(&mut *conn);
            while let Some(row) = rows.try_next().await? {
                add(&mut sum, &row)?;
            }
        }
        "row_text" => {
            let sql = common::rows(n);
            let mut rows = conn.fetch(sqlx::raw_sql(&sql));
            while let Some(row) = rows.try_next().await? {
                add(&mut sum, &row)?;
            }
        }
        "copy_out" => {
            let mut copy = conn.copy_out_raw(&common::copy_out(n)).await?;
            while let Some(bytes) = copy.try_next().await? {
                sum.add(bytes.len() as i64);
            }
        }
        "insert" => {
            conn.execute(common::CREATE).await?;
            for i in 0..n {
                let (a, b, c, d, e) = common::row(i);
                let query = sqlx::query(common::INSERT).bind(a).bind(b).bind(c).bind(Micros(d));
                query.bind(e).execute(&mut *conn).await?;
            }
            let row = conn.fetch_one(sqlx::raw_sql(common::WRITTEN)).await?;
            sum.number(row.try_get(0)?);
        }
        "read_10mb" => {
            for _ in 0..n {
                let row = sqlx::query(common::BLOB).fetch_one(&mut *conn).await?;
                let mut samples = Samples::default();
                samples.piece(row.try_get(0)?);
                sum.add(samples.finish());
            }
        }
        "get" => {
            let sql = common::columns(n);
            let mut rows = sqlx::query(&sql).fetch(&mut *conn);
            while let Some(row) = rows.try_next().await? {
                for index in 0..common::COLUMNS {
                    sum.add(row.try_get::<i32, _>(index)?.into());
                }
            }
        }
        _ => panic!("unknown work: {work}"),
    }
    Ok(sum)
}

fn add(sum: &mut Checksum, row: &sqlx::postgres::PgRow) -> Result<(), sqlx::Error> {
    let Micros(at) = row.try_get(3)?;
    sum.row(row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, at, row.try_get(4)?);
    Ok(())
}
