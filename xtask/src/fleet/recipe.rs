//! What each line of the recipe for the server's side is worth.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use barepg_testkit::child;
use barepg_testkit::pg::Cluster;
use barepg_testkit::pgbouncer::{self, PgBouncer, PoolMode};
use barepg_testkit::provision;

use super::devices::{self, Devices};
use super::outcome::{Figures, Outcome};
use super::pages::in_seconds;
use super::servers::{self, ROLE, Spent, conninfo, extra, pooler_with, server};
use crate::budgets::Budgets;
use crate::demo::digits;

/// The longest that `psql` may take for a question.
const LIMIT: Duration = Duration::from_secs(60);

/// A line of the recipe.
pub struct Line {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn() -> Result<Outcome, String>,
}

pub const LINES: &[Line] = &[
    Line { name: "logins", about: "logins in a loop, and whose time they take", run: logins },
    Line {
        name: "descriptors",
        about: "1,200 devices, 1,024 open files for the pooler",
        run: descriptors,
    },
    Line { name: "pools", about: "100 devices on 20 connections, in both pool modes", run: pools },
    Line {
        name: "roles",
        about: "a role's settings and start-up options through the pooler",
        run: roles,
    },
    Line { name: "readers", about: "90 readers on a primary and two standbys", run: readers },
];

/// The tables of the page.
pub fn table(name: &str, figures: &Budgets) -> Option<String> {
    match name {
        "logins" => Some(logins_table(figures)),
        "recipe" => Some(recipe_table(figures)),
        _ => None,
    }
}

const WAYS: &[(&str, &str)] = &[
    ("direct", "PostgreSQL, password"),
    ("direct_keys", "PostgreSQL, key cache"),
    ("verifier", "PgBouncer, SCRAM verifier in `auth_file`"),
    ("verifier_keys", "the same, key cache"),
    ("plain", "PgBouncer, **plain password** in `auth_file`"),
    ("plain_keys", "the same, key cache"),
];

/// The hosts of the readers: a primary and two standbys.
const HOSTS: [&str; 3] = ["primary", "first", "second"];

fn logins() -> Result<Outcome, String> {
    const MS: u64 = 4000;
    let server = server(60)?;
    let of = |verifiers| {
        let options = pgbouncer::Options { verifiers, extra: extra(20), ..servers::options() };
        pooler_with(&server, options)
    };
    let (verifier, plain) = (of(true)?, of(false)?);
    let mut outcome = Outcome::default();
    for (way, pooler) in [("direct", None), ("verifier", Some(&verifier)), ("plain", Some(&plain))]
    {
        let port = pooler.map_or(server.port(), PgBouncer::port);
        for (suffix, keys) in [("", false), ("_keys", true)] {
            // The pooler has its connections to the server.
            devices::logins(&conninfo(port), 8, 500, keys)?;
            let at_server = Spent::since_now(server.pid());
            let at_pooler = pooler.map(|pooler| Spent::since_now(pooler.pid()));
            let count = devices::logins(&conninfo(port), 8, MS, keys)?;
            let us = |spent: &Spent| spent.ms() * 1000 / count.max(1);
            outcome.figures.push(format!("{way}{suffix}"), count * 1000 / MS);
            outcome.figures.push(format!("{way}{suffix}_server_us"), us(&at_server));
            if let Some(at_pooler) = &at_pooler {
                outcome.figures.push(format!("{way}{suffix}_pooler_us"), us(at_pooler));
            }
        }
    }
    Ok(outcome)
}

fn logins_table(figures: &Budgets) -> String {
    let mut text = "\
| | logins/s | CPU of the server, ms | CPU of the pooler, ms |
|---|--:|--:|--:|
"
    .to_string();
    for (name, about) in WAYS {
        let of = |suffix: &str| figures.get("logins", &format!("{name}{suffix}"));
        let ms = |suffix: &str| {
            of(suffix).map_or("–".to_string(), |us| format!("{:.2}", us as f64 / 1000.0))
        };
        let rate = of("").map_or("–".to_string(), digits);
        let (server, pooler) = (ms("_server_us"), ms("_pooler_us"));
        text.push_str(&format!("| {about} | {rate} | {server} | {pooler} |\n"));
    }
    text
}

/// Each setting with what it changes.
fn recipe_table(figures: &Budgets) -> String {
    let of = |section: &str, name: &str| figures.get(section, name);
    let count = |section: &str, name: &str| of(section, name).map_or("–".to_string(), digits);
    let seconds = |section: &str, name: &str| of(section, name).map_or("–".to_string(), in_seconds);
    let gone = of("vanish", "gone_within_s").map_or("–".to_string(), digits);
    let three =
        |way: &str| HOSTS.map(|host| count("readers", &format!("{way}_{host}"))).join(" / ");
    let lines = [
        (
            "`LimitNOFILE=65536` for PgBouncer",
            format!(
                "1,024: {} of {} devices get in",
                count("descriptors", "with_1024"),
                count("descriptors", "devices")
            ),
            format!("{} of {}", count("descriptors", "with_more"), count("descriptors", "devices")),
        ),
        (
            "`pool_mode = transaction`",
            format!(
                "session: {} of {} devices are at work on 20 connections",
                count("pools", "session"),
                count("pools", "devices")
            ),
            format!("{} of {}", count("pools", "transaction"), count("pools", "devices")),
        ),
        (
            "`server_login_retry = 1`",
            format!(
                "15: back after {} s and {} logins",
                seconds("restart-default", "back_ms"),
                count("restart-default", "logins")
            ),
            format!("{} s, {} logins", seconds("restart", "back_ms"), count("restart", "logins")),
        ),
        (
            "`alter role … set` in place of start-up options",
            format!(
                "options: in force in {} of {} sessions",
                count("roles", "options_in_force"),
                count("roles", "sessions")
            ),
            format!("{} of {}", count("roles", "role_in_force"), count("roles", "sessions")),
        ),
        (
            "keepalives of 5/2/3 s",
            format!(
                "{} of {} dead sessions are left after 25 s",
                count("vanish-default", "left"),
                count("vanish-default", "devices")
            ),
            format!("none after {gone} s"),
        ),
        (
            "`synchronous_commit = remote_apply`",
            format!(
                "{} acknowledged rows are gone with the primary, {} are there",
                count("failover-async", "lost"),
                count("failover-async", "rows")
            ),
            count("failover-apply", "lost"),
        ),
        (
            "or `Outbox::resend` on the devices",
            format!("{} are gone", count("failover-async", "lost")),
            format!(
                "{}; {} rows were sent again",
                count("failover-resend", "lost"),
                count("failover-resend", "resent")
            ),
        ),
        (
            "pauses as in `Policy::DEFAULT` where connections are short",
            format!("20 ms: {} % of the server's time", count("limit-loop", "server_percent")),
            format!("{} %", count("limit", "server_percent")),
        ),
        (
            "`load_balance_hosts=random` for readers",
            format!("`prefer-standby` alone, sessions of three hosts: {}", three("in_order")),
            three("random"),
        ),
    ];
    let mut text = "| do | without | with |\n|---|---|---|\n".to_string();
    for (setting, without, with) in lines {
        text.push_str(&format!("| {setting} | {without} | {with} |\n"));
    }
    text
}

/// How many devices are at work after some seconds at the most, with each of two poolers.
fn at_work(
    count: u64,
    ms: u64,
    poolers: [(&str, pgbouncer::Options); 2],
) -> Result<Outcome, String> {
    let server = server(60)?;
    let mut figures = Figures::from([("devices", count)]);
    for (name, options) in poolers {
        let pooler = pooler_with(&server, pgbouncer::Options { extra: extra(count), ..options })?;
        let ramp = format!("ramp-ms={}", count * 5);
        let options = ["interval-ms=5000", &ramp];
        let fleet = Devices::start(&conninfo(pooler.port()), count, &options)?;
        // That they are not all there is what is measured.
        let _ = fleet.wait_up(Duration::from_millis(ms));
        figures.push(name, fleet.up());
    }
    Ok(Outcome { figures, ..Outcome::default() })
}

fn descriptors() -> Result<Outcome, String> {
    let of = |descriptors| pgbouncer::Options { descriptors, ..servers::options() };
    at_work(1200, 20_000, [("with_1024", of(Some(1024))), ("with_more", of(None))])
}

fn pools() -> Result<Outcome, String> {
    let of = |mode| pgbouncer::Options { mode, ..servers::options() };
    let poolers = [("transaction", of(PoolMode::Transaction)), ("session", of(PoolMode::Session))];
    at_work(100, 10_000, poolers)
}

fn roles() -> Result<Outcome, String> {
    const SESSIONS: u64 = 10;
    let server = server(60)?;
    let mut lines = extra(20);
    lines.push("ignore_startup_parameters = options".to_string());
    let pooler = pooler_with(&server, pgbouncer::Options { extra: lines, ..servers::options() })?;
    // A session of a client with options of its own that has this setting.
    let in_force = |options: &str| -> Result<u64, String> {
        let mut count = 0;
        for _ in 0..SESSIONS {
            let mut psql = Command::new(provision::client("psql")?);
            psql.arg("-XAtq").arg(conninfo(pooler.port()).replace(" dialect=postgresql", ""));
            psql.args(["-c", "show statement_timeout"]).env("PGOPTIONS", options);
            count += u64::from(child::run(&mut psql, LIMIT)?.trim() == "9s");
        }
        Ok(count)
    };
    let options = in_force("-c statement_timeout=9s")?;
    server.try_psql("postgres", &format!("alter role {ROLE} set statement_timeout = '9s'"))?;
    pooler.admin("reconnect");
    sleep(Duration::from_secs(1));
    let role = in_force("")?;
    let figures = Figures::from([
        ("sessions", SESSIONS),
        ("options_in_force", options),
        ("role_in_force", role),
    ]);
    Ok(Outcome { figures, ..Outcome::default() })
}

fn readers() -> Result<Outcome, String> {
    const READERS: u64 = 90;
    let primary = server(READERS)?;
    let standbys = [Cluster::try_standby_of(&primary)?, Cluster::try_standby_of(&primary)?];
    let ports = [primary.port(), standbys[0].port(), standbys[1].port()];
    let text = conninfo(0).replace(
        "host=127.0.0.1 port=0",
        &format!(
            "host=127.0.0.1,127.0.0.1,127.0.0.1 port={},{},{} target_session_attrs=prefer-standby",
            ports[0], ports[1], ports[2]
        ),
    );
    let mut figures = Figures::from([("readers", READERS)]);
    for (way, more) in [("in_order", ""), ("random", "load_balance_hosts=random")] {
        let text = format!("{text} {more}");
        let fleet = Devices::start(&text, READERS, &["reads=1", "interval-ms=1000"])?;
        fleet.wait_up(Duration::from_secs(30))?;
        let (_, devices) = fleet.finish(Duration::from_secs(30))?;
        for (host, name) in (0..).zip(HOSTS) {
            let count = devices.iter().filter(|device| device.host == host).count();
            figures.push(format!("{way}_{name}"), u64::try_from(count).unwrap_or(0));
        }
    }
    Ok(Outcome { figures, ..Outcome::default() })
}
