//! What a server wants otherwise than PostgreSQL does, while values and types are written.

/// What becomes of a string without characters, sent as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "opengauss"), allow(dead_code, reason = "only openGauss has the others"))]
pub(crate) enum Empty {
    /// It is sent as it is.
    Kept,
    /// To this database `''` is NULL: it is sent as NULL.
    Null,
    /// Not known yet: the server is asked before such a string is sent.
    Unknown,
}

/// How a session's values are written. At PostgreSQL there is nothing to say; a build without
/// openGauss keeps nothing. Without gaps, to lie in one of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed)]
pub(crate) struct Rules {
    /// For each of the first 8 parameters two bits: which of openGauss's types for bytes it is.
    #[cfg(feature = "opengauss")]
    bytes: u16,
    /// [`GAUSS`] and the others.
    #[cfg(feature = "opengauss")]
    state: u8,
}

/// It is openGauss.
#[cfg(feature = "opengauss")]
const GAUSS: u8 = 1;
/// It is known that `''` is an empty string, or that it is NULL.
#[cfg(feature = "opengauss")]
const KEPT: u8 = 2;
#[cfg(feature = "opengauss")]
const NULL: u8 = 4;
/// `behavior_compat_options` has `accept_empty_str`.
#[cfg(feature = "opengauss")]
const ACCEPTS: u8 = 8;
/// Values are kept, and the server that they go to is not known.
#[cfg(feature = "opengauss")]
const LATER: u8 = 16;

/// The length, in a block that is kept, of a string without characters that is never NULL.
#[cfg(feature = "opengauss")]
pub(crate) const EXACTLY_EMPTY: i32 = -2;

impl Rules {
    /// PostgreSQL's.
    pub(crate) const NONE: Self = Self {
        #[cfg(feature = "opengauss")]
        bytes: 0,
        #[cfg(feature = "opengauss")]
        state: 0,
    };

    /// Of values that are kept.
    pub(crate) const LATER: Self = Self {
        #[cfg(feature = "opengauss")]
        bytes: 0,
        #[cfg(feature = "opengauss")]
        state: LATER,
    };

    /// Whether the server is openGauss.
    #[inline]
    pub(crate) const fn is_gauss(self) -> bool {
        #[cfg(feature = "opengauss")]
        return self.state & GAUSS != 0;
        #[cfg(not(feature = "opengauss"))]
        false
    }

    /// What becomes of a string without characters.
    pub(crate) const fn empty(self) -> Empty {
        #[cfg(feature = "opengauss")]
        if self.is_gauss() {
            return match self.state & (KEPT | NULL) {
                0 => Empty::Unknown,
                NULL => Empty::Null,
                _ => Empty::Kept,
            };
        }
        Empty::Kept
    }

    /// Those of values within a value.
    pub(crate) const fn within(self) -> Self {
        Self {
            #[cfg(feature = "opengauss")]
            bytes: self.bytes,
            #[cfg(feature = "opengauss")]
            state: self.state & !LATER,
        }
    }

    /// A link ends. What is known of the database stays known: the next session may be with it.
    pub(crate) const fn leave(&mut self) {
        #[cfg(feature = "opengauss")]
        {
            self.state &= !GAUSS;
            self.bytes = 0;
        }
    }
}

#[cfg(feature = "opengauss")]
impl Rules {
    /// Whether a value is one of a block that is kept, and not within another.
    pub(crate) const fn are_for_later(self) -> bool {
        self.state & LATER != 0
    }

    /// A session with an openGauss begins.
    pub(crate) const fn enter(&mut self) {
        self.state |= GAUSS;
    }

    /// The next session may be with another database.
    pub(crate) const fn forget_database(&mut self) {
        self.set_empty(Empty::Unknown);
    }

    /// What `''` is to the database was found out.
    pub(crate) const fn set_empty(&mut self, empty: Empty) {
        let known = match empty {
            Empty::Unknown => 0,
            Empty::Kept => KEPT,
            Empty::Null => NULL,
        };
        self.state = self.state & (GAUSS | ACCEPTS) | known;
    }

    /// Takes `behavior_compat_options`: with `accept_empty_str` among them `''` is no NULL.
    pub(crate) fn set_options(&mut self, value: &[u8]) {
        const OPTION: &[u8] = b"accept_empty_str";
        let accepts = value.windows(OPTION.len()).any(|option| option == OPTION);
        if accepts != (self.state & ACCEPTS != 0) {
            self.set_empty(Empty::Unknown);
            self.state ^= ACCEPTS;
        }
    }

    /// What was said for a parameter of bytes: 0 nothing, 1 `blob`, 2 `raw`.
    pub(crate) const fn bytes(self, index: usize) -> u16 {
        if index < 8 { self.bytes.wrapping_shr(shift(index)) & 3 } else { 0 }
    }

    /// Says for a parameter of bytes what it is; the 9th and later ones stay `bytea`.
    pub(crate) const fn set_bytes(&mut self, index: usize, kind: u16) {
        if index < 8 {
            self.bytes |= (kind & 3).wrapping_shl(shift(index));
        }
    }

    pub(crate) const fn forget_bytes(&mut self) {
        self.bytes = 0;
    }
}

/// Where the two bits of one of the first 8 parameters are.
#[cfg(feature = "opengauss")]
#[allow(clippy::as_conversions, reason = "below 8")]
const fn shift(index: usize) -> u32 {
    (index as u32).wrapping_mul(2)
}
