//! TLS: against real servers, beside libpq, and against servers that break the rules.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod alpn;
mod cases;
mod client_cert;
mod common_names;
mod constraints;
mod deadline;
mod harness;
mod hostile;
mod live;
mod matrix;
mod relay;
mod rogue;
mod tickets;
mod verbs;
