//! What errors print.

use core::fmt::{Debug, Display, Formatter, Result};

use super::{
    AuthError, Buffer, ConfigError, DialError, Error, ErrorKind, Outcome, ProtocolError, UsageError,
};
#[cfg(feature = "tls")]
use super::{CertificateError, TlsError};
use crate::wire::digits;

/// `what; outcome, connection usable` or `dead`.
impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Display::fmt(&self.kind(), f)?;
        f.write_str("; ")?;
        Display::fmt(&self.outcome(), f)?;
        f.write_str(if self.is_usable() { ", connection usable" } else { ", connection dead" })
    }
}

/// A number without what core brings to print one, a kilobyte: signs, widths, paddings.
fn number(f: &mut Formatter<'_>, before: &str, number: u32) -> Result {
    let mut room = [0; digits::DECIMAL];
    f.write_str(before)?;
    f.write_str(core::str::from_utf8(digits::decimal(number, &mut room)).unwrap_or_default())
}

/// What a transport reports. Once: in line its names would be in tables twice.
#[inline(never)]
fn io(kind: embedded_io::ErrorKind, f: &mut Formatter<'_>) -> Result {
    Debug::fmt(&kind, f)
}

impl Display for ErrorKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let (what, detail): (&str, &dyn Display) = match self {
            Self::Config(error) => ("configuration: ", error),
            Self::Auth(error) => ("login: ", error),
            Self::Server(state) => ("server error ", state),
            Self::EarlierStatement(state) => {
                ("a statement whose rows were dropped failed: server error ", state)
            }
            Self::Protocol(error) => ("protocol: ", error),
            Self::Dial(error) => ("no link: ", error),
            Self::NoSuitableHost => {
                return f.write_str("no host has the session that was asked for");
            }
            Self::Transport(kind) => {
                f.write_str("transport: ")?;
                return io(*kind, f);
            }
            Self::Closed => return f.write_str("the peer closed the link"),
            Self::HungUp => return f.write_str("the peer closed the link without a message"),
            Self::TimedOut => return f.write_str("the deadline passed"),
            Self::ClockStopped => return f.write_str("the platform's clock stands still"),
            Self::Broken => return f.write_str("the connection died in an earlier call"),
            Self::Capacity { buffer, have, needed } => {
                Display::fmt(buffer, f)?;
                number(f, " has ", *have)?;
                return number(f, " bytes, needs ", *needed);
            }
            Self::Column { column, reason, wanted, found } => {
                number(f, "column ", (*column).into())?;
                f.write_str(": ")?;
                Display::fmt(reason, f)?;
                number(f, " (wanted type ", *wanted)?;
                number(f, ", found ", *found)?;
                return f.write_str(")");
            }
            Self::Value(error) => ("value: ", error),
            Self::Encode(error) => ("cannot be sent: ", error),
            #[cfg(feature = "tls")]
            Self::Tls(error) => ("TLS: ", error),
            Self::Usage(error) => ("", error),
            #[cfg(feature = "outbox")]
            Self::Outbox(error) => ("outbox: ", error),
        };
        f.write_str(what)?;
        Display::fmt(detail, f)
    }
}

/// One text a value.
macro_rules! texts {
    ($($type:ty { $($(#[$cfg:meta])? $variant:ident $text:literal)* })*) => {$(
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                f.write_str(match self {
                    $($(#[$cfg])? Self::$variant => $text,)*
                })
            }
        }
    )*};
}

texts! {
    Outcome {
        NotSent "not sent"
        Refused "refused"
        Unknown "outcome unknown"
        Local "only reading failed"
    }
    Buffer {
        Rx "the receive buffer"
        Tx "the send buffer"
        Config "the scratch buffer"
        TlsRecord "the TLS record buffer"
        Outbox "the buffer of the outbox"
    }
    ConfigError {
        NoUser "no user"
        NoPassword "the server asks for a password and there is none"
        TlsUnavailable "sslmode asks for TLS, and this client has none"
        NoRootCertificate "no root certificate to verify the server with"
        RootCertificate "sslrootcert is not one or more certificates"
        NoHost "verify-full needs a host name"
        ClientCertificate "sslcert or sslkey is missing or unusable"
        #[cfg(feature = "tls-client-cert")]
        ClientKey "sslkey is of a kind that this build does not sign with, or is encrypted"
        WeakSslMode "sslmode is too weak for sslnegotiation=direct or sslrootcert=system"
        BufferTooSmall "a buffer is below its minimum"
        Nul "a parameter holds a NUL byte"
        BadKey "a SCRAM key is not 32 bytes in base64, or alone"
        #[cfg(feature = "std")]
        RevocationList "a list of revoked certificates is given, and none are checked"
        PasswordForm "the password may not be in SASLprep's form"
        Hosts "the lists of hosts, addresses and ports do not match"
        ConnectionString "the connection string cannot be read"
    }
    AuthError {
        MethodNotAllowed "the method asked for is not allowed"
        UnknownMethod "the method asked for is unknown"
        NoEntropy "no entropy for the nonce"
        Iterations "the iteration count is out of bounds"
        ServerSignature "the server does not know the password"
        Nonce "the server's nonce does not begin with ours"
        Malformed "a message of the exchange is malformed"
        Dialect "the server is of another family than the configuration says"
        GaussMd5Sha256 "openGauss asks for MD5 of a password stored as SHA256"
        StaleKeys "the keys were derived with another salt or iteration count"
        ChannelBinding "the login cannot be bound to TLS"
        Rejected "the server ended the exchange with an error"
        HashHardware "the board's hash hardware gave no hash, or a wrong one"
    }
    ProtocolError {
        UnexpectedMessage "a message that is not legal now"
        BadLength "a message of illegal length"
        Malformed "a malformed message"
        Unsolicited "an answer that nothing asked for"
        BadTlsAnswer "the answer to the TLS request is neither yes nor no"
        BadVersion "a protocol version that was not offered"
        Encoding "client_encoding is not UTF8 any more"
        NotPostgres "the peer is not a PostgreSQL server"
        UnsolicitedTransaction "a transaction that nothing here has begun"
    }
    UsageError {
        StaleStatement "the prepared statement belongs to another session"
        ParameterCount "wrong number of parameters"
        ParameterType "wrong type of a parameter"
        NoRows "no rows"
        TooManyRows "more than one row"
        Copy "the statement is a COPY for another verb"
        NotCopy "the statement is no COPY"
        CopyFormat "rows need a binary COPY"
        PipelineFull "the pipeline is full, or was sent"
        InTransaction "a transaction is open already"
        RolledBack "the transaction was rolled back"
        NotInTransaction "the transaction has ended already"
        NoColumn "no such column"
        ColumnCount "the row has more columns"
        PartlyRead "the column was read in part"
    }
}

impl Display for DialError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::NoMoreAddresses => f.write_str("no more addresses"),
            Self::UnknownHost => f.write_str("the name has no address"),
            Self::NotAnAddress => f.write_str("hostaddr is no address"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed(kind) => io(*kind, f),
            Self::PasswordTooLong => f.write_str("the password found is too long"),
        }
    }
}

#[cfg(feature = "tls")]
impl Display for TlsError {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::NotOffered => "not offered by the server",
            Self::NotTls => "the peer does not speak TLS",
            Self::NoTls13 => "the server offers no TLS 1.3",
            Self::Alert(description) => return number(f, "alert ", (*description).into()),
            Self::Certificate(error) => {
                f.write_str("server certificate: ")?;
                return Display::fmt(error, f);
            }
            Self::Unauthenticated => "the server did not prove who it is",
            Self::Handshake => "a handshake message is not legal",
            Self::Record => "a record is not legal",
            Self::NoGroup => "the server does not take a key of P-256",
            Self::NoAlpn => "the server does not select the protocol postgresql (ALPN)",
            Self::ClientCertificate => "the client certificate was refused, or one is missing",
            Self::ClientKey => "the client's key cannot be used",
        })
    }
}

#[cfg(feature = "tls")]
texts! {
    CertificateError {
        Malformed "malformed"
        Missing "missing"
        UnknownIssuer "unknown issuer"
        BadSignature "bad signature"
        BadKey "bad key"
        UnsupportedAlgorithm "unsupported algorithm"
        Expired "expired"
        NotYetValid "not valid yet"
        ClockNotSet "the clock is not set"
        NotCa "the issuer is no authority"
        KeyUsage "keyUsage"
        ExtendedKeyUsage "extKeyUsage without serverAuth"
        PathLength "path length"
        NameConstraints "name constraints"
        CriticalExtension "an unknown critical extension"
        HostName "of another host"
        TooMuchWork "too many certificates"
    }
}

macro_rules! errors {
    ($($type:ty)*) => {$(
        impl core::error::Error for $type {}
    )*};
}

errors!(ConfigError AuthError ProtocolError UsageError DialError);
#[cfg(feature = "tls")]
errors!(TlsError CertificateError);
