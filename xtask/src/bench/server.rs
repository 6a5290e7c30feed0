//! The server that all clients work with.

use barepg_testkit::pg::{Cluster, Options};

use super::works::{GROWTH, WORKS};

/// Starts it, with the tables that the works read.
pub fn start() -> Result<Cluster, String> {
    // A client under callgrind takes its time to log in.
    let patience = "authentication_timeout = 60".to_string();
    let options = Options { ssl: false, extra_conf: vec![patience], ..Options::default() };
    let cluster = Cluster::try_start(options)?;
    let grown = GROWTH.iter().map(|growth| &growth.work).filter(|work| work.name == "grow_rows");
    let rows = WORKS.iter().chain(grown).map(|work| work.sizes.1).max().unwrap_or(0);
    cluster.try_psql("test", &tables(rows))?;
    Ok(cluster)
}

/// A row of `reading` is 75 bytes on the wire in binary, 99 as text.
fn tables(rows: u32) -> String {
    format!(
        "create table reading as
         select i::int4 as id, 1000000000000000 + i::int8 * 1000003 as total,
             10000000 + i::float8 / 8 as value,
             timestamp '2026-01-01' + i * interval '1 second' as taken_at,
             'reading-' || lpad(i::text, 12, '0') as name
         from generate_series(1, {rows}) i;
         create table blob (data bytea);
         alter table blob alter column data set storage external;
         insert into blob select decode(repeat('0123456789abcdef', 1250000), 'hex');
         grant select on reading, blob to public"
    )
}
