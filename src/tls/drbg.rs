//! HMAC_DRBG with SHA-256 (NIST SP 800-90A, section 10.1.2).
//!
//! The platform is asked once for entropy, which may fail; from then on TLS has as many random
//! bytes as it wants, without failing.

use p256::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
use zeroize::Zeroize;

use crate::NoEntropy;
use crate::auth::mac_under;
use crate::platform::draw_entropy;

/// Bytes of entropy for one seed: 256 bits and a nonce of half that.
pub(super) const SEED: usize = 48;

/// The generator. One per connection, wiped when dropped.
pub(super) struct Drbg {
    key: [u8; 32],
    value: [u8; 32],
}

impl Drbg {
    /// Seeds from the platform.
    ///
    /// # Errors
    /// When the platform fails, or repeats itself.
    pub(super) fn new(platform: &dyn crate::Platform) -> Result<Self, NoEntropy> {
        let mut seed = [0; SEED];
        draw_entropy(platform, &mut seed)?;
        let drbg = Self::from_seed(&seed);
        seed.zeroize();
        Ok(drbg)
    }

    fn from_seed(seed: &[u8]) -> Self {
        let mut drbg = Self { key: [0; 32], value: [1; 32] };
        drbg.update(seed);
        drbg
    }

    /// Fills `out`. Every call ends with an update, so earlier output cannot be found from a
    /// later state.
    fn generate(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            self.value = self.mac(&[], &[]);
            for (to, from) in chunk.iter_mut().zip(self.value) {
                *to = from;
            }
        }
        self.update(&[]);
    }

    fn update(&mut self, data: &[u8]) {
        self.key = self.mac(&[0], data);
        self.value = self.mac(&[], &[]);
        if !data.is_empty() {
            self.key = self.mac(&[1], data);
            self.value = self.mac(&[], &[]);
        }
    }

    /// HMAC of the value and what follows it, under the key.
    #[inline(never)]
    fn mac(&self, tag: &[u8], data: &[u8]) -> [u8; 32] {
        let mut mac = self.key;
        mac_under(&mut mac, &[&self.value, tag, data]);
        mac
    }
}

impl Drop for Drbg {
    fn drop(&mut self) {
        self.key.zeroize();
        self.value.zeroize();
    }
}

impl RngCore for Drbg {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.generate(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.generate(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.generate(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.generate(out);
        Ok(())
    }
}

impl CryptoRng for Drbg {}

#[cfg(test)]
mod tests {
    use super::*;

    /// First vector of NIST's CAVP file HMAC_DRBG.rsp: SHA-256, no reseed, no personalization,
    /// no additional input. The second of two generated blocks is compared.
    #[test]
    fn generates_what_nist_generates() {
        let seed = hex("ca851911349384bffe89de1cbdc46e6831e44d34a4fb935ee285dd14b71a7488\
             659ba96c601dc69fc902940805ec0ca8");
        let mut drbg = Drbg::from_seed(&seed);
        let mut out = [0; 128];
        drbg.generate(&mut out);
        drbg.generate(&mut out);
        let want = hex("e528e9abf2dece54d47c7e75e5fe302149f817ea9fb4bee6f4199697d04d5b89\
             d54fbb978a15b5c443c9ec21036d2460b6f73ebad0dc2aba6e624abf07745bc1\
             07694bb7547bb0995f70de25d6b29e2d3011bb19d27676c07162c8b5ccde0668\
             961df86803482cb37ed6d5c0bb8d50cf1f50d476aa0458bdaba806f48be9dcb8");
        assert_eq!(out[..], want[..]);
    }

    fn hex(text: &str) -> std::vec::Vec<u8> {
        let digits: std::vec::Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    struct Stuck(u8);
    impl crate::Platform for Stuck {
        fn now_ms(&self) -> u64 {
            0
        }
        fn entropy(&self, buf: &mut [u8]) -> Result<(), NoEntropy> {
            buf.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn refuses_a_source_that_is_stuck() {
        assert!(Drbg::new(&Stuck(0)).is_err());
        assert!(Drbg::new(&Stuck(0xff)).is_err());
    }
}
