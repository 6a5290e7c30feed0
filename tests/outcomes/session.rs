//! A session for a piece of work: everything of the driver that these tests set up.

use std::net::TcpStream;

use barepg::host::{Link, SystemPlatform};
use barepg::{Client, Config, Connection, Dialect, StaticStatements, Storage, Transport};

/// Deadline of a verb. Nothing here takes as long: who waits so long has missed something.
const TIMEOUT_MS: u32 = 20_000;

/// Logs in as `trust_user` at a port of 127.0.0.1, and runs `f` there. The session ends without
/// Terminate.
pub fn with_session<R>(port: u16, database: &str, f: impl FnOnce(&mut Connection) -> R) -> R {
    with_session_over(link(port), database, f)
}

/// A link to a port of 127.0.0.1.
pub fn link(port: u16) -> Link {
    Link::from_tcp(TcpStream::connect(("127.0.0.1", port)).expect("the port is open")).unwrap()
}

/// The same over any transport.
pub fn with_session_over<R>(
    transport: impl Transport,
    database: &str,
    f: impl FnOnce(&mut Connection) -> R,
) -> R {
    let (mut storage, mut known) = (Storage::<512, 512>::new(), StaticStatements::new());
    let platform = SystemPlatform::new();
    // PgBouncer hangs up on openGauss's protocol version.
    let config = Config::new().user("trust_user").dbname(database).dialect(Dialect::PostgreSql);
    let mut client = Client::new(storage.buffers(), &config, &platform);
    client.set_static_statements(&mut known);
    client.set_timeout_ms(TIMEOUT_MS);
    f(&mut client.connect(transport).unwrap())
}
