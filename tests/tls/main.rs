//! TLS: against real servers, beside libpq, and against servers that break the rules.

#[path = "../common/mod.rs"]
mod common;

#[allow(dead_code, reason = "the matrix uses the rest")]
mod harness;
mod live;
