//! openGauss's login keys.

use zeroize::Zeroize;

use crate::wire::digits;

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
/// [`AuthError::StaleKeys`](crate::AuthError::StaleKeys) before anything is sent. `ClientKey` is as good as the password at
/// this server (and at no other): keep it as safe. Zeroized when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct GaussKeys {
    pub(crate) method: GaussMethod,
    pub(crate) iterations: u32,
    pub(crate) salt: [u8; 32],
    pub(crate) client_key: [u8; 32],
    pub(crate) stored_key: [u8; 32],
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
        let iterations = fields.next().filter(|count| !count.starts_with(b"0"))?;
        let iterations = digits::number(iterations).ok()?;
        let mut key = || unhex::<32>(fields.next().filter(|key| key.len() == 64)?);
        let (salt, client_key, stored_key) = (key()?, key()?, key()?);
        let keys = Self { method, iterations, salt, client_key, stored_key };
        fields.next().is_none().then_some(keys)
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

/// Lower-case hexadecimal digits only: the server writes no others, and misreads them itself.
pub(crate) fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, _) = text.as_chunks::<2>();
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = digits::hex_byte(*pair).filter(|_| !pair.iter().any(u8::is_ascii_uppercase))?;
    }
    Some(bytes)
}
