//! The verbs over links that give a byte at a time, and over links that break at any moment.

use std::cell::Cell;
use std::rc::Rc;

use barepg::{
    Client, Connection, Error, NoReadReady, NotificationQueue, Outcome, Storage, Streamed,
};
use embedded_io::{ErrorKind, Read, Write};

use crate::common::{Host, Tcp, role, tcp};
use crate::on_each;

/// A transport that moves at most `step` bytes and says "nothing yet" every other time, until a
/// number of calls is used up.
struct Weak {
    inner: Tcp,
    step: usize,
    turn: u32,
    calls: Rc<Cell<u32>>,
}

impl Weak {
    fn new(port: u16, step: usize, calls: &Rc<Cell<u32>>) -> Self {
        Self { inner: tcp(port), step, turn: 0, calls: Rc::clone(calls) }
    }

    fn call(&mut self) -> Result<(), ErrorKind> {
        let left = self.calls.get().checked_sub(1).ok_or(ErrorKind::ConnectionReset)?;
        self.calls.set(left);
        self.turn += 1;
        if self.turn.is_multiple_of(2) && self.step < usize::MAX {
            Err(ErrorKind::TimedOut)
        } else {
            Ok(())
        }
    }
}

impl embedded_io::ErrorType for Weak {
    type Error = ErrorKind;
}

impl Read for Weak {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.call()?;
        let n = buf.len().min(self.step);
        self.inner.read(&mut buf[..n]).map_err(|error| embedded_io::Error::kind(&error))
    }
}

impl Write for Weak {
    fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        self.call()?;
        let n = buf.len().min(self.step);
        self.inner.write(&buf[..n]).map_err(|error| embedded_io::Error::kind(&error))
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        self.inner.flush().map_err(|error| embedded_io::Error::kind(&error))
    }
}

/// A piece of work that puts rows with the number `tag` into the table `weak`.
type Work = fn(&mut Connection, i32) -> Result<(), Error>;

fn copy(c: &mut Connection, tag: i32) -> Result<(), Error> {
    let mut copy = c.copy_in("copy weak from stdin with (format binary)")?;
    for n in 0..12 {
        let long = n % 5 == 4;
        let length = if long { 700 } else { 20 };
        copy.send_row((tag, Streamed::new(length, &*vec![7; length])))?;
    }
    assert_eq!(copy.finish()?, 12);
    Ok(())
}

fn pipeline(c: &mut Connection, tag: i32) -> Result<(), Error> {
    let mut pipeline = c.pipeline()?;
    for n in 0..8 {
        let long = vec![7_u8; if n == 3 { 900 } else { 20 }];
        pipeline.execute("insert into weak values ($1, $2)", (tag, &*long))?;
    }
    while let Some(rows) = pipeline.next()? {
        assert_eq!(rows.finish()?, 1);
    }
    Ok(())
}

fn guards(c: &mut Connection, tag: i32) -> Result<(), Error> {
    let mut tx = c.transaction()?;
    tx.execute("insert into weak values ($1, 'kept')", (tag,))?;
    let mut savepoint = tx.savepoint()?;
    savepoint.execute("insert into weak values ($1, 'dropped')", (tag,))?;
    drop(savepoint);
    let portal = tx.portal("select n from generate_series(1, 9) n", ())?;
    loop {
        let mut rows = tx.fetch(&portal, 4)?;
        while let Some(row) = rows.next()? {
            row.get::<i32>(0)?;
        }
        if !rows.is_suspended() {
            break;
        }
        tx.execute("insert into weak values ($1, 'slice')", (tag,))?;
    }
    tx.commit()
}

fn streamed(c: &mut Connection, tag: i32) -> Result<(), Error> {
    let long = vec![7; 2000];
    let sql = "insert into weak values ($1, $2) returning $1, $2";
    let mut rows = c.query(sql, (tag, Streamed::new(2000, &*long)))?;
    let mut count = 0;
    while let Some(mut row) = rows.next_streamed()? {
        assert_eq!(row.next_column()?.unwrap().get::<i32>()?, tag);
        let mut value = row.next_column()?.unwrap();
        let mut buf = [0; 300];
        loop {
            match value.read(&mut buf)? {
                0 => break,
                n => count += n,
            }
        }
    }
    assert_eq!(count, 2000);
    Ok(())
}

const WORK: [(&str, Work, i64); 4] = [
    ("copy", copy, 12),
    ("pipeline", pipeline, 8),
    ("guards", guards, 3),
    ("streamed", streamed, 1),
];

const TABLE: &str = "create table weak (tag int, value bytea); grant all on weak to public";

#[test]
fn a_few_bytes_at_a_time() {
    on_each(|cluster| {
        cluster.psql("test", &TABLE.replace("weak", "slow"));
        for step in [1, 2, 5, 97] {
            let endless = Rc::new(Cell::new(u32::MAX));
            let (mut storage, mut memory) = (Storage::<512, 512>::new(), [0; 100]);
            let mut queue = NotificationQueue::new(&mut memory);
            let config = role("trust_user");
            let mut client = Client::new(storage.buffers(), &config, &Host);
            client.set_notification_queue(&mut queue);
            let mut c =
                client.connect(NoReadReady(Weak::new(cluster.port(), step, &endless))).unwrap();
            c.batch_execute("create temp table weak (tag int, value bytea)").unwrap();
            let channel = format!("weak_{step}");
            c.batch_execute(&format!("listen {channel}")).unwrap();
            for (name, work, rows) in WORK {
                work(&mut c, 1).unwrap();
                let sql = "with d as (delete from weak returning 1) select count(*) from d";
                let count = c.query_one(sql, ()).unwrap().get::<i64>(0);
                assert_eq!(count, Ok(rows), "{name} with {step}");
                c.execute("select pg_notify($1, $2)", (&*channel, name)).unwrap();
                assert_eq!(c.wait_notification(2000).unwrap().unwrap().payload, name);
            }
            let mut copy = c.copy_out("copy (select generate_series(1, 30)) to stdout").unwrap();
            let (mut text, mut buf) = (Vec::new(), [0; 11]);
            loop {
                match copy.read(&mut buf).unwrap() {
                    0 => break,
                    n => text.extend_from_slice(&buf[..n]),
                }
            }
            assert_eq!(text.iter().filter(|&&b| b == b'\n').count(), 30);
        }
        cluster.psql("test", "drop table slow");
    });
}

#[test]
fn a_link_that_breaks_at_any_call() {
    let cluster = &crate::usual();
    cluster.psql("test", TABLE);
    let mut reported = Vec::new();
    let mut tag = 0;
    for (name, work, rows) in WORK {
        for cut in 0.. {
            tag += 1;
            let calls = Rc::new(Cell::new(u32::MAX));
            let mut storage = Storage::<512, 512>::new();
            let config = role("trust_user").application_name("cut");
            let mut client = Client::new(storage.buffers(), &config, &Host);
            let mut c =
                client.connect(NoReadReady(Weak::new(cluster.port(), usize::MAX, &calls))).unwrap();
            calls.set(cut);
            let result = work(&mut c, tag);
            if let Err(error) = &result {
                assert!(!error.is_usable(), "{name} cut at {cut}: {error}");
                assert!(c.ping().is_err());
            }
            reported.push((name, cut, tag, rows, result));
            if result.is_ok() {
                assert!(cut > 2, "{name} takes calls");
                break;
            }
        }
    }
    // What was still on its way has arrived, and its session has ended.
    let ended = "select not exists (select from pg_stat_activity where application_name = 'cut')";
    cluster.wait_until(ended);
    let found = cluster.psql("test", "select tag, count(*) from weak group by tag");
    for (name, cut, tag, rows, result) in reported {
        let line = found.lines().find_map(|line| line.strip_prefix(&format!("{tag}|")));
        let count: i64 = line.map_or(0, |count| count.trim().parse().unwrap());
        let fine = match result {
            Ok(()) => count == rows,
            Err(error) if error.outcome() == Outcome::Unknown => count == 0 || count == rows,
            Err(_) => count == 0,
        };
        assert!(fine, "{name} cut at {cut}: {count} rows, and {result:?}");
    }
    cluster.psql("test", "drop table weak");
}
