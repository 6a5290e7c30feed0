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

/// Most bytes of roots that one server's certificates are checked against. Of all roots only those
/// count that have the name of an issuer, and few have the same.
const SELECTED: usize = 16 * 1024;

/// The files of one configuration: client certificate and key, read into `N` bytes, and the file of
/// the roots, of which as many are held as a server's certificates ask for. All are looked at anew for
/// each handshake, so renewed ones are found.
///
/// For [`Tls::load_files`](crate::tls::Tls::load_files). Wiped when dropped.
pub struct CertificateFiles<const N: usize> {
    roots: Option<File>,
    bytes: [u8; N],
    /// Where the certificates end, and the key after them.
    ends: [usize; 2],
    /// Whether libpq's default files below `~/.postgresql` count.
    defaults: bool,
    problem: Option<(&'static str, FileProblem)>,
}

impl<const N: usize> CertificateFiles<N> {
    /// Nothing read yet. Files that a configuration does not name are libpq's default ones below
    /// `~/.postgresql`, where they are there.
    pub const fn new() -> Self {
        Self { roots: None, bytes: [0; N], ends: [0; 2], defaults: true, problem: None }
    }

    /// Only files that a configuration names.
    pub const fn without_defaults() -> Self {
        Self { roots: None, bytes: [0; N], ends: [0; 2], defaults: false, problem: None }
    }

    /// Which it is, from now on, for another client.
    pub(super) fn set_defaults(&mut self, defaults: bool) {
        self.forget();
        self.defaults = defaults;
    }

    fn forget(&mut self) {
        self.bytes.zeroize();
        (self.roots, self.ends, self.problem) = (None, [0; 2], None);
    }

    fn load_all(&mut self, config: &Config<'_>, key: bool) -> Result<(), Problem> {
        self.roots = self.look_for_roots(config)?;
        let certificate = self.load_certificate(config)?;
        self.ends = [certificate; 2];
        if certificate > 0 && key {
            self.ends = [certificate, self.load_key(config, certificate)?];
            #[cfg(feature = "tls-client-cert")]
            self.check_key()?;
        }
        Ok(())
    }

    /// Whether the key is one that signs, and the certificate's.
    #[cfg(feature = "tls-client-cert")]
    fn check_key(&self) -> Result<(), Problem> {
        let of = |role| self.loaded(role).unwrap_or(&[]);
        tls::check_key(of(Role::Certificate), of(Role::Key)).map_err(|(role, problem)| Problem {
            role,
            file: "sslkey",
            problem,
        })
    }

    /// The file of the roots, which are certificates, all of them.
    fn look_for_roots(&mut self, config: &Config<'_>) -> Result<Option<File>, Problem> {
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
                None => Ok(None),
            };
        };
        let system = given == Some("system");
        pem_file::read(file, Kind::Certificate, &mut |root| {
            // Of 150 roots of a system one may be odd, and is of no use then.
            if system || tls::are_certificates(root) {
                Ok(true)
            } else {
                Err(FileProblem::Malformed)
            }
        })
        .map_err(problem)?;
        if !system {
            self.refuse_revocation_list()?;
        }
        Ok(found)
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
    fn load_certificate(&mut self, config: &Config<'_>) -> Result<usize, Problem> {
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
            return Ok(0);
        };
        let mut end = 0_usize;
        pem_file::read(&mut file, Kind::Certificate, &mut |certificate| {
            if !tls::are_certificates(certificate) {
                return Err(FileProblem::Malformed);
            }
            end = append(&mut self.bytes, end, certificate)?;
            Ok(true)
        })
        .map_err(problem)?;
        Ok(end)
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
        let length = read_key(&mut file, config.reveal_sslpassword(), room).map_err(problem)?;
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
        let [certificate, key] = self.ends;
        let range = match role {
            Role::Root => return None,
            Role::Certificate => 0..certificate,
            Role::Key => certificate..key,
        };
        self.bytes.get(range).filter(|bytes| !bytes.is_empty())
    }

    fn has_roots(&self) -> bool {
        self.roots.is_some()
    }

    fn roots(&self, wanted: &dyn Fn(&[u8]) -> bool, with: &mut dyn FnMut(&[u8])) {
        let mut selected = [0; SELECTED];
        let mut end = 0_usize;
        if let Some(mut file) = self.roots.as_ref()
            && file.rewind().is_ok()
        {
            // The file was checked before. Where it cannot be read to its end now, less is trusted.
            let _ = pem_file::read(&mut file, Kind::Certificate, &mut |root| {
                if wanted(root) {
                    end = append(&mut selected, end, root)?;
                }
                Ok(true)
            });
        }
        with(selected.get(..end).unwrap_or(&[]));
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

/// Copies `bytes` to where `end` is. Returns their end.
fn append(out: &mut [u8], end: usize, bytes: &[u8]) -> Result<usize, FileProblem> {
    let after = end.saturating_add(bytes.len());
    out.get_mut(end..after).ok_or(FileProblem::TooLarge)?.copy_from_slice(bytes);
    Ok(after)
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
fn read_key(file: &mut File, password: Option<&str>, out: &mut [u8]) -> Result<usize, FileProblem> {
    /// The tag that every DER key begins with.
    const SEQUENCE: u8 = 0x30;
    let mut first = [0; 1];
    let count = file.read(&mut first).map_err(|_| FileProblem::Unreadable)?;
    if (count, first) != (1, [SEQUENCE]) {
        file.rewind().map_err(|_| FileProblem::Unreadable)?;
        let mut end = 0_usize;
        return pem_file::read_with(file, Kind::Key, password, &mut |key| {
            end = append(out, 0, key)?;
            Ok(false)
        })
        .map(|()| end);
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

impl<const N: usize> core::fmt::Debug for CertificateFiles<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CertificateFiles").field("problem", &self.problem).finish_non_exhaustive()
    }
}
