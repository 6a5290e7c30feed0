//! Login keys instead of passwords, and keys kept from one login to the next.
//!
//! Used by `startup` and by whoever provisions devices; pure.

use zeroize::Zeroize;

#[cfg(feature = "opengauss")]
use super::gauss::{GaussKeys, GaussRequest};
use super::scram::derive;
use crate::config::Secret;
use crate::error::{AuthError, Fault};
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

/// Room for the keys of the last login, lent to a client with
/// [`Client::set_key_cache`](crate::Client::set_key_cache).
///
/// A login then costs a handful of hash blocks instead of 8,192 (SCRAM) or 40,000 (openGauss), as
/// long as the server names the same salt and iteration count. The price: keys as good as the
/// password stay in RAM between logins. Only keys that the server accepted stay. Zeroized when
/// dropped or cleared.
#[derive(Debug, Default)]
pub struct KeyCache(Kept);

#[derive(Debug, Default)]
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
    pub(crate) password: Option<Secret<'a>>,
    /// ClientKey and ServerKey.
    pub(crate) scram: Option<([u8; 32], [u8; 32])>,
    #[cfg(feature = "opengauss")]
    pub(crate) gauss: Option<GaussKeys>,
    pub(crate) cache: Option<&'b mut KeyCache>,
}

impl Secrets<'_, '_> {
    /// ClientKey and ServerKey for this salt and count; `bounds` hold where they are derived.
    pub(crate) fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        bounds: (u32, u32),
        tick: super::Tick<'_>,
    ) -> Result<([u8; 32], [u8; 32]), Fault> {
        if let Some(keys) = self.scram {
            return Ok(keys);
        }
        if let Some(keys) = self.cache.as_ref().and_then(|cache| cache.scram())
            && keys.iterations == iterations
            && keys.salt() == salt
        {
            return Ok((keys.client_key, keys.server_key));
        }
        if iterations < bounds.0 || iterations > bounds.1 {
            return Err(Fault::Auth(AuthError::Iterations));
        }
        let (client, server) = derive(self.password()?, salt, iterations, tick)?;
        if let Some(cache) = &mut self.cache {
            cache.0 = Kept::Scram(ScramKeys::new(salt, iterations, client, server));
        }
        Ok((client, server))
    }

    /// The answer to openGauss's request.
    #[cfg(feature = "opengauss")]
    pub(crate) fn gauss(
        &mut self,
        request: &GaussRequest,
        bounds: (u32, u32),
        tick: super::Tick<'_>,
    ) -> Result<[u8; super::gauss::ANSWER], Fault> {
        let kept = self.cache.as_ref().and_then(|cache| cache.gauss());
        let given = self.gauss.as_ref().map(|keys| keys.answer(request));
        // Kept keys that do not fit are no error: they are derived again.
        match given.or_else(|| kept.map(|keys| keys.answer(request))) {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) if self.gauss.is_some() && self.password.is_none() => {
                return Err(Fault::Auth(error));
            }
            _ => {}
        }
        let keys = request.derive(self.password()?, bounds, tick)?;
        let answer = keys.answer(request).map_err(Fault::Auth)?;
        if let Some(cache) = &mut self.cache {
            cache.0 = Kept::Gauss(keys);
        }
        Ok(answer)
    }

    /// The password; an empty one is none.
    pub(crate) fn password(&self) -> Result<&[u8], Fault> {
        let password = self.password.as_ref().map(|password| password.as_bytes());
        let none = Fault::Config(crate::error::ConfigError::NoPassword);
        password.filter(|password| !password.is_empty()).ok_or(none)
    }
}
