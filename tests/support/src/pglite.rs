//! PGlite with its server for sockets: PostgreSQL compiled to WebAssembly, in Node.js. It says nothing at all to a
//! protocol version that it does not know.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::provision;

/// A running PGlite; ends when dropped or when this process does. It has the user and the database
/// `postgres`, and asks for no password.
#[derive(Debug)]
pub struct Pglite {
    child: Child,
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
        let mut child = Command::new(node)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = child.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let port = line.trim().parse();
        let mut pglite = Pglite { child, port: 0 };
        pglite.port = port.map_err(|_| format!("said {line:?} instead of a port"))?;
        Ok(pglite)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pglite {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
