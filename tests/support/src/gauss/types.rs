//! openGauss's types, made in the PostgreSQL after the front.

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::fields::message;
use super::{Shared, relay, session};

/// Makes the types in a database, once for each. Where that fails (a standby, a database that does
/// not exist) it has none, or the session says why.
pub(super) fn install(shared: &Shared, database: &str) -> io::Result<()> {
    static DONE: Mutex<Option<HashSet<(PathBuf, u16, String)>>> = Mutex::new(None);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (directory, port) = shared.options.upstream.clone();
    if !done.get_or_insert_default().insert((directory, port, database.to_string())) {
        return Ok(());
    }
    let mut postgres = session::upstream(shared)?;
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    body.extend_from_slice(format!("user\0postgres\0database\0{database}\0\0").as_bytes());
    let length = u32::try_from(body.len() + 4).expect("a short packet");
    postgres.write_all(&[&length.to_be_bytes()[..], &body].concat())?;
    if !until_ready(&mut postgres)? {
        return Ok(());
    }
    postgres.write_all(&message(b'Q', concat!(include_str!("types.sql"), "\0").as_bytes()))?;
    until_ready(&mut postgres)?;
    postgres.write_all(&message(b'X', b""))
}

/// Reads to ReadyForQuery; false when the session ends before.
fn until_ready(postgres: &mut impl io::Read) -> io::Result<bool> {
    loop {
        match relay::read_message(postgres) {
            Ok((b'Z', _)) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}
