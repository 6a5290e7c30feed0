//! The driver against openGauss: through the testkit's front before a real PostgreSQL, and
//! against scripted servers that do what an openGauss should not.

#[path = "../common/mod.rs"]
mod common;

mod guide;
#[cfg(feature = "std")]
mod hosts;
#[cfg(feature = "std")]
mod keys_tool;
mod login;
#[cfg(feature = "outbox")]
mod outbox;
mod peer;
#[cfg(feature = "std")]
#[path = "../host/programs.rs"]
mod programs;
mod recorded;
mod refusals;
mod scripted;
#[cfg(feature = "std")]
mod spellings;
#[cfg(feature = "tls")]
mod tls;
mod values;
mod verbs;
mod work;

use barepg::{AuthMethods, Client, Config, Error, Storage};
use barepg_testkit::gauss::{Front, Options, PASSWORD};
use barepg_testkit::pg;

use common::{Host, tcp};

/// Methods that show the password or its MD5 hash, named so that they are answered without TLS.
pub const ALL: AuthMethods = AuthMethods::PASSWORD
    .or(AuthMethods::MD5)
    .or(AuthMethods::GAUSS_SHA256)
    .or(AuthMethods::GAUSS_SM3);

/// A front with the default behaviour.
pub fn front() -> Front {
    front_with(|_| {})
}

/// A front with options of its own.
pub fn front_with(change: impl FnOnce(&mut Options)) -> Front {
    let mut options = Options::before(pg::shared(15));
    change(&mut options);
    Front::start(options)
}

/// The configuration of one of the front's users.
pub fn user(name: &str) -> Config<'_> {
    Config::new().user(name).password(PASSWORD).dbname("test")
}

/// A login that must fail: the error and the server's message.
pub fn refused(port: u16, config: Config<'_>) -> (Error, String) {
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let error = match client.connect(tcp(port)) {
        Ok(_) => panic!("logged in"),
        Err(error) => error,
    };
    assert!(!error.is_usable());
    let message = client.server_error().map(|e| e.message().to_string()).unwrap_or_default();
    (error, message)
}
