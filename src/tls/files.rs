//! Where roots, client certificate and key come from: a table in flash, or on a host files that are
//! read anew for each handshake.

#[cfg(feature = "std")]
use super::pem::PemError;
use crate::config::Config;
use crate::error::{ConfigError, Fault};

/// Where certificates and keys are found by name. A table of pairs is one:
/// `static FILES: [(&str, &[u8]); 1] = [("root.crt", barepg::pem!("../certs/root.crt"))];`
pub trait Files {
    /// The DER bytes called `name`; for `sslrootcert`, certificates one after the other.
    fn get(&self, name: &str) -> Option<&[u8]>;
}

impl<const N: usize> Files for [(&str, &[u8]); N] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(key, _)| *key == name).map(|(_, bytes)| *bytes)
    }
}

static NO_FILES: [(&str, &[u8]); 0] = [];

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `sslrootcert`.
    Root,
    /// `sslcert`.
    Certificate,
    /// `sslkey`.
    Key,
}

impl Role {
    /// The name that a configuration gives. An empty one is none.
    fn name<'c>(self, config: &Config<'c>) -> Option<&'c str> {
        let name = match self {
            Self::Root => config.sslrootcert,
            Self::Certificate => config.sslcert,
            Self::Key => config.sslkey,
        };
        name.filter(|name| !name.is_empty())
    }

    const fn missing(self) -> ConfigError {
        match self {
            Self::Root => ConfigError::NoRootCertificate,
            Self::Certificate | Self::Key => ConfigError::ClientCertificate,
        }
    }
}

/// Files that are read when TLS is about to begin. `host::CertificateFiles` is one.
#[cfg(feature = "std")]
pub trait LoadFiles {
    /// Reads the files of a configuration, named or default. What was read before is forgotten.
    /// `key`: a client certificate needs one, for nothing else signs.
    ///
    /// # Errors
    /// A file that is there cannot be used, or one that must be there is not. Nothing is loaded then.
    fn load(&mut self, config: &Config<'_>, key: bool) -> Result<(), ConfigError>;

    /// Whether there are roots to verify with.
    fn has_roots(&self) -> bool;

    /// Calls `with` with those of the roots, in DER and concatenated, that `wanted` says yes to.
    fn roots(&self, wanted: &dyn Fn(&[u8]) -> bool, with: &mut dyn FnMut(&[u8]));

    /// What else was read, in DER. `None` where no file is named and none is in its default place.
    fn loaded(&self, role: Role) -> Option<&[u8]>;

    /// The first file that could not be used when they were last read, by its keyword, and why.
    fn problem(&self) -> Option<(&'static str, FileProblem)>;
}

/// The files of a client.
pub(crate) enum Source<'b> {
    Table(&'b dyn Files),
    #[cfg(feature = "std")]
    Loaded(&'b mut (dyn LoadFiles + 'static)),
}

impl Source<'_> {
    pub(super) const NONE: Self = Self::Table(&NO_FILES);

    /// To be called before each handshake.
    #[cfg(feature = "std")]
    pub(super) fn load(&mut self, config: &Config<'_>, key: bool) -> Result<(), Fault> {
        match self {
            Self::Table(_) => Ok(()),
            Self::Loaded(files) => Ok(files.load(config, key)?),
        }
    }

    /// The bytes of a role; `None` where the configuration asks for none. The one place that
    /// decides whether a file is given, and whether it is there.
    pub(super) fn get(&self, role: Role, config: &Config<'_>) -> Result<Option<&[u8]>, Fault> {
        match self {
            Self::Table(files) => match role.name(config) {
                Some(name) => files.get(name).map(Some).ok_or(Fault::from(role.missing())),
                None => Ok(None),
            },
            #[cfg(feature = "std")]
            Self::Loaded(files) => Ok(files.loaded(role)),
        }
    }

    /// Roots of which those that a server's certificates ask for are selected.
    #[cfg(feature = "std")]
    pub(super) fn roots(&self) -> Option<&dyn LoadFiles> {
        match self {
            Self::Loaded(files) if files.has_roots() => Some(&**files),
            _ => None,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn problem(&self) -> Option<(&'static str, FileProblem)> {
        match self {
            Self::Table(_) => None,
            Self::Loaded(files) => files.problem(),
        }
    }
}

/// Why a certificate or key file was not used.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileProblem {
    /// It is not there.
    Missing,
    /// It cannot be read, or whether it is there cannot be seen.
    Unreadable,
    /// It is a directory, a FIFO or a device.
    NotAFile,
    /// Others than its owner may read the key: `chmod 600` it.
    Permissions,
    /// It is not PEM.
    Pem(PemError),
    /// There is nothing in it of what it is for.
    NoneFound,
    /// A certificate in it is malformed.
    Malformed,
    /// The key is of a kind that this build does not sign with, or encrypted in DER.
    KeyKind,
    /// The key is not that of the certificate in `sslcert`.
    OtherKey,
    /// The key is encrypted, and `sslpassword` does not open it.
    Password,
    /// The key is encrypted in a way that is not known: it is by PBES2 with PBKDF2, or by AES in the older
    /// PEM form of OpenSSL.
    Encryption,
    /// The files do not fit the memory for them.
    TooLarge,
    /// A list of revoked certificates is there, and this driver does not check any.
    RevocationList,
    /// `sslkey` names an engine (it holds a colon), and there are none.
    Engine,
}

#[cfg(feature = "std")]
impl core::error::Error for FileProblem {}

#[cfg(feature = "std")]
impl core::fmt::Display for FileProblem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Missing => "is not there",
            Self::Unreadable => "could not be read",
            Self::NotAFile => "is not a plain file",
            Self::Permissions => {
                "private key has group or world access; permissions should be u=rw (0600) or less, \
                 or u=rw,g=r (0640) or less if owned by root"
            }
            Self::Pem(PemError::Encrypted) => "is encrypted",
            Self::Pem(PemError::Unfinished) => "has a PEM block without an end",
            Self::Pem(PemError::Base64) => "has a PEM block that is not base64",
            Self::Pem(_) => "is not PEM",
            Self::NoneFound => "has no certificate or key of the kind it is for",
            Self::Malformed => "has a malformed certificate or key",
            Self::KeyKind => "is a key of a kind that this build does not sign with, or encrypted",
            Self::OtherKey => "is not the key of the certificate in sslcert",
            Self::Password => "is encrypted, and sslpassword does not open it",
            Self::Encryption => "is encrypted in a way that is not known",
            Self::TooLarge => "does not fit the memory for certificates",
            Self::RevocationList => {
                "is there, and lists of revoked certificates are not checked: remove it to go without"
            }
            Self::Engine => "names an engine, and there are none: a file has no colon in its name",
        })
    }
}
