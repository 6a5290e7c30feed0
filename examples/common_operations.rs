//! The common operations on a host: connect, create a table, insert, select, commit, roll back,
//! be refused and go on.
//!
//! ```text
//! cargo run --features std --example common_operations -- 'dbname=test user=postgres'
//! ```
//!
//! Firmware does the same with its own transport and platform: `boards/app` is this program for
//! every board, and both print the same lines.

use std::error::Error;

use barepg::host::Host;
use barepg::{Connection, SqlState};

fn main() -> Result<(), Box<dyn Error>> {
    let conninfo = std::env::args().nth(1).unwrap_or_default();
    if conninfo.starts_with('-') {
        println!("usage: common_operations [CONNECTION-STRING]");
        return if matches!(&*conninfo, "--help" | "-h") {
            Ok(())
        } else {
            Err("no such option".into())
        };
    }
    let mut host = Host::new();
    let mut client = host.client(&conninfo)?;

    println!("connect");
    let mut conn = match client.connect() {
        Ok(conn) => conn,
        Err(error) => {
            if let Some(said) = client.server_error() {
                eprintln!("{said}");
            }
            return Err(error.into());
        }
    };

    println!("create table student");
    conn.batch_execute("drop table if exists student")?;
    let mut work = conn.transaction()?;
    work.batch_execute("create table student (id integer primary key, name varchar, sex varchar)")?;

    println!("insert three rows with parameters");
    let insert = "insert into student values ($1, $2, $3)";
    for student in [(1_i32, "Li Lei", "m"), (2, "Han Meimei", "f"), (3, "Zo\u{eb}", "f")] {
        println!("  {} row", work.execute(insert, student)?);
    }

    println!("insert two rows as one batch");
    let batch = [(4_i32, "Lin Tao", Some("m")), (5, "Robin", None)];
    println!("  {} rows", work.execute_many(insert, batch)?);
    select_all(&mut work)?;

    println!("select one by parameter");
    let row = work.query_one("select name, sex from student where id = $1", (2_i32,))?;
    println!("  {} {}", row.get::<&str>("name")?, row.get::<&str>(1)?);

    println!("commit");
    work.commit()?;

    println!("insert another and roll it back");
    let mut work = conn.transaction()?;
    println!("  {} row", work.execute(insert, (6_i32, "Nobody", "m"))?);
    work.rollback()?;
    select_all(&mut conn)?;

    println!("insert a row that is refused");
    match conn.execute(insert, (1_i32, "Li Lei again", "m")) {
        Err(error) if error.sqlstate() == Some(SqlState::UNIQUE_VIOLATION) => {
            println!("  error: {error}");
            if let Some(said) = conn.server_error() {
                println!("  {said}");
            }
        }
        other => println!("  it was not refused: {} row", other?),
    }

    println!("work goes on");
    let (rows,): (i64,) = conn.query_one("select count(*) from student", ())?.decode()?;
    println!("  {rows} rows");

    println!("close");
    conn.close()?;
    Ok(())
}

fn select_all(conn: &mut Connection<'_, '_>) -> Result<(), barepg::Error> {
    println!("select all");
    let mut rows = conn.query("select id, name, sex from student order by id", ())?;
    while let Some(row) = rows.next()? {
        let (id, name, sex): (i32, &str, Option<&str>) = row.decode()?;
        println!("  {id} {name} {}", sex.unwrap_or("-"));
    }
    Ok(())
}
