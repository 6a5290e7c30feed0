//! Arithmetic modulo odd numbers of any length: what signatures by RSA and ECDSA are checked with.
//!
//! Numbers are little-endian 32-bit words; multiplication is Montgomery's (coarsely integrated operand
//! scanning), with `R = 2^(32 · words)`. What is done to numbers by a [`Modulus`], and [`subtract`],
//! takes the same steps whatever the numbers are, so that a private key can be calculated with;
//! [`less`] does not.

/// An odd number to calculate by. Its highest word is not zero.
pub(super) struct Modulus<'n> {
    n: &'n [u32],
    /// `-1 / n mod 2^32`.
    inverse: u32,
}

impl<'n> Modulus<'n> {
    /// `None` when it has no words.
    pub(super) fn new(n: &'n [u32]) -> Option<Self> {
        // Newton's iteration.
        let low = *n.first()?;
        let step = |x: u32, _| x.wrapping_mul(2u32.wrapping_sub(low.wrapping_mul(x)));
        Some(Self { n, inverse: (0..5).fold(1, step).wrapping_neg() })
    }

    /// `power = R² mod n`, by squaring and doubling `2R` up to `2^(32 · words) R`: a dozen
    /// multiplications instead of thousands of doublings.
    pub(super) fn radix_squared(&self, power: &mut [u32], scratch: &mut [u32]) -> Option<()> {
        let n = self.n;
        let radix_bits = u32::try_from(n.len()).ok()?.checked_mul(32)?;
        let padding_bits = n.last()?.leading_zeros();
        // The highest power of two below n, doubled up to R and once more to 2R.
        let top = 31u32.checked_sub(padding_bits)?;
        power.fill(0);
        *power.last_mut()? = 1u32.checked_shl(top)?;
        for _ in 0..padding_bits.checked_add(2)? {
            double(power, n);
        }
        // Now power = 2^1 · R; the exponent of two grows to radix_bits, bit by bit.
        let below_top = 31u32.checked_sub(radix_bits.leading_zeros())?;
        for bit in (0..below_top).rev() {
            self.multiply(power, power, scratch)?;
            power.copy_from_slice(scratch);
            if radix_bits.checked_shr(bit)? & 1 == 1 {
                double(power, n);
            }
        }
        Some(())
    }

    /// `a = a + b mod n`, of two numbers below `n`.
    #[cfg(any(feature = "tls-client-p384", feature = "tls-client-rsa"))]
    pub(super) fn add(&self, a: &mut [u32], b: &[u32]) {
        let carry = add(a, b, u32::MAX);
        reduce(a, carry, self.n);
    }

    /// `out = a · b / R mod n`, for `a` below `R` and `b` below `n`, or the other way round.
    pub(super) fn multiply(&self, a: &[u32], b: &[u32], out: &mut [u32]) -> Option<()> {
        self.multiply_by(a, &mut b.iter().copied(), out)
    }

    /// The same with the words of `b` one by one, the lowest first, as many as the modulus has.
    #[inline(never)]
    pub(super) fn multiply_by(
        &self,
        a: &[u32],
        b: &mut dyn Iterator<Item = u32>,
        out: &mut [u32],
    ) -> Option<()> {
        let Self { n, inverse } = *self;
        // The running sum is `out` plus `high` above it.
        out.fill(0);
        let mut high = 0u32;
        for digit in b {
            let mut carry = 0u32;
            for (sum, &a) in out.iter_mut().zip(a) {
                (*sum, carry) = multiply_add(*sum, a, digit, carry);
            }
            let (top, mut over) = high.overflowing_add(carry);
            // One word of the sum becomes zero and is shifted out.
            let factor = out.first()?.wrapping_mul(inverse);
            let (_, mut carry) = multiply_add(*out.first()?, *n.first()?, factor, 0);
            let mut previous: Option<&mut u32> = None;
            for (sum, &n) in out.iter_mut().zip(n) {
                if let Some(previous) = previous {
                    (*previous, carry) = multiply_add(*sum, n, factor, carry);
                }
                previous = Some(sum);
            }
            let (low, over_too) = top.overflowing_add(carry);
            *previous? = low;
            over |= over_too;
            high = u32::from(over);
        }
        reduce(out, high, n);
        Some(())
    }
}

/// Big-endian bytes to words.
pub(super) fn load(bytes: &[u8], words: &mut [u32]) {
    words.fill(0);
    for (word, place) in words_of(bytes).zip(words) {
        *place = word;
    }
}

/// The words of a number in big-endian bytes, the lowest first.
pub(super) fn words_of(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let word = |chunk: &[u8]| chunk.iter().fold(0, |w: u32, &b| w.wrapping_shl(8) | u32::from(b));
    bytes.rchunks(4).map(word)
}

/// Words to big-endian bytes.
pub(super) fn store(words: &[u32], bytes: &mut [u8]) {
    for (word, chunk) in words.iter().zip(bytes.rchunks_mut(4)) {
        for (from, to) in word.to_le_bytes().iter().zip(chunk.iter_mut().rev()) {
            *to = *from;
        }
    }
}

/// Whether `a < b`, both of the same length.
pub(super) fn less(a: &[u32], b: &[u32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// `a -= b`, modulo the words' range. Returns whether it was below zero: 1 or 0.
pub(super) fn subtract(a: &mut [u32], b: &[u32]) -> u32 {
    let mut borrow = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (difference, under) = a.overflowing_sub(*b);
        let (difference, under_too) = difference.overflowing_sub(u32::from(borrow));
        *a = difference;
        borrow = under | under_too;
    }
    u32::from(borrow)
}

/// `a += b` where `mask` is all ones, and `a += 0` where it is zero. Returns the carry.
pub(super) fn add(a: &mut [u32], b: &[u32], mask: u32) -> u32 {
    let mut carry = false;
    for (a, b) in a.iter_mut().zip(b) {
        let (sum, over) = a.overflowing_add(*b & mask);
        let (sum, over_too) = sum.overflowing_add(u32::from(carry));
        *a = sum;
        carry = over | over_too;
    }
    u32::from(carry)
}

/// `a mod n`, for a number below `2n` whose highest word is `high`.
fn reduce(a: &mut [u32], high: u32, n: &[u32]) {
    let under = subtract(a, n);
    // Where it was below n after all, n is added again. The compiler must not make a branch of it.
    add(a, n, core::hint::black_box((under & !high).wrapping_neg()));
}

/// `a = 2a mod n`.
fn double(a: &mut [u32], n: &[u32]) {
    let mut carry = 0;
    for word in a.iter_mut() {
        let next = word.wrapping_shr(31);
        *word = word.wrapping_shl(1) | carry;
        carry = next;
    }
    reduce(a, carry, n);
}

/// `sum + a · b + carry` as low and high word; it cannot exceed two words.
#[inline(always)]
pub(super) fn multiply_add(sum: u32, a: u32, b: u32, carry: u32) -> (u32, u32) {
    let wide = u64::from(a)
        .wrapping_mul(u64::from(b))
        .wrapping_add(u64::from(sum))
        .wrapping_add(u64::from(carry));
    let [l0, l1, l2, l3, h0, h1, h2, h3] = wide.to_le_bytes();
    (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([h0, h1, h2, h3]))
}
