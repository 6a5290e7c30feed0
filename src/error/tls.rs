//! What can be wrong with TLS, each with what to do next.

/// Why there is no TLS, or no longer. The connection is dead, and after an error there is never
/// a second try without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TlsError {
    /// The server has TLS switched off, and `sslmode` demands it. Nothing was sent.
    NotOffered,
    /// What answers does not speak TLS. With `sslnegotiation=direct`, a server older than
    /// PostgreSQL 17 does that too.
    NotTls,
    /// The server offers no TLS 1.3 (PostgreSQL 12 and openGauss do with OpenSSL 1.1.1 or newer).
    NoTls13,
    /// The server ended the handshake, or the session after it, with this alert (RFC 8446
    /// section 6.2): 40 means that it has nothing in common with TLS_AES_128_GCM_SHA256, P-256 and the
    /// signatures that this build checks (its key is of P-384 or Ed25519, which features `tls-p384` and
    /// `tls-ed25519` add, of P-521, Ed448, or for RSASSA-PSS alone), 120 that it refuses the protocol
    /// `postgresql` (ALPN).
    Alert(u8),
    /// The server's certificate is not to be trusted, for this reason.
    Certificate(CertificateError),
    /// The server did not prove that it holds its certificate's key. Nothing but ClientHello was
    /// sent.
    Unauthenticated,
    /// A handshake message is malformed, split although it would fit a record, larger than any
    /// record, or came when it should not. One that only needs larger record buffers is
    /// [`ErrorKind::Capacity`](crate::ErrorKind::Capacity).
    Handshake,
    /// A record is malformed, not authentic, or came when it should not.
    Record,
    /// The server asks for a key exchange over another group than P-256, the only one there is:
    /// `ssl_groups` (`ssl_ecdh_curve` before PostgreSQL 18) must name `prime256v1`.
    NoGroup,
    /// The server selects another protocol than `postgresql` (ALPN): it is no PostgreSQL. Or it selects none
    /// with `sslnegotiation=direct`: it is none of version 17 or later. Nothing was sent.
    NoAlpn,
    /// The server closed TLS right after the handshake: it refuses the client certificate, or
    /// wants one and there is none.
    ClientCertificate,
    /// The client's key cannot be read, or the [`Signer`](crate::tls::Signer) failed.
    ClientKey,
}

impl TlsError {
    /// From an alert's description (RFC 8446 section 6).
    pub(crate) const fn from_alert(description: u8) -> Self {
        match description {
            70 => Self::NoTls13, // protocol_version
            other => Self::Alert(other),
        }
    }
}

/// Why the server's certificate was refused. The connection is dead and no secret was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CertificateError {
    /// A certificate is not well-formed X.509, or is longer than 65,535 bytes.
    Malformed,
    /// There is none: the server sent no certificate, or the trusted roots are empty.
    Missing,
    /// No trusted certificate signed it: `sslrootcert` is another authority's, or the server
    /// does not send its intermediate certificates.
    UnknownIssuer,
    /// The signature does not fit the issuer's key: another authority with the same name, or a
    /// forgery.
    BadSignature,
    /// A public key is not a valid one.
    BadKey,
    /// A key or signature algorithm that this build does not have. Features `tls-sha512`,
    /// `tls-p384` and `tls-ed25519` add some; RSA below 2048 bits, SHA-1 and MD5 are never
    /// accepted, nor are keys for RSASSA-PSS alone (`openssl genpkey -algorithm RSA-PSS`).
    UnsupportedAlgorithm,
    /// A certificate of the chain has expired: renew it, or look at this machine's clock.
    Expired,
    /// A certificate of the chain is not valid yet: look at this machine's clock.
    NotYetValid,
    /// The clock is not set and the policy asks for one: set it, or choose another
    /// `Validity` policy in full knowledge.
    ClockNotSet,
    /// A certificate that is not an authority's signed another.
    NotCa,
    /// keyUsage forbids what the certificate is used for.
    KeyUsage,
    /// extKeyUsage is there without serverAuth.
    ExtendedKeyUsage,
    /// The chain is longer than an authority in it allows.
    PathLength,
    /// A name is outside what an authority in the chain may certify.
    NameConstraints,
    /// There is a critical extension that this driver does not know.
    CriticalExtension,
    /// The certificate is valid, but for another host.
    HostName,
    /// More intermediates or signature checks than
    /// [`TLS_CHAIN_DEPTH`](crate::limits::TLS_CHAIN_DEPTH) and
    /// [`TLS_SIGNATURE_CHECKS`](crate::limits::TLS_SIGNATURE_CHECKS) allow.
    TooMuchWork,
}
