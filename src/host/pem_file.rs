//! PEM files as OpenSSL reads them: blocks of every label, text around them.

use std::io::Read;

use zeroize::Zeroize as _;

#[cfg(feature = "sslpassword")]
use super::encrypted_key::{self, Dek};
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
    read_with(file, kind, None, take)
}

/// The same; encrypted keys are opened with this password. Without feature `sslpassword` there is none.
pub(super) fn read_with(
    file: &mut dyn Read,
    kind: Kind,
    password: Option<&str>,
    take: &mut dyn FnMut(&[u8]) -> Result<bool, FileProblem>,
) -> Result<(), FileProblem> {
    let mut reader = Reader {
        block: [0; BLOCK],
        der: [0; BLOCK],
        length: 0,
        kind: None,
        found: false,
        password,
        #[cfg(feature = "sslpassword")]
        seal: Seal::None,
    };
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

struct Reader<'p> {
    /// The block at hand, as text and decoded.
    block: [u8; BLOCK],
    der: [u8; BLOCK],
    length: usize,
    kind: Option<Kind>,
    /// A block of the kind wanted was there.
    found: bool,
    #[cfg_attr(not(feature = "sslpassword"), allow(dead_code))]
    password: Option<&'p str>,
    #[cfg(feature = "sslpassword")]
    seal: Seal,
}

/// How the block at hand is encrypted.
#[cfg(feature = "sslpassword")]
#[derive(Clone, Copy)]
enum Seal {
    None,
    Pkcs8,
    Unknown,
    Old(Dek),
}

impl Reader<'_> {
    fn take(
        &mut self,
        line: &[u8],
        wanted: Kind,
        take: &mut dyn FnMut(&[u8]) -> Result<bool, FileProblem>,
    ) -> Result<bool, FileProblem> {
        let Some(kind) = self.kind else {
            let label = line.strip_prefix(b"-----BEGIN ").and_then(|l| l.strip_suffix(b"-----"));
            self.kind = label.map(Kind::of);
            #[cfg(feature = "sslpassword")]
            let line = self.begin(line, label);
            return if self.kind.is_some() { self.push(line) } else { Ok(()) }.map(|()| true);
        };
        #[cfg(feature = "sslpassword")]
        if self.is_about_seal(line) {
            return Ok(true);
        }
        self.push(line)?;
        if !line.starts_with(b"-----END ") {
            return Ok(true);
        }
        self.kind = None;
        let text = self.block.get(..core::mem::take(&mut self.length)).unwrap_or(&[]);
        match pem::decode(text, &mut self.der) {
            Ok(length) if kind == wanted => {
                self.found = true;
                #[cfg(feature = "sslpassword")]
                let length = self.open(length)?;
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

    /// Remembers that a block of this label is encrypted, which its line then no longer says.
    #[cfg(feature = "sslpassword")]
    fn begin<'l>(&mut self, line: &'l [u8], label: Option<&[u8]>) -> &'l [u8] {
        self.seal = Seal::None;
        if self.password.is_none() || label != Some(b"ENCRYPTED PRIVATE KEY") {
            return line;
        }
        self.seal = Seal::Pkcs8;
        b"-----BEGIN PRIVATE KEY-----"
    }

    /// The lines before an encrypted block of the older form. Without a password they stay, and are
    /// what says that it is encrypted.
    #[cfg(feature = "sslpassword")]
    fn is_about_seal(&mut self, line: &[u8]) -> bool {
        if self.password.is_none() {
            return false;
        }
        if line.starts_with(b"Proc-Type:") {
            self.seal = Seal::Unknown;
            return true;
        }
        let info = line.strip_prefix(b"DEK-Info:");
        if let Some(dek) = info.and_then(Dek::parse) {
            self.seal = Seal::Old(dek);
        }
        info.is_some()
    }

    /// Opens what was decoded, where it is. Returns its length.
    #[cfg(feature = "sslpassword")]
    fn open(&mut self, length: usize) -> Result<usize, FileProblem> {
        let password = self.password.unwrap_or("");
        let sealed = self.der.get_mut(..length).unwrap_or(&mut []);
        match self.seal {
            Seal::None => Ok(length),
            Seal::Unknown => Err(FileProblem::Encryption),
            Seal::Old(dek) => dek.open(sealed, password),
            Seal::Pkcs8 => {
                let length = encrypted_key::pkcs8(sealed, password, &mut self.block)?;
                let opened = self.block.get(..length).unwrap_or(&[]);
                sealed.get_mut(..length).unwrap_or(&mut []).copy_from_slice(opened);
                Ok(length)
            }
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

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.block.zeroize();
        self.der.zeroize();
    }
}
