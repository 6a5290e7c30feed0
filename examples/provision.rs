//! Makes the flash image of one device's parameters of the provisioning console's lines, and checks them as the
//! device would.
//!
//! ```text
//! cargo run --features std,provision --example provision -- --place 1024 --room 512 device.bin < device.txt
//! ```
//!
//! `--place` is half of what the device gives [`Store::new`](barepg::provision::Store::new), `--room` the size of
//! its [`Provisioned`](barepg::provision::Provisioned). The image is flashed to the beginning of that region: it is as
//! long as both halves, so what was in the region before is gone.
//!
//! Exit status 1: a line was refused; nothing was written.

use std::fs::{OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::process::ExitCode;

use barepg::provision::{Console, ProvisionError, Provisioned, RamFlash, Request, Store};

const USAGE: &str = "usage: provision --place BYTES --room BYTES IMAGE < LINES";

/// No flash of a microcontroller is larger.
const MOST: usize = 1 << 28;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let sizes = match arguments[..] {
        ["--place", place, "--room", room, file] => {
            place.parse::<usize>().ok().zip(room.parse().ok()).map(|(p, r)| (p, r, file))
        }
        _ => None,
    };
    let Some((place, room, file)) = sizes else {
        if let ["--help" | "-h"] = arguments[..] {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match image(place, room).and_then(|image| write(file, &image)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("provision: {error}");
            ExitCode::FAILURE
        }
    }
}

fn image(place: usize, room: usize) -> Result<Vec<u8>, String> {
    let lines = std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?;
    let mut parameters: Box<Provisioned<[u8; 0xffff]>> = Box::default();
    let mut console = Console::new(&mut parameters);
    let mut is_complete = false;
    for (number, line) in (1..).zip(lines.lines()) {
        let (mut answer, mut request) = (String::new(), None);
        for byte in line.bytes().chain([b'\n']) {
            request = console.feed(byte, &mut answer);
        }
        if !line.trim().is_empty() {
            is_complete = request == Some(Request::Save);
        }
        if let Some(error) = answer.strip_prefix("error: ") {
            return Err(format!("line {number}: {}", error.trim_end()));
        }
    }
    drop(console);
    if !is_complete {
        return Err("the last line is not commit".into());
    }
    let needed = parameters.room().0;
    if needed > room {
        let figure = |n| u32::try_from(n).unwrap_or(u32::MAX);
        let error = ProvisionError::Capacity { needed: figure(needed), have: figure(room) };
        return Err(format!("the device's memory: {error}"));
    }
    if place > MOST {
        return Err("the place is too large".into());
    }
    let mut memory = vec![0xff; 2 * place];
    let size = u32::try_from(memory.len()).map_err(|_| "the place is too large")?;
    let store = Store::new(RamFlash::new(&mut memory), 0, size);
    store.and_then(|mut store| store.save(&parameters)).map_err(|error| error.to_string())?;
    Ok(memory)
}

/// For its owner only: it holds the device's keys.
fn write(path: &str, image: &[u8]) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        // Of a file that was there before, too.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(image)
    });
    written.map_err(|error| format!("{path}: {error}"))
}
