//! The driver against real servers. Each test starts the server it needs, or fails.
//!
//! With `BAREPG_POOLER` in the environment PgBouncer stands between, see [`pooled`].

#[path = "../common/mod.rs"]
mod common;

mod copy;
mod guards;
mod guide;
mod hardware;
mod logger;
mod login;
mod notify;
mod pipeline;
mod pooled;
mod rules;
mod stream;
mod weak;
mod work;

pub use pooled::{Server, on_each, usual};
