#![no_std]
#![no_main]
//! As `conninfo`, with the connection string from flash, where a console on a serial line has put it.

use core::fmt::Write;

use barepg::limits::{PROVISIONED, PROVISIONED_SCRATCH};
use barepg::provision::{Console, Loaded, ProvisionError, Provisioned, Store};
use barepg::{Client, Dial, DialError, Result, Target};
use barepg_bare::{Machine, show, show_bytes, unknown};

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

struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        show_bytes(text.as_bytes());
        Ok(())
    }
}

barepg_bare::entry!(work);

fn work(_: &mut Client<'_>) -> Result<()> {
    let mut parameters: Provisioned<[u8; PROVISIONED]> = Provisioned::new();
    let mut scratch = [0; PROVISIONED_SCRATCH];
    if let Err(error) = provisioned(&mut parameters) {
        let _ = writeln!(Line, "{error}");
        return Ok(());
    }
    let Ok(config) = parameters.config(&mut scratch) else { return Ok(()) };
    let mut storage = barepg::Storage::<512, 512>::new();
    let mut client = Client::new(storage.buffers(), &config, &Machine);
    client.connect_with(&mut Dialler)?.close().map(|_| ())
}

#[inline(never)]
fn provisioned(parameters: &mut Provisioned) -> core::result::Result<(), ProvisionError> {
    let mut store = Store::new(Machine, 0, 8192)?;
    if store.load(parameters)? != Loaded::Newest {
        let mut console = Console::new(parameters);
        loop {
            let [byte, ..] = unknown().to_le_bytes();
            if let Some(request) = console.feed(byte, &mut Line)
                && console.carry_out(request, &mut store, &mut Line)
            {
                break;
            }
        }
    }
    Ok(())
}
