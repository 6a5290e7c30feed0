//! What an outbox asks before the first batch of a session.

use barepg::ErrorKind;
use barepg_testkit::flash::Flash;
use barepg_testkit::pg;

use crate::device::{INSERT, database, options, with_outbox, with_session};
use crate::work::values;

#[test]
fn the_last_rows_are_sent_again_to_another_server() {
    let port = database("moved").port();
    let cluster = pg::shared(15);
    let mut flash = Flash::<4, 1024>::new(8, 3);
    with_outbox(&mut flash, options(), |outbox| {
        outbox.resend(10);
        for value in 0..30 {
            outbox.push(&INSERT, (value, "")).unwrap();
        }
        with_session(port, "moved", |conn| outbox.drain(conn)).unwrap();
        assert_eq!((outbox.waiting(), outbox.counters().resent), (0, 0));
    })
    .unwrap();
    // What another server would lack.
    cluster.psql("moved", "delete from reading where value >= 23");
    let moved =
        "create function public.pg_is_in_recovery() returns bool language sql as 'select false';
        create function public.pg_walfile_name(pg_lsn) returns text language sql
        as $$ select '000000AA' $$;
        alter role trust_user in database moved set search_path = public, pg_catalog";
    cluster.psql("moved", moved);
    with_outbox(&mut flash, options(), |outbox| {
        outbox.resend(10);
        with_session(port, "moved", |conn| {
            // Whose failure is reported instead of an answer.
            drop(conn.query("select 1 / (3 - n) from generate_series(1, 9) n", ())?);
            let error = outbox.drain(conn).expect_err("no answer");
            assert!(matches!(error.kind(), ErrorKind::EarlierStatement(_)), "{error}");
            outbox.drain(conn)
        })
        .unwrap();
        assert_eq!((outbox.waiting(), outbox.counters().resent), (0, 10));
        // Once only.
        with_session(port, "moved", |conn| outbox.drain(conn)).unwrap();
        assert_eq!(outbox.counters().resent, 10);
        assert_eq!(outbox.counters().swallowed, 0);
    })
    .unwrap();
    assert_eq!(values("moved"), (0..30).collect::<Vec<_>>());
}

/// Of other sessions that are to be ended, too.
#[test]
fn the_failure_of_an_earlier_statement_is_reported_once() {
    let port = database("earlier").port();
    let mut flash = Flash::<4, 1024>::new(8, 3);
    let pushed = with_outbox(&mut flash, options(), |outbox| outbox.push(&INSERT, (1, "")));
    pushed.unwrap().unwrap();
    with_outbox(&mut flash, options(), |outbox| {
        let sent = with_session(port, "earlier", |conn| {
            drop(conn.query("select 1 / (3 - n) from generate_series(1, 9) n", ())?);
            let error = outbox.drain(conn).expect_err("not sent");
            assert!(matches!(error.kind(), ErrorKind::EarlierStatement(_)), "{error}");
            outbox.drain(conn)
        });
        assert_eq!(sent, Ok(1));
    })
    .unwrap();
}
