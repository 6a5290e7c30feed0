//! Login keys instead of passwords, and keys kept from one login to the next.
//!
//! Used by `startup` and by whoever provisions devices; pure.

use zeroize::Zeroize;

use super::Tick;
#[cfg(feature = "opengauss")]
use super::gauss::{GaussKeys, GaussRequest};
use super::scram::derive;
use crate::config::{Config, Secret, scram_key};
use crate::error::{AuthError, ConfigError, Fault};
use crate::limits;

/// What a SCRAM login needs instead of the password: `ClientKey` and `ServerKey` for the salt and
/// iteration count that the server stores with the role. Source: RFC 5802 section 3.
///
/// In base64 they are libpq 18's `scram_client_key` and `scram_server_key`. `ClientKey` is as
/// good as the password at servers that store the same salt, so keep it as safe; unlike the
/// password it opens nothing else. Zeroized when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    salt: [u8; limits::SCRAM_SALT],
    salt_length: usize,
    iterations: u32,
    client_key: [u8; 32],
    server_key: [u8; 32],
}

impl ScramKeys {
    /// Derives the keys from the password: 2 × `iterations` SHA-256 blocks. `idle` is called
    /// every [`limits::HASH_SLICE`] iterations.
    ///
    /// # Errors
    /// [`AuthError::Malformed`] when the salt is empty or longer than [`limits::SCRAM_SALT`],
    /// [`AuthError::Iterations`] for a count of 0.
    pub fn derive(
        password: &[u8],
        salt: &[u8],
        iterations: u32,
        idle: &dyn Fn(),
    ) -> Result<Self, AuthError> {
        if salt.is_empty() || salt.len() > limits::SCRAM_SALT {
            return Err(AuthError::Malformed);
        }
        if iterations == 0 {
            return Err(AuthError::Iterations);
        }
        let tick = || {
            idle();
            Ok(())
        };
        // Hashing fails only where a tick says so, and this one does not.
        let (client_key, server_key) =
            derive(password, salt, iterations, &tick).map_err(|_| AuthError::Malformed)?;
        Ok(Self::new(salt, iterations, client_key, server_key))
    }

    fn new(salt: &[u8], iterations: u32, client_key: [u8; 32], server_key: [u8; 32]) -> Self {
        let mut room = [0; limits::SCRAM_SALT];
        for (to, from) in room.iter_mut().zip(salt) {
            *to = *from;
        }
        Self { salt: room, salt_length: salt.len(), iterations, client_key, server_key }
    }

    /// The salt of the stored password.
    pub fn salt(&self) -> &[u8] {
        self.salt.get(..self.salt_length).unwrap_or(&[])
    }

    /// The iteration count of the stored password.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// `ClientKey`. Secret.
    pub const fn client_key(&self) -> &[u8; 32] {
        &self.client_key
    }

    /// `ServerKey`. Whoever has it can pose as the server.
    pub const fn server_key(&self) -> &[u8; 32] {
        &self.server_key
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.client_key.zeroize();
        self.server_key.zeroize();
    }
}

impl core::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ScramKeys(<redacted>)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for ScramKeys {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "ScramKeys(<redacted>)");
    }
}

/// Room for the keys of the last login, lent to a client with
/// [`Client::set_key_cache`](crate::Client::set_key_cache).
///
/// A login then costs a handful of hash blocks instead of 8,192 (SCRAM) or 40,000 (openGauss), as
/// long as the server names the same salt and iteration count. The price: keys as good as the
/// password stay in RAM between logins. Only keys that the server accepted stay. Zeroized when
/// dropped or cleared.
#[derive(Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyCache(Kept);

#[derive(Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Kept {
    #[default]
    Nothing,
    Scram(ScramKeys),
    #[cfg(feature = "opengauss")]
    Gauss(GaussKeys),
}

impl KeyCache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self(Kept::Nothing)
    }

    /// Forgets the keys. To be called when the password changes.
    pub fn clear(&mut self) {
        self.0 = Kept::Nothing;
    }

    /// The keys of a SCRAM login, if the last one was.
    pub const fn scram(&self) -> Option<&ScramKeys> {
        match &self.0 {
            Kept::Scram(keys) => Some(keys),
            _ => None,
        }
    }

    /// The keys of a login at openGauss, if the last one was.
    #[cfg(feature = "opengauss")]
    pub const fn gauss(&self) -> Option<&GaussKeys> {
        match &self.0 {
            Kept::Gauss(keys) => Some(keys),
            _ => None,
        }
    }
}

/// Where a login finds its keys: given ones, kept ones, or the password.
pub(crate) struct Secrets<'a, 'b> {
    pub(crate) config: &'a Config<'a>,
    pub(crate) cache: Option<&'b mut KeyCache>,
}

impl<'a> Secrets<'a, '_> {
    /// ClientKey and ServerKey for this salt and count. The bounds of the count hold where keys
    /// are derived.
    #[inline(never)]
    pub(crate) fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        tick: Tick<'_>,
    ) -> Result<([u8; 32], [u8; 32]), Fault> {
        if let (Some(client), Some(server)) =
            (self.config.scram_client_key, self.config.scram_server_key)
        {
            return Ok((binary_key(client)?, binary_key(server)?));
        }
        if let Some(keys) = self.cache.as_ref().and_then(|cache| cache.scram())
            && keys.iterations == iterations
            && keys.salt() == salt
        {
            return Ok((keys.client_key, keys.server_key));
        }
        let (least, most) = self.config.scram_iterations;
        if iterations < least || iterations > most {
            return Err(Fault::from(AuthError::Iterations));
        }
        let keys = derive(self.password()?, salt, iterations, tick)?;
        self.keep_scram(salt, iterations, &keys);
        Ok(keys)
    }

    // Out of line, as other functions of the login are: what it needs on the stack is not there
    // while the hashing loop calls the board's `idle`.
    #[inline(never)]
    fn keep_scram(&mut self, salt: &[u8], iterations: u32, keys: &([u8; 32], [u8; 32])) {
        if let Some(cache) = &mut self.cache {
            cache.0 = Kept::Scram(ScramKeys::new(salt, iterations, keys.0, keys.1));
        }
    }

    /// The answer to openGauss's request.
    #[cfg(feature = "opengauss")]
    #[inline(never)]
    pub(crate) fn gauss(
        &mut self,
        request: &GaussRequest,
        tick: Tick<'_>,
    ) -> Result<[u8; super::gauss::ANSWER], Fault> {
        match self.answer_with_keys(request) {
            Some(Ok(answer)) => return Ok(answer),
            // Keys that do not fit are no error where there is a password to derive them from.
            Some(Err(error)) if self.config.password.is_none() => return Err(error.into()),
            _ => {}
        }
        let key = request.salted(self.password()?, self.config.gauss_iterations, tick)?;
        self.keep_gauss(request, &key)
    }

    /// The answer by keys that are given or kept.
    #[cfg(feature = "opengauss")]
    #[inline(never)]
    fn answer_with_keys(
        &self,
        request: &GaussRequest,
    ) -> Option<Result<[u8; super::gauss::ANSWER], AuthError>> {
        let given = match (self.config.gauss_keys, self.config.gauss_keys_text) {
            (Some(keys), _) => Some(keys.answer(request)),
            (None, Some(text)) => GaussKeys::parse(text.as_str()).map(|keys| keys.answer(request)),
            (None, None) => None,
        };
        let kept = self.cache.as_ref().and_then(|cache| cache.gauss());
        match (given, kept.map(|keys| keys.answer(request))) {
            (_, Some(Ok(answer))) => Some(Ok(answer)),
            (given, _) => given,
        }
    }

    #[cfg(feature = "opengauss")]
    #[inline(never)]
    fn keep_gauss(
        &mut self,
        request: &GaussRequest,
        key: &[u8; 32],
    ) -> Result<[u8; super::gauss::ANSWER], Fault> {
        let keys = request.keys(key);
        let answer = keys.answer(request)?;
        if let Some(cache) = &mut self.cache {
            cache.0 = Kept::Gauss(keys);
        }
        Ok(answer)
    }

    /// The password; an empty one is none.
    pub(crate) fn password(&self) -> Result<&'a [u8], Fault> {
        let password = self.config.password.map(|password| password.as_bytes());
        password.filter(|password| !password.is_empty()).ok_or(ConfigError::NoPassword.into())
    }
}

fn binary_key(text: Secret<'_>) -> Result<[u8; 32], Fault> {
    scram_key(text.as_str()).ok_or(Fault::from(ConfigError::BadKey))
}
