//! PGlite with its server for sockets: PostgreSQL compiled to WebAssembly, in Node.js. It says nothing at all to a
//! protocol version that it does not know.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child::Process;
use crate::provision;

/// The longest that it may take to begin.
const LIMIT: Duration = Duration::from_secs(60);

/// A running PGlite; ends when dropped or when this process does. It has the user and the database
/// `postgres`, and asks for no password.
#[derive(Debug)]
pub struct Pglite {
    _process: Process,
    port: u16,
}

impl Pglite {
    /// Starts one with an empty database. Panics with the reason if it cannot.
    pub fn start() -> Pglite {
        Pglite::try_start().unwrap_or_else(|error| panic!("PGlite: {error}"))
    }

    /// Starts one with an empty database.
    pub fn try_start() -> Result<Pglite, String> {
        let node = provision::program("node", "nodejs")?;
        let home = provision::pglite()?;
        let script = home.join("serve.mjs");
        fs::write(&script, include_str!("pglite.mjs"))
            .map_err(|error| format!("{}: {error}", script.display()))?;
        let mut command = Command::new(node);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let port = process.port(LIMIT)?;
        Ok(Pglite { _process: process, port })
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}
