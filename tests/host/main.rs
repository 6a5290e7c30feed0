//! The driver on a host: environment, password file, and the examples that people run.

mod environment;
#[cfg(feature = "saslprep")]
mod passwords;
mod programs;
