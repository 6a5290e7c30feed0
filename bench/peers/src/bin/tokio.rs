//! tokio-postgres, for the bench: on a runtime of one thread.

use std::pin::pin;

use bench_common::{self as common, Checksum, Samples};
use bench_peers::{Micros, TYPES, parse, row};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Statement};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    common::print(runtime.expect("a runtime").block_on(start()).expect("it works"));
}

async fn start() -> Result<Checksum, Error> {
    let common::Arguments { port, work, n } = common::arguments();
    match work.as_str() {
        "connect" => logins(&config(port, "trust_user"), n).await,
        "login_scram" => logins(config(port, "scram_user").password("scram_user_pw"), n).await,
        work => {
            let (client, connection) = config(port, "trust_user").connect(NoTls).await?;
            let connection = tokio::spawn(connection);
            let sum = run(&client, work, n).await?;
            drop(client);
            connection.await.expect("the connection's task")?;
            Ok(sum)
        }
    }
}

fn config(port: u16, user: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname("test").user(user);
    config
}

async fn logins(config: &Config, n: u32) -> Result<Checksum, Error> {
    let mut sum = Checksum::default();
    for _ in 0..n {
        let (client, connection) = config.connect(NoTls).await?;
        let connection = tokio::spawn(connection);
        sum.add(1);
        drop(client);
        connection.await.expect("the connection's task")?;
    }
    Ok(sum)
}

async fn run(client: &Client, work: &str, n: u32) -> Result<Checksum, Error> {
    let mut sum = Checksum::default();
    match work {
        "simple" => {
            for _ in 0..n {
                for message in client.simple_query(common::SIMPLE).await? {
                    if let SimpleQueryMessage::Row(row) = message {
                        let value: i32 = row.get(0).expect("a value").parse().expect("int4");
                        sum.add(value.into());
                    }
                }
            }
        }
        "prepared" => {
            let statement = client.prepare(common::SIMPLE).await?;
            for _ in 0..n {
                let value: i32 = client.query_one(&statement, &[]).await?.get(0);
                sum.add(value.into());
            }
        }
        "adhoc" => {
            for i in 0..n {
                let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&(i as i32), Type::INT4)];
                for row in client.query_typed(common::ONE_PARAMETER, &parameters).await? {
                    let value: i32 = row.get(0);
                    sum.add(value.into());
                }
            }
        }
        "row_binary" => {
            let rows = client.query_raw(&common::rows(n), &[] as &[i32]).await?;
            let mut rows = pin!(rows);
            while let Some(row) = rows.try_next().await? {
                let Micros(at) = row.get(3);
                sum.row(row.get(0), row.get(1), row.get(2), at, row.get(4));
            }
        }
        "row_text" => {
            let messages = client.simple_query_raw(&common::rows(n)).await?;
            let mut messages = pin!(messages);
            while let Some(message) = messages.try_next().await? {
                if let SimpleQueryMessage::Row(row) = message {
                    parse(&mut sum, &row);
                }
            }
        }
        "copy_out" => {
            let copy = client.copy_out(&common::copy_out(n)).await?;
            let mut copy = pin!(copy);
            while let Some(bytes) = copy.next().await {
                sum.add(bytes?.len() as i64);
            }
        }
        "insert" => {
            let statement = inserting(client).await?;
            for i in 0..n {
                let (a, b, c, d, e) = row(i);
                client.execute(&statement, &[&a, &b, &c, &d, &e]).await?;
            }
            written(client, &mut sum).await?;
        }
        "execute_many" | "pipeline" => {
            let statement = inserting(client).await?;
            for batch in 0..n / common::BATCH {
                let from = batch * common::BATCH;
                let items = (from..from + common::BATCH).map(async |i| {
                    let (a, b, c, d, e) = row(i);
                    client.execute(&statement, &[&a, &b, &c, &d, &e]).await
                });
                try_join_all(items).await?;
            }
            written(client, &mut sum).await?;
        }
        "copy_in" => {
            client.batch_execute(common::CREATE).await?;
            let copy = BinaryCopyInWriter::new(client.copy_in(common::COPY_IN).await?, &TYPES);
            let mut copy = pin!(copy);
            for i in 0..n {
                let (a, b, c, d, e) = row(i);
                copy.as_mut().write(&[&a, &b, &c, &d, &e]).await?;
            }
            copy.finish().await?;
            written(client, &mut sum).await?;
        }
        "read_10mb" => {
            let statement = client.prepare(common::BLOB).await?;
            for _ in 0..n {
                let row = client.query_one(&statement, &[]).await?;
                let mut samples = Samples::default();
                samples.piece(row.get(0));
                sum.add(samples.finish());
            }
        }
        "get" => {
            let rows = client.query_raw(&common::columns(n), &[] as &[i32]).await?;
            let mut rows = pin!(rows);
            while let Some(row) = rows.try_next().await? {
                for index in 0..common::COLUMNS {
                    let value: i32 = row.get(index);
                    sum.add(value.into());
                }
            }
        }
        _ => panic!("unknown work: {work}"),
    }
    Ok(sum)
}

async fn inserting(client: &Client) -> Result<Statement, Error> {
    client.batch_execute(common::CREATE).await?;
    client.prepare_typed(common::INSERT, &TYPES).await
}

async fn written(client: &Client, sum: &mut Checksum) -> Result<(), Error> {
    for message in client.simple_query(common::WRITTEN).await? {
        if let SimpleQueryMessage::Row(row) = message {
            sum.number(row.get(0).expect("a value"));
        }
    }
    Ok(())
}
