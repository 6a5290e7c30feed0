//! Which authentication methods are answered: libpq's `require_auth`.

use super::error::ParseReason;
use super::hosts::List;

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

    /// Reads libpq's list: methods separated by commas, all of them or none with `!` in front.
    /// `sha256` and `sm3` are openGauss's.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, ParseReason> {
        if text.is_empty() {
            return Ok(None);
        }
        let negated = text.starts_with('!');
        let mut methods = Self::EMPTY;
        let mut seen = 0_u16;
        for item in List(Some(text)) {
            let name = match (item.strip_prefix('!'), negated) {
                (Some(name), true) => name,
                (None, false) => item,
                _ => {
                    return Err(ParseReason::InvalidValue("methods all with \"!\" or all without"));
                }
            };
            let (bit, method) = Self::named(name).ok_or(ParseReason::InvalidValue(
                "none, password, md5, scram-sha-256, sha256, sm3 (gss, sspi, oauth)",
            ))?;
            if seen & bit != 0 {
                return Err(ParseReason::InvalidValue("each method once"));
            }
            seen |= bit;
            methods = methods.or(method);
        }
        if negated {
            Ok(Some(Self::all_but(methods)))
        } else if methods == Self::EMPTY {
            Err(ParseReason::NotServed("of gss, sspi and oauth this driver does none"))
        } else {
            Ok(Some(methods))
        }
    }

    /// A method by name: a bit that tells it from the others, and what it allows here.
    fn named(name: &str) -> Option<(u16, Self)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_libpqs() {
        let scram = AuthMethods::SCRAM_SHA_256;
        assert_eq!(AuthMethods::parse(""), Ok(None));
        assert_eq!(AuthMethods::parse("scram-sha-256"), Ok(Some(scram)));
        assert_eq!(AuthMethods::parse("gss,md5"), Ok(Some(AuthMethods::MD5)));
        assert!(matches!(AuthMethods::parse("gss,oauth"), Err(ParseReason::NotServed(_))));
        for text in ["md5,!none", "!md5,none", "md5,md5", "!md5,!md5", "md5,", ",", "MD5", " md5"] {
            assert!(AuthMethods::parse(text).is_err(), "{text}");
        }
        let set = AuthMethods::parse("!none,!md5").unwrap().unwrap();
        assert!(set.contains(scram) && set.contains(AuthMethods::PASSWORD) && !set.is_named());
        assert!(!set.contains(AuthMethods::NONE) && !set.contains(AuthMethods::MD5));
        assert!(AuthMethods::parse("!gss").unwrap().unwrap().contains(AuthMethods::NONE));
        assert!(AuthMethods::MD5.is_named());
        assert_eq!(std::format!("{set}"), "!none,!md5");
        assert_eq!(std::format!("{}", scram.or(AuthMethods::MD5)), "md5,scram-sha-256");
    }
}
