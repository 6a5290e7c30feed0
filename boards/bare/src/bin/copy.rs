#![no_std]
#![no_main]
//! COPY in both directions.

use barepg::{Client, Result};
use barepg_bare::{Machine, show, show_bytes};
use embedded_io::{Read, Write};

barepg_bare::entry!(work);

fn work(client: &mut Client<'_>) -> Result<()> {
    let mut conn = client.connect(Machine)?;
    let mut copy = conn.copy_in("copy t from stdin with (format binary)")?;
    for n in 0..10_i32 {
        copy.send_row((n, Some("name"), 0.5_f32))?;
        copy.check()?;
    }
    show(u32::from(copy.columns()) + u32::from(copy.is_binary()));
    show_bytes(&copy.finish()?.to_le_bytes());
    let mut copy = conn.copy_in("copy t from stdin")?;
    copy.write(b"1\ta\t2\n")?;
    copy.flush()?;
    copy.abort("enough")?;
    conn.copy_in("copy t from stdin")?.send(b"1\ta\t2\n")?;

    let mut copy = conn.copy_out("copy t to stdout with (format binary)")?;
    while let Some((n, name)) = copy.next_row::<(i32, Option<&str>)>()? {
        show(n.cast_unsigned());
        show_bytes(name.unwrap_or("").as_bytes());
    }
    show_bytes(&copy.rows().to_le_bytes());
    let mut copy = conn.copy_out("copy t to stdout")?;
    while let Some(piece) = copy.next()? {
        show_bytes(piece);
    }
    let mut buf = [0; 64];
    conn.copy_out("copy t to stdout")?.read(&mut buf)?;
    show_bytes(&buf);
    conn.close().map(|_| ())
}
