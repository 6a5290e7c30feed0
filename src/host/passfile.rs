//! The password file. Source: manual, "The Password File".

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::{Config, HostSpec};
use crate::error::DialError;
use crate::wire::digits;

use super::files::{self, PathBuffer};

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
    /// A line of it is longer than 2,048 bytes.
    LineTooLong,
}

impl core::fmt::Display for PassfileProblem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotAFile => "password file is not a plain file",
            Self::Permissions => {
                "password file has group or world access; permissions should be u=rw (0600) or less"
            }
            Self::Unreadable => "password file could not be read",
            Self::LineTooLong => "password file has a line that is too long",
        })
    }
}

/// Looks a password up and unescapes it into `password`. Answers with its length; `Ok(None)`
/// where there is none. A file that is not there is no problem; one that must not be used is.
pub(super) fn look_up(
    host: &HostSpec<'_>,
    config: &Config<'_>,
    password: &mut [u8; PASSWORD],
    problem: &mut Option<PassfileProblem>,
) -> Result<Option<usize>, DialError> {
    *problem = None;
    match config.passfile.filter(|path| !path.is_empty()) {
        Some(path) => search(Path::new(path), host, config, password, problem),
        None => match PathBuffer::in_home(".pgpass") {
            Some(path) => search(path.as_path(), host, config, password, problem),
            None => Ok(None),
        },
    }
}

fn search(
    path: &Path,
    host: &HostSpec<'_>,
    config: &Config<'_>,
    password: &mut [u8; PASSWORD],
    problem: &mut Option<PassfileProblem>,
) -> Result<Option<usize>, DialError> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(None) };
    if !metadata.is_file() {
        *problem = Some(PassfileProblem::NotAFile);
        return Ok(None);
    }
    if metadata.mode() & 0o077 != 0 {
        *problem = Some(PassfileProblem::Permissions);
        return Ok(None);
    }
    let Ok(file) = File::open(path) else {
        *problem = Some(PassfileProblem::Unreadable);
        return Ok(None);
    };
    let key = Key::new(host, config);
    let mut found = Ok(None);
    let read = files::lines(file, &mut |line| {
        let Some(line) = line else {
            *problem = Some(PassfileProblem::LineTooLong);
            return None;
        };
        found = unescape(key.matches(line)?, password).map(Some);
        Some(())
    });
    if read.is_err() {
        *problem = Some(PassfileProblem::Unreadable);
    }
    found
}

/// What a line must say.
struct Key<'k> {
    host: &'k str,
    port: u16,
    dbname: &'k str,
    user: &'k str,
}

impl<'k> Key<'k> {
    fn new(host: &HostSpec<'k>, config: &Config<'k>) -> Self {
        let name = if host.host.is_empty() { host.hostaddr } else { host.host };
        // The socket in a usual directory goes by the name of localhost.
        let usual = name.is_empty() || super::dialler::SOCKET_DIRS.contains(&name);
        Self {
            host: if usual { "localhost" } else { name },
            port: host.port,
            dbname: config.get_dbname().unwrap_or(""),
            user: config.credentials.user.unwrap_or(""),
        }
    }

    /// The password of a line that fits, still escaped.
    fn matches<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        if line.first() == Some(&b'#') {
            return None;
        }
        let mut port = [0; digits::DECIMAL];
        let rest = field(line, self.host.as_bytes())?;
        let rest = field(rest, digits::decimal(self.port.into(), &mut port))?;
        let rest = field(rest, self.dbname.as_bytes())?;
        field(rest, self.user.as_bytes())
    }
}

/// What follows the first field of `line`, if that is `*` or, unescaped, `wanted`.
fn field<'l>(line: &'l [u8], wanted: &[u8]) -> Option<&'l [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    let mut wanted = wanted.iter();
    let mut rest = line.iter();
    loop {
        let byte = match rest.next()? {
            b':' => return wanted.next().is_none().then_some(rest.as_slice()),
            b'\\' => rest.next()?,
            byte => byte,
        };
        if wanted.next()? != byte {
            return None;
        }
    }
}

/// The password up to the next colon.
fn unescape(field: &[u8], out: &mut [u8; PASSWORD]) -> Result<usize, DialError> {
    let mut length = 0_usize;
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next().filter(|byte| **byte != b':') {
        let byte = if *byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
        *out.get_mut(length).ok_or(DialError::PasswordTooLong)? = *byte;
        length = length.saturating_add(1);
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(line: &str) -> Option<std::string::String> {
        let key = Key { host: "db:1", port: 5432, dbname: "te\\st", user: "me" };
        let mut out = [0; PASSWORD];
        let length = unescape(key.matches(line.as_bytes())?, &mut out).unwrap();
        Some(std::str::from_utf8(&out[..length]).unwrap().into())
    }

    #[test]
    fn lines_match_as_in_libpq() {
        for (line, expected) in [
            (r"db\:1:5432:te\\st:me:secret", Some("secret")),
            (r"*:*:*:*:s\:e\\c", Some(r"s:e\c")),
            (r"*:*:*:*:sec:ret", Some("sec")),
            (r"*:*:*:me:", Some("")),
            (r"*:*:*:me", None),
            (r"#*:*:*:*:x", None),
            (r"db:1:5432:te\\st:me:secret", None),
            (r"db\:1:543:te\\st:me:secret", None),
            (r"db\:1:54321:te\\st:me:secret", None),
            (r"db\:1:5432:te\\st:m:secret", None),
            (r"*x:*:*:*:secret", None),
            ("", None),
        ] {
            assert_eq!(password(line).as_deref(), expected, "{line}");
        }
    }
}
