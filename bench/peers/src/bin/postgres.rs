//! rust-postgres, for the bench.

use std::io::BufRead;

use bench_common::{self as common, Checksum, Samples};
use bench_peers::{Micros, TYPES, parse, row};
use fallible_iterator::FallibleIterator;
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, Error, NoTls, SimpleQueryMessage, Statement};

fn main() {
    let common::Arguments { port, work, n } = common::arguments();
    let sum = match work.as_str() {
        "connect" => logins(&config(port, "trust_user"), n),
        "login_scram" => logins(config(port, "scram_user").password("scram_user_pw"), n),
        work => config(port, "trust_user").connect(NoTls).and_then(|mut client| {
            let sum = run(&mut client, work, n)?;
            client.close()?;
            Ok(sum)
        }),
    };
    common::print(sum.expect("it works"));
}

fn config(port: u16, user: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).dbname("test").user(user);
    config
}

fn logins(config: &Config, n: u32) -> Result<Checksum, Error> {
    let mut sum = Checksum::default();
    for _ in 0..n {
        let client = config.connect(NoTls)?;
        sum.add(1);
        client.close()?;
    }
    Ok(sum)
}

fn run(client: &mut Client, work: &str, n: u32) -> Result<Checksum, Error> {
    let mut sum = Checksum::default();
    match work {
        "simple" => {
            for _ in 0..n {
                for message in client.simple_query(common::SIMPLE)? {
                    if let SimpleQueryMessage::Row(row) = message {
                        let value: i32 = row.get(0).expect("a value").parse().expect("int4");
                        sum.add(value.into());
                    }
                }
            }
        }
        "prepared" => {
            let statement = client.prepare(common::SIMPLE)?;
            for _ in 0..n {
                let value: i32 = client.query_one(&statement, &[])?.get(0);
                sum.add(value.into());
            }
        }
        "adhoc" => {
            for i in 0..n {
                let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&(i as i32), Type::INT4)];
                for row in client.query_typed(common::ONE_PARAMETER, &parameters)? {
                    let value: i32 = row.get(0);
                    sum.add(value.into());
                }
            }
        }
        "row_binary" => {
            let mut rows = client.query_raw(&common::rows(n), &[] as &[i32])?;
            while let Some(row) = rows.next()? {
                let Micros(at) = row.get(3);
                sum.row(row.get(0), row.get(1), row.get(2), at, row.get(4));
            }
        }
        "row_text" => {
            for message in client.simple_query(&common::rows(n))? {
                if let SimpleQueryMessage::Row(row) = message {
                    parse(&mut sum, &row);
                }
            }
        }
        "copy_out" => {
            let mut copy = client.copy_out(&common::copy_out(n))?;
            loop {
                let length = copy.fill_buf().expect("rows").len();
                if length == 0 {
                    break;
                }
                sum.add(length as i64);
                copy.consume(length);
            }
        }
        "insert" => {
            let statement = inserting(client)?;
            for i in 0..n {
                let (a, b, c, d, e) = row(i);
                client.execute(&statement, &[&a, &b, &c, &d, &e])?;
            }
            written(client, &mut sum)?;
        }
        "copy_in" => {
            client.batch_execute(common::CREATE)?;
            let mut copy = BinaryCopyInWriter::new(client.copy_in(common::COPY_IN)?, &TYPES);
            for i in 0..n {
                let (a, b, c, d, e) = row(i);
                copy.write(&[&a, &b, &c, &d, &e])?;
            }
            copy.finish()?;
            written(client, &mut sum)?;
        }
        "read_10mb" => {
            let statement = client.prepare(common::BLOB)?;
            for _ in 0..n {
                let row = client.query_one(&statement, &[])?;
                let mut samples = Samples::default();
                samples.piece(row.get(0));
                sum.add(samples.finish());
            }
        }
        "get" => {
            let mut rows = client.query_raw(&common::columns(n), &[] as &[i32])?;
            while let Some(row) = rows.next()? {
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

fn inserting(client: &mut Client) -> Result<Statement, Error> {
    client.batch_execute(common::CREATE)?;
    client.prepare_typed(common::INSERT, &TYPES)
}

fn written(client: &mut Client, sum: &mut Checksum) -> Result<(), Error> {
    for message in client.simple_query(common::WRITTEN)? {
        if let SimpleQueryMessage::Row(row) = message {
            sum.number(row.get(0).expect("a value"));
        }
    }
    Ok(())
}
