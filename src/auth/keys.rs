//! Login keys instead of passwords, and keys kept from one login to the next.
//!
//! Used by `startup` and by whoever provisions devices; pure.

#[cfg(feature = "opengauss")]
use super::gauss::GaussRequest;
use super::saslprep::prepared;
use super::scram::salted_password;
use super::{Tick, mac_under, wipe};
use crate::credentials::Credentials;
#[cfg(feature = "opengauss")]
use crate::credentials::GaussKeys;
use crate::error::{AuthError, ConfigError, Fault};
use crate::limits;
use crate::platform::Idle;

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
    /// Derives the keys from the password, in SASLprep's form: 2 × `iterations` SHA-256 blocks. `idle` is called
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
        let idle = Idle(idle);
        let tick = idle.pulse();
        let mut keys = SaltedKeys::NONE;
        // Hashing fails only where a tick says so, and this one does not.
        keys.derive(|key| salted_password(password, salt, iterations, &tick, key))
            .map_err(|_| AuthError::Malformed)?;
        Ok(Self::new(salt, iterations, &keys))
    }

    fn new(salt: &[u8], iterations: u32, keys: &SaltedKeys) -> Self {
        let mut room = [0; limits::SCRAM_SALT];
        for (to, from) in room.iter_mut().zip(salt) {
            *to = *from;
        }
        let (client_key, server_key) = (keys.client, keys.server);
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
        wipe(&mut self.client_key);
        wipe(&mut self.server_key);
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
/// password stay in RAM between logins. They are dropped when the server refuses them (SQLSTATE
/// class 28) or the exchange fails on this side, and stay when the login fails for another reason
/// (too many connections, a server that shuts down or starts up, a lost link). Zeroized when
/// dropped or cleared.
#[derive(Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct KeyCache(Kept);

#[derive(Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put the larger one in")]
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
        KeyStore::clear(self);
    }

    /// The keys of a SCRAM login, if the last one was.
    pub const fn scram(&self) -> Option<&ScramKeys> {
        match &self.0 {
            Kept::Scram(keys) => Some(keys),
            _ => None,
        }
    }

    /// Puts the keys kept for this salt and count into `keys`; `false` when there are none.
    pub(super) fn find(&self, salt: &[u8], iterations: u32, keys: &mut SaltedKeys) -> bool {
        match &self.0 {
            Kept::Scram(kept) if kept.iterations == iterations && kept.salt() == salt => {
                (keys.client, keys.server) = (kept.client_key, kept.server_key);
                true
            }
            _ => false,
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

/// What a client keeps keys in, or derives them with. A trait object, so that a program without a
/// [`KeyCache`] does not hold it, nor what drives [`HashHardware`](super::HashHardware).
pub(crate) trait KeyStore {
    fn cache(&self) -> &KeyCache;

    fn clear(&mut self);

    /// Puts the keys that are wanted into `keys`: those that are kept, or new ones of a device.
    /// [`NO_KEYS`] where there are none; the driver derives them then, and
    /// [`keep_scram`](Self::keep_scram) follows.
    fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        keys: &mut SaltedKeys,
        tick: Tick<'_>,
        credentials: &Credentials<'_>,
    ) -> Result<(), Fault>;

    fn keep_scram(&mut self, salt: &[u8], iterations: u32, keys: &SaltedKeys);

    #[cfg(feature = "opengauss")]
    fn keep_gauss(&mut self, keys: GaussKeys);
}

/// A store has no keys for what is wanted, and derives none.
pub(super) const NO_KEYS: Fault = Fault::FULL;

impl KeyStore for KeyCache {
    fn cache(&self) -> &KeyCache {
        self
    }

    fn clear(&mut self) {
        self.0 = Kept::Nothing;
    }

    fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        keys: &mut SaltedKeys,
        _: Tick<'_>,
        _: &Credentials<'_>,
    ) -> Result<(), Fault> {
        if self.find(salt, iterations, keys) { Ok(()) } else { Err(NO_KEYS) }
    }

    fn keep_scram(&mut self, salt: &[u8], iterations: u32, keys: &SaltedKeys) {
        self.0 = Kept::Scram(ScramKeys::new(salt, iterations, keys));
    }

    #[cfg(feature = "opengauss")]
    fn keep_gauss(&mut self, keys: GaussKeys) {
        self.0 = Kept::Gauss(keys);
    }
}

/// Derives keys with `salted`, which makes SaltedPassword of the password. The bounds of the count
/// hold here.
#[inline]
pub(super) fn derive(
    credentials: &Credentials<'_>,
    iterations: u32,
    keys: &mut SaltedKeys,
    salted: impl FnOnce(&[u8], &mut [u8; 32]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (least, most) = credentials.scram_iterations;
    if iterations < least || iterations > most {
        return Err(AuthError::Iterations.into());
    }
    let password = password(credentials)?;
    prepared(password, credentials, |password| keys.derive(|key| salted(password, key)))
}

/// Where a login finds its keys: given ones, kept ones, or the password.
pub(crate) struct Secrets<'a, 'b> {
    pub(crate) credentials: &'a Credentials<'a>,
    pub(crate) cache: Option<&'b mut (dyn KeyStore + 'static)>,
}

impl Secrets<'_, '_> {
    /// ClientKey and ServerKey for this salt and count.
    pub(crate) fn scram(
        &mut self,
        salt: &[u8],
        iterations: u32,
        tick: Tick<'_>,
        keys: &mut SaltedKeys,
    ) -> Result<(), Fault> {
        let credentials = self.credentials;
        // Either key brings the decoder.
        if let Some(decode) = credentials.scram_key_decoder {
            let decoded = credentials
                .scram_client_key
                .and_then(|key| decode(key.as_str(), &mut keys.client))
                .and(credentials.scram_server_key)
                .and_then(|key| decode(key.as_str(), &mut keys.server));
            return decoded.ok_or(ConfigError::BadKey.into());
        }
        if let Some(cache) = &mut self.cache {
            let found = cache.scram(salt, iterations, keys, tick, credentials);
            if found != Err(NO_KEYS) {
                return found;
            }
        }
        derive(credentials, iterations, keys, |password, key| {
            salted_password(password, salt, iterations, tick, key)
        })?;
        if let Some(cache) = &mut self.cache {
            cache.keep_scram(salt, iterations, keys);
        }
        Ok(())
    }

    /// The answer to openGauss's request.
    #[cfg(feature = "opengauss")]
    #[inline(never)]
    pub(crate) fn gauss(
        &mut self,
        request: &GaussRequest,
        tick: Tick<'_>,
    ) -> Result<[u8; super::gauss::ANSWER], Fault> {
        let unfit = match self.answer_with_keys(request) {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => Fault::from(error),
            None => ConfigError::NoPassword.into(),
        };
        // Keys that do not fit are no error where there is a password to derive them from.
        let password = password(self.credentials).map_err(|_| unfit)?;
        let key = request.salted(password, self.credentials.gauss_iterations, tick)?;
        self.keep_gauss(request, &key)
    }

    /// The answer by keys that are given or kept.
    #[cfg(feature = "opengauss")]
    #[inline(never)]
    fn answer_with_keys(
        &self,
        request: &GaussRequest,
    ) -> Option<Result<[u8; super::gauss::ANSWER], AuthError>> {
        let given = match (self.credentials.gauss_keys, self.credentials.gauss_keys_text) {
            (Some(keys), _) => Some(keys.answer(request)),
            (None, Some(text)) => GaussKeys::parse(text.as_str()).map(|keys| keys.answer(request)),
            (None, None) => None,
        };
        let kept = self.cache.as_ref().and_then(|cache| cache.cache().gauss());
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
            cache.keep_gauss(keys);
        }
        Ok(answer)
    }
}

/// The password, which has to be given.
pub(crate) fn password<'a>(credentials: &Credentials<'a>) -> Result<&'a [u8], Fault> {
    let password = credentials.given_password().ok_or(ConfigError::NoPassword)?;
    Ok(password.as_bytes())
}

/// ClientKey and ServerKey. An exchange turns them into the two signatures where they are.
pub(crate) struct SaltedKeys {
    pub(super) client: [u8; 32],
    pub(super) server: [u8; 32],
}

impl SaltedKeys {
    pub(crate) const NONE: Self = Self { client: [0; 32], server: [0; 32] };

    /// Makes them of SaltedPassword (RFC 5802 section 3).
    fn derive(
        &mut self,
        salted: impl FnOnce(&mut [u8; 32]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        // SaltedPassword has its place where ClientKey goes.
        salted(&mut self.client)?;
        self.server = self.client;
        mac_under(&mut self.client, &[b"Client Key"]);
        mac_under(&mut self.server, &[b"Server Key"]);
        Ok(())
    }
}

impl Drop for SaltedKeys {
    fn drop(&mut self) {
        wipe(&mut self.client);
        wipe(&mut self.server);
    }
}
