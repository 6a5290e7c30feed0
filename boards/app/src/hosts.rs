//! Connection strings that are refused, and several hosts through the driver's dialler.

use barepg::{Client, Config, Dial, Target};
use embedded_io::ErrorKind;

use crate::{Board, Failed, report};

type Out<'o> = dyn core::fmt::Write + 'o;

/// Each has one fault.
const BAD: [&str; 4] = [
    "host=db sslmode=on",
    "postgresql://logger:secret@db/plant?connect_timeout=soon",
    "host=db1,db2 port=1,2,3",
    "host=db service=plant",
];

/// The board as the driver's dialler.
struct Dialler<'d, B> {
    board: &'d mut B,
    out: &'d mut Out<'d>,
}

impl<B: Board> Dial for Dialler<'_, B> {
    type Transport = B::Transport;

    fn dial(&mut self, target: &Target<'_>) -> Result<B::Transport, barepg::DialError> {
        if target.address > 0 {
            return Err(barepg::DialError::NoMoreAddresses);
        }
        let _ = writeln!(self.out, "  dial");
        let dialled = self.board.dial(target.host.host, target.host.port, target.timeout_ms);
        dialled.map_err(|error| {
            let _ = writeln!(self.out, "  error: {error}");
            barepg::DialError::Failed(ErrorKind::Other)
        })
    }
}

pub(crate) fn show<B: Board>(
    board: &mut B,
    client: &mut Client<'_>,
    out: &mut Out<'_>,
) -> Result<(), Failed> {
    let _ = writeln!(out, "bad connection strings");
    for text in BAD {
        match Config::parse(text, &mut []) {
            Ok(_) => return Err(Failed),
            Err(error) => {
                let _ = writeln!(out, "  {error}");
            }
        }
    }

    let _ = writeln!(out, "two hosts, the first is dead");
    let mut conn = match client.connect_with(&mut Dialler { board, out }) {
        Ok(conn) => conn,
        Err(error) => {
            report(&error, client.server_error(), out);
            return Err(Failed);
        }
    };
    let row = conn.query_one("select 7, 'a good row'", ()).and_then(|row| row.get::<&str>(1));
    let closed = match row {
        Ok(text) => {
            let _ = writeln!(out, "  {text}");
            conn.close()
        }
        Err(error) => {
            report(&error, conn.server_error(), out);
            return Err(Failed);
        }
    };
    match closed {
        Ok(transport) => board.hang_up(transport),
        Err(error) => {
            report(&error, None, out);
            return Err(Failed);
        }
    }
    Ok(())
}
