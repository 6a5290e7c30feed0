//! A person's end of a board's serial line.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use barepg_testkit::child::{Heard, Lines};
use barepg_testkit::sockets;

/// A serial line over which a device is asked. It hangs up when it is dropped.
pub struct Terminal {
    stream: TcpStream,
    lines: Lines,
    /// The longest that an answer may take.
    limit: Duration,
}

impl Terminal {
    /// Takes the connection of a device that is being started.
    pub fn accept(listener: &TcpListener, limit: Duration) -> Result<Terminal, String> {
        let failed = |error| format!("serial line: {error}");
        let stream = sockets::accept(listener, limit).map_err(failed)?;
        // The thread that reads sees the end of the device, or that of this value.
        stream.set_read_timeout(None).map_err(failed)?;
        let lines = Lines::of(stream.try_clone().map_err(failed)?);
        Ok(Terminal { stream, lines, limit })
    }

    /// Waits for a line.
    pub fn hear(&mut self) -> Result<String, String> {
        self.hear_until(Instant::now() + self.limit)
    }

    fn hear_until(&mut self, deadline: Instant) -> Result<String, String> {
        match self.lines.next(deadline) {
            Heard::Line(line) => Ok(line.trim_end().to_string()),
            Heard::End => Err("the console has hung up".to_string()),
            Heard::Nothing => Err(format!("the console gave no answer in {:?}", self.limit)),
        }
    }

    /// Types a line, and hears the answer. `expected`: the error, or what comes before `ok`.
    pub fn ask(&mut self, line: &str, expected: &str) -> Result<String, String> {
        writeln!(self.stream, "{line}").map_err(|error| format!("serial line: {error}"))?;
        let deadline = Instant::now() + self.limit;
        let shown = line.split('=').next().unwrap_or(line);
        let mut heard = String::new();
        loop {
            let answer = self.hear_until(deadline).map_err(|e| format!("{shown}: {e}\n{heard}"))?;
            let is_error = answer.starts_with("error: ");
            if is_error && answer == expected || answer == "ok" && !expected.starts_with("error") {
                if !expected.is_empty() && !is_error && heard.trim_end() != expected {
                    return Err(format!("{shown}: not `{expected}` but `{heard}`"));
                }
                return Ok(heard);
            }
            if is_error || answer == "ok" {
                return Err(format!("{shown}: not `{expected}` but `{answer}`"));
            }
            heard.push_str(&answer);
            heard.push('\n');
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread;

    use super::*;

    /// A terminal, and a device that does this with the line that is typed.
    fn terminal(device: impl FnOnce(TcpStream) + Send + 'static) -> Terminal {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || device(TcpStream::connect(("127.0.0.1", port)).unwrap()));
        let mut terminal = Terminal::accept(&listener, Duration::from_secs(10)).unwrap();
        terminal.limit = Duration::from_millis(300);
        terminal
    }

    #[test]
    fn a_device_that_never_comes_is_an_error() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert!(Terminal::accept(&listener, Duration::from_millis(50)).is_err());
    }

    #[test]
    fn an_answer_is_what_comes_before_ok() {
        let mut good = terminal(|mut device| {
            device.write_all(b"a b\nok\r\nerror: no\n").unwrap();
            let _ = device.read(&mut [0; 9]);
            thread::sleep(Duration::from_secs(1));
        });
        assert_eq!(good.ask("show", "a b").unwrap(), "a b\n");
        assert_eq!(good.ask("x=secret", "error: no").unwrap(), "");
    }

    #[test]
    fn a_console_without_an_answer_does_not_hang_the_tests() {
        let mut gone = terminal(drop);
        // A first write may still be taken.
        let error = gone.ask("show", "").and_then(|_| gone.ask("show", "")).unwrap_err();
        assert!(error.contains("hung up") || error.contains("serial line"), "{error}");
        let mut silent = terminal(|mut device| while device.read(&mut [0; 9]).unwrap_or(0) > 0 {});
        assert!(silent.ask("show", "").unwrap_err().contains("no answer"));
        let mut endless = terminal(|mut device| while device.write_all(b"more\n").is_ok() {});
        assert!(endless.ask("show", "").unwrap_err().contains("no answer"));
    }
}
