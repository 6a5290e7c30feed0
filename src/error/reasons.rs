//! The reasons of an [`ErrorKind`](super::ErrorKind), each an enum of its own.

use embedded_io::ErrorKind;

/// What is wrong with the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConfigError {
    /// No `user`.
    NoUser,
    /// The server asks for a password and there is none.
    NoPassword,
    /// `sslmode` asks for TLS, and this build or this client cannot do it.
    TlsUnavailable,
    /// There is nothing to verify the server with: `sslmode` is `verify-ca` or `verify-full` and
    /// there is no `sslrootcert`, or the one named is not among the files.
    NoRootCertificate,
    /// `sslrootcert` names something that is not one or more certificates in DER.
    RootCertificate,
    /// `sslmode=verify-full` without a `host` to verify.
    NoHost,
    /// `sslcert` or `sslkey` names something that is not there or cannot be used: the
    /// certificate must be DER, the key PKCS#8, SEC1 or PKCS#1 in DER and the certificate's, and the
    /// build must have feature `tls-client-cert`. On a host
    /// `HostClient::certificate_problem` says which and why.
    ClientCertificate,
    /// `sslkey` is a key of a kind that this build does not sign with, or is encrypted. P-256 is
    /// served always, RSA of 2048 to 4096 bits with feature `tls-client-rsa`, P-384 with
    /// `tls-client-p384`, Ed25519 with `tls-client-ed25519`; others (P-521, Ed448, RSA for PSS alone) are not.
    /// Make one with
    /// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`, or decrypt it with
    /// `openssl pkey`; a host opens it with `sslpassword`, in PEM.
    #[cfg(feature = "tls-client-cert")]
    ClientKey,
    /// `sslmode` is too weak: `sslnegotiation=direct` needs `require` or stronger, `sslrootcert=system` on a
    /// host `verify-full`, for its authorities certify everyone.
    WeakSslMode,
    /// The receive or send buffer is below [`limits::MIN_RX`](crate::limits::MIN_RX) or
    /// [`limits::MIN_TX`](crate::limits::MIN_TX).
    BufferTooSmall,
    /// A parameter holds a NUL byte.
    Nul,
    /// `scram_client_key` or `scram_server_key` is not 32 bytes in base64, or is given without the other.
    BadKey,
    /// The lists of `host`, `hostaddr` and `port` do not match, or a port is no port.
    Hosts,
    /// A list of revoked certificates is given (libpq's `~/.postgresql/root.crl` is there), and this
    /// driver checks none: remove it to go without, or let something else check.
    #[cfg(feature = "std")]
    RevocationList,
    /// SCRAM hashes a password in SASLprep's form (RFC 4013), and whether this one is in that form
    /// cannot be told: it has characters beyond ASCII and the letters of Latin-1. Give it in that
    /// form with `password_prepared`, or build with feature `saslprep` on a host.
    PasswordForm,
    /// The connection string cannot be read. `ParseError`, of which `?` made this, says why.
    ConnectionString,
}

/// Why the login was refused on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AuthError {
    /// The server asks for a method that the policy (`require_auth`) does not allow. Where there is none, a
    /// password in clear and MD5 are answered over verified TLS only: have the server store SCRAM-SHA-256, or
    /// use TLS.
    MethodNotAllowed,
    /// The server asks for a method this driver does not know.
    UnknownMethod,
    /// The platform has no entropy for the nonce.
    NoEntropy,
    /// The iteration count is below the minimum or above the maximum: see
    /// [`Config::scram_iterations`](crate::Config::scram_iterations), and `gauss_iterations` for openGauss.
    Iterations,
    /// The server could not prove that it knows the password: do not trust it.
    ServerSignature,
    /// The server's nonce does not begin with ours.
    Nonce,
    /// A message of the exchange is malformed, or came when it should not.
    Malformed,
    /// The server is not of the family that `dialect` names, or behaved as a PostgreSQL first and
    /// as an openGauss then. Nothing was sent but what came before.
    Dialect,
    /// openGauss asks for MD5_SHA256, which no client can answer: a line of `pg_hba.conf` says
    /// `md5` for a user whose password is stored as SHA256. Change the line to `sha256`.
    GaussMd5Sha256,
    /// The keys in the configuration were derived with another salt or iteration count than the
    /// server has: the password was set again. Nothing was sent. Derive the keys again.
    StaleKeys,
    /// The login cannot be tied to TLS. With `channel_binding=require`: there is no TLS, the server
    /// does not offer it or asks for another method, or its certificate has no hash for it in this
    /// build. With `prefer`: the server offers it, its certificate has no hash, and it is not known
    /// to be the host's (`sslmode` below `verify-full`). With any: the server offers it over a link without TLS,
    /// so that something between must have removed it; or it offers nothing else, and `channel_binding=disable`. No
    /// password or proof of it was sent.
    ChannelBinding,
    /// The server ended the SCRAM exchange with an error (`e=…`).
    Rejected,
    /// The board's hash hardware ([`HashHardware`](crate::HashHardware)) gave no hash, or another
    /// than the driver's own. Nothing made of the password was sent. Try again, or lend a
    /// [`KeyCache`](crate::KeyCache) instead, and the driver hashes.
    HashHardware,
}

/// How the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProtocolError {
    /// A message type that is not legal now.
    UnexpectedMessage,
    /// A length outside what the message type allows. Of the first answer to a login: a server that could start no
    /// process for it, out of processes or memory, says so in the words of protocol 2, which have no length. That passes.
    BadLength,
    /// The content of a message is malformed.
    Malformed,
    /// An answer arrived that nothing asked for.
    Unsolicited,
    /// The answer to the TLS request is neither yes nor no: an error, mostly that the server could start no process. Its
    /// text is not authenticated, so it is not shown.
    BadTlsAnswer,
    /// The server negotiated a protocol version that was not offered.
    BadVersion,
    /// The server changed `client_encoding` away from UTF8.
    Encoding,
    /// The peer is not a PostgreSQL server of protocol 3.
    NotPostgres,
    /// The session is in a transaction that no statement from here has begun: what was acknowledged is
    /// not committed. Pgpool-II in its mode `raw` opens one with the first statement in each of its
    /// processes. The connection is dead, the outcome unknown: connect again.
    UnsolicitedTransaction,
}

/// A call that does not fit the moment, the statement or its result. The connection stays as usable as it
/// was; nothing was sent where a variant does not say otherwise, and [`Error::outcome`](crate::Error::outcome)
/// says it in any case. Most of these are faults of the program: the same call fails again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UsageError {
    /// The statement or portal belongs to another session, of this client or of another: make it
    /// again after each login.
    StaleStatement,
    /// The number of parameters is not what the statement has; in a COPY, of values and columns. Of SQL text only the
    /// server knows the number: of too few values it says 08P01, which looks like the row's fault
    /// ([`Remedy::SetAside`](crate::Remedy::SetAside)), and those beyond the last parameter it ignores. So it is with
    /// the values of a [`StaticStatement`](crate::StaticStatement) that are more than its types.
    ParameterCount,
    /// A parameter's type is not the one that was given for it. (Where the server inferred the type it is no
    /// error: that execution goes as text.)
    ParameterType,
    /// No rows where one was asked for. The statement was run.
    NoRows,
    /// More than one row where one was asked for. The statement runs on; the next verb discards the
    /// rows, and says if it fails.
    TooManyRows,
    /// The statement, which was sent, is a COPY, and the verb is not the one for it:
    /// [`copy_in`](crate::Connection::copy_in) is for one from here, [`copy_out`](crate::Connection::copy_out)
    /// for one to here. One from here was made to fail, and with it what came before in the same text or
    /// pipeline, unless that was committed; in a pipeline and in `execute_many` that ends the connection.
    /// Of one to here the next verb discards the rows.
    Copy,
    /// The statement of `copy_in` or `copy_out` is no COPY, and was run.
    NotCopy,
    /// Rows of a COPY need `with (format binary)`, and binary values: no text for the server to parse.
    CopyFormat,
    /// The pipeline has as many statements as it can, or its results were asked for.
    PipelineFull,
    /// A transaction is open already: a part of it is a [`Savepoint`](crate::Savepoint).
    InTransaction,
    /// COMMIT was sent, and answered with ROLLBACK: the transaction had failed before. Nothing of it
    /// stays. With [`Outcome::Unknown`](crate::Outcome::Unknown) other statements came with the COMMIT.
    RolledBack,
    /// The transaction of this guard has ended already, by the text of a statement (`commit`,
    /// `rollback`): nothing was sent. With [`Outcome::Refused`](crate::Outcome::Refused) it was
    /// rolled back, else it may have been committed.
    NotInTransaction,
    /// The row, which stays as it is, has no such column: fewer than the type it should become, or none of
    /// this name. Also where the receive buffer had no room for the names.
    NoColumn,
    /// The row, which stays as it is, has more columns than the type it should become.
    ColumnCount,
    /// Bytes of this [`StreamedColumn`](crate::StreamedColumn) were read before: the rest is no value. It can
    /// be read on as bytes, or left for the next column.
    PartlyRead,
}

/// Why a link could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DialError {
    /// `target.address` is not below the number of the host's addresses.
    NoMoreAddresses,
    /// The name has no address, or no name server could be asked.
    UnknownHost,
    /// Nothing came of it in time.
    TimedOut,
    /// The link was refused or failed: an `embedded_io::ErrorKind`, as that of a transport.
    Failed(ErrorKind),
    /// `hostaddr` is not a numeric address. It is not looked up: a name belongs in `host`.
    NotAnAddress,
    /// The password found has more bytes than the dialler can keep.
    PasswordTooLong,
}
