//! Certificate and key files. Source: manual, "SSL Support", "Client Certificates" and the
//! descriptions of `sslcert`, `sslkey`, `sslrootcert`.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::Config;
use crate::tls::{Files, pem};

use super::files::{self, PathBuffer};

/// Longest PEM block, in bytes: a certificate of 12 KB.
const BLOCK: usize = 16 * 1024;

/// Longest path of a default file, in bytes.
const PATH: usize = 256;

/// Where the roots that come with the operating system are: Debian's and Fedora's places.
const SYSTEM_ROOTS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Why a certificate or key file was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileProblem {
    /// It is not there, or cannot be read.
    Unreadable,
    /// Others than its owner may read the key: `chmod 600` it.
    Permissions,
    /// It is not PEM, or the key is encrypted.
    Pem(pem::PemError),
    /// The files do not fit the memory for them.
    TooLarge,
}

impl core::fmt::Display for FileProblem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unreadable => f.write_str("could not be read"),
            Self::Permissions => f.write_str(
                "private key has group or world access; permissions should be u=rw (0600) or less",
            ),
            Self::Pem(problem) => write!(f, "is not a usable PEM file: {problem:?}"),
            Self::TooLarge => f.write_str("does not fit the memory for certificates"),
        }
    }
}

/// The certificates and the key of one configuration, read from files into `N` bytes.
pub struct CertificateFiles<const N: usize> {
    bytes: [u8; N],
    used: usize,
    /// Where `sslrootcert`, `sslcert` and `sslkey` are, each with the name it goes by.
    entries: [Entry; 3],
    problem: Option<(&'static str, FileProblem)>,
}

#[derive(Clone, Copy)]
struct Entry {
    name: [u8; PATH],
    name_length: usize,
    start: usize,
    end: usize,
}

const ROLES: [(&str, &str); 3] = [
    ("sslrootcert", ".postgresql/root.crt"),
    ("sslcert", ".postgresql/postgresql.crt"),
    ("sslkey", ".postgresql/postgresql.key"),
];

impl<const N: usize> CertificateFiles<N> {
    /// Nothing read yet.
    pub const fn new() -> Self {
        let entry = Entry { name: [0; PATH], name_length: 0, start: 0, end: 0 };
        Self { bytes: [0; N], used: 0, entries: [entry; 3], problem: None }
    }

    /// Reads the files that a configuration names, or else those of libpq's default names below
    /// `~/.postgresql` that are there. `sslrootcert=system` reads the operating system's roots:
    /// give them 256 KiB.
    ///
    /// A file that cannot be used is as good as none: TLS then fails where it needs it, and
    /// [`problem`](Self::problem) says why.
    pub fn load(&mut self, config: &Config<'_>) {
        (self.used, self.problem) = (0, None);
        let given = [config.sslrootcert, config.sslcert, config.sslkey];
        for (role, ((keyword, default), name)) in ROLES.into_iter().zip(given).enumerate() {
            let given = name.filter(|name| !name.is_empty());
            let result = match given {
                Some("system") if keyword == "sslrootcert" => {
                    let path = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists());
                    path.ok_or(FileProblem::Unreadable)
                        .and_then(|path| self.add(role, b"system", path))
                }
                Some(name) => self.add(role, name.as_bytes(), Path::new(name)),
                None => match PathBuffer::in_home(default) {
                    Some(path) if path.as_path().exists() => self.add(
                        role,
                        path.as_path().as_os_str().as_encoded_bytes(),
                        path.as_path(),
                    ),
                    _ => Ok(()),
                },
            };
            if let Err(problem) = result {
                self.problem = self.problem.or(Some((keyword, problem)));
            }
        }
    }

    /// The configuration with the default files that were found in place of names not given.
    pub fn complete<'c>(&'c self, config: &Config<'c>) -> Config<'c> {
        let mut config = *config;
        let [root, certificate, key] = &self.entries;
        config.sslrootcert = config.sslrootcert.or(root.name());
        // A certificate without its key, or the other way round, is no identity.
        if config.sslcert.is_none() && config.sslkey.is_none() {
            (config.sslcert, config.sslkey) = (certificate.name(), key.name());
        } else if config.sslkey.is_none() {
            config.sslkey = key.name();
        }
        config
    }

    /// The first file that could not be used, by its keyword, and why.
    pub const fn problem(&self) -> Option<(&'static str, FileProblem)> {
        self.problem
    }

    fn add(&mut self, role: usize, name: &[u8], path: &Path) -> Result<(), FileProblem> {
        let file = File::open(path).map_err(|_| FileProblem::Unreadable)?;
        if role == 2 {
            check_permissions(&file)?;
        }
        let start = self.used;
        let room = self.bytes.get_mut(start..).unwrap_or(&mut []);
        self.used = start.saturating_add(read(file, room)?);
        let entry = self.entries.get_mut(role).ok_or(FileProblem::TooLarge)?;
        let place = entry.name.get_mut(..name.len()).ok_or(FileProblem::TooLarge)?;
        place.copy_from_slice(name);
        (entry.name_length, entry.start, entry.end) = (name.len(), start, self.used);
        Ok(())
    }
}

impl<const N: usize> Default for CertificateFiles<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for CertificateFiles<N> {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.bytes);
    }
}

impl<const N: usize> Files for CertificateFiles<N> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        let entry = self.entries.iter().find(|entry| entry.name() == Some(name))?;
        self.bytes.get(entry.start..entry.end)
    }
}

impl Entry {
    fn name(&self) -> Option<&str> {
        let name = self.name.get(..self.name_length).filter(|name| !name.is_empty())?;
        str::from_utf8(name).ok()
    }
}

/// As libpq: a key of this user must be closed to all others; one of root may be readable to its
/// group.
fn check_permissions(file: &File) -> Result<(), FileProblem> {
    let metadata = file.metadata().map_err(|_| FileProblem::Unreadable)?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.is_file() && metadata.mode() & forbidden != 0 {
        return Err(FileProblem::Permissions);
    }
    Ok(())
}

/// Decodes every PEM block of a file, one after the other. Returns their length.
fn read(file: File, out: &mut [u8]) -> Result<usize, FileProblem> {
    let mut block = [0; BLOCK];
    let (mut length, mut used) = (0_usize, 0_usize);
    let mut result = Err(FileProblem::Pem(pem::PemError::NoBlock));
    let read = files::lines(file, &mut |line| {
        // Only text around the blocks has lines that long.
        let line = line?;
        if length == 0 && !line.starts_with(b"-----BEGIN ") {
            return None;
        }
        for byte in line.iter().chain(b"\n") {
            if let Some(place) = block.get_mut(length) {
                *place = *byte;
            }
            length = length.saturating_add(1);
        }
        if !line.starts_with(b"-----END ") {
            return None;
        }
        let text = block.get(..core::mem::take(&mut length));
        let room = out.get_mut(used..).unwrap_or(&mut []);
        result = match text.map(|text| pem::decode(text, room)) {
            Some(Ok(count)) => {
                used = used.saturating_add(count);
                Ok(used)
            }
            None | Some(Err(pem::PemError::Full)) => Err(FileProblem::TooLarge),
            // Parameters of a curve stand before a key in some files.
            Some(Err(pem::PemError::NoBlock)) => return None,
            Some(Err(problem)) => Err(FileProblem::Pem(problem)),
        };
        result.is_err().then_some(())
    });
    zeroize::Zeroize::zeroize(&mut block);
    read.map_err(|_| FileProblem::Unreadable).and(result)
}
