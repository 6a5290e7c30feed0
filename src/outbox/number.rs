//! Numbers of rows, in half the bytes.

/// The lower half of a row's number. All that a log holds are less than 2³¹ apart, so it says which
/// comes first; [`Ring::whole`](super::ring::Ring::whole) has the whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(u32);

impl Number {
    pub(super) const fn new(lower_half: u32) -> Self {
        Self(lower_half)
    }

    /// Of a whole number.
    pub(super) const fn of(whole: u64) -> Self {
        let [a, b, c, d, ..] = whole.to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]))
    }

    pub(super) const fn lower_half(self) -> u32 {
        self.0
    }

    pub(super) const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    pub(super) const fn minus(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// How far it is beyond another one; much, where it comes before.
    const fn less(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }

    /// Whether it comes before another one.
    pub(super) const fn is_before(self, other: Self) -> bool {
        self.less(other).cast_signed() < 0
    }

    /// The later one.
    pub(super) const fn max(self, other: Self) -> Self {
        if self.is_before(other) { other } else { self }
    }

    /// The whole number, of which it is the lower half: the one that is nearest to `near`.
    pub(super) fn whole(self, near: u64) -> u64 {
        near.wrapping_add_signed(i64::from(self.less(Self::of(near)).cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_number_is_the_nearest() {
        let near = (7 << 32) + 5;
        for whole in [near, near + 1, near - 6, near + (1 << 30), near - (1 << 30)] {
            assert_eq!(Number::of(whole).whole(near), whole);
        }
        let (before, after) = (Number::of((7 << 32) - 1), Number::of(7 << 32));
        assert!(before.is_before(after) && !after.is_before(before) && !after.is_before(after));
        assert_eq!((before.plus(1), after.less(before), before.max(after)), (after, 1, after));
        assert_eq!(after.minus(1), before);
    }
}
