//! Rows of the table `work`, each made of its key, and the SQL that writes them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use barepg_testkit::pg::Cluster;
use barepg_testkit::provision;
use barepg_testkit::random::Random;

use crate::server::Op;

pub const SCHEMA: &str = "
    create table work (key bigint primary key, n int, f float8, t text, b bytea);
    create table parent (id int primary key);
    create table child (key bigint, id int references parent deferrable initially deferred);
    alter table work owner to trust_user;
    alter table parent owner to trust_user;
    alter table child owner to trust_user;
";

/// Where there are procedures.
pub const PROCEDURE: &str = "
    create procedure commits(a bigint, n int, f float8, t text, b bytea) language plpgsql as $$ begin
        insert into work values (a, n, f, t, b);
        commit;
        perform 1;
    end $$;
";

pub const INSERT: &str = "insert into work values ($1, $2, $3, $4, $5) returning key, n, f, t, b";
pub const DEFERRED: &str = "with c as (insert into child values ($1, 77)) \
    insert into work values ($1, $2, $3, $4, $5) returning key, n, f, t, b";

#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub key: i64,
    pub n: Option<i32>,
    pub f: Option<f64>,
    pub t: Option<String>,
    pub b: Option<Vec<u8>>,
}

impl Values {
    /// Around the sizes of the buffers, more often than by chance.
    pub fn of(key: i64) -> Self {
        let mut random = Random(key as u64 ^ 0x5bd1_e995);
        let length = |random: &mut Random| match random.below(6) {
            0 => 0,
            1 => 400 + random.below(140),
            2 => random.below(1500),
            _ => random.below(60),
        };
        let number = random.number();
        let n = (number & 3 != 0).then_some((number >> 8) as i32);
        let f = (number & 4 != 0).then_some(f64::from((number >> 40) as u32) / 8.0);
        let letters = ["a", "'", "\\", "é", "x", "𝄞", "\n"];
        let count = length(&mut random);
        let t = (number & 24 != 0).then(|| (0..count).map(|_| random.pick(&letters)).collect());
        let count = length(&mut random) / 2;
        let b = (number & 96 != 0).then(|| (0..count).map(|_| random.number() as u8).collect());
        Self { key, n, f, t, b }
    }

    fn literals(&self) -> String {
        let Self { key, n, f, t, b } = self;
        let null = || "null".to_string();
        let n = n.map_or_else(null, |n| n.to_string());
        let f = f.map_or_else(null, |f| format!("{f:?}"));
        let t = t.as_ref().map_or_else(null, |t| format!("'{}'", t.replace('\'', "''")));
        let b = b.as_ref().map_or_else(null, |b| format!("'\\x{}'", hex(b)));
        format!("{key}, {n}, {f}, {t}, {b}")
    }

    /// As the table's reader shows it.
    pub fn shown(&self) -> String {
        let Self { key, n, f, t, b } = self;
        let none = || "-".to_string();
        let n = n.map_or_else(none, |n| n.to_string());
        let f = f.map_or_else(none, |f| hex(&f.to_be_bytes()));
        let t = t.as_ref().map_or_else(none, |t| hex(t.as_bytes()));
        let b = b.as_ref().map_or_else(none, |b| hex(b));
        format!("{key}|{n}|{f}|{t}|{b}")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statement as text, without parameters.
pub fn text(op: Op) -> String {
    let values = |key| Values::of(key).literals();
    match op {
        Op::Insert(key) => format!("insert into work values ({}) returning key, t", values(key)),
        Op::Deferred(key) => format!(
            "with c as (insert into child values ({key}, 77)) \
             insert into work values ({}) returning key, t",
            values(key)
        ),
        Op::Select(n) => format!("select {n}::int8 + g, 'x' from generate_series(0, 9) g"),
        Op::Fail => "select 1 / (g - 5) from generate_series(1, 9) g".into(),
        Op::NoTable => "select * from nowhere".into(),
        Op::Cancel => "select pg_cancel_backend(pg_backend_pid()), pg_sleep(9)".into(),
        Op::Terminate => "select pg_terminate_backend(pg_backend_pid()), pg_sleep(9)".into(),
        Op::Notice => "do $$ begin raise notice 'said'; end $$".into(),
        Op::Set => "set extra_float_digits = 3".into(),
        Op::Define => "alter table work alter column n set statistics -1".into(),
        Op::DeallocateAll => "deallocate all".into(),
        Op::DiscardAll => "discard all".into(),
        Op::Begin => "begin".into(),
        Op::Commit => "commit".into(),
        Op::CommitAndChain => "commit and chain".into(),
        Op::Rollback => "rollback".into(),
        Op::RollbackAndChain => "rollback and chain".into(),
        Op::Savepoint(n) => format!("savepoint s{n}"),
        Op::RollbackTo(n) => format!("rollback to s{n}"),
        Op::Release(n) => format!("release s{n}"),
        Op::PrepareTransaction => "prepare transaction 'p'".into(),
    }
}

/// Another client, that looks at the table.
pub struct Reader {
    psql: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Reader {
    pub fn start(cluster: &Cluster, database: &str) -> Self {
        let mut command = Command::new(provision::client("psql").unwrap());
        let conninfo =
            format!("host=127.0.0.1 port={} dbname={database} user=trust_user", cluster.port());
        command.args(["-XAtq", "-d", &conninfo]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut psql = command.spawn().unwrap();
        let (to, from) = (psql.stdin.take().unwrap(), psql.stdout.take().unwrap());
        Self { psql, to, from: BufReader::new(from) }
    }

    pub fn ask(&mut self, sql: &str) -> Vec<String> {
        write!(self.to, "{sql};\n\\echo @end\n").unwrap();
        self.to.flush().unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "psql has ended: {sql}");
            match line.trim_end() {
                "@end" => return lines,
                line => lines.push(line.to_string()),
            }
        }
    }

    /// The rows with keys above `first`, as [`Values::shown`].
    pub fn rows(&mut self, first: i64) -> Vec<String> {
        self.ask(&format!(
            "select key, coalesce(n::text, '-'), coalesce(encode(float8send(f), 'hex'), '-'), \
             coalesce(encode(convert_to(t, 'utf8'), 'hex'), '-'), coalesce(encode(b, 'hex'), '-') \
             from work where key > {first} order by key"
        ))
    }

    /// What the server says of a session; nothing once it has ended.
    pub fn state(&mut self, pid: u32) -> Option<String> {
        self.ask(&format!("select state from pg_stat_activity where pid = {pid}")).pop()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
