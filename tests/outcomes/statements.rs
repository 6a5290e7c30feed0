//! Prepared statements and statements in flash behind a pooler that mixes sessions, and on
//! servers that have forgotten them.

use std::thread;

use barepg::types::oid;
use barepg::{Connection, Error, Outcome, Result, Sql, Statement, StaticStatement};

use crate::poolers::Pooled;

/// One of the two statements, which differ in their table only.
struct Insert {
    table: &'static str,
    sql: &'static str,
    in_flash: &'static StaticStatement,
}

const LEFT_SQL: &str = "insert into left_hand (n) values ($1) returning *";
const RIGHT_SQL: &str = "insert into right_hand (n) values ($1) returning *";

static LEFT_IN_FLASH: StaticStatement = StaticStatement::new(LEFT_SQL, &[oid::INT4]);
static RIGHT_IN_FLASH: StaticStatement = StaticStatement::new(RIGHT_SQL, &[oid::INT4]);

const LEFT: Insert = Insert { table: "left_hand", sql: LEFT_SQL, in_flash: &LEFT_IN_FLASH };
const RIGHT: Insert = Insert { table: "right_hand", sql: RIGHT_SQL, in_flash: &RIGHT_IN_FLASH };

/// How a statement is kept.
#[derive(Clone, Copy, Debug)]
enum Kept {
    InFlash,
    Prepared,
}

const KEPT: [Kept; 2] = [Kept::InFlash, Kept::Prepared];

/// A statement, ready for use on its session.
enum Ready {
    InFlash(&'static StaticStatement),
    Prepared(Statement<'static>),
}

impl Insert {
    fn ready(&self, kept: Kept, c: &mut Connection) -> Result<Ready> {
        Ok(match kept {
            Kept::InFlash => Ready::InFlash(self.in_flash),
            Kept::Prepared => Ready::Prepared(c.prepare(self.sql, &[oid::INT4])?),
        })
    }
}

/// The verbs that run a statement, and whether they can run it again by themselves: parameters
/// of a batch are not kept.
const VERBS: [(&str, bool); 5] = [
    ("execute", true),
    ("query_one", true),
    ("query", true),
    ("execute_many", false),
    ("pipeline", false),
];

impl Ready {
    /// Inserts `n` with the verb of that number.
    fn put(&self, c: &mut Connection, verb: usize, n: i32) -> Result<()> {
        match self {
            Self::InFlash(statement) => put(c, *statement, verb, n),
            Self::Prepared(statement) => put(c, statement, verb, n),
        }
    }
}

fn put<'q>(c: &mut Connection, sql: impl Into<Sql<'q>>, verb: usize, n: i32) -> Result<()> {
    match VERBS[verb].0 {
        "execute" => assert_eq!(c.execute(sql, (n,))?, 1),
        "query_one" => assert_eq!(c.query_one(sql, (n,))?.get::<i32>(0)?, n),
        "query" => {
            let mut rows = c.query(sql, (n,))?;
            assert_eq!(rows.next()?.unwrap().get::<i32>(0)?, n);
            assert_eq!(rows.finish()?, 1);
        }
        "execute_many" => assert_eq!(c.execute_many(sql, [(n,)])?, 1),
        _ => {
            let mut pipeline = c.pipeline()?;
            pipeline.execute(sql, (n,))?;
            assert_eq!(pipeline.finish()?, 1);
        }
    }
    Ok(())
}

fn pooled(database: &'static str, pool_size: u32) -> Pooled {
    let pooled = Pooled::new(database, pool_size, &[]);
    for table in [LEFT.table, RIGHT.table] {
        pooled.cluster.psql(
            database,
            &format!("create table {table} (n int); alter table {table} owner to trust_user"),
        );
    }
    pooled
}

/// The rows of a table are the numbers below `count`, each once. Empties it.
fn holds(pooled: &Pooled, insert: &Insert, count: i32) -> std::result::Result<(), String> {
    let table = insert.table;
    let sql = format!(
        "select count(*), count(distinct n), count(*) filter (where n between 0 and {count} - 1)
         from {table}"
    );
    let found = pooled.cluster.psql(pooled.database, &sql);
    pooled.cluster.psql(pooled.database, &format!("truncate {table}"));
    let right = format!("{count}|{count}|{count}");
    if found == right { Ok(()) } else { Err(format!("{table}: {found} is not {right}")) }
}

/// Errors that should not have been, counted by their first of a kind.
#[derive(Default)]
struct Failures(Vec<(String, u32)>);

impl Failures {
    fn add(&mut self, failure: String) {
        match self.0.iter_mut().find(|(known, _)| *known == failure) {
            Some((_, count)) => *count += 1,
            None => self.0.push((failure, 1)),
        }
    }

    fn end(self) {
        let lines: Vec<String> =
            self.0.iter().map(|(failure, count)| format!("{count} times: {failure}")).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }
}

const ROUNDS: i32 = 100;

/// One statement of the one client, one of the other, on one server connection.
#[test]
fn two_clients_on_one_server_connection() {
    let pooled = pooled("statements_one", 1);
    let mut failures = Failures::default();
    for kept in KEPT {
        let done = pooled.session(|a| {
            pooled.session(|b| {
                let (left, right) = (LEFT.ready(kept, a)?, RIGHT.ready(kept, b)?);
                for n in 0..ROUNDS {
                    let verb = n as usize % VERBS.len();
                    for (result, table) in
                        [(left.put(a, verb, n), "left"), (right.put(b, verb, n), "right")]
                    {
                        if let Err(error) = result {
                            failures.add(format!("{kept:?} {table} {}: {error}", VERBS[verb].0));
                        }
                    }
                }
                Ok::<_, Error>(())
            })
        });
        if let Err(error) = done {
            failures.add(format!("{kept:?}: {error}"));
        }
        for insert in [LEFT, RIGHT] {
            if let Err(wrong) = holds(&pooled, &insert, ROUNDS) {
                failures.add(format!("{kept:?}: {wrong}"));
            }
        }
    }
    failures.end();
}

/// The same at once, on two server connections that both clients get.
#[test]
fn two_clients_on_two_server_connections() {
    let pooled = pooled("statements_two", 2);
    let mut failures = Failures::default();
    for kept in KEPT {
        let run = &|insert: &Insert| {
            pooled.session(|c| {
                let ready = insert.ready(kept, c)?;
                for n in 0..ROUNDS {
                    let verb = n as usize % 3;
                    ready.put(c, verb, n)?;
                    // Leaves the server connection to the other client now and then.
                    if n % 7 == 0 {
                        c.query_one("select pg_sleep(0.001)", ())?;
                    }
                }
                Ok::<_, Error>(())
            })
        };
        let results = thread::scope(|scope| {
            [LEFT, RIGHT].map(|insert| scope.spawn(move || run(&insert))).map(|t| t.join().unwrap())
        });
        for (result, insert) in results.into_iter().zip([LEFT, RIGHT]) {
            if let Err(error) = result {
                failures.add(format!("{kept:?} {}: {error}", insert.table));
            }
            if let Err(wrong) = holds(&pooled, &insert, ROUNDS) {
                failures.add(format!("{kept:?}: {wrong}"));
            }
        }
    }
    failures.end();
}

/// A device that connects again and again meets what it has prepared before.
#[test]
fn the_next_sessions() {
    let pooled = pooled("statements_next", 1);
    let mut failures = Failures::default();
    for kept in KEPT {
        for session in 0..3 {
            let done = pooled.session(|c| {
                let left = LEFT.ready(kept, c)?;
                (0..10).try_for_each(|n| left.put(c, n as usize % VERBS.len(), session * 10 + n))
            });
            if let Err(error) = done {
                failures.add(format!("{kept:?}, session {session}: {error}"));
            }
        }
        if let Err(wrong) = holds(&pooled, &LEFT, 30) {
            failures.add(format!("{kept:?}: {wrong}"));
        }
    }
    failures.end();
}

/// Makes a server forget a statement, or refuse its old form. The number is another each time.
type Forget = fn(&Pooled, usize);

/// What comes between two executions.
const FORGETS: &[(&str, Forget)] = &[
    ("nothing", |_, _| {}),
    ("ALTER TABLE", |pooled, n| {
        let sql = format!("alter table left_hand add column column_{n} int");
        pooled.cluster.psql(pooled.database, &sql);
    }),
    ("RECONNECT", |pooled, _| {
        pooled.pooler.admin("reconnect");
        pooled.without_servers();
    }),
    ("server process ended", |pooled, _| {
        let idle = pooled.backends("state = 'idle'");
        pooled.cluster.psql("test", &format!("select pg_terminate_backend(pid) {idle}"));
        pooled.without_servers();
    }),
    ("DEALLOCATE ALL", |pooled, _| pooled.session(|c| c.batch_execute("deallocate all").unwrap())),
    ("DISCARD ALL", |pooled, _| pooled.session(|c| c.batch_execute("discard all").unwrap())),
];

#[test]
fn a_server_that_forgets() {
    let pooled = pooled("statements_forget", 1);
    let mut failures = Failures::default();
    for kept in KEPT {
        let done = pooled.session(|c| {
            let left = LEFT.ready(kept, c)?;
            let mut n = 0;
            for (what, forget) in FORGETS {
                for (verb, (name, repeats)) in VERBS.iter().enumerate() {
                    forget(&pooled, 10 * kept as usize + verb);
                    let mut result = left.put(c, verb, n);
                    // A batch is refused as a whole, and then goes through.
                    if let (false, Err(error)) = (repeats, &result)
                        && error.outcome() == Outcome::Refused
                        && error.is_usable()
                    {
                        result = left.put(c, verb, n);
                    }
                    match result {
                        Ok(()) => n += 1,
                        Err(error) => failures.add(format!("{kept:?}, {what}, {name}: {error}")),
                    }
                }
            }
            Ok::<_, Error>(n)
        });
        let wrong = match done {
            Ok(count) => holds(&pooled, &LEFT, count).err(),
            Err(error) => Some(error.to_string()),
        };
        if let Some(wrong) = wrong {
            failures.add(format!("{kept:?}: {wrong}"));
        }
    }
    failures.end();
}

/// The same on a session of its own at the server, and within transactions: one is refused, and
/// the next goes through.
#[test]
fn a_session_that_forgets() {
    let pooled = pooled("statements_direct", 1);
    let mut failures = Failures::default();
    let forgets = ["alter table left_hand add column c_{n} int", "deallocate all", "discard all"];
    for kept in KEPT {
        pooled.session_at(pooled.cluster.port(), |c| {
            let left = LEFT.ready(kept, c).unwrap();
            left.put(c, 0, 0).unwrap();
            for (step, sql) in forgets.iter().enumerate() {
                for (verb, (name, _)) in VERBS.iter().enumerate().take(3) {
                    let unique = format!("{kept:?}_{step}_{verb}");
                    c.batch_execute(&sql.replace("{n}", &unique)).unwrap();
                    if let Err(error) = left.put(c, verb, 1) {
                        failures.add(format!("{kept:?}, {sql}, {name}: {error}"));
                    }
                    c.batch_execute(&sql.replace("{n}", &format!("{unique}_tx"))).unwrap();
                    let mut attempt = || {
                        let mut tx = c.transaction()?;
                        left.put(&mut tx, verb, 2)?;
                        tx.commit()
                    };
                    let result = match attempt() {
                        Err(error) if error.outcome() == Outcome::Refused && error.is_usable() => {
                            attempt()
                        }
                        result => result,
                    };
                    if let Err(error) = result {
                        failures.add(format!("{kept:?}, {sql}, {name}, in transactions: {error}"));
                    }
                }
            }
        });
    }
    failures.end();
}
