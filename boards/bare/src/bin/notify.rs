#![no_std]
#![no_main]
//! Notifications with a queue, notices and parameters with handlers.

use barepg::{LeanClient, Result, ServerError};
use barepg_bare::{Machine, show, show_bytes};

barepg_bare::entry!(work);

fn notice(notice: ServerError<'_>) {
    show_bytes(notice.message().as_bytes());
}

fn parameter(name: &[u8], value: &[u8]) {
    show_bytes(name);
    show_bytes(value);
}

fn work(client: &mut LeanClient<'_>) -> Result<()> {
    client.set_notice_handler(&notice);
    client.set_parameter_handler(&parameter);
    let mut conn = client.connect(Machine)?;
    conn.batch_execute("listen commands")?;
    while let Some(command) = conn.wait_notification(1000)? {
        show(command.pid);
        show_bytes(command.channel.as_bytes());
        show_bytes(command.payload.as_bytes());
    }
    conn.close().map(|_| ())
}
