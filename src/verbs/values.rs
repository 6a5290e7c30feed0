//! The walk over the values of a row.

use core::cell::Cell;

use crate::engine::COLUMN_HEAD;
use crate::error::{Error, Outcome, ProtocolError, Result, UsageError};
use crate::types::{Format, FromSql, Oid, RawValue, TypeError};
use crate::verbs::row::{Columns, Cursor, parts};
use crate::wire::Reader;

/// A walk over the values of a row. It checks lengths, number and end of the values while it reads
/// them: a row is walked once.
///
/// What is read is returned as an `Option`, in registers: an error would travel through memory. Why
/// there is nothing is noted in the walk.
pub struct Values<'r> {
    columns: Columns<'r>,
    values: Reader<'r>,
    /// Columns of the row.
    count: u16,
    /// Of the value that was read last.
    head: &'r [u8; COLUMN_HEAD],
    last: Last,
    malformed: &'r Cell<bool>,
}

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The value is NULL.
    Null,
    /// There is no further column, or the row is malformed.
    Missing,
    /// All values that were wanted were read, and there is more.
    Excess,
    /// The value does not make the type with this OID.
    Unfit(TypeError, Oid),
}

impl<'r> Values<'r> {
    #[inline]
    pub(super) const fn new(
        columns: Columns<'r>,
        values: &'r [u8],
        count: u16,
        malformed: &'r Cell<bool>,
    ) -> Self {
        let (values, head) = (Reader::new(values), &[0; COLUMN_HEAD]);
        Self { columns, values, count, head, last: Last::Null, malformed }
    }

    /// The next value.
    ///
    /// # Errors
    /// As [`Row::get`](crate::Row::get).
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub fn next_value<T: FromSql<'r>>(&mut self) -> Result<T> {
        self.take().ok_or_else(|| self.error())
    }

    /// The next value; `None`: [`error`](Self::error) says why.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    pub(super) fn take<T: FromSql<'r>>(&mut self) -> Option<T> {
        let bytes = self.step();
        let (oid, format, _) = parts(self.head);
        if !cfg!(target_os = "none")
            && let Some(bytes) = bytes
            && T::accepts(oid)
            && let Ok(value) = T::from_sql(RawValue { oid, format, bytes })
        {
            return Some(value);
        }
        match unusual(bytes, self.head, self.last) {
            Ok(value) => Some(value),
            Err(Some(reason)) => {
                self.note(reason, T::OID);
                None
            }
            Err(None) => None,
        }
    }

    /// Goes past some values.
    pub(super) fn skip(&mut self, count: u16) -> Result<()> {
        for _ in 0..count {
            if self.step().is_none() && self.last != Last::Null {
                return Err(self.error());
            }
        }
        Ok(())
    }

    /// Checks that no value is left.
    ///
    /// # Errors
    /// [`UsageError::ColumnCount`].
    #[inline]
    pub fn finish(&mut self) -> Result<()> {
        if self.has_ended() { Ok(()) } else { Err(self.error()) }
    }

    /// Checks that no value is left; `false`: [`error`](Self::error) says what is.
    #[inline]
    pub(super) const fn has_ended(&mut self) -> bool {
        let has_ended = self.columns.0.is_empty() && self.values.is_empty();
        if !has_ended {
            self.last = Last::Excess;
        }
        has_ended
    }

    /// The next value. `None`: NULL, or there is none, or it is malformed, see `last`.
    #[cfg_attr(not(target_os = "none"), inline(always))]
    #[cfg_attr(target_os = "none", inline(never))]
    fn step(&mut self) -> Option<&'r [u8]> {
        let mut columns = Columns(self.columns.0);
        let Some((head, _)) = columns.next_head() else { return self.absent(Last::Missing) };
        let Ok(value) = self.values.value_in_line() else { return self.absent(Last::Missing) };
        (self.columns, self.head) = (columns, head);
        match value {
            None => self.absent(Last::Null),
            value => value,
        }
    }

    #[cfg_attr(target_os = "none", cold)]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    const fn absent(&mut self, why: Last) -> Option<&'r [u8]> {
        self.last = why;
        None
    }

    /// After the last column there is nothing.
    #[inline]
    pub(super) fn check_end(&self) -> Result<()> {
        if self.columns.0.is_empty() && !self.values.is_empty() {
            Err(broken(self.malformed))
        } else {
            Ok(())
        }
    }

    /// Where the walk is.
    pub(super) fn cursor(&self, index: u16) -> Cursor {
        let (columns, values) = (self.columns.0.len(), self.values.rest().len());
        Cursor { index, columns, values }
    }

    /// Goes on from where another walk was, over the same row.
    pub(super) fn skip_to(&mut self, cursor: &Cursor) {
        fn last(bytes: &[u8], n: usize) -> &[u8] {
            bytes.get(bytes.len().saturating_sub(n)..).unwrap_or(&[])
        }
        self.columns = Columns(last(self.columns.0, cursor.columns));
        self.values = Reader::new(last(self.values.rest(), cursor.values));
    }

    #[cfg_attr(target_os = "none", cold)]
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn note(&mut self, reason: TypeError, wanted: Oid) {
        if self.last != Last::Missing {
            self.last = Last::Unfit(reason, wanted);
        }
    }

    /// Why the last value could not be read.
    #[inline]
    pub(super) fn error(&self) -> Error {
        if cfg!(target_os = "none") {
            return self.reason();
        }
        // Of a copy: the walk itself has no address then, and stays in registers.
        let (columns, values) = (self.columns.clone(), Reader::new(self.values.rest()));
        Self { columns, values, ..*self }.reason()
    }

    #[cold]
    #[inline(never)]
    fn reason(&self) -> Error {
        if let Last::Unfit(reason, wanted) = self.last {
            let (mut left, mut column) = (self.columns.clone(), self.count.wrapping_sub(1));
            while left.next_head().is_some() {
                column = column.wrapping_sub(1);
            }
            return Error::of_column(column, reason, wanted, parts(self.head).0);
        }
        match (self.columns.0.is_empty(), self.values.is_empty()) {
            (true, true) => no_column(),
            (false, _) if self.last == Last::Excess => Error::local(UsageError::ColumnCount.into()),
            _ => broken(self.malformed),
        }
    }
}

/// A walk over the values of a row whose columns are exactly of the types that are wanted, in binary format.
/// Where anything is not as it should be it ends, and the row is read by [`Values`], which say why.
pub(super) struct Plain<'r> {
    values: Reader<'r>,
    /// Where there was no value: it is NULL.
    is_null: bool,
}

impl<'r> Plain<'r> {
    #[inline(always)]
    pub(super) const fn new(values: &'r [u8]) -> Self {
        Self { values: Reader::new(values), is_null: false }
    }

    #[inline(always)]
    pub(super) fn take<T: FromSql<'r>>(&mut self) -> Option<T> {
        if !T::accepts(T::OID) {
            return None;
        }
        match self.step() {
            Some(bytes) => {
                T::from_sql(RawValue { oid: T::OID, format: Format::Binary, bytes }).ok()
            }
            None if self.is_null => T::from_null().ok(),
            None => None,
        }
    }

    /// In line where lengths and values can be loaded wherever they lie. Elsewhere each is some ten
    /// instructions.
    #[cfg_attr(any(not(target_os = "none"), target_arch = "arm"), inline(always))]
    #[cfg_attr(not(any(not(target_os = "none"), target_arch = "arm")), inline(never))]
    fn step(&mut self) -> Option<&'r [u8]> {
        let value = self.values.value_in_line();
        self.is_null = value == Ok(None);
        value.ok()?
    }

    /// Whether the last value was taken.
    #[inline(always)]
    pub(super) const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The value where it is no common one, or why there is none, if that is not known yet. On hosts apart from
/// the common path, which is in registers then.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
fn unusual<'r, T: FromSql<'r>>(
    bytes: Option<&'r [u8]>,
    head: &'r [u8; COLUMN_HEAD],
    last: Last,
) -> core::result::Result<T, Option<TypeError>> {
    let (oid, format, _) = parts(head);
    let result = match bytes {
        _ if !T::accepts(oid) => Err(TypeError::Mismatch),
        Some(bytes) => T::from_sql(RawValue { oid, format, bytes }),
        None if last == Last::Null => T::from_null(),
        None => return Err(None),
    };
    result.map_err(Some)
}

/// A row is malformed: the session learns of it.
#[cold]
pub(super) fn broken(malformed: &Cell<bool>) -> Error {
    malformed.set(true);
    Error::of(ProtocolError::Malformed.into(), Outcome::Unknown, false)
}

#[cold]
pub(super) fn no_column() -> Error {
    Error::local(UsageError::NoColumn.into())
}

impl core::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Values").field("count", &self.count).finish_non_exhaustive()
    }
}
