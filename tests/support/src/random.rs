//! Random numbers that are the same for the same seed.

/// A generator; its value is its state, so that it can be printed and given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Random(pub u64);

impl Random {
    /// The next number. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
    /// Generators" (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// One of `values`, which is not empty.
    pub fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut random = Random(seed);
            [random.number(), random.below(10), random.pick(&[1, 2, 3])]
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        // The published first number of seed 0.
        assert_eq!(Random(0).number(), 0xe220_a839_7b1d_cdaf);
    }
}
