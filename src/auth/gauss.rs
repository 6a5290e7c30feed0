//! openGauss's password methods: SHA256 (code 10), SM3 (code 13), and MD5_SHA256 (code 11), which
//! is recognised and refused.
//!
//! Used by the login; pure. Source: openGauss-server `src/gausskernel/cbb/utils/gssapi` and
//! `src/common/interfaces/libpq/fe-auth.cpp`, as seen on the wire of openGauss 7.0.0-RC2.
//!
//! ```text
//! K         = PBKDF2(HMAC-SHA-1, password, salt, iterations, 32 bytes)
//! ClientKey = HMAC-SHA-256(K, "Client Key")
//! StoredKey = SHA-256(ClientKey), or SM3(ClientKey) in code 13
//! proof     = ClientKey xor HMAC-SHA-256(StoredKey, token)
//! ```
//! There is no proof of the server in this exchange: only TLS tells who it is. Everything the
//! server sends is therefore checked before a single byte is hashed.

use zeroize::{Zeroize, Zeroizing};

use super::gauss_pbkdf2::pbkdf2;
use super::scram::decimal;
use super::{HmacKey, Sha256, Tick};
use crate::config::AuthMethods;
use crate::error::{AuthError, ErrorKind, Fault};
use crate::wire::Reader;

/// Code of the SHA256 request; PostgreSQL's SASL list has the same one.
pub(crate) const CODE_SHA256: u32 = 10;
/// Code of the MD5_SHA256 request; PostgreSQL's SASLContinue has the same one.
pub(crate) const CODE_MD5_SHA256: u32 = 11;
/// Code of the SM3 request.
pub(crate) const CODE_SM3: u32 = 13;

/// Length of the answer: 32 bytes in hexadecimal.
pub(crate) const ANSWER: usize = 64;

/// Lengths of the body in protocol 3.50 and 3.0, which do not tell the iteration count. 3.0 is
/// offered to a server that is said to be PostgreSQL, and to no other.
const OLD_LAYOUTS: [usize; 2] = [76, 140];

/// Which of openGauss's password methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum GaussMethod {
    /// `sha256` in `pg_hba.conf`, the default of `password_encryption_type` (2).
    Sha256,
    /// `sm3` in `pg_hba.conf`, `password_encryption_type` 3.
    Sm3,
}

/// What a login at openGauss needs instead of the password: derived from it once, with the salt
/// and the iteration count that the server stores with the user.
///
/// With keys, a login costs five hash blocks instead of 40,000. They serve as long as the user's
/// password is not set again, which draws a new salt; the login then fails with
/// [`AuthError::StaleKeys`] before anything is sent. `ClientKey` is as good as the password at
/// this server (and at no other): keep it as safe. Zeroized when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct GaussKeys {
    method: GaussMethod,
    iterations: u32,
    salt: [u8; 32],
    client_key: [u8; 32],
    stored_key: [u8; 32],
}

impl GaussKeys {
    /// Keys computed elsewhere. `salt` and `iterations` are those of the user's stored password.
    pub const fn new(
        method: GaussMethod,
        salt: [u8; 32],
        iterations: u32,
        client_key: [u8; 32],
        stored_key: [u8; 32],
    ) -> Self {
        Self { method, iterations, salt, client_key, stored_key }
    }

    /// Reads keys as a connection string has them (`gauss_keys`): method, iteration count, salt,
    /// `ClientKey` and `StoredKey`, in lowercase hexadecimal, colons between:
    /// `sha256:10000:0a1b…:2c3d…:4e5f…`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.as_bytes().split(|byte| *byte == b':');
        let method = match fields.next()? {
            b"sha256" => GaussMethod::Sha256,
            b"sm3" => GaussMethod::Sm3,
            _ => return None,
        };
        let iterations = decimal(fields.next()?).ok()?;
        let mut key = || unhex::<32>(fields.next().filter(|key| key.len() == 64)?);
        let (salt, client_key, stored_key) = (key()?, key()?, key()?);
        let keys = Self { method, iterations, salt, client_key, stored_key };
        fields.next().is_none().then_some(keys)
    }

    /// Derives the keys from the password: 4 × `iterations` SHA-1 blocks, about 56 million
    /// instructions on a Cortex-M3 for openGauss's 10,000. `idle` is called every
    /// [`limits::HASH_SLICE`](crate::limits::HASH_SLICE) iterations.
    ///
    /// # Errors
    /// [`AuthError::Iterations`] for a count of 0, [`AuthError::UnknownMethod`] for
    /// [`GaussMethod::Sm3`] without feature `sm3`.
    pub fn derive(
        method: GaussMethod,
        password: &[u8],
        salt: [u8; 32],
        iterations: u32,
        idle: &dyn Fn(),
    ) -> Result<Self, AuthError> {
        let request = GaussRequest { method, iterations, salt, token: [0; 4] };
        let tick = || {
            idle();
            Ok(())
        };
        let key =
            request.salted(password, (1, u32::MAX), &tick).map_err(|fault| match fault.kind() {
                ErrorKind::Auth(error) => error,
                _ => AuthError::UnknownMethod,
            })?;
        Ok(request.keys(&key))
    }

    /// The method these keys answer.
    pub const fn method(&self) -> GaussMethod {
        self.method
    }

    /// The salt of the stored password.
    pub const fn salt(&self) -> &[u8; 32] {
        &self.salt
    }

    /// The iteration count of the stored password.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// `ClientKey`. Secret.
    pub const fn client_key(&self) -> &[u8; 32] {
        &self.client_key
    }

    /// `StoredKey`; the server has it too.
    pub const fn stored_key(&self) -> &[u8; 32] {
        &self.stored_key
    }

    /// The answer to `request`, in lowercase hexadecimal.
    ///
    /// # Errors
    /// [`AuthError::StaleKeys`] when the request names another method, salt or count.
    pub(crate) fn answer(&self, request: &GaussRequest) -> Result<[u8; ANSWER], AuthError> {
        if self.method != request.method
            || self.iterations != request.iterations
            || self.salt != request.salt
        {
            return Err(AuthError::StaleKeys);
        }
        let mut proof = HmacKey::new(&self.stored_key).mac(&[&request.token]);
        for (byte, key) in proof.iter_mut().zip(&self.client_key) {
            *byte ^= key;
        }
        Ok(hex(&proof))
    }
}

impl Drop for GaussKeys {
    fn drop(&mut self) {
        self.client_key.zeroize();
        self.stored_key.zeroize();
    }
}

impl core::fmt::Debug for GaussKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GaussKeys(<redacted>)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for GaussKeys {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "GaussKeys(<redacted>)");
    }
}

/// A SHA256 or SM3 request whose layout is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GaussRequest {
    method: GaussMethod,
    iterations: u32,
    salt: [u8; 32],
    token: [u8; 4],
}

impl GaussRequest {
    /// Reads the body (what follows the code) of an authentication request with code 10, 11 or
    /// 13. Only the layout of protocol 3.51 is taken.
    pub(crate) fn parse(code: u32, body: &[u8]) -> Result<Self, AuthError> {
        let mut r = Reader::new(body);
        if code == CODE_MD5_SHA256 {
            // 64 hexadecimal digits and 4 bytes of salt.
            let salt = r.array::<64>().map_err(|_| AuthError::Malformed)?;
            unhex::<32>(&salt).ok_or(AuthError::Malformed)?;
            r.array::<4>().map_err(|_| AuthError::Malformed)?;
            r.finish().map_err(|_| AuthError::Malformed)?;
            return Err(AuthError::GaussMd5Sha256);
        }
        // The number repeats what the code says. openGauss's own client answers an unknown one
        // with the password itself; here it is refused.
        let method = match (code, r.u32().map_err(|_| AuthError::Malformed)?) {
            (CODE_SHA256, 2) => GaussMethod::Sha256,
            (CODE_SM3, 3) => GaussMethod::Sm3,
            _ => return Err(AuthError::UnknownMethod),
        };
        let salt = r.array::<64>().map_err(|_| AuthError::Malformed)?;
        let salt = unhex(&salt).ok_or(AuthError::Malformed)?;
        let token = r.array::<8>().map_err(|_| AuthError::Malformed)?;
        let token = unhex(&token).ok_or(AuthError::Malformed)?;
        if OLD_LAYOUTS.contains(&body.len()) {
            return Err(AuthError::Dialect);
        }
        let iterations = r.u32().map_err(|_| AuthError::Malformed)?;
        r.finish().map_err(|_| AuthError::Malformed)?;
        Ok(Self { method, iterations, salt, token })
    }

    /// The method that a request asks for, whose layout is right.
    #[inline(never)]
    pub(crate) fn method_of(code: u32, body: &[u8]) -> Result<AuthMethods, AuthError> {
        Self::parse(code, body).map(|request| request.method())
    }

    /// The method that the policy must allow.
    const fn method(&self) -> AuthMethods {
        match self.method {
            GaussMethod::Sha256 => AuthMethods::GAUSS_SHA256,
            GaussMethod::Sm3 => AuthMethods::GAUSS_SM3,
        }
    }

    /// `K`. `bounds`, the fewest and the most iterations accepted, are checked before anything is
    /// hashed.
    pub(crate) fn salted(
        &self,
        password: &[u8],
        bounds: (u32, u32),
        tick: Tick<'_>,
    ) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let Self { method, iterations, salt, .. } = self;
        if *iterations == 0 || *iterations < bounds.0 || *iterations > bounds.1 {
            return Err(Fault::from(AuthError::Iterations));
        }
        if *method == GaussMethod::Sm3 && !cfg!(feature = "sm3") {
            return Err(Fault::from(AuthError::UnknownMethod));
        }
        pbkdf2(password, salt, *iterations, tick)
    }

    /// The keys that answer this request, from `K`.
    pub(crate) fn keys(&self, key: &[u8; 32]) -> GaussKeys {
        let client_key = HmacKey::new(key).mac(&[b"Client Key"]);
        let stored_key = match self.method {
            GaussMethod::Sha256 => Sha256::digest(&[&client_key]),
            GaussMethod::Sm3 => sm3(&client_key),
        };
        let Self { method, iterations, salt, .. } = *self;
        GaussKeys { method, iterations, salt, client_key, stored_key }
    }
}

#[cfg(feature = "sm3")]
fn sm3(client_key: &[u8; 32]) -> [u8; 32] {
    use sm3::Digest;
    sm3::Sm3::digest(client_key).into()
}

/// Never reached: the request is refused first.
#[cfg(not(feature = "sm3"))]
const fn sm3(_: &[u8; 32]) -> [u8; 32] {
    [0; 32]
}

fn hex(bytes: &[u8; 32]) -> [u8; ANSWER] {
    let digit = |nibble: u8| match nibble {
        0..=9 => b'0'.wrapping_add(nibble),
        _ => b'a'.wrapping_sub(10).wrapping_add(nibble),
    };
    let mut text = [0; ANSWER];
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    text
}

/// Lowercase hexadecimal digits only: the server writes no others, and misreads them itself.
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |text: u8| match text {
        b'0'..=b'9' => Some(text.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(text.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let mut bytes = [0; N];
    let (pairs, _) = text.as_chunks::<2>();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "gauss_tests.rs"]
mod tests;
