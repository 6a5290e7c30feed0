//! Authentication methods, and sets of them.

/// A set of authentication methods; libpq's `require_auth`.
///
/// Methods named are allowed even without TLS. A set read from a negated list (`!md5`) allows
/// what is allowed by default, less the methods named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AuthMethods(u8);

impl AuthMethods {
    /// The server asks for nothing (`trust`, `peer`, or a client certificate under TLS).
    pub const NONE: Self = Self(1);
    /// The password in clear. Named explicitly, it is sent even without TLS.
    pub const PASSWORD: Self = Self(2);
    /// MD5 challenge. Named explicitly, it is answered even without TLS.
    pub const MD5: Self = Self(4);
    /// SCRAM-SHA-256, which proves the server too.
    pub const SCRAM_SHA_256: Self = Self(8);
    /// openGauss's SHA256.
    pub const GAUSS_SHA256: Self = Self(16);
    /// openGauss's SM3.
    pub const GAUSS_SM3: Self = Self(32);
    /// No method at all; a start for building sets.
    pub const EMPTY: Self = Self(0);
    /// Mark of a set made by taking away: its methods were not named, so the ones that show the
    /// password to a listener stay bound to TLS.
    const UNNAMED: Self = Self(128);
    pub(crate) const ALL: Self = Self(63);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The methods of this set that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is allowed by default, less `methods`: a negated list.
    #[must_use]
    pub const fn all_but(methods: Self) -> Self {
        Self::ALL.or(Self::UNNAMED).without(methods)
    }

    /// Whether the methods of this set were named by the user, which allows them without TLS.
    pub(crate) const fn is_named(self) -> bool {
        !self.contains(Self::UNNAMED)
    }

    /// A method by name: a bit that distinguishes it from the others, and what it allows here.
    pub(crate) fn named(name: &str) -> Option<(u16, Self)> {
        Some(match name {
            "none" => (1, Self::NONE),
            "password" => (2, Self::PASSWORD),
            "md5" => (4, Self::MD5),
            "scram-sha-256" => (8, Self::SCRAM_SHA_256),
            "sha256" => (16, Self::GAUSS_SHA256),
            "sm3" => (32, Self::GAUSS_SM3),
            "gss" => (64, Self::EMPTY),
            "sspi" => (128, Self::EMPTY),
            "oauth" => (256, Self::EMPTY),
            _ => return None,
        })
    }
}

impl core::fmt::Display for AuthMethods {
    /// As a connection string spells the set.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut separator = "";
        for name in ["none", "password", "md5", "scram-sha-256", "sha256", "sm3"] {
            let Some((_, method)) = Self::named(name) else { continue };
            if self.contains(method) == self.is_named() {
                let negation = if self.is_named() { "" } else { "!" };
                write!(f, "{separator}{negation}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}
