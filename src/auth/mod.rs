//! Logging in: authentication requests in, answers out. Pure: bytes to bytes.
//!
//! Used by `startup`; may use `credentials`, `platform`, `wire`, `error`, `limits`
//! only. The request's code and body come
//! raw, because code 10 means SASL to PostgreSQL and SHA256 to openGauss.

#[cfg(feature = "opengauss")]
pub(crate) mod gauss;
#[cfg(feature = "opengauss")]
mod gauss_pbkdf2;
mod hardware;
mod hash;
mod keys;
#[cfg(feature = "md5")]
mod md5;
mod saslprep;
mod scram;

pub use hardware::{
    HashFailed, HashHardware, HashStart, Pbkdf2Hardware, Pbkdf2Job, Sha256Hardware,
};
#[cfg(test)]
pub(crate) use hash::hmac_sha256;
pub(crate) use hash::{Sha256, mac_under, wipe};
pub use keys::{KeyCache, ScramKeys};
pub(crate) use keys::{KeyStore, SaltedKeys};
pub(crate) use keys::{Secrets, password};
#[cfg(feature = "md5")]
pub(crate) use md5::md5_answer;
pub(crate) use scram::{Binding, MECHANISM, MECHANISM_PLUS, NONCE, Scram};

use crate::credentials::AuthMethods;
use crate::error::AuthError;
use crate::platform::Pulse;
use crate::wire::Reader;

/// A turn of a loop that hashes: watchdog and deadline. Its error ends the computation.
pub(crate) type Tick<'t> = &'t Pulse<'t>;

/// An authentication request, by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Code 0.
    Ok,
    /// Code 3.
    Cleartext,
    /// Code 5, with its salt.
    #[cfg(feature = "md5")]
    Md5([u8; 4]),
    /// Code 10 with a list of mechanisms, of which one at least is known here.
    Sasl {
        /// It holds SCRAM-SHA-256.
        scram: bool,
        /// It holds SCRAM-SHA-256-PLUS, as far as a build with TLS looks.
        plus: bool,
    },
    /// Code 11.
    SaslContinue,
    /// Code 12.
    SaslFinal,
    /// Code 10 or 13 as openGauss sends them, with the method they ask for.
    #[cfg(feature = "opengauss")]
    Gauss(AuthMethods),
}

impl Request {
    /// Reads an Authentication message's code and the body after it. `sasl` says whether a SASL
    /// exchange is going on, which decides what code 11 means.
    pub(crate) fn decode(code: u32, body: &[u8], sasl: bool) -> Result<Self, AuthError> {
        match (code, body) {
            // A list of mechanisms begins with a name, openGauss's body with a small number.
            #[cfg(feature = "opengauss")]
            (10, [0, ..]) | (13, _) => gauss::GaussRequest::method_of(code, body).map(Self::Gauss),
            #[cfg(feature = "opengauss")]
            (11, body) if !sasl => gauss::GaussRequest::method_of(code, body).map(Self::Gauss),
            (0, []) => Ok(Self::Ok),
            (3, []) => Ok(Self::Cleartext),
            #[cfg(feature = "md5")]
            (5, &[a, b, c, d]) => Ok(Self::Md5([a, b, c, d])),
            (10, body) => sasl_mechanisms(body),
            (11, _) if sasl => Ok(Self::SaslContinue),
            (12, _) if sasl => Ok(Self::SaslFinal),
            (0 | 3 | 5 | 11 | 12, _) if code != 5 || cfg!(feature = "md5") => {
                Err(AuthError::Malformed)
            }
            _ => Err(AuthError::UnknownMethod),
        }
    }

    /// The method that the policy must allow before it is answered.
    pub(crate) const fn method(self) -> AuthMethods {
        match self {
            Self::Ok => AuthMethods::NONE,
            Self::Cleartext => AuthMethods::PASSWORD,
            #[cfg(feature = "md5")]
            Self::Md5(_) => AuthMethods::MD5,
            Self::Sasl { .. } | Self::SaslContinue | Self::SaslFinal => AuthMethods::SCRAM_SHA_256,
            #[cfg(feature = "opengauss")]
            Self::Gauss(method) => method,
        }
    }
}

fn sasl_mechanisms(body: &[u8]) -> Result<Request, AuthError> {
    let mut reader = Reader::new(body);
    let (mut scram, mut plus) = (false, false);
    loop {
        match reader.cstr() {
            Ok([]) if reader.is_empty() => break,
            Ok([]) | Err(_) => return Err(AuthError::Malformed),
            Ok(name) => {
                scram |= name == MECHANISM.as_bytes();
                plus |= cfg!(feature = "tls") && name == MECHANISM_PLUS.as_bytes();
            }
        }
    }
    if scram || plus { Ok(Request::Sasl { scram, plus }) } else { Err(AuthError::UnknownMethod) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let sasl = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
        let decode = |code, body: &[u8]| Request::decode(code, body, false);
        assert_eq!(
            decode(10, sasl),
            Ok(Request::Sasl { scram: true, plus: cfg!(feature = "tls") })
        );
        assert_eq!(
            decode(10, b"SCRAM-SHA-256\0\0"),
            Ok(Request::Sasl { scram: true, plus: false })
        );
        let bound = decode(10, b"SCRAM-SHA-256-PLUS\0\0");
        match cfg!(feature = "tls") {
            true => assert_eq!(bound, Ok(Request::Sasl { scram: false, plus: true })),
            false => assert_eq!(bound, Err(AuthError::UnknownMethod)),
        }
        assert_eq!(decode(10, b"OAUTHBEARER\0\0"), Err(AuthError::UnknownMethod));
        assert_eq!(decode(10, b"SCRAM-SHA-256\0"), Err(AuthError::Malformed));
        assert!(decode(10, b"\0\0").is_err());
        #[cfg(feature = "md5")]
        assert_eq!(decode(5, b"abcd"), Ok(Request::Md5(*b"abcd")));
        #[cfg(feature = "md5")]
        assert_eq!(decode(5, b"abcde"), Err(AuthError::Malformed));
        assert_eq!(decode(0, b"x"), Err(AuthError::Malformed));
        assert_eq!(decode(7, b""), Err(AuthError::UnknownMethod));
        // Codes 11 and 12 are SASL's only while its exchange goes on.
        assert_eq!(decode(11, b"r=x"), Err(AuthError::Malformed));
        assert_eq!(decode(12, b"v=x"), Err(AuthError::Malformed));
        assert_eq!(Request::decode(11, b"r=x", true), Ok(Request::SaslContinue));
        assert_eq!(Request::decode(12, b"v=x", true), Ok(Request::SaslFinal));
    }

    /// openGauss's SHA256 with 10,000 iterations, and what it gives away.
    #[cfg(feature = "opengauss")]
    #[test]
    fn code_10_is_told_apart_by_its_first_byte() {
        let mut body = b"\0\0\0\x02".to_vec();
        body.extend_from_slice(&[b'7'; 72]);
        body.extend_from_slice(&[0, 0, 0x27, 0x10]);
        let request = Request::decode(10, &body, false).unwrap();
        assert_eq!(request, Request::Gauss(AuthMethods::GAUSS_SHA256));
        assert_eq!(request.method(), AuthMethods::GAUSS_SHA256);
        let mut code_11 = [b'7'; 68].to_vec();
        assert_eq!(Request::decode(11, &code_11, false), Err(AuthError::GaussMd5Sha256));
        code_11.pop();
        assert_eq!(Request::decode(11, &code_11, false), Err(AuthError::Malformed));
    }
}
