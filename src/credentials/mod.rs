//! What a login is answered with: user, password or keys, and the methods allowed. Plain data.
//!
//! `config` fills it in and `auth` uses it; neither knows the other. May use `wire` and `limits`
//! only.

#[cfg(feature = "opengauss")]
mod gauss;
mod methods;

#[cfg(feature = "opengauss")]
pub(crate) use gauss::unhex;
#[cfg(feature = "opengauss")]
pub use gauss::{GaussKeys, GaussMethod};
pub use methods::AuthMethods;

use crate::limits;

/// Reads a SCRAM key in base64. A pointer, set with the keys: a program that gives a password
/// does not hold it.
pub(crate) type KeyDecoder = fn(&str, &mut [u8; 32]) -> Option<()>;

/// Who logs in, and by what.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Credentials<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<Secret<'a>>,
    /// The password is in SASLprep's form.
    pub(crate) password_prepared: bool,
    pub(crate) scram_client_key: Option<Secret<'a>>,
    pub(crate) scram_server_key: Option<Secret<'a>>,
    // defmt's own form is not for functions of any lifetime.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub(crate) scram_key_decoder: Option<KeyDecoder>,
    /// Fewest and most iterations.
    pub(crate) scram_iterations: (u32, u32),
    #[cfg(feature = "opengauss")]
    pub(crate) gauss_keys: Option<&'a GaussKeys>,
    /// As [`gauss_keys`](Self::gauss_keys), from a connection string.
    #[cfg(feature = "opengauss")]
    pub(crate) gauss_keys_text: Option<Secret<'a>>,
    /// Fewest and most iterations.
    #[cfg(feature = "opengauss")]
    pub(crate) gauss_iterations: (u32, u32),
}

impl<'a> Credentials<'a> {
    pub(crate) const NONE: Self = Self {
        user: None,
        password: None,
        password_prepared: false,
        scram_client_key: None,
        scram_server_key: None,
        scram_key_decoder: None,
        scram_iterations: (limits::SCRAM_MIN_ITERATIONS, limits::SCRAM_MAX_ITERATIONS),
        #[cfg(feature = "opengauss")]
        gauss_keys: None,
        #[cfg(feature = "opengauss")]
        gauss_keys_text: None,
        #[cfg(feature = "opengauss")]
        gauss_iterations: (limits::GAUSS_MIN_ITERATIONS, limits::GAUSS_MAX_ITERATIONS),
    };

    /// The password; an empty one is none.
    pub(crate) fn given_password(&self) -> Option<Secret<'a>> {
        self.password.filter(|password| !password.as_str().is_empty())
    }
}

/// A secret. Shown as `<redacted>` by every formatter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    pub(crate) const fn as_str(&self) -> &'a str {
        self.0
    }

    pub(crate) const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

impl core::fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("<redacted>")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Secret<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "<redacted>");
    }
}
