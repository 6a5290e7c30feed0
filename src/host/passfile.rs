//! The password file. Source: manual, "The Password File".

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::{Config, HostSpec};
use crate::error::DialError;
use crate::wire::digits;

use super::files::{self, Found, PathBuffer};

/// Longest password of a password file, in bytes. openGauss's longest is 999.
pub(super) const PASSWORD: usize = 1024;

/// Why the password file was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassfileProblem {
    /// It is not a plain file.
    NotAFile,
    /// Group or others may read it: `chmod 600` it.
    Permissions,
    /// It could not be read.
    Unreadable,
    /// It has a NUL byte, or the password that was found in it is not UTF-8.
    NotText,
}

impl core::error::Error for PassfileProblem {}

impl core::fmt::Display for PassfileProblem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAFile => "password file is not a plain file",
            Self::Permissions => {
                "password file has group or world access; permissions should be u=rw (0600) or less"
            }
            Self::Unreadable => "password file could not be read",
            Self::NotText => "password file has a NUL byte, or a password that is not UTF-8",
        })
    }
}

/// Looks a password up and unescapes it into `password`. Answers with its length; `Ok(None)`
/// where there is none. A file that is not there is no problem; one that must not be used is. `default`: where none is
/// named, `~/.pgpass` counts.
pub(super) fn look_up(
    host: &HostSpec<'_>,
    (config, default): (&Config<'_>, bool),
    password: &mut [u8; PASSWORD],
    problem: &mut Option<PassfileProblem>,
) -> Result<Option<usize>, DialError> {
    let found = match config.passfile.filter(|path| !path.is_empty()) {
        Some(path) => files::look(Path::new(path)),
        None => match PathBuffer::in_home(".pgpass").filter(|_| default) {
            Some(path) => files::look(path.as_path()),
            None => Found::Nothing,
        },
    };
    *problem = None;
    let mut file = match found {
        Found::File(file) if is_closed_to_others(&file) => file,
        found => {
            *problem = match found {
                Found::Nothing => None,
                Found::File(_) => Some(PassfileProblem::Permissions),
                Found::Other => Some(PassfileProblem::NotAFile),
                Found::Closed => Some(PassfileProblem::Unreadable),
            };
            return Ok(None);
        }
    };
    let mut port = [0; digits::DECIMAL];
    let key = Key::new(host, config, &mut port);
    let mut search = Search::new(&key, password);
    let read = files::bytes(&mut file, &mut |byte| search.take(byte));
    *problem = match (read, search.state) {
        (Err(_), _) => Some(PassfileProblem::Unreadable),
        (Ok(()), State::NotText) => Some(PassfileProblem::NotText),
        _ => return search.found(),
    };
    Ok(None)
}

fn is_closed_to_others(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 == 0)
}

/// What the four fields of a line must say.
struct Key<'k>([&'k [u8]; 4]);

impl<'k> Key<'k> {
    fn new(host: &HostSpec<'k>, config: &Config<'k>, port: &'k mut [u8; digits::DECIMAL]) -> Self {
        let name = if host.host.is_empty() { host.hostaddr } else { host.host };
        // The socket in the usual directory goes by the name of localhost.
        let usual = name.is_empty() || name == super::dialler::socket_dir();
        let text = config.port_text(host);
        Self([
            if usual { "localhost" } else { name }.as_bytes(),
            // As it was written, if it was.
            text.map_or_else(|| digits::decimal(host.port.into(), port), str::as_bytes),
            config.get_dbname().unwrap_or("").as_bytes(),
            config.get_user().unwrap_or("").as_bytes(),
        ])
    }
}

/// Goes through a file byte by byte, so that no line is too long.
struct Search<'s> {
    key: &'s Key<'s>,
    password: &'s mut [u8; PASSWORD],
    state: State<'s>,
    length: usize,
    /// Carriage returns that may belong to the line's end.
    returns: usize,
}

#[derive(Clone, Copy)]
enum State<'s> {
    /// In a field, at its beginning or not, with what it must go on with.
    Field {
        number: usize,
        at_start: bool,
        escaped: bool,
        rest: &'s [u8],
    },
    /// After a star that began a field.
    Star {
        number: usize,
    },
    /// In a line that does not fit, or a comment.
    Other,
    Password {
        escaped: bool,
    },
    /// After the colon that ends a password.
    Done,
    /// A NUL byte was there.
    NotText,
}

impl<'s> Search<'s> {
    fn new(key: &'s Key<'s>, password: &'s mut [u8; PASSWORD]) -> Self {
        let mut search = Self { key, password, state: State::Other, length: 0, returns: 0 };
        search.begin_line();
        search
    }

    fn begin_line(&mut self) {
        (self.state, self.returns) = (self.field(0), 0);
    }

    /// The state before a field; after the last one comes the password.
    fn field(&self, number: usize) -> State<'s> {
        match self.key.0.get(number) {
            Some(rest) => State::Field { number, at_start: true, escaped: false, rest },
            None => State::Password { escaped: false },
        }
    }

    /// Takes a byte, or the end of the file; `false` when the password is found.
    fn take(&mut self, byte: Option<u8>) -> bool {
        match (byte, self.state) {
            (None | Some(b'\n'), State::Password { escaped }) => {
                if escaped {
                    self.push(b'\\');
                }
                self.state = State::Done;
                return false;
            }
            (None | Some(b'\n'), State::Done) | (None, _) => return false,
            (Some(0), _) => {
                self.state = State::NotText;
                return false;
            }
            (Some(b'\n'), _) => self.begin_line(),
            // Carriage returns at a line's end are no part of it.
            (Some(b'\r'), _) => self.returns = self.returns.saturating_add(1),
            (Some(byte), _) => {
                for _ in 0..core::mem::take(&mut self.returns) {
                    self.step(b'\r');
                }
                self.step(byte);
            }
        }
        true
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Field { number: 0, at_start: true, .. }, b'#') => State::Other,
            (State::Field { number, at_start: true, .. }, b'*') => State::Star { number },
            (State::Star { number }, b':') => self.field(number.saturating_add(1)),
            (State::Star { number }, byte) => {
                // It was no wildcard: the star itself is compared.
                match self.key.0.get(number).and_then(|rest| rest.strip_prefix(b"*")) {
                    Some(rest) => Self::compare(self, number, false, rest, byte),
                    None => State::Other,
                }
            }
            (State::Field { number, escaped, rest, .. }, byte) => {
                Self::compare(self, number, escaped, rest, byte)
            }
            (State::Password { escaped: false }, b':') => State::Done,
            (State::Password { escaped: false }, b'\\') => State::Password { escaped: true },
            (State::Password { .. }, byte) => {
                self.push(byte);
                State::Password { escaped: false }
            }
            (state @ (State::Other | State::Done | State::NotText), _) => state,
        };
    }

    /// One byte of a field. A colon ends the field once nothing more is wanted, and is compared
    /// before that: `::1` needs no backslashes.
    fn compare(&self, number: usize, escaped: bool, rest: &'s [u8], byte: u8) -> State<'s> {
        match (byte, rest) {
            (b'\\', _) if !escaped => State::Field { number, at_start: false, escaped: true, rest },
            (b':', []) if !escaped => self.field(number.saturating_add(1)),
            (byte, [wanted, rest @ ..]) if byte == *wanted => {
                State::Field { number, at_start: false, escaped: false, rest }
            }
            _ => State::Other,
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.password.get_mut(self.length) {
            *place = byte;
        }
        self.length = self.length.saturating_add(1);
    }

    /// The length of the password found.
    fn found(&self) -> Result<Option<usize>, DialError> {
        match self.state {
            State::Done if self.length <= PASSWORD => Ok(Some(self.length)),
            State::Done => Err(DialError::PasswordTooLong),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    fn password(file: &str, host: &str) -> Option<String> {
        let key = Key([host.as_bytes(), b"5432", br"te\st", b"me"]);
        let mut out = [0; PASSWORD];
        let mut search = Search::new(&key, &mut out);
        let mut bytes = file.bytes().map(Some).chain([None]);
        while bytes.next().is_some_and(|byte| search.take(byte)) {}
        let length = search.found().unwrap()?;
        Some(String::from_utf8(out[..length].into()).unwrap())
    }

    /// The rules of libpq's own reader, which `tests/setups` asks too.
    #[test]
    fn lines_match_as_in_libpq() {
        for (line, expected) in [
            (r"db\:1:5432:te\\st:me:secret", Some("secret")),
            (r"db:1:5432:te\\st:me:secret", Some("secret")),
            (r"*:*:*:*:s\:e\\c", Some(r"s:e\c")),
            (r"*:*:*:*:sec:ret", Some("sec")),
            (r"*:*:*:*:sec\", Some(r"sec\")),
            (r"*:*:*:me:", Some("")),
            (r"*:*:*:me", None),
            (r"#*:*:*:*:x", None),
            (r"db\:1:543:te\\st:me:secret", None),
            (r"db\:1:54321:te\\st:me:secret", None),
            (r"db\:1:5432:te\\st:m:secret", None),
            (r"*x:*:*:*:secret", None),
            (r"\*:*:*:*:secret", None),
            ("", None),
            ("\r\r\n*:*:*:*:a\rb\r\r\nc", Some("a\rb")),
            ("x\n*:*:*:*:y\n*:*:*:*:z", Some("y")),
            ("*:*:*:*:\n*:*:*:*:z", Some("")),
        ] {
            assert_eq!(password(line, "db:1").as_deref(), expected, "{line}");
        }
        for (line, host) in [("::1:*:*:*:x", "::1"), ("*y:*:*:*:x", "*y"), (r"a\b:*:*:*:x", "ab")] {
            assert_eq!(password(line, host).as_deref(), Some("x"), "{line}");
        }
        assert_eq!(password(r"a\b:*:*:*:x", r"a\b"), None);
    }

    #[test]
    fn a_password_that_is_too_long_is_not_cut() {
        let key = Key([b"h", b"5432", b"d", b"u"]);
        for (length, fits) in [(PASSWORD, true), (PASSWORD + 1, false)] {
            let mut out = [0; PASSWORD];
            let mut search = Search::new(&key, &mut out);
            b"*:*:*:*:".iter().for_each(|byte| assert!(search.take(Some(*byte))));
            (0..length).for_each(|_| assert!(search.take(Some(b'x'))));
            assert!(!search.take(None));
            assert_eq!(search.found().is_ok(), fits);
        }
    }
}
