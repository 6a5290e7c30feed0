//! The common operations.

use core::cell::Cell;

use barepg::{Channel, Client, Connection, Error, Result, SqlState, Stats, Transport};

use crate::counted::{Calls, Counted};
use crate::{Board, Failed, LOGIN, QUERY, Server, count, print, print_number, report};

type Out<'o> = dyn core::fmt::Write + 'o;

/// Logs in, works, closes.
#[inline(never)]
pub(crate) fn show<B: Board>(
    board: &mut B,
    client: &mut Client<'_>,
    server: Server<'_>,
    out: &mut Out<'_>,
) -> core::result::Result<(), Failed> {
    print(out, &["connect\n"]);
    // By reference, as in the other show: one compiled driver for both.
    let mut transport = server.dial(board, out)?;
    let calls = Cell::default();
    let start = client.stats();
    board.mark_begin(LOGIN);
    let connected = connect(client, Counted::new(&mut transport, &calls, B::mark_moved));
    board.mark_end(LOGIN);
    let result = session(board, connected, start, &calls, out);
    board.hang_up(transport);
    let start = (start, Calls::default());
    match result {
        Ok(()) => count("session", start, (client.stats(), calls.get()), out),
        Err(Some(error)) => report(&error, client.server_error(), out),
        Err(None) => {}
    }
    result.map_err(|_| Failed)
}

// The two pieces of work that are measured are functions of their own, so that all of their stack
// lies below the caller's.
#[inline(never)]
fn connect<'c, 'b, T: Transport>(
    client: &'c mut Client<'b>,
    transport: T,
) -> Result<Connection<'c, 'b, Channel<'c, T>>> {
    client.connect(transport)
}

/// Works and closes. An error with a message of the server is left to the caller.
// A function that takes what `connect` returns: over TLS that has 1.4 KB, and what moves it about
// in the end is not on the stack of the login.
#[inline(never)]
fn session<'c, B: Board, T: Transport>(
    board: &mut B,
    connected: Result<Connection<'c, '_, Channel<'c, T>>>,
    start: Stats,
    calls: &Cell<Calls>,
    out: &mut Out<'_>,
) -> core::result::Result<(), Option<Error>> {
    let mut conn = connected.map_err(Some)?;
    count("login", (start, Calls::default()), (conn.stats(), calls.get()), out);
    #[cfg(feature = "tls")]
    protection(&mut conn, out);
    if let Err(error) = work(board, &mut conn, calls, out) {
        report(&error, conn.server_error(), out);
        return Err(None);
    }
    print(out, &["close\n"]);
    if let Err(error) = conn.close() {
        report(&error, None, out);
        return Err(None);
    }
    Ok(())
}

#[inline(never)]
fn student<'r>(conn: &'r mut Connection, id: i32) -> Result<(&'r str, Option<&'r str>)> {
    conn.query_one("select name, sex from student where id = $1", (id,))?.decode()
}

fn work<B: Board>(
    board: &mut B,
    conn: &mut Connection,
    calls: &Cell<Calls>,
    out: &mut Out<'_>,
) -> Result<()> {
    print(out, &["create table student\n"]);
    conn.batch_execute("drop table if exists student")?;
    let mut work = conn.transaction()?;
    work.batch_execute("create table student (id integer primary key, name varchar, sex varchar)")?;

    print(out, &["insert three rows with parameters\n"]);
    const INSERT: &str = "insert into student values ($1, $2, $3)";
    for (id, name, sex) in [(1_i32, "Li Lei", "m"), (2, "Han Meimei", "f"), (3, "Zo\u{eb}", "f")] {
        let rows = work.execute(INSERT, (id, name, sex))?;
        print_rows(out, rows, " row\n");
    }

    print(out, &["insert two rows as one batch\n"]);
    let rows = work.execute_many(INSERT, [(4_i32, "Lin Tao", Some("m")), (5, "Robin", None)])?;
    print_rows(out, rows, " rows\n");

    select_all(&mut work, out)?;

    print(out, &["select one by parameter\n"]);
    let start = (work.stats(), calls.get());
    board.mark_begin(QUERY);
    let row = student(&mut work, 2);
    board.mark_end(QUERY);
    let (name, sex) = row?;
    print(out, &["  ", name, " ", sex.unwrap_or("-"), "\n"]);
    count("query", start, (work.stats(), calls.get()), out);

    print(out, &["commit\n"]);
    work.commit()?;

    print(out, &["insert another and roll it back\n"]);
    let mut work = conn.transaction()?;
    let rows = work.execute(INSERT, (6_i32, "Nobody", "m"))?;
    print_rows(out, rows, " row\n");
    work.rollback()?;
    select_all(conn, out)?;

    print(out, &["insert a row that is refused\n"]);
    match conn.execute(INSERT, (1_i32, "Li Lei again", "m")) {
        Err(error) if error.sqlstate() == Some(SqlState::UNIQUE_VIOLATION) => {
            report(&error, conn.server_error(), out);
        }
        other => {
            other?;
            print(out, &["  it was not refused\n"]);
        }
    }

    print(out, &["work goes on\n"]);
    let (rows,) = conn.query_one("select count(*) from student", ())?.decode::<(i64,)>()?;
    print_rows(out, rows.unsigned_abs(), " rows\n");
    Ok(())
}

fn print_rows(out: &mut Out<'_>, rows: u64, after: &str) {
    print_number(out, "  ", u32::try_from(rows).unwrap_or(u32::MAX));
    print(out, &[after]);
}

/// Prints how the session is protected, as the server sees it.
#[cfg(feature = "tls")]
fn protection(conn: &mut Connection, out: &mut Out<'_>) {
    const ASK: &str =
        "select version, cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl";
    match conn.query_opt(ASK, ()).and_then(|row| row.map(|row| row.decode()).transpose()) {
        Ok(Some((version, cipher))) => {
            let (version, cipher): (&str, &str) = (version, cipher);
            print(out, &["@tls ", version, " ", cipher, "\n"]);
        }
        Ok(None) => {
            print(out, &["@tls off\n"]);
        }
        Err(error) => report(&error, conn.server_error(), out),
    }
}

fn select_all(conn: &mut Connection, out: &mut Out<'_>) -> Result<()> {
    print(out, &["select all\n"]);
    let mut rows = conn.query("select id, name, sex from student order by id", ())?;
    while let Some(row) = rows.next()? {
        let (id, name, sex) = row.decode::<(i32, &str, Option<&str>)>()?;
        print_number(out, "  ", id.unsigned_abs());
        print(out, &[" ", name, " ", sex.unwrap_or("-"), "\n"]);
    }
    Ok(())
}
