//! The driver against real servers. Each test starts the server it needs, or fails.

#[path = "../common/mod.rs"]
mod common;

mod copy;
mod guards;
mod guide;
mod login;
mod notify;
mod pipeline;
mod stream;
mod weak;
mod work;

/// The major versions that every test here runs on: the oldest obtainable, the one of the
/// machine, the newest.
pub const MAJORS: [u16; 3] = [10, 15, 18];

/// Runs a test on each of them.
pub fn on_each(test: impl Fn(&'static barepg_testkit::pg::Cluster)) {
    for major in MAJORS {
        println!("PostgreSQL {major}");
        test(barepg_testkit::pg::shared(major));
    }
}
