//! Logging in: authentication requests in, answers out. Pure: bytes to bytes.
//!
//! Used by `startup`; may use `wire`, `config`, `limits` only. The request's code and body come
//! raw, because code 10 means SASL to PostgreSQL and SHA256 to openGauss.

mod base64;
#[cfg(feature = "opengauss")]
pub(crate) mod gauss;
#[cfg(feature = "opengauss")]
mod gauss_pbkdf2;
mod hash;
mod md5;
mod scram;

pub(crate) use base64::{decode as base64_decode, encode as base64_encode};
#[cfg(test)]
pub(crate) use hash::hmac_sha256;
pub(crate) use hash::{HmacKey, Sha256};
pub(crate) use md5::md5_answer;
pub(crate) use scram::{MECHANISM, NONCE, Scram};

use crate::config::AuthMethods;
use crate::error::{AuthError, Fault};
use crate::wire::Reader;

/// A turn of a loop that hashes: watchdog and deadline. Its error ends the computation.
pub(crate) type Tick<'t> = &'t dyn Fn() -> Result<(), Fault>;

/// An authentication request, told apart by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Code 0.
    Ok,
    /// Code 3.
    Cleartext,
    /// Code 5, with its salt.
    Md5([u8; 4]),
    /// Code 10 with a list of mechanisms that holds SCRAM-SHA-256.
    Sasl,
    /// Code 11.
    SaslContinue,
    /// Code 12.
    SaslFinal,
}

impl Request {
    /// Reads an Authentication message's code and the body behind it.
    pub(crate) fn decode(code: u32, body: &[u8]) -> Result<Self, AuthError> {
        match (code, body) {
            (0, []) => Ok(Self::Ok),
            (3, []) => Ok(Self::Cleartext),
            (5, &[a, b, c, d]) => Ok(Self::Md5([a, b, c, d])),
            (10, body) => sasl_mechanisms(body),
            (11, _) => Ok(Self::SaslContinue),
            (12, _) => Ok(Self::SaslFinal),
            (0 | 3 | 5, _) => Err(AuthError::Malformed),
            _ => Err(AuthError::UnknownMethod),
        }
    }

    /// The method that the policy must allow before it is answered.
    pub(crate) const fn method(self) -> AuthMethods {
        match self {
            Self::Ok => AuthMethods::NONE,
            Self::Cleartext => AuthMethods::PASSWORD,
            Self::Md5(_) => AuthMethods::MD5,
            Self::Sasl | Self::SaslContinue | Self::SaslFinal => AuthMethods::SCRAM_SHA_256,
        }
    }
}

fn sasl_mechanisms(body: &[u8]) -> Result<Request, AuthError> {
    let mut reader = Reader::new(body);
    let mut scram = false;
    loop {
        match reader.cstr() {
            Ok([]) if reader.is_empty() => break,
            Ok([]) | Err(_) => return Err(AuthError::Malformed),
            Ok(name) => scram |= name == MECHANISM.as_bytes(),
        }
    }
    if scram { Ok(Request::Sasl) } else { Err(AuthError::UnknownMethod) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let sasl = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        assert_eq!(Request::decode(10, sasl), Ok(Request::Sasl));
        assert_eq!(Request::decode(10, b"OAUTHBEARER\0\0"), Err(AuthError::UnknownMethod));
        assert_eq!(Request::decode(10, b"SCRAM-SHA-256\0"), Err(AuthError::Malformed));
        assert_eq!(Request::decode(10, b"\0\0"), Err(AuthError::Malformed));
        assert_eq!(Request::decode(5, b"abcd"), Ok(Request::Md5(*b"abcd")));
        assert_eq!(Request::decode(5, b"abcde"), Err(AuthError::Malformed));
        assert_eq!(Request::decode(0, b"x"), Err(AuthError::Malformed));
        assert_eq!(Request::decode(7, b""), Err(AuthError::UnknownMethod));
    }
}
