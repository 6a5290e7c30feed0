//! Sessions with servers that misbehave. Each gives the right error in time, and a good session
//! with the same client follows.

use barepg::{Client, Config, ErrorKind, Platform};

use crate::arguments::Arguments;
use crate::{Board, Failed, Lent, Server, configuration, report};

type Out<'o> = dyn core::fmt::Write + 'o;
type Done = core::result::Result<(), Failed>;

/// Deadline of a login and of a statement, in milliseconds.
const DEADLINE_MS: u32 = 4000;

/// How late an error may be: a machine that emulates others is not always quick.
const GRACE_MS: u64 = 2000;

/// Bytes of the row that is too large.
const LARGE: i32 = 10 * 1024 * 1024;

// Out of line, as the other show is: the frame of one must not lie below the other.
#[inline(never)]
pub(crate) fn show<B: Board>(
    board: &mut B,
    config: &Config<'_>,
    lent: Lent<'_>,
    server: Server<'_>,
    arguments: &Arguments<'_>,
    out: &mut Out<'_>,
) -> Done {
    // They live longer than the client that is lent them in turn.
    let config = &config.connect_timeout_ms(DEADLINE_MS);
    let wrong_password = &config.password("wrong");
    let unknown_database = &config.dbname("no_such_database");
    let server = Server { timeout_ms: DEADLINE_MS, ..server };
    let platform = lent.platform;
    let client = &mut configuration::client(config, lent);
    client.set_timeout_ms(DEADLINE_MS);
    let mut show = Shows { board, client, server, platform, out };

    show.expect_failure("a server that is not there", config, arguments.closed)?;
    show.expect_failure("a server that accepts and stays silent", config, arguments.silent)?;
    show.expect_failure("a server that dies in the middle of a row", config, arguments.dying)?;
    show.expect_failure("a wrong password", wrong_password, None)?;
    show.expect_failure("an unknown database", unknown_database, None)?;

    show.title("a row of 10 MB");
    let start = platform.now_ms();
    show.large_row(config)?;
    show.time(start)?;

    show.title("a good session");
    show.session(config, None)?;
    let _ = writeln!(show.out, "  good");
    Ok(())
}

struct Shows<'s, 'a, B> {
    board: &'s mut B,
    client: &'s mut Client<'a>,
    server: Server<'s>,
    platform: &'s dyn Platform,
    out: &'s mut Out<'s>,
}

impl<'a, B: Board> Shows<'_, 'a, B> {
    fn title(&mut self, title: &str) {
        let _ = writeln!(self.out, "{title}");
    }

    /// A session that must fail in time, with an error that is printed.
    fn expect_failure(&mut self, title: &str, config: &'a Config<'a>, port: Option<u16>) -> Done {
        self.title(title);
        let start = self.platform.now_ms();
        if self.session(config, port).is_ok() {
            let _ = writeln!(self.out, "  it did not fail");
            return Err(Failed);
        }
        self.time(start)
    }

    /// Logs in, selects a row, closes.
    fn session(&mut self, config: &'a Config<'a>, port: Option<u16>) -> Done {
        let server = Server { port: port.unwrap_or(self.server.port), ..self.server };
        let mut transport = server.dial(self.board, self.out)?;
        self.client.set_config(config);
        let result = match self.client.connect(&mut transport) {
            Err(error) => Err((error, self.client.server_error())),
            Ok(mut conn) => match conn.query_one("select 7, 'a good row'", ()) {
                Ok(_) => conn.close().map(|_| ()).map_err(|error| (error, None)),
                Err(error) => {
                    report(&error, conn.server_error(), self.out);
                    conn.into_inner();
                    self.board.hang_up(transport);
                    return Err(Failed);
                }
            },
        };
        let result = result.map_err(|(error, message)| {
            report(&error, message, self.out);
            Failed
        });
        self.board.hang_up(transport);
        result
    }

    /// A row larger than the receive buffer is refused with both sizes; the session goes on.
    fn large_row(&mut self, config: &'a Config<'a>) -> Done {
        let mut transport = self.server.dial(self.board, self.out)?;
        self.client.set_config(config);
        let mut conn = match self.client.connect(&mut transport) {
            Ok(conn) => conn,
            Err(error) => {
                report(&error, self.client.server_error(), self.out);
                return Err(Failed);
            }
        };
        match conn.query_one("select repeat('x', $1)", (LARGE,)).map(|_| ()) {
            Err(error) => match error.kind() {
                // How much more than the row it needs is the driver's affair.
                ErrorKind::Capacity { buffer, have, needed } if needed > LARGE.cast_unsigned() => {
                    let _ = writeln!(
                        self.out,
                        "  error: {buffer} has {have} bytes, needs more than {LARGE}"
                    );
                }
                _ => {
                    report(&error, conn.server_error(), self.out);
                    return Err(Failed);
                }
            },
            Ok(()) => {
                let _ = writeln!(self.out, "  it did not fail");
                return Err(Failed);
            }
        }
        let next = conn.query_one("select 8", ()).and_then(|row| row.get::<i32>(0));
        match next {
            Ok(value) => {
                let _ = writeln!(self.out, "  the next query returns {value}");
            }
            Err(error) => {
                report(&error, conn.server_error(), self.out);
                return Err(Failed);
            }
        }
        let closed = conn.close().map(|_| ());
        self.board.hang_up(transport);
        closed.map_err(|error| {
            report(&error, None, self.out);
            Failed
        })
    }

    /// Prints when the error came, in words that do not depend on the machine.
    fn time(&mut self, start: u64) -> Done {
        let elapsed = self.platform.now_ms().saturating_sub(start);
        let deadline = u64::from(DEADLINE_MS);
        let class = if elapsed < deadline {
            "before its deadline"
        } else if elapsed < deadline + GRACE_MS {
            "at its deadline"
        } else {
            "late"
        };
        let _ = writeln!(self.out, "  {class}");
        let _ = writeln!(self.out, "@time {elapsed} ms");
        if class == "late" { Err(Failed) } else { Ok(()) }
    }
}
