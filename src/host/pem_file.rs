//! PEM files as OpenSSL reads them: blocks of every label, text around them.

use std::fs::File;

use zeroize::Zeroize as _;

use crate::tls::FileProblem;
use crate::tls::pem::{self, PemError};

use super::files::{self, Line};

/// Longest PEM block, in bytes: a certificate of 12 KB.
const BLOCK: usize = 16 * 1024;

/// Longest line of a block, in bytes. RFC 7468 has 64.
const LINE: usize = 1024;

/// What a block holds, by its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Certificate,
    Key,
    Other,
}

impl Kind {
    fn of(label: &[u8]) -> Self {
        match label {
            b"CERTIFICATE" | b"X509 CERTIFICATE" => Self::Certificate,
            label if label.ends_with(b"PRIVATE KEY") => Self::Key,
            _ => Self::Other,
        }
    }
}

/// Decodes the blocks of a kind into `out`, one after the other, at most `most` of them, and
/// returns their length. Blocks of other kinds must be PEM, and are skipped.
pub(super) fn read(
    file: &mut File,
    kind: Kind,
    most: usize,
    out: &mut [u8],
) -> Result<usize, FileProblem> {
    let mut reader =
        Reader { block: [0; BLOCK], length: 0, kind: None, wanted: kind, used: 0, left: most };
    let mut line = Line::<LINE>::new();
    let mut result = Ok(());
    let read = files::bytes(file, &mut |byte| {
        if let Some(whole) = line.take(byte) {
            let whole = whole.trim_ascii_end();
            result = reader.take(whole, out);
        }
        if line.is_cut() && reader.kind.is_some() {
            result = Err(FileProblem::Pem(PemError::Base64));
        }
        result.is_ok() && reader.left > 0
    });
    read.map_err(|_| FileProblem::Unreadable)?;
    result?;
    match (reader.kind, reader.used) {
        (Some(_), _) => Err(FileProblem::Pem(PemError::Unfinished)),
        (None, 0) => Err(FileProblem::NoneFound),
        (None, used) => Ok(used),
    }
}

struct Reader {
    block: [u8; BLOCK],
    length: usize,
    /// Of the block at hand.
    kind: Option<Kind>,
    wanted: Kind,
    used: usize,
    left: usize,
}

impl Reader {
    fn take(&mut self, line: &[u8], out: &mut [u8]) -> Result<(), FileProblem> {
        let Some(kind) = self.kind else {
            let label = line.strip_prefix(b"-----BEGIN ").and_then(|l| l.strip_suffix(b"-----"));
            self.kind = label.map(Kind::of);
            return if self.kind.is_some() { self.push(line) } else { Ok(()) };
        };
        self.push(line)?;
        if !line.starts_with(b"-----END ") {
            return Ok(());
        }
        self.kind = None;
        let text = self.block.get(..core::mem::take(&mut self.length)).unwrap_or(&[]);
        if kind != self.wanted {
            return match pem::decoded_len(text) {
                Ok(_) | Err(PemError::NoBlock | PemError::Encrypted) => Ok(()),
                Err(problem) => Err(FileProblem::Pem(problem)),
            };
        }
        let room = out.get_mut(self.used..).unwrap_or(&mut []);
        match pem::decode(text, room) {
            Ok(count) => {
                self.used = self.used.saturating_add(count);
                self.left = self.left.saturating_sub(1);
                Ok(())
            }
            Err(PemError::Full) => Err(FileProblem::TooLarge),
            Err(problem) => Err(FileProblem::Pem(problem)),
        }
    }

    fn push(&mut self, line: &[u8]) -> Result<(), FileProblem> {
        let end = self.length.saturating_add(line.len()).saturating_add(1);
        let Some([text @ .., last]) = self.block.get_mut(self.length..end) else {
            return match self.kind {
                // No certificate is as long, but a list of revoked ones may be.
                Some(Kind::Other) => Ok(()),
                _ => Err(FileProblem::TooLarge),
            };
        };
        text.copy_from_slice(line);
        *last = b'\n';
        self.length = end;
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.block.zeroize();
    }
}
