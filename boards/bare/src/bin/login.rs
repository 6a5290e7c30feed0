#![no_std]
#![no_main]
//! Login with whatever the server asks for, and Terminate.

use barepg::{Client, Result};
use barepg_bare::Machine;

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    client.connect(Machine)?.close().map(|_| ())
}
