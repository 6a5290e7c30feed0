//! A device: a client with an outbox in a flash that loses its power.

use std::net::TcpStream;

use barepg::host::{Link, SystemPlatform};
use barepg::outbox::{NorFlash, Options, Outbox};
use barepg::types::oid;
use barepg::{
    Client, Config, Connection, Dialect, Result, StaticStatement, StaticStatements, Storage,
};
use barepg_testkit::pg::{self, Cluster};

/// Device, number, value, text.
pub static INSERT: StaticStatement = StaticStatement::new(
    "insert into reading (device, key, value, note) values ($1, $2, $3, $4) on conflict do nothing",
    &[oid::INT4, oid::INT8, oid::INT4, oid::TEXT],
);

pub static STATEMENTS: &[&StaticStatement] = &[&INSERT];

const SCHEMA: &str = "create table reading (device int, key bigint, value int, note text,
    arrived bigserial, primary key (device, key), check (value >= 0));
    grant all on all tables in schema public to public;
    grant all on all sequences in schema public to public";

/// The server that all tests share, with a database of this name that has the table.
pub fn database(name: &str) -> &'static Cluster {
    let cluster = pg::shared(15);
    create(cluster, name);
    cluster
}

/// Makes such a database at a server.
pub fn create(cluster: &Cluster, name: &str) {
    cluster.psql("postgres", &format!("create database {name}"));
    cluster.psql(name, SCHEMA);
}

/// The identity of the device.
pub const DEVICE: (i32,) = (7,);

pub fn options() -> Options<'static> {
    Options::new(STATEMENTS).device(&DEVICE).sole_session(true)
}

/// Opens the outbox in a flash and runs `f` with it.
pub fn with_outbox<F: NorFlash, R>(
    flash: F,
    options: Options<'_>,
    f: impl FnOnce(&mut Outbox<'_, F>) -> R,
) -> Result<R> {
    let mut buffer = [0; 192];
    Ok(f(&mut Outbox::open(flash, &mut buffer, options, &SystemPlatform::new())?))
}

/// Logs in as `trust_user` at a port of 127.0.0.1 and runs `f`. The session ends without Terminate.
pub fn with_session<R>(
    port: u16,
    database: &str,
    f: impl FnOnce(&mut Connection) -> Result<R>,
) -> Result<R> {
    let (mut storage, mut known) = (Storage::<512, 512>::new(), StaticStatements::new());
    let platform = SystemPlatform::new();
    // PgBouncer hangs up on openGauss's protocol version.
    let config = Config::new()
        .user("trust_user")
        .dbname(database)
        .application_name("device 7")
        .dialect(Dialect::PostgreSql);
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_static_statements(&mut known);
    client.set_timeout_ms(20_000);
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the port is open");
    f(&mut client.connect(Link::from_tcp(stream).unwrap())?)
}
