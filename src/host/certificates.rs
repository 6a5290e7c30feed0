//! Certificate and key files. Source: manual, "SSL Support", "Client Certificates" and the
//! descriptions of `sslcert`, `sslkey`, `sslrootcert`.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroize as _;

use crate::config::{Config, SslMode};
use crate::error::ConfigError;
use crate::tls::{self, FileProblem, LoadFiles, Role};

use super::files::{self, Found, PathBuffer};
use super::pem_file::{self, Kind};

/// Where the roots that come with the operating system are: Debian's and Fedora's places.
const SYSTEM_ROOTS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The certificates and the key of one configuration, read from files into `N` bytes. They are read
/// anew for each handshake, so renewed ones are found.
///
/// For [`Tls::load_files`](crate::tls::Tls::load_files). Wiped when dropped.
pub struct CertificateFiles<const N: usize> {
    bytes: [u8; N],
    /// Where each role's bytes end; each begins where the one before it ends.
    ends: [usize; 3],
    /// Whether libpq's default files below `~/.postgresql` count.
    defaults: bool,
    problem: Option<(&'static str, FileProblem)>,
}

impl<const N: usize> CertificateFiles<N> {
    /// Nothing read yet. Files that a configuration does not name are libpq's default ones below
    /// `~/.postgresql`, where they are there.
    pub const fn new() -> Self {
        Self { bytes: [0; N], ends: [0; 3], defaults: true, problem: None }
    }

    /// Only files that a configuration names.
    pub const fn without_defaults() -> Self {
        Self { bytes: [0; N], ends: [0; 3], defaults: false, problem: None }
    }

    /// Which it is, from now on.
    pub(super) fn set_defaults(&mut self, defaults: bool) {
        self.defaults = defaults;
    }

    fn forget(&mut self) {
        self.bytes.zeroize();
        (self.ends, self.problem) = ([0; 3], None);
    }

    fn load_all(&mut self, config: &Config<'_>, key: bool) -> Result<(), Problem> {
        let roots = self.load_roots(config)?;
        self.ends = [roots; 3];
        let certificate = self.load_certificate(config, roots)?;
        self.ends = [roots, certificate, certificate];
        if certificate > roots && key {
            self.ends = [roots, certificate, self.load_key(config, certificate)?];
        }
        Ok(())
    }

    /// Returns where the roots end.
    fn load_roots(&mut self, config: &Config<'_>) -> Result<usize, Problem> {
        let problem =
            |problem| Problem { role: ConfigError::RootCertificate, file: "sslrootcert", problem };
        let given = given(config.sslrootcert);
        let mut found = match given {
            Some("system") => system_roots(),
            Some(name) => files::look(Path::new(name)),
            None => self.look_in_home(".postgresql/root.crt"),
        }
        .into_file()
        .map_err(problem)?;
        let Some(file) = &mut found else {
            if matches!(config.sslmode, SslMode::VerifyCa | SslMode::VerifyFull) {
                self.problem = Some(("sslrootcert", FileProblem::Missing));
            }
            // One that is named must be there.
            return match given {
                Some(_) => Err(Problem {
                    role: ConfigError::NoRootCertificate,
                    ..problem(FileProblem::Missing)
                }),
                None => Ok(0),
            };
        };
        let end = pem_file::read(file, Kind::Certificate, usize::MAX, &mut self.bytes)
            .map_err(problem)?;
        if !tls::are_certificates(self.bytes.get(..end).unwrap_or(&[])) {
            return Err(problem(FileProblem::Malformed));
        }
        if given != Some("system") {
            self.refuse_revocation_list()?;
        }
        Ok(end)
    }

    /// libpq checks against this file once it has roots of its own.
    fn refuse_revocation_list(&self) -> Result<(), Problem> {
        match self.look_in_home(".postgresql/root.crl") {
            Found::Nothing => Ok(()),
            _ => Err(Problem {
                role: ConfigError::RevocationList,
                file: "sslcrl",
                problem: FileProblem::RevocationList,
            }),
        }
    }

    /// Returns where the certificates end. As in libpq it is no error where there are none: the
    /// server decides.
    fn load_certificate(&mut self, config: &Config<'_>, start: usize) -> Result<usize, Problem> {
        let problem =
            |problem| Problem { role: ConfigError::ClientCertificate, file: "sslcert", problem };
        let given = given(config.sslcert);
        let found = match given {
            Some(name) => files::look(Path::new(name)),
            None => self.look_in_home(".postgresql/postgresql.crt"),
        };
        let Some(mut file) = found.into_file().map_err(problem)? else {
            if given.is_some() {
                self.problem = self.problem.or(Some(("sslcert", FileProblem::Missing)));
            }
            return Ok(start);
        };
        let room = self.bytes.get_mut(start..).unwrap_or(&mut []);
        let length =
            pem_file::read(&mut file, Kind::Certificate, usize::MAX, room).map_err(problem)?;
        if !room.get(..length).is_some_and(tls::are_certificates) {
            return Err(problem(FileProblem::Malformed));
        }
        Ok(start.saturating_add(length))
    }

    /// Returns where the key ends. There must be one.
    fn load_key(&mut self, config: &Config<'_>, start: usize) -> Result<usize, Problem> {
        let problem =
            |problem| Problem { role: ConfigError::ClientCertificate, file: "sslkey", problem };
        let found = match given(config.sslkey) {
            // What libpq takes for an engine and its key must not become a file here.
            Some(name) if name.contains(':') => return Err(problem(FileProblem::Engine)),
            Some(name) => files::look(Path::new(name)),
            None => self.look_in_home(".postgresql/postgresql.key"),
        };
        let file = found.into_file().map_err(problem)?;
        let mut file = file.ok_or(problem(FileProblem::Missing))?;
        check_permissions(&file).map_err(problem)?;
        let room = self.bytes.get_mut(start..).unwrap_or(&mut []);
        let length = read_key(&mut file, room).map_err(problem)?;
        Ok(start.saturating_add(length))
    }

    fn look_in_home(&self, name: &str) -> Found {
        match PathBuffer::in_home(name).filter(|_| self.defaults) {
            Some(path) => files::look(path.as_path()),
            None => Found::Nothing,
        }
    }
}

impl<const N: usize> LoadFiles for CertificateFiles<N> {
    fn load(&mut self, config: &Config<'_>, key: bool) -> Result<(), ConfigError> {
        self.forget();
        self.load_all(config, key).map_err(|Problem { role, file, problem }| {
            self.forget();
            self.problem = Some((file, problem));
            role
        })
    }

    fn loaded(&self, role: Role) -> Option<&[u8]> {
        let [roots, certificate, key] = self.ends;
        let range = match role {
            Role::Root => 0..roots,
            Role::Certificate => roots..certificate,
            Role::Key => certificate..key,
        };
        self.bytes.get(range).filter(|bytes| !bytes.is_empty())
    }

    fn problem(&self) -> Option<(&'static str, FileProblem)> {
        self.problem
    }
}

impl<const N: usize> Default for CertificateFiles<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for CertificateFiles<N> {
    fn drop(&mut self) {
        self.forget();
    }
}

/// What the user sees, of which file, and why.
struct Problem {
    role: ConfigError,
    file: &'static str,
    problem: FileProblem,
}

impl Found {
    /// The file; `None` where there is none.
    fn into_file(self) -> Result<Option<File>, FileProblem> {
        match self {
            Self::Nothing => Ok(None),
            Self::File(file) => Ok(Some(file)),
            Self::Other => Err(FileProblem::NotAFile),
            Self::Closed => Err(FileProblem::Unreadable),
        }
    }
}

/// An empty name is none.
fn given(name: Option<&str>) -> Option<&str> {
    name.filter(|name| !name.is_empty())
}

/// `SSL_CERT_FILE` comes first, as for OpenSSL.
fn system_roots() -> Found {
    match std::env::var_os("SSL_CERT_FILE") {
        Some(name) => files::look(Path::new(&name)),
        None => {
            let mut places = SYSTEM_ROOTS.iter().map(|place| files::look(Path::new(place)));
            places.find(|found| !matches!(found, Found::Nothing)).unwrap_or(Found::Nothing)
        }
    }
}

/// As libpq: a key of this user must be closed to all others; one of root may be readable to its
/// group.
fn check_permissions(file: &File) -> Result<(), FileProblem> {
    let metadata = file.metadata().map_err(|_| FileProblem::Unreadable)?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(FileProblem::Permissions);
    }
    Ok(())
}

/// The first key of a PEM file, or a file that is DER as it is. Returns its length.
fn read_key(file: &mut File, out: &mut [u8]) -> Result<usize, FileProblem> {
    /// The tag that every DER key begins with.
    const SEQUENCE: u8 = 0x30;
    let mut first = [0; 1];
    let count = file.read(&mut first).map_err(|_| FileProblem::Unreadable)?;
    if (count, first) != (1, [SEQUENCE]) {
        file.rewind().map_err(|_| FileProblem::Unreadable)?;
        return pem_file::read(file, Kind::Key, 1, out);
    }
    let (start, rest) = out.split_first_mut().ok_or(FileProblem::TooLarge)?;
    *start = SEQUENCE;
    let mut length = 0_usize;
    files::bytes(file, &mut |byte| {
        let Some(byte) = byte else { return false };
        let place = rest.get_mut(length);
        length = length.saturating_add(1);
        place.map(|place| *place = byte).is_some()
    })
    .map_err(|_| FileProblem::Unreadable)?;
    if length > rest.len() { Err(FileProblem::TooLarge) } else { Ok(length.saturating_add(1)) }
}
