//! Where the slice ends: bytes are counted, or go through a buffer to a drain.

use super::Writer;
use crate::wire::WireError;
use crate::wire::encode::Drain;

/// Where bytes go that have no room in a slice.
pub(crate) enum Beyond<'w> {
    /// Nowhere: they are counted.
    Count(usize),
    /// Through a buffer, which the drain gets whenever it is full. Its first `head` bytes are the
    /// drain's.
    Drain { buf: &'w mut [u8], used: usize, head: usize, drain: &'w mut dyn Drain },
}

impl Writer<'_> {
    /// `length` bytes that `source` puts into the room it is given, returning how many. It is only
    /// called in a drain: a counter counts, and a slice is [`WireError::Full`], so that the message
    /// goes out in pieces.
    ///
    /// # Errors
    /// What `source` returns, and [`WireError::Source`] when it has no more bytes.
    pub(crate) fn source(
        &mut self,
        mut length: usize,
        source: &mut dyn FnMut(&mut [u8]) -> Result<usize, WireError>,
    ) -> Result<(), WireError> {
        match &mut self.beyond {
            None => Err(WireError::Full),
            Some(Beyond::Count(counted)) => {
                *counted = checked_length(*counted, length)?;
                Ok(())
            }
            Some(Beyond::Drain { buf, used, head, drain }) => {
                while length > 0 {
                    if *used >= buf.len() {
                        empty(buf, (used, *head), *drain)?;
                    }
                    let room = buf.get_mut(*used..).unwrap_or(&mut []);
                    let size = room.len().min(length);
                    match source(room.get_mut(..size).unwrap_or(&mut []))? {
                        n if n > 0 && n <= size => {
                            *used = used.saturating_add(n);
                            length = length.saturating_sub(n);
                        }
                        _ => return Err(WireError::Source),
                    }
                }
                Ok(())
            }
        }
    }

    /// Hands what is left in the buffer to the drain.
    #[cfg(test)]
    pub(crate) fn finish(self) -> Result<(), WireError> {
        match self.beyond {
            Some(Beyond::Drain { buf, used, drain, .. }) => {
                drain.drain(buf.get_mut(..*used).unwrap_or(&mut []))
            }
            _ => Ok(()),
        }
    }
}

/// Bytes that have no room in the slice: counted, or sent on; an error where the slice is all there
/// is. (It gets what goes on, not the writer, so that on hosts a writer can live in registers.)
#[cfg_attr(not(target_os = "none"), inline(always))]
#[cfg_attr(target_os = "none", inline(never))]
pub(super) fn overflow(beyond: Option<&mut Beyond<'_>>, bytes: &[u8]) -> Result<(), WireError> {
    match beyond {
        None => Err(WireError::Full),
        Some(beyond) => go_on(beyond, bytes),
    }
}

/// As [`overflow`], of few bytes, by value: the common path need not put them into memory.
#[cfg(target_os = "none")]
#[cold]
pub(super) fn overflow_array<const N: usize>(
    beyond: Option<&mut Beyond<'_>>,
    bytes: [u8; N],
) -> Result<(), WireError> {
    overflow(beyond, &bytes)
}

#[cold]
#[cfg_attr(not(target_os = "none"), inline(never))]
#[cfg_attr(target_os = "none", inline(always))]
fn go_on(beyond: &mut Beyond<'_>, mut bytes: &[u8]) -> Result<(), WireError> {
    match beyond {
        Beyond::Count(length) => {
            *length = checked_length(*length, bytes.len())?;
            Ok(())
        }
        Beyond::Drain { buf, used, head, drain } => loop {
            let room = buf.get_mut(*used..).unwrap_or(&mut []);
            let n = room.len().min(bytes.len());
            room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            *used = used.wrapping_add(n);
            bytes = bytes.get(n..).unwrap_or(&[]);
            if bytes.is_empty() {
                return Ok(());
            }
            empty(buf, (used, *head), *drain)?;
        },
    }
}

/// Hands a full buffer to the drain.
fn empty(
    buf: &mut [u8],
    (used, head): (&mut usize, usize),
    drain: &mut dyn Drain,
) -> Result<(), WireError> {
    if buf.len() <= head {
        return Err(WireError::Full);
    }
    *used = head;
    drain.drain(buf)
}

/// A length as the protocol can carry it: at most 2^31 − 1.
pub(super) fn checked_length(length: usize, more: usize) -> Result<usize, WireError> {
    match length.checked_add(more) {
        Some(sum) if i32::try_from(sum).is_ok() => Ok(sum),
        _ => Err(WireError::TooLong),
    }
}

/// The bytes of a length field.
pub(super) fn length_field(length: usize, extra: usize) -> Result<[u8; 4], WireError> {
    let length = i32::try_from(length.wrapping_add(extra)).map_err(|_| WireError::TooLong)?;
    Ok(length.to_be_bytes())
}

/// The length field of a value of known size.
#[allow(clippy::as_conversions, reason = "evaluated by the compiler, for sizes up to 255")]
pub(super) const fn width(size: usize) -> [u8; 4] {
    assert!(size < 256);
    [0, 0, 0, size as u8]
}
