//! Files, environment and password file decide who is logged in to: every set-up of a table is tried
//! with libpq 15, libpq 18 and this driver, on the same server, as the same user.
//!
//! A set-up is a home directory, some variables and a connection string. The three must connect to
//! the same effect (user, TLS, client certificate) or fail. Where the driver differs the table says
//! why, and then it is the driver that fails: a set-up that libpq refuses is never accepted.

mod table;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use table::{Differs, Setup, Versions};
use world::{Client, Outcome, World};

/// Set-ups tried at once: most of the time is waiting for servers and hanging clients.
const AT_ONCE: usize = 8;

#[test]
fn every_set_up_connects_or_fails_as_with_libpq() {
    let world = World::new();
    let setups: Vec<Setup> =
        table::all().into_iter().filter(|setup| !setup.needs_root || world.is_root()).collect();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(setup) = setups.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcomes = Client::ALL.map(|client| world.try_with(setup, client));
                    results.lock().unwrap().push((setup, outcomes));
                }
            });
        }
    });
    let (mut wrong, mut connected, mut differ) = (Vec::new(), 0, 0);
    for (setup, [libpq15, libpq18, barepg]) in results.into_inner().unwrap() {
        connected += usize::from(barepg.connected().is_some());
        let mut judge = |version: u16, libpq: &Outcome| {
            let both = format!("{}: libpq {version} {libpq:?}, barepg {barepg:?}", setup.name);
            let same = libpq.connected() == barepg.connected();
            match (same, setup.differs) {
                (true, None) => {}
                (false, Some(Differs(reason))) if barepg.connected().is_none() => {
                    differ += 1;
                    println!("{both}: {reason}");
                }
                (true, Some(_)) => wrong.push(format!("{both}: no longer differs")),
                (false, _) => wrong.push(both),
            }
        };
        if setup.versions != Versions::Only18 {
            judge(15, &libpq15);
        }
        if setup.versions != Versions::Only15 {
            judge(18, &libpq18);
        }
        if let Some(wanted) = setup.wants
            && barepg.connected() != Some(wanted)
        {
            wrong.push(format!("{}: barepg {barepg:?}, should be {wanted}", setup.name));
        }
        if let Outcome::Hangs = barepg {
            wrong.push(format!("{}: barepg hangs", setup.name));
        }
        if let Some(says) = setup.says
            && !matches!(&barepg, Outcome::Failed(message) if message.contains(says))
        {
            wrong.push(format!("{}: {barepg:?} should say {says:?}", setup.name));
        }
    }
    println!(
        "{} set-ups, {connected} connect, {differ} decisions differ from libpq for a reason",
        setups.len()
    );
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), setups.len(), wrong.join("\n"));
    assert!(setups.len() >= 100, "{} set-ups", setups.len());
}
