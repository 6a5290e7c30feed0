//! One row: columns by index, by name, or decoded in one pass.

use crate::error::{Error, ErrorKind, Result, UsageError};
use crate::types::{Format, FromSql, Oid, RawValue, TypeError};
use crate::wire::Reader;

/// A row in the receive buffer. It is lent until the next call on the connection.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    /// Packed column descriptions, see [`Column`].
    pub(crate) columns: &'r [u8],
    /// Length and bytes of each value; checked when the row arrived.
    pub(crate) values: &'r [u8],
    pub(crate) count: u16,
}

/// Description of a column, from RowDescription.
///
/// In the receive buffer it is packed: OID (4 bytes), format (1), length of the name (1), name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'r> {
    /// The name, empty where the receive buffer had no room for names.
    pub name: &'r str,
    /// Type of the column.
    pub oid: Oid,
    /// Format of its values.
    pub format: Format,
}

/// Bytes of a packed column without its name.
pub(crate) const COLUMN_HEAD: usize = 6;

/// A type made of a whole row: tuples of up to 16 columns, or your own.
///
/// Tuples must have as many elements as the row has columns.
pub trait FromRow<'r>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// As [`Row::get`].
    fn from_row(row: &Row<'r>) -> Result<Self>;
}

impl<'r> Row<'r> {
    /// How many columns.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are no columns.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Decodes all columns in one pass, the fastest way.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] naming the column that does not fit;
    /// [`UsageError::ColumnCount`] when there are more or fewer columns. The connection stays
    /// usable.
    #[inline]
    pub fn decode<T: FromRow<'r>>(&self) -> Result<T> {
        T::from_row(self)
    }

    /// Column `index`, counted from 0. Walks from the start of the row.
    ///
    /// # Errors
    /// [`ErrorKind::Column`] when the value is not a `T`, [`UsageError::NoColumn`] when there is
    /// no such column. The connection stays usable.
    pub fn get<T: FromSql<'r>>(&self, index: usize) -> Result<T> {
        let mut values = self.values();
        for _ in 0..index {
            values.skip()?;
        }
        values.next_value()
    }

    /// The column with this name; the first, if several have it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_by_name<T: FromSql<'r>>(&self, name: &str) -> Result<T> {
        let index = self.columns().position(|column| column.name == name);
        self.get(index.ok_or(no_column())?)
    }

    /// Whether column `index` is NULL.
    ///
    /// # Errors
    /// [`UsageError::NoColumn`] when there is no such column.
    pub fn is_null(&self, index: usize) -> Result<bool> {
        let mut values = self.values();
        for _ in 0..index {
            values.skip()?;
        }
        values.raw().map(|value| value.is_none())
    }

    /// The column's value as it came, `None` for NULL.
    ///
    /// # Errors
    /// [`UsageError::NoColumn`] when there is no such column.
    pub fn raw(&self, index: usize) -> Result<Option<RawValue<'r>>> {
        let mut values = self.values();
        for _ in 0..index {
            values.skip()?;
        }
        values.raw()
    }

    /// The columns' descriptions.
    pub fn columns(&self) -> Columns<'r> {
        Columns { packed: Reader::new(self.columns), left: self.count }
    }

    /// The values one after the other, for implementations of [`FromRow`].
    #[inline]
    pub fn values(&self) -> Values<'r> {
        Values { columns: self.columns(), values: Reader::new(self.values), index: 0 }
    }
}

/// The columns of a row or result.
#[derive(Clone)]
pub struct Columns<'r> {
    packed: Reader<'r>,
    left: u16,
}

impl<'r> Columns<'r> {
    pub(crate) const fn new(packed: &'r [u8], count: u16) -> Self {
        Self { packed: Reader::new(packed), left: count }
    }

    #[inline]
    fn next_head(&mut self) -> Option<(Oid, Format, &'r [u8])> {
        self.left = self.left.checked_sub(1)?;
        let oid = self.packed.u32().ok()?;
        let format = if self.packed.u8().ok()? == 0 { Format::Text } else { Format::Binary };
        let length = usize::from(self.packed.u8().ok()?);
        Some((oid, format, self.packed.bytes(length).ok()?))
    }
}

impl<'r> Iterator for Columns<'r> {
    type Item = Column<'r>;

    fn next(&mut self) -> Option<Column<'r>> {
        let (oid, format, name) = self.next_head()?;
        Some(Column { name: core::str::from_utf8(name).unwrap_or(""), oid, format })
    }
}

/// A walk over the values of a row.
pub struct Values<'r> {
    columns: Columns<'r>,
    values: Reader<'r>,
    index: u16,
}

impl<'r> Values<'r> {
    /// The next value.
    ///
    /// # Errors
    /// As [`Row::get`].
    #[inline]
    pub fn next_value<T: FromSql<'r>>(&mut self) -> Result<T> {
        let (oid, format, bytes) = self.step()?;
        let result = match bytes {
            _ if !T::accepts(oid) => Err(TypeError::Mismatch),
            Some(bytes) => T::from_sql(RawValue { oid, format, bytes }),
            None => T::from_null(),
        };
        result.map_err(|reason| self.error(reason, T::OID, oid))
    }

    /// Checks that no value is left.
    ///
    /// # Errors
    /// [`UsageError::ColumnCount`].
    #[inline]
    pub fn finish(&self) -> Result<()> {
        if self.columns.left == 0 {
            Ok(())
        } else {
            Err(Error::local(ErrorKind::Usage(UsageError::ColumnCount)))
        }
    }

    fn raw(&mut self) -> Result<Option<RawValue<'r>>> {
        let (oid, format, bytes) = self.step()?;
        Ok(bytes.map(|bytes| RawValue { oid, format, bytes }))
    }

    fn skip(&mut self) -> Result<()> {
        self.step().map(|_| ())
    }

    #[inline(never)]
    fn step(&mut self) -> Result<(Oid, Format, Option<&'r [u8]>)> {
        let (oid, format, _) = self.columns.next_head().ok_or_else(no_column)?;
        self.index = self.index.wrapping_add(1);
        // The row's structure was checked when it arrived.
        let length = self.values.i32().map_err(|_| no_column())?;
        let bytes = match usize::try_from(length) {
            Ok(length) => Some(self.values.bytes(length).map_err(|_| no_column())?),
            Err(_) => None,
        };
        Ok((oid, format, bytes))
    }

    #[cold]
    fn error(&self, reason: TypeError, wanted: Oid, found: Oid) -> Error {
        let column = self.index.wrapping_sub(1);
        Error::local(ErrorKind::Column { column, reason, wanted, found })
    }
}

#[cold]
fn no_column() -> Error {
    Error::local(ErrorKind::Usage(UsageError::NoColumn))
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<'r, $($name: FromSql<'r>),*> FromRow<'r> for ($($name,)*) {
            #[inline]
            fn from_row(row: &Row<'r>) -> Result<Self> {
                let mut values = row.values();
                let tuple = ($(values.next_value::<$name>()?,)*);
                values.finish()?;
                Ok(tuple)
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
tuple!(A B C D E F G H I);
tuple!(A B C D E F G H I J);
tuple!(A B C D E F G H I J K);
tuple!(A B C D E F G H I J K L);
tuple!(A B C D E F G H I J K L M);
tuple!(A B C D E F G H I J K L M N);
tuple!(A B C D E F G H I J K L M N O);
tuple!(A B C D E F G H I J K L M N O P);
