//! Connecting as psycopg2 does: every spelling, every way of reaching a server, several hosts.

#[path = "../common/mod.rs"]
mod common;
mod deadlines;
mod guess;
mod hosts;
mod pooler;
mod spellings;
mod standby;
#[cfg(feature = "tls")]
mod tls;

use barepg::host::Host;
use barepg::{Config, Error};

/// Connects with a connection string and asks one question.
fn ask(conninfo: &str, question: &str) -> Result<String, Error> {
    let mut host = Host::<512, 512>::with_buffers();
    let mut client = host.client(conninfo).unwrap_or_else(|error| panic!("{conninfo}: {error}"));
    let result = client.connect().and_then(|mut connection| {
        let answer = {
            let row = connection.query_one(question, ())?;
            row.get::<&str>(0)?.to_string()
        };
        connection.close()?;
        Ok(answer)
    });
    if let (Err(error), Some(said)) = (&result, client.server_error()) {
        println!("{conninfo}: {error}; {said}");
    }
    result
}

/// The same for a configuration from the builder.
fn ask_built(config: Config<'_>, question: &str) -> Result<String, Error> {
    let mut host = Host::<512, 512>::with_buffers();
    let mut client = host.client_for(config);
    let mut connection = client.connect()?;
    let row = connection.query_one(question, ())?;
    row.get::<&str>(0).map(String::from)
}
