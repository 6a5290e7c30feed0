//! A cellular modem at the end of the line, as barepg's dialler. It holds the TCP connection itself: AT commands
//! set it up, then its transparent mode hands bytes through.

use barepg::{Dial, DialError, Target};
use embedded_io::ErrorKind;

use crate::line::{Dialler, Line, Wire};

/// The longest wait for the answer to a command that may be refused, in milliseconds.
const TIDY_MS: u64 = 3000;

/// The most of an answer's line that is looked at, in bytes: the longest result that means something here is
/// "CONNECT " and a speed.
const ANSWER_MAX: usize = 24;

/// What to say to a modem: commands, each with the line that is its good end. Results must be words (`ATV1`, the
/// usual setting); whether it echoes does not matter.
pub struct Commands<'c> {
    /// Said before each call, whatever comes of it: they end what is left of the last one.
    pub tidy: &'c [[&'c str; 2]],
    /// Each must end well: transparent mode, the network and its access point.
    pub setup: &'c [[&'c str; 2]],
    /// What connects: the text before the host, between host and port, and after the port.
    pub call: [&'c str; 3],
}

/// SIMCom SIM7500 and SIM7600, by their manual of TCP/IP commands: opening and closing the network are done when it
/// reports so, "OK" is said before. The access point is kept in the modem: `AT+CGDCONT=1,"IP","internet"`, once.
pub const SIM7600: Commands<'static> = Commands {
    tidy: &[["ATE0", "OK"], ["AT+CIPCLOSE=0", "OK"], ["AT+NETCLOSE", "+NETCLOSE: 0"]],
    setup: &[["AT&D1", "OK"], ["AT+CIPMODE=1", "OK"], ["AT+NETOPEN", "+NETOPEN: 0"]],
    call: ["AT+CIPOPEN=0,\"TCP\",\"", "\",", ""],
};

/// A line with a modem on it. Host and port are the target's; names are looked up by the modem.
pub struct Modem<'l, W, const N: usize> {
    pub line: Dialler<'l, W, N>,
    pub commands: Commands<'l>,
}

/// What a line from the modem ends with success.
#[derive(Clone, Copy)]
enum Wanted<'c> {
    Text(&'c str),
    Connection,
}

impl Wanted<'_> {
    /// `None`: the answer goes on. An echo, an empty line and an unsolicited report ("+CREG: 1") are
    /// no end of it.
    fn end(self, line: &[u8]) -> Option<Result<(), DialError>> {
        let refused = Some(Err(DialError::Failed(ErrorKind::ConnectionRefused)));
        match (self, line) {
            (Self::Text(text), line) if line == text.as_bytes() => Some(Ok(())),
            (_, b"ERROR" | b"NO CARRIER" | b"BUSY" | b"NO DIALTONE" | b"NO ANSWER") => refused,
            (_, line) if line.starts_with(b"+CME ERROR") || line.starts_with(b"+CMS ERROR") => {
                refused
            }
            (Self::Connection, b"CONNECT") => Some(Ok(())),
            // A speed may follow. "CONNECT OK" is a connection without transparent mode, "CONNECT FAIL" is none.
            (Self::Connection, line) => match line.strip_prefix(b"CONNECT ")? {
                speed if !speed.is_empty() && speed.iter().all(u8::is_ascii_digit) => Some(Ok(())),
                _ => refused,
            },
            (Self::Text(_), _) => None,
        }
    }
}

impl<W: Wire, const N: usize> Modem<'_, W, N> {
    /// Says a command, and waits for the end of its answer.
    fn say(&self, parts: &[&str], wanted: Wanted<'_>, end: u64) -> Result<(), DialError> {
        for byte in parts.iter().flat_map(|part| part.bytes()).chain([b'\r']) {
            if !self.line.wait_until(end, |wire| wire.send(byte)) {
                return Err(DialError::TimedOut);
            }
        }
        let (mut text, mut length) = ([0; ANSWER_MAX], 0);
        loop {
            let mut byte = None;
            if !self.line.wait_until(end, |_| {
                byte = self.line.received.take();
                byte.is_some()
            }) {
                return Err(DialError::TimedOut);
            }
            match byte {
                Some(b'\n') => {
                    if let Some(end) = text.get(..length).and_then(|line| wanted.end(line)) {
                        return end;
                    }
                    length = 0;
                }
                Some(b'\r') | None => {}
                // A line that is too long is no result: it stays too long until it ends.
                Some(byte) => {
                    if let Some(place) = text.get_mut(length) {
                        *place = byte;
                    }
                    length = length.saturating_add(1);
                }
            }
        }
    }
}

/// Whether a modem looks up no name for it: digits and dots, or a colon. Whether it is a whole address, the modem says.
fn is_address(host: &[u8]) -> bool {
    host.contains(&b':') || host.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.'))
}

impl<'l, W: Wire, const N: usize> Dial for Modem<'l, W, N> {
    type Transport = Line<'l, W, N>;

    /// [`DialError::Failed`] with `ConnectionRefused`: the modem refused a command. With `InvalidInput`: the host
    /// is no name that can be put into a command.
    fn dial(&mut self, target: &Target<'_>) -> Result<Self::Transport, DialError> {
        if target.address > 0 {
            return Err(DialError::NoMoreAddresses);
        }
        let host = match target.host.hostaddr {
            "" => target.host.host,
            address if is_address(address.as_bytes()) => address,
            // Never looked up, as in libpq.
            _ => return Err(DialError::NotAnAddress),
        };
        // A quotation mark would end the text, a line feed the command: what is left would be another one.
        if host.is_empty()
            || !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b))
        {
            return Err(DialError::Failed(ErrorKind::InvalidInput));
        }
        let begun = self.line.board.now_ms();
        let end = begun.saturating_add(target.timeout_ms.into());
        self.line.hang_up(begun);
        for [command, good] in self.commands.tidy {
            let end = end.min(self.line.board.now_ms().saturating_add(TIDY_MS));
            // A modem that has just been switched on may not hear the first ones.
            let _ = self.say(&[command], Wanted::Text(good), end);
        }
        for [command, good] in self.commands.setup {
            self.say(&[command], Wanted::Text(good), end)?;
        }
        let [before, between, after] = self.commands.call;
        let mut port = [0; 5];
        let call = [before, host, between, decimal(target.host.port, &mut port), after];
        self.say(&call, Wanted::Connection, end)?;
        self.line.connected(end)
    }
}

fn decimal(mut number: u16, text: &mut [u8; 5]) -> &str {
    let mut begin = text.len();
    for digit in text.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        begin -= 1;
        if number == 0 {
            break;
        }
    }
    text.get(begin..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or("0")
}
