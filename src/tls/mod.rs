//! TLS 1.3: `sslmode`, the server's certificate, the client's.
//!
//! Feature `tls`. A [`Client`](crate::Client) gets a [`Tls`] with
//! [`with_tls`](crate::Client::with_tls); everything else is in the configuration, in libpq's
//! words: `sslmode`, `sslrootcert`, `sslcert`, `sslkey`, `sslnegotiation`, `sslsni`,
//! `channel_binding`.
//!
//! ```
//! use barepg::tls::{Tls, TlsStorage};
//! use barepg::{Client, Config, NoEntropy, Platform, SslMode, Storage};
//! # struct Board;
//! # impl Platform for Board {
//! #     fn now_ms(&self) -> u64 { 0 }
//! #     fn entropy(&self, _: &mut [u8]) -> Result<(), NoEntropy> { Err(NoEntropy) }
//! # }
//! // Firmware writes `barepg::pem!("../certs/root.crt")` in place of the bytes.
//! static FILES: [(&str, &[u8]); 1] = [("root.crt", &[0x30, 0x00])];
//! static CONFIG: Config = Config::new()
//!     .user("logger")
//!     .host("db.example.test")
//!     .sslmode(SslMode::VerifyFull)
//!     .sslrootcert("root.crt");
//!
//! let mut storage = Storage::<512, 512>::new();
//! let mut records = TlsStorage::<4113, 768>::new();
//! let mut client = Client::new(storage.buffers(), &CONFIG, &Board)
//!     .with_tls(Tls::new(&mut records).files(&FILES));
//! # let _ = &mut client;
//! ```
//!
//! What is enforced: a server proves that it holds its certificate's key before this side sends
//! anything beyond ClientHello, in every mode, `require` and `prefer` included. There is no
//! second try without TLS after an error. With `sslrootcert` every mode verifies the chain, and
//! `verify-full` the host too. The client certificate goes only to a server that has proved
//! itself.
//!
//! `files` is where roots, certificate and key come from.
//!
//! Each uses only those before it; the first seven rows turn bytes into decisions, the others are the session:
//!
//! | file | what |
//! |---|---|
//! | `der`, `time`, `x509` | a certificate |
//! | `work` | what may be computed on a peer's word |
//! | `dn`, `name` | names, whether two are the same, and whose certificate it is |
//! | `modular`, `rsa`, `ecdsa`, `signature` | checks of signatures |
//! | `chain` | whether certificates lead to a trusted one |
//! | `key`, `bundle`, `proof` | the client's key, certificates and CertificateVerify |
//! | `message`, `offer`, `pem` | handshake messages as the record layer sees them, what ClientHello offers, PEM |
//! | `drbg`, `rsa_key`, `p256_key`, `p384_key`, `ed25519_key` | signing with the client's key |
//! | `transcript`, `cipher` | the hash and the cipher that the record layer is given |
//! | `shared`, `guard`, `verifier`, `identity` | what they tell each other; records, the server's proof, the client's |
//! | `stream` | the session as a transport |
//! | `policy` | `sslmode` |

#[cfg(feature = "tls-client-cert")]
mod bundle;
mod chain;
mod cipher;
mod der;
mod dn;
mod drbg;
mod ecdsa;
#[cfg(feature = "tls-client-ed25519")]
mod ed25519_key;
mod files;
#[cfg(feature = "_fuzzing")]
mod fuzzing;
mod guard;
#[cfg(feature = "tls-client-cert")]
mod identity;
#[cfg(any(feature = "tls-client-cert", feature = "_fuzzing"))]
mod key;
mod message;
mod modular;
mod name;
mod offer;
#[cfg(feature = "tls-client-cert")]
mod p256_key;
#[cfg(feature = "tls-client-p384")]
mod p384_key;
pub mod pem;
mod policy;
#[cfg(feature = "tls-client-rsa")]
mod proof;
mod rsa;
#[cfg(feature = "tls-client-rsa")]
mod rsa_key;
mod shared;
mod signature;
mod stream;
mod time;
mod transcript;
mod verifier;
mod work;
mod x509;

#[cfg(test)]
mod tests;

pub use crate::error::{CertificateError, TlsError};
#[cfg(feature = "std")]
pub use files::{FileProblem, LoadFiles};
pub use files::{Files, Role};
#[cfg(feature = "_fuzzing")]
pub use fuzzing::fuzz;

pub(crate) use files::Source;
pub(crate) use policy::plan;
pub(crate) use stream::TlsStream;
pub(crate) use verifier::EndPoint;

#[cfg(feature = "std")]
use crate::config::Config;
#[cfg(all(feature = "std", feature = "tls-client-cert"))]
use crate::error::ConfigError;
#[cfg(feature = "std")]
use crate::error::Fault;
use crate::transport::Transport;
use crate::{Platform, limits};
use shared::Shared;

/// What a client needs for TLS beside its configuration.
pub struct Tls<'b> {
    pub(crate) records: Records<'b>,
    pub(crate) settings: Settings<'b>,
}

/// What a link borrows.
pub(crate) struct Records<'b> {
    rx: &'b mut [u8],
    tx: &'b mut [u8],
    shared: Shared,
}

/// What the caller decided.
pub(crate) struct Settings<'b> {
    files: Source<'b>,
    validity: Validity,
    #[cfg(feature = "tls-client-cert")]
    signer: Option<&'b dyn Signer>,
}

impl Settings<'_> {
    /// Reads the files anew, where they are files.
    #[cfg(feature = "std")]
    pub(crate) fn load(&mut self, config: &Config<'_>) -> Result<(), Fault> {
        #[cfg(feature = "tls-client-cert")]
        let key = self.signer.is_none();
        #[cfg(not(feature = "tls-client-cert"))]
        let key = true;
        self.files.load(config, key)
    }

    /// The first file that could not be used, by its keyword, and why.
    #[cfg(feature = "std")]
    pub(crate) fn problem(&self) -> Option<(&'static str, FileProblem)> {
        self.files.problem()
    }
}

/// Whether `bytes` is one or more certificates, one after the other.
#[cfg(feature = "std")]
pub(crate) fn are_certificates(bytes: &[u8]) -> bool {
    chain::check_anchors(bytes).is_ok()
}

/// Whether `bytes` is a private key of any kind.
#[cfg(feature = "sslpassword")]
pub(crate) fn is_key(bytes: &[u8]) -> bool {
    !matches!(key::Key::parse(bytes), Err(CertificateError::Malformed))
}

/// Whether `key` signs, and for the first of these certificates.
#[cfg(all(feature = "std", feature = "tls-client-cert"))]
pub(crate) fn check_key(certificates: &[u8], key: &[u8]) -> Result<(), (ConfigError, FileProblem)> {
    let unusable = |problem| (ConfigError::ClientCertificate, problem);
    let key = identity::ClientKey::from_der(key).map_err(|error| match error {
        CertificateError::UnsupportedAlgorithm => (ConfigError::ClientKey, FileProblem::KeyKind),
        _ => unusable(FileProblem::Malformed),
    })?;
    match chain::first(certificates) {
        Ok(own) if key.belongs_to(own) => Ok(()),
        _ => Err(unusable(FileProblem::OtherKey)),
    }
}

impl Records<'_> {
    /// A stream on which TLS is about to begin.
    #[inline(always)]
    pub(crate) fn stream<'c, T: Transport>(
        &'c mut self,
        transport: T,
        platform: &'c dyn Platform,
    ) -> TlsStream<'c, T> {
        TlsStream::new(transport, self.rx, self.tx, &self.shared, platform)
    }
}

impl<'b> Tls<'b> {
    /// TLS with these record buffers, without files, dates checked by the platform's clock.
    pub fn new<const RX: usize, const TX: usize>(storage: &'b mut TlsStorage<RX, TX>) -> Self {
        Self {
            records: Records { rx: &mut storage.rx, tx: &mut storage.tx, shared: Shared::new() },
            settings: Settings {
                files: Source::NONE,
                validity: Validity::Clock,
                #[cfg(feature = "tls-client-cert")]
                signer: None,
            },
        }
    }

    /// Where the names in `sslrootcert`, `sslcert` and `sslkey` are looked up. Default: nowhere.
    #[must_use]
    pub const fn files(mut self, files: &'b dyn Files) -> Self {
        self.settings.files = Source::Table(files);
        self
    }

    /// Files that are read anew for each handshake, in place of a table.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn load_files(mut self, files: &'b mut (dyn LoadFiles + 'static)) -> Self {
        self.settings.files = Source::Loaded(files);
        self
    }

    /// How certificates' dates are checked. Default: [`Validity::Clock`].
    #[must_use]
    pub const fn validity(mut self, validity: Validity) -> Self {
        self.settings.validity = validity;
        self
    }

    /// Signs for the client certificate in place of `sslkey`: a secure element, say.
    #[cfg(feature = "tls-client-cert")]
    #[must_use]
    pub const fn signer(mut self, signer: &'b dyn Signer) -> Self {
        self.settings.signer = Some(signer);
        self
    }
}

/// How the dates in certificates are checked. Only dates: everything else is always checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Validity {
    /// By [`Platform::unix_time`]. While the clock is not set,
    /// nothing is verified and nothing is sent:
    /// [`CertificateError::ClockNotSet`]. The default.
    #[default]
    Clock,
    /// By the clock; while it is not set, certificates must not have expired before this second
    /// since 1970 (the firmware's build, say). For devices that learn the time late: an expired
    /// certificate may pass until then.
    ClockOrAfter(u64),
    /// Not at all, even if there is a clock. Expired certificates pass for ever.
    DangerNoDates,
}

/// Signs with the key of the client certificate, which is P-256 then. For secure elements.
#[cfg(feature = "tls-client-cert")]
pub trait Signer {
    /// ECDSA over a SHA-256 digest: `r` and `s`, 32 bytes each, big-endian.
    ///
    /// # Errors
    /// [`SignFailed`]; the connection then fails with [`TlsError::ClientKey`].
    fn sign(&self, digest: &[u8; 32]) -> Result<[u8; 64], SignFailed>;
}

/// The secure element did not sign.
#[cfg(feature = "tls-client-cert")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignFailed;

/// Record buffers, to sit in a `static` or on a stack.
///
/// The server is asked (`max_fragment_length`, RFC 6066) to keep its records to the largest of
/// 512, 1024, 2048 and 4096 bytes that fits `RX` with 17 bytes to spare; from 16,640 bytes on it is
/// not asked. Its certificates must fit one record: 512 is enough for one P-256 certificate, 1024
/// for one of RSA 2048 or two of P-256, 2048 for two of RSA 2048, 4096 for three of RSA 4096.
/// `TX` limits what goes out in one record (`TX` - 133 bytes) and must hold the client certificate
/// with 50 bytes to spare. The server keeps us to the same records, so it has 133 bytes more than they have at the most:
/// with 529 bytes of `RX` 645, less than its default.
pub struct TlsStorage<const RX: usize = { limits::TLS_RX }, const TX: usize = { limits::TLS_TX }> {
    rx: [u8; RX],
    tx: [u8; TX],
}

impl<const RX: usize, const TX: usize> TlsStorage<RX, TX> {
    /// Zeroed memory.
    pub const fn new() -> Self {
        const {
            assert!(RX >= limits::MIN_TLS_RX, "RX is below limits::MIN_TLS_RX");
            assert!(TX >= limits::MIN_TLS_TX, "TX is below limits::MIN_TLS_TX");
            // A server that keeps to a fragment length expects the same of us.
            let most = policy::fragment_limit(RX) + 133;
            assert!(TX <= most, "TX is more than the records of RX (RX - 17) and 133 bytes");
        }
        Self { rx: [0; RX], tx: [0; TX] }
    }
}

impl<const RX: usize, const TX: usize> Default for TlsStorage<RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Tls<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tls({} + {})", self.records.rx.len(), self.records.tx.len())
    }
}

impl<const RX: usize, const TX: usize> core::fmt::Debug for TlsStorage<RX, TX> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "TlsStorage({RX} + {TX})")
    }
}
