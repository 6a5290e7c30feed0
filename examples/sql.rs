//! Runs statements and prints their results as tables, like `psql -c`.
//!
//! ```text
//! cargo run --features std,tls --example sql -- 'host=db dbname=plant' 'select * from log limit 3'
//! ```
//!
//! `--timeout SECONDS` limits each statement and each attempt to connect. Statements are run one
//! by one; the first that the server refuses ends the program.
//!
//! Exit status: 0 all statements succeeded, 1 the server refused one (its SQLSTATE is shown),
//! 2 there was no session or it broke, 64 wrong usage.

use std::process::ExitCode;

use barepg::host::Host;
use barepg::{Connection, Error, ErrorKind, ServerError};

const USAGE: &str = "usage: sql [--timeout SECONDS] CONNINFO STATEMENT...";

/// Larger than the usual buffer: people ask for wide rows.
const BUFFER: usize = 256 * 1024;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut timeout_ms = None;
    if arguments.first().is_some_and(|first| first == "--timeout") {
        let seconds = arguments.get(1).and_then(|text| text.parse::<f64>().ok());
        let Some(seconds) = seconds.filter(|seconds| *seconds > 0.0 && *seconds < 4e6) else {
            return usage();
        };
        timeout_ms = Some((seconds * 1000.0) as u32);
        arguments.drain(..2);
    }
    match &arguments[..] {
        [word] if matches!(&**word, "--help" | "-h") => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        [conninfo, statements @ ..] if !statements.is_empty() => {
            run(conninfo, statements, timeout_ms)
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(64)
}

fn run(conninfo: &str, statements: &[String], timeout_ms: Option<u32>) -> ExitCode {
    let mut host = Box::new(Host::<BUFFER>::with_buffers());
    let config;
    let mut client = match host.client(conninfo) {
        Ok(client) => client,
        Err(error) => {
            eprintln!("sql: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(timeout_ms) = timeout_ms {
        client.set_timeout_ms(timeout_ms);
        config = client.config().connect_timeout_ms(timeout_ms);
        client.set_config(&config);
    }
    let error = match client.connect() {
        Ok(mut conn) => {
            for statement in statements {
                if let Err(error) = show(&mut conn, statement) {
                    complain(&error, conn.server_error());
                    let refused = matches!(error.kind(), ErrorKind::Server(_));
                    return ExitCode::from(if refused && conn.is_usable() { 1 } else { 2 });
                }
            }
            // The statements are done, whether Terminate arrives or not.
            let _ = conn.close();
            return ExitCode::SUCCESS;
        }
        Err(error) => error,
    };
    complain(&error, client.server_error());
    if let Some(problem) = client.passfile_problem() {
        eprintln!("sql: {problem}");
    }
    #[cfg(feature = "tls")]
    if let Some((keyword, problem)) = client.certificate_problem() {
        eprintln!("sql: {keyword} {problem}");
    }
    ExitCode::from(2)
}

/// The server's message if there is one, else the driver's.
fn complain(error: &Error, said: Option<ServerError<'_>>) {
    match said {
        Some(said) if error.sqlstate().is_some() => {
            eprintln!("{said}");
            for (name, text) in [("DETAIL", said.detail()), ("HINT", said.hint())] {
                if let Some(text) = text {
                    eprintln!("{name}: {}", printable(text));
                }
            }
            if let Some(position) = said.position() {
                eprintln!("POSITION: {position}");
            }
        }
        _ => eprintln!("sql: {error}"),
    }
}

/// Runs one text, which may hold several statements, and prints every result.
fn show(conn: &mut Connection<'_, '_>, statement: &str) -> Result<(), Error> {
    let mut results = conn.simple_query(statement)?;
    loop {
        let columns: Vec<_> = results
            .columns()
            .map(|column| (printable(column.name), is_number(column.oid)))
            .collect();
        let mut table = Vec::new();
        while let Some(row) = results.next()? {
            let cells = (0..row.len()).map(|n| {
                let text = row.raw(n)?.map(|value| String::from_utf8_lossy(value.bytes));
                Ok(printable(&text.unwrap_or_default()))
            });
            table.push(cells.collect::<Result<Vec<String>, Error>>()?);
        }
        if columns.is_empty() && table.is_empty() {
            println!("ok, {}", counted(results.finish_result()?));
        } else {
            print_table(&columns, &table);
        }
        if !results.next_result()? {
            return Ok(());
        }
    }
}

fn print_table(columns: &[(String, bool)], table: &[Vec<String>]) {
    let width = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = columns.iter().map(|(name, _)| width(name)).collect();
    for row in table {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let line = |cells: Vec<String>| println!("{}", cells.join("|").trim_end());
    let names = columns.iter().zip(&widths);
    line(names.map(|((name, _), width)| format!(" {name:^width$} ")).collect());
    println!("{}", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("+"));
    for row in table {
        let cells = row.iter().zip(&widths).zip(columns);
        let cell = |((text, width), (_, right)): ((&String, &usize), &(String, bool))| {
            if *right { format!(" {text:>width$} ") } else { format!(" {text:<width$} ") }
        };
        line(cells.map(cell).collect());
    }
    println!("({})\n", counted(table.len() as u64));
}

fn counted(rows: u64) -> String {
    format!("{rows} row{}", if rows == 1 { "" } else { "s" })
}

/// Types that stand to the right, as in psql: int8, int2, int4, oid, float4, float8, money,
/// numeric, xid, cid.
fn is_number(oid: u32) -> bool {
    matches!(oid, 20 | 21 | 23 | 26 | 700 | 701 | 790 | 1700 | 28 | 29)
}

/// Control characters would move the cursor of a terminal, or worse.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}
