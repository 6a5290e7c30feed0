//! The parameters that the device was given: from its flash, or over its serial line.

use barepg::provision::{Console, Provisioned, Store};
use barepg::{Platform as _, limits};
use core::fmt::Write;
use embedded_hal::digital::InputPin;

use crate::board::{Board, Line};
use crate::flash::{Flash, SIZE};

/// Memory for the parameters; where there is TLS, a root certificate is among them.
const ROOM: usize =
    if cfg!(feature = "tls") { limits::PROVISIONED_WITH_ROOT } else { limits::PROVISIONED };

pub type Parameters = Provisioned<[u8; ROOM]>;

/// Takes the parameters from flash; the number of the device, which is at the end of its `application_name`.
///
/// While the button is held, or where there are none that could be used, the serial line is a console until its
/// `start`, and then the board starts again.
pub fn provision(
    board: &Board,
    flash: Flash,
    mut line: Line,
    mut button: impl InputPin,
    parameters: &mut Provisioned,
) -> Option<i32> {
    let mut store = Store::new(flash, 0, SIZE).ok()?;
    let found = store.load(parameters);
    if !button.is_low().unwrap_or(false)
        && found.is_ok()
        && let Some(number) = number(parameters)
    {
        return Some(number);
    }
    if let Err(error) = found {
        let _ = writeln!(line, "{error}");
    }
    let _ = writeln!(
        line,
        "application_name ends with the number of the device; help lists what can be said"
    );
    let mut console = Console::new(parameters);
    loop {
        board.idle();
        let mut byte = [0];
        if let Ok(1) = line.read_raw(&mut byte)
            && let Some(request) = console.feed(byte[0], &mut line)
            && console.carry_out(request, &mut store, &mut line)
        {
            board.restart();
        }
    }
}

/// `application_name=logger7` is device 7.
fn number(parameters: &Provisioned) -> Option<i32> {
    let mut scratch = [0; limits::PROVISIONED_SCRATCH];
    let name = parameters.config(&mut scratch).ok()?.get_application_name()?;
    let start = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name.get(start..)?.parse().ok()
}
