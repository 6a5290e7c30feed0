//! The transcript of the handshake as it was, and what the server asked for in it.

use aes_gcm::aead::consts::{U32, U64};
use sha2::digest::core_api::BlockSizeUser;
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Reset, Update};

#[cfg(feature = "tls-client-cert")]
use super::message::Part;
use super::message::{CHANGE, HIDDEN, walk};
use super::offer;
#[cfg(feature = "tls-client-rsa")]
use super::proof;
use crate::auth::Sha256;

/// What the server asked for by CertificateRequest.
#[derive(Clone, Copy, Default)]
pub(super) struct Requests {
    /// How often, in whichever records: more than once is illegal.
    pub(super) count: u8,
    /// How a client's certificate may sign: see [`scheme_bit`].
    #[cfg(feature = "tls-client-cert")]
    pub(super) schemes: u8,
}

/// The type of signature_algorithms, 13, changed by [`CHANGE`].
#[cfg(feature = "tls-client-cert")]
const HIDDEN_SCHEMES: usize = 0xa50d;

/// The bit of a signature scheme that clients' keys sign with; none of another.
#[cfg(feature = "tls-client-cert")]
pub(super) const fn scheme_bit(scheme: u16) -> u8 {
    match scheme {
        0x0403 => 1,
        0x0503 => 2,
        0x0804 => 4,
        0x0807 => 8,
        _ => 0,
    }
}

/// The bits of a SignatureSchemeList; none of one that is malformed.
#[cfg(feature = "tls-client-cert")]
#[inline(never)]
fn schemes(mut data: Part<'_>) -> u8 {
    let Some(mut list) = data.part(2) else { return 0 };
    let mut bits = 0;
    while let Some(scheme) = list.number(2) {
        bits |= scheme_bit(u16::try_from(scheme).unwrap_or(0));
    }
    if list.finish().and(data.finish()).is_some() { bits } else { 0 }
}

/// SHA-256 of the handshake's messages, hidden ones as they were.
#[derive(Clone)]
pub(super) struct Transcript {
    pub(super) hash: Sha256,
    pub(super) requests: Requests,
    /// The client's certificate is the last message: see [`proof`].
    #[cfg(feature = "tls-client-rsa")]
    shown: bool,
}

impl Default for Transcript {
    // As `update`, out of line: the record layer has both at a dozen places, 800 bytes of them.
    #[inline(never)]
    fn default() -> Self {
        Self {
            hash: Sha256::new(),
            requests: Requests::default(),
            #[cfg(feature = "tls-client-rsa")]
            shown: false,
        }
    }
}

impl Update for Transcript {
    #[inline(never)]
    fn update(&mut self, data: &[u8]) {
        #[cfg(feature = "tls-client-rsa")]
        if core::mem::take(&mut self.shown)
            && let Some(hash) = proof::after(data)
        {
            self.hash = hash;
            return;
        }
        // Other data that by chance looks like a hidden message, or like ClientHello, does not occur:
        // its lengths would have to be right, and a list in its place.
        #[cfg(feature = "tls-client-cert")]
        if super::bundle::pieces(data, &mut |piece| self.hash.update(piece)) {
            #[cfg(feature = "tls-client-rsa")]
            {
                self.shown = true;
            }
            return;
        }
        let rest = self.show(data);
        self.hash.update(rest);
    }
}

impl Transcript {
    /// Hashes a message that the record layer has otherwise up to where it is the same again, a hidden
    /// one up to its last extension's type, and nothing of what is no such message. Returns the rest.
    #[inline(never)]
    fn show<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let ([1, ..] | [_, HIDDEN, ..]) = data else { return data };
        if let Some([before, offered, after]) = offer::pieces(data) {
            self.hash.update(before);
            self.hash.update(offered);
            return after;
        }
        let byte = |at: usize| if at == 1 { 0 } else { data.get(at).copied().unwrap_or(0) };
        if walk(&byte, data.len(), &mut |_, _, _| {}).is_none() {
            return data;
        }
        let mut done = 0;
        let mut change = |at: usize, to: u8| {
            for piece in [data.get(done..at).unwrap_or(&[]), &[to]] {
                self.hash.update(piece);
            }
            done = at.saturating_add(1);
        };
        let is_request = data.first() == Some(&13);
        self.requests.count = self.requests.count.saturating_add(is_request.into());
        change(1, 0);
        walk(&byte, data.len(), &mut |at, kind, data| {
            #[cfg(feature = "tls-client-cert")]
            if is_request && kind == HIDDEN_SCHEMES {
                self.requests.schemes |= schemes(data);
            }
            #[cfg(not(feature = "tls-client-cert"))]
            let _ = (kind, data);
            change(at, byte(at) ^ CHANGE);
        });
        data.get(done..).unwrap_or(&[])
    }
}

impl HashMarker for Transcript {}

impl OutputSizeUser for Transcript {
    type OutputSize = U32;
}

impl BlockSizeUser for Transcript {
    type BlockSize = U64;
}

impl FixedOutput for Transcript {
    fn finalize_into(mut self, out: &mut Output<Self>) {
        let out = out.as_mut();
        #[cfg(feature = "tls-client-rsa")]
        if self.shown {
            *out = self.hash.parts().0;
            return;
        }
        self.hash.finish(out);
    }
}

impl Reset for Transcript {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
