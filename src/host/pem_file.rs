//! PEM files as OpenSSL reads them: blocks of every label, text around them.

use std::io::Read;

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

/// Decodes the blocks of a kind and gives each to `take`, until that answers `false`. Blocks of other
/// kinds must be PEM, and are skipped.
pub(super) fn read(
    file: &mut dyn Read,
    kind: Kind,
    take: &mut dyn FnMut(&[u8]) -> Result<bool, FileProblem>,
) -> Result<(), FileProblem> {
    let mut reader =
        Reader { block: [0; BLOCK], der: [0; BLOCK], length: 0, kind: None, found: false };
    let mut line = Line::<LINE>::new();
    let mut result = Ok(true);
    let read = files::bytes(file, &mut |byte| {
        if let Some(whole) = line.take(byte) {
            result = reader.take(whole.trim_ascii_end(), kind, take);
        }
        if line.is_cut() && reader.kind.is_some() {
            result = Err(FileProblem::Pem(PemError::Base64));
        }
        result == Ok(true)
    });
    read.map_err(|_| FileProblem::Unreadable)?;
    result?;
    match (reader.kind, reader.found) {
        (Some(_), _) => Err(FileProblem::Pem(PemError::Unfinished)),
        (None, false) => Err(FileProblem::NoneFound),
        (None, true) => Ok(()),
    }
}

struct Reader {
    /// The block at hand, as text and decoded.
    block: [u8; BLOCK],
    der: [u8; BLOCK],
    length: usize,
    kind: Option<Kind>,
    /// A block of the kind wanted was there.
    found: bool,
}

impl Reader {
    fn take(
        &mut self,
        line: &[u8],
        wanted: Kind,
        take: &mut dyn FnMut(&[u8]) -> Result<bool, FileProblem>,
    ) -> Result<bool, FileProblem> {
        let Some(kind) = self.kind else {
            let label = line.strip_prefix(b"-----BEGIN ").and_then(|l| l.strip_suffix(b"-----"));
            self.kind = label.map(Kind::of);
            return if self.kind.is_some() { self.push(line) } else { Ok(()) }.map(|()| true);
        };
        self.push(line)?;
        if !line.starts_with(b"-----END ") {
            return Ok(true);
        }
        self.kind = None;
        let text = self.block.get(..core::mem::take(&mut self.length)).unwrap_or(&[]);
        match pem::decode(text, &mut self.der) {
            Ok(length) if kind == wanted => {
                self.found = true;
                take(self.der.get(..length).unwrap_or(&[]))
            }
            Ok(_) => Ok(true),
            Err(PemError::NoBlock | PemError::Encrypted | PemError::Full) if kind != wanted => {
                Ok(true)
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
        self.der.zeroize();
    }
}
