#![no_std]
#![no_main]
//! As `login`, with errors written out as text, and the connection string read at run time.

use core::fmt::Write;

use barepg::{Client, Config, Result};
use barepg_bare::{Machine, show_bytes};

barepg_bare::entry!(work);

struct Out;

impl Write for Out {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        show_bytes(text.as_bytes());
        Ok(())
    }
}

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut text = [0; 64];
    let _ = embedded_io::Read::read(&mut Machine, &mut text);
    let mut scratch = [0; 64];
    match Config::parse(core::str::from_utf8(&text).unwrap_or(""), &mut scratch) {
        Ok(config) => {
            for host in config.hosts().into_iter().flatten() {
                show_bytes(host.host.as_bytes());
                show_bytes(&host.port.to_le_bytes());
            }
            show_bytes(config.get_user().unwrap_or("").as_bytes());
        }
        Err(error) => {
            let _ = write!(Out, "{error}");
        }
    }
    match client.connect(Machine) {
        Ok(conn) => conn.close().map(|_| ()),
        Err(error) => {
            let _ = write!(Out, "{error}");
            if let Some(message) = client.server_error() {
                let _ = write!(Out, "{message}");
            }
            Err(error)
        }
    }
}
