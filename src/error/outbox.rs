//! What can be wrong with an outbox.

/// Why a row could not be put into the outbox, or the outbox not be sent. The connection is as it was, and rows that
/// wait go on waiting. A row that was stored and could not be marked as such is sent again after a reset; its key makes
/// that harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OutboxError {
    /// It is full, and its policy is to keep what it has.
    Full,
    /// A row was refused by the server and cannot be set aside: the pages for such rows are full.
    /// Read them and discard them ([`Outbox::discard_aside`](crate::outbox::Outbox::discard_aside)),
    /// or let new ones replace old ones
    /// ([`Options::aside_full`](crate::outbox::Options::aside_full)).
    AsideFull,
    /// The row belongs to a statement that is not among those given when it was opened. Where it waits, an
    /// earlier firmware image left it: give the old statement too until its rows are sent.
    UnknownStatement,
    /// Two of the statements given cannot be distinguished by what is kept of them: change the text of
    /// one, by a space for instance.
    SameStatement,
    /// The flash holds an outbox of another version of the format, or of another size or page size.
    /// It was not touched: open it as it was, or
    /// [`erase`](crate::outbox::Outbox::erase) it, with all that waits.
    Foreign,
    /// Pages, region and buffer do not fit each other: two pages at least, of a multiple of 256
    /// bytes and of what is erased at a time, and a row that fits a page.
    Region,
    /// A new outbox needs random bytes for its first number, and the board has none at this moment.
    NoEntropy,
    /// Two places do not hold what was written: the flash is worn out. The row is not in the outbox;
    /// pushing it again uses other words.
    Worn,
    /// The flash reports an error.
    Flash,
    /// The flash reports an address or length that is not aligned.
    FlashAlignment,
    /// The flash reports an address beyond its end.
    FlashBounds,
}

impl core::fmt::Display for OutboxError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::AsideFull => "no room to set a refused row aside",
            Self::UnknownStatement => "a row of a statement that is not known",
            Self::SameStatement => "two statements cannot be distinguished",
            Self::Foreign => "the flash holds another outbox",
            Self::Region => "pages, region and buffer do not fit each other",
            Self::NoEntropy => "no entropy",
            Self::Worn => "the flash does not hold what was written",
            Self::Flash => "the flash failed",
            Self::FlashAlignment => "the flash refuses the alignment",
            Self::FlashBounds => "the flash ends before",
        })
    }
}

impl core::error::Error for OutboxError {}
