#![no_std]
#![no_main]
//! Login through a dialler: several hosts, session attributes, load balancing.

use barepg::{Client, Dial, DialError, Result, Target};
use barepg_bare::{Machine, show, show_bytes};

struct Dialler;

impl Dial for Dialler {
    type Transport = Machine;

    fn dial(&mut self, target: &Target<'_>) -> Result<Machine, DialError> {
        show_bytes(target.host.host.as_bytes());
        show_bytes(target.host.hostaddr.as_bytes());
        show(u32::from(target.host.port));
        if target.address > 3 { Err(DialError::NoMoreAddresses) } else { Ok(Machine) }
    }
}

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    client.connect_with(&mut Dialler)?.close().map(|_| ())
}
