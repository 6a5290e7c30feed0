//! Walking over messages that have arrived whole.

/// Messages in sequence. Nothing is taken where something is unusual: then the long way is gone.
#[derive(Clone, Copy, Debug)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    /// Over what has arrived, which begins with a message.
    #[inline]
    pub const fn new(arrived: &'a [u8]) -> Self {
        Self(arrived)
    }

    /// The body of the next message, if it is of this type and has arrived whole.
    #[inline(always)]
    pub fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (&[tag, a, b, c, d], rest) = self.0.split_first_chunk()?;
        // The length counts itself.
        let length = u32::from_be_bytes([a, b, c, d]).checked_sub(4)?;
        let (body, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        if tag != wanted {
            return None;
        }
        self.0 = rest;
        Some(body)
    }

    /// These bytes, if they come next.
    #[inline(always)]
    pub fn take_these<const N: usize>(&mut self, wanted: [u8; N]) -> Option<()> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        (*bytes == wanted).then_some(())
    }

    /// What was not taken.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }
}
