//! The verbs that listen while they send, wait for what may not come, and stream: over TLS.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use barepg::{SslMode, Streamed};
use barepg_testkit::pg;
use embedded_io::Read;

use crate::common::role;
use crate::harness::{Setup, Table};

#[test]
fn copy_streams_and_notifications_over_tls() {
    for major in [15, 18] {
        let cluster = pg::shared(major);
        let root = cluster.authority().path("ca.crt");
        let files = Table::default().with_pem("root.crt", &root);
        let config = role("scram_user").host("localhost").sslrootcert("root.crt");
        let setup = Setup::new(config.sslmode(SslMode::VerifyFull), &files);
        let result = setup.run_sized::<4113, 768, _>(cluster.port(), |c| {
            c.set_timeout_ms(60_000);
            c.batch_execute("create temp table t (id int, image bytea); listen tls_verbs").unwrap();
            let image = vec![7_u8; 1_000_000];
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            copy.send_row((1, Streamed::new(image.len(), &*image))).unwrap();
            copy.check().unwrap();
            for id in 2..1000 {
                copy.send_row((id, Some(&b"small"[..]))).unwrap();
            }
            assert_eq!(copy.finish(), Ok(999));

            assert_eq!(c.wait_notification(200), Ok(None));
            cluster.psql("test", "notify tls_verbs, 'on'");
            assert_eq!(c.wait_notification(5000).unwrap().unwrap().payload, "on");
            assert_eq!(c.wait_notification(0), Ok(None));

            let mut rows = c.query("select image from t order by id", ()).unwrap();
            let mut length = 0;
            while let Some(mut row) = rows.next_streamed().unwrap() {
                let mut column = row.next_column().unwrap().unwrap();
                let mut buf = [0; 333];
                loop {
                    match column.read(&mut buf).unwrap() {
                        0 => break,
                        n => length += n,
                    }
                }
            }
            assert_eq!(length, image.len() + 998 * 5);
            let mut copy = c.copy_out("copy t to stdout").unwrap();
            while copy.next().unwrap().is_some() {}
            assert_eq!(copy.rows(), 999);
        });
        assert_eq!(result, Ok(()), "PostgreSQL {major}");
    }
}

/// The server's next bytes come in two halves, this long one after the other.
const BETWEEN: Duration = Duration::from_millis(300);

/// Passes on what a server and one client say. Where `halve` is set, what the server sends next is
/// halved; `halved` is set between the two.
fn relay(upstream: u16, halve: &'static AtomicBool, halved: &'static AtomicBool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", upstream)).unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
        }
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = server.read(&mut buffer) {
            let mut bytes = &buffer[..n];
            if halve.swap(false, Ordering::SeqCst) {
                let (first, second) = bytes.split_at(n / 2);
                client.write_all(first).unwrap();
                halved.store(true, Ordering::SeqCst);
                thread::sleep(BETWEEN);
                bytes = second;
            }
            client.write_all(bytes).unwrap();
        }
    });
    port
}

/// A record cannot be left in its middle: the wait goes on to its end.
#[test]
fn a_wait_for_notifications_may_end_within_a_record() {
    static HALVE: AtomicBool = AtomicBool::new(false);
    static HALVED: AtomicBool = AtomicBool::new(false);
    let cluster = pg::shared(15);
    let root = cluster.authority().path("ca.crt");
    let files = Table::default().with_pem("root.crt", &root);
    let config = role("scram_user").host("localhost").sslrootcert("root.crt");
    let setup = Setup::new(config.sslmode(SslMode::VerifyFull), &files);
    let result = setup.run(relay(cluster.port(), &HALVE, &HALVED), |c| {
        c.batch_execute("listen halved").unwrap();
        for timeout_ms in [0, 20] {
            HALVE.store(true, Ordering::SeqCst);
            cluster.psql("test", "notify halved, 'on'");
            while !HALVED.swap(false, Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            let found = c.wait_notification(timeout_ms);
            let payload =
                found.unwrap_or_else(|e| panic!("{timeout_ms} ms: {e}")).map(|n| n.payload);
            assert_eq!(payload, Some("on"), "{timeout_ms} ms");
        }
        c.ping()
    });
    assert_eq!(result, Ok(Ok(())));
}
