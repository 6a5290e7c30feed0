#![no_std]
#![no_main]
//! As `dial`, with the configuration from a connection string that is not known when compiling.

use barepg::{Client, Config, Dial, DialError, Result, Target};
use barepg_bare::{Machine, show, show_bytes, text};

struct Dialler;

impl Dial for Dialler {
    type Transport = Machine;

    fn dial(&mut self, target: &Target<'_>) -> core::result::Result<Machine, DialError> {
        show_bytes(target.host.host.as_bytes());
        show_bytes(target.host.hostaddr.as_bytes());
        show(u32::from(target.host.port));
        if target.address > 3 { Err(DialError::NoMoreAddresses) } else { Ok(Machine) }
    }
}

barepg_bare::entry!(work);

fn work(_: &mut Client<'_>) -> Result<()> {
    let mut scratch = [0; 64];
    match Config::parse(text(), &mut scratch) {
        Ok(config) => {
            let mut storage = barepg::Storage::<512, 512>::new();
            let mut client = Client::new(storage.buffers(), &config, &Machine);
            client.connect_with(&mut Dialler)?.close().map(|_| ())
        }
        Err(error) => {
            show_bytes(error.keyword().unwrap_or("").as_bytes());
            show(u32::try_from(error.position()).unwrap_or(0));
            Ok(())
        }
    }
}
