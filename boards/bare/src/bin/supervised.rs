#![no_std]
#![no_main]
//! A session that is kept running: what `dial` does, for ever.

use core::ops::ControlFlow;

use barepg::types::TypeError;
use barepg::{Client, Dial, DialError, Policy, Result, Supervisor, Target};
use barepg_bare::{Machine, show, show_bytes, unknown};

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
    let mut supervisor = Supervisor::new(Policy::DEFAULT);
    client.supervise(
        &mut Dialler,
        &mut supervisor,
        &mut (),
        |(), conn| {
            show(conn.server_version());
            // A session that fails, with what it left running to be cancelled.
            if unknown() == 1 {
                return Err(TypeError::Null.into());
            }
            Ok(ControlFlow::Continue(()))
        },
        |(), pause| {
            show(pause.left_ms + pause.health.failures);
            if unknown() == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    Ok(())
}
