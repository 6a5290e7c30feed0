//! Reading big-endian integers and strings from a slice.

use super::WireError;
use super::nul_byte::first_nul;

/// A cursor over bytes that a peer sent. Every method checks what is left.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The bytes not yet read.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True when everything was read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when bytes are left.
    pub const fn finish(self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(WireError::Malformed) }
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when fewer are left, as for all the methods below.
    #[inline]
    pub const fn bytes(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        match self.rest.split_at_checked(n) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(WireError::Malformed),
        }
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[inline]
    pub const fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(*head)
            }
            None => Err(WireError::Malformed),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[inline]
    pub const fn u8(&mut self) -> Result<u8, WireError> {
        match self.array::<1>() {
            Ok([byte]) => Ok(byte),
            Err(error) => Err(error),
        }
    }

    /// A 32-bit length and as many bytes; a length of −1 is NULL, `None`. Other negative lengths are
    /// malformed.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    #[cfg_attr(not(target_os = "none"), inline)]
    #[cfg_attr(target_os = "none", inline(never))]
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        self.value_in_line()
    }

    /// As [`value`](Self::value), compiled in line everywhere: for the values of a row.
    #[inline]
    pub(crate) fn value_in_line(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let Some((length, rest)) = self.rest.split_first_chunk::<4>() else {
            return Err(WireError::Malformed);
        };
        let length = u32::from_be_bytes(*length);
        // Negative lengths are larger than any message.
        match usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)) {
            Some((value, rest)) => {
                self.rest = rest;
                Ok(Some(value))
            }
            None if length == u32::MAX => {
                self.rest = rest;
                Ok(None)
            }
            None => Err(WireError::Malformed),
        }
    }

    /// A NUL-terminated string as bytes, without its NUL.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes), also when there is no NUL.
    #[cfg_attr(not(target_os = "none"), inline)]
    pub fn cstr(&mut self) -> Result<&'a [u8], WireError> {
        let ended = first_nul(self.rest).and_then(|end| self.rest.split_at_checked(end));
        let Some((text, [_, rest @ ..])) = ended else { return Err(WireError::Malformed) };
        self.rest = rest;
        Ok(text)
    }
}

macro_rules! integers {
    ($($name:ident $what:literal),*) => {
        impl Reader<'_> {$(
            #[doc = concat!("A big-endian ", $what, ".")]
            ///
            /// # Errors
            /// As [`bytes`](Self::bytes).
            #[inline]
            pub const fn $name(&mut self) -> Result<$name, WireError> {
                match self.array() {
                    Ok(bytes) => Ok($name::from_be_bytes(bytes)),
                    Err(error) => Err(error),
                }
            }
        )*}
    };
}

integers!(
    i16 "16-bit signed integer",
    u16 "16-bit unsigned integer",
    i32 "32-bit signed integer",
    u32 "32-bit unsigned integer",
    i64 "64-bit signed integer",
    u64 "64-bit unsigned integer"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there_and_no_more() {
        let mut r = Reader::new(b"\x00\x01\xff\xff\xff\xfeab\0c");
        assert_eq!(r.i16(), Ok(1));
        assert_eq!(r.i32(), Ok(-2));
        assert_eq!(r.cstr(), Ok(&b"ab"[..]));
        assert_eq!(r.clone().finish(), Err(WireError::Malformed));
        assert_eq!(r.clone().u16(), Err(WireError::Malformed));
        assert_eq!(r.clone().cstr(), Err(WireError::Malformed));
        assert_eq!(r.u8(), Ok(b'c'));
        assert_eq!(r.u8(), Err(WireError::Malformed));
        assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn strings_end_at_their_first_nul() {
        for length in 0..40 {
            let mut bytes = [b'x'; 48];
            bytes[length] = 0;
            bytes[length + 3] = 0;
            for start in 0..=length {
                let mut r = Reader::new(&bytes[start..]);
                assert_eq!(r.cstr(), Ok(&bytes[start..length]));
                assert_eq!(r.cstr(), Ok(&b"xx"[..]));
                assert_eq!(Reader::new(&bytes[start..length]).cstr(), Err(WireError::Malformed));
            }
        }
    }
}
