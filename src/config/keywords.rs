//! Which keywords a text has named.

use super::keyword::{self, Keyword};

/// The keywords that a text named, one bit each.
#[derive(Clone, Copy, Default)]
pub(crate) struct Keywords([u32; 3]);

impl Keywords {
    pub(super) fn add(&mut self, keyword: Keyword) {
        let (word, bit) = bit(keyword);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(crate) fn includes(self, keyword: Keyword) -> bool {
        let (word, bit) = bit(keyword);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether this is the only keyword.
    #[cfg(feature = "provision")]
    pub(super) fn is_only(self, keyword: Keyword) -> bool {
        let mut only = Self::default();
        only.add(keyword);
        self.0 == only.0
    }

    pub(super) fn has(self, name: &str) -> bool {
        keyword::find(name).is_some_and(|keyword| self.includes(keyword))
    }
}

/// The word of [`Keywords`] and the bit in it.
fn bit(keyword: Keyword) -> (usize, u32) {
    let place = keyword.place();
    (usize::from(place >> 5), 1_u32.wrapping_shl(u32::from(place & 31)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_has_a_bit_of_its_own() {
        let mut seen = Keywords::default();
        for name in keyword::names() {
            let keyword = keyword::find(name).unwrap();
            assert!(!seen.includes(keyword), "{name}");
            seen.add(keyword);
            assert!(seen.includes(keyword) && seen.has(name), "{name}");
        }
    }
}
