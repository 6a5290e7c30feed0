#![no_std]
#![no_main]
//! Notifications with a queue, notices and parameters with handlers.

use barepg::{Client, Event, Result};
use barepg_bare::{Machine, show, show_bytes};

barepg_bare::entry!(work);

fn event(event: Event<'_>) {
    match event {
        Event::Notice(notice) => show_bytes(notice.message().as_bytes()),
        Event::Parameter { name, value } => {
            show_bytes(name);
            show_bytes(value);
        }
        _ => {}
    }
}

fn work(client: &mut Client<'_>) -> Result<()> {
    client.set_event_handler(&event);
    let mut conn = client.connect(Machine)?;
    conn.batch_execute("listen commands")?;
    while let Some(command) = conn.wait_notification(1000)? {
        show(command.pid);
        show_bytes(command.channel.as_bytes());
        show_bytes(command.payload.as_bytes());
    }
    conn.close().map(|_| ())
}
