//! What becomes of rows, whatever the server says of them.

use barepg::host::{FileFlash, SystemPlatform};
use barepg::outbox::{Full, Options, Outbox, RamFlash};
use barepg::types::oid;
use barepg::{
    Buffer, Connection, Error, ErrorKind, OutboxError, Remedy, Result, StaticStatement, UsageError,
};
use barepg_testkit::flash::Flash;
use barepg_testkit::pg;
use barepg_testkit::scratch::Scratch;

use crate::device::{DEVICE, INSERT, STATEMENTS, database, options, with_outbox, with_session};

/// Values in the order of their arrival.
pub fn values(name: &str) -> Vec<i32> {
    let found = pg::shared(15).psql(name, "select value from reading order by arrived");
    found.lines().map(|line| line.parse().unwrap()).collect()
}

type Ram<'m> = Outbox<'m, RamFlash<'m>>;

/// An outbox in RAM.
fn in_ram<R>(options: Options<'_>, f: impl FnOnce(&mut Ram<'_>) -> R) -> R {
    let (mut memory, mut buffer) = ([0x77; 4096], [0; 160]);
    let flash = RamFlash::new(&mut memory);
    let mut outbox = Outbox::open(flash, &mut buffer, options, &SystemPlatform::new()).unwrap();
    f(&mut outbox)
}

fn push(outbox: &mut Ram<'_>, values: impl IntoIterator<Item = i32>) {
    for value in values {
        outbox.push(&INSERT, (value, "")).unwrap();
    }
}

#[test]
fn a_row_too_large_for_the_buffer_says_how_large_it_must_be() {
    let text = "x".repeat(300);
    let push_with = |bytes: usize| {
        let (mut memory, mut buffer) = ([0; 8192], vec![0; bytes]);
        let flash = RamFlash::new(&mut memory);
        let options = options().page(1024);
        let mut outbox = Outbox::open(flash, &mut buffer, options, &SystemPlatform::new()).unwrap();
        outbox.push(&INSERT, (1, text.as_str()))
    };
    let error = push_with(100).unwrap_err();
    let ErrorKind::Capacity { buffer: Buffer::Outbox, have: 100, needed } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!(error.remedy(), Remedy::SetAside);
    push_with(needed as usize).unwrap();
    let next = push_with(needed as usize - 1).unwrap_err();
    assert!(matches!(next.kind(), ErrorKind::Capacity { .. }), "{next}");
}

#[test]
fn a_refused_row_is_set_aside_and_holds_up_none() {
    let port = database("aside").port();
    in_ram(options(), |outbox| {
        push(outbox, [1, 2, -3, 4, 5, 6, 7, -8, -9, 10]);
        assert_eq!((outbox.waiting(), outbox.set_aside()), (10, 0));
        with_session(port, "aside", |conn| outbox.drain(conn)).unwrap();
        assert_eq!(values("aside"), [1, 2, 4, 5, 6, 7, 10]);
        assert_eq!((outbox.waiting(), outbox.set_aside()), (0, 3));
        let aside = outbox.next_aside().unwrap().unwrap();
        assert_eq!(aside.sqlstate.as_str(), "23514");
        assert_eq!(aside.values, [0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfd, 0, 0, 0, 0]);
        let refused = outbox.counters();
        assert_eq!((refused.stored, refused.refused, refused.swallowed), (7, 3, 0));
        for _ in 0..3 {
            assert!(outbox.discard_aside().unwrap());
        }
        assert!(!outbox.discard_aside().unwrap() && outbox.next_aside().unwrap().is_none());
    });
}

/// Refused rows first, last, in between and nothing else, in batches of any size.
#[test]
fn refused_rows_are_set_aside_wherever_they_are() {
    let port = database("poison").port();
    let cluster = pg::shared(15);
    for bad in [&[0][..], &[39], &[0, 39], &[0, 1, 2, 20, 21, 38, 39], &[7, 8, 9]] {
        for batch in [1, 2, 9, 64] {
            cluster.psql("poison", "truncate reading");
            in_ram(options().batch(batch), |outbox| {
                let value = |n: i32| if bad.contains(&n) { -n - 1 } else { n };
                push(outbox, (0..40).map(value));
                with_session(port, "poison", |conn| outbox.drain(conn)).unwrap();
                let fine = (0..40).filter(|n| !bad.contains(n)).collect::<Vec<_>>();
                assert_eq!(values("poison"), fine, "{bad:?} {batch}");
                let refused = outbox.counters().refused;
                assert_eq!((refused as usize, outbox.waiting()), (bad.len(), 0));
            });
        }
    }
    in_ram(options(), |outbox| {
        push(outbox, (1..=12).map(|n| -n));
        with_session(port, "poison", |conn| outbox.drain(conn)).unwrap();
        assert_eq!((outbox.set_aside(), outbox.waiting()), (12, 0));
    });
}

#[test]
fn what_the_server_is_to_blame_for_is_kept() {
    let port = database("blame").port();
    let cluster = pg::shared(15);
    in_ram(options(), |outbox| {
        push(outbox, 1..=20);
        let send = |outbox: &mut Ram<'_>, wanted: Option<Remedy>| {
            let sent = with_session(port, "blame", |conn| outbox.drain(conn));
            assert_eq!(sent.err().map(|error: Error| error.remedy()), wanted, "{sent:?}");
            outbox.waiting()
        };
        // The table is not there for a moment; the disk is full; a statement is cancelled.
        cluster.psql("blame", "alter table reading rename to away");
        assert_eq!(send(outbox, Some(Remedy::Operator)), 20);
        cluster.psql("blame", "alter table away rename to reading");
        for (code, remedy) in
            [("53100", Remedy::Retry), ("57014", Remedy::Retry), ("42501", Remedy::Operator)]
        {
            cluster.psql(
                "blame",
                &format!(
                    "create or replace function no() returns trigger language plpgsql as
                    $$ begin raise 'no' using errcode = '{code}'; end $$;
                    create trigger no before insert on reading for each row execute function no()"
                ),
            );
            assert_eq!(send(outbox, Some(remedy)), 20, "{code}");
            cluster.psql("blame", "drop trigger no on reading");
        }
        assert_eq!(send(outbox, None), 0);
        assert_eq!(values("blame"), (1..=20).collect::<Vec<_>>());
        assert_eq!(outbox.counters().refused, 0);
    });
}

#[test]
fn a_stranger_with_the_same_key_is_noticed() {
    let port = database("swallowed").port();
    in_ram(options(), |outbox| {
        push(outbox, 1..=3);
        with_session(port, "swallowed", |conn| outbox.drain(conn)).unwrap();
        let key = outbox.push(&INSERT, (4, "")).unwrap();
        let sql = format!("insert into reading values (7, {key}, 99, 'another device')");
        pg::shared(15).psql("swallowed", &sql);
        push(outbox, 5..=6);
        with_session(port, "swallowed", |conn| outbox.drain(conn)).unwrap();
        assert_eq!(outbox.counters().swallowed, 1);
        assert_eq!(values("swallowed"), [1, 2, 3, 99, 5, 6]);
    });
}

#[test]
fn a_dead_session_that_holds_the_rows_is_ended() {
    let port = database("locked").port();
    in_ram(options(), |outbox| {
        let key = outbox.push(&INSERT, (1, "")).unwrap();
        // An earlier link of this device: its transaction was never finished.
        with_session(port, "locked", |dead| {
            dead.batch_execute("begin")?;
            dead.execute("insert into reading values (7, $1, 1, '')", (key,))?;
            // Only after a reset, or a batch whose outcome is unknown.
            let (mut memory, mut buffer) = ([0; 4096], [0; 160]);
            let flash = RamFlash::new(&mut memory);
            let mut other =
                Outbox::open(flash, &mut buffer, options(), &SystemPlatform::new()).unwrap();
            other.push(&INSERT, (2, "")).unwrap();
            let flash = other.into_flash();
            let mut other =
                Outbox::open(flash, &mut buffer, options(), &SystemPlatform::new()).unwrap();
            with_session(port, "locked", |conn| other.drain(conn)).unwrap();
            assert!(dead.ping().is_err());
            Ok(())
        })
        .unwrap();
        with_session(port, "locked", |conn| outbox.drain(conn)).unwrap();
    });
    assert_eq!(values("locked"), [2, 1]);
}

#[test]
fn within_a_transaction_nothing_is_acknowledged() {
    let port = database("within").port();
    in_ram(options(), |outbox| {
        push(outbox, [1]);
        with_session(port, "within", |conn: &mut Connection| {
            let mut tx = conn.transaction()?;
            let error = outbox.drain(&mut tx).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage(UsageError::InTransaction));
            tx.rollback()
        })
        .unwrap();
        assert_eq!(outbox.waiting(), 1);
    });
}

#[test]
fn a_full_outbox_does_as_it_was_told() {
    let fill = |full| {
        in_ram(options().full(full), |outbox| {
            let keys: Vec<Result<i64>> =
                (0..400).map(|value| outbox.push(&INSERT, (value, ""))).collect();
            let safe = keys.iter().filter(|key| key.is_ok()).count();
            (safe, outbox.waiting(), outbox.counters().dropped)
        })
    };
    let (safe, waiting, dropped) = fill(Full::DropOldest);
    assert_eq!(safe, 400);
    assert!(waiting > 80 && waiting + dropped == 400, "{waiting} {dropped}");
    let (safe, waiting, dropped) = fill(Full::DropNewest);
    assert!(safe == waiting as usize && waiting + dropped == 400 && dropped > 200);
    let (safe, waiting, dropped) = fill(Full::Refuse);
    assert!(safe == waiting as usize && waiting < 200 && dropped == 0);
}

#[test]
fn rows_of_two_statements_keep_their_order() {
    static UPPER: StaticStatement = StaticStatement::new(
        "insert into reading (device, key, value, note) values ($1, $2, $3, upper($4))
         on conflict do nothing",
        &[oid::INT4, oid::INT8, oid::INT4, oid::TEXT],
    );
    let port = database("two").port();
    let both = [&INSERT, &UPPER];
    let both = Options::new(&both).device(&DEVICE);
    let mut flash = Flash::<4, 512>::new(8, 3);
    with_outbox(&mut flash, both, |outbox| {
        for value in 0..30 {
            let statement = if value % 7 < 3 { &INSERT } else { &UPPER };
            outbox.push(statement, (value, "x")).unwrap();
        }
    })
    .unwrap();
    // A firmware image that does not know the second statement keeps its rows.
    with_outbox(&mut flash, Options::new(STATEMENTS).device(&DEVICE), |outbox| {
        let error = with_session(port, "two", |conn| outbox.drain(conn)).unwrap_err();
        assert_eq!(error.remedy(), Remedy::Operator);
        assert_eq!(outbox.waiting(), 27);
    })
    .unwrap();
    with_outbox(&mut flash, both, |outbox| {
        with_session(port, "two", |conn| outbox.drain(conn)).unwrap();
    })
    .unwrap();
    assert_eq!(values("two"), (0..30).collect::<Vec<_>>());
    let upper = pg::shared(15).psql("two", "select count(*) from reading where note = 'X'");
    assert_eq!(upper, "16");
}

#[test]
fn another_outbox_is_refused_and_not_touched() {
    let mut flash = Flash::<4, 512>::new(8, 3);
    with_outbox(&mut flash, options(), |outbox| outbox.push(&INSERT, (1, "")).map(drop))
        .unwrap()
        .unwrap();
    let bytes = flash.bytes().to_vec();
    for other in [options().page(1024), options().aside_pages(3), options().region(0, 3584)] {
        let error = with_outbox(&mut flash, other, |_| ()).unwrap_err();
        assert_eq!(error.remedy(), Remedy::Operator, "{error}");
    }
    assert_eq!(flash.bytes(), bytes);
    with_outbox(&mut flash, options(), |outbox| assert_eq!(outbox.waiting(), 1)).unwrap();
    Outbox::erase(&mut flash, &options()).unwrap();
    with_outbox(&mut flash, options().aside_pages(3), |outbox| assert_eq!(outbox.waiting(), 0))
        .unwrap();
}

#[test]
fn a_file_is_one_outbox_at_a_time() {
    let scratch = Scratch::new("barepg-outbox", "").unwrap();
    let path = scratch.path().join("outbox");
    let open = || FileFlash::open(&path, 32 * 1024);
    let first = open().unwrap();
    assert_eq!(open().unwrap_err().kind(), std::io::ErrorKind::ResourceBusy);
    drop(first);
    open().unwrap();
}

#[test]
fn rows_in_a_file_are_there_when_it_is_opened_again() {
    let port = database("file").port();
    let scratch = Scratch::new("barepg-outbox", "").unwrap();
    let path = scratch.path().join("outbox");
    for value in 0..5 {
        let flash = FileFlash::open(&path, 32 * 1024).unwrap();
        with_outbox(flash, options(), |outbox| outbox.push(&INSERT, (value, "")).unwrap()).unwrap();
    }
    assert!(FileFlash::open(&path, 64 * 1024).is_err());
    let flash = FileFlash::open(&path, 32 * 1024).unwrap().without_sync();
    with_outbox(flash, options(), |outbox| {
        assert_eq!(outbox.waiting(), 5);
        with_session(port, "file", |conn| outbox.drain(conn)).unwrap();
    })
    .unwrap();
    assert_eq!(values("file"), [0, 1, 2, 3, 4]);
}

#[test]
fn rows_in_ram_move_to_flash_with_their_keys() {
    let port = database("taken_over").port();
    let mut flash = Flash::<4, 512>::new(16, 3);
    let mut keys = Vec::new();
    with_outbox(&mut flash, options(), |outbox| {
        keys.push(outbox.push(&INSERT, (0, "")).unwrap());
        in_ram(options(), |ram| {
            keys.extend((1..=40).map(|value| {
                let value = if value % 10 == 0 { -value } else { value };
                ram.push(&INSERT, (value, "x")).unwrap()
            }));
            // Some are stored, and it was not said.
            let rows = keys[1..6].iter().zip(1..).map(|(key, value)| (7, *key, value, "x"));
            let sql = "insert into reading values ($1::int, $2::bigint, $3::int, $4::text)";
            with_session(port, "taken_over", |conn| conn.execute_many(sql, rows)).unwrap();
            assert_eq!(outbox.take_over(ram).unwrap(), 40);
            assert_eq!((outbox.waiting(), ram.waiting()), (41, 0));
            assert_eq!(outbox.take_over(ram).unwrap(), 0);
        });
        keys.push(outbox.push(&INSERT, (41, "")).unwrap());
    })
    .unwrap();
    // Power fails.
    with_outbox(&mut flash, options(), |outbox| {
        assert_eq!(outbox.waiting(), 42);
        with_session(port, "taken_over", |conn| outbox.drain(conn)).unwrap();
        assert_eq!((outbox.waiting(), outbox.set_aside(), outbox.counters().swallowed), (0, 4, 0));
        let aside = outbox.next_aside().unwrap().unwrap();
        assert_eq!((aside.key, aside.sqlstate.as_str()), (keys[10], "23514"));
        assert_eq!(aside.values, [0, 0, 0, 4, 0xff, 0xff, 0xff, 0xf6, 0, 0, 0, 1, b'x']);
    })
    .unwrap();
    let sql = "select key, value from reading where value > 0 order by arrived";
    let found = pg::shared(15).psql("taken_over", sql);
    let stored = |n: &usize| !n.is_multiple_of(10);
    let expected: Vec<String> =
        (0..42).filter(stored).map(|n| format!("{}|{n}", keys[n])).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    // Where it is full, what does not fit stays.
    let mut small = Flash::<4, 256>::new(4, 3);
    with_outbox(&mut small, options().full(Full::Refuse), |outbox| {
        in_ram(options(), |ram| {
            push(ram, 0..60);
            let error = outbox.take_over(ram).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Outbox(OutboxError::Full));
            assert!(outbox.waiting() > 5 && outbox.waiting() + ram.waiting() == 60);
        });
    })
    .unwrap();
}
