//! What is done to the servers, and what must come of it.

use std::thread::sleep;
use std::time::Duration;

use barepg_testkit::child::signal;
use barepg_testkit::pg::{Cluster, StopMode};
use barepg_testkit::pgbouncer;

use super::devices::{Device, Devices, Series};
use super::outcome::{Figures, Outcome};
use super::servers::{self, SUPERUSER, Spent, compare, conninfo, server};

/// A scenario: its name, what it is, and how many devices take part at the most.
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub most: u64,
    pub run: fn(u64) -> Result<Outcome, String>,
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario { name: "herd", about: "the pooler is away for 3 s", most: u64::MAX, run: herd },
    Scenario {
        name: "restart",
        about: "the server behind the pooler is away for 3 s",
        most: u64::MAX,
        run: |devices| restart(devices, 1),
    },
    Scenario {
        name: "restart-default",
        about: "the same with the pooler's default `server_login_retry` of 15 s",
        most: u64::MAX,
        run: |devices| restart(devices, 15),
    },
    Scenario {
        name: "limit",
        about: "twice as many devices as connections (53300)",
        most: 600,
        run: |devices| limit(devices, &[]),
    },
    Scenario {
        name: "limit-loop",
        about: "the same, each tries again after 20 ms",
        most: 600,
        run: |devices| limit(devices, &["fixed-ms=20"]),
    },
    Scenario {
        name: "failover-async",
        about: "the primary is killed, its standby a second late",
        most: 500,
        run: |devices| failover(devices, false, 0),
    },
    Scenario {
        name: "failover-apply",
        about: "the same with synchronous_commit=remote_apply",
        most: 500,
        run: |devices| failover(devices, true, 0),
    },
    Scenario {
        name: "failover-resend",
        about: "asynchronous, and devices send their last rows again",
        most: 500,
        run: |devices| failover(devices, false, 200),
    },
    Scenario { name: "silent", about: "the server stands still for 15 s", most: 500, run: silent },
    Scenario {
        name: "vanish",
        about: "devices are gone without a word, keepalives of 5/2/3 s",
        most: 100,
        run: |devices| {
            let limits = "server_keepalives_idle=5 server_keepalives_interval=2";
            vanish(devices, &format!("{limits} server_keepalives_count=3"))
        },
    },
    Scenario {
        name: "vanish-default",
        about: "the same, with the server's own figures",
        most: 100,
        run: |devices| vanish(devices, ""),
    },
];

/// Between two readings of a device.
const INTERVAL: &str = "interval-ms=5000";

/// The longest that devices may take to send what waits.
const SETTLE: Duration = Duration::from_secs(150);

/// The longest that devices may take to be at work again.
const BACK: Duration = Duration::from_secs(60);

/// Starts devices, and waits until all are at work.
fn start(text: &str, devices: u64, interval: &str, more: &[&str]) -> Result<Devices, String> {
    // As fast as the servers take them, about.
    let ramp = format!("ramp-ms={}", (devices * 5).max(1000));
    let options = [&[interval, &ramp], more].concat();
    let fleet = Devices::start(text, devices, &options)?;
    fleet.wait_up(Duration::from_secs(60))?;
    Ok(fleet)
}

/// Adds what is the same for all.
fn finish(fleet: Devices, server: &Cluster, begun: u64, event: u64) -> Result<Outcome, String> {
    let work = fleet.series();
    let (series, devices) = fleet.finish(SETTLE)?;
    let compared = compare(server, &devices)?;
    let sum = |of: fn(&Device) -> u64| devices.iter().map(of).sum();
    let after = Series(work.0.iter().copied().filter(|sample| sample.at >= begun).collect());
    let (first, last) = (after.0.first().copied(), after.0.last().copied());
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let count = devices.len() as u64;
    let mut figures = Figures::from([
        ("devices", count),
        ("logins", last.logins.saturating_sub(first.logins)),
        ("attempts", last.dials.saturating_sub(first.dials)),
        ("attempts_per_second", after.most_in_a_second(|sample| sample.dials)),
    ]);
    if let Some(ms) = after.back_ms(event, count) {
        figures.push("back_ms", ms);
    }
    let gap = devices.iter().map(|device| device.longest_gap_ms).max().unwrap_or(0);
    for (name, value) in [
        ("rows", compared.rows),
        ("no_row_ms", after.longest_gap_ms()),
        ("unknown", sum(|device| device.unknown)),
        ("resent", sum(|device| device.resent)),
        ("dropped", sum(|device| device.dropped)),
        ("swallowed", sum(|device| device.swallowed)),
        ("waiting", sum(|device| device.waiting)),
        ("lost", compared.lost),
        ("doubled", compared.doubled),
        ("longest_gap_ms", gap),
    ] {
        figures.push(name, value);
    }
    Ok(Outcome { figures, series, ..Outcome::default() })
}

fn seconds(n: u64) {
    sleep(Duration::from_secs(n));
}

fn herd(devices: u64) -> Result<Outcome, String> {
    let server = server(60)?;
    let mut pooler = servers::pooler(&server, devices)?;
    let fleet = start(&conninfo(pooler.port()), devices, INTERVAL, &[])?;
    seconds(3);
    let begun = fleet.now();
    pooler.kill();
    seconds(3);
    pooler.start_again();
    let event = fleet.now();
    let back = fleet.wait_up(BACK);
    seconds(3);
    let mut outcome = finish(fleet, &server, begun, event)?;
    outcome.bar(back);
    outcome.all_there();
    outcome.at_most("attempts_per_second", 3000);
    outcome.at_most("attempts", devices * 10);
    Ok(outcome)
}

fn restart(devices: u64, login_retry_s: u64) -> Result<Outcome, String> {
    let server = server(60)?;
    let mut extra = servers::extra(devices);
    extra.push(format!("server_login_retry = {login_retry_s}"));
    let options = pgbouncer::Options { extra, ..servers::options() };
    let pooler = servers::pooler_with(&server, options)?;
    let fleet = start(&conninfo(pooler.port()), devices, INTERVAL, &[])?;
    seconds(3);
    let begun = fleet.now();
    server.stop(StopMode::Fast);
    seconds(3);
    server.start_again();
    let event = fleet.now();
    // Some have noticed nothing; all have sent a row after this.
    seconds(25);
    let back = fleet.wait_up(BACK);
    let mut outcome = finish(fleet, &server, begun, event)?;
    outcome.bar(back);
    outcome.all_there();
    outcome.at_most("logins", devices * 10);
    // A pooler that ends sessions in words leaves nothing to cancel.
    let logins = outcome.figures.get("logins").unwrap_or(0);
    outcome.at_most("attempts", logins + logins / 5);
    Ok(outcome)
}

fn limit(devices: u64, more: &[&str]) -> Result<Outcome, String> {
    let slots = devices / 2;
    let server = servers::with_connections(slots + SUPERUSER)?;
    let ramp = format!("ramp-ms={}", devices * 5);
    let options = [&[INTERVAL, ramp.as_str()], more].concat();
    let spent = Spent::since_now(server.pid());
    let fleet = Devices::start(&conninfo(server.port()), devices, &options)?;
    seconds(40);
    let (percent, up) = (spent.percent(), fleet.up());
    let mut outcome = finish(fleet, &server, 0, 0)?;
    outcome.figures.push("server_percent", percent);
    outcome.figures.push("up", up);
    outcome.all_there();
    outcome.bar(in_use(up, slots));
    if more.is_empty() {
        outcome.at_most("server_percent", 25);
    }
    Ok(outcome)
}

/// Nearly all connections are in use: what the testkit asks takes one now and then.
fn in_use(up: u64, slots: u64) -> Result<(), String> {
    match up + 10 < slots || up == 0 {
        true => Err(format!("only {up} of {slots} connections were in use")),
        false => Ok(()),
    }
}

fn failover(devices: u64, apply: bool, resend: u64) -> Result<Outcome, String> {
    let primary = server(devices)?;
    let standby = Cluster::try_standby_of(&primary)?;
    if apply {
        primary
            .append_conf("synchronous_standby_names = '*'\nsynchronous_commit = remote_apply")?;
        primary.reload();
    }
    primary.wait_until("select count(*) = 1 from pg_stat_replication where state = 'streaming'");
    let (a, b) = (primary.port(), standby.port());
    let text = conninfo(a).replace("host=127.0.0.1", "host=127.0.0.1,127.0.0.1");
    let text = text.replace(&format!("port={a}"), &format!("port={a},{b}"));
    let text = format!("{text} target_session_attrs=read-write");
    let fleet = start(&text, devices, "interval-ms=1000", &[&format!("resend={resend}")])?;
    seconds(10);
    let begun = fleet.now();
    // What the primary acknowledges from now on does not reach the standby.
    let sender = primary.psql("test", "select pid from pg_stat_replication");
    signal("STOP", &[sender.parse().map_err(|_| format!("no process: {sender}"))?]);
    seconds(1);
    primary.kill();
    seconds(1);
    standby.promote();
    let event = fleet.now();
    let back = fleet.wait_up(BACK);
    seconds(5);
    let mut outcome = finish(fleet, &standby, begun, event)?;
    outcome.bar(back);
    if apply || resend > 0 {
        outcome.all_there();
    }
    outcome.at_most("doubled", 0);
    outcome.at_most("waiting", 0);
    Ok(outcome)
}

fn silent(devices: u64) -> Result<Outcome, String> {
    let server = server(devices)?;
    let fleet = start(&conninfo(server.port()), devices, "interval-ms=1000", &[])?;
    seconds(5);
    let begun = fleet.now();
    let pids = server.pids();
    signal("STOP", &pids);
    seconds(15);
    signal("CONT", &pids);
    let event = fleet.now();
    seconds(5);
    let back = fleet.wait_up(BACK);
    let mut outcome = finish(fleet, &server, begun, event)?;
    outcome.bar(back);
    outcome.all_there();
    Ok(outcome)
}

fn vanish(devices: u64, limits: &str) -> Result<Outcome, String> {
    let server = server(devices)?;
    let text = format!("{} {limits}", conninfo(server.port()));
    let mut fleet = start(&text, devices, INTERVAL, &["may-vanish=1"])?;
    fleet.tell("vanish")?;
    // Each vanishes when it takes its next reading.
    seconds(6);
    let sql = "select count(*) from pg_stat_activity where application_name like 'device %'";
    let left = || server.psql("test", sql).parse::<u64>().unwrap_or(u64::MAX);
    let figures = Figures::from([("devices", devices)]);
    let mut outcome = Outcome { figures, ..Outcome::default() };
    for second in 6..=25 {
        if left() == 0 {
            outcome.figures.push("gone_within_s", second);
            break;
        }
        seconds(1);
    }
    let left = left();
    outcome.figures.push("left", left);
    outcome.series = fleet.series();
    drop(fleet);
    if limits.is_empty() {
        let are_left = format!("{left} of {devices} are left: they have not vanished");
        outcome.bar(if left == devices { Ok(()) } else { Err(are_left) });
    } else {
        outcome.at_most("left", 0);
    }
    Ok(outcome)
}

/// The short form: the pooler is away, then the server; no time is asserted.
pub fn short(devices: u64) -> Result<Outcome, String> {
    let server = server(60)?;
    let mut pooler = servers::pooler(&server, devices)?;
    let fleet = start(&conninfo(pooler.port()), devices, "interval-ms=1000", &[])?;
    let begun = fleet.now();
    pooler.kill();
    seconds(2);
    pooler.start_again();
    let without_pooler = fleet.wait_up(BACK);
    server.stop(StopMode::Immediate);
    seconds(2);
    server.start_again();
    let event = fleet.now();
    seconds(3);
    let without_server = fleet.wait_up(BACK);
    let mut outcome = finish(fleet, &server, begun, event)?;
    outcome.bar(without_pooler);
    outcome.bar(without_server);
    outcome.all_there();
    outcome.at_most("attempts", devices * 40);
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fewest devices are two, on one connection.
    #[test]
    fn few_connections_are_no_reason_to_panic() {
        assert_eq!(in_use(1, 1), Ok(()));
        assert!(in_use(0, 1).is_err());
        assert_eq!(in_use(290, 300), Ok(()));
        assert!(in_use(289, 300).is_err());
    }
}
