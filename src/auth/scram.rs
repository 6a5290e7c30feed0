//! SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL uses it: the user name is empty.
//!
//! The server's messages are hashed where they lie in the receive buffer; nothing is copied but
//! the two signatures.

use subtle::ConstantTimeEq;

use super::hash::{HmacKey, put, wipe_words};
use super::{SaltedKeys, Secrets, Sha256, Tick, mac_under, wipe};
use crate::error::{AuthError, Fault};
use crate::limits;
use crate::wire::{WireError, Writer, base64, digits};

/// The mechanism's name.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-256";
/// Bytes of entropy in the client's nonce: 24 characters, as libpq sends.
pub(crate) const NONCE: usize = 18;
/// Base64 text of the nonce.
const NONCE_TEXT: usize = 24;
/// What stands before the nonce: no name, for the start-up packet has it.
const NAME: &[u8; 5] = b"n=,r=";
const FIRST: usize = NAME.len() + NONCE_TEXT;
/// The mechanism's name with channel binding.
pub(crate) const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";
/// Base64 text of the longest hash.
const HASH_TEXT: usize = if cfg!(feature = "tls") { 88 } else { 0 };

/// How the exchange is tied to the link below it (RFC 5802 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binding<'p> {
    /// Not at all.
    None,
    /// It could be, and the server does not offer it. Saying so lets a server notice that
    /// a machine on the way took its offer away.
    #[cfg(feature = "tls")]
    NotOffered,
    /// To the hash of the server's certificate: `tls-server-end-point` of RFC 5929.
    #[cfg(feature = "tls")]
    EndPoint(&'p [u8]),
    #[cfg(not(feature = "tls"))]
    #[allow(dead_code, reason = "holds the lifetime")]
    Never(core::convert::Infallible, core::marker::PhantomData<&'p ()>),
}

impl Binding<'_> {
    const fn mechanism(self) -> &'static str {
        match self {
            #[cfg(feature = "tls")]
            Self::EndPoint(_) => MECHANISM_PLUS,
            _ => MECHANISM,
        }
    }

    /// The GS2 header, without an authorization identity.
    const fn gs2(self) -> &'static [u8] {
        match self {
            #[cfg(feature = "tls")]
            Self::NotOffered => b"y,,",
            #[cfg(feature = "tls")]
            Self::EndPoint(_) => b"p=tls-server-end-point,,",
            _ => b"n,,",
        }
    }

    /// `c=` and its value: Base64 of the header (whose length is a multiple of three) and of the
    /// hash.
    #[cfg_attr(not(feature = "tls"), allow(unused_variables))]
    fn text(self, buf: &mut [u8; HASH_TEXT]) -> [&[u8]; 2] {
        match self {
            #[cfg(feature = "tls")]
            Self::NotOffered => [b"c=eSws", b""],
            #[cfg(feature = "tls")]
            Self::EndPoint(hash) => {
                [b"c=cD10bHMtc2VydmVyLWVuZC1wb2ludCws", base64::encode(hash, buf).unwrap_or(b"")]
            }
            _ => [b"c=biws", b""],
        }
    }

    pub(crate) const fn is_bound(self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::EndPoint(_) => true,
            _ => false,
        }
    }
}

/// One exchange. Made with a fresh nonce, used for one login.
pub(crate) struct Scram<'p> {
    binding: Binding<'p>,
    /// client-first without its head: the name, which is empty, and the nonce.
    first: [u8; FIRST],
    /// At first the keys, then the client's proof and the server's signature.
    keys: SaltedKeys,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    First,
    Final,
    Verified,
    Failed,
}

impl<'p> Scram<'p> {
    /// None yet.
    pub(crate) const IDLE: Self = Self {
        binding: Binding::None,
        first: [0; FIRST],
        keys: SaltedKeys::NONE,
        state: State::Idle,
    };

    /// Begins the exchange.
    pub(crate) fn begin(&mut self, entropy: &[u8; NONCE], binding: Binding<'p>) {
        let (name, nonce) = self.first.split_at_mut(NAME.len());
        name.iter_mut().zip(NAME).for_each(|(to, from)| *to = *from);
        base64::encode(entropy, nonce);
        (self.binding, self.state) = (binding, State::First);
    }

    /// Whether it has begun, and perhaps failed.
    pub(crate) fn has_begun(&self) -> bool {
        self.state != State::Idle
    }

    /// The body of SASLInitialResponse.
    pub(crate) fn initial(&self, w: &mut Writer<'_>) -> Result<(), WireError> {
        w.cstr(self.binding.mechanism())?;
        w.prefixed(&|w| {
            w.bytes(self.binding.gs2())?;
            w.bytes(&self.first)
        })
    }

    /// Takes the server-first message: checks it, and only then derives the keys.
    #[inline(never)]
    pub(crate) fn server_first(
        &mut self,
        message: &[u8],
        secrets: &mut Secrets<'_, '_>,
        tick: Tick<'_>,
    ) -> Result<(), Fault> {
        let expected = core::mem::replace(&mut self.state, State::Failed) == State::First;
        if !expected {
            return Err(Fault::from(AuthError::Malformed));
        }
        let first = ServerFirst::decode(message).map_err(Fault::from)?;
        let (_, nonce) = self.first.split_at(NAME.len());
        if !first.nonce.starts_with(nonce) || first.nonce.len() == NONCE_TEXT {
            return Err(Fault::from(AuthError::Nonce));
        }
        let ServerFirst { nonce, salt, iterations } = first;
        find_keys(salt, iterations, secrets, (tick, &mut self.keys))?;
        self.sign(message, nonce);
        self.state = State::Final;
        Ok(())
    }

    /// The body of SASLResponse: client-final. `server_first` as before.
    pub(crate) fn client_final(
        &self,
        server_first: &[u8],
        w: &mut Writer<'_>,
    ) -> Result<(), WireError> {
        let nonce = take_field(&mut &*server_first, b'r').map_err(|_| WireError::Malformed)?;
        let mut text = [0; 44];
        let proof = base64::encode(&self.keys.client, &mut text).ok_or(WireError::Value)?;
        let mut hash = [0; HASH_TEXT];
        let [header, hash] = self.binding.text(&mut hash);
        for part in [header, hash, b",r=", nonce, b",p=", proof] {
            w.bytes(part)?;
        }
        Ok(())
    }

    /// Takes the server-final message: the server proves that it knows the password.
    #[inline(never)]
    pub(crate) fn server_final(&mut self, message: &[u8]) -> Result<(), AuthError> {
        let expected = core::mem::replace(&mut self.state, State::Failed) == State::Final;
        if !expected {
            return Err(AuthError::Malformed);
        }
        if message.starts_with(b"e=") {
            return Err(AuthError::Rejected);
        }
        let text = message.strip_prefix(b"v=").ok_or(AuthError::Malformed)?;
        let mut signature = [0; 33];
        let signature = base64::decode(text, &mut signature).ok_or(AuthError::Malformed)?;
        if !bool::from(signature.ct_eq(&self.keys.server)) {
            return Err(AuthError::ServerSignature);
        }
        self.state = State::Verified;
        Ok(())
    }

    /// Whether the exchange is tied to the link below it.
    pub(crate) const fn is_bound(&self) -> bool {
        self.binding.is_bound()
    }

    /// Whether the server has proved itself.
    pub(crate) fn is_verified(&self) -> bool {
        self.state == State::Verified
    }

    /// Makes the proof and the server's signature of the keys, over AuthMessage, which is hashed in
    /// parts.
    #[inline(never)]
    fn sign(&mut self, server_first: &[u8], nonce: &[u8]) {
        let mut hash = [0; HASH_TEXT];
        let [header, hash] = self.binding.text(&mut hash);
        let parts: [&[u8]; 8] =
            [&self.first, b",", server_first, b",", header, hash, b",r=", nonce];
        let SaltedKeys { client, server } = &mut self.keys;
        let mut signature = Sha256::digest(&[client]);
        mac_under(&mut signature, &parts);
        mac_under(server, &parts);
        for (proof, sign) in client.iter_mut().zip(&signature) {
            *proof ^= sign;
        }
        wipe(&mut signature);
    }
}

/// The keys that the server's salt and count ask for. Apart, so that the salt is off the stack
/// when they are used.
#[inline(never)]
fn find_keys(
    text: &[u8],
    iterations: u32,
    secrets: &mut Secrets<'_, '_>,
    (tick, keys): (Tick<'_>, &mut SaltedKeys),
) -> Result<(), Fault> {
    let mut salt = [0; limits::SCRAM_SALT];
    match base64::decode(text, &mut salt) {
        Some(salt) if !salt.is_empty() => secrets.scram(salt, iterations, tick, keys),
        _ => Err(AuthError::Malformed.into()),
    }
}

/// The server-first message, `r=nonce,s=salt,i=iterations`, and extensions after it.
struct ServerFirst<'a> {
    nonce: &'a [u8],
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> ServerFirst<'a> {
    fn decode(message: &'a [u8]) -> Result<Self, AuthError> {
        let mut rest = message;
        // A mandatory extension (`m=…`) would stand first, and is refused as RFC 5802 demands.
        let nonce = take_field(&mut rest, b'r')?;
        let salt = take_field(&mut rest, b's')?;
        let iterations = count(take_field(&mut rest, b'i')?)?;
        if !nonce.iter().all(|&b| (0x21..=0x7e).contains(&b)) {
            return Err(AuthError::Malformed);
        }
        Ok(Self { nonce, salt, iterations })
    }
}

/// Takes `name=value` and the comma after it, if there is one. The value is not empty.
#[inline(never)]
fn take_field<'a>(rest: &mut &'a [u8], name: u8) -> Result<&'a [u8], AuthError> {
    let [first, b'=', text @ ..] = *rest else { return Err(AuthError::Malformed) };
    let end = text.iter().position(|&b| b == b',').unwrap_or(text.len());
    let (value, after) = text.split_at_checked(end).unwrap_or((text, &[]));
    *rest = after.get(1..).unwrap_or(&[]);
    if *first == name && !value.is_empty() { Ok(value) } else { Err(AuthError::Malformed) }
}

/// An iteration count: a number without leading zeros.
fn count(text: &[u8]) -> Result<u32, AuthError> {
    match digits::number(text) {
        Ok(count) if !text.starts_with(b"0") => Ok(count),
        Err(WireError::TooLong) => Err(AuthError::Iterations),
        _ => Err(AuthError::Malformed),
    }
}

/// PBKDF2-HMAC-SHA-256 with one block of output (RFC 5802's `Hi`).
#[inline(never)]
pub(super) fn salted_password(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    tick: Tick<'_>,
    result: &mut [u8; 32],
) -> Result<(), Fault> {
    let mut key = HmacKey::NONE;
    key.set(password);
    key.mac(&[salt, &1_u32.to_be_bytes()], result);
    let mut sum = *key.last();
    for i in 1..iterations {
        if i & limits::HASH_SLICE.wrapping_sub(1) == 0 {
            tick.turn()?;
        }
        for (sum, word) in sum.iter_mut().zip(key.round()) {
            *sum ^= word;
        }
    }
    put(&sum, result);
    wipe_words(&mut sum);
    Ok(())
}

#[cfg(test)]
#[path = "scram_tests.rs"]
mod tests;
