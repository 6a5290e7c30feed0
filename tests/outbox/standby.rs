//! A synchronous standby that stands still: what the primary has alone is not stored, however often it was sent.

use core::ops::ControlFlow;

use barepg::host::{Host, SystemPlatform};
use barepg::outbox::{Outbox, RamFlash};
use barepg::{Backoff, Connection, Pause, Policy, Supervisor};
use barepg_testkit::child::signal;
use barepg_testkit::pg::{Cluster, Options};

use crate::device::{INSERT, options};

/// No sequence: a number of one is written to the log too, and a row that is there already would wait for its own.
const SCHEMA: &str = "create table reading (device int, key bigint, value int, note text,
    primary key (device, key)); grant all on reading to public";

/// The deadline passes while a commit waits for the standby. A cancel request ends the wait, as does the end of the
/// session: the row is there then, and sending it again changes nothing, for which no standby is waited for.
#[test]
fn a_row_that_the_standby_has_not_is_not_taken_for_stored() {
    let primary = Cluster::start(Options { ssl: false, ..Options::default() });
    primary.psql("test", SCHEMA);
    let standby = Cluster::standby_of(&primary);
    primary
        .append_conf("synchronous_standby_names = '*'\nsynchronous_commit = remote_apply")
        .unwrap();
    primary.reload();
    primary.wait_until("select count(*) = 1 from pg_stat_replication where sync_state = 'sync'");
    let sender = primary.psql("test", "select pid from pg_stat_replication").parse().unwrap();
    let (mut memory, mut buffer, platform) = ([0; 8192], [0; 128], SystemPlatform::new());
    // Either of them ends the wait: the cancel request, or the end of the session that waits.
    for (cancel, sole) in [(true, false), (false, true)] {
        memory.fill(0xff);
        let options = options().sole_session(sole);
        let flash = RamFlash::new(&mut memory);
        let mut outbox = Outbox::open(flash, &mut buffer, options, &platform).unwrap();
        primary.psql("test", "truncate reading");
        outbox.push(&INSERT, (1, "")).unwrap();
        let text = format!("{} application_name=device", primary.conninfo("trust_user"));
        let mut host = Host::<512, 512>::with_buffers();
        let mut client = host.client(&text).unwrap();
        client.set_timeout_ms(700);
        let pause = Backoff { first_ms: 20, spread_ms: 20, steady: 3, longest_ms: 100 };
        let mut supervisor = Supervisor::new(Policy { lost: pause, cancel, ..Policy::DEFAULT });
        let session = |outbox: &mut Outbox<'_, RamFlash<'_>>, conn: &mut Connection| {
            outbox.drain(conn).map(|_| ControlFlow::Break(()))
        };
        let stop = |_: &mut Outbox<'_, RamFlash<'_>>, pause: &Pause<'_>| match pause.health.attempts
        {
            4 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        signal("STOP", &[sender]);
        client.supervise(&mut supervisor, &mut outbox, session, stop);
        assert_eq!(outbox.waiting(), 1, "{cancel} {sole}: {:?}", supervisor.health());
        assert_eq!(primary.psql("test", "select count(*) from reading"), "1");
        signal("CONT", &[sender]);
        client.set_timeout_ms(20_000);
        client.connect().and_then(|mut conn| outbox.drain(&mut conn)).unwrap();
        assert_eq!(outbox.waiting(), 0);
        assert_eq!(standby.psql("test", "select count(*) from reading"), "1");
    }
}
