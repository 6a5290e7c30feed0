//! Paths and lines of files in fixed memory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Longest path, in bytes, as `PATH_MAX` of Linux has it.
const PATH: usize = 4096;

/// Longest line read, in bytes.
pub(super) const LINE: usize = 2048;

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

/// Calls `found` with the fields of this process's user in `/etc/passwd`.
pub(super) fn passwd<T>(
    mut found: impl FnMut(&mut dyn Iterator<Item = &[u8]>) -> Option<T>,
) -> Option<T> {
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let mut result = None;
    lines(File::open("/etc/passwd").ok()?, &mut |line| {
        let mut fields = line?.split(|byte| *byte == b':');
        let id = fields.nth(2).and_then(|id| str::from_utf8(id).ok()?.parse::<u32>().ok())?;
        if id != uid {
            return None;
        }
        result = found(&mut line?.split(|byte| *byte == b':'));
        Some(())
    })
    .ok()?;
    result
}

/// Calls `take` with each line, without its end, until it answers; `None` stands for a line
/// that is too long.
pub(super) fn lines(
    mut file: File,
    take: &mut dyn FnMut(Option<&[u8]>) -> Option<()>,
) -> std::io::Result<()> {
    let mut line = [0; LINE];
    let mut length = 0_usize;
    let mut chunk = [0; 512];
    loop {
        let count = file.read(&mut chunk)?;
        let bytes = chunk.get(..count).unwrap_or(&[]);
        if bytes.is_empty() {
            if length > 0 {
                take(line.get(..length));
            }
            return Ok(());
        }
        for byte in bytes {
            if *byte == b'\n' {
                let whole = line.get(..length);
                let whole = whole.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
                if take(whole).is_some() {
                    return Ok(());
                }
                length = 0;
            } else {
                if let Some(place) = line.get_mut(length) {
                    *place = *byte;
                }
                length = length.saturating_add(1);
            }
        }
    }
}
