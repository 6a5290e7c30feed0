//! The driver on a machine with an operating system: TCP and UNIX sockets, the system's clock and
//! random numbers, `PG*` variables, password and certificate files.
//!
//! Feature `std`, on systems with UNIX sockets (Linux, macOS, BSD). The driver's own code keeps no heap
//! here either; what the standard library needs for looking up names and variables is its own.

#[cfg(feature = "tls")]
mod certificates;
mod client;
mod dialler;
#[cfg(feature = "sslpassword")]
mod encrypted_key;
mod env;
mod files;
#[cfg(feature = "outbox")]
mod flash;
mod link;
mod passfile;
#[cfg(feature = "tls")]
mod pem_file;
mod platform;

#[cfg(feature = "tls")]
pub use crate::tls::FileProblem;
#[cfg(feature = "tls")]
pub use certificates::CertificateFiles;
pub use client::{BUFFER, Host, HostClient};
pub use dialler::Dialler;
pub use env::parse;
#[cfg(feature = "outbox")]
pub use flash::FileFlash;
pub use link::Link;
pub use passfile::PassfileProblem;
pub use platform::SystemPlatform;
