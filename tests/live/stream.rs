//! Values larger than every buffer, both ways, and what happens when their source fails.

use std::cell::Cell;
use std::time::Duration;

use barepg::types::oid;
use barepg::wire::WireError;
use barepg::{
    Client, Config, ErrorKind, NoReadReady, Outcome, SqlState, Storage, Streamed, UsageError,
};
use embedded_io::{Read, Write};

use crate::common::{Host, IoError, Tcp, role, tcp, with_session};
use crate::{on_each, usual};

const MANY: usize = 10 << 20;

/// Bytes that anyone can make again.
struct Noise {
    state: u32,
    left: usize,
}

impl Noise {
    fn new(left: usize) -> Self {
        Self { state: 1, left }
    }
}

impl embedded_io::ErrorType for Noise {
    type Error = embedded_io::ErrorKind;
}

impl Read for Noise {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let n = buf.len().min(self.left).min(97);
        for byte in &mut buf[..n] {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = self.state.to_be_bytes()[0];
        }
        self.left -= n;
        Ok(n)
    }
}

/// A reader of letters that fails after some.
struct Letters {
    left: usize,
    then: Result<usize, embedded_io::ErrorKind>,
}

impl embedded_io::ErrorType for Letters {
    type Error = embedded_io::ErrorKind;
}

impl Read for Letters {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let n = buf.len().min(self.left);
        if n == 0 {
            return self.then;
        }
        buf[..n].fill(b'a');
        self.left -= n;
        Ok(n)
    }
}

fn letters(left: usize) -> Letters {
    Letters { left, then: Ok(0) }
}

/// Reads two streams to their ends and compares them.
fn same(mut a: impl Read, mut b: impl Read) -> usize {
    let (mut x, mut y, mut count) = ([0; 600], [0; 600], 0);
    loop {
        let n = a.read(&mut x).unwrap();
        let mut m = 0;
        while m < n {
            match b.read(&mut y[m..n]).unwrap() {
                0 => break,
                more => m += more,
            }
        }
        assert_eq!(x[..n], y[..m], "after {count} bytes");
        if n == 0 {
            assert_eq!(b.read(&mut y).unwrap(), 0);
            return count;
        }
        count += n;
    }
}

#[test]
fn ten_megabytes_in_and_out_through_512_bytes() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            c.set_timeout_ms(120_000);
            c.batch_execute("create temp table t (id int, image bytea, note text)").unwrap();
            // As a parameter, with others around it, and in a COPY.
            let value = (1, Streamed::new(MANY, Noise::new(MANY)), "one");
            assert_eq!(c.execute("insert into t values ($1, $2, $3)", value), Ok(1));
            let mut copy = c.copy_in("copy t from stdin with (format binary)").unwrap();
            copy.send_row((2, Streamed::new(MANY, Noise::new(MANY)), None::<&str>)).unwrap();
            let text = Streamed::text(MANY, letters(MANY));
            copy.send_row((3, None::<&[u8]>, text)).unwrap();
            assert_eq!(copy.finish(), Ok(2));
            let mut hash = |id: i32| {
                let sql = "select md5(coalesce(image, note::bytea)) from t where id = $1";
                c.query_one(sql, (id,)).unwrap().get::<&str>(0).unwrap().to_string()
            };
            assert_eq!(hash(1), hash(2));
            assert_ne!(hash(1), hash(3));
            let mut rows = c.query("select id, image, note from t order by id", ()).unwrap();
            for expected in 1..=3 {
                let mut row = rows.next_streamed().unwrap().unwrap();
                let mut id = row.next_column().unwrap().unwrap();
                assert_eq!(id.column().unwrap().name, "id");
                assert_eq!(id.get::<i32>(), Ok(expected));
                let image = row.next_column().unwrap().unwrap();
                if expected < 3 {
                    assert_eq!(image.length(), Some(MANY));
                    assert_eq!(same(image, Noise::new(MANY)), MANY);
                } else {
                    assert!(image.is_null());
                }
                let mut note = row.next_column().unwrap().unwrap();
                match expected {
                    1 => assert_eq!(note.get::<&str>(), Ok("one")),
                    2 => assert_eq!(note.get::<Option<&str>>(), Ok(None)),
                    _ => assert_eq!(same(note, letters(MANY)), MANY),
                }
                assert!(row.next_column().unwrap().is_none());
            }
            assert!(rows.next_streamed().unwrap().is_none());
            assert_eq!(rows.finish(), Ok(3));
        });
    });
}

#[test]
fn rows_read_in_part_and_in_turn() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            let sql =
                "select n, repeat('x', 3000), n::text, null::text from generate_series(1, 20) n";
            let mut rows = c.query(sql, ()).unwrap();
            let mut buf = [0; 100];
            for n in 1..=20 {
                if n % 3 == 0 {
                    // Too large for a row at once, and the next one is there all the same.
                    let error = rows.next().err().unwrap();
                    assert!(matches!(error.kind(), ErrorKind::Capacity { .. }), "{error}");
                    continue;
                }
                let mut row = rows.next_streamed().unwrap().unwrap();
                let mut id = row.next_column().unwrap().unwrap();
                let error = id.get::<i64>().unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Column { column: 0, .. }), "{error}");
                assert_eq!(id.get::<i32>(), Ok(n));
                if n % 3 == 1 {
                    continue;
                }
                let mut long = row.next_column().unwrap().unwrap();
                let error = long.get::<&str>().unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::Capacity { .. }), "{error}");
                assert_eq!(long.read(&mut buf[..1]), Ok(1));
                let error = long.get::<&str>().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage(UsageError::PartlyRead));
                assert!(long.read(&mut buf).unwrap() > 0);
                let mut text = row.next_column().unwrap().unwrap();
                assert_eq!(text.get::<&str>().unwrap(), n.to_string());
                let mut null = row.next_column().unwrap().unwrap();
                assert_eq!(null.read(&mut buf), Ok(0));
                assert!(null.get::<&str>().is_err());
            }
            assert!(rows.next_streamed().unwrap().is_none());
            // An error after any number of rows, and rows dropped in the middle.
            for at in 1..20 {
                let sql = format!(
                    "select repeat('x', 2000), 1 / (n - {at}) from generate_series(1, 20) n"
                );
                let mut rows = c.query(&*sql, ()).unwrap();
                for _ in 1..at {
                    let mut row = rows.next_streamed().unwrap().unwrap();
                    row.next_column().unwrap().unwrap().read(&mut buf).unwrap();
                }
                if at % 2 == 0 {
                    let error = c.ping().unwrap_err();
                    assert!(matches!(error.kind(), ErrorKind::EarlierStatement(_)), "{error}");
                    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
                    continue;
                }
                let error = rows.next_streamed().err().unwrap();
                assert_eq!(error.sqlstate().unwrap().as_str(), "22012");
                assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
                assert_eq!(rows.next_streamed().err(), Some(error));
            }
            assert_eq!(c.query_one("select 7", ()).unwrap().get::<i32>(0), Ok(7));
        });
    });
}

fn insert_short(port: u16, config: Config<'_>, have: usize, of: usize) -> (barepg::Error, bool) {
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let mut c = client.connect(tcp(port)).unwrap();
    let value = (Streamed::new(of, letters(have)),);
    let error = c.execute("insert into short values ($1)", value).unwrap_err();
    (error, c.ping().is_ok())
}

#[test]
fn a_source_that_ends_early_costs_the_connection_but_nothing_else() {
    on_each(|cluster| {
        let port = cluster.port();
        cluster.psql("test", "create table short (v bytea); grant all on short to public");
        for (have, of) in [(600, 601), (600, 100_000), (5_000_000, 6_000_000)] {
            let (error, alive) = insert_short(port, role("scram_user"), have, of);
            assert_eq!(error.kind(), ErrorKind::Encode(WireError::Source));
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, false));
            assert!(!alive);
        }
        // Found before a byte left: nothing happened.
        let (error, alive) = insert_short(port, role("scram_user"), 0, 5);
        assert_eq!(error.kind(), ErrorKind::Encode(WireError::Source));
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
        assert!(alive);
        assert_eq!(cluster.psql("test", "select count(*) from short").trim(), "0");

        // In a batch the items before it are taken back.
        let mut storage = Storage::<512, 512>::new();
        let config = role("scram_user");
        let mut client = Client::new(storage.buffers(), &config, &Host);
        let mut c = client.connect(tcp(port)).unwrap();
        let items =
            (0..50).map(|n| (Streamed::new(2000, letters(if n == 40 { 900 } else { 2000 })),));
        let error = c.execute_many("insert into short values ($1)", items).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode(WireError::Source));
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, false));
        // The server still waits for the rest of the message, and holds what it has locked.
        drop(c);
        assert_eq!(cluster.psql("test", "select count(*) from short").trim(), "0");
        let items = (0..50).map(|_| (Streamed::new(2000, letters(2000)),));
        let mut c = client.connect(tcp(port)).unwrap();
        assert_eq!(c.execute_many("insert into short values ($1)", items), Ok(50));

        // In a COPY only the COPY is lost.
        for (have, of) in [(0, 5), (600, 601), (600, 100_000)] {
            let mut copy = c.copy_in("copy short from stdin with (format binary)").unwrap();
            for _ in 0..10 {
                copy.send_row((Streamed::new(1000, letters(1000)),)).unwrap();
            }
            let error = copy.send_row((Streamed::new(of, letters(have)),)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encode(WireError::Source));
            assert_eq!((error.outcome(), error.is_usable()), (Outcome::Refused, true));
            assert_eq!(copy.finish(), Err(error));
            assert_eq!(
                c.query_one("select count(*) from short", ()).unwrap().get::<i64>(0),
                Ok(50)
            );
        }
        cluster.psql("test", "drop table short");
    });
}

#[test]
fn the_server_refuses_a_value_in_the_middle() {
    on_each(|cluster| {
        with_session(cluster.port(), role("scram_user"), |c| {
            // Not UTF-8: known when all of it has arrived.
            let value = (Streamed::text(100_000, Noise::new(100_000)),);
            let error = c.execute("select length($1)", value).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "22021");
            // A statement that fails before its large parameter is looked at.
            let value = (Streamed::new(MANY, letters(MANY)),);
            let error = c.execute("select nothing($1)", value).unwrap_err();
            assert_eq!(error.sqlstate().unwrap().as_str(), "42883");
            assert!(error.is_usable());
            let error = c.execute("select 1 / 0", ()).unwrap_err();
            assert_ne!(error.sqlstate(), Some(SqlState::UNKNOWN));
            let value = (Streamed::new(MANY, letters(MANY)),);
            let row = c.query_one("select length($1)", value).unwrap();
            assert_eq!(row.get::<i32>(0), Ok(i32::try_from(MANY).unwrap()));
        });
    });
}

/// A transport that gives so many bytes, and then no more until it may.
struct Held<'h>(Tcp, &'h Cell<usize>);

impl embedded_io::ErrorType for Held<'_> {
    type Error = IoError;
}

impl Read for Held<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, IoError> {
        let most = buf.len().min(self.1.get());
        if most == 0 {
            std::thread::sleep(Duration::from_millis(5));
            return Err(IoError::from(std::io::ErrorKind::TimedOut));
        }
        let n = self.0.read(&mut buf[..most])?;
        self.1.set(self.1.get() - n);
        Ok(n)
    }
}

impl Write for Held<'_> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, IoError> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.0.flush()
    }
}

/// A value that came too late is not read from a link that has been given up.
#[test]
fn a_column_repeats_the_error_that_ended_it() {
    let (left, server) = (Cell::new(usize::MAX), usual());
    let config = role("trust_user");
    let mut storage = Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Host);
    let transport = NoReadReady(Held(tcp(server.port()), &left));
    let mut c = client.connect(transport).unwrap();
    c.set_timeout_ms(60);
    left.set(250);
    let mut rows = c.query("select repeat('x', 400)", ()).unwrap();
    let mut row = rows.next_streamed().unwrap().unwrap();
    let mut column = row.next_column().unwrap().unwrap();
    let error = column.get::<&str>().unwrap_err();
    assert_eq!((error.kind(), error.is_usable()), (ErrorKind::TimedOut, false));
    left.set(usize::MAX);
    assert_eq!(column.get::<&str>(), Err(error));
    assert_eq!(column.read(&mut [0; 9]), Err(error));
    assert_eq!(row.next_column().map(|_| ()), Err(error));
}

/// What is left of a value is not the value.
#[test]
fn a_value_that_was_read_in_part_is_none() {
    with_session(usual().port(), role("trust_user"), |c| {
        let mut rows = c.query("select 'abcdefgh', 'abcd', ''", ()).unwrap();
        let mut row = rows.next_streamed().unwrap().unwrap();
        let mut column = row.next_column().unwrap().unwrap();
        assert_eq!(column.read(&mut [0; 3]), Ok(3));
        let error = column.get::<&str>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage(UsageError::PartlyRead));
        assert_eq!((error.outcome(), error.is_usable()), (Outcome::Local, true));
        let mut rest = [0; 9];
        assert_eq!((column.read(&mut rest), &rest[..5]), (Ok(5), &b"defgh"[..]));
        let mut column = row.next_column().unwrap().unwrap();
        assert_eq!(column.get::<&str>(), Ok("abcd"));
        assert!(column.get::<&str>().is_err());
        let mut column = row.next_column().unwrap().unwrap();
        assert_eq!(column.get::<&str>(), Ok(""));
        assert_eq!(rows.finish(), Ok(1));
        // Too large as a whole: nothing of it was read.
        let mut rows = c.query("select repeat('x', 9000)", ()).unwrap();
        let mut row = rows.next_streamed().unwrap().unwrap();
        let mut column = row.next_column().unwrap().unwrap();
        for _ in 0..2 {
            let error = column.get::<&str>().unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Capacity { .. }) && error.is_usable(),
                "{error}"
            );
        }
        let (mut length, mut part) = (0, [0; 200]);
        while let Ok(n @ 1..) = column.read(&mut part) {
            length += n;
        }
        assert_eq!(length, 9000);
        assert!(column.get::<&str>().is_err());
        assert_eq!(rows.finish(), Ok(1));
    });
}

/// A reader that never ends: each byte is one more than the one before.
struct Endless(u8);

impl embedded_io::ErrorType for Endless {
    type Error = std::convert::Infallible;
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        for byte in buf.iter_mut() {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(buf.len())
    }
}

/// A statement that the server has forgotten is prepared and run again by the driver; what was read for
/// the first time is not there for the second, and what comes after it is another value.
#[test]
fn what_was_read_is_not_sent_again() {
    let long = format!("insert into kept values ($1) -- {}", "x".repeat(900));
    on_each(|cluster| {
        for (sql, length) in [("insert into kept values ($1)", 4), (&long, 4), (&long, 2000)] {
            with_session(cluster.port(), role("trust_user"), |c| {
                // A pooler's server connection has the last one still.
                c.batch_execute("drop table if exists kept").unwrap();
                c.batch_execute("create temp table kept (b bytea)").unwrap();
                let insert = c.prepare(sql, &[oid::BYTEA]).unwrap();
                let value = Streamed::new(length, Endless(0));
                assert_eq!(c.execute(&insert, (&value,)), Ok(1));
                let is_refused = |result: barepg::Result<u64>| {
                    let error = result.unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Encode(WireError::Source));
                    assert_eq!((error.outcome(), error.is_usable()), (Outcome::NotSent, true));
                };
                is_refused(c.execute(&insert, (&value,)));
                c.batch_execute("deallocate all").unwrap();
                let again = c.execute(&insert, (Streamed::new(length, Endless(0)),));
                // Where sessions are mixed, what was forgotten goes out with its Parse at once.
                if c.backend_pid() >> 22 == 0 {
                    is_refused(again);
                } else {
                    assert_eq!(again, Ok(1));
                    c.batch_execute("delete from kept where ctid = '(0,2)'").unwrap();
                }
                // From the beginning, and from then on whatever the server forgets.
                for _ in 0..2 {
                    let value = Streamed::new(length, Endless(0));
                    assert_eq!(c.execute(&insert, (&value,)), Ok(1));
                    c.batch_execute("deallocate all").unwrap();
                }
                let sql = "select count(*) from kept where substr(b, 1, 4) = '\\x00010203'";
                assert_eq!(c.query_one(sql, ()).unwrap().get::<i64>(0), Ok(3));
            });
        }
    });
}
