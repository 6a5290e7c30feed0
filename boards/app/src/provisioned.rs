//! Starting from the parameters that the device was given: those in its flash, a console on its serial line,
//! or a file with the console's lines.

use barepg::provision::{Console, Loaded, ProvisionError, Provisioned, Request, Store};
use embedded_io::{Read, Write};
use embedded_storage::nor_flash::NorFlash;

use crate::arguments::Arguments;

type Out<'o> = dyn core::fmt::Write + 'o;

/// Memory for the parameters of any board.
pub type Parameters = Provisioned<[u8; ROOM]>;

/// Where there is TLS, a root certificate is among them.
const ROOM: usize = if cfg!(feature = "tls") {
    barepg::limits::PROVISIONED_WITH_ROOT
} else {
    barepg::limits::PROVISIONED
};

/// The file with a console's lines that the arguments name by `provision=FILE`.
pub fn provision_file(arguments: &str) -> Option<&str> {
    Arguments::parse(arguments)?.provision
}

/// Takes the parameters from a console's lines. Prints what was refused, and whether it was all right: the
/// last line is `commit`.
pub fn provision_from(lines: &[u8], parameters: &mut Provisioned, out: &mut Out<'_>) -> bool {
    let mut console = Console::new(parameters);
    let mut answers = Refusals(out, true);
    let (mut is_complete, mut is_empty, mut asked) = (false, true, None);
    for byte in lines.iter().chain(b"\n") {
        asked = console.feed(*byte, &mut answers).or(asked);
        is_empty &= byte.is_ascii_whitespace();
        if *byte == b'\n' {
            let asked = asked.take();
            if !core::mem::replace(&mut is_empty, true) {
                is_complete = asked == Some(Request::Save);
            }
        }
    }
    if !is_complete {
        let _ = out.write_str("provision: no commit\n");
    }
    is_complete
}

/// Takes the parameters from flash. Where there are none, or the arguments say `console=yes` (a button that is
/// held at the start, on a real board), a console on the line comes first, until its `start`.
pub fn provision_over<F: NorFlash>(
    arguments: &str,
    (flash, size): (F, u32),
    line: &mut (impl Read + Write),
    parameters: &mut Provisioned,
    out: &mut Out<'_>,
) -> bool {
    let wants_console = Arguments::parse(arguments).is_some_and(|arguments| arguments.console);
    match provision(wants_console, flash, size, line, parameters, out) {
        Ok(()) => true,
        Err(error) => {
            let _ = writeln!(out, "provision: {error}");
            false
        }
    }
}

fn provision<F: NorFlash>(
    wants_console: bool,
    flash: F,
    size: u32,
    line: &mut (impl Read + Write),
    parameters: &mut Provisioned,
    out: &mut Out<'_>,
) -> Result<(), ProvisionError> {
    let mut store = Store::new(flash, 0, size)?;
    // The console is the way out of whatever is wrong with what is there.
    let loaded = store.load(parameters);
    let _ = match &loaded {
        Ok(Loaded::Nothing) => out.write_str("@provisioned nothing\n"),
        Ok(Loaded::Newest) => out.write_str("@provisioned newest\n"),
        Ok(Loaded::LastGood) => out.write_str("@provisioned last good\n"),
        Err(error) => writeln!(out, "@provisioned {error}"),
    };
    if wants_console || !matches!(loaded, Ok(Loaded::Newest | Loaded::LastGood)) {
        console(&mut store, line, parameters);
        store.load(parameters)?;
    }
    Ok(())
}

fn console<F: NorFlash>(
    store: &mut Store<F>,
    line: &mut (impl Read + Write),
    parameters: &mut Provisioned,
) {
    let mut console = Console::new(parameters);
    let _ = core::fmt::Write::write_str(
        &mut Answers(line),
        "provisioning; help lists what can be said\n",
    );
    loop {
        let mut byte = [0];
        // Nothing yet.
        let Ok(1) = line.read(&mut byte) else { continue };
        let mut answers = Answers(line);
        if let Some(request) = console.feed(byte[0], &mut answers)
            && console.carry_out(request, store, &mut answers)
        {
            return;
        }
    }
}

/// What the console says, on the line.
struct Answers<'l, T>(&'l mut T);

impl<T: Write> core::fmt::Write for Answers<'_, T> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let written = self.0.write(rest).map_err(|_| core::fmt::Error)?;
            rest = rest.get(written..).unwrap_or(&[]);
        }
        Ok(())
    }
}

/// What the console says, but for `ok`.
struct Refusals<'o, 'w>(&'o mut Out<'w>, bool);

impl core::fmt::Write for Refusals<'_, '_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // A line begins here, and is an answer of its own.
        let is_new = core::mem::replace(&mut self.1, text.ends_with('\n'));
        if is_new && text == "ok\n" { Ok(()) } else { self.0.write_str(text) }
    }
}

#[cfg(test)]
mod tests {
    use std::string::String;

    use super::*;

    #[test]
    fn only_what_was_committed_last_is_complete() {
        for (lines, is_complete) in [
            ("user=a\ncommit\n", true),
            ("user=a\r\ncommit\r\n\r\n", true),
            ("user=a\ncommit", true),
            ("user=a\n", false),
            ("user=a\ncommit\nhost=b\n", false),
            ("commit\n", false),
        ] {
            let (mut parameters, mut out) = (Parameters::new(), String::new());
            let found = provision_from(lines.as_bytes(), &mut parameters, &mut out);
            assert_eq!(found, is_complete, "{lines:?}: {out}");
            assert_eq!(out.contains("no commit"), !is_complete, "{lines:?}: {out}");
        }
    }
}
