//! Rows of a binary COPY as tuples.

use crate::engine::{Framed, Span};
use crate::error::{Error, Result, UsageError};
use crate::types::{Format, FromSql, RawValue, TypeError, declared};
use crate::wire::Reader;

/// A type made of a row of a binary COPY: tuples of up to 16 columns, or your own.
#[diagnostic::on_unimplemented(
    note = "a row of a COPY becomes a tuple, one column too: `(T,)`, of up to 16"
)]
pub trait CopyRow<'r>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// As [`CopyFields::next_value`] and [`CopyFields::finish`].
    fn from_copy(fields: &mut CopyFields<'r>) -> Result<Self>;
}

/// A walk over the fields of a row.
pub struct CopyFields<'r> {
    fields: Reader<'r>,
    count: u16,
    index: u16,
    /// It knows what the server calls a type, which is not in the stream.
    link: &'r Framed<'r>,
}

impl<'r> CopyFields<'r> {
    pub(super) fn new(count: u16, span: Span, link: &'r Framed<'r>) -> Self {
        Self { fields: Reader::new(link.get(span)), count, index: 0, link }
    }

    /// The next field.
    ///
    /// # Errors
    /// [`ErrorKind::Column`](crate::ErrorKind::Column) when the bytes are not a `T`, or there is no
    /// such field.
    #[inline]
    pub fn next_value<T: FromSql<'r>>(&mut self) -> Result<T> {
        let result = match self.step() {
            Ok(Some(bytes)) => {
                let oid = declared(T::OID, self.link.rules);
                T::from_sql(RawValue { oid, format: Format::Binary, bytes })
            }
            Ok(None) => T::from_null(),
            Err(reason) => Err(reason),
        };
        self.index = self.index.wrapping_add(1);
        result.map_err(|reason| {
            let column = self.index.wrapping_sub(1);
            Error::of_column(column, reason, T::OID, 0)
        })
    }

    /// Checks that no field is left.
    ///
    /// # Errors
    /// [`UsageError::ColumnCount`].
    pub fn finish(&self) -> Result<()> {
        if self.index == self.count {
            Ok(())
        } else {
            Err(Error::local(UsageError::ColumnCount.into()))
        }
    }

    #[inline]
    fn step(&mut self) -> Result<Option<&'r [u8]>, TypeError> {
        Ok(self.fields.value()?)
    }
}

impl core::fmt::Debug for CopyFields<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CopyFields").field("index", &self.index).finish_non_exhaustive()
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<'r, $($name: FromSql<'r>),*> CopyRow<'r> for ($($name,)*) {
            #[inline]
            fn from_copy(fields: &mut CopyFields<'r>) -> Result<Self> {
                let tuple = ($(fields.next_value::<$name>()?,)*);
                fields.finish()?;
                Ok(tuple)
            }
        }
    };
}

crate::verbs::for_tuples!(tuple);
