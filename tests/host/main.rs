//! The driver on a host: environment, password file, and the examples that people run.

mod environment;
mod links;
#[cfg(feature = "saslprep")]
mod passwords;
mod programs;
