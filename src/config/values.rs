//! The values that are not free text, each with libpq's spelling.

use crate::wire::frontend::PROTOCOL_3_0;

impl SslMode {
    /// Whether a session without TLS is out of the question.
    pub(crate) const fn demands_tls(self) -> bool {
        matches!(self, Self::Require | Self::VerifyCa | Self::VerifyFull)
    }
}

/// An enum whose variants are spelt as in a connection string.
macro_rules! spelt {
    (
        $(#[$meta:meta])*
        $name:ident: $takes:literal
        $( $(#[$vmeta:meta])* $variant:ident = $text:literal, )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        // libpq gets more of them from time to time.
        #[non_exhaustive]
        pub enum $name { $( $(#[$vmeta])* $variant, )* }

        impl $name {
            pub(super) const TAKES: &'static str = $takes;

            /// The value as a connection string spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )* }
            }

            pub(super) fn parse(text: &str) -> Option<Self> {
                match text { $( $text => Some(Self::$variant), )* _ => None }
            }
        }
    };
}

spelt! {
    /// How TLS is used; libpq's `sslmode`.
    SslMode: "disable, allow, prefer, require, verify-ca or verify-full"
    /// No TLS.
    Disable = "disable",
    /// Plaintext, TLS only if the server refuses plaintext.
    Allow = "allow",
    /// TLS if the server offers it, else plaintext. The default, as in libpq: it protects from
    /// no machine on the way. Firmware should use [`VerifyFull`](Self::VerifyFull).
    #[default]
    Prefer = "prefer",
    /// TLS or nothing; the certificate is verified only if `sslrootcert` is given.
    Require = "require",
    /// TLS, and the certificate must come from `sslrootcert`.
    VerifyCa = "verify-ca",
    /// As `VerifyCa`, and the certificate must be the host's.
    VerifyFull = "verify-full",
}

spelt! {
    /// How TLS begins; libpq's `sslnegotiation`.
    SslNegotiation: "postgres or direct"
    /// The server is asked first. Works with every version.
    #[default]
    Postgres = "postgres",
    /// The TLS handshake comes first, one round trip less. PostgreSQL 17 or later.
    Direct = "direct",
}

spelt! {
    /// Whether the login is tied to the TLS session; libpq's `channel_binding`.
    ChannelBinding: "disable, prefer or require"
    /// Never.
    Disable = "disable",
    /// Where server and session allow it.
    #[default]
    Prefer = "prefer",
    /// The login fails without it.
    Require = "require",
}

spelt! {
    /// Which session is wanted where several hosts are given; libpq's `target_session_attrs`.
    TargetSessionAttrs: "any, read-write, read-only, primary, standby or prefer-standby"
    /// The first that lets us in.
    #[default]
    Any = "any",
    /// One that takes writes by default: not in hot standby, `default_transaction_read_only` off.
    ReadWrite = "read-write",
    /// One that does not take writes by default.
    ReadOnly = "read-only",
    /// One that is not in hot standby.
    Primary = "primary",
    /// One that is in hot standby.
    Standby = "standby",
    /// One that is in hot standby, or else any.
    PreferStandby = "prefer-standby",
}

spelt! {
    /// In which order hosts and their addresses are tried; libpq's `load_balance_hosts`.
    LoadBalanceHosts: "disable or random"
    /// As written.
    #[default]
    Disable = "disable",
    /// Shuffled at every connect.
    Random = "random",
}

spelt! {
    /// Which server family is expected. This driver's own parameter.
    Dialect: "auto, postgresql or opengauss"
    /// Find out: offers protocol 3.51, which openGauss speaks and PostgreSQL negotiates down.
    #[default]
    Auto = "auto",
    /// PostgreSQL, protocol 3.0.
    PostgreSql = "postgresql",
    /// openGauss, protocol 3.51.
    OpenGauss = "opengauss",
}

/// A version of PostgreSQL's protocol, for `min_protocol_version` and `max_protocol_version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProtocolVersion {
    /// 3.0, spoken by every server.
    V3_0,
    /// 3.2, PostgreSQL 18 or later; `latest` means this one.
    V3_2,
}

impl ProtocolVersion {
    pub(super) const TAKES: &'static str = "3.0, 3.2 or latest";

    /// The value as a connection string spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3_0 => "3.0",
            Self::V3_2 => "3.2",
        }
    }

    /// The version as StartupMessage carries it.
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::V3_0 => PROTOCOL_3_0,
            Self::V3_2 => 0x0003_0002,
        }
    }

    /// Its minor part.
    pub(crate) const fn minor(self) -> u8 {
        let [_, _, _, minor] = self.code().to_be_bytes();
        minor
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "3.0" => Some(Self::V3_0),
            "3.2" | "latest" => Some(Self::V3_2),
            _ => None,
        }
    }
}

/// TCP keepalive, libpq's four `keepalives` parameters. The dialler applies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Keepalives {
    /// Whether probes are sent on an idle link. Default: yes.
    pub on: bool,
    /// Seconds of silence before the first probe; 0 = the system's default.
    pub idle_s: u32,
    /// Seconds between two probes; 0 = the system's default.
    pub interval_s: u32,
    /// Probes without answer before the link is given up; 0 = the system's default.
    pub count: u32,
}

impl Keepalives {
    /// On, with the system's figures.
    pub const SYSTEM: Self = Self { on: true, idle_s: 0, interval_s: 0, count: 0 };
}
