//! Paths and lines of files in fixed memory. "Is this file there and usable" is answered here.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use zeroize::Zeroize as _;

/// Longest path, in bytes, as `PATH_MAX` of Linux has it.
const PATH: usize = 4096;

/// Bytes read from a file at once.
const CHUNK: usize = 512;

/// A path put together from pieces.
pub(super) struct PathBuffer {
    bytes: [u8; PATH],
    length: usize,
}

impl PathBuffer {
    /// The pieces, concatenated. `None` where they are too long.
    pub(super) fn new(pieces: &[&[u8]]) -> Option<Self> {
        let mut path = Self { bytes: [0; PATH], length: 0 };
        for piece in pieces {
            let end = path.length.checked_add(piece.len())?;
            path.bytes.get_mut(path.length..end)?.copy_from_slice(piece);
            path.length = end;
        }
        Some(path)
    }

    /// A file below the home directory: `$HOME`, else the user's entry of the password database.
    pub(super) fn in_home(name: &str) -> Option<Self> {
        match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Self::new(&[home.as_bytes(), b"/", name.as_bytes()]),
            None => passwd(|fields| {
                let home = fields.nth(5)?;
                Self::new(&[home, b"/", name.as_bytes()])
            }),
        }
    }

    pub(super) fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(self.bytes.get(..self.length).unwrap_or(&[])))
    }
}

/// What is at a path.
pub(super) enum Found {
    Nothing,
    /// A plain file, open for reading.
    File(File),
    /// A directory, a FIFO, a device.
    Other,
    /// It is there and cannot be read, or whether it is there cannot be seen.
    Closed,
}

/// Looks at a path. Does not wait: only a plain file is opened.
pub(super) fn look(path: &Path) -> Found {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Found::Other,
        Ok(_) => {}
        Err(error) if is_absence(&error) => return Found::Nothing,
        Err(_) => return Found::Closed,
    }
    match File::open(path) {
        // Once more, for it may be another by now.
        Ok(file) if file.metadata().is_ok_and(|metadata| metadata.is_file()) => Found::File(file),
        Ok(_) => Found::Other,
        Err(_) => Found::Closed,
    }
}

/// Whether an error says that there is no file. Every other error leaves that open.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Calls `found` with the fields of this process's effective user in `/etc/passwd`.
pub(super) fn passwd<T>(
    mut found: impl FnMut(&mut dyn Iterator<Item = &[u8]>) -> Option<T>,
) -> Option<T> {
    let uid = effective_user()?;
    let mut result = None;
    let mut line = Line::<1024>::new();
    bytes(&mut File::open("/etc/passwd").ok()?, &mut |byte| {
        let Some(whole) = line.take(byte) else { return true };
        let id = whole.split(|byte| *byte == b':').nth(2).and_then(number);
        if id == Some(uid) {
            result = found(&mut whole.split(|byte| *byte == b':'));
        }
        id != Some(uid)
    })
    .ok()?;
    result
}

/// The effective user of this process. The owner of `/proc/self` is another's after a change of
/// user.
fn effective_user() -> Option<u32> {
    let mut line = Line::<1024>::new();
    let mut uid = None;
    bytes(&mut File::open("/proc/self/status").ok()?, &mut |byte| {
        let ids = line.take(byte).and_then(|line| line.strip_prefix(b"Uid:"));
        let Some(ids) = ids else { return true };
        let mut ids = ids.split(u8::is_ascii_whitespace).filter(|id| !id.is_empty());
        // Real, effective, saved, of the file system.
        uid = ids.nth(1).and_then(number);
        false
    })
    .ok()?;
    uid
}

fn number(text: &[u8]) -> Option<u32> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Gathers bytes to lines of at most `N` bytes.
pub(super) struct Line<const N: usize> {
    bytes: [u8; N],
    length: usize,
    done: bool,
}

impl<const N: usize> Line<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0, done: false }
    }

    /// Takes a byte, or with `None` the end of the file. Answers with a line, without its end, once
    /// that is whole. Of one that is too long, only the beginning; [`is_cut`](Self::is_cut) says so.
    pub(super) fn take(&mut self, byte: Option<u8>) -> Option<&[u8]> {
        if core::mem::take(&mut self.done) {
            self.length = 0;
        }
        match byte {
            Some(byte) if byte != b'\n' => {
                if let Some(place) = self.bytes.get_mut(self.length) {
                    *place = byte;
                }
                self.length = self.length.saturating_add(1);
                return None;
            }
            None if self.length == 0 => return None,
            _ => {}
        }
        self.done = true;
        Some(self.bytes.get(..self.length.min(N)).unwrap_or(&[]))
    }

    /// Whether the line was longer.
    #[cfg(any(feature = "tls", test))]
    pub(super) const fn is_cut(&self) -> bool {
        self.length > N
    }
}

impl<const N: usize> Drop for Line<N> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Calls `take` with each byte of a file, and with `None` at its end, until it answers `false`.
pub(super) fn bytes(
    file: &mut dyn Read,
    take: &mut dyn FnMut(Option<u8>) -> bool,
) -> std::io::Result<()> {
    let mut chunk = [0; CHUNK];
    let result = loop {
        match file.read(&mut chunk) {
            Ok(0) => {
                take(None);
                break Ok(());
            }
            Ok(count) => {
                let read = chunk.get(..count).unwrap_or(&[]);
                if !read.iter().all(|byte| take(Some(*byte))) {
                    break Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    chunk.zeroize();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_gathered_and_cut() {
        let mut line = Line::<4>::new();
        let mut lines = std::vec::Vec::new();
        for byte in b"ab\n\nabcdef\nxy".iter().map(|byte| Some(*byte)).chain([None]) {
            if let Some(whole) = line.take(byte).map(<[u8]>::to_vec) {
                lines.push((whole, line.is_cut()));
            }
        }
        let lines: std::vec::Vec<_> = lines.iter().map(|(line, cut)| (&line[..], *cut)).collect();
        assert_eq!(lines, [(&b"ab"[..], false), (b"", false), (b"abcd", true), (b"xy", false)]);
    }

    #[test]
    fn a_user_has_a_name() {
        assert!(passwd(|fields| fields.next().map(|name| !name.is_empty())).unwrap());
    }
}
