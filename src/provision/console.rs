//! Lines that change the parameters: of a person at a terminal, of a program at the factory, of a file.
//!
//! | line | what it does |
//! |---|---|
//! | `keyword=value` | sets a parameter, as in a connection string |
//! | `keyword=` | removes it |
//! | `root=BASE64` | appends to the root certificate (DER, any number of lines) |
//! | `root=` | removes it |
//! | `show` | the parameters, secrets hidden |
//! | `clear` | removes everything, in memory |
//! | `commit` | checks and saves |
//! | `wipe` | erases what is saved |
//! | `start` | ends the console |
//! | `help` | these lines |
//!
//! Each line is answered with a line `ok` or `error: …`; `show` and `help` have more lines before it. Nothing is echoed:
//! what is typed may be a secret.

use core::fmt::Write;

use embedded_storage::nor_flash::NorFlash;
use zeroize::Zeroize;

use super::{ProvisionError, Provisioned, Store, capacity};
use crate::config::halves;
use crate::flash::Crc;
use crate::limits;
use crate::wire::base64;

/// What a line asks for that the console does not do alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Request {
    /// `commit`: the parameters are checked, and are to be saved.
    Save,
    /// `wipe`: what is saved is to be erased.
    Wipe,
    /// `start`: go on with what is saved.
    Leave,
}

/// A console for one device's parameters: fed with bytes, it does no I/O of its own.
pub struct Console<'p> {
    parameters: &'p mut Provisioned,
    line: [u8; limits::CONSOLE_LINE],
    /// Bytes of the line, those that did not fit included.
    length: usize,
    /// A byte was no text.
    garbled: bool,
}

impl<'p> Console<'p> {
    /// A console that changes these parameters.
    pub const fn new(parameters: &'p mut Provisioned) -> Self {
        Self { parameters, line: [0; limits::CONSOLE_LINE], length: 0, garbled: false }
    }

    /// Takes a byte. At the end of a line, which is CR or LF, does what it says and answers. Backspace removes a
    /// character; Ctrl-C and Ctrl-U discard the line.
    ///
    /// Returns what is left to do, which [`carry_out`](Self::carry_out) does with a [`Store`]. Without one, as for
    /// a file read at each start, [`Request::Save`] says that the parameters are complete.
    pub fn feed(&mut self, byte: u8, out: &mut dyn Write) -> Option<Request> {
        match byte {
            b'\r' | b'\n' => {
                // The line is taken out, so that it is gone in any case.
                let mut line = core::mem::replace(&mut self.line, [0; limits::CONSOLE_LINE]);
                let (length, garbled) = (self.length, self.garbled);
                self.discard();
                let done = if length == 0 && !garbled {
                    Ok(None)
                } else {
                    self.take(&line, length, garbled, out)
                };
                line.zeroize();
                match done {
                    Ok(request) => return request,
                    Err(refusal) => answer(&refusal, out),
                }
            }
            3 | 21 => self.discard(),
            8 | 127 => {
                // As many bytes as the last character has.
                while self.length > 0 {
                    self.length = self.length.saturating_sub(1);
                    let byte = self.line.get(self.length).copied().unwrap_or(b' ');
                    if byte & 0xc0 != 0x80 {
                        break;
                    }
                }
            }
            b'\t' | b' '.. => {
                if let Some(place) = self.line.get_mut(self.length) {
                    *place = byte;
                }
                self.length = self.length.saturating_add(1);
            }
            _ => self.garbled = true,
        }
        None
    }

    /// Does what a line asked for, and answers. `true`: the console has ended.
    pub fn carry_out<F: NorFlash>(
        &mut self,
        request: Request,
        store: &mut Store<F>,
        out: &mut dyn Write,
    ) -> bool {
        let done = match request {
            Request::Save => store.save(self.parameters),
            Request::Wipe => store.wipe().map(|()| self.parameters.clear()),
            Request::Leave => return true,
        };
        match done {
            Ok(()) => ok(out),
            Err(error) => answer(&Refusal::Error(error), out),
        }
        false
    }

    /// The parameters as they are now.
    pub const fn parameters(&self) -> &Provisioned {
        self.parameters
    }

    fn discard(&mut self) {
        self.line.zeroize();
        (self.length, self.garbled) = (0, false);
    }

    fn take(
        &mut self,
        line: &[u8],
        length: usize,
        garbled: bool,
        out: &mut dyn Write,
    ) -> Result<Option<Request>, Refusal> {
        let bytes = line.get(..length).ok_or(Refusal::Line(capacity(length, line.len())))?;
        let text = core::str::from_utf8(bytes).ok().filter(|_| !garbled);
        let whole = text.ok_or(Refusal::Garbled)?.trim_ascii_start();
        let text = match whole.trim_ascii_end() {
            // A space after a backslash belongs to the value.
            escaped if escaped.ends_with('\\') => whole,
            text => text,
        };
        match text {
            "" => return Ok(None),
            "show" => self.show(out),
            "clear" => self.parameters.clear(),
            "commit" => {
                self.parameters.check()?;
                return Ok(Some(Request::Save));
            }
            "wipe" => return Ok(Some(Request::Wipe)),
            "start" => return Ok(Some(Request::Leave)),
            "help" => {
                let _ = out.write_str(HELP);
            }
            _ => match text.strip_prefix("root=") {
                Some("") => self.parameters.clear_root(),
                Some(piece) => {
                    let mut room = [0; limits::CONSOLE_LINE / 4 * 3];
                    let piece = base64::decode(piece.as_bytes(), &mut room);
                    self.parameters.push_root(piece.ok_or(Refusal::Base64)?)?;
                }
                None if text.contains('=') => self.parameters.set(text)?,
                None => return Err(Refusal::Unknown),
            },
        }
        ok(out);
        Ok(None)
    }

    fn show(&self, out: &mut dyn Write) {
        for line in self.parameters.lines() {
            let _ = match halves(line) {
                Ok((keyword, _)) if keyword.is_secret() => {
                    writeln!(out, "{}=<redacted>", keyword.name())
                }
                Ok(_) => writeln!(out, "{line}"),
                // Nothing that was not understood is shown.
                Err(_) => Ok(()),
            };
        }
        let root = self.parameters.root();
        if !root.is_empty() {
            let crc = Crc::new().with(root).end();
            let _ = writeln!(out, "root: {} bytes, CRC-32 {crc:08x}", root.len());
        }
        let (used, have) = self.parameters.room();
        let _ = writeln!(out, "{used} of {have} bytes");
    }
}

impl Drop for Console<'_> {
    fn drop(&mut self) {
        self.line.zeroize();
    }
}

impl core::fmt::Debug for Console<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Console").field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

const HELP: &str = "\
keyword=value  a connection parameter; without a value it is removed
root=BASE64    a piece of the root certificate; without one it is removed
show           the parameters, secrets hidden
clear          remove all parameters, in memory
commit         check and save
wipe           erase what is saved
start          end the console
";

/// Why a line was not taken.
enum Refusal {
    Error(ProvisionError),
    /// It is too long.
    Line(ProvisionError),
    Garbled,
    Base64,
    Unknown,
}

impl From<ProvisionError> for Refusal {
    fn from(error: ProvisionError) -> Self {
        Self::Error(error)
    }
}

fn ok(out: &mut dyn Write) {
    let _ = out.write_str("ok\n");
}

fn answer(refusal: &Refusal, out: &mut dyn Write) {
    let _ = match refusal {
        Refusal::Error(error) => writeln!(out, "error: {error}"),
        Refusal::Line(error) => writeln!(out, "error: the line {error}"),
        Refusal::Garbled => out.write_str("error: the line is not text\n"),
        Refusal::Base64 => {
            out.write_str("error: the root certificate is not base64, in groups of four\n")
        }
        Refusal::Unknown => out.write_str("error: no such line; help lists them\n"),
    };
}
