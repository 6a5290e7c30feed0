//! What the tests and xtask share: real servers that start in a second and remove what they made.
//!
//! A test that needs a server starts it here, or fails and says why. Nothing is skipped.
//!
//! * [`pg`]: private PostgreSQL clusters, one role per authentication method.
//! * [`pgbouncer`]: PgBouncer in front of one.
//! * [`certs`]: a certificate authority and its certificates, made when a server starts.
//! * [`child`]: processes that are ended with their owner, and waits for them that end.
//! * [`cut`]: a relay that cuts links after so many bytes.
//! * [`faults`]: servers that misbehave on purpose.
//! * [`gauss`]: an openGauss front before such a cluster.
//! * [`pki`]: any certificate, for tests of certificate checks.
//! * [`pkits`]: NIST's test suite for certificate chains.
//! * [`provision`]: gets the server binaries and other tools, and says what it installs.
//! * [`libpq`]: PostgreSQL's client library, to compare with.
//! * [`names`]: a name server that knows one name.
//! * [`random`]: random numbers from a seed.
//! * [`sockets`]: what std does not offer of sockets.
//! * [`account`]: the unprivileged account that servers run under when the tests run as root.

pub mod account;
pub mod certs;
pub mod child;
pub mod cut;
pub mod faults;
pub mod flash;
pub mod gauss;
pub mod libpq;
pub mod names;
pub mod pg;
pub mod pgbouncer;
pub mod pglite;
pub mod pgpool;
pub mod pki;
pub mod pkits;
pub mod provision;
pub mod random;
pub mod scratch;
pub mod sockets;
