//! What protects the link below the login, and what may be said over it: the binding of SCRAM to
//! TLS, and the methods that are answered.

use crate::auth::Binding;
use crate::config::{ChannelBinding, Config};
use crate::credentials::AuthMethods;
use crate::error::{AuthError, Fault};

/// What protects the link below the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protection<'p> {
    /// No one can listen: TLS with a peer whose certificate was verified, or a link that does not
    /// leave this machine.
    pub(crate) private: bool,
    /// TLS, verified or not.
    pub(crate) encrypted: bool,
    /// TLS with the host that was asked for: its certificate was verified and is of that name.
    pub(crate) identified: bool,
    /// What a login over TLS can be tied to.
    pub(crate) end_point: Option<&'p [u8]>,
}

impl Protection<'_> {
    pub(crate) const NONE: Self =
        Self { private: false, encrypted: false, identified: false, end_point: None };
    /// A UNIX socket.
    pub(crate) const LOCAL: Self = Self { private: true, ..Self::NONE };
}

/// How SCRAM is tied to TLS. Fails where it must be and cannot.
///
/// A peer that is not known to be the host may be anyone who passes messages on: what its
/// certificate is like is its own choice, and takes nothing of the protection away. Where the
/// server offers the binding there is no login without it.
pub(super) fn binding(
    wanted: ChannelBinding,
    protection: Protection<'_>,
    offered: bool,
) -> Result<Binding<'_>, Fault> {
    match (wanted, protection.end_point, offered) {
        // Over a link without TLS no server offers it: its own has TLS, and something between removed it. As
        // libpq, whatever is wanted.
        (.., true) if !protection.encrypted => Err(Fault::from(AuthError::ChannelBinding)),
        (ChannelBinding::Disable, ..) => Ok(Binding::None),
        #[cfg(feature = "tls")]
        (_, Some(hash), true) => Ok(Binding::EndPoint(hash)),
        (ChannelBinding::Require, ..) => Err(Fault::from(AuthError::ChannelBinding)),
        // Without TLS there is nothing to be tied to.
        _ if cfg!(not(feature = "tls")) => Ok(Binding::None),
        _ if !protection.encrypted => Ok(Binding::None),
        #[cfg(feature = "tls")]
        (ChannelBinding::Prefer, _, false) => Ok(Binding::NotOffered),
        // The certificate has no hash for it.
        _ if protection.identified => Ok(Binding::None),
        _ => Err(Fault::from(AuthError::ChannelBinding)),
    }
}

/// Methods that were not named by the user: what shows the password or its MD5 hash to a listener
/// is answered only over verified TLS, or where no one can listen.
pub(super) fn allowed_methods(config: &Config<'_>, protection: Protection<'_>) -> AuthMethods {
    let revealing = AuthMethods::PASSWORD.or(AuthMethods::MD5);
    let methods = config.require_auth.unwrap_or(AuthMethods::all_but(AuthMethods::EMPTY));
    match protection.private {
        false if !methods.is_named() => methods.without(revealing),
        _ => methods,
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_a_hash_takes_no_protection_away() {
        use ChannelBinding::{Disable, Prefer, Require};
        let hash = &b"hash"[..];
        let anyone = Protection { encrypted: true, ..Protection::NONE };
        let authority = Protection { private: true, ..anyone };
        let host = Protection { identified: true, ..authority };
        let bound = |protection| Protection { end_point: Some(hash), ..protection };
        let refused = Err(Fault::from(AuthError::ChannelBinding));
        for (wanted, protection, offered, not_offered) in [
            (Disable, anyone, Ok(Binding::None), Ok(Binding::None)),
            (Disable, bound(host), Ok(Binding::None), Ok(Binding::None)),
            (Prefer, anyone, refused, Ok(Binding::NotOffered)),
            (Prefer, authority, refused, Ok(Binding::NotOffered)),
            (Prefer, host, Ok(Binding::None), Ok(Binding::NotOffered)),
            (Prefer, bound(anyone), Ok(Binding::EndPoint(hash)), Ok(Binding::NotOffered)),
            (Prefer, bound(host), Ok(Binding::EndPoint(hash)), Ok(Binding::NotOffered)),
            (Disable, Protection::NONE, refused, Ok(Binding::None)),
            (Disable, Protection::LOCAL, refused, Ok(Binding::None)),
            (Prefer, Protection::NONE, refused, Ok(Binding::None)),
            (Prefer, Protection::LOCAL, refused, Ok(Binding::None)),
            (Require, anyone, refused, refused),
            (Require, host, refused, refused),
            (Require, bound(anyone), Ok(Binding::EndPoint(hash)), refused),
            (Require, bound(host), Ok(Binding::EndPoint(hash)), refused),
            (Require, Protection::NONE, refused, refused),
            (Require, Protection::LOCAL, refused, refused),
        ] {
            assert_eq!(binding(wanted, protection, true), offered, "{wanted:?} {protection:?}");
            assert_eq!(
                binding(wanted, protection, false),
                not_offered,
                "{wanted:?} {protection:?}"
            );
        }
    }
}
