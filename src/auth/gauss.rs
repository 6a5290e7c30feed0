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
//! There is no proof of the server in this exchange: only TLS shows who it is. Everything the
//! server sends is therefore checked before a single byte is hashed.

use zeroize::Zeroizing;

use super::gauss_pbkdf2::pbkdf2;
use super::{Sha256, Tick, mac_under};
use crate::credentials::{AuthMethods, GaussKeys, GaussMethod, unhex};
use crate::error::{AuthError, ErrorKind, Fault};
use crate::platform::Idle;
use crate::wire::{Reader, digits};

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

impl GaussKeys {
    /// Derives the keys from the password: 4 × `iterations` SHA-1 blocks, about 53 million
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
        let idle = Idle(idle);
        let tick = idle.pulse();
        let key =
            request.salted(password, (1, u32::MAX), &tick).map_err(|fault| match fault.kind() {
                ErrorKind::Auth(error) => error,
                _ => AuthError::UnknownMethod,
            })?;
        Ok(request.keys(&key))
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
        let mut proof = self.stored_key;
        mac_under(&mut proof, &[&request.token]);
        for (byte, key) in proof.iter_mut().zip(&self.client_key) {
            *byte ^= key;
        }
        let mut answer = [0; ANSWER];
        digits::hex(&proof, &mut answer);
        Ok(answer)
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
        let mut client_key = *key;
        mac_under(&mut client_key, &[b"Client Key"]);
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

#[cfg(test)]
#[path = "gauss_tests.rs"]
mod tests;
