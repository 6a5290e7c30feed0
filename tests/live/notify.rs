//! Notifications, notices, parameter changes.

use std::cell::{Cell, RefCell};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use barepg::{Client, ErrorKind, NotificationQueue, SqlState, Storage};

use crate::common::{Host, Tcp, role, tcp, with_session};
use crate::on_each;

#[test]
fn notifications_are_waited_for() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("listen commands").unwrap();
            // Nothing yet, and it takes as long as asked.
            let start = Instant::now();
            assert_eq!(c.wait_notification(200), Ok(None));
            let took = start.elapsed();
            // The platform's clock counts whole milliseconds.
            assert!(took > Duration::from_millis(199) && took < Duration::from_secs(5));
            assert_eq!(c.wait_notification(0), Ok(None));
            assert_eq!(c.query_one("select 1", ()).unwrap().get::<i32>(0), Ok(1));
            let pid = cluster.psql("test", "notify commands, 'pump on'; select pg_backend_pid()");
            let got = c.wait_notification(5000).unwrap().unwrap();
            assert_eq!((got.channel, got.payload), ("commands", "pump on"));
            assert_eq!(got.pid.to_string(), pid.trim());
            cluster.psql("test", "notify commands; notify other; notify commands, 'pump off'");
            let got = c.wait_notification(5000).unwrap().unwrap();
            assert_eq!((got.channel, got.payload), ("commands", ""));
            let got = c.wait_notification(5000).unwrap().unwrap();
            assert_eq!((got.channel, got.payload), ("commands", "pump off"));
            assert_eq!(c.wait_notification(100), Ok(None));
            // While something else arrives.
            let port = cluster.port();
            let sender = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(300));
                with_session(port, role("scram_user"), |c| {
                    c.execute("select pg_notify('commands', $1)", ("later",)).unwrap();
                });
            });
            let got = c.wait_notification(10_000).unwrap().unwrap();
            assert_eq!(got.payload, "later");
            sender.join().unwrap();
            c.ping().unwrap();
            assert_eq!(c.stats().notifications_lost, 0);
        });
    });
}

#[test]
fn what_arrives_meanwhile_is_queued_or_counted() {
    on_each(|cluster| {
        let (mut storage, mut memory) = (Storage::<512, 512>::new(), [0; 100]);
        let mut queue = NotificationQueue::new(&mut memory);
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let notify = |n: u32| cluster.psql("test", &format!("notify queueing, 'number {n}'"));
        {
            let (link, eye) = watched(cluster.port());
            let mut c = client.connect(link).unwrap();
            c.batch_execute("listen queueing").unwrap();
            notify(0);
            arrives(&eye);
            // It came before the statement, which drops it.
            c.execute("select 1", ()).unwrap();
            assert_eq!(c.wait_notification(100), Ok(None));
            assert_eq!(c.stats().notifications_lost, 1);
            // It came while nothing ran, and is the first to be seen.
            notify(1);
            arrives(&eye);
            assert_eq!(c.wait_notification(0).unwrap().unwrap().payload, "number 1");
        }
        client.set_notification_queue(&mut queue);
        let (link, eye) = watched(cluster.port());
        let mut c = client.connect(link).unwrap();
        c.batch_execute("listen queueing").unwrap();
        for turn in 0..3 {
            let mut kept = 0;
            for n in 0..6 {
                notify(n);
                arrives(&eye);
                c.ping().unwrap();
            }
            while let Some(got) = c.wait_notification(0).unwrap() {
                assert_eq!(got.payload, format!("number {kept}"));
                kept += 1;
            }
            // 24 bytes each.
            assert_eq!((kept, c.stats().notifications_lost), (4, 1 + 2 * (turn + 1)));
        }
        // After a transaction they come with its end.
        let mut transaction = c.transaction().unwrap();
        notify(7);
        assert_eq!(transaction.wait_notification(100), Ok(None));
        transaction.commit().unwrap();
        assert_eq!(c.wait_notification(5000).unwrap().unwrap().payload, "number 7");
    });
}

/// A link, and an eye on what has arrived on it and was not read yet.
fn watched(port: u16) -> (Tcp, TcpStream) {
    let link = tcp(port);
    let eye = link.0.try_clone().unwrap();
    (link, eye)
}

/// Waits until there is something to read.
fn arrives(eye: &TcpStream) {
    let start = Instant::now();
    while !matches!(eye.peek(&mut [0]), Ok(1)) {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing arrived");
    }
}

#[test]
fn a_notification_larger_than_the_buffer_is_skipped() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.batch_execute("listen too_long").unwrap();
            cluster.psql("test", "select pg_notify('too_long', repeat('x', 7000))");
            cluster.psql("test", "notify too_long, 'small'");
            let error = c.wait_notification(5000).unwrap_err();
            let ErrorKind::Capacity { have: 512, needed, .. } = error.kind() else {
                panic!("{error}")
            };
            assert!((7000..7050).contains(&needed), "{needed}");
            assert!(error.is_usable());
            assert_eq!(c.wait_notification(5000).unwrap().unwrap().payload, "small");
            // One that nearly fits comes in pieces.
            cluster.psql("test", "select pg_notify('too_long', repeat('y', 480))");
            assert_eq!(c.wait_notification(5000).unwrap().unwrap().payload, "y".repeat(480));
        });
    });
}

#[test]
fn the_session_ends_while_waiting() {
    on_each(|cluster| {
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(cluster.port())).unwrap();
        c.batch_execute("listen ending").unwrap();
        let row = c.query_one("select pg_backend_pid()", ()).unwrap();
        let pid: i32 = row.get(0).unwrap();
        cluster.psql("test", &format!("select pg_terminate_backend({pid})"));
        let error = c.wait_notification(5000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(SqlState::ADMIN_SHUTDOWN), "{error}");
        assert!(!error.is_usable());
        assert_eq!(c.wait_notification(5000).unwrap_err().kind(), ErrorKind::Broken);
    });
}

#[test]
fn notices_and_parameters_are_shown() {
    on_each(|cluster| {
        let notices = RefCell::new(Vec::new());
        let zone = RefCell::new(String::new());
        let reports = Cell::new(0);
        let on_event = |event: barepg::Event<'_>| match event {
            barepg::Event::Notice(notice) => {
                notices.borrow_mut().push(notice.message().to_string());
            }
            barepg::Event::Parameter { name, value } => {
                reports.set(reports.get() + 1);
                if name == b"TimeZone" {
                    *zone.borrow_mut() = String::from_utf8_lossy(value).to_string();
                }
            }
            other => panic!("{other:?}"),
        };
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        client.set_event_handler(&on_event);
        let mut c = client.connect(tcp(cluster.port())).unwrap();
        assert!(reports.get() > 5);
        c.batch_execute("set timezone to 'Europe/Zurich'").unwrap();
        assert_eq!(*zone.borrow(), "Europe/Zurich");
        let loud = "do $$ begin for i in 1..3 loop raise notice 'number %', i; end loop; end $$";
        c.batch_execute(loud).unwrap();
        assert_eq!(*notices.borrow(), ["number 1", "number 2", "number 3"]);
    });
}
